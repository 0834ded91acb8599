"""Correcting somebody's e-mail address: proposed by one of the staff, ripe after 7 days, done by another one."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from membership.db import Base, str_enum


class CorrectionStatus(StrEnum):
    """What became of the proposal."""

    PROPOSED = "proposed"
    DONE = "done"
    CANCELLED = "cancelled"


class Correction(Base):
    """One proposal. The new address is under the outbox key until it is decided, then forgotten."""

    __tablename__ = "corrections"
    __table_args__ = (
        Index("uq_corrections_open", "person_id", unique=True, sqlite_where=text("status = 'proposed'"),
              postgresql_where=text("status = 'proposed'")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    new_email_key: Mapped[str]
    locked_email: Mapped[bytes | None]
    cancel_hash: Mapped[str] = mapped_column(unique=True)
    """The token in the notice to the old address: whoever reads mail there can stop it."""
    status: Mapped[CorrectionStatus] = mapped_column(str_enum(CorrectionStatus))
    proposed_by_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    proposed_at: Mapped[datetime]
    ripe_at: Mapped[datetime]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    decided_at: Mapped[datetime | None]
