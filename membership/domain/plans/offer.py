"""What can be joined: a plan, with its monthly and yearly prices in several currencies."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from membership.db import Base, str_enum
from membership.money import Money


class PlanStatus(StrEnum):
    """Whether the plan can be joined; its members stay when it closes."""

    OPEN = "open"
    CLOSED = "closed"


class Plan(Base):
    """A tier. `texts` is locale -> {"name", "summary", "story"}; `position` is its place in the comparison."""

    __tablename__ = "plans"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    status: Mapped[PlanStatus] = mapped_column(str_enum(PlanStatus))
    position: Mapped[int]
    texts: Mapped[dict[str, Any]]
    described_at: Mapped[datetime]


class Price(Base):
    """What a plan costs a month or a year in one currency; a member may always pay more."""

    __tablename__ = "prices"
    __table_args__ = (UniqueConstraint("plan_id", "interval", "currency"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"), index=True)
    interval: Mapped[str]
    """month or year."""
    currency: Mapped[str]
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    is_open: Mapped[bool] = mapped_column(default=True)

    @property
    def amount(self) -> Money:
        """What the plan asks for at least."""
        return Money(self.amount_minor, self.currency)
