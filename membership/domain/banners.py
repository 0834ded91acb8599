"""What leads readers to join: the words and colours of the embedded banner, and a drive with a goal in members."""

from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from membership.db import Base


class Drive(Base):
    """A drive: so many members by a day. `texts` is locale -> {"title", "story"}.

    The count that is shown moves once a day and in steps, never at the moment somebody joins.
    """

    __tablename__ = "drives"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    goal: Mapped[int]
    begins_on: Mapped[date]
    ends_on: Mapped[date]
    texts: Mapped[dict[str, Any]]
    shown_members: Mapped[int | None]
    shown_at: Mapped[datetime | None]
