"""The Checkout Session of a gift or a membership: made once, looked at, closed; a second press finds the same one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from membership.billing import account, calls, facts
from membership.billing.calls import Call, CallState
from membership.billing.checkout import products
from membership.billing.gateway import StripeMissing, StripeRefused, StripeUnavailable
from membership.config import Settings
from membership.db import Base, db, insert_once, str_enum, writing
from membership.domain import donations, memberships
from membership.domain.donations import Donation, Status
from membership.domain.memberships import Membership

LIVES = timedelta(seconds=2100)
"""How long a Checkout stays open: a stolen link is of little use to card testers."""
STRIPE_LEAST = timedelta(minutes=30)
"""Stripe takes no session that lives less; a call recorded longer ago than the difference would be refused."""


class CheckoutState(StrEnum):
    """What we know of a Checkout; Stripe knows better."""

    ASKED = "asked"
    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"
    REFUSED = "refused"


class Checkout(Base):
    """One Checkout Session; a gift or a membership may need several, one after the other."""

    __tablename__ = "checkouts"
    __table_args__ = (
        UniqueConstraint("donation_id", "number"),
        UniqueConstraint("membership_id", "number"),
        CheckConstraint("(donation_id IS NULL) <> (membership_id IS NULL)", name="one_subject"),
        Index("ix_checkouts_open", "state", "expires_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    donation_id: Mapped[int | None] = mapped_column(ForeignKey("donations.id"))
    membership_id: Mapped[int | None] = mapped_column(ForeignKey("memberships.id"))
    number: Mapped[int]
    state: Mapped[CheckoutState] = mapped_column(str_enum(CheckoutState))
    key: Mapped[str] = mapped_column(unique=True)
    """The key of the call that makes it; from the attempt, which no other installation can have."""
    stripe_session_id: Mapped[str | None] = mapped_column(unique=True)
    expires_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Order:
    """What is paid for: how its row is found and asked for, and what its Checkout says."""

    column: InstrumentedAttribute[int | None]
    id: int
    lock: Callable[[int], Any]
    again: Callable[..., None]
    params: Callable[[Any, Checkout, str, Settings], dict[str, Any]]
    product: Callable[[Any, Settings], products.Product]

    def row(self) -> Any:
        """The gift or membership, locked."""
        return self.lock(self.id)

    @property
    def checkouts(self) -> Any:
        """The Checkouts of it, newest first."""
        return select(Checkout).where(self.column == self.id).order_by(Checkout.number.desc())


def asked(subject: Donation | Membership) -> Status:
    """How far its first payment has come."""
    return subject.status if isinstance(subject, Donation) else subject.asked


def column_of(subject: Donation | Membership) -> InstrumentedAttribute[int | None]:
    """The column by which its Checkouts are found."""
    return Checkout.donation_id if isinstance(subject, Donation) else Checkout.membership_id


def latest(subject: Donation | Membership) -> Checkout | None:
    """The newest Checkout of it."""
    found = select(Checkout).where(column_of(subject) == subject.id)
    return db.session.scalar(found.order_by(Checkout.number.desc()).limit(1))


def is_replaced(subject: Donation | Membership, session_id: str) -> bool:
    """Whether another Checkout of it was opened after this one."""
    newest = latest(subject)
    mine = db.session.scalar(select(Checkout.number).where(Checkout.stripe_session_id == session_id))
    return newest is not None and mine is not None and mine < newest.number


def open_page(order: Order, email: str, now: datetime) -> str | None:
    """The address of an open Checkout; None when it needs none any more."""
    if asked(order.row()) in (Status.SETTLED, Status.PROCESSING):
        db.session.commit()
        return None
    checkout = _newest(order)
    # read once: another press may be ahead of this one
    call = calls.find_call(checkout.key) if checkout else None
    if checkout is not None and (session_id := _session_of(checkout, call)):
        session = _look_at(checkout, session_id)
        if session.status == "open":
            return session.url
        state = asked(order.row())
        if session.status == "complete" and state is not Status.FAILED and not session.has_failed:
            db.session.commit()
            return None  # paid, or on its way, even if we have not seen the charge yet
        call = None
    # a session that a broken or late reply hides is no danger: nobody has its address
    is_late = checkout is not None and checkout.expires_at < now + STRIPE_LEAST
    if checkout is None or call is None or not calls.is_open(call, now) or calls.is_stuck(call) or is_late:
        checkout, call = _ask(order, email, (checkout.number if checkout else 0) + 1, now)
    return _send(order, checkout, call, now)


def _newest(order: Order) -> Checkout | None:
    found: Checkout | None = db.session.scalar(order.checkouts.limit(1))
    return found


def _session_of(checkout: Checkout, call: Call | None) -> str:
    """The session's id, from the row or from the call that made it: whoever made it may not have written it yet."""
    return checkout.stripe_session_id or (call.result_id if call else None) or ""


def _ask(order: Order, email: str, number: int, now: datetime) -> tuple[Checkout, Call]:
    """Record the next Checkout and the call that makes it; two clicks at once record the same one."""
    subject = order.row()
    _let_go(subject, now)
    calls.supersede(f"cs:{subject.attempt}")
    order.again(subject, now=now)
    insert_once(
        Checkout,
        donation_id=order.id if order.column is Checkout.donation_id else None,
        membership_id=order.id if order.column is Checkout.membership_id else None,
        number=number,
        key=f"cs:{subject.attempt}:{number}",
        state=CheckoutState.ASKED,
        expires_at=now + LIVES,
    )
    checkout: Checkout = db.session.scalars(order.checkouts.where(Checkout.number == number)).one()
    params = order.params(subject, checkout, email, account.here().settings)
    return checkout, calls.record(checkout.key, "sessions.create", params, now=now)


def _let_go(subject: Donation | Membership, now: datetime) -> None:
    """A subscription whose first payment failed ends before another takes its place: Stripe might still collect it."""
    if subject.stripe_subscription_id:
        calls.record_cancel(subject.stripe_subscription_id, now=now)
        subject.stripe_subscription_id = None


def _send(order: Order, checkout: Checkout, call: Call, now: datetime) -> str | None:
    checkout_id = checkout.id
    products.ensure(order.product(order.row(), account.here().settings), now)
    if call.state is CallState.OK:  # another press was faster
        return _look_at(checkout, call.result_id or "").url
    try:
        reply = calls.send(call)
    except StripeRefused as error:
        _remember(checkout_id, CheckoutState.REFUSED, None)
        raise StripeUnavailable(error.code) from None
    _remember(checkout_id, CheckoutState.OPEN, str(reply["id"]))
    return str(reply["url"])


def _remember(checkout_id: int, state: CheckoutState, session_id: str | None) -> None:
    with writing():
        checkout = db.session.get_one(Checkout, checkout_id, with_for_update=True, populate_existing=True)
        checkout.stripe_session_id = checkout.stripe_session_id or session_id
        checkout.state = state
        if state is CheckoutState.OPEN:
            _subject(checkout).opened = True
        db.session.commit()


def _subject(checkout: Checkout) -> Donation | Membership:
    if checkout.donation_id is not None:
        return donations.gift_of(checkout.donation_id)
    return memberships.membership_of(checkout.membership_id or 0)


def follow(session: facts.SessionFacts) -> None:
    """Make the row agree with the session that was fetched."""
    checkout = db.session.scalar(select(Checkout).where(Checkout.stripe_session_id == session.id))
    if checkout is not None:
        checkout.state = CheckoutState(session.status)


def has_open(subject: Donation | Membership, now: datetime) -> bool:
    """Whether a Checkout of it may still be paid, or may turn out to have been."""
    open_ = select(Checkout.id).where(
        column_of(subject) == subject.id,
        Checkout.state.in_((CheckoutState.OPEN, CheckoutState.ASKED)),
        Checkout.expires_at > now,
    )
    return db.session.scalar(open_.limit(1)) is not None


def note_closing(subjects: Iterable[Donation | Membership], *, now: datetime) -> list[str]:
    """Record that the open Checkouts of these expire; the keys of the calls. One that was paid meanwhile is refused."""
    keys = []
    for subject in (one for one in subjects if asked(one) is Status.PLEDGED):
        checkout = latest(subject)
        session_id = checkout.stripe_session_id if checkout and checkout.state is CheckoutState.OPEN else None
        if session_id and has_open(subject, now):
            key = calls.fresh_key(f"expire:{session_id}")
            keys.append(calls.record(key, "sessions.expire", {"id": session_id}, now=now).idem_key)
    return keys


def overdue_sessions(before: datetime) -> list[str]:
    """Sessions that should have ended by then and that nobody told us about."""
    found = select(Checkout.stripe_session_id).where(
        Checkout.state == CheckoutState.OPEN,
        Checkout.expires_at < before,
        Checkout.stripe_session_id.is_not(None),
    )
    return [one for one in db.session.scalars(found.order_by(Checkout.expires_at).limit(500)) if one]


def latest_session(subject: Donation | Membership) -> str | None:
    """The id of the newest session of it, to look at while its reader waits."""
    checkout = latest(subject)
    return checkout.stripe_session_id if checkout else None


def _look_at(checkout: Checkout, session_id: str) -> facts.SessionFacts:
    """The session as Stripe has it, with no transaction open while asking. Only an open one has an address."""
    checkout_id, expires_at = checkout.id, checkout.expires_at
    db.session.commit()
    try:
        session = account.here().gateway.session(session_id)
    except StripeMissing:  # another account, or a pretend Stripe that begins anew: nobody can pay it
        session = facts.gone(session_id, expires_at)
    except StripeRefused as error:
        raise StripeUnavailable(error.code) from None
    _remember(checkout_id, CheckoutState(session.status), session_id)
    return session


def close(order: Order, now: datetime) -> bool:
    """Expire the open Checkout of what is about to change; False when it was paid meanwhile."""
    if asked(order.row()) in (Status.SETTLED, Status.PROCESSING):
        return False
    checkout = _newest(order)
    if checkout is None:
        return True
    call, checkout_id = calls.find_call(checkout.key), checkout.id
    session_id = _session_of(checkout, call)
    if not session_id and call is not None and calls.is_open(call, now) and not calls.is_stuck(call):
        _send(order, checkout, call, now)  # an outcome we never learned: find the session, then expire it
        checkout = db.session.get_one(Checkout, checkout_id)
        session_id = _session_of(checkout, None)
    if not session_id or checkout.state in (CheckoutState.EXPIRED, CheckoutState.REFUSED):
        return True
    expire = calls.record(
        calls.fresh_key(f"expire:{session_id}"), "sessions.expire", {"id": session_id}, now=now
    )
    try:
        if expire.state is not CallState.OK:
            calls.send(expire)
    except StripeRefused:  # not open any more: expired by itself, or complete
        session = _look_at(db.session.get_one(Checkout, checkout_id), session_id)
        return session.status != "complete" or session.has_failed
    _remember(checkout_id, CheckoutState.EXPIRED, session_id)
    return True
