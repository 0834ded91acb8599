"""A sign-in that was asked for: a link and a code, for ten minutes, used once."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from membership.db import Base


class SignIn(Base):
    """One asking. Known and unknown addresses make the same row; the worker finds out whether there is somebody to write to.

    `locked` holds address, token and code under the outbox key until the mail is queued, then only what is shown of
    the address.
    """

    __tablename__ = "sign_ins"
    __table_args__ = (
        Index("ix_sign_ins_unsent", "asked_at", sqlite_where=text("sent_at IS NULL"), postgresql_where=text("sent_at IS NULL")),
        Index("ix_sign_ins_email_key", "email_key", "asked_at"),
        Index("ix_sign_ins_expires_at", "expires_at"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    nonce_hash: Mapped[str] = mapped_column(index=True)
    """The browser that asked: the code works only there, the link asks first anywhere else."""
    code_hash: Mapped[str]
    tries: Mapped[int]
    email_key: Mapped[str]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"), index=True)
    locked: Mapped[bytes | None]
    locale: Mapped[str]
    next_path: Mapped[str]
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
