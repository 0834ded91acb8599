"""How often something may be tried, counted in the database so that every process sees the same count.

Fixed windows: one row per kind, key and window. What is counted (an address, an e-mail key) is kept only as
an HMAC under a key of that day, derived from the secret given to `configure`; rows older than a day go with
`sweep`, and nothing then links a key of one day to another.

A hit counts when the caller commits, refused or not: commit after `hit` even when the answer is no.
"""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

from sqlalchemy import CursorResult, Index, String, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock
from membership.db import Base, db, upsert

_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Count(Base):
    """Tries of one kind, by one key, in one window."""

    __tablename__ = "limit_counts"
    __table_args__ = (Index("ix_limit_counts_window_start", "window_start"),)

    kind: Mapped[str] = mapped_column(String(40), primary_key=True)
    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    window_start: Mapped[datetime] = mapped_column(primary_key=True)
    count: Mapped[int]


class _Secret:
    value: bytes | None = None


def configure(secret: bytes | None) -> None:
    """Derive the daily keys from this secret from now on."""
    _Secret.value = secret


def hit(kind: str, key_text: str, *, most: int, per: timedelta, now: datetime | None = None) -> bool:
    """Count one try; True while it is among the first `most` of its window. `per` is a day at the longest."""
    row = _row(kind, key_text, per, now or clock.now())
    keys = ("kind", "key_hash", "window_start")
    return int(upsert(Count, row | {"count": 1}, keys=keys, counted=("count",), told="count")) <= most


def once(kind: str, key_text: str, *, per: timedelta, now: datetime | None = None) -> bool:
    """Count one try; True when there was none for at least `per`, half a day at the longest.

    It counts in the window before as well, so two tries on both sides of a window's edge meet, even at the same moment.
    """
    moment = now or clock.now()
    if per > _DAY / 2:
        raise ValueError("what is done once is known for half a day: the window before is gone after that")
    return all(hit(kind, key_text, most=1, per=per, now=at) for at in (moment - per, moment))


def allowed(kind: str, key_text: str, *, most: int, per: timedelta, now: datetime | None = None) -> bool:
    """Whether one more try would be allowed; counts nothing."""
    row = _row(kind, key_text, per, now or clock.now())
    return (db.session.scalar(select(Count.count).filter_by(**row)) or 0) < most


def sweep(now: datetime | None = None) -> int:
    """Forget every window that began more than a day ago; returns how many rows went."""
    old = delete(Count).where(Count.window_start < (now or clock.now()) - _DAY)
    gone: CursorResult[tuple[()]] = db.session.execute(old)  # type: ignore[assignment]  # a DELETE gives a cursor
    return gone.rowcount


def _row(kind: str, key_text: str, per: timedelta, now: datetime) -> dict[str, str | datetime]:
    if _Secret.value is None:
        raise RuntimeError("limits have no secret yet: call limits.configure first")
    if not timedelta(0) < per <= _DAY:
        raise ValueError("a limit's window is a day at the longest: its keys are gone after that")
    start = _EPOCH + (now - _EPOCH) // per * per
    daily = hmac.digest(_Secret.value, f"limits {start:%Y-%m-%d}".encode(), hashlib.sha256)
    hashed = hmac.new(daily, f"{kind}\0{key_text}".encode(), hashlib.sha256).hexdigest()
    return {"kind": kind, "key_hash": hashed, "window_start": start}
