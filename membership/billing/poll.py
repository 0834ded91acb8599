"""What the hook missed comes in by asking: events polled, and objects that have waited too long swept.

Both feed the same inbox, so nothing is done twice.
"""

import logging
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, select
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock, vault
from membership.billing import account, calls, checkout, facts, inbox
from membership.billing.converge import Key
from membership.db import Base, db, upsert, writing
from membership.domain import donations, memberships, payments

log = logging.getLogger(__name__)

OVERLAP = timedelta(hours=1)
FIRST_LOOK = timedelta(days=29)
"""Stripe lists events of the last 30 days: a restored backup catches up from here."""
WAITED = timedelta(hours=1)
RENEWS_WITHIN = timedelta(days=1)
MARKED_AT_ONCE = 500


class Cursor(Base):
    """Up to when events were asked for."""

    __tablename__ = "stripe_cursors"

    name: Mapped[str] = mapped_column(primary_key=True)
    seconds: Mapped[int] = mapped_column(BigInteger)


def poll(now: datetime | None = None) -> int:
    """Ask for events since the last look; returns how many the hook had missed. Commits."""
    now = now or clock.now()
    last = db.session.scalar(select(Cursor.seconds).where(Cursor.name == "events"))
    db.session.commit()
    # a clock that once was ahead must not make us blind
    since = (
        now - FIRST_LOOK if last is None else min(datetime.fromtimestamp(last, tz=now.tzinfo), now) - OVERLAP
    )
    missed = 0
    for start in range(0, len(inbox.HANDLED), 20):
        types = list(inbox.HANDLED[start : start + 20])
        for event in account.here().gateway.events_since(since, types):
            try:
                missed += _take(event, now)
            except Exception as error:  # noqa: BLE001 - one event that cannot be kept must not hide those behind it
                db.session.rollback()
                log.error("event %s could not be kept: %s", event.id, type(error).__name__)  # noqa: TRY400 - its words may name a person
    with writing():
        upsert(
            Cursor, {"name": "events", "seconds": int(now.timestamp())}, keys=("name",), taken=("seconds",)
        )
        db.session.commit()
    if missed:
        log.warning("the poller found events that the hook had not seen", extra={"missed": missed})
    return missed


def _take(event: facts.EventFacts, now: datetime) -> bool:
    with writing():
        known = db.session.scalar(
            select(inbox.StripeEvent.event_id).where(inbox.StripeEvent.event_id == event.id)
        )
        if known is None:
            inbox.store(event, vault.seal(dict(event.plain)), source="poll", now=now)
        db.session.commit()
    return known is None


def sweep(now: datetime | None = None) -> int:
    """Look again at whatever has been waiting too long, event or no event. Returns how many objects. Commits."""
    now = now or clock.now()
    waiting: list[Key] = [("checkout.session", one) for one in checkout.overdue_sessions(now - WAITED)]
    waiting += [("charge", one) for one in payments.unbooked_charges(now - WAITED)]
    waiting += [("refund", one) for one in payments.unbooked_refunds(now - WAITED)]
    waiting += [("customer", one) for one in memberships.left_over(now - WAITED)]
    late = now - RENEWS_WITHIN
    overdue = [*donations.overdue_subscriptions(late), *memberships.overdue_subscriptions(late)]
    waiting += [("subscription", one) for one in overdue]
    grace = timedelta(days=account.here().settings.grace_days)
    waiting += [("invoice", one) for one in memberships.late_bills(now - grace)]
    db.session.commit()
    with writing():
        for start in range(0, len(waiting), MARKED_AT_ONCE):
            inbox.mark_dirty(waiting[start : start + MARKED_AT_ONCE], now=now)
            db.session.commit()  # readers who write have their turn in between
        inbox.empty_old_payloads(now)
        calls.forget_old(now)
        db.session.commit()
    return len(waiting)
