"""Where somebody is signed in: each browser with its day; one can be ended, or all others."""

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from membership import clock
from membership.db import db
from membership.domain import roles, signins
from membership.errors import N_, NotFound
from membership.web import presses, sessions, sheets
from membership.web.account import mine

bp = mine.bp


def _page(status: int = 200, *, says: str = "", general: list[str] | None = None) -> Response:
    return sheets.page(
        "account/sessions.html",
        status,
        sessions=signins.sessions_of(mine.person()),
        here=sessions.session_here(),
        recovery_codes=roles.recovery_codes_left(mine.person().id),
        did=mine.noted(),
        says=says,
        general=general or [],
    )


@bp.get("/account/sessions")
def browsers() -> Response:
    """Every browser that is signed in."""
    return _page()


@bp.post("/account/sessions")
def end_session() -> ResponseReturnValue:
    """End one of them, or all but this one."""

    def act() -> ResponseReturnValue:
        named = request.form.get("session", "")
        if named == "others":
            signins.end_all(mine.person(), but=sessions.session_here(), by=mine.person(), now=clock.now())
        else:
            mine_too = {str(one.id): one for one in signins.sessions_of(mine.person())}
            if named not in mine_too:
                raise NotFound(N_("There is no such sign-in."))
            signins.end(mine_too[named], now=clock.now())
        db.session.commit()
        mine.note("ended")
        return redirect(url_for(".browsers"), 303)

    return presses.press(_page, act)
