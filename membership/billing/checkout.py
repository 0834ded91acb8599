"""Outward: open a payment, stop or pause a running gift, give money back. Each call is recorded first.

`give` is what the form's button does: the same attempt leads to the same open Checkout, to None when it is paid (the
thanks page), to a new Checkout when the old one expired; with other content the old one is expired first.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock, vault
from membership.billing import account, calls, facts
from membership.billing.calls import Call
from membership.billing.gateway import StripeMissing, StripeRefused, StripeUnavailable
from membership.config import Settings
from membership.db import Base, db, insert_once, str_enum, writing
from membership.domain import donations, fundraisers
from membership.domain.donations import Donation, Pledge, Schedule, Status
from membership.domain.fundraisers import Fundraiser
from membership.domain.payments import Refund, get_payment

LIVES = timedelta(seconds=2100)
"""How long a Checkout stays open: a stolen link is of little use to card testers."""
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
RESENT = ("subscriptions.cancel", "subscriptions.update", "refunds.create")
DONE_ALREADY = ("resource_already_exists", "charge_already_refunded")


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
        Index("ix_checkouts_open", "state", "expires_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    donation_id: Mapped[int] = mapped_column(ForeignKey("donations.id"))
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
    if existing is not None and not donations.is_same(existing, pledge) and not _close(existing, now):
        return Begun(existing.reference, None)
    donation = donations.pledge(fundraiser, pledge, settings=settings, now=now)
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
    call = (
        calls.find_call(checkout.key) if checkout else None
    )  # read once: another press may be ahead of this one
    if (
        checkout
        and _session_of(checkout, call)
        and checkout.state in (CheckoutState.ASKED, CheckoutState.OPEN)
    ):
        session = _look_at(checkout, _session_of(checkout, call))
        if session.status != "expired":
            return session.url
        donation = donations.lock_donation(donation_id)
        call = None
    # a session that a broken reply hides is no danger: nobody has its address
    if checkout is None or call is None or not calls.is_open(call, now) or calls.is_stuck(call):
        checkout, call = _ask(donation, email, (checkout.number if checkout else 0) + 1, now)
    return _send(checkout, call, now)


def _session_of(checkout: Checkout, call: Call | None) -> str:
    """The session's id, from the row or from the call that made it: whoever made it may not have written it yet."""
    return checkout.stripe_session_id or (call.result_id if call else None) or ""


def _ask(donation: Donation, email: str, number: int, now: datetime) -> tuple[Checkout, Call]:
    """Record the next Checkout and the call that makes it; two clicks at once record the same one."""
    settings = account.here().settings
    expires_at = now + LIVES
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


def _send(checkout: Checkout, call: Call, now: datetime) -> str | None:
    checkout_id = checkout.id
    _ensure_product(now)
    if call.state is calls.CallState.OK:  # another press was faster
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
        db.session.commit()


def follow(session: facts.SessionFacts) -> None:
    """Make the row agree with the session that was fetched."""
    checkout = db.session.scalar(select(Checkout).where(Checkout.stripe_session_id == session.id))
    if checkout is not None:
        checkout.state = CheckoutState(session.status)


def has_open(donation: Donation) -> bool:
    """Whether a Checkout of this gift may still be paid."""
    open_ = select(Checkout.id).where(
        Checkout.donation_id == donation.id, Checkout.state.in_((CheckoutState.OPEN, CheckoutState.ASKED))
    )
    return db.session.scalar(open_.limit(1)) is not None


def overdue_sessions(before: datetime) -> list[str]:
    """Sessions that should have ended by then and that nobody told us about."""
    found = select(Checkout.stripe_session_id).where(
        Checkout.state == CheckoutState.OPEN,
        Checkout.expires_at < before,
        Checkout.stripe_session_id.is_not(None),
    )
    return [one for one in db.session.scalars(found.limit(500)) if one]


def latest_session(donation: Donation) -> str | None:
    """The id of the newest session of a gift, to look at while its reader waits."""
    checkout = _latest(donation.id)
    return checkout.stripe_session_id if checkout else None


def _look_at(checkout: Checkout, session_id: str) -> facts.SessionFacts:
    """The session as Stripe has it, with no transaction open while asking. A complete one has no address."""
    checkout_id = checkout.id
    db.session.commit()
    session = account.here().gateway.session(session_id)
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
    if not session_id and call is not None and calls.is_open(call, now):
        _send(checkout, call, now)  # an outcome we never learned: find the session, then expire it
        checkout = db.session.get_one(Checkout, checkout_id)
        session_id = _session_of(checkout, None)
    if not session_id or checkout.state in (CheckoutState.EXPIRED, CheckoutState.REFUSED):
        return True
    if (failed := calls.find_call(f"expire:{session_id}")) and failed.state is calls.CallState.FAILED:
        return _look_at(checkout, session_id).status != "complete"
    expire = calls.record(f"expire:{session_id}", "sessions.expire", {"id": session_id}, now=now)
    try:
        if expire.state is not calls.CallState.OK:
            calls.send(expire, now=now)
    except StripeRefused:  # not open any more: expired by itself, or complete
        return _look_at(db.session.get_one(Checkout, checkout_id), session_id).status != "complete"
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
    key = f"product:{product}:{now.date().isoformat()}"
    with writing():
        db.session.commit()
        call = calls.record(key, "products.create", params, now=now)
        if not calls.is_open(call, now):
            return
        try:
            calls.send(call, now=now)
        except StripeRefused as error:
            if error.code not in DONE_ALREADY:
                raise StripeUnavailable(error.code) from None
            calls.found_done(key, product)


# --- a running gift ---


def stop(donation: Donation, *, by: str = "donor", now: datetime | None = None) -> bool:
    """End a running gift at once. True when Stripe has agreed; otherwise it is noted and asked again by the worker."""
    now = now or clock.now()
    if donation.schedule is Schedule.ENDED:
        return True
    donations.stop_asked(donation, by=by)
    params = {"id": donation.stripe_subscription_id, "prorate": False, "invoice_now": False}
    return _change(f"cancel:{donation.stripe_subscription_id}", "subscriptions.cancel", params, now)


def pause(donation: Donation, *, days: int = 91, now: datetime | None = None) -> bool:
    """Skip what falls due in the next days; the gift goes on by itself afterwards."""
    now = now or clock.now()
    resumes_at = int((now + timedelta(days=days)).timestamp())
    params = {
        "id": donation.stripe_subscription_id,
        "pause_collection": {"behavior": "void", "resumes_at": resumes_at},
    }
    key = f"pause:{donation.stripe_subscription_id}:{now.date().isoformat()}"
    return _change(key, "subscriptions.update", params, now)


def stop_closed(now: datetime | None = None) -> int:
    """End the running gifts of fundraisers that closed and said they would. Returns how many Stripe agreed to."""
    now = now or clock.now()
    with writing():
        db.session.commit()
        return sum(stop(donation, by="closed", now=now) for donation in donations.running_past_end(now))


def _change(key: str, operation: str, params: dict[str, Any], now: datetime) -> bool:
    call = calls.record(key, operation, params, now=now)
    if not calls.is_open(call, now):
        db.session.commit()
        return call.state is calls.CallState.OK
    return _settled(call, now)


def _settled(call: Call, now: datetime) -> bool:
    """Send a recorded change; whether Stripe's answer is known. A thing that is gone already is what was asked."""
    try:
        calls.send(call, now=now)
    except StripeUnavailable:
        return False
    except StripeMissing:
        return True
    except StripeRefused as error:
        return error.code in DONE_ALREADY
    return True


def refund(asked: Refund, *, now: datetime | None = None) -> bool:
    """Ask Stripe for a refund that was recorded by `payments.ask_refund`; commits."""
    now = now or clock.now()
    payment = get_payment(asked.payment_id)
    params = {
        "charge": payment.stripe_charge_id,
        "amount": asked.amount_minor,
        "reason": "requested_by_customer",
        "metadata": {"request": asked.reference},
    }
    return _change(f"refund:{asked.reference}", "refunds.create", params, now)


def resume_calls(now: datetime | None = None) -> int:
    """Ask again for changes whose outcome we never learned. Returns how many are settled now."""
    now = now or clock.now()
    settled = 0
    for key in [call.idem_key for call in calls.open_calls(RESENT, now=now, quiet=timedelta(seconds=30))]:
        with writing():
            call = db.session.get_one(Call, key, with_for_update=True)
            if calls.is_open(call, now):
                settled += _unstuck(call, now) if calls.is_stuck(call) else _settled(call, now)
            else:
                calls.give_up(call)
                db.session.commit()
    return settled


def _unstuck(call: Call, now: datetime) -> bool:
    """Stripe keeps telling the 5xx it stored under this key: look whether the change was made, else use a new key."""
    operation, params, key = call.operation, vault.unlock(call.locked_params or b""), call.idem_key
    db.session.commit()
    if operation == "refunds.create":
        made = account.here().gateway.refund_made(params["charge"], params["metadata"]["request"])
        if made is not None:
            calls.found_done(key, made)
            return True
    calls.give_up(db.session.get_one(Call, key))
    again = calls.record(f"{key}~{int(now.timestamp())}", operation, params, now=now)
    return _settled(again, now)
