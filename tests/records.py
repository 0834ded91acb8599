"""What is written down, as tests look at it: the audit log, oldest first, and all rows of all tables."""

from sqlalchemy import select

from membership.db import Base, db
from membership.domain.audit import Record


def records() -> list[Record]:
    """All that was done."""
    return list(db.session.scalars(select(Record).order_by(Record.id)))


def history_of(subject_type: str, subject_id: str | int) -> list[Record]:
    """All that was done to one thing."""
    return [one for one in records() if (one.subject_type, one.subject_id) == (subject_type, str(subject_id))]


def all_rows():
    """What stands in every table but the one that counts tries."""
    db.session.commit()
    tables = Base.metadata.tables.keys() - {"limit_counts"}
    return {name: sorted(map(repr, db.engine.exec_driver_sql(f"SELECT * FROM {name}"))) for name in tables}
