"""The audit log as staff read it: newest first, by tag and by person, by keyset; people by name where it opens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, select, union_all

from membership.db import db
from membership.domain.audit import Record
from membership.domain.donations import Donation
from membership.domain.memberships import Membership
from membership.domain.payments import Payment
from membership.domain.people import Person
from membership.domain.reports.names import Named, named
from membership.domain.reports.paging import SIZE, TOP, Page, Place, cut, from_place

THEIRS = (
    ("person", Person.reference, Person.id),
    ("membership", Membership.reference, Membership.person_id),
    ("donation", Donation.reference, Donation.person_id),
    ("payment", Payment.reference, Payment.person_id),
)
"""What records about somebody are filed under: the kind of thing, what names it, and whose it is."""


@dataclass(frozen=True, slots=True)
class Done:
    """One thing that was done. `by` is None for the system; `about` is whom it was done to, where that is a person."""

    id: int
    at: datetime
    tag: str
    subject_type: str
    subject_id: str
    by: Named | None
    about: Named | None
    reason: str
    details: dict[str, Any]


def page_of(
    *, tag: str | None = None, person: str | None = None, place: Place = TOP, size: int = SIZE
) -> Page[Done]:
    """One page of the log: what this person did, and what was done to them, where one is asked for."""
    found = select(Record)
    if tag is not None:
        found = found.where(Record.tag == tag)
    if person is not None:
        each = [select(Record.id).where(one) for one in _by_and_about(person)]
        found = found.where(Record.id.in_(union_all(*each)))
    keys = (Record.id,)
    rows = db.session.scalars(from_place(found, keys, place, size)).all()
    page = cut(rows, keys, place, size, lambda row: (row.id,))
    return Page(_done(page.rows), page.newer, page.older)


def _by_and_about(person: str) -> list[ColumnElement[bool]]:
    """What they did, and what was done to them and to what is theirs: each has an index of its own."""
    number = select(Person.id).where(Person.reference == person).scalar_subquery()
    about = [
        and_(Record.subject_type == kind, Record.subject_id.in_(select(of).where(owner == number)))
        for kind, of, owner in THEIRS
    ]
    return [Record.by_id == number, *about]


def _done(rows: list[Record]) -> list[Done]:
    subjects = {row.subject_id for row in rows if row.subject_type == "person"}
    known = select(Person.reference, Person.id).where(Person.reference.in_(subjects))
    ids: dict[str, int] = dict(db.session.execute(known).all()) if subjects else {}
    people = named([*(row.by_id for row in rows), *ids.values()])
    return [
        Done(
            id=row.id,
            at=row.at,
            tag=row.tag,
            subject_type=row.subject_type,
            subject_id=row.subject_id,
            by=people.get(row.by_id) if row.by_id is not None else None,
            about=people.get(ids.get(row.subject_id, 0)) if row.subject_type == "person" else None,
            reason=row.reason,
            details=row.details,
        )
        for row in rows
    ]
