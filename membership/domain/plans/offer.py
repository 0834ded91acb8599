"""What can be joined: a plan, with its monthly and yearly prices in several currencies."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock
from membership.db import Base, db, str_enum
from membership.domain.plans.perks import Perk, PlanPerk, open_perks
from membership.errors import N_, NotFound
from membership.money import Money

INTERVALS = ("month", "year")
Prices = Mapping[tuple[str, str], Money]
"""(interval, currency) -> what it costs."""


class PlanStatus(StrEnum):
    """Whether the plan can be joined; its members stay when it closes."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class PlanWords:
    """A plan in one language; `locale` is the one the words really are in."""

    locale: str
    name: str
    summary: str
    story: str


class Plan(Base):
    """A tier. `texts` is locale -> {"name", "summary", "story"}; `position` is its place in the comparison."""

    __tablename__ = "plans"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    status: Mapped[PlanStatus] = mapped_column(str_enum(PlanStatus))
    position: Mapped[int]
    texts: Mapped[dict[str, Any]]
    described_at: Mapped[datetime]
    """When what is said of it changed last."""

    @property
    def is_open(self) -> bool:
        """Whether it can be joined."""
        return self.status is PlanStatus.OPEN

    def words(self, locale: str) -> PlanWords:
        """Its words in this language, else in the first one written."""
        spoken = locale if locale in self.texts else next(iter(self.texts))
        return PlanWords(locale=spoken, **self.texts[spoken])


class Price(Base):
    """What a plan costs a month or a year in one currency; a member may always pay more."""

    __tablename__ = "prices"
    __table_args__ = (UniqueConstraint("plan_id", "interval", "currency"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"), index=True)
    interval: Mapped[str]
    """month or year."""
    currency: Mapped[str]
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    is_open: Mapped[bool] = mapped_column(default=True)

    @property
    def amount(self) -> Money:
        """What the plan asks for at least."""
        return Money(self.amount_minor, self.currency)

    @property
    def a_year(self) -> Money:
        """What twelve months of it cost."""
        return self.amount * (12 if self.interval == "month" else 1)


def describe_plan(
    slug: str,
    *,
    status: str,
    position: int,
    texts: dict[str, dict[str, str]],
    prices: Prices,
    perks: list[str],
    now: datetime | None = None,
) -> Plan:
    """Say what a plan is; saying it again replaces it. A price that is not named any more is closed, and those who
    pay it go on paying it. Raises NotFound for a perk that nobody described.
    """
    plan = _find(slug) or Plan(slug=slug)
    plan.status, plan.position, plan.texts = PlanStatus(status), position, texts
    if plan.id is None or db.session.is_modified(plan):
        plan.described_at = now or clock.now()
    db.session.add(plan)
    db.session.flush()
    _price(plan, prices)
    open_perks(plan.id, perks)
    return plan


def _price(plan: Plan, prices: Prices) -> None:
    known = {(p.interval, p.currency): p for p in _prices(plan)}
    for (interval, currency), amount in prices.items():
        price = known.pop((interval, currency), None)
        price = price or Price(plan_id=plan.id, interval=interval, currency=currency)
        price.amount_minor, price.is_open = amount.minor, True
        db.session.add(price)
    for gone in known.values():
        gone.is_open = False
    db.session.flush()


def close_others(slugs: Collection[str], *, now: datetime | None = None) -> None:
    """Close every plan but these; its members stay, and keep what they pay and what it opens."""
    for plan in all_plans():
        if plan.slug not in slugs and plan.is_open:
            plan.status, plan.described_at = PlanStatus.CLOSED, now or clock.now()
    db.session.flush()


def all_plans() -> list[Plan]:
    """Every plan that ever was, in the order of the comparison."""
    return list(db.session.scalars(select(Plan).order_by(Plan.position, Plan.id)))


def open_plans() -> list[Plan]:
    """What can be joined, in the order of the comparison."""
    return [plan for plan in all_plans() if plan.is_open]


def get_plan(slug: str) -> Plan:
    """The plan of this slug, closed ones included; NotFound when there is none."""
    plan = _find(slug)
    if plan is None:
        raise NotFound(N_("There is no such membership."))
    return plan


def _find(slug: str) -> Plan | None:
    return db.session.scalar(select(Plan).where(Plan.slug == slug))


def plan_of(plan_id: int) -> Plan:
    """The plan a row points at."""
    return db.session.get_one(Plan, plan_id)


def plans_with(perk: Perk) -> list[Plan]:
    """The plans that open this perk, closed ones included, in the order of the comparison."""
    found = select(Plan).join(PlanPerk, PlanPerk.plan_id == Plan.id).where(PlanPerk.perk_id == perk.id)
    return list(db.session.scalars(found.order_by(Plan.position, Plan.id)))


def prices_of(plan: Plan, currency: str | None = None) -> list[Price]:
    """What it costs those who join now, by month before by year; in one currency, or in all."""
    found = [p for p in _prices(plan) if p.is_open and currency in (None, p.currency)]
    return sorted(found, key=lambda p: INTERVALS.index(p.interval))


def prices_by_plan(currency: str) -> dict[int, dict[str, Price]]:
    """Plan id -> interval -> its price in this currency for those who join now, in one query."""
    found = select(Price).where(Price.currency == currency, Price.is_open)
    told: dict[int, dict[str, Price]] = {}
    for price in db.session.scalars(found):
        told.setdefault(price.plan_id, {})[price.interval] = price
    return told


def _prices(plan: Plan) -> list[Price]:
    return list(db.session.scalars(select(Price).where(Price.plan_id == plan.id).order_by(Price.id)))
