"""Credit that stays at Stripe when a membership has ended: taken off the customer's balance, then given back.

Stripe's numbers are the truth. The balance is taken down first; in the transaction that notes Stripe's yes as much is asked
back of what was paid, the newest payment first. What cannot go back that way, or may have gone back already, stays on
the balance, or returns to it, and stands at the desk.
"""

from datetime import datetime
from itertools import count

from membership.billing import account, calls, facts
from membership.billing.calls import CallState
from membership.domain import memberships, payments
from membership.domain.memberships import Membership, MembershipStatus
from membership.domain.payments import Payment, Refund
from membership.money import Money

WHY = "Credit of a membership that has ended"
BACK = "Credit that could not be given back"


def moves_of(customer_id: str) -> list[CallState]:
    """What became of each movement of this customer's balance that we ever asked for."""
    found = (calls.find_last(_key(customer_id, number)) for number in count(1))
    states = []
    for call in found:
        if call is None:
            break
        states.append(call.state)
    return states


def _key(customer_id: str, number: int) -> str:
    return f"credit:{customer_id}:{number}"


def note_credit(found: facts.CustomerFacts, *, now: datetime) -> None:
    """Record that credit which nothing uses up any more is taken off the balance.

    Of what was withdrawn from all payments go back, so its credit is worth nothing. Of others no more is taken than
    goes back by itself.
    """
    theirs = _locked(found.id)
    if not theirs or any(one.status is not MembershipStatus.ENDED for one in theirs):
        return
    last = theirs[-1]
    if any(state in calls.WAITING for state in moves_of(found.id)):
        return
    last.credit_minor = found.credit
    if not found.credit or found.is_billed:
        return
    amount = Money(found.credit, found.currency)
    if not memberships.is_given_back(last):
        amount = _total(memberships.give_back(_paid(theirs), amount), amount.currency)
    if amount.minor:
        _record(last, found.id, amount, WHY, now)


def _locked(customer_id: str) -> list[Membership]:
    """What this customer pays or paid for, oldest first: usually one, since each joining makes a customer of its own."""
    ids = sorted(one.id for one in memberships.find_by_customer(customer_id))
    return [memberships.lock_membership(one) for one in ids]


def _paid(theirs: list[Membership]) -> list[Payment]:
    """What was paid for them; each is locked, so that nobody gives back the same money meanwhile."""
    paid = [one for mine in theirs for one in payments.payments_of(membership_id=mine.id)]
    return [payments.lock_payment(one.id) for one in paid]


def _total(parts: list[tuple[Payment, Money]], currency: str) -> Money:
    return sum((part for _, part in parts), Money(0, currency))


def _record(membership: Membership, customer_id: str, amount: Money, why: str, now: datetime) -> None:
    key = _key(customer_id, len(moves_of(customer_id)) + 1)
    params = {
        "id": customer_id,
        "amount": amount.minor,
        "currency": amount.currency.lower(),
        "description": why,
        "metadata": {"membership": membership.reference, "request": key},
    }
    calls.record(key, calls.MOVES, params, now=now)


def taken(moved: facts.MovedFacts, *, now: datetime) -> list[Refund]:
    """Stripe took so much off the balance: the refunds that may be asked for at once.

    The balance after it says how much was really there. What was not, and what does not go back by itself any more, is
    put on the balance again. Above the review limit the refunds wait for a second person.
    """
    membership = memberships.lock_membership(memberships.get_membership(moved.membership).id)
    membership.credit_minor = max(-moved.left, 0)
    if moved.amount <= 0 or memberships.is_given_back(membership):
        return []
    held = Money(max(moved.amount - max(moved.left, 0), 0), moved.currency)
    paid = _paid(_locked(moved.customer_id) or [membership])
    was = Money(held.minor + membership.credit_minor, moved.currency)
    parts = memberships.give_back(paid, was, most=held)
    settings = account.here().settings
    needs_second = any(payments.needs_second(payment, held, settings=settings) for payment, _ in parts)
    asked = [
        payments.ask_refund(
            payment,
            part,
            reason=memberships.CREDIT,
            needs_second=needs_second,
            reference=f"{moved.request}-{payment.id}",
            now=now,
        )
        for payment, part in parts
    ]
    rest = moved.amount - _total(parts, moved.currency).minor
    if rest:
        _record(membership, moved.customer_id, Money(-rest, moved.currency), BACK, now)
    return [] if needs_second else asked
