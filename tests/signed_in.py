"""Somebody signed in, for tests of pages behind a door: the session is started as the pages would start it.

How people get in by themselves is tested in tests/web/test_sign_in.py and test_factor.py.
"""

import time
from urllib.parse import urlsplit

import pyotp

from membership import clock
from membership.db import db
from membership.domain import people, roles, signins
from membership.domain.people import Person
from membership.domain.roles import Role
from membership.domain.signins import SessionKind
from tests.reader import Reader

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def as_member(client: Reader, person: Person) -> Person:
    """This browser is signed in as that person."""
    return _in(client, person, SessionKind.MEMBER)


def as_staff(client: Reader, role: Role | str = Role.ADMIN, *, email: str | None = None) -> Person:
    """This browser is at the desk with that role; its second factor was shown just now."""
    person = staff(role, email=email)
    as_member(client, person)
    return _in(client, person, SessionKind.STAFF)


def staff(role: Role | str = Role.ADMIN, *, email: str | None = None) -> Person:
    """Somebody with a role and a second factor (SECRET)."""
    person = people.register(email or f"{Role(role)}@highland-dispatch.example", locale="en")
    roles.take_secret(roles.grant(person, Role(role), by=None), SECRET)
    return person


def code(later: int = 0) -> str:
    """What the authenticator app shows now, or `later` codes on: each is taken once."""
    return pyotp.TOTP(SECRET).at(int(time.time()) + 30 * later)


def forget_confirmation(client: Reader, person: Person) -> None:
    """The ten minutes are over: the next grave action asks for a code."""
    for session in signins.sessions_of(person):
        session.stepped_up_at = None
    db.session.commit()


def _in(client: Reader, person: Person, kind: SessionKind) -> Person:
    _session, token = signins.start(person, kind=kind, now=clock.now())
    host = urlsplit(client.application.config["SETTINGS"].base_url).hostname
    client.set_cookie(kind.value, token, domain=host or "localhost")
    db.session.commit()
    return person
