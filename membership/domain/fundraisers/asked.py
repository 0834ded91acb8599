"""What money is asked for, and in which words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock
from membership.db import Base, db, str_enum
from membership.domain import allocations, outlets
from membership.errors import N_, NotFound
from membership.money import Money, parse


class FundraiserStatus(StrEnum):
    """Only an open fundraiser takes gifts."""

    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Words:
    """A fundraiser in one language; `locale` is the one the words really are in."""

    locale: str
    title: str
    summary: str
    story: str
    stranded: str


@dataclass(frozen=True, slots=True)
class ShownShare:
    """A row of the split: an outlet by name, or several hidden ones together (`name` None, `others` how many)."""

    name: str | None
    lang: str | None
    others: int
    percent: Decimal
    is_host: bool = False


@dataclass(frozen=True, slots=True)
class ShownCause:
    """What money is for, and what was paid out for it as far as the books publish."""

    title: str
    planned: Money
    paid_out: Money


@dataclass(frozen=True, slots=True)
class Notice:
    """What giving can mean for somebody in this country, in staff's words."""

    country: str
    text: str


class Fundraiser(Base):
    """A collective fundraiser of the host, shared by a published rule."""

    __tablename__ = "fundraisers"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    status: Mapped[FundraiserStatus] = mapped_column(
        str_enum(FundraiserStatus), default=FundraiserStatus.DRAFT
    )
    opens_on: Mapped[date]
    closes_on: Mapped[date | None]
    currency: Mapped[str]
    goal_minor: Mapped[int] = mapped_column(BigInteger)
    texts: Mapped[dict[str, Any]]
    """locale -> {title, summary, story, stranded}"""
    suggestions: Mapped[dict[str, Any]]
    """currency -> interval -> amounts in major units, as text"""
    risk_notices: Mapped[dict[str, Any]]
    """country -> locale -> text"""
    refused_countries: Mapped[list[Any]]
    ends_running: Mapped[bool] = mapped_column(default=False)
    """Whether running gifts end when it closes."""
    raised_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    """Running total of the accepted gross, proved against its movements."""

    def is_open(self, now: datetime | None = None) -> bool:
        """Whether it takes gifts at this moment."""
        today = clock.day(now)
        over = self.closes_on is not None and today > self.closes_on
        return self.status is FundraiserStatus.OPEN and self.opens_on <= today and not over

    def words(self, locale: str) -> Words:
        """Its words in this language, else in the first one written."""
        spoken = locale if locale in self.texts else next(iter(self.texts))
        return Words(locale=spoken, **self.texts[spoken])

    @property
    def default_currency(self) -> str:
        """The currency the form opens with."""
        return next(iter(self.suggestions), self.currency)


class Cause(Base):
    """One of the things money is for."""

    __tablename__ = "fundraiser_causes"
    __table_args__ = (UniqueConstraint("fundraiser_id", "slug"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    fundraiser_id: Mapped[int] = mapped_column(ForeignKey("fundraisers.id"))
    slug: Mapped[str]
    position: Mapped[int]
    titles: Mapped[dict[str, Any]]
    planned_minor: Mapped[int] = mapped_column(BigInteger)


def find_fundraiser(slug: str) -> Fundraiser | None:
    """The fundraiser of this slug, drafts included."""
    return db.session.scalar(select(Fundraiser).where(Fundraiser.slug == slug))


def get_fundraiser(slug: str) -> Fundraiser:
    """The fundraiser of this slug; NotFound for none and for drafts."""
    fundraiser = find_fundraiser(slug)
    if fundraiser is None or fundraiser.status is FundraiserStatus.DRAFT:
        raise NotFound(N_("There is no such fundraiser."))
    return fundraiser


def fundraiser_of(fundraiser_id: int) -> Fundraiser:
    """The fundraiser a row points at."""
    return db.session.get_one(Fundraiser, fundraiser_id)


def fundraisers_by_id(ids: Iterable[int]) -> dict[int, Fundraiser]:
    """These fundraisers by their rows, in one query."""
    return {one.id: one for one in db.session.scalars(select(Fundraiser).where(Fundraiser.id.in_(set(ids))))}


def open_ones() -> list[Fundraiser]:
    """All that staff have opened, newest first."""
    found = select(Fundraiser).where(Fundraiser.status == FundraiserStatus.OPEN)
    return list(db.session.scalars(found.order_by(Fundraiser.opens_on.desc(), Fundraiser.id.desc())))


def current(now: datetime | None = None) -> Fundraiser | None:
    """The newest fundraiser that takes gifts now."""
    return next((one for one in open_ones() if one.is_open(now)), None)


def suggested(fundraiser: Fundraiser, currency: str, interval: str) -> list[Money]:
    """The amounts the form offers, smallest first."""
    amounts = fundraiser.suggestions.get(currency, {}).get(interval, [])
    return [parse(amount, currency) for amount in amounts]


def notices(fundraiser: Fundraiser, locale: str) -> list[Notice]:
    """The risk notices in this language, else in the first one written."""
    found: Mapping[str, Mapping[str, str]] = fundraiser.risk_notices
    return [
        Notice(country, texts.get(locale) or next(iter(texts.values()))) for country, texts in found.items()
    ]


def causes_of(fundraiser: Fundraiser, locale: str) -> list[ShownCause]:
    """What money is for. Nothing has been paid out before disbursements exist."""
    found = select(Cause).where(Cause.fundraiser_id == fundraiser.id).order_by(Cause.position)
    return [
        ShownCause(
            cause.titles.get(locale) or next(iter(cause.titles.values())),
            Money(cause.planned_minor, fundraiser.currency),
            Money(0, fundraiser.currency),
        )
        for cause in db.session.scalars(found)
    ]


def shares_shown(fundraiser: Fundraiser, now: datetime | None = None) -> list[ShownShare]:
    """The rule as the public may see it: outlets that show themselves by name, hidden ones added together.

    A lone hidden outlet would be found by subtraction, so it takes the smallest shown one in with it.
    """
    rule = allocations.find_rule_in_force(fundraiser.id, now)
    if rule is None:
        return []
    weights = allocations.fractions_of(rule)
    known = {outlet.id: outlet for outlet in outlets.outlets_of([i for i in weights if i is not None])}
    named = sorted(
        (i for i in known if known[i].appears is not outlets.Appears.NOTHING), key=lambda i: -weights[i]
    )
    hidden = [i for i in known if i not in named]
    if len(hidden) == 1 and named:
        hidden.append(named.pop())
    rows = [ShownShare(known[i].name, known[i].lang, 0, _percent(weights[i])) for i in named]
    if hidden:
        rows.append(
            ShownShare(None, None, len(hidden), _percent(sum((weights[i] for i in hidden), Fraction(0))))
        )
    if weights.get(None):
        rows.append(ShownShare(None, None, 0, _percent(weights[None]), is_host=True))
    return rows


def _percent(part: Fraction) -> Decimal:
    return (Decimal(part.numerator) * 100 / Decimal(part.denominator)).quantize(Decimal("0.1"))


def describe(
    slug: str,
    *,
    status: str,
    opens_on: date,
    closes_on: date | None,
    goal: Money,
    texts: dict[str, dict[str, str]],
    causes: list[tuple[str, Money, dict[str, str]]],
    suggestions: dict[str, dict[str, list[str]]],
    risk_notices: dict[str, dict[str, str]],
    refused_countries: list[str],
    ends_running: bool,
) -> Fundraiser:
    """Say what a fundraiser is; saying it again replaces it. `causes`: (slug, planned, title per locale)."""
    fundraiser = find_fundraiser(slug) or Fundraiser(slug=slug)
    fundraiser.status, fundraiser.opens_on, fundraiser.closes_on = (
        FundraiserStatus(status),
        opens_on,
        closes_on,
    )
    fundraiser.currency, fundraiser.goal_minor = goal.currency, goal.minor
    fundraiser.texts, fundraiser.suggestions = texts, suggestions
    fundraiser.risk_notices, fundraiser.refused_countries = risk_notices, refused_countries
    fundraiser.ends_running = ends_running
    db.session.add(fundraiser)
    db.session.flush()
    known = {c.slug: c for c in db.session.scalars(select(Cause).where(Cause.fundraiser_id == fundraiser.id))}
    for position, (cause_slug, planned, titles) in enumerate(causes):
        cause = known.pop(cause_slug, None) or Cause(fundraiser_id=fundraiser.id, slug=cause_slug)
        cause.position, cause.titles, cause.planned_minor = position, titles, planned.minor
        db.session.add(cause)
    for gone in known.values():
        db.session.delete(gone)
    db.session.flush()
    return fundraiser
