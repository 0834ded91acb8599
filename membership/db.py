"""The database: our own declarative base, column types, and how SQLite and PostgreSQL are opened.

SQLite: WAL, synchronous FULL, foreign keys on, readers begin DEFERRED and writers IMMEDIATE. A deferred
transaction that turns into a writer fails at once when somebody else wrote, whatever the busy time-out;
so whoever is going to write says so first with `writing()`.
"""

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Engine,
    Enum,
    LargeBinary,
    MetaData,
    event,
    inspect,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import DeclarativeBase, registry
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator

VERSIONS = Path(__file__).resolve().parent.parent / "migrations" / "versions"
BUSY_SECONDS = 15
UNTRIED_SECONDS = 1.0
"""A connection that was used so lately is taken as it is."""
E = TypeVar("E", bound=StrEnum)


class UTCDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC; naive ones are refused, so no zone is ever guessed."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive moments; SQLite keeps UTC without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a zone: pass aware UTC datetimes")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Every moment comes back aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def str_enum(kind: type[StrEnum]) -> Enum:
    """A text column that holds the values of a StrEnum and checks them in the database."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        length=40,
        values_callable=lambda members: [member.value for member in members],
        name=kind.__name__.lower(),
    )


def member(kind: type[E], value: str, otherwise: E) -> E:
    """The member of a StrEnum that Stripe's text names; open enumerations grow, so an unknown one is `otherwise`."""
    return next((one for one in kind if one == value), otherwise)


Json = JSON()  # not JSONB, which forgets the order of keys: the first currency and the first language count


class Base(DeclarativeBase):
    """All tables. Constraints have names of one pattern, so migrations can speak of them."""

    registry = registry(
        metadata=MetaData(
            naming_convention={
                "ix": "ix_%(table_name)s_%(column_0_N_name)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
                "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
                "pk": "pk_%(table_name)s",
            }
        ),
        type_annotation_map={
            datetime: UTCDateTime(),
            dict[str, Any]: Json,
            list[Any]: Json,
            bytes: LargeBinary(),
        },
    )


db = SQLAlchemy(model_class=Base)


class SchemaBehind(Exception):
    """The tables are older than this code: the sentence says what to do."""


def check_schema() -> None:
    """Raises SchemaBehind where the tables are older than this code. Versions are counted in one line: 0001, 0002."""
    is_migrated = inspect(db.session.connection()).has_table("alembic_version")
    here = db.session.scalar(text("SELECT version_num FROM alembic_version")) if is_migrated else None
    if (here or "") < _newest_version():
        raise SchemaBehind(
            f"The database is of version {here or 'none'}, this code needs {_newest_version()}: flask db upgrade"
        )


@cache
def _newest_version() -> str:
    """As the files are called; Alembic itself is loaded by its own commands alone."""
    return max(file.name[:4] for file in VERSIONS.glob("[0-9]*.py"))


# Built once, so SQLAlchemy finds what it compiled by the statement itself; building one anew costs more than running it.


@cache
def _insert_once(table: type[Base], dialect: str) -> Any:
    inserts = (postgresql if dialect == "postgresql" else sqlite).insert(table.__table__)
    # without inline() PostgreSQL gives the row back, and how many were made is hidden
    return inserts.on_conflict_do_nothing().inline().execution_options(preserve_rowcount=True)


@cache
def _upsert(
    table: type[Base],
    dialect: str,
    *,
    keys: tuple[str, ...],
    counted: tuple[str, ...],
    taken: tuple[str, ...],
    told: str | None,
) -> Any:
    inserts = (postgresql if dialect == "postgresql" else sqlite).insert(table.__table__)
    changed = {name: table.__table__.c[name] + 1 for name in counted}
    changed |= {name: inserts.excluded[name] for name in taken}
    statement = inserts.on_conflict_do_update(index_elements=keys, set_=changed)
    return statement.returning(table.__table__.c[told]) if told else statement.inline()


def core() -> Connection:
    """The session's own connection, for statements that were built once; what waits in the session is written first."""
    session = db.session()
    session.flush()
    return session.connection()


@contextmanager
def alone() -> Iterator[Connection]:
    """A transaction for statements that were built once and read no rows: no session is made for it. Commits.

    Whoever is inside a transaction of the engine's only connection gets a savepoint of it.
    """
    bind: Any = db.engine
    if isinstance(bind, Connection):
        with bind.begin_nested():
            yield bind
    else:
        with bind.begin() as connection:
            yield connection


def insert_once(table: type[Base], **values: Any) -> bool:
    """INSERT .. ON CONFLICT DO NOTHING: whether this call made the row. Safe when two do it at once."""
    connection = core()
    return connection.execute(_insert_once(table, connection.dialect.name), values).rowcount == 1


def upsert(
    table: type[Base],
    values: Mapping[str, Any],
    *,
    keys: tuple[str, ...],
    counted: tuple[str, ...] = (),
    taken: tuple[str, ...] = (),
    told: str | None = None,
    on: Connection | None = None,
) -> Any:
    """INSERT .. ON CONFLICT (keys) DO UPDATE in one statement, safe when two do it at once.

    A row that stands has its `counted` columns go up by one, and its `taken` ones become these values. Returns what
    the column `told` holds afterwards, where one is asked for. `on` is a connection without a session.
    """
    connection = on or core()
    done = connection.execute(
        _upsert(table, connection.dialect.name, keys=keys, counted=counted, taken=taken, told=told), values
    )
    return done.scalar_one() if told else None


_writing: ContextVar[bool] = ContextVar("writing", default=False)


@contextmanager
def writing() -> Iterator[None]:
    """Transactions begun inside will write: SQLite takes its write lock at once and waits for it in line."""
    token = _writing.set(True)
    try:
        yield
    finally:
        _writing.reset(token)


@event.listens_for(Engine, "connect")
def _open_sqlite(connection: Any, _record: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_SECONDS * 1000}",
    ):
        connection.execute(f"PRAGMA {pragma}")


@event.listens_for(Engine, "checkin")
def _lay_down(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["since"] = time.monotonic()


@event.listens_for(Engine, "checkout")
def _try(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """A connection that lay unused is tried first, so a restarted server costs no page.

    One that was used a moment ago is not: were its server gone since, it would not be back yet.
    """
    since = record.info.get("since")
    if (
        since is None
        or time.monotonic() - since < UNTRIED_SECONDS
        or isinstance(connection, sqlite3.Connection)
    ):
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except Exception as error:
        raise InvalidatePoolError from error  # SQLAlchemy lets go of all that are as old, and opens another


@event.listens_for(Engine, "begin")
def _begin_sqlite(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        driver: Any = (
            connection.connection.driver_connection
        )  # SQLAlchemy's own way round costs more than the BEGIN
        driver.execute("BEGIN IMMEDIATE" if _writing.get() else "BEGIN")
