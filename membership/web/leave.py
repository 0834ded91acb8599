"""Leaving, as easy as joining: ask for the link, or open the one in a receipt; one page, one button, no sign-in.

A GET never stops anything: mail scanners open links. The page shows nothing but what it stops.
"""

from datetime import timedelta

from flask import Blueprint, Response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from membership import clock
from membership.billing import checkout
from membership.db import db
from membership.domain import donations, fundraisers
from membership.domain.donations import Donation, Schedule
from membership.errors import N_, NotFound
from membership.web import attempts, brakes, locales, sheets, view
from membership.web.forms.leave import AskForm, LeaveForm

bp = Blueprint("leave", __name__)

PAUSE_DAYS = 91
ASK = "leave/ask.html"


@bp.get("/leave")
def ask() -> Response:
    """Where shall the link be sent?"""
    if request.args.get("sent"):
        return sheets.page("leave/sent.html")
    key = ("leave", locales.locale(), request.script_root)
    sheet = sheets.shared(key, lambda: sheets.draw(ASK, form=AskForm(), says="", has_errors=False))
    return sheet.response(attempts.tokens(attempts.fresh()))


def _ask_page(form: AskForm, status: int = 200, *, says: str = "") -> Response:
    errors = bool(form.errors or says)
    return sheets.page(ASK, status, form=form, says=says, has_errors=errors)


@bp.post("/leave")
def send() -> ResponseReturnValue:
    """The same answer, whether we know the address or not."""
    form = AskForm(request.form)
    if not attempts.is_pressed():
        return _ask_page(form, 422, says="again")
    if not form.validate():
        return _ask_page(form, 422)
    if not brakes.may_try("leave", form.email.data or ""):
        db.session.commit()
        return _ask_page(form, 429, says="limit")
    donations.ask_to_leave(form.email.data or "", locales.locale(), settings=view.settings())
    db.session.commit()
    return redirect(url_for(".ask", sent="yes"), 303)


def _gift(token: str) -> Donation:
    donation = donations.find_by_leave_token(token)
    if donation is None or not donation.is_recurring or donation.schedule is Schedule.NONE:
        raise NotFound(N_("There is no gift behind this link."))
    return donation


def _state(donation: Donation) -> str:
    """What the page says: the form, or how it ended."""
    if donation.schedule is Schedule.ENDED:
        return "ended"
    if donation.ended_by:
        return "stopping"
    return "paused" if donation.schedule is Schedule.PAUSED else "running"


def _gift_page(token: str, form: LeaveForm, status: int = 200, *, says: str = "") -> Response:
    donation = _gift(token)
    fundraiser = fundraisers.fundraiser_of(donation.fundraiser_id)
    done = session.get("left", {}).get(donation.reference, "")
    return sheets.page(
        "leave/gift.html",
        status,
        donation=donation,
        words=fundraiser.words(locales.locale()),
        form=form,
        token=token,
        says=says,
        done=done,
        state=_state(donation),
        resumes=donation.resumes_at or clock.now() + timedelta(days=PAUSE_DAYS),
        has_errors=bool(form.errors or says == "again"),
    )


@bp.get("/leave/<token>")
def gift(token: str) -> Response:
    """What this link stops, and the button that does."""
    return _gift_page(token, LeaveForm())


@bp.post("/leave/<token>")
def act(token: str) -> ResponseReturnValue:
    """Stop or pause. What Stripe cannot hear just now is written down and asked again."""
    donation = _gift(token)
    form = LeaveForm(request.form)
    if not attempts.is_pressed():
        return _gift_page(token, form, 422, says="again")
    if not form.validate():
        return _gift_page(token, form, 422)
    if _state(donation) not in ("ended", "stopping"):
        _do(donation, form)
    return redirect(url_for(".gift", token=token), 303)


def _do(donation: Donation, form: LeaveForm) -> None:
    reference, action = donation.reference, str(form.action.data)
    donations.note_reason(donation, form.reason.data or "")
    agreed = checkout.stop(donation) if action == "stop" else checkout.pause(donation, days=PAUSE_DAYS)
    db.session.commit()
    done = action if agreed else f"{action}-noted"
    session["left"] = {reference: done}
