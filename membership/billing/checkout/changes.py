"""Another card, another plan, another amount: seen before it is done, done once.

A card is changed on Stripe's portal. Stripe puts it on the customer; a subscription that has a card of its own, as
those from Checkout do, keeps charging that one until it is told. So we tell it, and pay what is late with the new card.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from membership import clock, vault
from membership.billing import account, calls, facts
from membership.billing.checkout import asking, members, portals, products
from membership.billing.checkout.asking import Outcome
from membership.billing.checkout.opening import STRIPE_LOCALES
from membership.billing.gateway import StripeRefused, StripeUnavailable
from membership.db import db, writing
from membership.domain import memberships
from membership.domain.memberships import Membership, MembershipStatus
from membership.domain.plans import Plan
from membership.errors import N_, Conflict, DomainError
from membership.money import Money

PREVIEW_HOLDS = timedelta(minutes=30)
CARD_WAITS = timedelta(days=1)
"""How long after the portal was opened a new card of the customer counts as the one that was meant."""


class CardOutcome(StrEnum):
    """What became of a new card."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    PAID = "paid"
    DECLINED = "declined"
    WAITING = "waiting"


class Declined(DomainError):
    """The card was declined, so nothing has changed."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change costs: `today` at once, or `credit` that later payments use up; then `each` every period."""

    today: Money
    credit: Money
    each: Money
    interval: str
    next_on: datetime | None
    proration_at: int
    """The moment the figures hold for, in Unix seconds: the change is made as of it."""


def portal(membership: Membership, *, return_path: str, now: datetime | None = None) -> str:
    """The address where the card is changed, for one press. Raises StripeUnavailable or Conflict.

    `return_path` is a path on our site as it stands, with the language it is read in.
    """
    now, settings = now or clock.now(), account.here().settings
    if not membership.is_live or membership.stripe_customer_id is None:
        raise Conflict(N_("No card pays for this membership."))
    membership.card_asked_at = now
    customer, locale = membership.stripe_customer_id, membership.locale
    db.session.commit()
    back = f"{settings.base_url}{return_path}"
    asked = {
        "customer": customer,
        "configuration": portals.ensure_portal(now),
        "return_url": back,
        "locale": STRIPE_LOCALES.get(locale, "en"),
        "flow_data": {
            "type": "payment_method_update",
            "after_completion": {"type": "redirect", "redirect": {"return_url": back}},
        },
    }
    try:
        return account.here().gateway.portal(asked)
    except StripeRefused as error:
        raise StripeUnavailable(error.code) from None


def adopt_card(membership: Membership, *, now: datetime | None = None) -> CardOutcome:
    """After the portal: let the subscription charge the customer's new card, and pay what is late with it."""
    now = now or clock.now()
    membership_id, customer_id = membership.id, membership.stripe_customer_id
    db.session.commit()
    try:
        customer = account.here().quick.customer(customer_id or "")
    except (StripeUnavailable, StripeRefused):
        return CardOutcome.WAITING
    with writing():
        db.session.commit()
        membership = memberships.lock_membership(membership_id)
        keys, late_invoice_id = note_card(membership, customer.method_id, now=now), membership.late_invoice_id
        outcomes = [asking.send(key, now) for key in keys]
        db.session.commit()
    if Outcome.REFUSED in outcomes and Outcome.WAITING not in outcomes:
        return _refused(keys, late_invoice_id)
    return _card_outcome(outcomes)


def _card_outcome(outcomes: list[Outcome]) -> CardOutcome:
    if not outcomes:
        return CardOutcome.UNCHANGED
    if Outcome.WAITING in outcomes:
        return CardOutcome.WAITING
    return CardOutcome.PAID if len(outcomes) > 1 else CardOutcome.CHANGED


def _refused(keys: list[str], late_invoice_id: str | None) -> CardOutcome:
    """A bank said no; or what was late is paid already, on the page that the mail leads to; or it can be tried again."""
    is_declined = any(calls.was_declined(key) for key in keys)
    db.session.commit()
    if is_declined:
        return CardOutcome.DECLINED
    try:
        is_paid = account.here().quick.invoice(late_invoice_id or "").status == "paid"
    except (StripeUnavailable, StripeRefused):
        is_paid = False
    return CardOutcome.PAID if is_paid else CardOutcome.WAITING


def note_card(membership: Membership, method_id: str | None, *, now: datetime) -> list[str]:
    """Record the calls that make a new card this membership's; their keys. None where nobody asked for it.

    Whoever has left meanwhile pays nothing with it.
    """
    asked_at, subscription_id = membership.card_asked_at, membership.stripe_subscription_id
    if method_id is None or method_id == membership.stripe_method_id or members.is_closing(membership):
        return []
    if subscription_id is None or not membership.is_live or not asked_at or now - asked_at > CARD_WAITS:
        return []
    params = {"id": subscription_id, "default_payment_method": method_id}
    wish = f"{method_id}:{int(asked_at.timestamp())}"
    card = calls.fresh_key(f"card:{subscription_id}:{wish}")
    keys = [calls.wish(card, "subscriptions.update", params, now=now).idem_key]
    if membership.late_invoice_id and membership.late_attempts and membership.ended_by is None:
        pay = {"id": membership.late_invoice_id, "payment_method": method_id}
        key = calls.fresh_key(f"pay:{membership.late_invoice_id}:{wish}")
        keys.append(calls.record(key, "invoices.pay", pay, now=now).idem_key)
    return keys


def preview(
    membership: Membership, *, plan: Plan, amount: Money, interval: str, now: datetime | None = None
) -> Preview:
    """What a change would cost, asked of Stripe; nothing changes. Raises Conflict, Invalid or StripeUnavailable."""
    now = now or clock.now()
    subscription_id, settings = _changeable(membership), account.here().settings
    memberships.screen_change(membership, plan, amount, interval=interval, settings=settings)
    product = products.of_plan(plan, settings)
    db.session.commit()
    products.ensure(product, now)
    gateway, at = account.here().gateway, int(now.timestamp())
    found = _found(subscription_id)
    wish = _wish(found, product.id, amount, interval, at)
    try:
        bill = gateway.preview(subscription_id, wish)
    except StripeRefused as error:
        raise StripeUnavailable(error.code) from None
    same_rhythm = interval == found.interval
    return Preview(
        today=Money(max(bill.due, 0), bill.currency),
        credit=Money(max(-bill.total, 0), bill.currency),
        each=amount,
        interval=interval,
        next_on=found.period_end if same_rhythm else None,
        proration_at=at,
    )


def change(
    membership: Membership,
    *,
    plan: Plan,
    amount: Money,
    interval: str,
    proration_at: int,
    now: datetime | None = None,
) -> Outcome:
    """Make the change that was shown, as of the moment it was shown for. Raises Declined, Conflict, StripeUnavailable."""
    now = now or clock.now()
    if not 0 <= int(now.timestamp()) - proration_at <= PREVIEW_HOLDS.total_seconds():
        raise Conflict(N_("These figures are no longer current. Please look at them again."))
    membership_id, subscription_id = membership.id, _changeable(membership)
    settings = account.here().settings
    memberships.screen_change(membership, plan, amount, interval=interval, settings=settings)
    product = products.of_plan(plan, settings)
    db.session.commit()
    found = _found(subscription_id)
    params = {
        "id": subscription_id,
        **_wish(found, product.id, amount, interval, proration_at),
        "payment_behavior": "error_if_incomplete",
    }
    content = vault.fingerprint(f"{plan.id} {amount.minor} {amount.currency} {interval} {proration_at}")[:32]
    with writing():
        membership = memberships.lock_membership(membership_id)
        _changeable(membership)  # still: it may have been left while Stripe was asked
        key = f"change:{subscription_id}:{content}"
        calls.wish(key, "subscriptions.update", params, now=now)
        outcome = asking.send(key, now)
    if outcome is Outcome.REFUSED:
        raise _said_no(key)
    return outcome


def _said_no(key: str) -> DomainError:
    """A bank declined it, or Stripe would not have it: the subscription has ended there meanwhile, say."""
    if calls.was_declined(key):
        return Declined(
            N_("The bank declined this payment, so nothing has changed. You can change the card first.")
        )
    return Conflict(N_("Stripe would not make this change, so nothing was charged. Please look at it again."))


def _wish(
    found: facts.SubscriptionFacts, product_id: str, amount: Money, interval: str, at: int
) -> dict[str, Any]:
    price = {
        "currency": amount.currency.lower(),
        "product": product_id,
        "unit_amount": amount.minor,
        "recurring": {"interval": interval},
    }
    return {
        "items": [{"id": found.item_id, "price_data": price}],
        "proration_behavior": "always_invoice",
        "proration_date": at,
    }


def _found(subscription_id: str) -> facts.SubscriptionFacts:
    """As Stripe has it now, which our row may not know yet: what is billed while it rests is void."""
    try:
        found = account.here().gateway.subscription(subscription_id)
    except StripeRefused as error:
        raise StripeUnavailable(error.code) from None
    if found.is_paused or found.is_ending:
        raise Conflict(N_("Only a membership that goes on and is paid can be changed."))
    return found


def _changeable(membership: Membership) -> str:
    is_over = membership.status is not MembershipStatus.ACTIVE or members.is_closing(membership)
    if is_over or membership.stripe_subscription_id is None:
        raise Conflict(N_("Only a membership that goes on and is paid can be changed."))
    if membership.ends_at is not None or membership.ended_by is not None:
        raise Conflict(N_("This membership is going to end. Undo that first, then change it."))
    return membership.stripe_subscription_id
