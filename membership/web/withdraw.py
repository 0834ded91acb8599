"""Withdrawing within fourteen days, without signing in: ask for the link, open it, press once; all that was paid goes back."""

from flask import Blueprint, Response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from membership import clock
from membership.billing import checkout
from membership.db import db
from membership.domain import leaving, memberships, payments
from membership.domain.memberships import Membership
from membership.errors import N_, NotFound
from membership.web import attempts, brakes, locales, presses, sheets, view
from membership.web.forms.leave import AskForm
from membership.web.standing import Standing

bp = Blueprint("withdraw", __name__)

ASK = "withdraw/ask.html"


@bp.get("/withdraw")
def ask() -> Response:
    """Where shall the link be sent?"""
    if request.args.get("sent"):
        return sheets.page("withdraw/sent.html")
    key = ("withdraw", locales.locale(), request.script_root)
    sheet = sheets.shared(key, lambda: sheets.draw(ASK, form=AskForm(), says="", has_errors=False))
    return sheet.response(attempts.tokens(attempts.fresh()))


def _ask_page(form: AskForm, status: int = 200, *, says: str = "") -> Response:
    return sheets.page(ASK, status, form=form, says=says, has_errors=bool(form.errors or says))


@bp.post("/withdraw")
def send() -> ResponseReturnValue:
    """The same answer, whether we know the address or not."""
    form = AskForm(request.form)
    if not attempts.is_pressed():
        return _ask_page(form, 422, says="again")
    if not form.validate():
        return _ask_page(form, 422)
    if not brakes.may_try("withdraw", form.email.data or ""):
        db.session.commit()
        return _ask_page(form, 429, says="limit")
    leaving.ask_to_withdraw(form.email.data or "", locales.locale(), settings=view.settings())
    db.session.commit()
    return redirect(url_for(".ask", sent="yes"), 303)


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
