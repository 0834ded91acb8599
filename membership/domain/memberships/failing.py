"""A payment of a membership that fails: the first one, which was to begin it, or a later one that makes it late.

A late one is noted and mailed, and given up when Stripe will not try again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from membership.config import Settings
from membership.db import db
from membership.domain import outbox, payments, plans
from membership.domain.memberships import standing as shown
from membership.domain.memberships.joining import Membership, MembershipStatus
from membership.domain.memberships.opening import open_until
from membership.domain.memberships.running import mail_end
from membership.domain.payments import PaymentStatus
from membership.money import Money

TO_CONFIRM = timedelta(days=3)
"""So long a payment waits for its holder at least, where the days of grace are fewer or none."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An invoice whose payment failed, as fetched. `again_at` is None when Stripe will not try again.

    It does not where the bank wants the payer to confirm (`needs_action`), however early that is. `begins_at` is when
    the time begins that it asks to be paid for.
    """

    invoice_id: str
    attempts: int
    amount: Money
    again_at: datetime | None
    pay_url: str | None
    to: str | None
    name: str | None
    needs_action: bool = False
    begins_at: datetime | None = None


def tell_failed(
    membership: Membership,
    *,
    session_id: str,
    to: str | None,
    name: str | None,
    settings: Settings,
    now: datetime,
) -> None:
    """Mail whoever was told that it is on its way: the first payment failed, and nothing has begun."""
    locale, plan = membership.locale, plans.plan_of(membership.plan_id)
    outbox.queue(
        key=f"never-began:{session_id}",
        template="payment-failed",
        to=to or "",
        locale=locale,
        context={
            "name": name,
            "plan": plan.words(locale).name,
            "amount": shown.told(membership.amount) if membership.amount else None,
            "attempt": 1,
            "which": "begin",
            "tries_again_on": None,
            "perks_until": None,
            "fix_url": settings.link(f"/join/{plan.slug}", locale),
            "pay_url": None,
            "leave_url": None,
        },
        now=now,
    )


def late(membership: Membership, failure: Failure, *, settings: Settings, now: datetime) -> None:
    """A payment failed: note how often, and write at the first, the second and the last time.

    With the last it ends: we said so, whether or not Stripe is set to end it. What nobody confirms at their bank ends
    with the days of grace.
    """
    if not membership.is_live and membership.ended_by != "failed":
        return
    is_known = failure.attempts <= membership.late_attempts and (
        membership.late_invoice_id == failure.invoice_id
    )
    is_over = (
        failure.needs_action
        and failure.again_at is None
        and _is_past_grace(membership, failure, settings, now)
    )
    if is_known and (membership.ended_by is not None or not is_over):
        return
    if _is_paid(membership, failure.invoice_id):  # it was fetched just before
        return
    membership.late_invoice_id, membership.late_attempts = failure.invoice_id, failure.attempts
    if membership.ended_by is not None and membership.ends_at is not None:
        return  # they have left: nobody is asked to pay it
    if is_over:
        membership.ended_by = membership.ended_by or "failed"
        mail_end(membership, to=failure.to, name=failure.name, settings=settings, now=now)
        return
    which = _which(failure)
    if which is None:
        return
    if which == "last":
        membership.ended_by = membership.ended_by or "failed"
    _mail_late(membership, failure, which, settings=settings, now=now)


def _is_past_grace(membership: Membership, failure: Failure, settings: Settings, now: datetime) -> bool:
    """Whether the days of grace are over; what staff gave beyond them is no time to confirm a payment in.

    They are counted from what is to be paid now: what was paid before may have ended long ago, with a rest in between.
    """
    began = max((one for one in (membership.paid_until, failure.begins_at) if one), default=None)
    grace = max(timedelta(days=settings.grace_days), TO_CONFIRM)
    return began is not None and began + grace <= now


def _mail_late(
    membership: Membership, failure: Failure, which: str, *, settings: Settings, now: datetime
) -> None:
    locale, plan = membership.locale, plans.plan_of(membership.plan_id)
    until = open_until(membership, grace_days=settings.grace_days)
    fix = f"/join/{plan.slug}" if which == "last" else f"/account/card?membership={membership.reference}"
    outbox.queue(
        key=f"dunning:{failure.invoice_id}:{failure.attempts}",
        template="payment-failed",
        to=failure.to or "",
        locale=locale,
        context={
            "name": failure.name,
            "plan": plan.words(locale).name,
            "amount": shown.told(failure.amount),
            "attempt": failure.attempts,
            "which": which,
            "tries_again_on": shown.day(failure.again_at, settings) if failure.again_at else None,
            "perks_until": shown.day(until, settings) if until and until > now else None,
            "fix_url": settings.link(fix, locale),
            "pay_url": None if which == "last" else failure.pay_url,
            "leave_url": settings.link(f"/leave/{membership.leave_token}", locale),
        },
        now=now,
    )


def _which(failure: Failure) -> str | None:
    """The first, the second or the last time; None in between. What can still be confirmed is not the last."""
    if failure.again_at is not None:
        return {1: "first", 2: "again"}.get(failure.attempts)
    if failure.needs_action:
        return "first" if failure.attempts == 1 else "again"
    return "last"


def is_used_up(membership: Membership, now: datetime) -> bool:
    """Whether it goes on at Stripe for nothing: the last try has failed, or the debit of somebody who has left."""
    is_over = membership.ended_by == "failed" or (
        _is_late_and_left(membership) and not _is_paid_to_its_end(membership, now)
    )
    return membership.is_live and is_over


def is_waived(membership: Membership, now: datetime) -> bool:
    """Whether nobody is asked for what failed, and it goes on to its end: they have left, and what was paid before it
    reaches so far. It was for a change, then.
    """
    return membership.is_live and _is_late_and_left(membership) and _is_paid_to_its_end(membership, now)


def _is_late_and_left(membership: Membership) -> bool:
    return membership.ended_by is not None and membership.ends_at is not None and membership.late_attempts > 0


def _is_paid_to_its_end(membership: Membership, now: datetime) -> bool:
    ends_at, paid_until = membership.ends_at, membership.paid_until
    return ends_at is not None and paid_until is not None and now < ends_at <= paid_until


def _is_paid(membership: Membership, invoice_id: str) -> bool:
    return any(
        payment.stripe_invoice_id == invoice_id and payment.status is PaymentStatus.SUCCEEDED
        for payment in payments.payments_of(membership_id=membership.id)
    )


def no_longer_late(membership: Membership, invoice_id: str) -> None:
    """An invoice was voided: nobody waits for it to be paid."""
    if membership.late_invoice_id == invoice_id:
        membership.late_invoice_id, membership.late_attempts = None, 0


def late_bills(before: datetime) -> list[str]:
    """Invoices that still wait of memberships whose paid period was over by then."""
    found = select(Membership.late_invoice_id).where(
        Membership.status == MembershipStatus.PAST_DUE,
        Membership.paid_until <= before,
        Membership.ended_by.is_(None),
    )
    return [one for one in db.session.scalars(found.order_by(Membership.id)) if one]
