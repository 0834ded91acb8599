"""Inward: one function per Stripe object. What was fetched just now -> our rows made to agree.

Each kind has a fetch (no transaction open) and an apply (inside the worker's one fenced transaction). Applying twice,
late or in any order ends in the same rows: money is keyed by charge, refund and balance transaction, mails by fact.
An apply returns the objects that should be looked at next; nothing ever leads back to itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from membership import clock
from membership.billing import account, balances, checkout, facts
from membership.billing.gateway import Gateway, StripeRefused
from membership.config import Settings
from membership.db import db, member, writing
from membership.domain import donations, payments
from membership.domain.donations import Arrival, Standing
from membership.domain.payments import Payment, PaymentStatus
from membership.money import Money

Key = tuple[str, str]
"""(object type, object id)"""

INVOICE_MAY_FOLLOW = timedelta(hours=1)
"""A subscription's charge may be seen before its invoice exists; after this it is nobody's."""


class NotYet(Exception):
    """Something this object depends on is not there yet: look again soon."""


@dataclass(frozen=True, slots=True)
class Convergence:
    """How one kind of object is fetched and applied."""

    fetch: Callable[[Gateway, str], Any]
    apply: Callable[[Any, Settings, datetime], list[Key]]


def _session(found: facts.SessionFacts, settings: Settings, now: datetime) -> list[Key]:  # noqa: ARG001 - the same
    checkout.follow(found)
    donation = donations.lock_for(found.attempt, None)
    if donation is None:
        return []
    if found.status == "expired":
        if not checkout.has_open(donation, now):
            donations.move(donation, "expire")
    elif found.status == "complete":
        donations.move(donation, "fail" if found.has_failed else "wait")
    if found.subscription_id:
        donation.stripe_subscription_id = donation.stripe_subscription_id or found.subscription_id
    next_ones = (
        ("payment_intent", found.payment_intent_id),
        ("subscription", found.subscription_id),
        ("invoice", found.invoice_id),
    )
    return [(kind, object_id) for kind, object_id in next_ones if object_id]


def _intent(found: facts.IntentFacts, settings: Settings, now: datetime) -> list[Key]:  # noqa: ARG001 - one signature for all
    donation = donations.lock_for(found.attempt, None)
    if donation is not None and found.status == "processing":
        donations.move(donation, "wait")
    return [("charge", found.latest_charge_id)] if found.latest_charge_id else []


def _charge(found: facts.ChargeFacts, settings: Settings, now: datetime) -> list[Key]:
    invoice = found.invoice
    donation = donations.lock_for(
        found.attempt or (invoice.attempt if invoice else None), invoice.subscription_id if invoice else None
    )
    if donation is None and invoice is None and now - found.created < INVOICE_MAY_FOLLOW:
        raise NotYet
    if donation is not None and invoice is not None:
        donation.stripe_subscription_id = donation.stripe_subscription_id or invoice.subscription_id
    payment = donations.arrived(donation, _arrival(found), settings=settings, now=now)
    if payment is None or found.settlement is None or payment.status is not PaymentStatus.SUCCEEDED:
        return []
    balances.keep(found.settlement)
    donations.book(payment, found.settlement.settlement, donation=donation, settings=settings, now=now)
    return _refunds_to_see(payment, found.refund_ids)


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
    )


def _refund(found: facts.RefundFacts, settings: Settings, now: datetime) -> list[Key]:  # noqa: ARG001 - one signature
    payment = payments.find_by_charge(found.charge_id)
    if payment is None:
        return [("charge", found.charge_id)]  # which looks at all its refunds once it is a payment
    if payment.donation_id:
        donations.lock_donation(payment.donation_id)
    payment = payments.lock_payment(payment.id)
    refund = payments.refund_seen(
        payment,
        found.id,
        amount_minor=found.amount,
        status=found.status,
        request=found.request,
        at=found.created,
    )
    for balance in (found.settlement, found.failure):
        if balance is not None:
            balances.keep(balance)
    if payment.net_minor is None or found.settlement is None:
        return []  # booked after the charge itself, or when its balance transaction is there
    if found.settlement.currency == payment.settled_currency:
        donations.book_refund(payment, refund, found.settlement.settlement)
        if found.failure is not None:
            donations.undo_refund(payment, refund, found.failure.settlement, now=now)
    return []


def _invoice(found: facts.InvoiceFacts, settings: Settings, now: datetime) -> list[Key]:  # noqa: ARG001 - one signature for all
    keys: list[Key] = [("payment_intent", intent_id) for intent_id in found.payment_intent_ids]
    return [*keys, ("subscription", found.subscription_id)] if found.subscription_id else keys


def _subscription(found: facts.SubscriptionFacts, settings: Settings, now: datetime) -> list[Key]:
    donation = donations.lock_for(found.attempt, found.id)
    if donation is None:
        return []
    donations.follow(
        donation,
        Standing(
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
        ),
        settings=settings,
        now=now,
    )
    return []


def _customer(found: facts.CustomerFacts, settings: Settings, now: datetime) -> list[Key]:  # noqa: ARG001 - one signature for all
    if not found.deleted:
        return []
    theirs = donations.find_by_customer(found.id)
    for donation in theirs:
        donation.stripe_customer_id = None
    return [("subscription", one.stripe_subscription_id) for one in theirs if one.stripe_subscription_id]


CONVERGENCES: dict[str, Convergence] = {
    "checkout.session": Convergence(Gateway.session, _session),
    "payment_intent": Convergence(Gateway.intent, _intent),
    "charge": Convergence(Gateway.charge, _charge),
    "refund": Convergence(Gateway.refund, _refund),
    "invoice": Convergence(Gateway.invoice, _invoice),
    "subscription": Convergence(Gateway.subscription, _subscription),
    "customer": Convergence(Gateway.customer, _customer),
}


def announce_renewals(now: datetime | None = None) -> int:
    """Announce yearly gifts that renew within 14 days; the address comes from Stripe, where it is kept. Commits each."""
    now = now or clock.now()
    here = account.here()
    announced = 0
    for donation_id in [donation.id for donation in donations.due_announcements(now)]:
        customer_id = donations.lock_donation(donation_id).stripe_customer_id
        db.session.commit()
        try:
            contact = here.gateway.customer(customer_id).contact if customer_id else None
        except StripeRefused:
            contact = None
        with writing():
            donation = donations.lock_donation(donation_id)
            if contact and contact.email:
                donations.announce(
                    donation, to=contact.email, name=contact.name, settings=here.settings, now=now
                )
                announced += 1
            else:
                donation.announced_for = donation.next_on  # nobody to tell
            db.session.commit()
    return announced
