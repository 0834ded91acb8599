"""Inward: one function per Stripe object. What was fetched just now -> our rows made to agree.

Each kind has a fetch (no transaction open) and an apply (inside the worker's one fenced transaction). Applying twice,
late or in any order ends in the same rows: money is keyed by charge, refund and balance transaction, mails by fact.
An apply returns the objects that should be looked at next; nothing ever leads back to itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from membership import clock
from membership.billing import account, balances, calls, checkout, contacts, facts, notices, turns
from membership.billing.gateway import Gateway
from membership.config import Settings
from membership.db import db, member, writing
from membership.domain import donations, memberships, payments
from membership.domain.donations import Arrival, Donation, Standing
from membership.domain.memberships import Failure, Membership, MembershipStatus
from membership.domain.payments import Payment, PaymentStatus
from membership.money import Money

Key = tuple[str, str]
"""(object type, object id)"""

UNPAID = ("open", "uncollectible")
INVOICE_MAY_FOLLOW = timedelta(hours=1)
"""A subscription's charge may be seen before its invoice exists; after this it is nobody's."""


class NotYet(Exception):
    """Something this object depends on is not there yet: look again soon."""


@dataclass(frozen=True, slots=True)
class Convergence:
    """How one kind of object is fetched and applied."""

    fetch: Callable[[Gateway, str], Any]
    apply: Callable[[Any, Settings, datetime], list[Key]]


Owner = Donation | Membership


def _owner(attempt: str | None, subscription_id: str | None) -> Owner | None:
    """What is paid for: the gift or membership of this attempt, else of this subscription, locked."""
    return donations.lock_for(attempt, subscription_id) or memberships.lock_for(attempt, subscription_id)


def _session(found: facts.SessionFacts, settings: Settings, now: datetime) -> list[Key]:
    checkout.follow(found)
    owner = _owner(found.attempt, None)
    if owner is None:
        return []
    if found.status == "expired":
        if not checkout.has_open(owner, now):
            _move(owner, "expire")
    elif found.status == "complete" and found.has_failed:
        _never_began(owner, found, settings, now)
    elif found.status == "complete":
        owner.stripe_subscription_id = owner.stripe_subscription_id or found.subscription_id
        _move(owner, "wait")
    next_ones = (
        ("payment_intent", found.payment_intent_id),
        ("invoice", found.invoice_id),  # which leads to the charge that a reader on the thanks page waits for
        ("subscription", found.subscription_id),
    )
    return [(kind, object_id) for kind, object_id in next_ones if object_id]


def _never_began(owner: Owner, found: facts.SessionFacts, settings: Settings, now: datetime) -> None:
    """The debit of a first payment failed. Stripe would try it again although we say that nothing is charged, so what
    it was to begin ends; and whoever waits is told. Once another page was opened after it, that one counts.
    """
    if checkout.is_replaced(owner, found.id):
        return
    owner.stripe_subscription_id = owner.stripe_subscription_id or found.subscription_id
    if not _move(owner, "fail"):
        return
    checkout.note_let_go(owner, now=now)
    room: Any = donations if isinstance(owner, Donation) else memberships
    to, name = (found.contact.email, found.contact.name) if found.contact else (None, None)
    room.tell_failed(owner, session_id=found.id, to=to, name=name, settings=settings, now=now)


def _move(owner: Owner, verb: str) -> bool:
    return donations.move(owner, verb) if isinstance(owner, Donation) else memberships.move(owner, verb)


def _intent(found: facts.IntentFacts, settings: Settings, now: datetime) -> list[Key]:  # noqa: ARG001 - one signature for all
    owner = _owner(found.attempt, None)
    if owner is not None and found.status == "processing":
        _move(owner, "wait")
    return [("charge", found.latest_charge_id)] if found.latest_charge_id else []


def _charge(found: facts.ChargeFacts, settings: Settings, now: datetime) -> list[Key]:
    invoice = found.invoice
    owner = _owner(
        found.attempt or (invoice.attempt if invoice else None), invoice.subscription_id if invoice else None
    )
    if owner is None and invoice is None and now - found.created < INVOICE_MAY_FOLLOW:
        raise NotYet
    if owner is not None and invoice is not None and found.status != "failed":
        owner.stripe_subscription_id = owner.stripe_subscription_id or invoice.subscription_id
    payment = _arrived(owner, found, settings, now)
    # what began just now may have changed at Stripe before we knew that it was paid
    keys: list[Key] = []
    if owner is not None and owner.stripe_subscription_id:
        keys.append(("subscription", owner.stripe_subscription_id))
    if isinstance(owner, Membership) and payment is not None:
        checkout.note_unwanted(owner, payment, ended_at=found.ended_at, now=now)
    if payment is None or found.settlement is None or payment.status is not PaymentStatus.SUCCEEDED:
        return keys
    balances.keep(found.settlement)
    if isinstance(owner, Membership):
        memberships.book(payment, found.settlement.settlement, settings=settings)
    else:
        donations.book(payment, found.settlement.settlement, donation=owner, settings=settings, now=now)
    return keys + _refunds_to_see(payment, found.refund_ids)


def _arrived(
    owner: Owner | None, found: facts.ChargeFacts, settings: Settings, now: datetime
) -> Payment | None:
    if isinstance(owner, Membership):
        sold = found.invoice.product_id if found.invoice else None
        plan_id = checkout.plans_by_product(settings).get(sold or "")
        arrival = replace(_arrival(found), plan_id=plan_id, interval=found.interval)
        return memberships.arrived(owner, arrival, settings=settings, now=now)
    return donations.arrived(owner, _arrival(found), settings=settings, now=now)


def _refunds_to_see(payment: Payment, known_to_stripe: tuple[str, ...]) -> list[Key]:
    """Refunds that wait for their charge, whether or not we have heard of them."""
    rows = payments.refunds_of(payment)
    done = {row.stripe_refund_id for row in rows if row.booked_as}
    seen = {*known_to_stripe, *(row.stripe_refund_id for row in rows)} - done
    return sorted(("refund", one) for one in seen if one)


def _arrival(found: facts.ChargeFacts) -> Arrival:
    return Arrival(
        charge_id=found.id,
        amount=Money(found.amount, found.currency),
        status=member(PaymentStatus, found.status, PaymentStatus.PENDING),
        paid_at=found.created,
        payment_intent_id=found.payment_intent_id,
        invoice_id=found.invoice.id if found.invoice else None,
        card_country=found.card_country,
        customer_id=found.contact.customer_id,
        to=found.contact.email,
        name=found.contact.name,
        next_at=found.next_at,
        ended_at=found.ended_at,
        covers=found.invoice.covers if found.invoice else None,
        subscription_id=found.invoice.subscription_id if found.invoice else None,
    )


def _refund(found: facts.RefundFacts, settings: Settings, now: datetime) -> list[Key]:
    payment = payments.find_by_charge(found.charge_id)
    if payment is None:
        return [("charge", found.charge_id)]  # which looks at all its refunds once it is a payment
    if payment.donation_id:
        donations.lock_donation(payment.donation_id)
    elif payment.membership_id:
        memberships.lock_membership(payment.membership_id)
    payment = payments.lock_payment(payment.id)
    refund = payments.refund_seen(
        payment,
        found.id,
        amount_minor=found.amount,
        status=found.status,
        request=found.request,
        at=found.created,
    )
    notices.refund(payment, refund, found.contact, settings=settings, now=now)
    for balance in (found.settlement, found.failure):
        if balance is not None:
            balances.keep(balance)
    if payment.net_minor is None or found.settlement is None:
        return []  # booked after the charge itself, or when its balance transaction is there
    room = memberships if payment.membership_id else donations
    room.book_refund(payment, refund, found.settlement.settlement)
    if found.failure is not None:
        room.undo_refund(payment, refund, found.failure.settlement, now=now)
    return []


def _invoice(found: facts.InvoiceFacts, settings: Settings, now: datetime) -> list[Key]:
    owner = _owner(found.attempt, found.subscription_id)
    keys: list[Key] = []
    if isinstance(owner, Membership):
        _bill(owner, found, settings, now)
        if found.status == "paid" and owner.late_invoice_id not in (None, found.id):
            # Stripe would leave that one open beside this one
            keys.append(("invoice", owner.late_invoice_id or ""))
    elif owner is not None and _has_failed(found) and found.again_at is None:
        _give_up(owner, found, now)
    keys += [("payment_intent", intent_id) for intent_id in found.payment_intent_ids]
    return [*keys, ("subscription", found.subscription_id)] if found.subscription_id else keys


def _bill(membership: Membership, found: facts.InvoiceFacts, settings: Settings, now: datetime) -> None:
    if found.status == "paid" and membership.started_at is not None:
        memberships.covered(membership, found.covers, invoice_id=found.id)
    elif found.status == "void":
        memberships.no_longer_late(membership, found.id)
    elif _has_failed(found) and found.covers is not None and found.covers.end <= now:
        # all of its time is over, and hardly any of it was open: the invoice after it decides
        checkout.note_unpayable(found.id, now=now)
    elif _has_failed(found):
        memberships.late(membership, _failure(found), settings=settings, now=now)
    is_over = membership.status is MembershipStatus.ENDED or memberships.is_waived(membership, now)
    if is_over and found.status in UNPAID:
        checkout.note_unpayable(found.id, now=now)


def _has_failed(found: facts.InvoiceFacts) -> bool:
    return found.status in UNPAID and found.attempts > 0 and not found.is_processing


def _give_up(donation: Donation, found: facts.InvoiceFacts, now: datetime) -> None:
    """Stripe will not try a gift's payment again, if only because its bank wants it confirmed: the gift ends, and its
    giver is told, whether or not Stripe is set to end it.
    """
    is_paid = any(  # it was fetched just before
        one.stripe_invoice_id == found.id and one.status is PaymentStatus.SUCCEEDED
        for one in payments.payments_of(donation.id)
    )
    if donation.settled_at is not None and not is_paid:
        checkout.note_stop(donation, by="failed", now=now)


def _failure(found: facts.InvoiceFacts) -> Failure:
    contact = found.contact
    return Failure(
        invoice_id=found.id,
        attempts=found.attempts,
        amount=Money(found.remaining, found.currency),
        again_at=found.again_at,
        needs_action=found.needs_action,
        begins_at=found.covers.start if found.covers else None,
        pay_url=found.pay_url,
        to=contact.email if contact else None,
        name=contact.name if contact else None,
    )


@dataclass(frozen=True, slots=True)
class SubscriptionSeen:
    """A subscription as fetched, and how many of our changes of it Stripe was known to have agreed to before."""

    facts: facts.SubscriptionFacts
    agreed: int


def _fetch_subscription(gateway: Gateway, subscription_id: str) -> SubscriptionSeen:
    agreed = calls.agreed(subscription_id)
    db.session.commit()
    return SubscriptionSeen(gateway.subscription(subscription_id), agreed)


def _subscription(seen: SubscriptionSeen, settings: Settings, now: datetime) -> list[Key]:
    """Raises NotYet when Stripe has agreed to a change since: what was fetched may be older than that."""
    found = seen.facts
    owner = _owner(found.attempt, found.id)
    # asked first: a wish that is answered in between is seen by one of the two
    is_asked = isinstance(owner, Membership) and _is_asked_to_end(found.id)
    if calls.agreed(found.id) != seen.agreed:
        raise NotYet
    if isinstance(owner, Membership):
        standing = replace(
            _standing(found),
            plan_id=checkout.plans_by_product(settings).get(found.product_id or ""),
            is_asked_to_end=is_asked,
        )
        memberships.follow(owner, standing, settings=settings, now=now)
        if memberships.is_used_up(owner, now):
            checkout.note_let_go(owner, now=now)
        if owner.status is MembershipStatus.ENDED and owner.late_invoice_id is not None:
            checkout.note_unpayable(owner.late_invoice_id, now=now)
        if owner.status is MembershipStatus.ENDED and found.credit and found.contact.customer_id:
            return [("customer", found.contact.customer_id)]  # nothing uses its credit up any more
    elif owner is not None:
        donations.follow(owner, _standing(found), settings=settings, now=now)
    return []


def _is_asked_to_end(subscription_id: str) -> bool:
    return calls.is_asked(f"ends:{subscription_id}") or calls.is_asked(f"cancel:{subscription_id}")


def _standing(found: facts.SubscriptionFacts) -> Standing:
    return Standing(
        subscription_id=found.id,
        customer_id=found.contact.customer_id,
        status=found.status,
        period_end=found.period_end,
        is_paused=found.is_paused,
        resumes_at=found.resumes_at,
        ended_at=found.ended_at,
        failed=found.end_reason == "payment_failed",
        to=found.contact.email,
        name=found.contact.name,
        ends_at=found.ends_at,
        end_asked_at=found.end_asked_at,
        method_id=found.method_id,
        each=Money(found.amount, found.currency) if found.currency else None,
        interval=found.interval or None,
        credit_minor=found.credit,
    )


@dataclass(frozen=True, slots=True)
class CustomerSeen:
    """A customer as fetched, and what had become before of our movements of its balance."""

    facts: facts.CustomerFacts
    moves: list[calls.CallState]


def _fetch_customer(gateway: Gateway, customer_id: str) -> CustomerSeen:
    moves = checkout.moves_of(customer_id)
    db.session.commit()
    return CustomerSeen(gateway.customer(customer_id), moves)


def _customer(seen: CustomerSeen, settings: Settings, now: datetime) -> list[Key]:  # noqa: ARG001 - one signature for all
    """Raises NotYet when its balance was moved since: what was fetched may be older than that."""
    found = seen.facts
    theirs: list[Owner] = [*donations.find_by_customer(found.id), *memberships.find_by_customer(found.id)]
    if not found.deleted:
        for one in memberships.find_by_customer(found.id):
            checkout.note_card(memberships.lock_membership(one.id), found.method_id, now=now)
        if checkout.moves_of(found.id) != seen.moves:
            raise NotYet
        checkout.note_credit(found, now=now)
        return []
    for one in memberships.find_by_customer(found.id):
        one.credit_minor = 0  # it went with the customer
    for owner in theirs:
        owner.stripe_customer_id = None
    return [("subscription", one.stripe_subscription_id) for one in theirs if one.stripe_subscription_id]


CONVERGENCES: dict[str, Convergence] = {
    "checkout.session": Convergence(Gateway.session, _session),
    "payment_intent": Convergence(Gateway.intent, _intent),
    "charge": Convergence(Gateway.charge, _charge),
    "refund": Convergence(Gateway.refund, _refund),
    "invoice": Convergence(Gateway.invoice, _invoice),
    "subscription": Convergence(_fetch_subscription, _subscription),
    "customer": Convergence(_fetch_customer, _customer),
}


def announce_renewals(now: datetime | None = None) -> int:
    """Announce what renews yearly within 14 days; the address comes from Stripe, where it is kept. Commits each."""
    now = now or clock.now()
    gifts = [donation.id for donation in donations.due_announcements(now)]
    joined = [membership.id for membership in memberships.due_announcements(now)]
    db.session.commit()
    told = turns.each("gift", gifts, lambda one: _announce(donations.lock_donation, one, now))
    told += turns.each("membership", joined, lambda one: _announce(memberships.lock_membership, one, now))
    return sum(told)


def _announce(lock: Callable[[int], Owner], owner_id: int, now: datetime) -> bool:
    settings = account.here().settings
    customer_id = lock(owner_id).stripe_customer_id
    db.session.commit()
    contact = contacts.at_stripe(customer_id)
    with writing():
        owner = lock(owner_id)
        if contact is None or not contact.email:
            owner.announced_for = owner.next_on if isinstance(owner, Donation) else owner.next_at
            db.session.commit()  # nobody to tell
            return False
        if isinstance(owner, Donation):
            donations.announce(owner, to=contact.email, name=contact.name, settings=settings, now=now)
        else:
            memberships.announce(owner, to=contact.email, name=contact.name, settings=settings, now=now)
        db.session.commit()
    return True
