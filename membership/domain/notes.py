"""What staff write about a person: notes (sealed, people write about people) and labels (plain, one or two words).

A note is never changed. A label is found again by its text, so it names a group ("press", "diaspora"), nobody. The
audit log, which forgets nothing, knows that something was written and never what.
"""

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock, vault
from membership.db import Base, db, insert_once
from membership.domain import audit, people
from membership.domain.people import Person
from membership.errors import N_, Invalid

LONGEST = 2000
LONGEST_LABEL = 40


class Note(Base):
    """One note; never changed, taken away only when the person is erased."""

    __tablename__ = "notes"
    __table_args__ = (Index("ix_notes_person", "person_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    by_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    at: Mapped[datetime]
    sealed_text: Mapped[bytes]


class Label(Base):
    """A word on a person."""

    __tablename__ = "labels"

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    text: Mapped[str] = mapped_column(String(40), primary_key=True, index=True)


@dataclass(frozen=True, slots=True)
class Written:
    """A note as it is read; `text` is None where the key is not here."""

    id: int
    at: datetime
    by_id: int
    text: str | None


# --- verbs -------------------------------------------------------------------------------------------------


def write(person: Person, text: str, *, by: Person, now: datetime | None = None) -> Note:
    """Keep a note about a person, sealed. Raises Conflict for one who has been erased."""
    text, now = text.strip(), now or clock.now()
    if not text:
        raise Invalid(N_("Please write something."), field="text")
    if len(text) > LONGEST:
        raise Invalid(N_("Please write at most %(most)s characters here."), field="text", most=LONGEST)
    person = people.lock_unless_erased(person.id)
    note = Note(person_id=person.id, by_id=by.id, at=now, sealed_text=vault.seal({"text": text}))
    db.session.add(note)
    db.session.flush()
    _audited(audit.Tag.PERSON_NOTED, person, by, {"note": note.id}, now)
    return note


def label(person: Person, text: str, *, by: Person, now: datetime | None = None) -> str:
    """Put a word on a person; the same one twice is once. Returns it as it is kept."""
    text = clean_label(text)
    person = people.lock_unless_erased(person.id)
    if insert_once(Label, person_id=person.id, text=text):
        _audited(audit.Tag.PERSON_LABELLED, person, by, {"taken_off": False}, now)
    return text


def unlabel(person: Person, text: str, *, by: Person, now: datetime | None = None) -> None:
    """Take a word off again."""
    gone = delete(Label).where(Label.person_id == person.id, Label.text == text).returning(Label.text)
    if db.session.scalars(gone).all():
        _audited(audit.Tag.PERSON_LABELLED, person, by, {"taken_off": True}, now)


def clean_label(text: str) -> str:
    """A label as it is kept: NFC, single blanks; case stays as it was typed. Raises Invalid(field="label")."""
    text = " ".join(unicodedata.normalize("NFC", text).split())
    if not text:
        raise Invalid(N_("Please write a word or two."), field="label")
    if len(text) > LONGEST_LABEL:
        raise Invalid(N_("Please write at most %(most)s characters here."), field="label", most=LONGEST_LABEL)
    if "@" in text:
        raise Invalid(N_("A label is a word for a group of people, not an address."), field="label")
    return text


def _audited(
    tag: audit.Tag, person: Person, by: Person, details: dict[str, object], now: datetime | None
) -> None:
    audit.record(tag, subject_type="person", subject_id=person.reference, by=by, details=details, now=now)


# --- questions ---------------------------------------------------------------------------------------------


def notes_of(person: Person) -> list[Written]:
    """The notes about a person, newest first; opened where the private key is."""
    found = select(Note).where(Note.person_id == person.id).order_by(Note.id.desc())
    return [read(note) for note in db.session.scalars(found)]


def read(note: Note) -> Written:
    """A note, opened if the key is here."""
    try:
        text = str(vault.open_sealed(note.sealed_text)["text"])
    except (vault.NoPrivateKey, vault.WrongKey):
        text = None
    return Written(note.id, note.at, note.by_id, text)


def labels_of(person: Person) -> list[str]:
    """The words on a person, in the order of the alphabet."""
    found = select(Label.text).where(Label.person_id == person.id).order_by(Label.text)
    return list(db.session.scalars(found))
