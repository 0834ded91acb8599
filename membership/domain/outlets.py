"""Outlets: the small newsrooms among which a fundraiser's money is shared.

An outlet chooses how it appears in public (nothing, banded, exact); hidden ones are only ever added together.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column

from membership.db import Base, db, str_enum


class Appears(StrEnum):
    """What the public sees of an outlet's money."""

    NOTHING = "nothing"
    BANDED = "banded"
    EXACT = "exact"


class OutletStatus(StrEnum):
    """Where an outlet stands with the fund."""

    INVITED = "invited"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    LEFT = "left"


class Outlet(Base):
    """A partner newsroom."""

    __tablename__ = "outlets"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    latin_name: Mapped[str]
    lang: Mapped[str]
    """The language its name is written in, for the `lang` attribute."""
    country: Mapped[str]
    languages: Mapped[list[Any]]
    link: Mapped[str] = mapped_column(default="")
    about: Mapped[dict[str, Any]]
    status: Mapped[OutletStatus] = mapped_column(str_enum(OutletStatus), default=OutletStatus.ACTIVE)
    appears: Mapped[Appears] = mapped_column(str_enum(Appears), default=Appears.NOTHING)
    payments_paused: Mapped[bool] = mapped_column(default=False)


def find_outlet(slug: str) -> Outlet | None:
    """The outlet of this slug, if there is one."""
    return db.session.scalar(select(Outlet).where(Outlet.slug == slug))


def outlets_of(ids: list[int]) -> list[Outlet]:
    """These outlets, in one query."""
    return list(db.session.scalars(select(Outlet).where(Outlet.id.in_(ids))))


def describe(
    slug: str,
    *,
    name: str,
    latin_name: str,
    country: str,
    languages: list[str],
    link: str = "",
    about: dict[str, str] | None = None,
    appears: str = "nothing",
) -> Outlet:
    """Say what an outlet is; saying it again replaces it."""
    outlet = find_outlet(slug) or Outlet(slug=slug)
    outlet.name, outlet.latin_name, outlet.country, outlet.link = name, latin_name, country, link
    outlet.languages, outlet.about = list(languages), dict(about or {})
    outlet.lang = languages[0] if languages else "en"
    outlet.appears = Appears(appears)
    db.session.add(outlet)
    db.session.flush()
    return outlet
