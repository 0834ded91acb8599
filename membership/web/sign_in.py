"""Signing in without a password: an address, then the code or the link that was mailed to it.

Nothing here tells whether an address is known. A link only opens a page with a button, since mail scanners open
links; in another browser than the one that asked, the page says for whom it is and asks.
"""

import secrets

from flask import Blueprint, Response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from membership import clock
from membership.db import db
from membership.domain import people, signins
from membership.domain.signins import SessionKind, SignIn
from membership.errors import DomainError, Invalid, NotAllowed, NotFound
from membership.web import attempts, brakes, locales, sessions, sheets, view
from membership.web.forms import fields
from membership.web.forms.sign_in import CodeForm, EmailForm

bp = Blueprint("sign_in", __name__)

ASKED = "sign_in"  # in the signed session: {nonce, masked, until} of what this browser asked for


@bp.get("/sign-in")
def show() -> ResponseReturnValue:
    """The form that asks for an address, or for the code once that was mailed."""
    if sessions.person_here() is not None:
        return redirect(_on(""), 303)
    asked = session.get(ASKED, {})
    if asked.get("until", 0) > clock.now().timestamp() and not request.args.get("again"):
        return _code_page(CodeForm())
    out = request.args.get("out", "")
    return _ask_page(EmailForm(), out=out if out in ("here", "everywhere") else "")


@bp.post("/sign-in")
def send() -> ResponseReturnValue:
    """An address, or a code: whichever was sent."""
    return _try() if "code" in request.form else _ask()


def _ask() -> ResponseReturnValue:
    """The same answer for every address, after the same work."""
    form = EmailForm(request.form)
    if not attempts.is_pressed():
        return _ask_page(form, 422, says="again")
    if not form.validate():
        return _ask_page(form, 422)
    if not brakes.may_try("sign-in", form.email.data or ""):
        db.session.commit()
        return _ask_page(form, 429, says="limit")
    now, nonce = clock.now(), _nonce() or secrets.token_urlsafe(16)
    asked = signins.ask(
        form.email.data or "", nonce=nonce, locale=locales.locale(), next_path=_wanted(), now=now
    )
    until = (now + signins.LASTS).timestamp()
    session[ASKED] = {"nonce": nonce, "masked": signins.masked(asked), "until": until}
    db.session.commit()
    return redirect(url_for(".show", next=_wanted() or None), 303)


def _try() -> ResponseReturnValue:
    form = CodeForm(request.form)
    if not attempts.is_pressed():
        return _code_page(form, 422, says="again")
    if not form.validate():
        return _code_page(form, 422)
    try:
        asked = signins.try_code(_nonce(), form.code.data or "", now=clock.now())
    except Invalid as wrong:
        db.session.commit()  # the try counts
        fields.refuse(form.code, view.sentence(wrong))
        return _code_page(form, 422)
    except NotAllowed as over:
        db.session.commit()
        session[ASKED] = session.get(ASKED, {}) | {"until": 0}
        return _ask_page(EmailForm(), 403, general=[view.sentence(over)])
    return _enter(asked)


@bp.get("/sign-in/<token>")
def link(token: str) -> Response:
    """What the link in the mail opens: one button. Looking changes nothing."""
    try:
        asked = signins.find_link(token, now=clock.now())
    except (NotFound, NotAllowed) as refusal:
        return _refused(refusal)
    return _link_page(asked, token)


@bp.post("/sign-in/<token>")
def follow(token: str) -> ResponseReturnValue:
    """The button was pressed."""
    now = clock.now()
    try:
        asked = signins.find_link(token, now=now)
        if not attempts.is_pressed():
            return _link_page(asked, token, 422, says="again")
        confirmed = request.form.get("confirmed") == "yes"
        asked = signins.consume_link(token, nonce=_nonce(), confirmed=confirmed, now=now)
    except Invalid as unconfirmed:
        return _link_page(asked, token, 422, general=[view.sentence(unconfirmed)])
    except (NotFound, NotAllowed) as refusal:
        return _refused(refusal)
    return _enter(asked)


@bp.post("/sign-out")
def leave() -> ResponseReturnValue:
    """Out, here or everywhere; the sessions end on the server."""
    everywhere = bool(request.form.get("everywhere"))
    if not attempts.is_pressed():
        return sheets.page("sign_in/out.html", 422, everywhere=everywhere)
    out = "everywhere" if everywhere else "here"
    response = redirect(url_for(".show", out=out), 303)
    sessions.finish(response, everywhere=everywhere)
    db.session.commit()
    return response


def _enter(asked: SignIn) -> ResponseReturnValue:
    """Whoever this was may come in, and is led to where they wanted to go."""
    person = people.person_of(asked.person_id or 0)
    response = redirect(_on(asked.next_path), 303)
    session.pop(ASKED, None)
    sessions.begin(response, person, SessionKind.MEMBER)
    db.session.commit()
    return response


def _on(wanted: str) -> str:
    return _wanted() or sessions.ours(wanted) or f"{request.script_root}/account"


def _wanted() -> str:
    return sessions.ours(request.args.get("next"))


def _nonce() -> str:
    return str(session.get(ASKED, {}).get("nonce", ""))


def _ask_page(
    form: EmailForm, status: int = 200, *, says: str = "", general: list[str] | None = None, out: str = ""
) -> Response:
    return sheets.page(
        "sign_in/ask.html",
        status,
        form=form,
        says=says,
        general=general or [],
        out=out,
        wanted=_wanted(),
        has_errors=bool(form.errors or says or general),
    )


def _code_page(form: CodeForm, status: int = 200, *, says: str = "") -> Response:
    return sheets.page(
        "sign_in/code.html",
        status,
        form=form,
        says=says,
        masked=session.get(ASKED, {}).get("masked", ""),
        wanted=_wanted(),
        has_errors=bool(form.errors or says),
    )


def _link_page(
    asked: SignIn, token: str, status: int = 200, *, says: str = "", general: list[str] | None = None
) -> Response:
    return sheets.page(
        "sign_in/link.html",
        status,
        token=token,
        masked=signins.masked(asked),
        is_here=signins.is_same_browser(asked, _nonce()),
        says=says,
        general=general or [],
        has_errors=bool(says or general),
    )


def _refused(refusal: DomainError) -> Response:
    """A link that lets nobody in: why, and the way to a new one."""
    unknown = isinstance(refusal, NotFound)
    heading = gettext("There is no such link") if unknown else gettext("This link no longer works")
    return sheets.page(
        "sign_in/refused.html", 404 if unknown else 403, heading=heading, sentence=view.sentence(refusal)
    )
