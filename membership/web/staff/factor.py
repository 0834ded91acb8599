"""The second factor: what opens the desk, and how it is set up with the link that an administrator hands over."""

import segno
from flask import Blueprint, Response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from markupsafe import Markup
from pyotp import TOTP

from membership import clock
from membership.db import db
from membership.domain import roles, signins
from membership.domain.people import Person
from membership.domain.signins import SessionKind
from membership.errors import N_, Invalid, NotAllowed, NotFound
from membership.web import attempts, sessions, sheets, view
from membership.web.forms import fields
from membership.web.forms.sign_in import CodeForm
from membership.web.staff import frame

bp = Blueprint("factor", __name__)

LINK = "enrol"  # in the signed session: the enrolment link that somebody opened before signing in


# --- opening the desk --------------------------------------------------------------------------------------


@bp.get("/staff/factor")
def show() -> ResponseReturnValue:
    """The form that asks for a code."""
    person = sessions.person_here()
    if person is None:
        return _sign_in_first(sessions.path_here())
    if sessions.find(request, SessionKind.STAFF) is not None:
        return redirect(_on(), 303)
    _must_have_factor(person)
    return _page(CodeForm())


@bp.post("/staff/factor")
def check() -> ResponseReturnValue:
    """A code of the app or a recovery code; a session of its own begins here."""
    person = sessions.person_here()
    if person is None:
        return _sign_in_first(url_for(".show", next=_wanted() or None))
    _must_have_factor(person)
    form = CodeForm(request.form)
    if not attempts.is_pressed():
        return _page(form, 422, says="again")
    if not form.validate():
        return _page(form, 422)
    try:
        left = roles.check_code(person, form.code.data or "", now=clock.now(), at=clock.outside())
    except (Invalid, NotAllowed) as refusal:
        db.session.commit()  # the try counts
        fields.refuse(form.code, view.sentence(refusal))
        return _page(form, 422 if isinstance(refusal, Invalid) else 403)
    response = redirect(_on(), 303)
    sessions.begin(response, person, SessionKind.STAFF)
    db.session.commit()
    if left is not None:
        frame.tell(_say_left(left))
    return response


def _say_left(left: int) -> str:
    """A recovery code opens the desk once: whoever runs short asks in time."""
    return gettext("A recovery code opened the desk, and is used up.") + " " + (
        ngettext("One recovery code is left.", "%(num)s recovery codes are left.", left)
        if left
        else gettext("None is left: ask an administrator for a new link before you need one.")
    )  # fmt: skip


def _must_have_factor(person: Person) -> None:
    member = roles.find_staff(person.id)
    if member is None:
        sessions.refuse(person)
    elif member.enrolled_at is None:
        raise NotAllowed(N_("Your second factor is not set up yet. Ask an administrator for the link."))


def _page(form: CodeForm, status: int = 200, *, says: str = "") -> Response:
    has_errors = bool(form.errors or form.code.errors or says)
    return sheets.page(
        "sign_in/factor.html", status, form=form, says=says, wanted=_wanted(), has_errors=has_errors
    )


def _on() -> str:
    return _wanted() or f"{request.script_root}/staff/"


def _wanted() -> str:
    return sessions.ours(request.args.get("next"))


def _sign_in_first(wanted: str) -> ResponseReturnValue:
    return redirect(sessions.sign_in_url(wanted), 303)


# --- setting it up -----------------------------------------------------------------------------------------


@bp.get("/staff/enrol")
def resume() -> ResponseReturnValue:
    """Back from signing in: the link itself never stands in an address that leads on."""
    token = session.get(LINK, "")
    if not token:
        raise NotFound(N_("Please open the link once more."))
    return redirect(url_for(".invitation", token=token), 303)


@bp.get("/staff/enrol/<token>")
def invitation(token: str) -> ResponseReturnValue:
    """The secret as a picture and as text, for the person this link is for."""
    person = sessions.person_here()
    if person is None:
        session[LINK] = token
        return _sign_in_first(url_for(".resume"))
    _must_be_invited(token, person)
    return _enrol_page(token, CodeForm())


@bp.post("/staff/enrol/<token>")
def enrol(token: str) -> ResponseReturnValue:
    """The app shows the right code: the factor stands, and the desk opens. Recovery codes are shown this once."""
    person = sessions.person_here()
    if person is None:
        session[LINK] = token
        return _sign_in_first(url_for(".resume"))
    _must_be_invited(token, person)
    form = CodeForm(request.form)
    if not attempts.is_pressed():
        return _enrol_page(token, form, 422, says="again")
    if not form.validate():
        return _enrol_page(token, form, 422)
    try:
        codes = roles.enrol(token, person, form.code.data or "", now=clock.now(), at=clock.outside())
    except (Invalid, NotAllowed) as refusal:
        db.session.commit()  # the try counts
        fields.refuse(form.code, view.sentence(refusal))
        return _enrol_page(token, form, 422 if isinstance(refusal, Invalid) else 403)
    signins.end_all(person, kind=SessionKind.STAFF, by=person, now=clock.now())
    session.pop(LINK, None)
    response = sheets.page("sign_in/recovery.html", codes=codes)
    sessions.begin(response, person, SessionKind.STAFF)
    db.session.commit()
    return response


def _must_be_invited(token: str, person: Person) -> None:
    invited = roles.find_invited(token, now=clock.now())
    if invited is None or invited.person_id != person.id:
        raise NotFound(N_("This link is used or over, or it is for somebody else."))


def _enrol_page(token: str, form: CodeForm, status: int = 200, *, says: str = "") -> Response:
    secret = roles.secret_of(token)
    name = f"{view.settings().newsroom_name} desk"
    return sheets.page(
        "sign_in/enrol.html",
        status,
        form=form,
        says=says,
        token=token,
        secret=secret,
        picture=_picture(TOTP(secret).provisioning_uri(name="staff", issuer_name=name)),
        has_errors=bool(form.errors or form.code.errors or says),
    )


def _picture(uri: str) -> Markup:
    """A QR code as SVG, dark on light in every colour scheme: cameras want it so."""
    drawn = segno.make(uri, error="m").svg_inline(
        scale=5, border=4, dark="#1c1a16", light="#fff", omitsize=False
    )
    return Markup(drawn)  # noqa: S704 - drawn by the library from our own text
