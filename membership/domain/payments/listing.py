"""A person's payments, as they are listed and looked up for them."""

from collections.abc import Sequence

from sqlalchemy import func, select

from membership.db import db
from membership.domain.payments.arriving import Payment
from membership.domain.payments.refunds import COUNTED, Refund
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
    ids = {one.id: one.currency for one in payments}
    total = func.sum(Refund.amount_minor)
    found = select(Refund.payment_id, total).where(Refund.payment_id.in_(ids), Refund.status.in_(COUNTED))
    return {
        payment_id: Money(int(minor), ids[payment_id])
        for payment_id, minor in db.session.execute(found.group_by(Refund.payment_id))
    }
