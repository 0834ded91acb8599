"""Signing in: a mailed link with a code, and sessions that live on the server and can be ended everywhere."""

from datetime import datetime

from sqlalchemy import delete

from membership.db import db
from membership.domain.people import Person
from membership.domain.signins import links, sessions
from membership.domain.signins.links import (
    LASTS,
    SignIn,
    ask,
    consume_link,
    dispatch,
    find_link,
    is_same_browser,
    is_waiting,
    masked,
    try_code,
)
from membership.domain.signins.sessions import (
    CONFIRMED_FOR,
    LONGEST,
    Session,
    SessionKind,
    confirm,
    end,
    end_all,
    find_session,
    is_confirmed,
    is_to_be_seen,
    see,
    sessions_of,
    start,
)

__all__ = [
    "CONFIRMED_FOR",
    "LASTS",
    "LONGEST",
    "Session",
    "SessionKind",
    "SignIn",
    "ask",
    "confirm",
    "consume_link",
    "dispatch",
    "end",
    "end_all",
    "find_link",
    "find_session",
    "forget",
    "is_confirmed",
    "is_same_browser",
    "is_to_be_seen",
    "is_waiting",
    "masked",
    "see",
    "sessions_of",
    "start",
    "sweep",
    "try_code",
]


def sweep(now: datetime | None = None) -> int:
    """Forget what was asked for and what ended more than a day ago; how many rows."""
    return links.sweep(now) + sessions.sweep(now)


def forget(person: Person) -> None:
    """Erase where somebody signed in and was signed in; whoever still holds a cookie is out."""
    for table in (SignIn, Session):
        db.session.execute(delete(table).where(table.person_id == person.id))
