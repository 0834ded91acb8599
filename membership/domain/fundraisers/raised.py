"""How far a fundraiser has come: its sum moves with every gift, what the public sees of it moves in batches.

A batch has at least ten gifts from at least ten people and covers at least a day, refunds in the same batches,
rounded: the difference of two published sums never isolates one gift.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import BigInteger, ForeignKey, Index, func, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock
from membership.db import Base, db, insert_once
from membership.domain.fundraisers.asked import Fundraiser, FundraiserStatus
from membership.money import CURRENCIES, Money

BATCH_GIFTS = 10
BATCH_PEOPLE = 10
BATCH_TIME = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Progress:
    """What may be shown: `raised` is rounded, None before the first batch; `days_left` None without an end."""

    raised: Money | None
    goal: Money
    percent: int
    as_of: date | None
    days_left: int | None


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


def progress(fundraiser: Fundraiser, now: datetime | None = None) -> Progress:
    """How far it has come, as far as published: rounded, so that a sum says nothing of a gift."""
    goal = Money(fundraiser.goal_minor, fundraiser.currency)
    last = _last_publication(fundraiser)
    days = None if fundraiser.closes_on is None else max((fundraiser.closes_on - clock.day(now)).days, 0)
    if last is None:
        return Progress(None, goal, 0, None, days)
    shown = _rounded(last.raised_minor, fundraiser)
    percent = min(100, shown * 100 // fundraiser.goal_minor) if fundraiser.goal_minor else 0
    return Progress(Money(shown, fundraiser.currency), goal, percent, clock.day(last.published_at), days)


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
    made = [
        _publish(fundraiser, now) for fundraiser in db.session.scalars(found.with_for_update(key_share=True))
    ]
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
