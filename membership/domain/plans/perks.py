"""What a membership opens: a page, a file, a link, or a code of one's own."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from membership.db import Base, str_enum


class PerkKind(StrEnum):
    """How a perk is given."""

    PAGE = "page"
    FILE = "file"
    LINK = "link"
    CODE = "code"


class Perk(Base):
    """Something for members. `texts` is locale -> {"title", "teaser", "body"}: the teaser is for everybody, the body
    (Markdown) for whoever may open it.
    """

    __tablename__ = "perks"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[PerkKind] = mapped_column(str_enum(PerkKind))
    position: Mapped[int]
    texts: Mapped[dict[str, Any]]
    link: Mapped[str | None]
    file_digest: Mapped[str | None]
    """The SHA-256 of the file, which is its name where the instance keeps it; nobody outside learns it."""
    file_name: Mapped[str | None]
    file_type: Mapped[str | None]


class PlanPerk(Base):
    """Which plan opens which perk."""

    __tablename__ = "plan_perks"

    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"), primary_key=True)
    perk_id: Mapped[int] = mapped_column(ForeignKey("perks.id"), primary_key=True, index=True)


class PerkCode(Base):
    """One code of a perk, under the outbox key; one for each member who asks."""

    __tablename__ = "perk_codes"
    __table_args__ = (
        UniqueConstraint("perk_id", "code_hash"),
        UniqueConstraint("perk_id", "person_id"),
        Index("ix_perk_codes_free", "perk_id", "id", sqlite_where=text("person_id IS NULL"),
              postgresql_where=text("person_id IS NULL")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    perk_id: Mapped[int] = mapped_column(ForeignKey("perks.id"))
    code_hash: Mapped[str]
    locked_code: Mapped[bytes]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"), index=True)
    taken_at: Mapped[datetime | None]
