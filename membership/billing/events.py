"""What staff see of the inbox and of our calls to Stripe: what is stuck, what came in last; and trying it again.

An event is only a hint, so nothing here replays what it said: its object is fetched anew and followed as usual.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, text

from membership import clock
from membership.billing import inbox
from membership.billing.calls import OPEN, Call, CallState
from membership.billing.checkout import Checkout
from membership.billing.inbox import StripeEvent, StripeObject
from membership.db import db
from membership.domain import audit
from membership.domain.audit import Actor
from membership.errors import N_, NotFound

MOST = 100
SLOW = timedelta(minutes=10)
"""A call that Stripe has not answered for so long deserves a look; the worker asks again all the while."""
STRUGGLES = 3
"""An object that could not be followed so often is shown as late."""


@dataclass(frozen=True, slots=True)
class Session:
    """Whose Checkout Session it is, by the row of a gift or of a membership."""

    donation_id: int | None
    membership_id: int | None


def dead_objects() -> list[StripeObject]:
    """Objects that were given up: staff look at each, the last one first."""
    found = select(StripeObject).where(StripeObject.dead).order_by(StripeObject.not_before.desc())
    return list(db.session.scalars(found.limit(MOST)))


def late_objects() -> list[StripeObject]:
    """Objects that are tried again and again."""
    found = select(StripeObject).where(
        StripeObject.dirty_seq > StripeObject.clean_seq,
        ~StripeObject.dead,
        StripeObject.attempts >= STRUGGLES,
    )
    return list(db.session.scalars(found.order_by(StripeObject.not_before).limit(MOST)))


def open_calls(*, now: datetime | None = None) -> list[Call]:
    """Calls whose outcome has not been known for a while; the oldest first."""
    found = select(Call).where(text(OPEN), Call.tried_at < (now or clock.now()) - SLOW)
    return list(db.session.scalars(found.order_by(Call.tried_at).limit(MOST)))


def stale_calls() -> list[Call]:
    """Calls that can be asked no more, because their key has grown too old: somebody looks at Stripe's dashboard."""
    found = select(Call).where(Call.state == CallState.STALE).order_by(Call.tried_at.desc())
    return list(db.session.scalars(found.limit(MOST)))


def last_events(most: int = 20) -> list[StripeEvent]:
    """What came in last."""
    kept = StripeEvent.sealed_payload.is_not(None)  # in the words of the index
    found = select(StripeEvent).where(kept).order_by(StripeEvent.received_at.desc())
    return list(db.session.scalars(found.limit(most)))


def replay(
    object_type: str, object_id: str, *, by: Actor, reason: str = "", now: datetime | None = None
) -> StripeObject:
    """Have an object fetched and followed anew. NotFound for one that no event ever named."""
    now = now or clock.now()
    known = db.session.get(StripeObject, (object_type, object_id))
    if known is None:
        raise NotFound(N_("No event ever named this object."))
    inbox.mark_dirty([(object_type, object_id)], now=now)
    audit.record(
        audit.Tag.EVENT_REPLAYED,
        subject_type=object_type,
        subject_id=object_id,
        by=by,
        reason=reason,
        now=now,
    )
    return known


def settle(key: str, *, by: Actor, reason: str, now: datetime | None = None) -> Call:
    """Somebody has looked at Stripe's dashboard and seen to a call that could be asked no more."""
    call = db.session.get(Call, key, with_for_update=True, populate_existing=True)
    if call is None or call.state is not CallState.STALE:
        raise NotFound(N_("No call of this name waits for anybody."))
    call.state = CallState.FAILED
    audit.record(
        audit.Tag.CALL_SETTLED,
        subject_type="call",
        subject_id=key[:100],
        by=by,
        reason=reason,
        details={"operation": call.operation},
        now=now,
    )
    return call


def session_of(session_id: str) -> Session | None:
    """Whose Checkout Session this is."""
    row = db.session.scalar(select(Checkout).where(Checkout.stripe_session_id == session_id))
    return Session(row.donation_id, row.membership_id) if row else None
