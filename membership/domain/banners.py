"""What leads readers to join: the words and colours of the embedded banner, and a drive with a goal in members."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock
from membership.db import Base, db
from membership.domain import newsroom
from membership.domain.memberships import Membership, MembershipStatus

STEP = 10
"""The count that is shown moves by this many people, so that one who joins or leaves is never seen."""
EVERY = timedelta(days=1)
COLOURS = {"accent": "#9b1b38", "paper": "#faf7f0", "ink": "#1c1a16"}
_COLOUR = re.compile(r"#[0-9a-f]{6}")
MEMBERS = (MembershipStatus.ACTIVE, MembershipStatus.PAST_DUE, MembershipStatus.PAUSED)


@dataclass(frozen=True, slots=True)
class BannerLine:
    """What the banner says, and in which language."""

    locale: str
    text: str


@dataclass(frozen=True, slots=True)
class DriveWords:
    """A drive in one language; `locale` is the one the words really are in."""

    locale: str
    title: str
    story: str


class Drive(Base):
    """A drive: so many members by a day. `texts` is locale -> {"title", "story"}.

    The count that is shown moves once a day and in steps, never at the moment somebody joins.
    """

    __tablename__ = "drives"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    goal: Mapped[int]
    begins_on: Mapped[date]
    ends_on: Mapped[date]
    texts: Mapped[dict[str, Any]]
    shown_members: Mapped[int | None]
    shown_at: Mapped[datetime | None]
    """When members were counted last."""

    def words(self, locale: str) -> DriveWords:
        """Its words in this language, else in the first one written."""
        spoken = locale if locale in self.texts else next(iter(self.texts))
        return DriveWords(locale=spoken, **self.texts[spoken])

    def is_running(self, now: datetime | None = None) -> bool:
        """Whether today is one of its days."""
        return self.begins_on <= clock.day(now) <= self.ends_on

    def days_left(self, now: datetime | None = None) -> int:
        """How many days are left after today."""
        return max(0, (self.ends_on - clock.day(now)).days)

    @property
    def percent(self) -> int:
        """How far it came, as far as it is shown."""
        return min(100, (self.shown_members or 0) * 100 // self.goal)


def line(locale: str) -> BannerLine | None:
    """The newsroom's own line in this language, else in the first one written; None when it wrote none."""
    house = newsroom.find_newsroom()
    written = house.banner if house else {}
    spoken = locale if locale in written else next(iter(written), None)
    return BannerLine(spoken, written[spoken]) if spoken else None


def colours() -> dict[str, str]:
    """Accent, paper and ink of the banner: the newsroom's, else those of our own pages."""
    house = newsroom.find_newsroom()
    said = house.colours if house else {}
    return {
        name: said[name] if _COLOUR.fullmatch(said.get(name, "")) else own for name, own in COLOURS.items()
    }


def describe(
    slug: str, *, goal: int, begins_on: date, ends_on: date, texts: dict[str, dict[str, str]]
) -> Drive:
    """Say what a drive is; saying it again replaces it and leaves its count."""
    drive = db.session.scalar(select(Drive).where(Drive.slug == slug)) or Drive(slug=slug)
    drive.goal, drive.begins_on, drive.ends_on, drive.texts = goal, begins_on, ends_on, texts
    db.session.add(drive)
    db.session.flush()
    return drive


def forget_others(slugs: Collection[str]) -> None:
    """Only these drives remain; nothing hangs on one."""
    for drive in db.session.scalars(select(Drive)):
        if drive.slug not in slugs:
            db.session.delete(drive)
    db.session.flush()


def current(now: datetime | None = None) -> Drive | None:
    """The drive that runs today; of several, the one that began last."""
    found = db.session.scalars(select(Drive).order_by(Drive.begins_on.desc(), Drive.id.desc()))
    return next((drive for drive in found if drive.is_running(now)), None)


def count(now: datetime | None = None) -> int:
    """Count the members for every running drive whose count is a day old; returns for how many. Safe at any time."""
    now = now or clock.now()
    running = [
        drive for drive in db.session.scalars(select(Drive).with_for_update()) if drive.is_running(now)
    ]
    due = [drive for drive in running if drive.shown_at is None or now - drive.shown_at >= EVERY]
    if due:
        members = count_members()
        for drive in due:
            drive.shown_members, drive.shown_at = _shown(drive.shown_members, members), now
        db.session.flush()
    return len(due)


def count_members() -> int:
    """How many people have a membership that runs, is late or rests."""
    found = select(func.count(Membership.person_id.distinct())).where(Membership.status.in_(MEMBERS))
    return db.session.scalar(found) or 0


def _shown(before: int | None, members: int) -> int:
    """Rounded down; below what was shown only once a whole step has left, or a single person could be seen to go."""
    rounded = members - members % STEP
    if before is not None and before - STEP < members < before:
        return before
    return rounded
