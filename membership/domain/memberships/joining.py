"""The membership: its table, how it is joined, and what may be asked about it."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from membership.db import Base, str_enum
from membership.domain.payments.first import Status
from membership.money import Money


class MembershipStatus(StrEnum):
    """Where a membership stands."""

    PENDING = "pending"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    PAUSED = "paused"
    ENDED = "ended"


class Kind(StrEnum):
    """How it came about: paid through Stripe; or given by staff, as a gift, against money that came otherwise."""

    PAID = "paid"
    COMPLIMENTARY = "complimentary"
    GIFT = "gift"
    OFFLINE = "offline"


LIVE = text("status IN ('active', 'past_due', 'paused')")


class Membership(Base):
    """One membership of one person. Money and periods are None where no money comes through Stripe."""

    __tablename__ = "memberships"
    __table_args__ = (
        Index("ix_memberships_person", "person_id", "id"),
        Index("ix_memberships_live", "person_id", sqlite_where=LIVE, postgresql_where=LIVE),
        Index("ix_memberships_paid_until", "status", "paid_until"),
        Index("ix_memberships_ends_at", "ends_at", sqlite_where=LIVE, postgresql_where=LIVE),
        Index("ix_memberships_unpaid", "asked", "joined_at", sqlite_where=text("status = 'pending'"),
              postgresql_where=text("status = 'pending'")),
        Index("ix_memberships_double", "doubled_at", sqlite_where=text("doubled_at IS NOT NULL"),
              postgresql_where=text("doubled_at IS NOT NULL")),
        Index("ix_memberships_failed", "ended_by", "ended_at"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    attempt: Mapped[str] = mapped_column(unique=True)
    """One showing of the form, or of the desk's; Stripe's objects carry it as metadata."""
    content: Mapped[str]
    """A keyed hash of what was asked for: the same attempt with other content is another membership."""
    leave_token: Mapped[str] = mapped_column(unique=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"), index=True)
    kind: Mapped[Kind] = mapped_column(str_enum(Kind))
    status: Mapped[MembershipStatus] = mapped_column(str_enum(MembershipStatus))
    asked: Mapped[Status] = mapped_column(str_enum(Status))
    """How far the first payment has come; settled where none is asked for."""
    opened: Mapped[bool] = mapped_column(default=False)
    interval: Mapped[str | None]
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None]
    locale: Mapped[str]
    keepsake: Mapped[bytes | None]
    """The name as typed, under the outbox key, until the first receipt is queued."""
    joined_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    paid_until: Mapped[datetime | None]
    """The end of the last period that was paid; of the period given, where nothing is."""
    extra_until: Mapped[datetime | None]
    """How long perks stay open in any case: staff extended it."""
    next_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    """When it will end, where that is settled already."""
    resumes_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
    """member, withdrawn, failed, double, staff, over or unpaid."""
    sealed_reason: Mapped[bytes | None]
    withdrawn_at: Mapped[datetime | None]
    doubled_at: Mapped[datetime | None]
    """When it turned out to be a second paid membership of its person; None once somebody kept or ended it."""
    announced_for: Mapped[datetime | None]
    late_invoice_id: Mapped[str | None]
    """The Stripe invoice that waits to be paid, while payments fail."""
    late_attempts: Mapped[int] = mapped_column(default=0)
    stripe_customer_id: Mapped[str | None] = mapped_column(index=True)
    stripe_subscription_id: Mapped[str | None] = mapped_column(unique=True)

    @property
    def amount(self) -> Money | None:
        """What each period costs its member; None where nothing is paid."""
        if self.amount_minor is None or self.currency is None:
            return None
        return Money(self.amount_minor, self.currency)
