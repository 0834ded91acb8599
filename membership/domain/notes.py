"""What staff write about a person: notes (sealed, people write about people) and labels (plain, one or two words)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from membership.db import Base


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
