"""Money that went back: a row per refund; what was recorded is reversed in proportion, the rule is never run again."""

import secrets
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, func, select, text
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock
from membership.config import Settings
from membership.db import Base, db, member, str_enum
from membership.domain import audit, ledger
from membership.domain.audit import Actor
from membership.domain.payments.arriving import (
    OTHER_CURRENCY,
    Payment,
    PaymentStatus,
    Settlement,
    lock_payment,
    post,
    recorded,
)
from membership.errors import N_, Conflict, Invalid, NotAllowed
from membership.money import Money


class RefundStatus(StrEnum):
    """As Stripe's refund; before that `asked`, and before that `proposed` where a second person must agree.

    A refund that succeeded may still fail.
    """

    PROPOSED = "proposed"
    ASKED = "asked"
    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


UNDER_WAY = (RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION)
SENT = (RefundStatus.ASKED, *UNDER_WAY, RefundStatus.SUCCEEDED)
COUNTED = (RefundStatus.PROPOSED, *SENT)
"""What nobody can give back again: what went back or is on its way, and what waits for a second person."""
BACK_IN_OTHER_CURRENCY = "refund-other-currency"
"""Why a payment that is in the books is set apart: a refund of it settled in another currency than it did."""
PROPOSED = "status = 'proposed'"
FAILED = "(status = 'failed' OR status = 'canceled' AND stripe_refund_id IS NOT NULL)"
"""What came to nothing at Stripe; a proposal that was taken back was never asked for there."""


class Refund(Base):
    """One refund, asked for by us or made in Stripe's dashboard."""

    __tablename__ = "refunds"
    __table_args__ = (
        Index("ix_refunds_proposed", "id", sqlite_where=text(PROPOSED), postgresql_where=text(PROPOSED)),
        Index("ix_refunds_failed", "id", sqlite_where=text(FAILED), postgresql_where=text(FAILED)),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"), index=True)
    stripe_refund_id: Mapped[str | None] = mapped_column(unique=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[RefundStatus] = mapped_column(str_enum(RefundStatus))
    reason: Mapped[str] = mapped_column(default="")
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    approved_by_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    """The second person, where the amount needs one."""
    asked_at: Mapped[datetime]
    booked_as: Mapped[str | None]
    """The balance transaction that posted it; `undone_as` the one that took it back when it failed."""
    undone_as: Mapped[str | None]
    instead_of_id: Mapped[int | None] = mapped_column(ForeignKey("refunds.id"))
    """The one that failed and that this one makes good."""
    bank_reference: Mapped[str | None]
    """What tells the transfer that returned it, where Stripe could not."""
    bank_minor: Mapped[int | None] = mapped_column(BigInteger)
    """What left the bank account for it, in the settlement currency."""


def book_refund(payment: Payment, refund: Refund, settlement: Settlement) -> bool:
    """Reverse what was recorded, in proportion, cumulatively exact; the rule is never run again.

    What the shares never had (the lost fee) and what the exchange rate changed go to accounts of their own. What
    settled in another currency is not booked: its payment is set apart. Returns whether this call posted.
    """
    if settlement.currency != payment.settled_currency:
        if refund.status in COUNTED:
            payment.apart = payment.apart or BACK_IN_OTHER_CURRENCY
        return False
    if ledger.find_entry(settlement.source) is not None:
        return False
    gone = _refunded_before(payment, refund) + refund.amount_minor
    credits_, debits = recorded(payment)
    share_part = max(_part(sum(credits_.values()), gone, payment.amount_minor) - sum(debits.values()), 0)
    back = ledger.portion_to_reverse(credits_, debits, share_part)
    settled = _part(payment.settled_minor or 0, gone, payment.amount_minor)
    expected = settled - _part(payment.settled_minor or 0, gone - refund.amount_minor, payment.amount_minor)
    postings = {
        settlement.account: settlement.net,
        "exchange": -settlement.amount - expected,
        "lost-fees": expected - share_part + settlement.fee,
        **back,
    }
    refund.booked_as = settlement.id
    post(settlement.source, "refund", settlement, postings, payment)
    return True


def undo_refund(payment: Payment, refund: Refund, settlement: Settlement) -> bool:
    """A refund that failed after all: its entry is reversed and the money is where it was before."""
    source = f"bt:{settlement.id}"
    entry = ledger.find_entry(f"bt:{refund.booked_as}")
    if entry is None or ledger.find_entry(source) is not None:
        return False
    postings = {code: -amount for code, amount in ledger.postings_of(entry).items()}
    off = settlement.net - postings.get("stripe", 0)
    if off:  # another rate or a fee: Stripe's balance is what Stripe says, the rest is exchange
        postings["stripe"] = settlement.net
        postings["exchange"] = postings.get("exchange", 0) - off
    refund.undone_as = settlement.id
    post(source, "refund-failed", settlement, postings, payment)
    return True


def _refunded_before(payment: Payment, refund: Refund) -> int:
    """What other refunds of this payment have already booked, in the charge's minor units."""
    booked = select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(
        Refund.payment_id == payment.id,
        Refund.id != refund.id,
        Refund.booked_as.is_not(None),
        Refund.undone_as.is_(None),
    )
    return int(db.session.scalar(booked) or 0)


def is_failed(refund: Refund) -> bool:
    """Whether it came to nothing at Stripe."""
    return refund.status in (RefundStatus.FAILED, RefundStatus.CANCELED) and was_tried(refund)


def was_tried(refund: Refund) -> bool:
    """Whether it still stands or was asked of Stripe: not a proposal that was taken back."""
    return refund.status is not RefundStatus.CANCELED or refund.stripe_refund_id is not None


def unbooked_refunds(before: datetime) -> list[str]:
    """Refunds asked for by then whose books are not what their state says: not booked, or failed and not undone.

    What settled in another currency is never booked: only whether it arrives is waited for.
    """
    is_to_be_booked = Payment.apart.is_distinct_from(OTHER_CURRENCY) | Refund.status.in_(UNDER_WAY)
    missing = Refund.booked_as.is_(None) & Refund.status.in_(COUNTED) & is_to_be_booked
    standing = Refund.booked_as.is_not(None) & Refund.undone_as.is_(None) & Refund.status.not_in(COUNTED)
    found = select(Refund.stripe_refund_id).join(Payment, Payment.id == Refund.payment_id)
    found = found.where(missing | standing, Refund.asked_at < before, Refund.stripe_refund_id.is_not(None))
    return [one for one in db.session.scalars(found.order_by(Refund.asked_at).limit(500)) if one]


def find_refund(reference: str) -> Refund | None:
    """The refund of this reference."""
    return db.session.scalar(select(Refund).where(Refund.reference == reference))


def refunds_of(payment: Payment) -> list[Refund]:
    """All refunds of a payment, oldest first."""
    return list(db.session.scalars(select(Refund).where(Refund.payment_id == payment.id).order_by(Refund.id)))


def refunded(payment: Payment) -> Money:
    """What was given back or is on its way: recomputed, since a refund may fail later."""
    total = select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(
        Refund.payment_id == payment.id, Refund.status.in_(COUNTED)
    )
    return Money(int(db.session.scalar(total) or 0), payment.currency)


def set_aside(payment: Payment) -> Money:
    """What of it waits for a second person before it goes back."""
    waiting = [one for one in refunds_of(payment) if one.status is RefundStatus.PROPOSED]
    return Money(sum(one.amount_minor for one in waiting), payment.currency)


def remaining(payment: Payment) -> Money:
    """What can still be given back: proposals count as given."""
    return payment.amount - refunded(payment)


def spread(paid: Iterable[Payment], amount: Money) -> list[tuple[Payment, Money]]:
    """How an amount goes back: off the newest payments first, of each no more than remains; less, where that is not enough.

    What was set apart waits for staff.
    """
    parts = []
    usual = [one for one in paid if one.status is PaymentStatus.SUCCEEDED and one.apart is None]
    for payment in sorted(usual, key=lambda one: (one.paid_at, one.id), reverse=True):
        if not amount:
            break
        if payment.currency == amount.currency and (part := min(amount, remaining(payment))):
            parts.append((payment, part))
            amount -= part
    return parts


def needs_second(payment: Payment, amount: Money, *, settings: Settings, taken: Money | None = None) -> bool:
    """Whether a second person must agree: above the review limit, alone or with what went back before.

    `taken` is what did, where the caller knows it for many payments.
    """
    limit = settings.review_above.get(payment.currency)
    return limit is None or (refunded(payment) if taken is None else taken) + amount > limit


def all_needs_second(paid: Iterable[Payment], *, settings: Settings) -> bool:
    """Whether giving all of these back takes a second person: together above the review limit."""
    total: dict[str, Money] = {}
    for payment in paid:
        if payment.status is PaymentStatus.SUCCEEDED:
            total[payment.currency] = (
                total.get(payment.currency, Money.zero(payment.currency)) + payment.amount
            )
    limits = {currency: settings.review_above.get(currency) for currency in total}
    return any(limit is None or total[currency] > limit for currency, limit in limits.items())


def ask_refund(
    payment: Payment,
    amount: Money,
    *,
    reason: str = "",
    by: Actor | None = None,
    needs_second: bool = False,
    reference: str | None = None,
    instead_of: Refund | None = None,
    now: datetime | None = None,
) -> Refund:
    """Record that money shall go back, before Stripe is asked; never more than what remains.

    `needs_second`: it is only proposed and what it takes is kept aside until another person agrees. `reference`: of
    one pressing of the button; the same one again gives the same refund. `instead_of`: one that failed.
    """
    db.session.refresh(payment, with_for_update=True)
    if reference and (known := find_refund(reference)) is not None:
        return known
    if payment.status is not PaymentStatus.SUCCEEDED:
        raise Conflict(N_("This payment has not succeeded, so there is nothing to refund."))
    if amount.currency != payment.currency or amount.minor <= 0 or amount > remaining(payment):
        raise Invalid(N_("This is more than what remains of the payment."), field="amount")
    refund = Refund(
        reference=reference or secrets.token_urlsafe(16),
        payment_id=payment.id,
        amount_minor=amount.minor,
        status=RefundStatus.PROPOSED if needs_second else RefundStatus.ASKED,
        reason=reason,
        asked_by_id=by.id if by else None,
        asked_at=now or clock.now(),
        instead_of_id=instead_of.id if instead_of else None,
    )
    db.session.add(refund)
    db.session.flush()
    tag = audit.Tag.REFUND_PROPOSED if needs_second else audit.Tag.PAYMENT_REFUNDED
    _audited(tag, refund, payment, by, now, reason=reason)
    return refund


def approve_refund(refund: Refund, *, by: Actor, now: datetime | None = None) -> Refund:
    """The second person agrees: Stripe may be asked. Whoever proposed it cannot."""
    payment = lock_payment(refund.payment_id)
    refund = _proposed(refund)
    if by.id == refund.asked_by_id:
        raise NotAllowed(N_("You proposed this refund yourself: somebody else must agree to it."))
    refund.status, refund.approved_by_id = RefundStatus.ASKED, by.id
    db.session.flush()
    _audited(audit.Tag.REFUND_APPROVED, refund, payment, by, now)
    return refund


def withdraw_refund(refund: Refund, *, by: Actor | None, now: datetime | None = None) -> Refund:
    """A proposal is taken back or declined: what it kept aside is the payment's again."""
    payment = lock_payment(refund.payment_id)
    refund = _proposed(refund)
    refund.status = RefundStatus.CANCELED
    db.session.flush()
    _audited(audit.Tag.REFUND_WITHDRAWN, refund, payment, by, now)
    return refund


def _proposed(refund: Refund) -> Refund:
    """The refund as it is now, if nobody has decided it yet."""
    db.session.refresh(refund, with_for_update=True)
    if refund.status is not RefundStatus.PROPOSED:
        raise Conflict(N_("This refund has been decided already."))
    return refund


def _audited(
    tag: audit.Tag,
    refund: Refund,
    payment: Payment,
    by: Actor | None,
    now: datetime | None,
    *,
    reason: str = "",
) -> None:
    audit.record(
        tag,
        subject_type="payment",
        subject_id=payment.reference,
        by=by,
        reason=reason,
        details={"minor": refund.amount_minor, "currency": payment.currency, "refund": refund.reference},
        now=now,
    )


def refund_seen(
    payment: Payment,
    stripe_refund_id: str,
    *,
    amount_minor: int,
    status: str,
    request: str | None,
    at: datetime,
) -> Refund:
    """The row of a refund at Stripe: ours by its request, or one made in Stripe's dashboard."""
    refund = db.session.scalar(select(Refund).where(Refund.stripe_refund_id == stripe_refund_id))
    if refund is None and request:
        ours = select(Refund).where(Refund.reference == request, Refund.stripe_refund_id.is_(None))
        refund = db.session.scalar(ours)
    if refund is None:
        refund = Refund(
            reference=stripe_refund_id, payment_id=payment.id, amount_minor=amount_minor, asked_at=at
        )
        db.session.add(refund)
    refund.stripe_refund_id = stripe_refund_id
    refund.amount_minor = amount_minor
    refund.status = member(RefundStatus, status, RefundStatus.PENDING)
    db.session.flush()
    return refund


def refuse_refund(reference: str) -> None:
    """Note that Stripe will not make a refund we asked for: what it would have given back is still the payment's."""
    refund = find_refund(reference)
    if refund is None:
        return
    lock_payment(refund.payment_id)
    db.session.refresh(refund, with_for_update=True)  # it may have been seen at Stripe meanwhile
    if refund.status is RefundStatus.ASKED:
        refund.status = RefundStatus.FAILED


def _part(whole: int, done: int, of: int) -> int:
    """How much of `whole` belongs to the first `done` of `of`: rounded down until all is done, then exact."""
    return whole * done // of
