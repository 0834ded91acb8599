"""Withdrawing within fourteen days, without signing in: ask for the link, open it, press once; all that was paid goes back."""

from flask import Blueprint, Response, redirect, url_for
from flask.typing import ResponseReturnValue

from membership import clock
from membership.billing import checkout
from membership.db import db
from membership.domain import memberships, payments
from membership.domain.leaving import Way
from membership.domain.memberships import Membership
from membership.errors import N_, NotFound
from membership.web import by_mail, presses, sheets
from membership.web.standing import Standing

bp = Blueprint("withdraw", __name__)

LINK = by_mail.Asking(Way.WITHDRAW, "withdraw/ask.html", "withdraw/sent.html")


@bp.get("/withdraw")
def ask() -> Response:
    """Where shall the link be sent?"""
    return LINK.show()


@bp.post("/withdraw")
def send() -> ResponseReturnValue:
    """The same answer, whether we know the address or not."""
    return LINK.press()


def _membership(token: str) -> Membership:
    found = memberships.find_by_leave_token(token)
    if found is None or found.started_at is None:
        raise NotFound(N_("There is no membership behind this link."))
    return found


def _state(standing: Standing) -> str:
    """What the page says: the form, or why there is none."""
    held = standing.membership
    if held.withdrawn_at is not None:
        return "noted" if held.is_live else "withdrawn"
    if not held.is_live:
        return "ended"
    return "open" if standing.withdraw_until else "over"


def _page(token: str, status: int = 200, *, says: str = "", general: list[str] | None = None) -> Response:
    standing = Standing.of(_membership(token))
    return sheets.page(
        "withdraw/membership.html",
        status,
        standing=standing,
        state=_state(standing),
        payments=payments.payments_of(membership_id=standing.membership.id),
        token=token,
        says=says,
        general=general or [],
    )


@bp.get("/withdraw/<token>")
def look(token: str) -> Response:
    """What comes back, and the button. Looking changes nothing."""
    return _page(token)


@bp.post("/withdraw/<token>")
def act(token: str) -> ResponseReturnValue:
    """End it at once; everything that was paid goes back."""
    found = _membership(token)

    def page(status: int = 200, *, says: str = "", general: list[str] | None = None) -> Response:
        return _page(token, status, says=says, general=general)

    def withdraw() -> ResponseReturnValue:
        if _state(Standing.of(found)) == "open":
            checkout.withdraw(found, now=clock.now())
            db.session.commit()
            presses.follow(found)
        return redirect(url_for(".look", token=token), 303)

    return presses.press(page, withdraw)
