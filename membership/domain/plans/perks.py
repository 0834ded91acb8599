"""What a membership opens: a page, a file, a link, or a code of one's own (see `codes`)."""

import hashlib
import mimetypes
import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column

from membership.db import Base, db, str_enum
from membership.errors import N_, NotFound

FOLDER = "perks"


class PerkKind(StrEnum):
    """How a perk is given."""

    PAGE = "page"
    FILE = "file"
    LINK = "link"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class PerkWords:
    """A perk in one language; `locale` is the one the words really are in."""

    locale: str
    title: str
    teaser: str
    body: str


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that the instance keeps for members."""

    digest: str
    name: str
    type: str
    size: int


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
    file_size: Mapped[int | None]

    def words(self, locale: str) -> PerkWords:
        """Its words in this language, else in the first one written."""
        spoken = locale if locale in self.texts else next(iter(self.texts))
        return PerkWords(locale=spoken, **self.texts[spoken])


class PlanPerk(Base):
    """Which plan opens which perk."""

    __tablename__ = "plan_perks"

    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"), primary_key=True)
    perk_id: Mapped[int] = mapped_column(ForeignKey("perks.id"), primary_key=True, index=True)


def keep_file(path: Path, instance: Path) -> KeptFile:
    """Copy a file to where members get it from, under the name of its digest. The same file is kept once."""
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    folder = instance / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / digest).exists():
        half = folder / f".{digest}.{os.getpid()}"
        half.touch(mode=0o600)
        half.write_bytes(data)
        half.replace(folder / digest)
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return KeptFile(digest, path.name, kind, len(data))


def file_path(perk: Perk, instance: Path) -> Path:
    """Where the file of this perk lies; NotFound when it has none, or when the instance lost it."""
    path = instance / FOLDER / (perk.file_digest or "none")
    if perk.file_digest is None or not path.is_file():
        raise NotFound(N_("This file is not there just now."))
    return path


def describe_perk(
    slug: str,
    *,
    kind: str,
    position: int,
    texts: dict[str, dict[str, str]],
    link: str | None = None,
    file: KeptFile | None = None,
) -> Perk:
    """Say what a perk is; saying it again replaces it."""
    perk = find_perk(slug) or Perk(slug=slug)
    perk.kind, perk.position, perk.texts, perk.link = PerkKind(kind), position, texts, link
    perk.file_digest, perk.file_name = (file.digest, file.name) if file else (None, None)
    perk.file_type, perk.file_size = (file.type, file.size) if file else (None, None)
    db.session.add(perk)
    db.session.flush()
    return perk


def open_perks(plan_id: int, slugs: list[str]) -> None:
    """Let this plan open these perks and no others. Raises NotFound for one that nobody described."""
    wanted = {get_perk(slug).id for slug in slugs}
    known = {
        row.perk_id: row for row in db.session.scalars(select(PlanPerk).where(PlanPerk.plan_id == plan_id))
    }
    for perk_id in sorted(wanted - known.keys()):
        db.session.add(PlanPerk(plan_id=plan_id, perk_id=perk_id))
    for perk_id in known.keys() - wanted:
        db.session.delete(known[perk_id])
    db.session.flush()


def find_perk(slug: str) -> Perk | None:
    """The perk of this slug, if there is one."""
    return db.session.scalar(select(Perk).where(Perk.slug == slug))


def get_perk(slug: str) -> Perk:
    """The perk of this slug; NotFound when there is none."""
    perk = find_perk(slug)
    if perk is None:
        raise NotFound(N_("There is no such perk."))
    return perk


def perks_by_plan(plan_ids: Iterable[int] | None = None) -> dict[int, list[Perk]]:
    """Plan id -> what it opens, in order: of these plans or of all, in one query."""
    found = select(PlanPerk.plan_id, Perk).join(Perk, Perk.id == PlanPerk.perk_id)
    if plan_ids is not None:
        found = found.where(PlanPerk.plan_id.in_(plan_ids))
    told: dict[int, list[Perk]] = {}
    for plan_id, perk in db.session.execute(found.order_by(Perk.position, Perk.id)):
        told.setdefault(plan_id, []).append(perk)
    return told


def perks_of(plan_id: int) -> list[Perk]:
    """What this plan opens, in order."""
    return perks_by_plan([plan_id]).get(plan_id, [])
