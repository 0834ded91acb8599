"""The inbox: every event stored once, its object marked dirty, leased, fetched, converged; retried and replayable.

An event is only a hint. `receive` verifies, stores, marks dirty and says 200; nothing else happens in Stripe's
request. `work` leases one dirty object, fetches it with no transaction open and applies it in one transaction that is
fenced by the lease's token: a worker that was slow or dead cannot write over a newer state.
"""

import json
import logging
import secrets
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, CheckConstraint, Index, bindparam, select, text, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock, vault
from membership.billing import account, checkout, facts, turns
from membership.billing.converge import CONVERGENCES, Key, NotYet
from membership.billing.gateway import (
    BadSignature,
    Gateway,
    StripeMissing,
    StripeRefused,
    StripeUnavailable,
    verify,
)
from membership.db import Base, alone, core, db, upsert, writing
from membership.domain.donations import Donation
from membership.domain.memberships import Membership

log = logging.getLogger(__name__)

HANDLED = (
    "charge.failed", "charge.pending", "charge.refund.updated", "charge.refunded", "charge.succeeded",
    "charge.updated", "checkout.session.async_payment_failed", "checkout.session.async_payment_succeeded",
    "checkout.session.completed", "checkout.session.expired", "customer.deleted", "customer.subscription.created",
    "customer.subscription.deleted", "customer.subscription.paused", "customer.subscription.resumed",
    "customer.subscription.updated", "customer.updated", "invoice.marked_uncollectible", "invoice.paid",
    "invoice.payment_action_required", "invoice.payment_failed",
    "invoice.voided", "payment_intent.canceled", "payment_intent.payment_failed", "payment_intent.processing",
    "payment_intent.succeeded", "refund.created", "refund.failed", "refund.updated",
)  # fmt: skip
"""The events we ask Stripe for. Others are stored and lead nowhere."""

LEASE = timedelta(seconds=300)
MOST_ATTEMPTS = 12
DATABASE_ERRORS = (OperationalError, ProgrammingError, InterfaceError, PoolTimeoutError)
"""Locked, away, full, or with tables that are not this code's: they say nothing about the object in hand."""
DATABASE_RESTS = timedelta(seconds=5)
JUST_NOW = timedelta(seconds=3)
"""A page that is reloaded asks Stripe no more often than this."""
PAYLOADS_KEPT = timedelta(days=90)


class StripeEvent(Base):
    """An event as it arrived. The payload is sealed and emptied after 90 days; replaying needs only the ids."""

    __tablename__ = "stripe_events"
    __table_args__ = (
        CheckConstraint("source IN ('webhook', 'poll', 'manual')", name="source"),
        Index(
            "ix_stripe_events_kept",
            "received_at",
            sqlite_where=text("sealed_payload IS NOT NULL"),
            postgresql_where=text("sealed_payload IS NOT NULL"),
        ),
    )

    event_id: Mapped[str] = mapped_column(primary_key=True)
    livemode: Mapped[bool]
    account: Mapped[str]
    type: Mapped[str]
    object_type: Mapped[str]
    object_id: Mapped[str | None]
    api_version: Mapped[str | None]
    created: Mapped[int] = mapped_column(BigInteger)
    received_at: Mapped[datetime]
    source: Mapped[str]
    sealed_payload: Mapped[bytes | None]
    deliveries: Mapped[int]


class StripeObject(Base):
    """An object at Stripe and how far we have followed it: dirty while `dirty_seq` is ahead of `clean_seq`."""

    __tablename__ = "stripe_objects"
    __table_args__ = (
        Index(
            "ix_stripe_objects_todo",
            "not_before",
            sqlite_where=text("dirty_seq > clean_seq AND dead = 0"),  # as SQLAlchemy writes it in the query
            postgresql_where=text("dirty_seq > clean_seq AND NOT dead"),
        ),
        Index(
            "ix_stripe_objects_dead",
            "not_before",
            sqlite_where=text("dead = 1"),
            postgresql_where=text("dead"),
        ),
    )

    object_type: Mapped[str] = mapped_column(primary_key=True)
    object_id: Mapped[str] = mapped_column(primary_key=True)
    dirty_seq: Mapped[int] = mapped_column(BigInteger)
    clean_seq: Mapped[int] = mapped_column(BigInteger)
    lease_token: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    not_before: Mapped[datetime]
    attempts: Mapped[int]
    dead: Mapped[bool]
    last_error: Mapped[str | None]
    fetched_at: Mapped[datetime | None]


def receive(body: bytes, signature: str | None, *, now: datetime | None = None) -> int:
    """Take in what was posted to the hook; returns the HTTP status. Commits."""
    settings = account.here().settings
    try:
        verify(body, signature, settings.stripe_webhook_secrets)
        event = facts.event(json.loads(body, parse_constant=_no_number))
        payload = vault.seal_text(body)
    except (BadSignature, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return 400
    if event.livemode != settings.is_live or event.account:
        log.warning("an event of another mode or account was set aside", extra={"event_id": event.id})
        return 200
    with alone() as connection:
        store(event, payload, source="webhook", now=now or clock.now(), on=connection)
    return 200


def _no_number(_text: str) -> None:
    raise ValueError("NaN and Infinity are no JSON")


def store(
    event: facts.EventFacts, payload: bytes, *, source: str, now: datetime, on: Connection | None = None
) -> None:
    """Keep the event once and mark its object dirty: two statements, the caller commits."""
    upsert(
        StripeEvent,
        {
            "event_id": event.id,
            "livemode": event.livemode,
            "account": event.account,
            "type": event.type,
            "object_type": event.object_type,
            "object_id": event.object_id,
            "api_version": event.api_version,
            "created": event.created,
            "received_at": now,
            "source": source,
            "sealed_payload": payload,
            "deliveries": 1,
        },
        keys=("event_id",),
        counted=("deliveries",),
        on=on,
    )
    if event.object_id and event.object_type in CONVERGENCES:
        mark_dirty([(event.object_type, event.object_id)], now=now, on=on)


def mark_dirty(keys: Iterable[Key], *, now: datetime, on: Connection | None = None) -> None:
    """Have these objects looked at again, at once."""
    for object_type, object_id in sorted(set(keys)):  # one order for all, so two workers never wait in a ring
        upsert(
            StripeObject,
            {
                "object_type": object_type,
                "object_id": object_id,
                "dirty_seq": 1,
                "clean_seq": 0,
                "not_before": now,
                "attempts": 0,
                "dead": False,
            },
            keys=("object_type", "object_id"),
            counted=("dirty_seq",),
            taken=("not_before", "dead", "attempts"),
            on=on,
        )


def work(limit: int = 100, *, until: Callable[[], bool] = bool, now: datetime | None = None) -> int:
    """Converge dirty objects until none is due, `until` says so or `limit` is reached. Returns how many were worked.

    Stripe's silence ends it too: see `turns`.
    """
    gateway, silent = account.here().gateway, 0
    for worked in range(limit):
        claim = None if until() or silent == turns.MOST_SILENT else _claim(now or clock.now())
        if claim is None:
            return worked
        silent = silent + 1 if _converge(gateway, *claim, now=now) is None else 0
    return limit


def look(subject: Donation | Membership, *, seconds: float = 2.0) -> bool:
    """Follow one gift or membership at once while its reader waits, within a budget; whatever fails is left to the worker.

    Returns whether we now know what Stripe knows of its payment page.
    """
    session_id = checkout.latest_session(subject)
    if session_id is None:
        return True
    key = ("checkout.session", session_id)
    seen = db.session.get(StripeObject, key, populate_existing=True)
    now = clock.now()
    if seen is not None and seen.not_before > now:
        return False  # Stripe did not answer a moment ago
    if seen is None or seen.fetched_at is None or now - seen.fetched_at > JUST_NOW:
        look_at([key], seconds=seconds)
        seen = db.session.get(StripeObject, key, populate_existing=True)
    return seen is not None and seen.clean_seq == seen.dirty_seq


def look_at(keys: list[Key], *, seconds: float = 2.0) -> None:
    """Converge these objects and what they lead to, at once, within a budget."""
    until, waiting, gateway = time.monotonic() + seconds, list(keys), account.here().quick
    with writing():
        db.session.commit()
        mark_dirty(waiting, now=clock.now())
        db.session.commit()
    while waiting and time.monotonic() < until:
        claim = _claim(clock.now(), only=waiting.pop(0))
        if claim is not None:
            waiting += _converge(gateway, *claim) or []


# Built once: the worker says these three for every object.
_objects = Base.metadata.tables[StripeObject.__tablename__]
_rows = _objects.c
_this = (_rows.object_type == bindparam("kind"), _rows.object_id == bindparam("one"))
_NEXT = (
    select(_rows.object_type, _rows.object_id)
    .where(
        _rows.dirty_seq > _rows.clean_seq,
        ~_rows.dead,
        _rows.lease_until.is_(None) | (_rows.lease_until < bindparam("at")),
        _rows.not_before <= bindparam("at"),
    )
    .order_by(_rows.not_before)
    .limit(1)
    .with_for_update(skip_locked=True)  # SQLite locks the whole file and leaves this out
)
_NEXT_OF = _NEXT.where(*_this)
_LEASE = (
    update(_objects)
    .where(*_this)
    .values(lease_token=bindparam("token"), lease_until=bindparam("until"), attempts=_rows.attempts + 1)
    .returning(_rows.dirty_seq)
)
_CLEAN = (
    update(_objects)
    .where(*_this, _rows.lease_token == bindparam("token"))
    .values(
        clean_seq=bindparam("sequence"),
        lease_token=None,
        lease_until=None,
        attempts=0,
        last_error=None,
        fetched_at=bindparam("at"),
    )
    .returning(_rows.object_id)
)


def _claim(now: datetime, only: Key | None = None) -> tuple[Key, int, str] | None:
    """Lease a dirty object: (key, the sequence it had, the token). A short transaction of its own."""
    token = secrets.token_hex(16)
    asked = {"at": now} if only is None else {"at": now, "kind": only[0], "one": only[1]}
    with writing():
        connection = core()
        row = connection.execute(_NEXT if only is None else _NEXT_OF, asked).one_or_none()
        if row is None:
            db.session.commit()
            return None
        leased = {"kind": row.object_type, "one": row.object_id, "token": token, "until": now + LEASE}
        sequence = connection.execute(_LEASE, leased).scalar_one()
        db.session.commit()
    return (row.object_type, row.object_id), int(sequence), token


def _converge(
    gateway: Gateway, key: Key, sequence: int, token: str, *, now: datetime | None = None
) -> list[Key] | None:
    """Fetch and apply one leased object; returns what it led to, None where Stripe did not answer. A failure is noted
    and tried again later.
    """
    convergence = CONVERGENCES[key[0]]
    try:
        found = convergence.fetch(gateway, key[1])
        return _apply(key, sequence, token, found, now or clock.now())
    except StripeUnavailable as error:
        _failed(key, token, error, now or clock.now())
        return None
    except (StripeRefused, NotYet) as error:
        _failed(key, token, error, now or clock.now())
    except Exception as error:  # noqa: BLE001 - poison must not stop the worker; the class alone: words may repeat a row
        log.error("a %s could not be converged: %s", key[0], type(error).__name__)  # noqa: TRY400 - the same
        _failed(key, token, error, now or clock.now())
    return []


def _apply(key: Key, sequence: int, token: str, found: object, now: datetime) -> list[Key]:
    """One transaction: the rows, then the inbox. Objects are touched last and in one order, so no two workers that
    hold different objects of one gift wait for each other.
    """
    with writing():
        db.session.rollback()
        next_ones = CONVERGENCES[key[0]].apply(found, account.here().settings, now)
        for one in sorted({key, *next_ones}):
            if one != key:
                mark_dirty([one], now=now)
            elif not _clean(key, sequence, token, now):
                db.session.rollback()  # somebody else took over: what we fetched may be old
                return []
        db.session.commit()
    return next_ones


def _clean(key: Key, sequence: int, token: str, now: datetime) -> bool:
    """Clear the object up to the sequence that was leased; False when the lease is not ours any more."""
    told = {"kind": key[0], "one": key[1], "token": token, "sequence": sequence, "at": now}
    return core().execute(_CLEAN, told).scalar_one_or_none() is not None


def _failed(key: Key, token: str, error: Exception, now: datetime) -> None:
    """Note a failure and when to try again; an object that is not Stripe's (any more) is left for staff."""
    with writing():
        db.session.rollback()
        row = db.session.scalar(
            select(StripeObject)
            .where(
                StripeObject.object_type == key[0],
                StripeObject.object_id == key[1],
                StripeObject.lease_token == token,
            )
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        if row is not None:
            _put_back(row, error, now)
        db.session.commit()


def _put_back(row: StripeObject, error: Exception, now: datetime) -> None:
    row.lease_token, row.lease_until = None, None
    row.last_error = type(error).__name__ if not isinstance(error, StripeRefused) else str(error)
    if isinstance(error, DATABASE_ERRORS):  # not the object's own: no try of it is used up
        row.attempts, row.not_before = row.attempts - 1, now + DATABASE_RESTS
        return
    row.not_before = now + timedelta(seconds=min(2 ** (row.attempts - 1), 3600))
    waits = isinstance(error, NotYet | StripeUnavailable)
    row.dead = isinstance(error, StripeMissing) or (row.attempts >= MOST_ATTEMPTS and not waits)


def empty_old_payloads(now: datetime | None = None) -> None:
    """Forget what events said after 90 days; the rows and ids stay."""
    before = (now or clock.now()) - PAYLOADS_KEPT
    db.session.execute(
        update(StripeEvent)
        .where(StripeEvent.received_at < before, StripeEvent.sealed_payload.is_not(None))
        .values(sealed_payload=None)
    )
