"""Opening a payment: the pledge or the joining is written down, then its Checkout is opened. One press, one payment."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from membership import clock, vault
from membership.billing import account
from membership.billing.checkout import products, sessions
from membership.billing.checkout.sessions import Checkout, Order
from membership.config import Settings
from membership.db import db
from membership.domain import donations, fundraisers, memberships, plans
from membership.domain.donations import Donation, Pledge
from membership.domain.fundraisers import Fundraiser
from membership.domain.memberships import Join, Membership

STRIPE_LOCALES = {
    "en": "en",
    "ru": "ru",
    "tr": "tr",
    "de": "de",
    "fr": "fr",
    "es": "es",
    "it": "it",
    "pl": "pl",
}


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the reader goes next: `url` at Stripe, or None when it is paid or on its way already."""

    reference: str
    url: str | None


def give(fundraiser: Fundraiser, pledge: Pledge, *, now: datetime | None = None) -> Begun:
    """Pledge and open the payment. Raises Invalid, Conflict, or StripeUnavailable (then the pledge is kept)."""
    settings, now = account.here().settings, now or clock.now()

    def write(replaces: bool) -> Donation:
        return donations.pledge(fundraiser, pledge, replaces=replaces, settings=settings, now=now)

    return _begin(
        lambda: donations.find_by_attempt(pledge.attempt),
        lambda known: donations.is_same(known, pledge),
        write,
        pledge.email,
        now,
    )


def join(join: Join, *, now: datetime | None = None) -> Begun:
    """Write the membership down and open its payment. Raises as `give` does."""
    settings, now = account.here().settings, now or clock.now()

    def write(replaces: bool) -> Membership:
        return memberships.join(join, replaces=replaces, settings=settings, now=now)

    return _begin(
        lambda: memberships.find_by_attempt(join.attempt),
        lambda known: memberships.is_same(known, join),
        write,
        join.email,
        now,
    )


def _begin(
    find: Callable[[], Any],
    is_same: Callable[[Any], bool],
    write: Callable[[bool], Any],
    email: str,
    now: datetime,
) -> Begun:
    """One attempt, one payment: the same content finds its open Checkout, other content has the old one closed first."""
    existing = find()
    is_other = existing is not None and not is_same(existing)
    if existing is not None and is_other and not sessions.close(_order(existing), now):
        return Begun(existing.reference, None)
    subject = write(is_other)
    if not is_other and not is_same(subject):  # another tab was faster with other content
        db.session.commit()
        return _begin(find, is_same, write, email, now)
    reference, order = subject.reference, _order(subject)
    db.session.commit()
    return Begun(reference, sessions.open_page(order, email, now))


def _order(subject: Donation | Membership) -> Order:
    if isinstance(subject, Donation):
        return Order(
            Checkout.donation_id,
            subject.id,
            donations.lock_donation,
            donations.press_again,
            _gift_params,
            lambda _, settings: products.of_gifts(settings),
        )
    return Order(
        Checkout.membership_id,
        subject.id,
        memberships.lock_membership,
        memberships.press_again,
        _membership_params,
        lambda found, settings: products.of_plan(plans.plan_of(found.plan_id), settings),
    )


def _params(
    subject: Donation | Membership, checkout: Checkout, email: str, settings: Settings, *, back: str
) -> dict[str, Any]:
    """What both Checkouts say, frozen: a repeated call sends the very same."""
    return {
        "client_reference_id": subject.attempt,
        "metadata": {"attempt": subject.attempt},
        "customer_email": vault.clean_email(email),
        "locale": STRIPE_LOCALES.get(subject.locale, "en"),
        "success_url": settings.link(f"/thanks/{subject.reference}", subject.locale),
        "cancel_url": settings.link(f"{back}?cancelled={subject.reference}", subject.locale),
        "expires_at": int(checkout.expires_at.timestamp()),
        "adaptive_pricing": {"enabled": False},
    }


def _gift_params(donation: Donation, checkout: Checkout, email: str, settings: Settings) -> dict[str, Any]:
    fundraiser = fundraisers.fundraiser_of(donation.fundraiser_id)
    ours = {"attempt": donation.attempt}
    price: dict[str, Any] = {
        "currency": donation.currency.lower(),
        "unit_amount": donation.charged_minor,
        "product": products.of_gifts(settings).id,
    }
    params = _params(donation, checkout, email, settings, back=f"/fundraisers/{fundraiser.slug}/give")
    params["line_items"] = [{"price_data": price, "quantity": 1}]
    if donation.is_recurring:
        price["recurring"] = {"interval": donation.interval.value}
        return params | {"mode": "subscription", "subscription_data": {"metadata": ours}}
    return params | {
        "mode": "payment",
        "submit_type": "donate",
        "customer_creation": "always",
        "payment_intent_data": {"metadata": ours},
    }


def _membership_params(
    membership: Membership, checkout: Checkout, email: str, settings: Settings
) -> dict[str, Any]:
    plan = plans.plan_of(membership.plan_id)
    price = {
        "currency": (membership.currency or "").lower(),
        "unit_amount": membership.amount_minor,
        "product": products.of_plan(plan, settings).id,
        "recurring": {"interval": membership.interval},
    }
    return _params(membership, checkout, email, settings, back=f"/join/{plan.slug}") | {
        "line_items": [{"price_data": price, "quantity": 1}],
        "mode": "subscription",
        "subscription_data": {"metadata": {"attempt": membership.attempt}},
    }
