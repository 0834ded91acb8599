"""The donation: its table, its pledge, and what may be asked about it.

A pledge is written before anything is asked of Stripe, so money that arrives finds its row.
"""

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, bindparam, select, text
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock, vault
from membership.config import Settings
from membership.db import Base, core, db, insert_once, str_enum
from membership.domain import people
from membership.domain.fundraisers import Fundraiser
from membership.domain.payments.first import Status, after
from membership.errors import N_, Conflict, Invalid, NotFound
from membership.money import CURRENCIES, Money, stripe_minimum

KEEP_UNSETTLED = timedelta(days=30)


class Interval(StrEnum):
    """How often a gift comes."""

    ONCE = "once"
    MONTH = "month"
    YEAR = "year"


class Schedule(StrEnum):
    """How a recurring gift goes on; `none` for a single one and for one that has not begun."""

    NONE = "none"
    RUNNING = "running"
    PAST_DUE = "past_due"
    PAUSED = "paused"
    ENDED = "ended"


GOING = (Schedule.RUNNING, Schedule.PAST_DUE, Schedule.PAUSED)
"""How a gift that still comes may stand."""


class Review(StrEnum):
    """Whether staff must look at the gift before its money reaches the shares."""

    NONE = "none"
    HELD = "held"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Pledge:
    """What a reader filled in. `amount` is before the fee is covered; `attempt` is one showing of the form."""

    attempt: str
    amount: Money
    interval: Interval
    email: str
    locale: str
    covers_fee: bool = False
    name: str = ""
    shown: bool = False
    message: str = ""
    country: str = ""
    source: str = ""


class Donation(Base):
    """A gift. `amount` is what the donor chose, `charged` what is asked of the card."""

    __tablename__ = "donations"
    __table_args__ = (
        Index("ix_donations_person", "person_id", "id"),
        Index("ix_donations_status", "status", "pledged_at", sqlite_where=text("person_id IS NOT NULL"),
              postgresql_where=text("person_id IS NOT NULL")),
        Index("ix_donations_next", "interval", "next_on", sqlite_where=text("schedule = 'running'"),
              postgresql_where=text("schedule = 'running'")),
        Index("ix_donations_held", "id", sqlite_where=text("review = 'held'"), postgresql_where=text("review = 'held'")),
        Index("ix_donations_country", "country", "schedule"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    attempt: Mapped[str] = mapped_column(unique=True)
    content: Mapped[str]
    """A keyed hash of what was pledged: the same attempt with other content is another gift."""
    leave_token: Mapped[str] = mapped_column(unique=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    fundraiser_id: Mapped[int] = mapped_column(ForeignKey("fundraisers.id"), index=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    charged_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    interval: Mapped[Interval] = mapped_column(str_enum(Interval))
    covers_fee: Mapped[bool]
    shown: Mapped[bool]
    sealed_message: Mapped[bytes | None]
    keepsake: Mapped[bytes | None]
    """The name as typed, under the outbox key, only until the first receipt is queued."""
    country: Mapped[str]
    card_country: Mapped[str | None]
    source: Mapped[str]
    locale: Mapped[str]
    status: Mapped[Status] = mapped_column(str_enum(Status), default=Status.PLEDGED)
    schedule: Mapped[Schedule] = mapped_column(str_enum(Schedule), default=Schedule.NONE)
    review: Mapped[Review] = mapped_column(str_enum(Review), default=Review.NONE)
    opened: Mapped[bool] = mapped_column(default=False)
    """Whether its payment page was ever shown: until Stripe says that it expired, it may have been paid."""
    pledged_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    next_on: Mapped[datetime | None]
    resumes_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
    """donor, failed, country, closed or staff."""
    sealed_reason: Mapped[bytes | None]
    """Why its donor paused or left it, where they said so."""
    announced_for: Mapped[datetime | None]
    """The renewal that was announced last."""
    stripe_customer_id: Mapped[str | None] = mapped_column(index=True)
    stripe_subscription_id: Mapped[str | None] = mapped_column(unique=True)

    @property
    def amount(self) -> Money:
        """What the donor chose to give."""
        return Money(self.amount_minor, self.currency)

    @property
    def charged(self) -> Money:
        """What the card is asked for: the amount, and the fee where the donor covers it."""
        return Money(self.charged_minor, self.currency)

    @property
    def is_recurring(self) -> bool:
        """Whether it comes again by itself."""
        return self.interval is not Interval.ONCE


def _content(pledge: Pledge) -> str:
    fields = [pledge.amount.minor, pledge.amount.currency, pledge.interval, pledge.covers_fee, pledge.name]
    told = [vault.email_key(pledge.email), pledge.shown, pledge.message, pledge.country]
    return vault.fingerprint(json.dumps(fields + told, ensure_ascii=False))


def screen(fundraiser: Fundraiser, pledge: Pledge, *, settings: Settings, now: datetime) -> Money:
    """Whether this gift may be asked for at all; returns what the card is charged. Raises Invalid with a field."""
    amount, currency = pledge.amount, pledge.amount.currency
    if not fundraiser.is_open(now):
        raise Conflict(N_("This fundraiser is closed and takes no gifts any more."))
    if currency not in settings.currencies:
        raise Invalid(N_("We cannot take this currency."), field="currency")
    smallest, largest = settings.amount_min[currency], settings.amount_max[currency]
    least = stripe_minimum(currency)
    if amount < smallest or (least is not None and amount < least):
        raise Invalid(N_("The smallest gift is %(amount)s."), field="amount", amount=smallest)
    if amount > largest:
        raise Invalid(N_("The largest gift by card is %(amount)s. For more, please use a bank transfer."),
                      field="amount", amount=largest)  # fmt: skip
    if amount.minor % CURRENCIES[currency].multiple_of:
        raise Invalid(N_("This currency has no smaller coins: please write a whole amount."), field="amount")
    if pledge.country.upper() in fundraiser.refused_countries:
        raise Invalid(
            N_("For their own safety, we take no gifts from people who live there."), field="country"
        )
    return settings.fee_formula.gross_up(amount) if pledge.covers_fee else amount


def find_by_attempt(attempt: str) -> Donation | None:
    """The gift that this showing of the form has already pledged."""
    return db.session.scalar(select(Donation).where(Donation.attempt == attempt))


def is_same(donation: Donation, pledge: Pledge) -> bool:
    """Whether the attempt was posted again unchanged."""
    return donation.content == _content(pledge)


def _told(
    fundraiser: Fundraiser, pledge: Pledge, *, person_id: int, charged: Money, now: datetime
) -> dict[str, object]:
    """A pledge as columns."""
    return {
        "content": _content(pledge),
        "person_id": person_id,
        "fundraiser_id": fundraiser.id,
        "amount_minor": pledge.amount.minor,
        "charged_minor": charged.minor,
        "currency": charged.currency,
        "interval": pledge.interval,
        "covers_fee": pledge.covers_fee,
        "shown": pledge.shown,
        "sealed_message": vault.seal({"message": pledge.message}) if pledge.message else None,
        "keepsake": vault.lock({"name": pledge.name}) if pledge.name else None,
        "country": pledge.country.upper(),
        "source": pledge.source,
        "locale": pledge.locale,
        "pledged_at": now,
    }


def pledge(
    fundraiser: Fundraiser,
    pledge: Pledge,
    *,
    replaces: bool = False,
    settings: Settings,
    now: datetime | None = None,
) -> Donation:
    """Write the gift down before any money is asked for. The same attempt gives the same row.

    `replaces`: the attempt was pledged with other content, and its Checkout is closed.
    """
    now = now or clock.now()
    charged = screen(fundraiser, pledge, settings=settings, now=now)
    person = people.register(pledge.email, name=pledge.name, locale=pledge.locale, now=now)
    told = _told(fundraiser, pledge, person_id=person.id, charged=charged, now=now)
    insert_once(
        Donation,
        attempt=pledge.attempt,
        reference=people.new_reference(),
        leave_token=secrets.token_urlsafe(24),
        status=Status.PLEDGED,
        schedule=Schedule.NONE,
        review=Review.NONE,
        opened=False,
        **told,
    )
    donation = lock_for(pledge.attempt, None)
    assert donation is not None
    if replaces and donation.content != told["content"] and move(donation, "pledge"):
        for name, value in told.items():
            setattr(donation, name, value)
    return donation


def press_again(donation: Donation, *, now: datetime) -> None:
    """Another payment page is about to open for this gift: it is pledged anew, and its time begins again."""
    move(donation, "pledge")
    donation.pledged_at = now


# The row as it is now, locked until the transaction ends: whoever converges a gift works alone.
_FRESH = select(Donation).with_for_update().execution_options(populate_existing=True)
_BY_ID = _FRESH.where(Donation.id == bindparam("id"))
_BY_ATTEMPT = _FRESH.where(Donation.attempt == bindparam("attempt"))
_BY_SUBSCRIPTION = _FRESH.where(Donation.stripe_subscription_id == bindparam("subscription"))


def lock_for(attempt: str | None, subscription_id: str | None) -> Donation | None:
    """The gift of this attempt, else of this subscription, locked."""
    found = db.session.scalar(_BY_ATTEMPT, {"attempt": attempt}) if attempt else None
    if found is None and subscription_id:
        found = db.session.scalar(_BY_SUBSCRIPTION, {"subscription": subscription_id})
    return found


def lock_donation(donation_id: int) -> Donation:
    """This gift, locked."""
    donation = db.session.scalar(_BY_ID, {"id": donation_id})
    assert donation is not None
    return donation


def gift_of(donation_id: int) -> Donation:
    """The gift of this row."""
    return db.session.get_one(Donation, donation_id)


def gifts_by_id(ids: Iterable[int]) -> dict[int, Donation]:
    """These gifts by their rows, in one query."""
    return {one.id: one for one in db.session.scalars(select(Donation).where(Donation.id.in_(set(ids))))}


def find_donation(reference: str) -> Donation | None:
    """The gift of this public reference."""
    return db.session.scalar(select(Donation).where(Donation.reference == reference))


def get_donation(reference: str) -> Donation:
    """The gift of this public reference; NotFound when there is none."""
    donation = find_donation(reference)
    if donation is None:
        raise NotFound(N_("There is no such gift."))
    return donation


def find_by_leave_token(token: str) -> Donation | None:
    """The recurring gift that the link in a receipt speaks of."""
    return db.session.scalar(select(Donation).where(Donation.leave_token == token))


def find_by_customer(customer_id: str) -> list[Donation]:
    """The gifts that a Stripe customer pays."""
    return list(db.session.scalars(select(Donation).where(Donation.stripe_customer_id == customer_id)))


def running_of(email: str) -> list[Donation]:
    """The gifts of this address that still come."""
    person = people.find_by_email(email)
    return running_gifts_of(person.id) if person else []


def gifts_of(person_id: int) -> list[Donation]:
    """The gifts of a person for which money came or is on its way, newest first."""
    paid = Donation.status.in_((Status.SETTLED, Status.PROCESSING))
    found = select(Donation).where(Donation.person_id == person_id, paid)
    return list(db.session.scalars(found.order_by(Donation.id.desc()).limit(200)))


def running_gifts_of(person_id: int) -> list[Donation]:
    """The gifts of a person that still come."""
    found = select(Donation).where(Donation.person_id == person_id, Donation.schedule.in_(GOING))
    return list(db.session.scalars(found.order_by(Donation.id)))


def running_from(country: str) -> list[Donation]:
    """The running gifts from a country, as declared or as the card says."""
    here = (Donation.country == country) | (Donation.card_country == country)
    return list(
        db.session.scalars(select(Donation).where(here, Donation.schedule.in_(GOING)).order_by(Donation.id))
    )


def held_ones() -> list[Donation]:
    """The gifts that wait for staff, oldest first."""
    return list(
        db.session.scalars(select(Donation).where(Donation.review == Review.HELD).order_by(Donation.id))
    )


def move(donation: Donation, verb: str) -> bool:
    """Follow MOVES; False when the gift is already past this verb."""
    target = after(donation.status, verb)
    donation.status = target or donation.status
    return target is not None


_RUNS = (
    select(Donation.id)
    .where(Donation.person_id == bindparam("person"), Donation.schedule.in_(GOING))
    .limit(1)
)


def tell_given(donation: Donation, *, paid_as: str | None = None) -> None:
    """Note on its giver whether a gift of theirs runs, or that one was given; and the Stripe customer that paid.

    The giver is locked first, so of two gifts that change at once the second finds what the first has become.
    """
    if donation.person_id is None:
        return
    giver = people.lock_person(donation.person_id)
    runs = core().scalar(_RUNS, {"person": donation.person_id}) is not None
    given = people.Given.RUNNING if runs else people.Given.ONCE
    people.gave(giver.id, given, stripe_customer_id=paid_as)


def purge_stale(now: datetime | None = None) -> int:
    """Forget who made pledges that never settled, a month later. Returns how many were purged."""
    before = (now or clock.now()) - KEEP_UNSETTLED
    unpaid = Donation.status.in_((Status.EXPIRED, Status.FAILED)) | (
        (Donation.status == Status.PLEDGED) & ~Donation.opened
    )
    found = select(Donation).where(unpaid, Donation.pledged_at < before, Donation.person_id.is_not(None))
    found = found.order_by(Donation.pledged_at).limit(500).with_for_update(skip_locked=True)
    stale = list(db.session.scalars(found.execution_options(populate_existing=True)))
    givers = [donation.person_id for donation in stale]
    for donation in stale:
        donation.person_id = None
        donation.keepsake, donation.sealed_message, donation.content = None, None, ""
    db.session.flush()
    people.forget_alone(givers, now=now)
    return len(stale)
