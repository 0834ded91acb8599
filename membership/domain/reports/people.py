"""The list of people: what staff see of each, filtered, fifty a page, by keyset.

The page comes from the columns of people alone, along an index for every filter: no OFFSET, no exact COUNT. What is
shown beside them (membership, money, labels) is asked for the people of the page only. Newest first; where the day
of joining is asked for, the latest to join first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, union_all
from sqlalchemy.engine import Row

from membership.db import db
from membership.domain import corrections
from membership.domain.corrections import Correction
from membership.domain.people import Given, Person, Standing
from membership.domain.reports import course, paging
from membership.domain.reports.beside import Beside, beside
from membership.domain.reports.names import Named, name_in
from membership.domain.reports.paging import SIZE, TOP, Asked, Page, Place, cut, from_place

MOST_COUNTED = 1000
BATCH = 500


@dataclass(frozen=True, slots=True)
class Filter:
    """Whom a list is about; what is left out does not matter. Joined: from the first moment, before the second one.

    Whose membership renews, is late, is a second one; who has left since then; whom failing payments have cost us since
    then; whose credit is left of what had ended by then: see `course`. Whose correction of the address was ripe by then.
    """

    standings: tuple[Standing, ...] = ()
    plan_id: int | None = None
    kind: str | None = None
    joined_from: datetime | None = None
    joined_before: datetime | None = None
    given: Given | None = None
    locale: str | None = None
    bounced: bool = False
    ripe_by: datetime | None = None
    renews: bool = False
    late: bool = False
    doubled: bool = False
    left_since: datetime | None = None
    lost_since: datetime | None = None
    credited_by: datetime | None = None

    @property
    def by_joining(self) -> bool:
        """Whether the day of joining is asked for: the list is in its order then."""
        return self.joined_from is not None or self.joined_before is not None


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of the list."""

    who: Named
    standing: Standing
    plan_id: int | None
    kind: str | None
    member_since: datetime | None
    given: Given
    locale: str
    bounced_at: datetime | None
    beside: Beside


_COLUMNS = (
    Person.id,
    Person.reference,
    Person.sealed_identity,
    Person.erased_at,
    Person.standing,
    Person.plan_id,
    Person.kind,
    Person.member_since,
    Person.given,
    Person.locale,
    Person.bounced_at,
)


def page_of(asked: Filter, place: Place = TOP, *, size: int = SIZE) -> Page[Listed]:
    """One page of the list: one query for it, and three for what stands beside."""
    keys = _keys(asked)
    rows = db.session.execute(_page(asked, place, size)).all()
    page = cut(rows, keys, place, size, lambda row: _key(asked, row))
    return Page(_listed(page.rows), page.newer, page.older)


def batches(asked: Filter, *, size: int = BATCH) -> Iterator[list[Listed]]:
    """All of the list, batch by batch, in the order of its pages."""
    place = TOP
    while True:
        rows = db.session.execute(_page(asked, place, size)).all()
        page = cut(rows, _keys(asked), place, size, lambda row: _key(asked, row))
        yield _listed(page.rows)
        if page.older is None:
            return
        place = Place(below=page.older)


def count(asked: Filter, *, most: int | None = MOST_COUNTED) -> int:
    """How many people the list has; counted no further than one more than `most`."""
    found = select(Person.id).where(*_conditions(asked))
    if asked.standings:
        found = found.where(Person.standing.in_(asked.standings))
    if most is not None:
        found = found.limit(paging.most(most + 1))
    return int(db.session.scalar(select(func.count()).select_from(found.subquery())) or 0)


def _keys(asked: Filter) -> tuple[Any, ...]:
    return (Person.member_since, Person.id) if asked.by_joining else (Person.id,)


def _key(asked: Filter, row: Row[Any]) -> tuple[Any, ...]:
    return (row.member_since, row.id) if asked.by_joining else (row.id,)


def _conditions(asked: Filter) -> list[ColumnElement[bool]]:
    """All that is asked but the standing."""
    told: list[ColumnElement[bool]] = []
    if asked.plan_id is not None:
        told.append(Person.plan_id == asked.plan_id)
    if asked.kind is not None:
        told.append(Person.kind == asked.kind)
    if asked.joined_from is not None:
        told.append(Person.member_since >= asked.joined_from)
    if asked.joined_before is not None:
        told.append(Person.member_since < asked.joined_before)
    if asked.given is not None:
        told.append(Person.given == asked.given)
    if asked.locale is not None:
        told.append(Person.locale == asked.locale)
    if asked.bounced:
        told.append(Person.bounced_at.is_not(None))
    if asked.ripe_by is not None:
        told.append(Person.id.in_(select(Correction.person_id).where(corrections.is_ripe(asked.ripe_by))))
    return told + [course.people_of(which) for which in _courses(asked)]


def _courses(asked: Filter) -> Iterator[list[course.Condition]]:
    if asked.renews:
        yield course.renewing()
    if asked.late:
        yield course.late()
    if asked.doubled:
        yield course.doubled()
    if asked.left_since is not None:
        yield course.left(asked.left_since)
    if asked.lost_since is not None:
        yield course.lost(asked.lost_since)
    if asked.credited_by is not None:
        yield course.credited(asked.credited_by)


def _page(asked: Filter, place: Place, size: int) -> Asked:
    """The rows of a page. Where several standings meet, each gives its own page along its index, and these are merged."""
    keys, told = _keys(asked), _conditions(asked)
    standings = asked.standings or (tuple(Standing) if asked.plan_id is not None else ())
    if asked.by_joining or len(standings) < 2:
        if asked.standings:
            told.append(Person.standing.in_(asked.standings))
        return from_place(select(*_COLUMNS).where(*told), keys, place, size)
    each = [
        from_place(select(Person.id).where(*told, Person.standing == one), keys, place, size)
        for one in standings
    ]
    ids = union_all(*(select(one.subquery().c.id) for one in each))
    return from_place(select(*_COLUMNS).where(Person.id.in_(ids)), keys, place, size)


def _listed(rows: list[Row[Any]]) -> list[Listed]:
    shown = beside([row.id for row in rows])
    return [
        Listed(
            who=Named(row.id, row.reference, name_in(row.sealed_identity), row.erased_at is not None),
            standing=row.standing,
            plan_id=row.plan_id,
            kind=row.kind,
            member_since=row.member_since,
            given=row.given,
            locale=row.locale,
            bounced_at=row.bounced_at,
            beside=shown[row.id],
        )
        for row in rows
    ]
