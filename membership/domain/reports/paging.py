"""Pages of a list by keyset: a page begins where another one ended, so the ten-thousandth costs what the first does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import BigInteger, ColumnElement, Integer, Select, literal, literal_column, tuple_

from membership.db import UTCDateTime

SIZE = 50
Entry = TypeVar("Entry")
Key = tuple[Any, ...]
Asked = Select[*tuple[Any, ...]]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INTEGER, _BIG = 2**31 - 1, 2**63 - 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: below a key (older), or above one (newer); at the top when neither is said.

    A key travels in addresses as numbers with dots between; whatever else is said there means the top.
    """

    below: str = ""
    above: str = ""


TOP = Place()


@dataclass(frozen=True, slots=True)
class Page(Generic[Entry]):
    """One page; `newer` and `older` are the keys that its neighbours begin at, where there are any."""

    rows: list[Entry]
    newer: str | None
    older: str | None


def write(key: Key) -> str:
    """A key as it travels; moments as microseconds."""
    return ".".join(
        str((part - _EPOCH) // timedelta(microseconds=1) if isinstance(part, datetime) else part)
        for part in key
    )


def read(text: str, columns: Sequence[Any]) -> Key | None:
    """A key that came back; None for what none of our pages has written."""
    parts = text.split(".")
    if len(parts) != len(columns) or not all(p.isascii() and p.isdigit() and len(p) < 19 for p in parts):
        return None
    try:
        return tuple(_part(int(part), column) for part, column in zip(parts, columns, strict=True))
    except OverflowError:
        return None


def _part(number: int, column: Any) -> Any:
    """One part of a key. Raises OverflowError for what the column has no room for."""
    if isinstance(column.type, UTCDateTime):
        return _EPOCH + timedelta(microseconds=number)
    if number > (_BIG if isinstance(column.type, BigInteger) else _INTEGER):
        raise OverflowError
    return number


def from_place(asked: Asked, columns: Sequence[Any], place: Place, size: int) -> Asked:
    """The rows of a page and one more, which tells whether another page follows. Newest first, or back from `above`."""
    below, above = read(place.below, columns), read(place.above, columns)
    if below is None and above is not None:
        asked = asked.where(_tuple(columns) > _values(above, columns))
        return asked.order_by(*columns).limit(most(size + 1))
    if below is not None:
        asked = asked.where(_tuple(columns) < _values(below, columns))
    return asked.order_by(*(column.desc() for column in columns)).limit(most(size + 1))


def most(rows: int) -> ColumnElement[int]:
    """So many rows, written into the statement: a plan that is kept for all limits would sort thousands for fifty."""
    return literal_column(str(int(rows)), Integer)


def _tuple(columns: Sequence[Any]) -> Any:
    return tuple_(*columns) if len(columns) > 1 else columns[0]


def _values(key: Key, columns: Sequence[Any]) -> Any:
    values = [literal(part, column.type) for part, column in zip(key, columns, strict=True)]
    return tuple_(*values) if len(values) > 1 else values[0]


def cut(
    rows: Sequence[Entry], columns: Sequence[Any], place: Place, size: int, key_of: Callable[[Entry], Key]
) -> Page[Entry]:
    """What `from_place` found, as a page."""
    is_back = read(place.below, columns) is None and read(place.above, columns) is not None
    is_first = not is_back and read(place.below, columns) is None
    more, kept = len(rows) > size, list(rows[:size])
    if is_back:
        kept.reverse()
    if not kept:
        return Page([], None, None)
    newer = (more if is_back else not is_first) and write(key_of(kept[0]))
    older = (is_back or more) and write(key_of(kept[-1]))
    return Page(kept, newer or None, older or None)
