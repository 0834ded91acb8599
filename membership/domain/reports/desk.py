"""What needs a person today: one matter per kind of trouble, with how often it is there and the first of it.

Read-only. Each matter looks at no more than a hundred rows, along an index; what Stripe's side has to say is
`billing.events`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, TextClause, and_, exists, func, null, or_, select
from sqlalchemy.engine import Row

from membership import clock
from membership.db import db
from membership.domain import corrections, memberships
from membership.domain.corrections import Correction
from membership.domain.donations import Donation, Review
from membership.domain.memberships import Membership
from membership.domain.outbox import Email
from membership.domain.payments import Payment, Refund, listing
from membership.domain.payments.refunds import BACK_IN_OTHER_CURRENCY, COUNTED, SENT
from membership.domain.people import Given, Person, Standing
from membership.domain.plans import Perk, PerkCode, PerkKind, Plan, PlanPerk, PlanStatus
from membership.domain.plans.codes import is_free
from membership.domain.reports import course
from membership.domain.reports.names import Named, named
from membership.domain.reports.paging import Asked
from membership.domain.roles import Ability
from membership.money import Money

MOST = 100
FIRST = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One of the first: whom it is about, how much, since when, and a word on it."""

    who: Named | None
    amount: Money | None
    at: datetime | None
    word: str = ""


@dataclass(frozen=True, slots=True)
class Matter:
    """One kind of trouble. `count` goes as far as `MOST` rows; `first` are the first few."""

    kind: str
    count: int
    first: list[Line]
    is_more: bool
    """Whether there may be more than was counted."""


@dataclass(frozen=True, slots=True)
class Question:
    """How a matter is asked for, and who may do something about it."""

    kind: str
    ability: Ability
    rows: Callable[[datetime], Asked]
    """person, minor, currency, moment, word."""
    is_of_people: bool = False
    """Whether it leads to a list of people: somebody with two rows is one, and the first row is shown."""


def matters(abilities: frozenset[Ability], *, now: datetime) -> list[Matter]:
    """What is there for somebody who may do this, the most pressing first; what is not there is left out."""
    found = []
    for question in QUESTIONS:
        if question.ability in abilities:
            rows = db.session.execute(question.rows(now).limit(MOST)).all()
            is_more = len(rows) >= MOST
            if question.is_of_people:
                rows = list({row[0]: row for row in reversed(rows)}.values())[::-1]
            if rows:
                found.append((question.kind, rows, is_more))
    people = named(row[0] for _, rows, _ in found for row in rows[:FIRST])
    return [
        Matter(kind, len(rows), [_line(people, row) for row in rows[:FIRST]], is_more)
        for kind, rows, is_more in found
    ]


def _line(people: dict[int, Named], row: Row[*tuple[Any, ...]]) -> Line:
    person, minor, currency, at, word = row
    amount = None if minor is None or currency is None else Money(minor, currency)
    return Line(people.get(person), amount, at, word or "")


def _held(_now: datetime) -> Asked:
    d = Donation
    asked = select(d.person_id, d.charged_minor, d.currency, d.settled_at, d.card_country)
    return asked.where(d.review == Review.HELD).order_by(d.id)


def held() -> int:
    """How many gifts wait for a decision; counted as far as `MOST`."""
    waiting = select(Donation.id).where(Donation.review == Review.HELD).limit(MOST)
    return int(db.session.scalar(select(func.count()).select_from(waiting.subquery())) or 0)


def _refunds(*which: TextClause | ColumnElement[bool]) -> Asked:
    asked = select(
        Payment.person_id, Refund.amount_minor, Payment.currency, Refund.asked_at, Payment.reference
    )
    return asked.join(Payment, Payment.id == Refund.payment_id).where(*which).order_by(Refund.id)


def _proposed(_now: datetime) -> Asked:
    return _refunds(listing.IS_PROPOSED)


def _unreturned(_now: datetime) -> Asked:
    return _refunds(*listing.is_unreturned())


def _apart(now: datetime) -> Asked:
    """Until all of it has gone back; where what went back is what cannot be booked, for a month."""
    asked = select(Payment.person_id, Payment.amount_minor, Payment.currency, Payment.paid_at, Payment.apart)
    gone = listing.sum_of(Refund).where(Refund.status.in_(COUNTED)).scalar_subquery()
    is_back = Payment.apart == BACK_IN_OTHER_CURRENCY
    lately = exists().where(
        Refund.payment_id == Payment.id,
        Refund.status.in_(SENT),
        Refund.booked_as.is_(None),
        Refund.asked_at > now - course.MONTH,
    )
    which = or_(and_(is_back, lately), and_(~is_back, gone < Payment.amount_minor))
    return asked.where(Payment.apart.is_not(None), which).order_by(Payment.id.desc())


def _doubled(_now: datetime) -> Asked:
    m = Membership
    asked = select(m.person_id, m.amount_minor, m.currency, m.doubled_at, m.reference)
    return asked.where(*course.doubled()).order_by(m.doubled_at)


def _late(_now: datetime) -> Asked:
    m = Membership
    asked = select(m.person_id, m.amount_minor, m.currency, m.paid_until, m.reference)
    return asked.where(*course.late()).order_by(m.paid_until)


def _credited(now: datetime) -> Asked:
    m = Membership
    asked = select(m.person_id, m.credit_minor, m.currency, m.ended_at, m.reference)
    return asked.where(*course.credited(now - memberships.GOES_WITHIN)).order_by(m.id)


def _failed(now: datetime) -> Asked:
    m = Membership
    asked = select(m.person_id, m.amount_minor, m.currency, m.ended_at, m.reference)
    lost = course.lost(now - course.LATELY)
    return asked.join(Person, Person.id == m.person_id).where(*lost).order_by(m.ended_at.desc())


def _ripe(now: datetime) -> Asked:
    c = Correction
    asked = select(c.person_id, null(), null(), c.ripe_at, c.reference)
    return asked.where(corrections.is_ripe(now)).order_by(c.ripe_at)


def _bounced(_now: datetime) -> Asked:
    """Only those who are written to: members, and whoever's gift runs."""
    live = Person.standing.in_((Standing.ACTIVE, Standing.PAST_DUE, Standing.PAUSED))
    asked = select(Person.id, null(), null(), Person.bounced_at, Person.reference)
    asked = asked.where(Person.bounced_at.is_not(None), or_(live, Person.given == Given.RUNNING))
    return asked.order_by(Person.id.desc())


def _dead_mails(_now: datetime) -> Asked:
    """Without names: a mail that could not be sent is known by its template."""
    asked = select(null(), null(), null(), Email.queued_at, Email.template)
    return asked.where(and_(Email.dead, Email.sealed.is_not(None))).order_by(Email.queued_at.desc())


def _no_codes(_now: datetime) -> Asked:
    """Perks of open plans whose codes are all taken: the next member who asks gets none."""
    free = exists().where(PerkCode.perk_id == Perk.id, is_free())
    sold = exists().where(
        PlanPerk.perk_id == Perk.id, PlanPerk.plan_id == Plan.id, Plan.status == PlanStatus.OPEN
    )
    taken = select(func.max(PerkCode.taken_at)).where(PerkCode.perk_id == Perk.id).scalar_subquery()
    asked = select(null(), null(), null(), taken, Perk.slug)
    return asked.where(Perk.kind == PerkKind.CODE, ~free, sold).order_by(Perk.position)


def used_up() -> tuple[str, ...]:
    """These perks by their short names."""
    return tuple(row[4] for row in db.session.execute(_no_codes(clock.now())))


QUESTIONS = (
    Question("held", Ability.REVIEW, _held),
    Question("refund", Ability.REFUND, _proposed),
    Question("unreturned", Ability.REFUND, _unreturned),
    Question("credit", Ability.REFUND, _credited, is_of_people=True),
    Question("apart", Ability.REFUND, _apart),
    Question("double", Ability.GRANT, _doubled, is_of_people=True),
    Question("late", Ability.GRANT, _late, is_of_people=True),
    Question("failed", Ability.GRANT, _failed, is_of_people=True),
    Question("address", Ability.WRITE, _ripe),
    Question("bounced", Ability.WRITE, _bounced),
    Question("mail", Ability.EVENTS, _dead_mails),
    Question("codes", Ability.SETUP, _no_codes),
)


def monthly() -> list[Money]:
    """What recurs a month, one sum a currency, the largest first; a year's price counts by its twelfth."""
    m = Membership
    each = select(m.currency, m.interval, func.sum(m.amount_minor)).where(*course.renewing())
    sums: dict[str, int] = {}
    by_price: Asked = each.group_by(m.currency, m.interval)
    for currency, interval, minor in db.session.execute(by_price):
        sums[currency] = sums.get(currency, 0) + (int(minor) // 12 if interval == "year" else int(minor))
    return [Money(minor, currency) for currency, minor in sorted(sums.items(), key=lambda p: -p[1])]
