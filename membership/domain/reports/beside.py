"""What a list shows beside people: their membership, what they have paid, their labels. Asked for one page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select

from membership.db import db
from membership.domain.memberships import Membership, MembershipStatus
from membership.domain.notes import Label
from membership.domain.payments import Payment, PaymentStatus, Refund
from membership.domain.payments.refunds import SENT
from membership.domain.reports.paging import Asked
from membership.money import Money

_LIVE = (MembershipStatus.ACTIVE, MembershipStatus.PAST_DUE, MembershipStatus.PAUSED)


@dataclass(frozen=True, slots=True)
class Held:
    """The membership that counts: the newest that lives, else the newest of all."""

    status: MembershipStatus
    interval: str | None
    amount: Money | None
    next_at: datetime | None
    ends_at: datetime | None
    resumes_at: datetime | None
    paid_until: datetime | None
    late_attempts: int
    ended_by: str | None


@dataclass(slots=True)
class Beside:
    """What belongs to one person. `paid` is less what went back, one sum a currency."""

    membership: Held | None = None
    paid: list[Money] = field(default_factory=list)
    last_paid_at: datetime | None = None
    labels: list[str] = field(default_factory=list)


def beside(ids: Sequence[int]) -> dict[int, Beside]:
    """For these people: four queries, however many they are."""
    found = {one: Beside() for one in ids}
    if found:
        _add_memberships(found)
        _add_money(found)
        _add_labels(found)
    return found


def _add_memberships(found: dict[int, Beside]) -> None:
    m = Membership
    columns = (
        m.person_id, m.status, m.interval, m.amount_minor, m.currency, m.next_at, m.ends_at, m.resumes_at, m.paid_until,
        m.late_attempts, m.ended_by,
    )  # fmt: skip
    asked: Asked = select(*columns).where(m.person_id.in_(found), m.status != MembershipStatus.PENDING)
    for row in db.session.execute(asked.order_by(m.id)):
        known = found[row.person_id].membership
        if known is None or row.status in _LIVE or known.status not in _LIVE:
            each = Money(row.amount_minor, row.currency) if row.amount_minor is not None else None
            found[row.person_id].membership = Held(
                row.status, row.interval, each, row.next_at, row.ends_at, row.resumes_at, row.paid_until,
                row.late_attempts, row.ended_by,
            )  # fmt: skip


def _add_money(found: dict[int, Beside]) -> None:
    came: Asked = (
        select(Payment.person_id, Payment.currency, func.sum(Payment.amount_minor), func.max(Payment.paid_at))
        .where(Payment.person_id.in_(found), Payment.status == PaymentStatus.SUCCEEDED)
        .group_by(Payment.person_id, Payment.currency)
        .order_by(Payment.person_id, Payment.currency)
    )
    went: Asked = (
        select(Payment.person_id, Payment.currency, func.sum(Refund.amount_minor))
        .join(Refund, Refund.payment_id == Payment.id)
        .where(Payment.person_id.in_(found), Refund.status.in_(SENT))
        .group_by(Payment.person_id, Payment.currency)
    )
    back = {(person, currency): int(minor) for person, currency, minor in db.session.execute(went)}
    for person, currency, minor, last in db.session.execute(came):
        one = found[person]
        one.paid.append(Money(int(minor) - back.get((person, currency), 0), currency))
        one.last_paid_at = last if one.last_paid_at is None else max(one.last_paid_at, last)


def _add_labels(found: dict[int, Beside]) -> None:
    asked = select(Label.person_id, Label.text).where(Label.person_id.in_(found))
    for person, words in db.session.execute(asked.order_by(Label.text)):
        found[person].labels.append(words)
