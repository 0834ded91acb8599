"""Staff: who has which role, and the second factor that opens the desk."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from membership.db import Base, str_enum


class Role(StrEnum):
    """What somebody of the staff is there for."""

    VIEWER = "viewer"
    SUPPORT = "support"
    TREASURER = "treasurer"
    ADMIN = "admin"
    AUDITOR = "auditor"


class StaffMember(Base):
    """A person with a role. The secret of the second factor is under the outbox key, recovery codes are hashes."""

    __tablename__ = "staff_members"

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    role: Mapped[Role] = mapped_column(str_enum(Role))
    granted_at: Mapped[datetime]
    granted_by_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    revoked_at: Mapped[datetime | None]
    locked_secret: Mapped[bytes | None]
    last_counter: Mapped[int | None] = mapped_column(BigInteger)
    """The time step of the last code that was taken: none is taken twice."""
    recovery_hashes: Mapped[list[Any]]
    enrolled_at: Mapped[datetime | None]
    enrol_hash: Mapped[str | None] = mapped_column(unique=True)
    enrol_until: Mapped[datetime | None]
