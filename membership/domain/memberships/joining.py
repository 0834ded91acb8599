"""The membership: its table, how it is joined, and what may be asked about it."""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, bindparam, select, text
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock, vault
from membership.config import Settings
from membership.db import Base, db, insert_once, str_enum
from membership.domain import people, plans
from membership.domain.payments.first import Status, after
from membership.domain.plans import Plan, PlanStatus, Price
from membership.errors import N_, Conflict, Invalid, NotFound
from membership.money import CURRENCIES, Money

KEEP_UNPAID = timedelta(days=30)


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


LIVE_STATUSES = (MembershipStatus.ACTIVE, MembershipStatus.PAST_DUE, MembershipStatus.PAUSED)
LIVE = text("status IN ('active', 'past_due', 'paused')")


@dataclass(frozen=True, slots=True)
class Join:
    """What a reader filled in. `attempt` is one showing of the form; `amount` is what each period shall cost."""

    attempt: str
    plan: Plan
    price: Price
    amount: Money
    email: str
    locale: str
    name: str = ""


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
        Index("ix_memberships_credit", "id", sqlite_where=text("credit_minor > 0"),
              postgresql_where=text("credit_minor > 0")),
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
    paid_from: Mapped[datetime | None]
    """When the newest period that was paid began; None where nothing is."""
    paid_until: Mapped[datetime | None]
    """The end of that period; of the period given, where nothing is paid."""
    extra_until: Mapped[datetime | None]
    """How long perks stay open in any case: staff extended it."""
    next_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    """When it will end, where that is settled already."""
    resumes_at: Mapped[datetime | None]
    credit_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    """What Stripe keeps for its member from a change to less: the next payments use it up."""
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
    """member, withdrawn, failed, double, replaced, staff, over or unpaid."""
    sealed_reason: Mapped[bytes | None]
    withdrawable_until: Mapped[datetime | None]
    """The end of the last day on which its member may undo the joining."""
    withdrawn_at: Mapped[datetime | None]
    doubled_at: Mapped[datetime | None]
    """When it turned out to be a second paid membership of its person; None once somebody kept or ended it."""
    announced_for: Mapped[datetime | None]
    late_invoice_id: Mapped[str | None]
    """The Stripe invoice that waits to be paid, while payments fail."""
    late_attempts: Mapped[int] = mapped_column(default=0)
    card_asked_at: Mapped[datetime | None]
    """When its member was sent to change the card: the next one found at Stripe becomes the subscription's."""
    stripe_method_id: Mapped[str | None]
    stripe_customer_id: Mapped[str | None] = mapped_column(index=True)
    stripe_subscription_id: Mapped[str | None] = mapped_column(unique=True)

    @property
    def amount(self) -> Money | None:
        """What each period costs its member; None where nothing is paid."""
        if self.amount_minor is None or self.currency is None:
            return None
        return Money(self.amount_minor, self.currency)

    @property
    def credit(self) -> Money:
        """What later payments use up before the card is asked."""
        return Money(self.credit_minor, self.currency or "EUR")

    @property
    def is_live(self) -> bool:
        """Whether it has begun and has not ended."""
        return self.status in LIVE_STATUSES


def is_given_back(membership: Membership) -> bool:
    """Whether all that was paid for it goes back: withdrawn from, or a second one that nobody kept."""
    return membership.withdrawn_at is not None or membership.ended_by == "double"


def _content(join: Join) -> str:
    told = [join.plan.slug, join.price.interval, join.amount.minor, join.amount.currency, join.name]
    return vault.fingerprint(json.dumps([*told, vault.email_key(join.email)], ensure_ascii=False))


def screen(plan: Plan, price: Price, amount: Money, *, settings: Settings) -> None:
    """Whether this plan may be joined for this much. Raises Conflict, or Invalid with a field."""
    if plan.status is not PlanStatus.OPEN or not price.is_open or price.plan_id != plan.id:
        raise Conflict(N_("This plan is closed and takes no new members."))
    if amount.currency != price.currency or amount.currency not in settings.currencies:
        raise Invalid(N_("We cannot take this currency."), field="price")
    _screen_amount(amount, least=price.amount, settings=settings)


def screen_change(
    membership: Membership, plan: Plan, amount: Money, *, interval: str, settings: Settings
) -> None:
    """Whether a membership may become this one: of an open plan or of its own. Raises Conflict, or Invalid with a field."""
    theirs = plans.prices_of(plan, membership.currency or "")
    price = next((one for one in theirs if one.interval == interval), None)
    is_offered = plan.is_open or plan.id == membership.plan_id
    if price is None or not is_offered or amount.currency != price.currency:
        raise Conflict(N_("This plan is not offered at that price any more. Nothing was changed."))
    _screen_amount(amount, least=price.amount, settings=settings)


def _screen_amount(amount: Money, *, least: Money, settings: Settings) -> None:
    if amount < least:
        raise Invalid(N_("This plan costs %(amount)s or more."), field="other_amount", amount=least)
    largest = settings.amount_max[amount.currency]
    if amount > largest:
        raise Invalid(N_("The largest amount by card is %(amount)s."), field="other_amount", amount=largest)
    if amount.minor % CURRENCIES[amount.currency].multiple_of:
        raise Invalid(
            N_("This currency has no smaller coins: please write a whole amount."), field="other_amount"
        )


def join(
    join: Join, *, replaces: bool = False, settings: Settings, now: datetime | None = None
) -> Membership:
    """Write the membership down before any money is asked for. The same attempt gives the same row.

    `replaces`: the attempt asked for something else before, and its Checkout is closed.
    """
    now = now or clock.now()
    screen(join.plan, join.price, join.amount, settings=settings)
    person = people.register(join.email, name=join.name, locale=join.locale, now=now)
    told: dict[str, object] = {
        "content": _content(join),
        "person_id": person.id,
        "plan_id": join.plan.id,
        "interval": join.price.interval,
        "amount_minor": join.amount.minor,
        "currency": join.amount.currency,
        "locale": join.locale,
        "keepsake": vault.lock({"name": join.name}) if join.name else None,
        "joined_at": now,
    }
    insert_once(
        Membership,
        attempt=join.attempt,
        reference=people.new_reference(),
        leave_token=secrets.token_urlsafe(24),
        kind=Kind.PAID,
        status=MembershipStatus.PENDING,
        asked=Status.PLEDGED,
        opened=False,
        late_attempts=0,
        credit_minor=0,
        **told,
    )
    membership = lock_for(join.attempt, None)
    assert membership is not None
    if replaces and membership.content != told["content"] and move(membership, "pledge"):
        for name, value in told.items():
            setattr(membership, name, value)
    return membership


def move(membership: Membership, verb: str) -> bool:
    """How far the first payment has come; False when it is already past this verb."""
    target = after(membership.asked, verb)
    membership.asked = target or membership.asked
    return target is not None


def press_again(membership: Membership, *, now: datetime) -> None:
    """Another payment page is about to open: it is asked for anew, and its time begins again."""
    move(membership, "pledge")
    membership.joined_at = now


def find_by_attempt(attempt: str) -> Membership | None:
    """The membership that this showing of the form has already asked for."""
    return db.session.scalar(select(Membership).where(Membership.attempt == attempt))


def is_same(membership: Membership, join: Join) -> bool:
    """Whether the attempt was posted again unchanged."""
    return membership.content == _content(join)


# The row as it is now, locked until the transaction ends.
_FRESH = select(Membership).with_for_update().execution_options(populate_existing=True)
_BY_ID = _FRESH.where(Membership.id == bindparam("id"))
_BY_ATTEMPT = _FRESH.where(Membership.attempt == bindparam("attempt"))
_BY_SUBSCRIPTION = _FRESH.where(Membership.stripe_subscription_id == bindparam("subscription"))


def lock_for(attempt: str | None, subscription_id: str | None) -> Membership | None:
    """The membership of this attempt, else of this subscription, locked."""
    found = db.session.scalar(_BY_ATTEMPT, {"attempt": attempt}) if attempt else None
    if found is None and subscription_id:
        found = db.session.scalar(_BY_SUBSCRIPTION, {"subscription": subscription_id})
    return found


def lock_membership(membership_id: int) -> Membership:
    """This membership, locked."""
    membership = db.session.scalar(_BY_ID, {"id": membership_id})
    assert membership is not None
    return membership


def membership_of(membership_id: int) -> Membership:
    """The membership of this row."""
    return db.session.get_one(Membership, membership_id)


def get_membership(reference: str) -> Membership:
    """The membership of this public reference; NotFound when there is none."""
    membership = db.session.scalar(select(Membership).where(Membership.reference == reference))
    if membership is None:
        raise NotFound(N_("There is no such membership."))
    return membership


def find_by_leave_token(token: str) -> Membership | None:
    """The membership that the link in a receipt speaks of."""
    return db.session.scalar(select(Membership).where(Membership.leave_token == token))


def find_by_customer(customer_id: str) -> list[Membership]:
    """The memberships that a Stripe customer pays."""
    return list(db.session.scalars(select(Membership).where(Membership.stripe_customer_id == customer_id)))


def purge_unpaid(now: datetime | None = None) -> int:
    """Forget who began to join and never paid, a month later. Returns how many were purged."""
    before = (now or clock.now()) - KEEP_UNPAID
    unpaid = Membership.asked.in_((Status.EXPIRED, Status.FAILED)) | (
        (Membership.asked == Status.PLEDGED) & ~Membership.opened
    )
    found = select(Membership).where(
        Membership.status == MembershipStatus.PENDING, unpaid, Membership.joined_at < before
    )
    found = found.order_by(Membership.joined_at).limit(500).with_for_update(skip_locked=True)
    stale = list(db.session.scalars(found.execution_options(populate_existing=True)))
    owners = [membership.person_id for membership in stale]
    for membership in stale:
        membership.person_id = None
        membership.keepsake, membership.content = None, ""
        membership.status, membership.ended_by = MembershipStatus.ENDED, "unpaid"
    db.session.flush()
    people.forget_alone(owners, now=now)
    return len(stale)
