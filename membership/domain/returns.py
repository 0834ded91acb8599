"""A refund that failed, made good: tried once more at Stripe, or transferred from the newsroom's own bank account.

When a refund fails, Stripe puts the money back into our balance and the books stand as before it. What is transferred
instead leaves the bank account; it is taken from where the payment stands, as any refund is.
"""

from datetime import datetime

from membership import clock
from membership.config import Settings
from membership.db import db
from membership.domain import audit, donations, memberships, payments
from membership.domain.audit import Actor
from membership.domain.payments import Payment, Refund, RefundStatus, Settlement
from membership.domain.payments.arriving import OTHER_CURRENCY
from membership.errors import N_, Conflict, Invalid
from membership.money import Money


def again(failed: Refund, *, by: Actor, now: datetime | None = None) -> Refund:
    """The same refund once more; Stripe is still to be asked.

    Nobody need agree a second time: it is the refund that was agreed to, on the way that was agreed to.
    """
    payment, failed, amount = _open(failed)
    return payments.ask_refund(payment, amount, reason=failed.reason, by=by, instead_of=failed, now=now)


def by_bank(
    failed: Refund,
    *,
    reference: str,
    left: Money | None = None,
    by: Actor,
    settings: Settings,
    now: datetime | None = None,
) -> Refund:
    """It was transferred: `reference` tells the transfer without naming anybody.

    `left` is what left the bank account, where that is in another currency than the payment. Where `takes_two` says
    so it is proposed, and booked when somebody else agrees: a transfer goes wherever its sender writes.
    """
    now = now or clock.now()
    payment, failed, amount = _open(failed)
    told = reference.strip()
    if not told:
        raise Invalid(N_("Please write what tells the transfer, such as the bank's reference."), field="note")
    if not _is_booked(payment):
        raise Conflict(N_("Stripe has not said yet what arrived of this payment. Please try again later."))
    gone = _gone(payment, amount, left)
    second = takes_two(payment, amount, settings=settings)
    refund = payments.ask_refund(
        payment, amount, reason=failed.reason, by=by, needs_second=second, instead_of=failed, now=now
    )
    refund.bank_reference, refund.bank_minor = told, gone.minor if gone else None
    return refund if second else _book(refund, payment, by=by, now=now)


def takes_two(payment: Payment, amount: Money, *, settings: Settings, taken: Money | None = None) -> bool:
    """Whether a transfer of this much of it counts only when somebody else agrees: above the review limit, and wherever
    the books take one person's word for what left the bank. `taken` as in `payments.needs_second`.
    """
    return is_foreign(payment) or payments.needs_second(payment, amount, settings=settings, taken=taken)


def is_foreign(payment: Payment) -> bool:
    """Whether its money stands in these books in another currency than it was paid in."""
    return payment.apart != OTHER_CURRENCY and payment.settled_currency not in (None, payment.currency)


def left_bank(refund: Refund, payment: Payment) -> Money | None:
    """What somebody wrote that left the bank account for it, in the currency of these books."""
    if refund.bank_minor is None or payment.settled_currency is None or not is_foreign(payment):
        return None
    return Money(refund.bank_minor, payment.settled_currency)


def approve(refund: Refund, *, by: Actor, now: datetime | None = None) -> Refund:
    """The second person agrees to a transfer: it is booked. Whoever proposed it cannot."""
    now = now or clock.now()
    payment = _lock(payments.get_payment(refund.payment_id))
    return _book(payments.approve_refund(refund, by=by, now=now), payment, by=by, now=now)


def _open(failed: Refund) -> tuple[Payment, Refund, Money]:
    """Its payment, locked, and what is to be made good; raises Conflict where there is nothing."""
    payment = _lock(payments.get_payment(failed.payment_id))
    rows = {one.id: one for one in payments.refunds_of(payment)}
    failed = rows[failed.id]
    if not payments.is_failed(failed):
        raise Conflict(N_("This refund has not failed, so there is nothing to make good."))
    if any(one.instead_of_id == failed.id and payments.was_tried(one) for one in rows.values()):
        raise Conflict(N_("Somebody has dealt with this refund already."))
    if failed.booked_as is not None and failed.undone_as is None:
        raise Conflict(N_("Stripe has not put this money back yet. Please try again later."))
    left = payments.remaining(payment)
    return payment, failed, min(Money(failed.amount_minor, payment.currency), left)


def _lock(payment: Payment) -> Payment:
    """The gift or membership before its payment, as whoever follows a payment does."""
    if payment.donation_id:
        donations.lock_donation(payment.donation_id)
    elif payment.membership_id:
        memberships.lock_membership(payment.membership_id)
    return payments.lock_payment(payment.id)


def _is_booked(payment: Payment) -> bool:
    return payment.net_minor is not None or payment.apart == OTHER_CURRENCY


def _gone(payment: Payment, amount: Money, left: Money | None) -> Money | None:
    """What left the bank account; None for what was never in these books."""
    if payment.apart == OTHER_CURRENCY:
        return None
    if payment.settled_currency == amount.currency:
        return amount
    if left is None or left.minor <= 0 or left.currency != payment.settled_currency:
        raise Invalid(N_("Please write how much left the bank account."), field="left")
    return left


def _book(refund: Refund, payment: Payment, *, by: Actor, now: datetime) -> Refund:
    """Post it and call it done: nobody else will say that it is."""
    if refund.bank_minor is not None:
        paid = Settlement(
            id=refund.reference,
            currency=payment.settled_currency or "",
            amount=-refund.bank_minor,
            fee=0,
            net=-refund.bank_minor,
            created=now,
            account="bank",
        )
        room = memberships if payment.membership_id else donations
        room.book_refund(payment, refund, paid)
    refund.status = RefundStatus.SUCCEEDED
    db.session.flush()
    audit.record(
        audit.Tag.REFUND_TRANSFERRED,
        subject_type="payment",
        subject_id=payment.reference,
        by=by,
        reason=refund.bank_reference or "",
        details={
            "minor": refund.amount_minor,
            "currency": payment.currency,
            "refund": refund.reference,
        },
        now=now,
    )
    return refund
