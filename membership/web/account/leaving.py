"""Leaving, coming back, pausing, withdrawing, keeping: each one page and one button, and nobody is asked twice."""

from collections.abc import Callable

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from membership import clock
from membership.billing import checkout
from membership.billing.checkout import Outcome
from membership.db import db
from membership.domain import memberships, payments
from membership.domain.memberships import Membership
from membership.web import presses, sheets
from membership.web.account import front, mine
from membership.web.forms.account import PauseForm, ReasonForm
from membership.web.forms.leave import MONTHS
from membership.web.standing import Standing

bp = mine.bp


def _home() -> ResponseReturnValue:
    return redirect(url_for(".front"), 303)


def _done(what: str, outcome: Outcome | None = Outcome.AGREED) -> ResponseReturnValue:
    """Back to the account, which says how it stands now."""
    db.session.commit()
    if (found := mine.chosen()) is not None:
        presses.follow(found)
    mine.note({Outcome.WAITING: "noted", Outcome.REFUSED: "refused"}.get(outcome or Outcome.AGREED, what))
    return _home()


def _leave_page(status: int = 200, *, says: str = "", general: list[str] | None = None) -> Response:
    standing, form = Standing.of(mine.membership()), ReasonForm(request.form)
    if status == 422:
        form.validate()
    return sheets.page(
        "account/leave.html", status, standing=standing, form=form, says=says, general=general or []
    )


@bp.get("/account/leave")
def leave() -> ResponseReturnValue:
    """What leaving means, and the button."""
    found = mine.chosen()
    return _leave_page() if found is not None and Standing.of(found).may_leave else _home()


@bp.post("/account/leave")
def do_leave() -> ResponseReturnValue:
    """Leave at the end of what is paid."""

    def act() -> ResponseReturnValue:
        membership = mine.membership()
        if not Standing.of(membership).may_leave:
            return _home()  # the same press again
        form = ReasonForm(request.form)
        if not form.validate():
            return _leave_page(422)
        memberships.note_reason(membership, form.reason.data or "")
        return _done("left", checkout.leave(membership, now=clock.now()))

    return presses.press(_leave_page, act)


def _at_once(what: str, verb: Callable[[Membership], Outcome | None]) -> ResponseReturnValue:
    """A button on the account's first page."""
    return presses.press(front.page, lambda: _done(what, verb(mine.membership())))


@bp.post("/account/return")
def come_back() -> ResponseReturnValue:
    """Leaving is taken back."""
    return _at_once("returned", lambda one: checkout.come_back(one, now=clock.now()))


@bp.post("/account/go-on")
def go_on() -> ResponseReturnValue:
    """A pause ends now."""
    return _at_once("going-on", lambda one: checkout.go_on(one, now=clock.now()))


@bp.post("/account/keep")
def keep() -> ResponseReturnValue:
    """A second membership stays: it was meant."""

    def act() -> ResponseReturnValue:
        membership = mine.membership()
        is_open = membership.doubled_at is not None
        memberships.keep(membership, by=mine.person(), now=clock.now())
        return _done("kept" if is_open else "undecided")

    return presses.press(front.page, act)


def _pause_page(status: int = 200, *, says: str = "", general: list[str] | None = None) -> Response:
    form = PauseForm(request.form or None, data={"months": MONTHS[0]})
    if status == 422:
        form.validate()
    standing = Standing.of(mine.membership())
    return sheets.page(
        "account/pause.html", status, standing=standing, form=form, says=says, general=general or []
    )


@bp.get("/account/pause")
def pause() -> ResponseReturnValue:
    """For how long?"""
    found = mine.chosen()
    return _pause_page() if found is not None and Standing.of(found).may_pause else _home()


@bp.post("/account/pause")
def do_pause() -> ResponseReturnValue:
    """Nothing is charged for so many months; it goes on by itself."""

    def act() -> ResponseReturnValue:
        membership = mine.membership()
        form = PauseForm(request.form)
        if not form.validate():
            return _pause_page(422)
        if not Standing.of(membership).may_pause:
            return _home()
        return _done("paused", checkout.skip(membership, months=int(form.months.data or 1), now=clock.now()))

    return presses.press(_pause_page, act)


def _withdraw_page(status: int = 200, *, says: str = "", general: list[str] | None = None) -> Response:
    standing = Standing.of(mine.membership())
    return sheets.page(
        "account/withdraw.html",
        status,
        standing=standing,
        payments=payments.payments_of(membership_id=standing.membership.id),
        says=says,
        general=general or [],
    )


@bp.get("/account/withdraw")
def withdraw() -> ResponseReturnValue:
    """What comes back, and the button."""
    return _withdraw_page() if mine.chosen() is not None else _home()


@bp.post("/account/withdraw")
def do_withdraw() -> ResponseReturnValue:
    """End it at once; everything that was paid goes back."""

    def act() -> ResponseReturnValue:
        membership, now = mine.membership(), clock.now()
        if not memberships.may_withdraw(membership, now):
            return _home() if not membership.is_live else _withdraw_page(409)
        return _done("withdrawn", checkout.withdraw(membership, now=now))

    return presses.press(_withdraw_page, act)
