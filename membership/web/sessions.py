"""Who reads this page: sessions that live on the server, found by cookies of our own.

A member's pages read the cookie `member`, the desk reads `staff`; neither stands in Flask's signed session, so both
can be ended from our side. Pages that are the same for everybody never look: there nobody is signed in.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar
from urllib.parse import urlsplit

from flask import Flask, Request, abort, current_app, g, redirect, request, session, url_for
from flask.globals import request_ctx
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, current_user
from werkzeug.wrappers import Response

from membership import clock
from membership.db import db, writing
from membership.domain import audit, limits, people, roles, signins
from membership.domain.people import Person
from membership.domain.roles import Role
from membership.domain.signins import Session, SessionKind
from membership.errors import N_, NotAllowed
from membership.web import brakes, guards

Answer = TypeVar("Answer", bound=Response)

MOST_PATH = 500
REFUSALS_NOTED = 5  # an hour and person: curiosity must not fill the log


@dataclass(eq=False)
class User(UserMixin):
    """Flask-Login's current_user: a person in one browser."""

    person: Person
    session: Session

    @cached_property
    def role(self) -> Role | None:
        """What this person is among the staff, if anything."""
        return roles.role_of(self.person.id)

    def get_id(self) -> str:
        """Flask-Login asks; ours are found by cookie, never by id."""
        return self.person.reference


def register(app: Flask) -> None:
    """Let Flask-Login find our sessions; its own cookies are never read."""
    logins = LoginManager()
    logins.session_protection = None
    logins.request_loader(_from_request)
    app.config["REMEMBER_COOKIE_NAME"] = "__Host-not-in-use"
    logins.init_app(app)
    app.before_request(require)


# --- who is here -------------------------------------------------------------------------------------------


def person_here() -> Person | None:
    """Whoever is signed in on this page, in the way this page asks for."""
    return current_user.person if current_user.is_authenticated else None


def session_here() -> Session | None:
    """The session behind this page."""
    return current_user.session if current_user.is_authenticated else None


def _from_request(asked: Request) -> User | None:
    here = guards.guard()
    if not here.cookies:
        return None
    return find(asked, SessionKind(here.needs or SessionKind.MEMBER))


def find(asked: Request, kind: SessionKind) -> User | None:
    """Who is signed in by the cookie of this kind."""
    token = asked.cookies.get(cookie_name(kind), "")
    found = signins.find_session(token, kind, now=clock.now()) if token else None
    return User(people.person_of(found.person_id), found) if found else None


def cookie_name(kind: SessionKind) -> str:
    """`member` or `staff`; `__Host-` where readers come over https."""
    secure = current_app.config["SETTINGS"].is_https
    return f"__Host-{kind.value}" if secure else kind.value


# --- signing in and out ------------------------------------------------------------------------------------


def begin(response: Answer, person: Person, kind: SessionKind) -> Answer:
    """Sign somebody in within this browser. The token is new, and what was signed in before here is signed out.

    The secret behind the forms is new too, so that nobody who planted the old one can use it. The caller commits.
    """
    before = find(request, kind)
    if before is not None:
        signins.end(before.session)
    _begun, token = signins.start(person, kind=kind, device=device_of(request), now=clock.now())
    lasts = signins.LONGEST[kind] if kind is SessionKind.MEMBER else None  # the desk's goes with the browser
    response.set_cookie(
        cookie_name(kind),
        token,
        max_age=lasts,
        path="/",
        secure=current_app.config["SETTINGS"].is_https,
        httponly=True,
        samesite="Lax",
    )
    _fresh_secrets()
    return response


def finish(response: Answer, *, everywhere: bool = False) -> Answer:
    """Sign out: this browser, or every one of this person. The caller commits."""
    here = [user for user in (find(request, kind) for kind in SessionKind) if user is not None]
    for user in here:
        signins.end(user.session)
        if everywhere:
            signins.end_all(user.person, by=user.person)
    for kind in SessionKind:
        response.delete_cookie(
            cookie_name(kind),
            path="/",
            secure=current_app.config["SETTINGS"].is_https,
            httponly=True,
            samesite="Lax",
        )
    session.clear()
    _fresh_secrets()
    return response


def _fresh_secrets() -> None:
    session.pop("csrf_token", None)
    g.pop("csrf_token", None)


BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"),
            ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"))  # fmt: skip
SYSTEMS = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"),
           ("Mac OS X", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"))  # fmt: skip


def device_of(asked: Request) -> str:
    """Which browser on which system, as its owner would say it; empty where that cannot be told."""
    said = asked.user_agent.string
    browser = next((name for sign, name in BROWSERS if sign in said), "")
    system = next((name for sign, name in SYSTEMS if sign in said), "")
    return ", ".join(part for part in (browser, system) if part)


# --- who may enter -----------------------------------------------------------------------------------------


def require() -> ResponseReturnValue | None:
    """Before a page that needs somebody: lead them to where they sign in, or refuse."""
    here = guards.guard()
    if request.endpoint is None or not here.needs:
        return None
    if not current_user.is_authenticated:
        return _lead(here)
    if here.needs == SessionKind.STAFF and not hasattr(_view(), "ability"):
        abort(403)  # a desk page that does not say what it takes is open to nobody
    _note_seen(current_user.session)
    return None


def _lead(here: guards.Guard) -> ResponseReturnValue:
    if here.needs == SessionKind.STAFF and (user := find(request, SessionKind.MEMBER)) is not None:
        if user.role is None:
            refuse(user.person)
        return redirect(url_for("factor.show", next=path_here()), 303)
    return redirect(sign_in_url(path_here()), 303)


def refuse(person: Person) -> None:
    """Say no to somebody who is known, and write that down; raises NotAllowed."""
    reference, page = person.reference, request.endpoint or ""
    db.session.rollback()  # what was read so far; SQLite must begin anew to write
    with writing():
        if limits.hit("refusal", reference, most=REFUSALS_NOTED, per=brakes.HOUR, now=clock.now()):
            audit.record(
                audit.Tag.ACCESS_REFUSED,
                subject_type="person",
                subject_id=reference,
                by=people.get_person(reference),
                details={"page": page},
            )
        db.session.commit()
    raise NotAllowed(N_("Your role does not include this."))


def _note_seen(known: Session) -> None:
    """Being seen is written in a transaction of its own, before the page reads anything."""
    now = clock.now()
    if not signins.is_to_be_seen(known, now=now):
        return
    db.session.rollback()
    with writing():
        signins.see(known, now=now)
        db.session.commit()


def _view() -> object:
    return current_app.view_functions.get(request.endpoint or "")


# --- and on to where they wanted ---------------------------------------------------------------------------


def sign_in_url(wanted: str = "") -> str:
    """The sign-in page in this language, knowing where to lead on."""
    return url_for("sign_in.show", next=wanted or None)


def path_here() -> str:
    """This page as an address to come back to; nothing where a GET would lead nowhere."""
    if request.method not in ("GET", "HEAD"):
        adapter = request_ctx.url_adapter
        if adapter is None or not adapter.test(request.path, method="GET"):
            return ""
    asked = request.query_string.decode("ascii", "replace")
    path = f"{request.script_root}{request.path}"
    return ours(f"{path}?{asked}" if asked and request.method == "GET" else path)


def ours(wanted: str | None) -> str:
    """An address to lead on to, if it is a path on this site; else nothing. Never another host."""
    text = wanted or ""
    if len(text) > MOST_PATH or not text.startswith("/") or text.startswith("//"):
        return ""
    if "\\" in text or not text.isprintable() or " " in text:
        return ""
    parts = urlsplit(text)
    return "" if parts.scheme or parts.netloc else text
