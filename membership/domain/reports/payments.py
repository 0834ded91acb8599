"""The list of payments: what came in, for what, what it cost, what went back; newest first, by keyset."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.engine import Row

from membership.db import db
from membership.domain.donations import Donation
from membership.domain.fundraisers import Fundraiser
from membership.domain.memberships import Membership
from membership.domain.payments import Payment, PaymentStatus, Refund
from membership.domain.payments.refunds import COUNTED, SENT
from membership.domain.people import Person
from membership.domain.reports.names import Named, named
from membership.domain.reports.paging import SIZE, TOP, Asked, Page, Place, cut, from_place
from membership.money import Money

NOTHING = (0, 0)


class State(StrEnum):
    """Which payments somebody looks for."""

    APART = "apart"
    HELD = "held"
    UNPAID = "unpaid"
    UNBOOKED = "unbooked"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    """Which payments: of a state, for gifts or memberships, of one person, or the one with this reference."""

    state: State | None = None
    purpose: str | None = None
    """gift or membership."""
    person: str | None = None
    payment: str | None = None


@dataclass(frozen=True, slots=True)
class Paid:
    """One row of the list. `settled` and `fee` are None until the balance transaction is known; `plan_id` is what was
    bought and `interval` how often, whatever the membership is now.
    """

    reference: str
    charge_id: str
    paid_at: datetime
    amount: Money
    status: PaymentStatus
    settled: Money | None
    fee: Money | None
    refunded: Money
    remains: Money
    """What could still be given back: what is proposed could not."""
    apart: str | None
    is_held: bool
    who: Named | None
    fundraiser_id: int | None
    plan_id: int | None
    interval: str | None

    @property
    def is_left_to_staff(self) -> bool:
        """Whether nobody known paid it, so that it can be given back here alone."""
        return self.who is None and self.status is PaymentStatus.SUCCEEDED and self.remains.minor > 0


def page_of(asked: PaymentFilter, place: Place = TOP, *, size: int = SIZE) -> Page[Paid]:
    """One page of payments: three queries."""
    keys = (Payment.id,)
    rows = db.session.execute(from_place(_asked(asked), keys, place, size)).all()
    page = cut(rows, keys, place, size, lambda row: (row.id,))
    return Page(_shown(page.rows), page.newer, page.older)


def _asked(asked: PaymentFilter) -> Asked:
    owner = func.coalesce(Payment.person_id, Donation.person_id, Membership.person_id)
    found = (
        select(
            *Payment.__table__.columns,
            Donation.fundraiser_id,
            func.coalesce(Payment.plan_id, Membership.plan_id).label("bought_id"),
            owner.label("owner_id"),
        )
        .outerjoin(Donation, Donation.id == Payment.donation_id)
        .outerjoin(Membership, Membership.id == Payment.membership_id)
    )
    if asked.purpose == "gift":
        found = found.where(Payment.donation_id.is_not(None))
    elif asked.purpose == "membership":
        found = found.where(Payment.membership_id.is_not(None))
    if asked.payment is not None:
        found = found.where(Payment.reference == asked.payment)
    if asked.person is not None:
        theirs = select(Person.id).where(Person.reference == asked.person).scalar_subquery()
        found = found.where(Payment.person_id == theirs)
    return _in_state(found, asked.state)


def _in_state(found: Asked, state: State | None) -> Asked:
    """Each of these is served by an index of its own, in the words of which it is asked."""
    if state is State.APART:
        return found.where(Payment.apart.is_not(None))
    if state is State.HELD:
        return found.where(Payment.held)
    if state is State.UNPAID:
        return found.where(Payment.status != PaymentStatus.SUCCEEDED)
    if state is State.UNBOOKED:
        return found.where(Payment.net_minor.is_(None), Payment.status == PaymentStatus.SUCCEEDED)
    if state is State.REFUNDED:
        return found.where(Payment.id.in_(select(Refund.payment_id).where(Refund.status.in_(COUNTED))))
    return found


def _shown(rows: list[Row[Any]]) -> list[Paid]:
    whose = named(row.owner_id for row in rows)
    back = _back_of(rows)
    return [
        Paid(
            reference=row.reference,
            charge_id=row.stripe_charge_id,
            paid_at=row.paid_at,
            amount=Money(row.amount_minor, row.currency),
            status=row.status,
            settled=_settled(row.settled_minor, row.settled_currency),
            fee=_settled(row.fee_minor, row.settled_currency),
            refunded=Money(back.get(row.id, NOTHING)[0], row.currency),
            remains=Money(row.amount_minor - back.get(row.id, NOTHING)[1], row.currency),
            apart=row.apart,
            is_held=row.held,
            who=whose.get(row.owner_id),
            fundraiser_id=row.fundraiser_id,
            plan_id=row.bought_id,
            interval=row.interval,
        )
        for row in rows
    ]


def _back_of(rows: list[Row[Any]]) -> dict[int, tuple[int, int]]:
    """Payment id -> what went back or is on its way, and with what is only proposed."""
    sent = case((Refund.status.in_(SENT), Refund.amount_minor), else_=0)
    found = select(Refund.payment_id, func.sum(sent), func.sum(Refund.amount_minor)).where(
        Refund.payment_id.in_([row.id for row in rows]), Refund.status.in_(COUNTED)
    )
    asked = db.session.execute(found.group_by(Refund.payment_id))
    return {payment_id: (int(went), int(taken)) for payment_id, went, taken in asked}


def _settled(minor: int | None, currency: str | None) -> Money | None:
    return None if minor is None or currency is None else Money(minor, currency)


def fundraisers_of(ids: Iterable[int | None]) -> dict[int, Fundraiser]:
    """These fundraisers by their row, in one query."""
    wanted = {one for one in ids if one is not None}
    if not wanted:
        return {}
    return {one.id: one for one in db.session.scalars(select(Fundraiser).where(Fundraiser.id.in_(wanted)))}
