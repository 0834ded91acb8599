"""The audit log as tests look at it: all of it, or all that was done to one thing; oldest first."""

from sqlalchemy import select

from membership.db import db
from membership.domain.audit import Record


def records() -> list[Record]:
    """All that was done."""
    return list(db.session.scalars(select(Record).order_by(Record.id)))


def history_of(subject_type: str, subject_id: str | int) -> list[Record]:
    """All that was done to one thing."""
    return [one for one in records() if (one.subject_type, one.subject_id) == (subject_type, str(subject_id))]
