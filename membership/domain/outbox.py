"""Mails that are waiting to go, written in the same transaction as the fact they tell of.

One mail per fact: the key says which fact ("receipt:ch_123"), and queueing it again does nothing. Recipient
and context are locked under the outbox key and forgotten once the mail is sent; keys, errors and templates
stand in the clear and must not name a person.

An address that mail came back from for good is not written to again until it is corrected (`Bounce`). That is looked
at when a mail is about to go: queueing is the same work for every address, so its time tells nothing of one.

A worker claims a mail with a token of its own and a lease; only the holder of the token may say how it went,
so a worker that comes back from the dead changes nothing. A mail that fails is tried again ever later and is
dead after twelve tries, or at once when it failed for good; staff may queue it again.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Index, String, and_, bindparam, delete, or_, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock, vault
from membership.db import Base, core, db, insert_once
from membership.errors import N_, Conflict, Invalid, NotFound

MOST_TRIES = 12
BOUNCED = "bounced"
"""The trouble of a mail whose address takes none any more."""
LEASE = timedelta(minutes=3)
_HASH = 40
_LONGEST_WAIT = timedelta(hours=6)
_DEAD_KEPT = timedelta(days=30)
_WAITING = text("sent_at IS NULL AND NOT dead")


class Email(Base):
    """One mail. `sealed` is {"to", "context"} under the outbox key, None once it is sent."""

    __tablename__ = "outbox_emails"
    __table_args__ = (
        Index("ix_outbox_emails_recipient", "recipient_key", "queued_at"),
        Index("ix_outbox_emails_dead", "queued_at", sqlite_where=text("dead"), postgresql_where=text("dead")),
        Index(
            "ix_outbox_emails_waiting",
            "not_before",
            sqlite_where=text("sent_at IS NULL AND dead = 0"),
            postgresql_where=_WAITING,
        ),
    )

    dedupe_key: Mapped[str] = mapped_column(String(200), primary_key=True)
    template: Mapped[str] = mapped_column(String(80))
    locale: Mapped[str] = mapped_column(String(20))
    sealed: Mapped[bytes | None]
    recipient_key: Mapped[str | None] = mapped_column(String(64))
    """Whom it went to, as people are found: a person's mails are listed by it."""
    message_hash: Mapped[str | None] = mapped_column(String(40), unique=True)
    """The left part of its Message-ID, by which a mail that came back is known."""
    queued_at: Mapped[datetime]
    not_before: Mapped[datetime]
    lease_token: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None]
    dead: Mapped[bool] = mapped_column(default=False)
    last_error: Mapped[str | None] = mapped_column(String(200))


class Bounce(Base):
    """An address that mail came back from for good; nothing is written to it until it is corrected."""

    __tablename__ = "bounces"

    email_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    since: Mapped[datetime]
    status: Mapped[str] = mapped_column(String(20))
    """The enhanced status code of RFC 3463: 5.1.1."""


# --- verbs -------------------------------------------------------------------------------------------------


def queue(
    *,
    key: str,
    template: str,
    to: str,
    locale: str,
    context: Mapping[str, Any],
    not_before: datetime | None = None,
    now: datetime | None = None,
) -> bool:
    """Let a mail go out, once per key. False when the key is known, or when there is no address to write to."""
    if not to:
        return False
    now = now or clock.now()
    return insert_once(
        Email,
        dedupe_key=key,
        template=template,
        locale=locale,
        sealed=vault.lock({"to": to, "context": dict(context)}),
        recipient_key=_recipient(to),
        message_hash=_hash(key),
        queued_at=now,
        not_before=not_before or now,
        attempts=0,
        dead=False,
    )


def _recipient(to: str) -> str | None:
    """The key of an address; None for what is none. It fails when it is sent, and says so there."""
    try:
        return vault.email_key(to)
    except Invalid:
        return None


def bounced(email_key: str, status: str, now: datetime | None = None) -> bool:
    """Mail to this address came back for good: write to it no more. False when that was known."""
    return insert_once(Bounce, email_key=email_key, since=now or clock.now(), status=status[:20])


def claim(now: datetime, token: str) -> Email | None:
    """Take the mail that has waited longest, leased to `token` for three minutes; None when nothing is due.

    Commit before sending, and also when it is None. On PostgreSQL workers pass by each other's rows; on SQLite call it
    inside `writing()`.
    """
    while (email := _take(now, token)) is not None:
        if _is_bounced(email):
            email.last_error, email.sealed = BOUNCED, None
        elif email.attempts <= MOST_TRIES:
            return email
        email.dead, email.lease_token, email.lease_until = True, None, None  # or its workers died on it
        db.session.flush()
    return None


def _take(now: datetime, token: str) -> Email | None:
    longest = (
        select(Email.dedupe_key)
        .where(_due(now))
        .order_by(Email.not_before, Email.queued_at, Email.dedupe_key)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    key = db.session.scalar(
        update(Email)
        .where(Email.dedupe_key == longest.scalar_subquery())
        .values(lease_token=token, lease_until=now + LEASE, attempts=Email.attempts + 1)
        .returning(Email.dedupe_key)
        .execution_options(synchronize_session=False)
    )
    return None if key is None else db.session.get(Email, key, populate_existing=True)


def sent(email: Email | str, *, token: str, now: datetime | None = None) -> bool:
    """The mail server took it: forget what it held. False when the lease has passed to another worker."""
    held = _held(email, token)
    if held is None:
        return False
    held.sent_at, held.sealed, held.last_error = now or clock.now(), None, None
    held.lease_token, held.lease_until = None, None
    db.session.flush()
    return True


def failed(
    email: Email | str, error: str, *, token: str, for_good: bool = False, now: datetime | None = None
) -> bool:
    """It did not go: try again later, or never. False when the lease has passed to another worker.

    `error` is kept in the clear: pass the exception's class and the mail server's code, never its text, which
    often repeats the address.
    """
    held = _held(email, token)
    if held is None:
        return False
    wait = min(timedelta(minutes=1) * 2 ** (held.attempts - 1), _LONGEST_WAIT)
    held.not_before = (now or clock.now()) + wait
    held.last_error = error[:200]
    held.dead = for_good or held.attempts >= MOST_TRIES
    held.lease_token, held.lease_until = None, None
    db.session.flush()
    return True


def _held(email: Email | str, token: str) -> Email | None:
    """The row as it is now, locked, if this token still holds it."""
    key = email if isinstance(email, str) else email.dedupe_key
    found = select(Email).where(Email.dedupe_key == key, Email.lease_token == token, Email.sent_at.is_(None))
    return db.session.scalar(found.with_for_update().execution_options(populate_existing=True))


def requeue(key: str, *, now: datetime | None = None) -> Email:
    """Staff: try a mail that was given up again from the start; one that waits or is being sent stays as it is.

    NotFound, or Conflict when it was sent or forgotten, or its address takes none.
    """
    email = db.session.get(Email, key, with_for_update=True, populate_existing=True)
    if email is None:
        raise NotFound(N_("There is no such mail."))
    if email.sealed is None:
        raise Conflict(N_("This mail was sent, or what it held is forgotten."))
    if _is_bounced(email):
        raise Conflict(N_("Mail to this address comes back. Correct the address first."))
    if not email.dead:
        return email
    email.dead, email.attempts, email.not_before = False, 0, now or clock.now()
    email.lease_token, email.lease_until = None, None
    db.session.flush()
    return email


def sweep(now: datetime | None = None) -> int:
    """Forget what mails held that have been dead for a month; returns how many."""
    now = now or clock.now()
    old = select(Email).where(Email.dead, Email.sealed.is_not(None), Email.not_before < now - _DEAD_KEPT)
    forgotten = db.session.scalars(old).all()
    for email in forgotten:
        email.sealed = None
    db.session.flush()
    return len(forgotten)


def forget_bounce(email_key: str | None) -> None:
    """Mail may go to this address again: what came back from it is forgotten."""
    db.session.execute(delete(Bounce).where(Bounce.email_key == email_key))


def follow_address(old_key: str, new_key: str, *, to: str) -> None:
    """Somebody's address was corrected: their mails stay theirs, and what still waits goes to the new one."""
    theirs = select(Email).where(Email.recipient_key == old_key).with_for_update()
    for email in db.session.scalars(theirs.execution_options(populate_existing=True)):
        email.recipient_key = new_key
        if email.sealed is not None:
            email.sealed = vault.lock(vault.unlock(email.sealed) | {"to": to})
    db.session.flush()


def forget_recipient(email_key: str) -> int:
    """Erase whom mails went to, and what still waits for this address. Returns how many mails were theirs."""
    forget_bounce(email_key)
    theirs = list(db.session.scalars(select(Email).where(Email.recipient_key == email_key).with_for_update()))
    for email in theirs:
        email.recipient_key, email.sealed = None, None
        email.dead = email.dead or email.sent_at is None
    db.session.flush()
    return len(theirs)


# --- questions ---------------------------------------------------------------------------------------------


def _due(now: datetime) -> ColumnElement[bool]:
    free = or_(Email.lease_until.is_(None), Email.lease_until < now)
    return and_(Email.sent_at.is_(None), ~Email.dead, Email.not_before <= now, free)


def dead_ones() -> list[Email]:
    """The mails that were given up, newest first; what an address takes none of is said of its person instead."""
    found = select(Email).where(Email.dead, Email.last_error.is_distinct_from(BOUNCED))
    return list(db.session.scalars(found.order_by(Email.queued_at.desc())))


_BOUNCED = select(Bounce.email_key).where(Bounce.email_key == bindparam("key"))


def _is_bounced(email: Email) -> bool:
    """Whether mail to its address came back for good."""
    return core().scalar(_BOUNCED, {"key": email.recipient_key}) is not None


def find_by_message_id(text: str) -> Email | None:
    """The mail of ours that went out under this Message-ID; None when it is none of ours."""
    left = text.strip().strip("<>").partition("@")[0]
    return db.session.scalar(select(Email).where(Email.message_hash == left)) if len(left) == _HASH else None


def message_id(email: Email | str, domain: str) -> str:
    """The mail's Message-ID, the same at every try, so that a repeated mail is known for one."""
    return f"<{_hash(email if isinstance(email, str) else email.dedupe_key)}@{domain or 'localhost'}>"


def _hash(key: str) -> str:
    """Keyed: whoever could guess the Message-ID of a mail could forge a report that it came back."""
    return vault.fingerprint(f"mail:{key}")[:_HASH]
