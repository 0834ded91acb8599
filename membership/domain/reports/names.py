"""Names at the desk: opened where this server holds the private key, and searched by opening them one after another.

Names are sealed, so no index knows them: a search opens five hundred people a step, newest first, says how far it is
and goes on when asked.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, text

from membership import vault
from membership.db import db
from membership.domain.people import Person
from membership.domain.reports.codes import code_of
from membership.vault import NoPrivateKey, WrongKey

STEP = 500


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody as a list shows them. `name` is None where it stays sealed, "" where none was given."""

    id: int
    reference: str
    name: str | None
    is_erased: bool = False

    @property
    def code(self) -> str:
        """The short code."""
        return code_of(self.id)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a search: whom it found, how many it looked at, and where the next one begins (None: done)."""

    found: list[Named]
    looked: int
    next: int | None


def name_in(sealed: bytes | None) -> str | None:
    """The name, if this server can open it."""
    if sealed is None:
        return None
    try:
        return str(vault.open_sealed(sealed).get("name") or "")
    except (NoPrivateKey, WrongKey):
        return None


def called(person: Person) -> str:
    """What to call somebody of the staff: the name, else how their address begins, else the code."""
    try:
        told = vault.open_sealed(person.sealed_identity or b"")
    except (NoPrivateKey, WrongKey):
        return code_of(person.id)
    return str(told.get("name") or str(told.get("email") or "").partition("@")[0])


def named(ids: Iterable[int | None]) -> dict[int, Named]:
    """These people by their row, in one query."""
    wanted = {one for one in ids if one is not None}
    if not wanted:
        return {}
    found = select(Person.id, Person.reference, Person.sealed_identity, Person.erased_at)
    rows = db.session.execute(found.where(Person.id.in_(wanted)))
    return {
        row.id: Named(row.id, row.reference, name_in(row.sealed_identity), row.erased_at is not None)
        for row in rows
    }


def by_references(references: Sequence[str]) -> list[Named]:
    """These people by their public references, newest first; what is no reference is left out."""
    asked = select(Person.id, Person.reference, Person.sealed_identity, Person.erased_at)
    rows = db.session.execute(asked.where(Person.reference.in_(references)).order_by(Person.id.desc()))
    return [
        Named(row.id, row.reference, name_in(row.sealed_identity), row.erased_at is not None) for row in rows
    ]


def plain(words: str) -> str:
    """Words for comparing: case, accents and spaces do not count."""
    apart = unicodedata.normalize("NFKD", words.casefold())
    kept = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return " ".join(kept.split())


def search(words: str, *, below: int | None = None, step: int = STEP) -> Step:
    """Look for words in names and addresses, newest people first. Raises NoPrivateKey where names stay sealed."""
    wanted = plain(words).split()
    asked = select(Person.id, Person.reference, Person.sealed_identity)
    asked = asked.where(Person.sealed_identity.is_not(None)).order_by(Person.id.desc()).limit(step)
    rows = db.session.execute(asked if below is None else asked.where(Person.id < below)).all()
    found = []
    for row in rows:
        try:
            told = vault.open_sealed(row.sealed_identity)
        except WrongKey:
            continue
        held = plain(f"{told.get('name') or ''} {told.get('email') or ''}")
        if wanted and all(word in held for word in wanted):
            found.append(Named(row.id, row.reference, str(told.get("name") or "")))
    return Step(found, len(rows), rows[-1].id if len(rows) == step else None)


_GUESS = text("SELECT reltuples::bigint FROM pg_class WHERE oid = 'people'::regclass")


def about_how_many() -> int:
    """How many people there are, roughly: nobody waits for a count."""
    newest = int(db.session.scalar(select(func.max(Person.id))) or 0)
    if db.session.connection().dialect.name == "postgresql":
        guess = int(db.session.scalar(_GUESS) or 0)
        return guess if guess > 0 else newest
    return newest
