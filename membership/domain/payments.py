"""Payments: money that came in. One row per charge of ours at Stripe, one row per refund; sums are recomputed,
never added to.

A payment is paid when its charge succeeded. Its fee and its ledger entry follow when the balance transaction
arrives; `book` and `book_refund` write one entry per balance transaction, so nothing is booked twice.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, func, select, text
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock
from membership.db import Base, db, insert_once, member, str_enum
from membership.domain import ledger
from membership.errors import N_, Conflict, Invalid, NotFound
from membership.money import Money


class PaymentStatus(StrEnum):
    """As Stripe's charge."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class RefundStatus(StrEnum):
    """As Stripe's refund, before that `asked`; a refund that succeeded may still fail."""

    ASKED = "asked"
    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


COUNTED = (RefundStatus.ASKED, RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION, RefundStatus.SUCCEEDED)


@dataclass(frozen=True, slots=True)
class Settlement:
    """A balance transaction: what really moved, in the settlement currency's minor units (net = amount - fee)."""

    id: str
    currency: str
    amount: int
    fee: int
    net: int
    created: datetime


class Payment(Base):
    """One charge of ours, for a donation."""

    __tablename__ = "payments"
    __table_args__ = (
        Index(
            "ix_payments_apart",
            "id",
            sqlite_where=text("apart IS NOT NULL"),
            postgresql_where=text("apart IS NOT NULL"),
        ),
        Index(
            "ix_payments_unbooked",
            "paid_at",
            sqlite_where=text("net_minor IS NULL"),
            postgresql_where=text("net_minor IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    donation_id: Mapped[int | None] = mapped_column(ForeignKey("donations.id"), index=True)
    stripe_charge_id: Mapped[str] = mapped_column(unique=True)
    stripe_payment_intent_id: Mapped[str | None] = mapped_column(index=True)
    stripe_invoice_id: Mapped[str | None] = mapped_column(index=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    status: Mapped[PaymentStatus] = mapped_column(str_enum(PaymentStatus))
    paid_at: Mapped[datetime]
    card_country: Mapped[str | None]
    held: Mapped[bool] = mapped_column(default=False)
    apart: Mapped[str | None]
    """Why it was set apart for staff instead of being shared; None for the usual payment."""
    settled_currency: Mapped[str | None]
    settled_minor: Mapped[int | None] = mapped_column(BigInteger)
    fee_minor: Mapped[int | None] = mapped_column(BigInteger)
    net_minor: Mapped[int | None] = mapped_column(BigInteger)

    @property
    def amount(self) -> Money:
        """What the donor was charged."""
        return Money(self.amount_minor, self.currency)

    @property
    def subject(self) -> str:
        """What ledger entries of this payment are filed under."""
        return f"payment:{self.id}"


class Refund(Base):
    """One refund, asked for by us or made in Stripe's dashboard."""

    __tablename__ = "refunds"

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"), index=True)
    stripe_refund_id: Mapped[str | None] = mapped_column(unique=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[RefundStatus] = mapped_column(str_enum(RefundStatus))
    reason: Mapped[str] = mapped_column(default="")
    asked_at: Mapped[datetime]
    booked_as: Mapped[str | None]
    """The balance transaction that posted it; `undone_as` the one that took it back when it failed."""
    undone_as: Mapped[str | None]


def find_by_charge(charge_id: str) -> Payment | None:
    """The payment of this Stripe charge."""
    return db.session.scalar(select(Payment).where(Payment.stripe_charge_id == charge_id))


def get_payment(payment_id: int) -> Payment:
    """The payment of this row; NotFound when there is none."""
    payment = db.session.get(Payment, payment_id)
    if payment is None:
        raise NotFound(N_("There is no such payment."))
    return payment


def payments_of(donation_id: int) -> list[Payment]:
    """All payments of a donation, oldest first."""
    found = select(Payment).where(Payment.donation_id == donation_id).order_by(Payment.paid_at, Payment.id)
    return list(db.session.scalars(found))


def arrive(
    charge_id: str,
    *,
    amount: Money,
    status: PaymentStatus,
    paid_at: datetime,
    donation_id: int | None,
    payment_intent_id: str | None,
    invoice_id: str | None,
    card_country: str | None,
    held: bool,
    apart: str | None,
) -> tuple[Payment, bool]:
    """The row of this charge, and whether it has just now become paid. Safe to call with the same charge again."""
    made = insert_once(
        Payment,
        stripe_charge_id=charge_id,
        amount_minor=amount.minor,
        currency=amount.currency,
        status=status,
        paid_at=paid_at,
        donation_id=donation_id,
        stripe_payment_intent_id=payment_intent_id,
        stripe_invoice_id=invoice_id,
        card_country=card_country,
        held=held,
        apart=apart,
    )
    payment = db.session.scalars(
        select(Payment)
        .where(Payment.stripe_charge_id == charge_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    newly = status is PaymentStatus.SUCCEEDED and (made or payment.status is not PaymentStatus.SUCCEEDED)
    payment.status = status
    return payment, newly


def book(payment: Payment, settlement: Settlement, shares: dict[str, int], *, fee_on: str) -> None:
    """Post a payment's money: Stripe's balance, the fee, and the accounts that `shares` credits.

    `shares` sums to the net (`fee_on` "shares") or to the gross ("host").
    """
    payment.settled_currency, payment.settled_minor = settlement.currency, settlement.amount
    payment.fee_minor, payment.net_minor = settlement.fee, settlement.net
    postings = {
        "stripe": settlement.net,
        "fees": settlement.fee,
        **{code: -part for code, part in shares.items()},
    }
    if fee_on == "shares":
        postings["fees:shares"] = -settlement.fee
    _post(f"bt:{settlement.id}", "gift", settlement, postings, payment)


def accept(payment: Payment, shares: dict[str, int], *, held: str, now: datetime) -> None:
    """Move a held payment's money to the shares; what the shares receive is what the held account gives."""
    payment.held = False
    postings = {held: sum(shares.values()), **{code: -part for code, part in shares.items()}}
    ledger.post(
        source=f"accept:{payment.id}",
        kind="accept",
        happened_at=now,
        postings=postings,
        currency=payment.settled_currency or "",
        subject=payment.subject,
    )


def book_refund(payment: Payment, refund: Refund, settlement: Settlement) -> bool:
    """Reverse what was recorded, in proportion, cumulatively exact; the rule is never run again.

    What the shares never had (the lost fee) and what the exchange rate changed go to accounts of their own.
    Returns whether this call posted.
    """
    source = f"bt:{settlement.id}"
    if ledger.find_entry(source) is not None:
        return False
    gone = _refunded_before(payment, refund) + refund.amount_minor
    credits_, debits = _recorded(payment)
    share_part = max(_part(sum(credits_.values()), gone, payment.amount_minor) - sum(debits.values()), 0)
    back = ledger.portion_to_reverse(credits_, debits, share_part)
    settled = _part(payment.settled_minor or 0, gone, payment.amount_minor)
    expected = settled - _part(payment.settled_minor or 0, gone - refund.amount_minor, payment.amount_minor)
    postings = {
        "stripe": settlement.net,
        "exchange": -settlement.amount - expected,
        "lost-fees": expected - share_part + settlement.fee,
        **back,
    }
    refund.booked_as = settlement.id
    _post(source, "refund", settlement, postings, payment)
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
    _post(source, "refund-failed", settlement, postings, payment)
    return True


def _post(source: str, kind: str, settlement: Settlement, postings: dict[str, int], payment: Payment) -> None:
    ledger.post(
        source=source,
        kind=kind,
        happened_at=settlement.created,
        postings=postings,
        currency=settlement.currency,
        subject=payment.subject,
    )


def _part(whole: int, done: int, of: int) -> int:
    """How much of `whole` belongs to the first `done` of `of`: rounded down until all is done, then exact."""
    return whole * done // of


def _recorded(payment: Payment) -> tuple[dict[str, int], dict[str, int]]:
    """What was credited for this payment and stands, and what refunds have taken back of it, per account."""
    credits_: dict[str, int] = {}
    debits: dict[str, int] = {}
    for entry in ledger.entries_of(payment.subject):
        for code, amount in ledger.postings_of(entry).items():
            if not code.startswith(("share:", "host-share:", "held:", "set-apart")):
                continue
            book_ = debits if entry.kind.startswith("refund") else credits_
            sign = 1 if entry.kind.startswith("refund") else -1
            book_[code] = book_.get(code, 0) + sign * amount
    kept = {code: amount for code, amount in credits_.items() if amount}
    return kept, {code: debits.get(code, 0) for code in kept}


def standing(payment: Payment) -> dict[str, int]:
    """What of this payment stands credited now, per account: recorded less taken back."""
    credits_, debits = _recorded(payment)
    return {code: amount - debits[code] for code, amount in credits_.items()}


def settled_standing(payment: Payment) -> int:
    """The gross at Stripe less booked refunds, in the settlement currency's minor units."""
    entries = ledger.entries_of(payment.subject)
    back = sum(ledger.postings_of(e).get("stripe", 0) for e in entries if e.kind.startswith("refund"))
    return (payment.settled_minor or 0) + back


def _refunded_before(payment: Payment, refund: Refund) -> int:
    """What other refunds of this payment have already booked, in the charge's minor units."""
    booked = select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(
        Refund.payment_id == payment.id,
        Refund.id != refund.id,
        Refund.booked_as.is_not(None),
        Refund.undone_as.is_(None),
    )
    return int(db.session.scalar(booked) or 0)


def unbooked_charges(before: datetime) -> list[str]:
    """Charges that succeeded by then and whose balance transaction has not been seen."""
    found = select(Payment.stripe_charge_id).where(
        Payment.net_minor.is_(None), Payment.apart.is_(None), Payment.paid_at < before
    )
    return list(db.session.scalars(found.where(Payment.status != PaymentStatus.FAILED).limit(500)))


def unbooked_refunds(before: datetime) -> list[str]:
    """Refunds asked for by then that have not been booked and have not failed."""
    found = select(Refund.stripe_refund_id).where(
        Refund.booked_as.is_(None), Refund.status.in_(COUNTED), Refund.asked_at < before
    )
    return [one for one in db.session.scalars(found.limit(500)) if one]


def refunds_of(payment: Payment) -> list[Refund]:
    """All refunds of a payment, oldest first."""
    return list(db.session.scalars(select(Refund).where(Refund.payment_id == payment.id).order_by(Refund.id)))


def refunded(payment: Payment) -> Money:
    """What was given back or is on its way: recomputed, since a refund may fail later."""
    total = select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(
        Refund.payment_id == payment.id, Refund.status.in_(COUNTED)
    )
    return Money(int(db.session.scalar(total) or 0), payment.currency)


def ask_refund(payment: Payment, amount: Money, *, reason: str = "", now: datetime | None = None) -> Refund:
    """Record that money shall go back, before Stripe is asked; never more than what remains."""
    db.session.refresh(payment, with_for_update=True)
    if payment.status is not PaymentStatus.SUCCEEDED:
        raise Conflict(N_("This payment has not succeeded, so there is nothing to refund."))
    if amount.minor <= 0 or amount.minor > payment.amount_minor - refunded(payment).minor:
        raise Invalid(N_("This is more than what remains of the payment."), field="amount")
    refund = Refund(
        reference=secrets.token_urlsafe(16),
        payment_id=payment.id,
        amount_minor=amount.minor,
        status=RefundStatus.ASKED,
        reason=reason,
        asked_at=now or clock.now(),
    )
    db.session.add(refund)
    db.session.flush()
    return refund


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
        refund = db.session.scalar(select(Refund).where(Refund.reference == request))
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
