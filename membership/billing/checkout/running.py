"""A gift that is there: stop it, pause it."""

from datetime import datetime, timedelta

from membership import clock
from membership.billing import calls, turns
from membership.billing.checkout import asking
from membership.billing.checkout.asking import Outcome
from membership.db import db, writing
from membership.domain import donations
from membership.domain.donations import Donation, Schedule


def note_stop(donation: Donation, *, by: str, now: datetime) -> str | None:
    """Record that a running gift shall end; the key of the call, None when there is nothing to end."""
    if donation.schedule is Schedule.ENDED or not donation.stripe_subscription_id:
        return None
    donations.stop_asked(donation, by=by)
    return calls.record_cancel(donation.stripe_subscription_id, now=now).idem_key


def stop(donation: Donation, *, by: str = "donor", now: datetime | None = None) -> Outcome:
    """End a running gift at once."""
    now = now or clock.now()
    with writing():
        donation = _begin(donation)
        key = note_stop(donation, by=by, now=now)
        return Outcome.AGREED if key is None else asking.send(key, now)


def pause(donation: Donation, *, days: int = 91, now: datetime | None = None) -> Outcome:
    """Skip what falls due in the next days; the gift goes on by itself afterwards."""
    now = now or clock.now()
    with writing():
        donation = _begin(donation)
        if not donation.stripe_subscription_id or not donations.may_pause(donation):
            return Outcome.REFUSED
        resumes_at = int((now + timedelta(days=days)).timestamp())
        params = {
            "id": donation.stripe_subscription_id,
            "pause_collection": {"behavior": "void", "resumes_at": resumes_at},
        }
        key = calls.fresh_key(f"pause:{donation.stripe_subscription_id}:{now.date().isoformat()}")
        calls.record(key, "subscriptions.update", params, now=now)
        return asking.send(key, now)


def stop_closed(now: datetime | None = None) -> int:
    """End the running gifts of fundraisers that closed and said they would. Returns how many Stripe agreed to."""
    now = now or clock.now()
    ids = [donation.id for donation in donations.running_past_end(now)]
    db.session.commit()
    done = turns.each(
        "gift",
        ids,
        lambda one: stop(donations.gift_of(one), by="closed", now=now),
        unanswered=lambda one: one is Outcome.WAITING,
    )
    return done.count(Outcome.AGREED)


def _begin(donation: Donation) -> Donation:
    """A fresh transaction that writes, and the gift locked in it."""
    donation_id = donation.id
    db.session.commit()
    return donations.lock_donation(donation_id)
