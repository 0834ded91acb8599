"""The codes of a perk: kept locked, one for each member who asks, and never the same one twice."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, bindparam, delete, func, select, text, update
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql.elements import ColumnElement

from membership import clock, vault
from membership.db import Base, core, db
from membership.domain import audit
from membership.domain.audit import Tag
from membership.domain.people import Person
from membership.domain.plans.perks import Perk
from membership.errors import N_, Conflict


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
    """Stays when its person is forgotten, so that nobody gets a used code."""


def is_free() -> ColumnElement[bool]:
    """Nobody has taken this code, nor had somebody who is forgotten by now."""
    return PerkCode.person_id.is_(None) & PerkCode.taken_at.is_(None)


def stock(perk: Perk, codes: Sequence[str]) -> None:
    """Let these be the codes of a perk: new ones are added, those not named any more are gone unless taken."""
    wanted = {vault.fingerprint(f"{perk.slug} {code}"): code for code in codes}
    rows = db.session.execute(select(PerkCode.code_hash, PerkCode.id).where(PerkCode.perk_id == perk.id))
    known = {row.code_hash: row.id for row in rows}
    for code_hash, code in wanted.items():
        if code_hash not in known:
            db.session.add(
                PerkCode(perk_id=perk.id, code_hash=code_hash, locked_code=vault.lock({"code": code}))
            )
    if gone := [{"row": known[code_hash]} for code_hash in known.keys() - wanted.keys()]:
        # whether it is free is asked as it goes: somebody may take it at this moment
        core().execute(delete(PerkCode).where(PerkCode.id == bindparam("row"), is_free()), gone)
    db.session.flush()


def find_code(perk: Perk, person: Person) -> str | None:
    """The code that this person has taken already."""
    row = _taken(perk, person)
    return _read(row) if row else None


def take_code(perk: Perk, person: Person, *, now: datetime | None = None) -> str:
    """This person's one code, taken at the first call. Raises Conflict when none is left."""
    db.session.get_one(Person, person.id, with_for_update=True)  # two presses of one member take one code
    row = _taken(perk, person)
    if row is not None:
        return _read(row)
    free = select(PerkCode).where(PerkCode.perk_id == perk.id, is_free()).order_by(PerkCode.id).limit(1)
    row = db.session.scalar(free.with_for_update(skip_locked=True))
    if row is None:
        raise Conflict(N_("All codes are taken. Please write to the newsroom: it can add more."))
    row.person_id, row.taken_at = person.id, now or clock.now()
    audit.record(Tag.PERK_TAKEN, subject_type="perk", subject_id=perk.slug, by=person, now=now)
    return _read(row)


def codes_left(perk: Perk) -> int:
    """How many nobody has taken."""
    found = select(func.count()).select_from(PerkCode).where(PerkCode.perk_id == perk.id, is_free())
    return db.session.scalar(found) or 0


def forget_codes(person: Person) -> None:
    """Whose codes they were is forgotten; taken they stay."""
    db.session.execute(update(PerkCode).where(PerkCode.person_id == person.id).values(person_id=None))


def _taken(perk: Perk, person: Person) -> PerkCode | None:
    return db.session.scalar(
        select(PerkCode).where(PerkCode.perk_id == perk.id, PerkCode.person_id == person.id)
    )


def _read(row: PerkCode) -> str:
    return str(vault.unlock(row.locked_code)["code"])
