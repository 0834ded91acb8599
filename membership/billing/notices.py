"""Mails about money that has gone its way already: it goes back, or did not get there (once per refund and state);
and a receipt that somebody asks for again.
"""

from datetime import datetime

from membership.billing.facts import Contact
from membership.config import Settings
from membership.domain import donations, fundraisers, memberships, outbox, plans
from membership.domain.payments import Payment, PaymentStatus, Refund, RefundStatus

SENT = (RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION, RefundStatus.SUCCEEDED)


def refund(
    payment: Payment, refund: Refund, contact: Contact | None, *, settings: Settings, now: datetime
) -> None:
    """Queue what a refund's state has to say to whoever paid."""
    if contact is None or not contact.email:
        return
    sent = "too-late" if refund.reason == memberships.AFTER_END else "sent"
    status = sent if refund.status in SENT else "failed"
    _queue(payment, refund, contact, status, settings=settings, now=now)


def _queue(
    payment: Payment, refund: Refund, contact: Contact, status: str, *, settings: Settings, now: datetime
) -> None:
    what, locale = _what(payment, settings)
    outbox.queue(
        key=f"refund-notice:{refund.stripe_refund_id or refund.reference}:{status}",
        template="refund-notice",
        to=contact.email or "",
        locale=locale,
        context={
            "name": contact.name,
            "amount": {"minor": refund.amount_minor, "currency": payment.currency},
            "what": what,
            "status": status,
            "reference": payment.reference,
            "statement": settings.statement_descriptor,
        },
        now=now,
    )


def transferred(
    payment: Payment, refund: Refund, contact: Contact | None, *, settings: Settings, now: datetime
) -> None:
    """Queue that what could not go back the way it came was transferred instead."""
    if contact is not None and contact.email:
        _queue(payment, refund, contact, "transferred", settings=settings, now=now)


def receipt_again(
    payment: Payment, contact: Contact, *, attempt: str, settings: Settings, now: datetime
) -> bool:
    """Queue the receipt of a payment once more, once per press. False where there is nothing to say or nobody to tell."""
    if not contact.email or payment.status is not PaymentStatus.SUCCEEDED:
        return False
    if payment.donation_id:
        donation = donations.gift_of(payment.donation_id)
        template, locale = "donation-receipt", donation.locale
        told = donations.receipt(donation, payment, name=contact.name, settings=settings)
    elif payment.membership_id:
        membership = memberships.membership_of(payment.membership_id)
        template, locale = "membership-receipt", membership.locale
        told = memberships.receipt(membership, payment, name=contact.name, settings=settings)
    else:
        return False
    key = f"receipt:{payment.stripe_charge_id}:again:{attempt}"
    return outbox.queue(key=key, template=template, to=contact.email, locale=locale, context=told, now=now)


def _what(payment: Payment, settings: Settings) -> tuple[str, str]:
    """What was paid for, in words, and the language of whoever paid."""
    if payment.donation_id:
        donation = donations.gift_of(payment.donation_id)
        title = fundraisers.fundraiser_of(donation.fundraiser_id).words(donation.locale).title
        return title, donation.locale
    if payment.membership_id:
        membership = memberships.membership_of(payment.membership_id)
        bought = plans.plan_of(payment.plan_id or membership.plan_id)
        return bought.words(membership.locale).name, membership.locale
    return settings.newsroom_name, settings.locales[0]
