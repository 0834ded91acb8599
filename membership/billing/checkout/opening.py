"""Opening a payment: the pledge, the Checkout Session that is made once, and what a second press finds."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock, vault
from membership.billing import account, calls, facts
from membership.billing.calls import Call, CallState
from membership.billing.gateway import StripeMissing, StripeRefused, StripeUnavailable
from membership.config import Settings
from membership.db import Base, db, insert_once, str_enum, writing
from membership.domain import donations, fundraisers
from membership.domain.donations import Donation, Pledge, Status
from membership.domain.fundraisers import Fundraiser

LIVES = timedelta(seconds=2100)
"""How long a Checkout stays open: a stolen link is of little use to card testers."""
STRIPE_LEAST = timedelta(minutes=30)
"""Stripe takes no session that lives less; a call recorded longer ago than the difference would be refused."""
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
ALREADY_THERE = "resource_already_exists"


class CheckoutState(StrEnum):
    """What we know of a Checkout; Stripe knows better."""

    ASKED = "asked"
    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"
    REFUSED = "refused"


class Checkout(Base):
    """One Checkout Session of a gift; a gift may need several, one after the other."""

    __tablename__ = "checkouts"
    __table_args__ = (
        UniqueConstraint("donation_id", "number"),
        UniqueConstraint("membership_id", "number"),
        CheckConstraint("(donation_id IS NULL) <> (membership_id IS NULL)", name="one_subject"),
        Index("ix_checkouts_open", "state", "expires_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    donation_id: Mapped[int | None] = mapped_column(ForeignKey("donations.id"))
    membership_id: Mapped[int | None] = mapped_column(ForeignKey("memberships.id"))
    number: Mapped[int]
    state: Mapped[CheckoutState] = mapped_column(str_enum(CheckoutState))
    key: Mapped[str] = mapped_column(unique=True)
    """The key of the call that makes it; from the attempt, which no other installation can have."""
    stripe_session_id: Mapped[str | None] = mapped_column(unique=True)
    expires_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the reader goes next: `url` at Stripe, or None when the gift is paid or on its way already."""

    reference: str
    url: str | None


def give(fundraiser: Fundraiser, pledge: Pledge, *, now: datetime | None = None) -> Begun:
    """Pledge and open the payment. Raises Invalid, Conflict, or StripeUnavailable (then the pledge is kept)."""
    settings, now = account.here().settings, now or clock.now()
    existing = donations.find_by_attempt(pledge.attempt)
    is_other = existing is not None and not donations.is_same(existing, pledge)
    if existing is not None and is_other and not _close(existing, now):
        return Begun(existing.reference, None)
    donation = donations.pledge(fundraiser, pledge, replaces=is_other, settings=settings, now=now)
    if not is_other and not donations.is_same(donation, pledge):  # another tab was faster with other content
        db.session.commit()
        return give(fundraiser, pledge, now=now)
    reference, donation_id = donation.reference, donation.id
    db.session.commit()
    return Begun(reference, _open(donation_id, pledge.email, now))


def _latest(donation_id: int) -> Checkout | None:
    found = select(Checkout).where(Checkout.donation_id == donation_id)
    return db.session.scalar(found.order_by(Checkout.number.desc()).limit(1))


def _open(donation_id: int, email: str, now: datetime) -> str | None:
    """The address of an open Checkout for this gift; None when it needs none any more."""
    donation = donations.lock_donation(donation_id)
    if donation.status in (Status.SETTLED, Status.PROCESSING):
        db.session.commit()
        return None
    checkout = _latest(donation_id)
    # read once: another press may be ahead of this one
    call = calls.find_call(checkout.key) if checkout else None
    if checkout is not None and (session_id := _session_of(checkout, call)):
        session = _look_at(checkout, session_id)
        if session.status == "open":
            return session.url
        donation = donations.lock_donation(donation_id)
        if session.status == "complete" and donation.status is not Status.FAILED and not session.has_failed:
            db.session.commit()
            return None  # paid, or on its way, even if we have not seen the charge yet
        call = None
    # a session that a broken or late reply hides is no danger: nobody has its address
    is_late = checkout is not None and checkout.expires_at < now + STRIPE_LEAST
    if checkout is None or call is None or not calls.is_open(call, now) or calls.is_stuck(call) or is_late:
        checkout, call = _ask(donation, email, (checkout.number if checkout else 0) + 1, now)
    return _send(checkout, call, now)


def _session_of(checkout: Checkout, call: Call | None) -> str:
    """The session's id, from the row or from the call that made it: whoever made it may not have written it yet."""
    return checkout.stripe_session_id or (call.result_id if call else None) or ""


def _ask(donation: Donation, email: str, number: int, now: datetime) -> tuple[Checkout, Call]:
    """Record the next Checkout and the call that makes it; two clicks at once record the same one."""
    settings = account.here().settings
    expires_at = now + LIVES
    _let_go(donation, now)
    donations.press_again(donation, now=now)
    insert_once(
        Checkout,
        donation_id=donation.id,
        number=number,
        key=f"cs:{donation.attempt}:{number}",
        state=CheckoutState.ASKED,
        expires_at=expires_at,
    )
    found = select(Checkout).where(Checkout.donation_id == donation.id, Checkout.number == number)
    checkout = db.session.scalars(found).one()
    params = _params(donation, checkout, email, settings)
    return checkout, calls.record(checkout.key, "sessions.create", params, now=now)


def _let_go(donation: Donation, now: datetime) -> None:
    """A subscription whose first payment failed ends before another takes its place: Stripe might still collect it."""
    if donation.stripe_subscription_id:
        calls.record_cancel(donation.stripe_subscription_id, now=now)
        donation.stripe_subscription_id = None


def _send(checkout: Checkout, call: Call, now: datetime) -> str | None:
    checkout_id = checkout.id
    _ensure_product(now)
    if call.state is CallState.OK:  # another press was faster
        return _look_at(checkout, call.result_id or "").url
    try:
        reply = calls.send(call, now=now)
    except StripeRefused as error:
        _remember(checkout_id, CheckoutState.REFUSED, None)
        raise StripeUnavailable(error.code) from None
    _remember(checkout_id, CheckoutState.OPEN, str(reply["id"]))
    return str(reply["url"])


def _remember(checkout_id: int, state: CheckoutState, session_id: str | None) -> None:
    with writing():
        checkout = db.session.get_one(Checkout, checkout_id, with_for_update=True, populate_existing=True)
        checkout.stripe_session_id = checkout.stripe_session_id or session_id
        checkout.state = state
        if state is CheckoutState.OPEN:
            donations.gift_of(checkout.donation_id or 0).opened = True
        db.session.commit()


def follow(session: facts.SessionFacts) -> None:
    """Make the row agree with the session that was fetched."""
    checkout = db.session.scalar(select(Checkout).where(Checkout.stripe_session_id == session.id))
    if checkout is not None:
        checkout.state = CheckoutState(session.status)


def has_open(donation: Donation, now: datetime) -> bool:
    """Whether a Checkout of this gift may still be paid, or may turn out to have been."""
    open_ = select(Checkout.id).where(
        Checkout.donation_id == donation.id,
        Checkout.state.in_((CheckoutState.OPEN, CheckoutState.ASKED)),
        Checkout.expires_at > now,
    )
    return db.session.scalar(open_.limit(1)) is not None


def overdue_sessions(before: datetime) -> list[str]:
    """Sessions that should have ended by then and that nobody told us about."""
    found = select(Checkout.stripe_session_id).where(
        Checkout.state == CheckoutState.OPEN,
        Checkout.expires_at < before,
        Checkout.stripe_session_id.is_not(None),
    )
    return [one for one in db.session.scalars(found.order_by(Checkout.expires_at).limit(500)) if one]


def latest_session(donation: Donation) -> str | None:
    """The id of the newest session of a gift, to look at while its reader waits."""
    checkout = _latest(donation.id)
    return checkout.stripe_session_id if checkout else None


def _look_at(checkout: Checkout, session_id: str) -> facts.SessionFacts:
    """The session as Stripe has it, with no transaction open while asking. Only an open one has an address."""
    checkout_id, expires_at = checkout.id, checkout.expires_at
    db.session.commit()
    try:
        session = account.here().gateway.session(session_id)
    except StripeMissing:  # another account, or a pretend Stripe that begins anew: nobody can pay it
        session = facts.gone(session_id, expires_at)
    except StripeRefused as error:
        raise StripeUnavailable(error.code) from None
    _remember(checkout_id, CheckoutState(session.status), session_id)
    return session


def _close(donation: Donation, now: datetime) -> bool:
    """Expire the open Checkout of a gift whose content is about to change; False when it was paid meanwhile."""
    if donation.status in (Status.SETTLED, Status.PROCESSING):
        return False
    checkout = _latest(donation.id)
    if checkout is None:
        return True
    call, checkout_id = calls.find_call(checkout.key), checkout.id
    session_id = _session_of(checkout, call)
    if not session_id and call is not None and calls.is_open(call, now) and not calls.is_stuck(call):
        _send(checkout, call, now)  # an outcome we never learned: find the session, then expire it
        checkout = db.session.get_one(Checkout, checkout_id)
        session_id = _session_of(checkout, None)
    if not session_id or checkout.state in (CheckoutState.EXPIRED, CheckoutState.REFUSED):
        return True
    expire = calls.record(
        calls.fresh_key(f"expire:{session_id}"), "sessions.expire", {"id": session_id}, now=now
    )
    try:
        if expire.state is not CallState.OK:
            calls.send(expire, now=now)
    except StripeRefused:  # not open any more: expired by itself, or complete
        session = _look_at(db.session.get_one(Checkout, checkout_id), session_id)
        return session.status != "complete" or session.has_failed
    _remember(checkout_id, CheckoutState.EXPIRED, session_id)
    return True


def _params(donation: Donation, checkout: Checkout, email: str, settings: Settings) -> dict[str, Any]:
    """The Checkout Session, frozen: a repeated call sends the very same."""
    fundraiser = fundraisers.fundraiser_of(donation.fundraiser_id)
    back = f"/fundraisers/{fundraiser.slug}/give?cancelled={donation.reference}"
    ours = {"attempt": donation.attempt}
    price: dict[str, Any] = {
        "currency": donation.currency.lower(),
        "unit_amount": donation.charged_minor,
        "product": product_id(settings),
    }
    params: dict[str, Any] = {
        "client_reference_id": donation.attempt,
        "metadata": ours,
        "customer_email": vault.clean_email(email),
        "locale": STRIPE_LOCALES.get(donation.locale, "en"),
        "success_url": settings.link(f"/thanks/{donation.reference}", donation.locale),
        "cancel_url": settings.link(back, donation.locale),
        "expires_at": int(checkout.expires_at.timestamp()),
        "adaptive_pricing": {"enabled": False},
        "line_items": [{"price_data": price, "quantity": 1}],
    }
    if donation.is_recurring:
        price["recurring"] = {"interval": donation.interval.value}
        return params | {"mode": "subscription", "subscription_data": {"metadata": ours}}
    return params | {
        "mode": "payment",
        "submit_type": "donate",
        "customer_creation": "always",
        "payment_intent_data": {"metadata": ours},
    }


def product_id(settings: Settings) -> str:
    """The one product gifts are sold as; another statement text needs another product."""
    return "gift_" + "".join(c if c.isalnum() else "_" for c in settings.statement_descriptor.lower())


def _ensure_product(now: datetime) -> None:
    """Make the product once; `price_data` has no statement text, so the product carries it."""
    settings = account.here().settings
    product = product_id(settings)
    if calls.was_done("products.create", product):
        return
    params = {
        "id": product,
        "name": f"Gift to {settings.newsroom_name}",
        "statement_descriptor": settings.statement_descriptor,
    }
    with writing():
        db.session.commit()
        call = calls.record(calls.fresh_key(f"product:{product}"), "products.create", params, now=now)
        key = call.idem_key
        if call.state is CallState.OK:
            return
        try:
            calls.send(call, now=now)
        except StripeRefused as error:
            if error.code != ALREADY_THERE:
                raise StripeUnavailable(error.code) from None
            calls.found_done(key, product)
