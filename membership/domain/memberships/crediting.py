"""Credit from a change to less: what Stripe keeps for a member, and what becomes of it once the membership has ended."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, TextClause, func, select, text

from membership.db import db
from membership.domain import payments
from membership.domain.memberships.joining import Membership, is_given_back
from membership.domain.payments import Payment, PaymentStatus, Refund, RefundStatus
from membership.domain.payments.refunds import COUNTED
from membership.money import Money

CREDIT = "credit"
"""The reason of a refund that gives credit back."""
GOES_WITHIN = timedelta(hours=1)
"""By then what can go back by itself is on its way."""
_SOME = text("memberships.credit_minor > 0")  # in the words of the index
_KEPT = (RefundStatus.PROPOSED, RefundStatus.ASKED)
_SENT = (RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION, RefundStatus.SUCCEEDED)


def credit_due(membership: Membership) -> Money:
    """What of its credit goes back by itself once it has ended, or has yet to.

    Nothing, where all that was paid goes back anyway.
    """
    due = _refunds(membership, _KEPT)
    if membership.credit and not is_given_back(membership):
        paid = payments.payments_of(membership_id=membership.id)
        due += sum((part for _, part in give_back(paid, membership.credit)), Money(0, due.currency))
    return due


def give_back(
    paid: Sequence[Payment], credit: Money, *, most: Money | None = None
) -> list[tuple[Payment, Money]]:
    """What goes back by itself of which payment, for all the credit there is; no more than `most`.

    What went back of these payments for another reason may have been this very credit: so much less, and staff
    decide about the rest.
    """
    due = Money(max(credit.minor - _for_other_reasons(paid, credit.currency), 0), credit.currency)
    return payments.spread(paid, due if most is None else min(due, most))


def _for_other_reasons(paid: Sequence[Payment], currency: str) -> int:
    usual = [
        one.id
        for one in paid
        if one.status is PaymentStatus.SUCCEEDED and one.apart is None and one.currency == currency
    ]
    total = select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(
        Refund.payment_id.in_(usual), Refund.reason != CREDIT, Refund.status.in_(COUNTED)
    )
    return int(db.session.scalar(total) or 0)


def credit_returned(membership: Membership) -> Money:
    """What of its credit went back."""
    return _refunds(membership, _SENT)


def _refunds(membership: Membership, which: tuple[RefundStatus, ...]) -> Money:
    """What refunds of its credit come to."""
    if membership.ended_at is None or membership.currency is None:
        return Money(0, membership.currency or "EUR")
    total = select(func.coalesce(func.sum(Refund.amount_minor), 0))
    theirs = total.join(Payment, Payment.id == Refund.payment_id).where(
        Payment.membership_id == membership.id,
        Payment.currency == membership.currency,
        Refund.reason == CREDIT,
        Refund.status.in_(which),
    )
    return Money(int(db.session.scalar(theirs) or 0), membership.currency)


def is_left_over(before: datetime) -> tuple[TextClause | ColumnElement[bool], ...]:
    """Of a membership: it ended by then, and Stripe keeps credit for it still."""
    return _SOME, Membership.ended_at < before


def left_over(before: datetime) -> list[str]:
    """The customers at Stripe that keep credit of memberships which ended by then."""
    found = select(Membership.stripe_customer_id).where(*is_left_over(before)).order_by(Membership.id)
    return [one for one in db.session.scalars(found) if one]
