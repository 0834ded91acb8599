"""Fundraisers: what money is asked for, in which words, and how far it has come.

What the public sees of the sum moves only in batches: at least ten gifts from at least ten people and at least a
day, refunds in the same batches, rounded. The difference of two published sums never isolates one gift.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, func, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock
from membership.db import Base, db, insert_once, str_enum
from membership.domain import allocations, outlets
from membership.errors import N_, NotFound
from membership.money import CURRENCIES, Money, parse

BATCH_GIFTS = 10
BATCH_PEOPLE = 10
BATCH_TIME = timedelta(days=1)


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
class Progress:
    """What may be shown: `raised` is rounded, None before the first batch; `days_left` None without an end."""

    raised: Money | None
    goal: Money
    percent: int
    as_of: date | None
    days_left: int | None


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
        today = (now or clock.now()).date()
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


class Publication(Base):
    """A batch that went public: the sum so far, and of how many gifts."""

    __tablename__ = "fundraiser_publications"

    id: Mapped[int] = mapped_column(primary_key=True)
    fundraiser_id: Mapped[int] = mapped_column(ForeignKey("fundraisers.id"), index=True)
    published_at: Mapped[datetime]
    raised_minor: Mapped[int] = mapped_column(BigInteger)
    gifts: Mapped[int]


class Movement(Base):
    """One step of the sum raised: a gift's gross, or what a refund took back. One per source."""

    __tablename__ = "fundraiser_movements"
    __table_args__ = (
        Index(
            "ix_fundraiser_movements_unpublished",
            "fundraiser_id",
            "at",
            sqlite_where=text("publication_id IS NULL"),
            postgresql_where=text("publication_id IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    fundraiser_id: Mapped[int] = mapped_column(ForeignKey("fundraisers.id"))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    source: Mapped[str] = mapped_column(unique=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    is_gift: Mapped[bool]
    at: Mapped[datetime]
    publication_id: Mapped[int | None] = mapped_column(ForeignKey("fundraiser_publications.id"))


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


def progress(fundraiser: Fundraiser, now: datetime | None = None) -> Progress:
    """How far it has come, as far as published: rounded, so that a sum says nothing of a gift."""
    now = now or clock.now()
    goal = Money(fundraiser.goal_minor, fundraiser.currency)
    last = _last_publication(fundraiser)
    days = None if fundraiser.closes_on is None else max((fundraiser.closes_on - now.date()).days, 0)
    if last is None:
        return Progress(None, goal, 0, None, days)
    shown = _rounded(last.raised_minor, fundraiser)
    percent = min(100, shown * 100 // fundraiser.goal_minor) if fundraiser.goal_minor else 0
    return Progress(Money(shown, fundraiser.currency), goal, percent, last.published_at.date(), days)


def _rounded(minor: int, fundraiser: Fundraiser) -> int:
    """Down to a round step near a hundredth of the goal (1, 2 or 5 times a power of ten major units)."""
    unit = int(10 ** CURRENCIES[fundraiser.currency].exponent)
    wanted = max(fundraiser.goal_minor // 100, 10 * unit)
    step = 10 * unit
    for factor in (2, 5, 10) * 12:
        bigger = step // _lead(step) * factor
        if bigger > wanted:
            break
        step = bigger
    return max(minor, 0) // step * step


def _lead(step: int) -> int:
    return int(str(step)[0])


def _last_publication(fundraiser: Fundraiser) -> Publication | None:
    found = select(Publication).where(Publication.fundraiser_id == fundraiser.id)
    return db.session.scalar(found.order_by(Publication.id.desc()).limit(1))


def move(
    fundraiser_id: int, *, source: str, amount_minor: int, person_id: int | None, is_gift: bool, at: datetime
) -> None:
    """Add a gift's gross (or take a refund back) once per source; the running total moves with it."""
    made = insert_once(
        Movement,
        fundraiser_id=fundraiser_id,
        person_id=person_id,
        source=source,
        amount_minor=amount_minor,
        is_gift=is_gift,
        at=at,
    )
    if made:
        total = Fundraiser.raised_minor + amount_minor
        db.session.execute(
            update(Fundraiser).where(Fundraiser.id == fundraiser_id).values(raised_minor=total)
        )


def publish_due(now: datetime | None = None) -> list[Publication]:
    """Publish every fundraiser's waiting batch that is large and old enough."""
    now = now or clock.now()
    found = select(Fundraiser).where(Fundraiser.status != FundraiserStatus.DRAFT).order_by(Fundraiser.id)
    made = [_publish(fundraiser, now) for fundraiser in db.session.scalars(found.with_for_update())]
    return [publication for publication in made if publication is not None]


def _publish(fundraiser: Fundraiser, now: datetime) -> Publication | None:
    waiting = Movement.fundraiser_id == fundraiser.id, Movement.publication_id.is_(None)
    gifts, people, oldest, amount = db.session.execute(
        select(
            func.count().filter(Movement.is_gift),
            func.count(Movement.person_id.distinct()).filter(Movement.is_gift),
            func.min(Movement.at),
            func.coalesce(func.sum(Movement.amount_minor), 0),
        ).where(*waiting)
    ).one()
    last = _last_publication(fundraiser)
    since = max(oldest, last.published_at) if last and oldest else oldest
    if gifts < BATCH_GIFTS or people < BATCH_PEOPLE or now - since < BATCH_TIME:
        return None
    publication = Publication(
        fundraiser_id=fundraiser.id,
        published_at=now,
        raised_minor=(last.raised_minor if last else 0) + int(amount),
        gifts=(last.gifts if last else 0) + gifts,
    )
    db.session.add(publication)
    db.session.flush()
    db.session.execute(update(Movement).where(*waiting).values(publication_id=publication.id))
    return publication


def totals_off() -> list[str]:
    """Running totals that differ from the sum of their movements, one sentence each; none is right."""
    moved = select(Movement.fundraiser_id, func.sum(Movement.amount_minor).label("moved"))
    moved_of = moved.group_by(Movement.fundraiser_id).subquery()
    rows = db.session.execute(
        select(Fundraiser.slug, Fundraiser.raised_minor, func.coalesce(moved_of.c.moved, 0)).outerjoin(
            moved_of, moved_of.c.fundraiser_id == Fundraiser.id
        )
    )
    return [
        f"raised of {slug} says {total}, its movements say {sum_}"
        for slug, total, sum_ in rows
        if total != sum_
    ]


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
