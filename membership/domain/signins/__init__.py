"""Signing in: a mailed link with a code, and sessions that live on the server and can be ended everywhere."""

from datetime import datetime

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
