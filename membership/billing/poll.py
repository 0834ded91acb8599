"""What the hook missed comes in by asking: events polled, and objects that have waited too long swept.

Both feed the same inbox, so nothing is done twice.
"""

import logging
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, select
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock
from membership.billing import account, checkout, facts, inbox
from membership.billing.converge import Key
from membership.db import Base, db, upsert, writing
from membership.domain import donations, payments

log = logging.getLogger(__name__)

OVERLAP = timedelta(hours=1)
FIRST_LOOK = timedelta(days=29)
"""Stripe lists events of the last 30 days: a restored backup catches up from here."""
WAITED = timedelta(hours=1)
RENEWS_WITHIN = timedelta(days=1)


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
    since = now - FIRST_LOOK if last is None else datetime.fromtimestamp(last, tz=now.tzinfo) - OVERLAP
    missed = 0
    for start in range(0, len(inbox.HANDLED), 20):
        types = list(inbox.HANDLED[start : start + 20])
        for event in account.here().gateway.events_since(since, types):
            missed += _take(event, now)
    with writing():
        upsert(Cursor, {"name": "events", "seconds": int(now.timestamp())}, keys=["name"],
               changed={"seconds": int(now.timestamp())})  # fmt: skip
        db.session.commit()
    if missed:
        log.warning("the poller found events that the hook had not seen", extra={"missed": missed})
    return missed


def _take(event: facts.EventFacts, now: datetime) -> bool:
    with writing():
        known = db.session.get(inbox.StripeEvent, event.id) is not None
        if not known:
            inbox.store(event, source="poll", now=now)
        db.session.commit()
    return not known


def sweep(now: datetime | None = None) -> int:
    """Look again at whatever has been waiting too long, event or no event. Returns how many objects. Commits."""
    now = now or clock.now()
    with writing():
        db.session.commit()
        waiting: list[Key] = [("checkout.session", one) for one in checkout.overdue_sessions(now - WAITED)]
        waiting += [("charge", one) for one in payments.unbooked_charges(now - WAITED)]
        waiting += [("refund", one) for one in payments.unbooked_refunds(now - WAITED)]
        waiting += [("subscription", one) for one in donations.overdue_subscriptions(now - RENEWS_WITHIN)]
        inbox.mark_dirty(waiting, now=now)
        inbox.empty_old_payloads(now)
        db.session.commit()
    return len(waiting)
