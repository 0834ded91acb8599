"""Sessions on the server: one for reading one's own account, one of its own for the staff desk."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from membership.db import Base, str_enum


class SessionKind(StrEnum):
    """What a session opens."""

    MEMBER = "member"
    STAFF = "staff"


class Session(Base):
    """Somebody signed in, in one browser. The cookie's token is kept only as a hash."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index("ix_sessions_person", "person_id", "id"),
        Index("ix_sessions_expires_at", "expires_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    kind: Mapped[SessionKind] = mapped_column(str_enum(SessionKind))
    device: Mapped[str]
    """Which browser on which system, in two words; nothing finer is kept."""
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    stepped_up_at: Mapped[datetime | None]
