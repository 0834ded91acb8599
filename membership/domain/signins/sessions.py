"""Sessions on the server: one for reading one's own account, one of its own for the staff desk.

A browser holds a random token and nothing else; here stands its hash, when it was last seen and when it ends at the
latest. Ending a session ends it everywhere at once, whatever cookies are still kept somewhere.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import CursorResult, ForeignKey, Index, delete, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock
from membership.db import Base, db, str_enum
from membership.domain import audit, roles
from membership.domain.people import Person

CONFIRMED_FOR = timedelta(minutes=10)
KEPT = timedelta(days=1)  # how long an ended session may still be looked up


class SessionKind(StrEnum):
    """What a session opens."""

    MEMBER = "member"
    STAFF = "staff"


IDLE = {SessionKind.MEMBER: timedelta(days=30), SessionKind.STAFF: timedelta(hours=1)}
"""Whoever is not seen for so long is signed out."""
LONGEST = {SessionKind.MEMBER: timedelta(days=90), SessionKind.STAFF: timedelta(hours=12)}
"""However often they are seen, after this they sign in again."""
NOTED = {SessionKind.MEMBER: timedelta(hours=1), SessionKind.STAFF: timedelta(minutes=1)}
"""Being seen is written down this often at most: reading pages stays reading."""


class Session(Base):
    """Somebody signed in, in one browser. The cookie's token is kept only as a hash."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index("ix_sessions_person", "person_id", "id"),
        Index("ix_sessions_expires_at", "expires_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    kind: Mapped[SessionKind] = mapped_column(str_enum(SessionKind))
    device: Mapped[str]
    """Which browser on which system, in two words; nothing finer is kept."""
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    stepped_up_at: Mapped[datetime | None]


# --- verbs -------------------------------------------------------------------------------------------------


def start(
    person: Person, *, kind: SessionKind, device: str = "", now: datetime | None = None
) -> tuple[Session, str]:
    """Sign somebody in: the session, and the token that only their browser will hold.

    Whoever comes to the desk has just shown a second factor, so that counts as confirmed.
    """
    now = now or clock.now()
    token = secrets.token_urlsafe(32)
    session = Session(
        token_hash=_hash(token),
        person_id=person.id,
        kind=kind,
        device=device[:60],
        started_at=now,
        seen_at=now,
        expires_at=now + LONGEST[kind],
        stepped_up_at=now if kind is SessionKind.STAFF else None,
    )
    db.session.add(session)
    _record(audit.Tag.SESSION_STARTED, person, person, now, kind=kind.value)
    return session, token


def see(session: Session, *, now: datetime | None = None) -> None:
    """Note that somebody is still here."""
    session.seen_at = now or clock.now()
    db.session.flush()


def end(session: Session, *, now: datetime | None = None) -> None:
    """Sign one browser out."""
    session.ended_at = session.ended_at or now or clock.now()
    db.session.flush()


def end_all(
    person: Person,
    *,
    but: Session | None = None,
    kind: SessionKind | None = None,
    by: Person | None = None,
    now: datetime | None = None,
) -> int:
    """Sign somebody out everywhere, but in this browser if one is named; how many sessions that ended."""
    now = now or clock.now()
    ending = update(Session).where(Session.person_id == person.id, Session.ended_at.is_(None))
    if but is not None:
        ending = ending.where(Session.id != but.id)
    if kind is not None:
        ending = ending.where(Session.kind == kind)
    ended: CursorResult[tuple[()]] = db.session.execute(ending.values(ended_at=now))  # type: ignore[assignment]  # an UPDATE gives a cursor
    if ended.rowcount:
        _record(audit.Tag.SESSIONS_ENDED, person, by, now, ended=ended.rowcount)
    return ended.rowcount


def confirm(session: Session, person: Person, *, now: datetime | None = None) -> None:
    """The second factor was shown again: for ten minutes grave things may be done."""
    session.stepped_up_at = now or clock.now()
    _record(audit.Tag.SESSION_CONFIRMED, person, person, session.stepped_up_at)


def sweep(now: datetime | None = None) -> int:
    """Forget sessions that ended more than a day ago; how many."""
    old = (now or clock.now()) - KEPT
    gone: CursorResult[tuple[()]] = db.session.execute(  # type: ignore[assignment]  # a DELETE gives a cursor
        delete(Session).where(or_(Session.expires_at < old, Session.ended_at < old))
    )
    return gone.rowcount


# --- questions ---------------------------------------------------------------------------------------------


def find_session(token: str, kind: SessionKind, *, now: datetime | None = None) -> Session | None:
    """The session of this token, if it still opens something. The person is read with it.

    A desk session also needs the role and the factor as they stood when it began.
    """
    now = now or clock.now()
    found = (
        select(Session, Person)
        .join(Person, Person.id == Session.person_id)
        .where(Session.token_hash == _hash(token), Session.kind == kind)
    )
    pair = db.session.execute(found).one_or_none()
    if pair is None:
        return None
    session, person = pair
    if not _runs(session, now) or person.erased_at is not None:
        return None
    if kind is SessionKind.STAFF and not roles.opens_desk(person.id, session.started_at):
        return None
    return session


def _runs(session: Session, now: datetime) -> bool:
    awake = now - session.seen_at <= IDLE[session.kind]
    return session.ended_at is None and now < session.expires_at and awake


def is_to_be_seen(session: Session, *, now: datetime | None = None) -> bool:
    """Whether it is long enough ago that this browser's presence was noted."""
    return (now or clock.now()) - session.seen_at >= NOTED[session.kind]


def is_confirmed(session: Session, *, now: datetime | None = None) -> bool:
    """Whether the second factor was shown within the last ten minutes."""
    shown = session.stepped_up_at
    return shown is not None and (now or clock.now()) - shown < CONFIRMED_FOR


def sessions_of(person: Person, *, now: datetime | None = None) -> list[Session]:
    """Where somebody is signed in, latest first."""
    now = now or clock.now()
    found = select(Session).where(Session.person_id == person.id, Session.ended_at.is_(None))
    return [one for one in db.session.scalars(found.order_by(Session.id.desc())) if _runs(one, now)]


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _record(tag: audit.Tag, person: Person, by: Person | None, now: datetime, **details: object) -> None:
    audit.record(tag, subject_type="person", subject_id=person.reference, by=by, details=details, now=now)
