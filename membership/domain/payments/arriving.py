"""Money that came in: a row per charge, and what it does to the books."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, bindparam, select, text
from sqlalchemy.orm import Mapped, mapped_column

from membership.db import Base, core, db, insert_once, str_enum
from membership.domain import ledger, people
from membership.errors import N_, NotFound
from membership.money import Money

OTHER_CURRENCY = "other-currency"
"""Why a payment is set apart: it settled in another currency than the ledger's."""


class PaymentStatus(StrEnum):
    """As Stripe's charge."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """The time that something is paid for. The later one begins later, or at the same moment and lasts longer."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Arrival:
    """A charge. `to` and `name` come from its customer and are not kept."""

    charge_id: str
    amount: Money
    status: PaymentStatus
    paid_at: datetime
    payment_intent_id: str | None
    invoice_id: str | None
    card_country: str | None
    customer_id: str | None
    to: str | None
    name: str | None
    next_at: datetime | None = None
    ended_at: datetime | None = None
    """When the subscription it is for ended, if it has."""
    covers: Period | None = None
    """The period that its invoice pays for."""
    subscription_id: str | None = None
    plan_id: int | None = None
    """The plan that its invoice sells, and how often it is paid for."""
    interval: str | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """A balance transaction: what really moved, in the settlement currency's minor units (net = amount - fee).

    Or a transfer of our own: then `account` is bank.
    """

    id: str
    currency: str
    amount: int
    fee: int
    net: int
    created: datetime
    account: str = "stripe"

    @property
    def source(self) -> str:
        """What its entry in the ledger is found by."""
        return f"bt:{self.id}" if self.account == "stripe" else f"{self.account}:{self.id}"


class Payment(Base):
    """One charge of ours, for a donation or a membership."""

    __tablename__ = "payments"
    __table_args__ = (
        Index("ix_payments_person", "person_id", "id"),
        Index(
            "ix_payments_apart",
            "id",
            sqlite_where=text("apart IS NOT NULL"),
            postgresql_where=text("apart IS NOT NULL"),
        ),
        Index("ix_payments_held", "id", sqlite_where=text("held = 1"), postgresql_where=text("held")),
        Index(
            "ix_payments_unpaid",
            "id",
            sqlite_where=text("status != 'succeeded'"),
            postgresql_where=text("status <> 'succeeded'"),
        ),
        Index(
            "ix_payments_unbooked",
            "paid_at",
            sqlite_where=text("net_minor IS NULL"),
            postgresql_where=text("net_minor IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True, default=people.new_reference)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    donation_id: Mapped[int | None] = mapped_column(ForeignKey("donations.id"), index=True)
    membership_id: Mapped[int | None] = mapped_column(ForeignKey("memberships.id"), index=True)
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("plans.id"))
    """The plan that was bought with it, and how often it was paid for; its member may have another one by now."""
    interval: Mapped[str | None]
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


# Built once: every charge asks these.
_BY_CHARGE = select(Payment).where(Payment.stripe_charge_id == bindparam("charge"))
_FRESH_BY_CHARGE = _BY_CHARGE.with_for_update().execution_options(populate_existing=True)


def find_by_charge(charge_id: str) -> Payment | None:
    """The payment of this Stripe charge."""
    return db.session.scalar(_BY_CHARGE, {"charge": charge_id})


def get_payment(payment_id: int) -> Payment:
    """The payment of this row; NotFound when there is none."""
    payment = db.session.get(Payment, payment_id)
    if payment is None:
        raise NotFound(N_("There is no such payment."))
    return payment


def lock_payment(payment_id: int) -> Payment:
    """The payment of this row, locked: its refunds happen one after the other."""
    return db.session.get_one(Payment, payment_id, with_for_update=True, populate_existing=True)


_ANOTHER = (
    select(Payment.id)
    .where(
        Payment.donation_id == bindparam("donation"),
        Payment.status == PaymentStatus.SUCCEEDED,
        Payment.stripe_charge_id != bindparam("charge"),
    )
    .limit(1)
)


def is_paid_by_another(donation_id: int, charge_id: str) -> bool:
    """Whether another charge of this gift has succeeded."""
    return core().scalar(_ANOTHER, {"donation": donation_id, "charge": charge_id}) is not None


def payments_of(donation_id: int | None = None, *, membership_id: int | None = None) -> list[Payment]:
    """All payments of a donation, or of a membership, oldest first."""
    its = Payment.membership_id == membership_id if membership_id else Payment.donation_id == donation_id
    return list(db.session.scalars(select(Payment).where(its).order_by(Payment.paid_at, Payment.id)))


def arrive(
    arrival: Arrival,
    *,
    person_id: int | None = None,
    donation_id: int | None = None,
    membership_id: int | None = None,
    plan_id: int | None = None,
    interval: str | None = None,
    held: bool = False,
    apart: str | None = None,
) -> tuple[Payment, bool]:
    """The row of this charge, and whether it has just now become paid. Safe to call with the same charge again."""
    made = insert_once(
        Payment,
        stripe_charge_id=arrival.charge_id,
        amount_minor=arrival.amount.minor,
        currency=arrival.amount.currency,
        status=arrival.status,
        paid_at=arrival.paid_at,
        person_id=person_id,
        donation_id=donation_id,
        membership_id=membership_id,
        plan_id=plan_id,
        interval=interval,
        stripe_payment_intent_id=arrival.payment_intent_id,
        stripe_invoice_id=arrival.invoice_id,
        card_country=arrival.card_country,
        held=held,
        apart=apart,
    )
    payment = db.session.scalars(_FRESH_BY_CHARGE, {"charge": arrival.charge_id}).one()
    is_paid = arrival.status is PaymentStatus.SUCCEEDED
    newly = is_paid and (made or payment.status is not PaymentStatus.SUCCEEDED)
    payment.status = arrival.status
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
    if off := sum(postings.values()):  # the fee was more than the gift: nobody's share goes below zero
        postings["host-costs"] = -off
    post(f"bt:{settlement.id}", "gift", settlement, postings, payment)


def accept(
    payment: Payment, shares: dict[str, int], *, standing: dict[str, int], source: str, now: datetime
) -> None:
    """Move what stands of a payment elsewhere to the shares; what they receive is what those accounts give."""
    postings = {**standing, **{code: -part for code, part in shares.items()}}
    ledger.post(
        source=source,
        kind="accept",
        happened_at=now,
        postings=postings,
        currency=payment.settled_currency or "",
        subject=payment.subject,
    )


def post(source: str, kind: str, settlement: Settlement, postings: dict[str, int], payment: Payment) -> None:
    ledger.post(
        source=source,
        kind=kind,
        happened_at=settlement.created,
        postings=postings,
        currency=settlement.currency,
        subject=payment.subject,
    )


def recorded(payment: Payment) -> tuple[dict[str, int], dict[str, int]]:
    """What was credited for this payment and stands, and what refunds have taken back of it, per account."""
    credits_: dict[str, int] = {}
    debits: dict[str, int] = {}
    for entry in ledger.entries_of(payment.subject):
        for code, amount in ledger.postings_of(entry).items():
            if not code.startswith(("share:", "host-share:", "held:", "set-apart", "membership")):
                continue
            book_ = debits if entry.kind.startswith("refund") else credits_
            sign = 1 if entry.kind.startswith("refund") else -1
            book_[code] = book_.get(code, 0) + sign * amount
    kept = {code: amount for code, amount in credits_.items() if amount}
    return kept, {code: debits.get(code, 0) for code in kept}


def standing(payment: Payment) -> dict[str, int]:
    """What of this payment stands credited now, per account: recorded less taken back."""
    credits_, debits = recorded(payment)
    return {code: amount - debits[code] for code, amount in credits_.items()}


def settled_standing(payment: Payment) -> int:
    """The gross at Stripe less booked refunds, however they went, in the settlement currency's minor units."""
    moved = [ledger.postings_of(e) for e in ledger.entries_of(payment.subject) if e.kind.startswith("refund")]
    back = sum(one.get("stripe", 0) + one.get("bank", 0) for one in moved)
    return (payment.settled_minor or 0) + back


def unbooked_charges(before: datetime) -> list[str]:
    """Charges that succeeded by then and whose balance transaction has not been seen.

    What settled in another currency is never booked: it would fill the list for good.
    """
    found = select(Payment.stripe_charge_id).where(
        Payment.net_minor.is_(None),
        Payment.apart.is_distinct_from(OTHER_CURRENCY),
        Payment.paid_at < before,
    )
    found = found.where(Payment.status != PaymentStatus.FAILED).order_by(Payment.paid_at)
    return list(db.session.scalars(found.limit(500)))
