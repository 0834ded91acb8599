"""Outgoing calls: written down with their key and frozen parameters before Stripe is asked, so that a crash, a
time-out or a second click repeats the same call and never makes a second one.

Parameters are locked under the outbox key and forgotten once the outcome is final. An outcome we did not learn is
`unknown`, never `failed`: the same key with the same parameters finds out, for a day.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any

from sqlalchemy import Index, func, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock, vault
from membership.billing import account, facts
from membership.billing.gateway import Gateway, StripeRefused, StripeUnavailable
from membership.db import Base, db, insert_once, str_enum, writing

KEY_LIVES = timedelta(hours=23)
"""Stripe may forget a key after 24 hours; an hour is left for clocks that differ."""
UNDER_WAY = timedelta(minutes=2)
"""How long a request may be under way, with the gateway's time-outs and tries; one that was replaced meanwhile too."""


CANCELS = "subscriptions.cancel"
MOVES = "customers.move_balance"
DELETES = (CANCELS, "customers.delete")
"""The calls without a key: asking twice for what is gone does nothing."""
LOOKED_FOR = ("refunds.create", MOVES)
"""What these made can be found at Stripe, so what they said is kept until their outcome is known."""
WISHES = ("ends:", "card:", "void:")
"""Calls that say how something shall be, not what shall be done: asked once more, even without their key, nothing changes."""
OPEN = "state IN ('pending', 'unknown')"
AGAIN = ":again"


class CallState(StrEnum):
    """What became of a call."""

    PENDING = "pending"
    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"
    STALE = "stale"
    SUPERSEDED = "superseded"


WAITING = (CallState.PENDING, CallState.UNKNOWN)


class Call(Base):
    """One call to Stripe that changes something."""

    __tablename__ = "stripe_calls"
    __table_args__ = (
        Index(
            "ix_stripe_calls_open",
            "tried_at",
            sqlite_where=text(OPEN),
            postgresql_where=text(OPEN),
        ),
        Index(
            "ix_stripe_calls_stale",
            "tried_at",
            sqlite_where=text("state = 'stale'"),
            postgresql_where=text("state = 'stale'"),
        ),
        Index("ix_stripe_calls_result", "result_id", "operation"),
    )

    idem_key: Mapped[str] = mapped_column(primary_key=True)
    operation: Mapped[str]
    locked_params: Mapped[bytes | None]
    created_at: Mapped[datetime]
    tried_at: Mapped[datetime]
    """When it was asked last; of one that shall wait, until when."""
    state: Mapped[CallState] = mapped_column(str_enum(CallState))
    result_id: Mapped[str | None]
    error: Mapped[str | None]


def find_call(key: str) -> Call | None:
    """The call of this key."""
    return db.session.get(Call, key)


def record(
    key: str,
    operation: str,
    params: dict[str, Any],
    *,
    now: datetime | None = None,
    waits: timedelta = timedelta(0),
) -> Call:
    """Write a call down; the same key gives the call that was written first, with its own parameters.

    `waits`: the worker leaves it alone for so long.
    """
    now = now or clock.now()
    insert_once(
        Call,
        idem_key=key,
        operation=operation,
        locked_params=vault.lock(params),
        created_at=now,
        tried_at=now + waits,
        state=CallState.PENDING,
    )
    return db.session.get_one(Call, key, populate_existing=True)


def wish(key: str, operation: str, params: dict[str, Any], *, now: datetime) -> Call:
    """Write down how something shall be, instead of what was wished before: `ends:sub_1:..` replaces all `ends:sub_1`.

    What was wished before may be under way and reach Stripe last; then this is said once more, when it no longer can.
    """
    family = ":".join(key.split(":")[:2])
    if find_call(key) is None:
        overtakes = is_asked(family)
        supersede(family)
        if overtakes:
            record(key + AGAIN, operation, params, now=now, waits=UNDER_WAY)
    return record(key, operation, params, now=now)


def is_open(call: Call, now: datetime) -> bool:
    """Whether its outcome is open and asking again is safe: a DELETE or a wish always, others while their key lives."""
    is_safe = (
        call.operation in DELETES or call.idem_key.startswith(WISHES) or now - call.created_at < KEY_LIVES
    )
    return call.state in WAITING and call.locked_params is not None and is_safe


def find_last(key: str) -> Call | None:
    """The call of this key, or the newest of those that were made after it in its place."""
    found = None
    while (call := find_call(key)) is not None:
        found, key = call, key + "~"
    return found


def find_agreed(key: str) -> Call | None:
    """The call of this key, or of the next after it, that Stripe agreed to; looking changes nothing."""
    while (call := find_call(key)) is not None and call.state is not CallState.OK:
        key += "~"
    return call


def fresh_key(key: str) -> str:
    """The key itself, or the next after it while calls under it failed, grew too old or are stuck."""
    while (call := find_call(key)) and (
        call.state in (CallState.FAILED, CallState.STALE, CallState.SUPERSEDED) or is_stuck(call)
    ):
        if is_stuck(call):  # Stripe tells its 5xx again under this key: the next one asks anew
            call.state, call.locked_params = CallState.SUPERSEDED, None
        key += "~"
    return key


def forget_old(now: datetime) -> None:
    """Close calls whose key is too old to be asked again and forget what they said; DELETEs go on being asked."""
    db.session.execute(
        update(Call)
        .where(
            text(OPEN),
            Call.created_at < now - KEY_LIVES,
            Call.operation.not_in((*DELETES, *LOOKED_FOR)),
            *(~Call.idem_key.startswith(wish) for wish in WISHES),
        )
        .values(state=CallState.STALE, locked_params=None)
    )


def record_cancel(subscription_id: str, *, now: datetime) -> Call:
    """Write down that a subscription shall end, at once and without a last bill."""
    params = {"id": subscription_id, "prorate": False, "invoice_now": False}
    return record(fresh_key(f"cancel:{subscription_id}"), CANCELS, params, now=now)


def supersede(family: str) -> None:
    """A newer wish replaces the older ones of its family whose outcome is open: none of them is asked again."""
    db.session.execute(
        update(Call)
        .where(text(OPEN), Call.idem_key.startswith(f"{family}:", autoescape=True))
        .values(state=CallState.SUPERSEDED, locked_params=None)
    )


def is_asked(family: str) -> bool:
    """Whether a call of this family waits for its outcome."""
    named = (Call.idem_key == family) | Call.idem_key.startswith(f"{family}~", autoescape=True)
    waiting = select(Call.idem_key).where(
        text(OPEN), named | Call.idem_key.startswith(f"{family}:", autoescape=True)
    )
    return db.session.scalar(waiting.limit(1)) is not None


def is_stuck(call: Call) -> bool:
    """Whether Stripe answered 5xx: it keeps that answer under the key and tells it again, whatever is true by now.

    A DELETE carries no key, so cancelling is never stuck.
    """
    return (
        call.state is CallState.UNKNOWN
        and (call.error or "").startswith("5")
        and call.operation not in DELETES
    )


def send(
    call: Call,
    *,
    gateway: Gateway | None = None,
    refused: Callable[[], None] | None = None,
    agreed: Callable[[facts.Plain], None] | None = None,
) -> facts.Plain:
    """Make a recorded call and note its outcome (commits before and after, nothing is open while Stripe is asked).

    Raises StripeUnavailable when the outcome is unknown, StripeRefused when Stripe said no; what follows from a no
    or a yes, `refused` or `agreed` notes in the same transaction.
    """
    key, operation, locked = call.idem_key, call.operation, call.locked_params or b""
    db.session.commit()
    params = vault.unlock(locked)
    try:
        reply = (gateway or account.here().gateway).perform(operation, params, key)
    except StripeUnavailable as error:
        _note(key, CallState.UNKNOWN, error=error.code)
        raise
    except StripeRefused as error:
        _note(key, CallState.FAILED, error=f"{error.status} {error.code}", follows=refused)
        raise
    _note(key, CallState.OK, result_id=str(reply["id"]), follows=partial(agreed, reply) if agreed else None)
    return reply


def _note(
    key: str,
    state: CallState,
    *,
    result_id: str | None = None,
    error: str | None = None,
    follows: Callable[[], None] | None = None,
) -> None:
    """Note what became of a call, and once what follows from it. That it was done is true in any case; nothing else
    opens what was closed meanwhile.
    """
    with writing():
        call = db.session.get_one(Call, key, with_for_update=True, populate_existing=True)
        if call.state in WAITING or (state is CallState.OK and call.state is not CallState.OK):
            call.state, call.tried_at, call.error = state, clock.now(), error
            call.result_id = result_id or call.result_id
            if state is not CallState.UNKNOWN:
                call.locked_params = None
            if state is CallState.FAILED:
                supersede(key.rstrip("~"))  # nor is it said once more
            if follows is not None:
                follows()
        db.session.commit()


def was_done(operation: str, result_id: str) -> bool:
    """Whether Stripe is known to have made this object for us."""
    found = select(Call.idem_key).where(Call.result_id == result_id, Call.operation == operation)
    return db.session.scalar(found.where(Call.state == CallState.OK).limit(1)) is not None


def agreed(result_id: str) -> int:
    """To how many of our calls about this object Stripe has agreed."""
    found = select(func.count()).where(Call.result_id == result_id, Call.state == CallState.OK)
    return db.session.scalar(found) or 0


def was_refused(key: str) -> bool:
    """Whether Stripe said no to it and nothing had replaced it by then."""
    call = find_call(key)
    return call is not None and call.state is CallState.FAILED


def was_declined(key: str) -> bool:
    """Whether Stripe said no because a bank did."""
    call = find_call(key)
    return call is not None and call.state is CallState.FAILED and (call.error or "").startswith("402")


def undone(operation: str, result_id: str) -> None:
    """What was made is not there any more: the call that made it may be made again, under the next key."""
    made = update(Call).where(Call.operation == operation, Call.result_id == result_id)
    db.session.execute(made.where(Call.state == CallState.OK).values(state=CallState.FAILED, error="undone"))


def found_done(key: str, result_id: str, *, follows: Callable[[], None] | None = None) -> None:
    """Note that what a call asked for was there already, and what follows from it (commits)."""
    _note(key, CallState.OK, result_id=result_id, follows=follows)


def open_calls(operations: tuple[str, ...], *, now: datetime, quiet: timedelta) -> list[Call]:
    """Calls of these operations whose outcome is unknown and that nobody tried lately."""
    found = select(Call).where(
        text(OPEN),  # in the words of the index
        Call.operation.in_(operations),
        Call.tried_at < now - quiet,
    )
    return list(db.session.scalars(found.order_by(Call.tried_at).limit(50)))


def give_up(call: Call) -> None:
    """Its key is too old to be asked again: staff look at it; its parameters are forgotten."""
    call.state, call.locked_params = CallState.STALE, None
