"""Signing in: a mailed link with a code, and sessions that live on the server and can be ended everywhere."""

from membership.domain.signins.links import SignIn
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
    "LONGEST",
    "Session",
    "SessionKind",
    "SignIn",
    "confirm",
    "end",
    "end_all",
    "find_session",
    "is_confirmed",
    "is_to_be_seen",
    "see",
    "sessions_of",
    "start",
]
