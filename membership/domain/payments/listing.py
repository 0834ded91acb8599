"""Payments as they are listed and looked up: a person's for them, and the refunds that wait for staff."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, TextClause, exists, func, or_, select, text
from sqlalchemy.orm import aliased

from membership.db import db
from membership.domain.payments.arriving import Payment
from membership.domain.payments.refunds import COUNTED, SENT, Refund, RefundStatus
from membership.errors import N_, NotFound
from membership.money import Money


def get_by_reference(reference: str) -> Payment:
    """The payment of this public reference; NotFound when there is none."""
    payment = db.session.scalar(select(Payment).where(Payment.reference == reference))
    if payment is None:
        raise NotFound(N_("There is no such payment."))
    return payment


def paid_by(person_id: int, *, before: int | None = None, most: int = 50) -> list[Payment]:
    """What a person paid, newest first; `before` is the last row of the page before."""
    found = select(Payment).where(Payment.person_id == person_id).order_by(Payment.id.desc()).limit(most)
    return list(db.session.scalars(found if before is None else found.where(Payment.id < before)))


def refunded_of(payments: Sequence[Payment]) -> dict[int, Money]:
    """Payment id -> what was given back of it or is on its way, where anything was; in one query."""
    return _back_of(payments, SENT)


def taken_of(payments: Sequence[Payment]) -> dict[int, Money]:
    """The same with what is only proposed: nobody can give that back again."""
    return _back_of(payments, COUNTED)


def _back_of(payments: Sequence[Payment], statuses: tuple[RefundStatus, ...]) -> dict[int, Money]:
    ids = {one.id: one.currency for one in payments}
    total = func.sum(Refund.amount_minor)
    found = select(Refund.payment_id, total).where(Refund.payment_id.in_(ids), Refund.status.in_(statuses))
    return {
        payment_id: Money(int(minor), ids[payment_id])
        for payment_id, minor in db.session.execute(found.group_by(Refund.payment_id))
    }


# --- refunds that wait for staff ---------------------------------------------------------------------------

IS_PROPOSED = text("refunds.status = 'proposed'")
_IS_FAILED = text(
    "(refunds.status = 'failed' OR refunds.status = 'canceled' AND refunds.stripe_refund_id IS NOT NULL)"
)
"""In the words of their indexes, so that these are used."""


def is_unreturned() -> tuple[TextClause | ColumnElement[bool], ...]:
    """Of a refund beside its payment: the money was to go back, did not, and is here still.

    One that another refund makes good is done with. So is one after which as much was tried again on its own: that
    speaks for itself.
    """
    other = aliased(Refund)
    mine = other.payment_id == Refund.payment_id
    made_good = exists().where(mine, other.instead_of_id == Refund.id, _was_tried(other))
    tried = sum_of(other).where(other.id > Refund.id, other.instead_of_id.is_(None), _was_tried(other))
    gone = sum_of(other).where(other.status.in_(COUNTED))
    return (
        _IS_FAILED,
        ~made_good,
        tried.scalar_subquery() < Refund.amount_minor,
        gone.scalar_subquery() < Payment.amount_minor,
    )


def sum_of(refund: type[Refund]) -> Select[Any]:
    """What refunds of the payment beside it come to."""
    return select(func.coalesce(func.sum(refund.amount_minor), 0)).where(refund.payment_id == Payment.id)


def _was_tried(refund: type[Refund]) -> ColumnElement[bool]:
    """A proposal that was taken back never came to Stripe."""
    return or_(refund.status != RefundStatus.CANCELED, refund.stripe_refund_id.is_not(None))


def proposed_refunds(*, most: int = 50) -> list[tuple[Refund, Payment]]:
    """The refunds that wait for a second person, oldest first."""
    return _refunds((IS_PROPOSED,), most)


def unreturned_refunds(*, person_id: int | None = None, most: int = 50) -> list[tuple[Refund, Payment]]:
    """The refunds that failed and whose money is here still, oldest first; of one person, where one is named."""
    theirs = () if person_id is None else (Payment.person_id == person_id,)
    return _refunds((*is_unreturned(), *theirs), most)


def _refunds(which: tuple[TextClause | ColumnElement[bool], ...], most: int) -> list[tuple[Refund, Payment]]:
    found = select(Refund, Payment).join(Payment, Payment.id == Refund.payment_id).where(*which)
    rows = db.session.execute(found.order_by(Refund.id).limit(most))
    return [(refund, payment) for refund, payment in rows]
