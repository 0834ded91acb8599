"""Changes asked of Stripe: recorded first, asked at once, and asked again by the worker until they are answered.

`note_...` records what shall happen in the caller's transaction, so that it is never forgotten; the verb without
`note_` records it, commits and asks Stripe.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from membership import clock, vault
from membership.billing import account, calls, facts, turns
from membership.billing.calls import DELETES, MOVES, Call, CallState
from membership.billing.checkout import credit
from membership.billing.gateway import StripeMissing, StripeRefused, StripeUnavailable
from membership.db import db, writing
from membership.domain import audit, memberships, payments
from membership.domain.memberships import Membership
from membership.domain.payments import Refund

RESENT = (
    *DELETES,
    "subscriptions.update",
    "refunds.create",
    "invoices.pay",
    "invoices.void",
    "customers.update",
    MOVES,
)
QUIET = timedelta(seconds=30)
REFUND = "refund:"
ENDS = "ends:"
LEFT = {"member": audit.Tag.MEMBERSHIP_LEFT, "staff": audit.Tag.MEMBERSHIP_CANCELLED}
"""What is on record of a leave, by who it was."""


class Outcome(StrEnum):
    """What became of a change: Stripe agreed, has not answered (the worker asks again), or will not have it."""

    AGREED = "agreed"
    WAITING = "waiting"
    REFUSED = "refused"


def note_refund(asked: Refund, *, now: datetime) -> str:
    """Record the call for a refund that `payments.ask_refund` noted, in the same transaction; its key."""
    payment = payments.get_payment(asked.payment_id)
    params = {
        "charge": payment.stripe_charge_id,
        "amount": asked.amount_minor,
        "reason": "requested_by_customer",
        "metadata": {"request": asked.reference},
    }
    return calls.record(f"{REFUND}{asked.reference}", "refunds.create", params, now=now).idem_key


def refund(asked: Refund, *, now: datetime | None = None) -> Outcome:
    """Ask Stripe for a refund that was noted; commits."""
    now = now or clock.now()
    with writing():
        key = note_refund(asked, now=now)
        return send(key, now)


def send(key: str, now: datetime) -> Outcome:
    """Commit what was recorded and ask Stripe, unless that was done already."""
    db.session.commit()
    call = db.session.get_one(Call, key)
    if call.state is CallState.OK:
        db.session.commit()
        return Outcome.AGREED
    if not calls.is_open(call, now):
        db.session.commit()
        return Outcome.REFUSED if call.state is CallState.FAILED else Outcome.WAITING
    return _settle(call)


def _settle(call: Call) -> Outcome:
    """Make a recorded change. What is gone already at Stripe is stopped, but it is not refunded."""
    operation, key = call.operation, call.idem_key
    try:
        calls.send(call, refused=partial(_given_up, key), agreed=partial(_agreed, operation))
    except StripeUnavailable:
        return Outcome.WAITING
    except StripeRefused as error:
        is_gone = operation in DELETES and isinstance(error, StripeMissing)
        if key.startswith(ENDS):
            _stay(key)
        return Outcome.AGREED if is_gone else Outcome.REFUSED
    return Outcome.AGREED


def _agreed(operation: str, reply: facts.Plain) -> None:
    """Credit that was taken off a balance goes back from what was paid: recorded with Stripe's yes."""
    if operation == MOVES:
        now = clock.now()
        for asked in credit.taken(facts.moved(reply), now=now):
            note_refund(asked, now=now)


def _given_up(key: str) -> None:
    """A refund that Stripe will not make, or that can be asked no more, gives nothing back."""
    if key.startswith(REFUND):
        payments.refuse_refund(key.removeprefix(REFUND).rstrip("~"))


def _stay(key: str) -> None:
    """Stripe will not end it, or not let it go on, so nobody is told that it will: it is as it was before.

    Unless that was wished anew, or it has ended.
    """
    subscription_id, left_by = key.split(":")[1:3]
    with writing():
        membership = memberships.lock_for(None, subscription_id)
        is_last = calls.was_refused(key) and not calls.is_asked(f"{ENDS}{subscription_id}")
        if membership is not None and membership.is_live and is_last:
            _as_before(membership, left_by if left_by in LEFT else None)
        db.session.commit()


def _as_before(membership: Membership, left_by: str | None) -> None:
    """`left_by`: who had left, where its member came back; it still ends, as far as we know."""
    is_so = (membership.ended_by is None) == (left_by is None)
    if is_so or (left_by is not None and membership.ends_at is None):
        return
    membership.ended_by = left_by
    audit.record(
        LEFT[left_by] if left_by else audit.Tag.MEMBERSHIP_RETURNED,
        subject_type="membership",
        subject_id=membership.reference,
        details={"by": "stripe"},
    )


def resume_calls(now: datetime | None = None) -> int:
    """Ask again for changes whose outcome we never learned, tried longest ago first. Returns how many are settled now."""
    now = now or clock.now()
    keys = [call.idem_key for call in calls.open_calls(RESENT, now=now, quiet=QUIET)]
    db.session.commit()
    done = turns.each("call", keys, partial(_resume, now=now), unanswered=lambda one: one is Outcome.WAITING)
    return done.count(Outcome.AGREED)


def _resume(key: str, now: datetime) -> Outcome:
    with writing():
        call = db.session.get_one(Call, key, with_for_update=True, populate_existing=True)
        if call.state not in calls.WAITING:
            db.session.commit()
            return Outcome.WAITING
        call.tried_at = now  # whatever comes of it, others have their turn first
        if _is_to_be_found(call, now):
            return _unstuck(call, now)
        return _settle(call) if calls.is_open(call, now) else _leave_to_staff(call)


def _leave_to_staff(call: Call) -> Outcome:
    calls.give_up(call)
    _given_up(call.idem_key)
    db.session.commit()
    return Outcome.WAITING


def _is_to_be_found(call: Call, now: datetime) -> bool:
    """Whether asking again tells nothing, or too much: Stripe repeats its 5xx, or has forgotten the key of what it made."""
    is_old = call.operation in calls.LOOKED_FOR and not calls.is_open(call, now)
    return call.state in calls.WAITING and call.locked_params is not None and (calls.is_stuck(call) or is_old)


def _unstuck(call: Call, now: datetime) -> Outcome:
    """This key tells nothing any more: look whether the change was made, else use a new key.

    A refund that was not made for a day is for staff to decide.
    """
    operation, locked, key = call.operation, call.locked_params or b"", call.idem_key
    db.session.commit()
    params = vault.unlock(locked)
    if operation in calls.LOOKED_FOR:
        made = _made(operation, params)
        if made is not None:
            calls.found_done(key, str(made["id"]), follows=partial(_agreed, operation, made))
            return Outcome.AGREED
    stuck = db.session.get_one(Call, key, with_for_update=True, populate_existing=True)
    if not _is_to_be_found(stuck, now):  # another worker was faster, or a newer wish
        db.session.commit()
        return Outcome.WAITING
    if operation != MOVES and not calls.is_stuck(stuck):
        return _leave_to_staff(stuck)
    stuck.state, stuck.locked_params = CallState.SUPERSEDED, None
    again = calls.record(f"{key}~", operation, params, now=now)
    return send(again.idem_key, now)


def _made(operation: str, params: facts.Plain) -> facts.Plain | None:
    """What the call made; nothing for a customer who is gone."""
    try:
        return account.here().gateway.made(operation, dict(params))
    except StripeMissing:
        return None
