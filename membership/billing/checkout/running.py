"""A gift that is there: stop it, pause it, give it back. Each call is recorded first, and asked again until answered.

`note_...` records what shall happen in the caller's transaction, so that it is never forgotten; the verb without
`note_` records it, commits and asks Stripe.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from membership import clock, vault
from membership.billing import account, calls
from membership.billing.calls import DELETES, Call, CallState
from membership.billing.gateway import StripeMissing, StripeRefused, StripeUnavailable
from membership.db import db, writing
from membership.domain import donations, payments
from membership.domain.donations import Donation, Schedule
from membership.domain.payments import Refund

RESENT = (DELETES, "subscriptions.update", "refunds.create")
QUIET = timedelta(seconds=30)


class Outcome(StrEnum):
    """What became of a change: Stripe agreed, has not answered (the worker asks again), or will not have it."""

    AGREED = "agreed"
    WAITING = "waiting"
    REFUSED = "refused"


def note_stop(donation: Donation, *, by: str, now: datetime) -> str | None:
    """Record that a running gift shall end; the key of the call, None when there is nothing to end."""
    if donation.schedule is Schedule.ENDED or not donation.stripe_subscription_id:
        return None
    donations.stop_asked(donation, by=by)
    return calls.record_cancel(donation.stripe_subscription_id, now=now).idem_key


def stop(donation: Donation, *, by: str = "donor", now: datetime | None = None) -> bool:
    """End a running gift at once. True when Stripe has agreed; otherwise it is noted and asked again by the worker."""
    now = now or clock.now()
    with writing():
        donation = _begin(donation)
        key = note_stop(donation, by=by, now=now)
        return key is None or _send(key, now) is Outcome.AGREED


def pause(donation: Donation, *, days: int = 91, now: datetime | None = None) -> bool:
    """Skip what falls due in the next days; the gift goes on by itself afterwards. True when Stripe has agreed."""
    now = now or clock.now()
    with writing():
        donation = _begin(donation)
        if not donation.stripe_subscription_id:
            return False
        resumes_at = int((now + timedelta(days=days)).timestamp())
        params = {
            "id": donation.stripe_subscription_id,
            "pause_collection": {"behavior": "void", "resumes_at": resumes_at},
        }
        key = calls.fresh_key(f"pause:{donation.stripe_subscription_id}:{now.date().isoformat()}")
        calls.record(key, "subscriptions.update", params, now=now)
        return _send(key, now) is Outcome.AGREED


def stop_closed(now: datetime | None = None) -> int:
    """End the running gifts of fundraisers that closed and said they would. Returns how many Stripe agreed to."""
    now = now or clock.now()
    ids = [donation.id for donation in donations.running_past_end(now)]
    db.session.commit()
    return sum(stop(donations.gift_of(one), by="closed", now=now) for one in ids)


def note_refund(asked: Refund, *, now: datetime) -> str:
    """Record the call for a refund that `payments.ask_refund` noted, in the same transaction; its key."""
    payment = payments.get_payment(asked.payment_id)
    params = {
        "charge": payment.stripe_charge_id,
        "amount": asked.amount_minor,
        "reason": "requested_by_customer",
        "metadata": {"request": asked.reference},
    }
    return calls.record(f"refund:{asked.reference}", "refunds.create", params, now=now).idem_key


def refund(asked: Refund, *, now: datetime | None = None) -> Outcome:
    """Ask Stripe for a refund that was noted; commits."""
    now = now or clock.now()
    with writing():
        key = note_refund(asked, now=now)
        return _send(key, now)


def _begin(donation: Donation) -> Donation:
    """A fresh transaction that writes, and the gift locked in it."""
    donation_id = donation.id
    db.session.commit()
    return donations.lock_donation(donation_id)


def _send(key: str, now: datetime) -> Outcome:
    """Commit what was recorded and ask Stripe, unless that was done already."""
    db.session.commit()
    call = db.session.get_one(Call, key)
    if call.state is CallState.OK:
        db.session.commit()
        return Outcome.AGREED
    if not calls.is_open(call, now):
        db.session.commit()
        return Outcome.REFUSED if call.state is CallState.FAILED else Outcome.WAITING
    return _settle(call, now)


def _settle(call: Call, now: datetime) -> Outcome:
    """Make a recorded change. What is gone already at Stripe is stopped, but it is not refunded."""
    operation, params = call.operation, vault.unlock(call.locked_params or b"")
    try:
        calls.send(call, now=now)
    except StripeUnavailable:
        return Outcome.WAITING
    except StripeRefused as error:
        if operation == DELETES and isinstance(error, StripeMissing):
            return Outcome.AGREED
        _give_up_refund(operation, params)
        return Outcome.REFUSED
    return Outcome.AGREED


def _give_up_refund(operation: str, params: dict[str, Any]) -> None:
    if operation == "refunds.create":
        with writing():
            payments.refuse_refund(params["metadata"]["request"])
            db.session.commit()


def resume_calls(now: datetime | None = None) -> int:
    """Ask again for changes whose outcome we never learned. Returns how many are settled now."""
    now = now or clock.now()
    keys = [call.idem_key for call in calls.open_calls(RESENT, now=now, quiet=QUIET)]
    db.session.commit()
    return sum(_resume(key, now) is Outcome.AGREED for key in keys)


def _resume(key: str, now: datetime) -> Outcome:
    with writing():
        call = db.session.get_one(Call, key, with_for_update=True, populate_existing=True)
        if calls.is_open(call, now):
            return _unstuck(call, now) if calls.is_stuck(call) else _settle(call, now)
        if call.state in (CallState.PENDING, CallState.UNKNOWN):
            operation, params = call.operation, vault.unlock(call.locked_params or b"")
            calls.give_up(call)
            db.session.commit()
            _give_up_refund(operation, params)
        db.session.commit()
        return Outcome.WAITING


def _unstuck(call: Call, now: datetime) -> Outcome:
    """Stripe keeps telling the 5xx it stored under this key: look whether the change was made, else use a new key.

    The new key follows from the old one, so two workers that do this at once make one call.
    """
    operation, params, key = call.operation, vault.unlock(call.locked_params or b""), call.idem_key
    db.session.commit()
    if operation == "refunds.create":
        made = account.here().gateway.refund_made(params["charge"], params["metadata"]["request"])
        if made is not None:
            calls.found_done(key, made)
            return Outcome.AGREED
    stuck = db.session.get_one(Call, key, with_for_update=True, populate_existing=True)
    if calls.is_stuck(stuck):
        calls.give_up(stuck)
    again = calls.record(f"{key}~", operation, params, now=now)
    return _send(again.idem_key, now)
