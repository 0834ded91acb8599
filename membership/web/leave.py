"""Leaving, as easy as joining: ask for the link, or open the one in a mail; one page, one button, no sign-in.

A GET never stops anything: mail scanners open links. The page shows nothing but what it stops.
"""

from datetime import datetime, timedelta

from flask import Blueprint, Response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from membership import clock
from membership.billing import checkout
from membership.billing.checkout import Outcome
from membership.db import db
from membership.domain import donations, fundraisers, memberships
from membership.domain.donations import Donation, Schedule
from membership.domain.leaving import Way
from membership.domain.memberships import Membership
from membership.errors import N_, NotFound
from membership.web import attempts, by_mail, locales, presses, sheets
from membership.web.forms.leave import MONTHS, LeaveForm, LeaveMembershipForm
from membership.web.standing import Standing

bp = Blueprint("leave", __name__)

PAUSE_DAYS = 91
ENDINGS = {Outcome.AGREED: "", Outcome.WAITING: "-noted", Outcome.REFUSED: "-refused"}
"""What became of what was pressed, after its name."""
LINK = by_mail.Asking(Way.LEAVE, "leave/ask.html", "leave/sent.html")


@bp.get("/leave")
def ask() -> Response:
    """Where shall the link be sent?"""
    return LINK.show()


@bp.post("/leave")
def send() -> ResponseReturnValue:
    """The same answer, whether we know the address or not."""
    return LINK.press()


def _behind(token: str) -> Donation | Membership:
    """The gift or the membership that the link speaks of."""
    gift = donations.find_by_leave_token(token)
    if gift is not None and gift.is_recurring and gift.schedule is not Schedule.NONE:
        return gift
    membership = memberships.find_by_leave_token(token)
    if membership is None or membership.started_at is None:
        raise NotFound(N_("There is nothing to stop behind this link."))
    return membership


@bp.get("/leave/<token>")
def way(token: str) -> Response:
    """What this link stops, and the button that does."""
    found = _behind(token)
    if isinstance(found, Donation):
        return _gift_page(token, found, LeaveForm())
    return _membership_page(token, found, LeaveMembershipForm(data={"months": MONTHS[0]}))


@bp.post("/leave/<token>")
def act(token: str) -> ResponseReturnValue:
    """Stop or pause. What Stripe cannot hear just now is written down and asked again."""
    found = _behind(token)
    if isinstance(found, Membership):
        return _act_on_membership(token, found)
    form = LeaveForm(request.form)
    if not attempts.is_pressed():
        return _gift_page(token, found, form, 422, says="again")
    if not form.validate():
        return _gift_page(token, found, form, 422)
    act_on(found, form)
    return redirect(url_for(".way", token=token), 303)


# A gift


def state_of(donation: Donation) -> str:
    """What its page says: the form, or how it ended."""
    if donation.schedule is Schedule.ENDED:
        return "ended"
    if donation.ended_by and done_with(donation) != "stop-refused":
        return "stopping"
    return "paused" if donation.schedule is Schedule.PAUSED else "running"


def resumes(donation: Donation) -> datetime:
    """When a paused gift goes on."""
    return donation.resumes_at or clock.now() + timedelta(days=PAUSE_DAYS)


def done_with(subject: Donation | Membership) -> str:
    """What this browser has just done with it."""
    return str(session.get("left", {}).get(subject.reference, ""))


def _gift_page(
    token: str, donation: Donation, form: LeaveForm, status: int = 200, *, says: str = ""
) -> Response:
    return sheets.page(
        "leave/gift.html",
        status,
        donation=donation,
        words=fundraisers.fundraiser_of(donation.fundraiser_id).words(locales.locale()),
        form=form,
        token=token,
        says=says,
        done=done_with(donation),
        state=state_of(donation),
        may_pause=donations.may_pause(donation),
        resumes=resumes(donation),
        has_errors=bool(form.errors or says == "again"),
    )


def act_on(donation: Donation, form: LeaveForm) -> None:
    """Stop or pause a gift as the form says; once is enough."""
    if state_of(donation) in ("ended", "stopping"):
        return
    reference, action = donation.reference, str(form.action.data)
    if action == "pause" and not donations.may_pause(donation):
        return  # the page says when it can
    donations.note_reason(donation, form.reason.data or "")
    outcome = checkout.stop(donation) if action == "stop" else checkout.pause(donation, days=PAUSE_DAYS)
    db.session.commit()
    session["left"] = {reference: f"{action}{ENDINGS[outcome]}"}


# A membership


def _membership_page(
    token: str,
    membership: Membership,
    form: LeaveMembershipForm,
    status: int = 200,
    *,
    says: str = "",
    general: list[str] | None = None,
) -> Response:
    return sheets.page(
        "leave/membership.html",
        status,
        standing=Standing.of(membership),
        form=form,
        token=token,
        done=done_with(membership),
        says=says,
        general=general or [],
    )


def _act_on_membership(token: str, membership: Membership) -> ResponseReturnValue:
    form = LeaveMembershipForm(request.form)

    def page(status: int = 200, *, says: str = "", general: list[str] | None = None) -> Response:
        return _membership_page(token, _membership(token), form, status, says=says, general=general)

    def change() -> ResponseReturnValue:
        if not form.validate():
            return page(422)
        _change(membership, form)
        return redirect(url_for(".way", token=token), 303)

    return presses.press(page, change)


def _membership(token: str) -> Membership:
    found = memberships.find_by_leave_token(token)
    assert found is not None  # it was there a moment ago
    return found


def _change(membership: Membership, form: LeaveMembershipForm) -> None:
    """Leave, rest, or stay after all; a second press of the same changes nothing."""
    standing, action = Standing.of(membership), str(form.action.data)
    if action == "stop" and standing.may_leave:
        memberships.note_reason(membership, form.reason.data or "")
        outcome = checkout.leave(membership, now=clock.now())
    elif action == "pause" and standing.may_pause:
        outcome = checkout.skip(membership, months=int(form.months.data or 1), now=clock.now())
    elif action == "undo" and standing.may_return:
        outcome = checkout.come_back(membership, now=clock.now())
    else:
        return
    db.session.commit()
    session["left"] = {membership.reference: f"{action}{ENDINGS[outcome]}"}
    presses.follow(membership)
