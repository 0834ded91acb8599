"""How a membership goes on: it renews, is late, is paused, is left, ends.

Stripe's subscription is the truth: `follow` makes the row agree with what was fetched, and mails once per fact.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update

from membership import clock, vault
from membership.config import Settings
from membership.db import db
from membership.domain import audit, outbox, payments, people, plans
from membership.domain.memberships import crediting, doubling
from membership.domain.memberships import standing as shown
from membership.domain.memberships.joining import (
    LIVE_STATUSES,
    Kind,
    Membership,
    MembershipStatus,
    is_given_back,
    lock_membership,
    move,
)
from membership.domain.memberships.opening import under_way
from membership.domain.payments import Payment
from membership.domain.payments.fetched import ENDED, LATE, Standing
from membership.money import Money

ANNOUNCED_BEFORE = timedelta(days=14)


def follow(membership: Membership, standing: Standing, *, settings: Settings, now: datetime) -> None:
    """Make a membership agree with its subscription; a leave and an end are mailed once."""
    if membership.stripe_subscription_id not in (None, standing.subscription_id):
        return
    if membership.started_at is None and standing.status in (*ENDED, *LATE):
        if standing.status in ENDED and membership.stripe_subscription_id == standing.subscription_id:
            move(membership, "fail")
        return  # its first payment failed; where that is only not known here yet, its charge leads here again
    left_before, cost_before = membership.ends_at, _terms(membership)
    _take_over(membership, standing)
    if membership.started_at is not None and _terms(membership) != cost_before:
        _note_change(membership, now)
    if membership.started_at is None:
        return  # its first payment is on the way
    was = membership.status
    membership.status = _status(standing)
    if membership.status is MembershipStatus.ENDED:
        _ended(membership, standing, settings, now)
    elif membership.ends_at is None:
        _goes_on(membership, standing)
    elif membership.ends_at != left_before:
        _mail_leaving(membership, standing, settings, now)
    if membership.status is not was or membership.status is MembershipStatus.ENDED:
        shown.tell(membership.person_id)
    doubling.look_again(membership.person_id, to=standing.to, settings=settings, now=now)


def _terms(membership: Membership) -> tuple[object, ...]:
    """What is had, for how much, how often."""
    return membership.plan_id, membership.amount_minor, membership.currency, membership.interval


def _note_change(membership: Membership, now: datetime) -> None:
    """Once Stripe has it, whoever asked for it: a change that a bank declined is none."""
    audit.record(
        audit.Tag.MEMBERSHIP_CHANGED,
        subject_type="membership",
        subject_id=membership.reference,
        details={
            "plan": plans.plan_of(membership.plan_id).slug,
            "minor": membership.amount_minor,
            "interval": membership.interval,
        },
        now=now,
    )


def _goes_on(membership: Membership, standing: Standing) -> None:
    """It is not going to end, whoever may have asked for that before; paid up, it is late no more."""
    is_used_up = membership.ended_by == "failed" and membership.status is MembershipStatus.PAST_DUE
    if not (standing.is_asked_to_end or is_used_up or is_given_back(membership)):
        membership.ended_by = None
    if membership.status is MembershipStatus.ACTIVE and membership.ended_by is None:
        membership.late_attempts = 0


def _take_over(membership: Membership, standing: Standing) -> None:
    membership.stripe_subscription_id = standing.subscription_id
    membership.stripe_customer_id = standing.customer_id or membership.stripe_customer_id
    membership.stripe_method_id = standing.method_id
    if membership.ended_at is None:  # afterwards it is on its way back: its customer is looked at for that
        membership.credit_minor = standing.credit_minor
    membership.resumes_at = standing.resumes_at if standing.is_paused else None
    ended = standing.status in ENDED
    membership.ends_at = None if ended else standing.ends_at
    membership.next_at = None if ended or standing.ends_at else standing.period_end
    if standing.each is not None:
        membership.amount_minor, membership.currency = standing.each.minor, standing.each.currency
        membership.interval = standing.interval
    if standing.plan_id is not None and standing.plan_id != membership.plan_id:
        membership.plan_id = standing.plan_id
        shown.tell(membership.person_id)


def _status(standing: Standing) -> MembershipStatus:
    if standing.status in ENDED:
        return MembershipStatus.ENDED
    if standing.is_paused or standing.status == "paused":
        return MembershipStatus.PAUSED
    return MembershipStatus.PAST_DUE if standing.status in LATE else MembershipStatus.ACTIVE


def _ended(membership: Membership, standing: Standing, settings: Settings, now: datetime) -> None:
    """Note and mail an end. A failed one has had its last mail about the payment already."""
    membership.ended_at = membership.ended_at or standing.ended_at or now
    membership.ended_by = membership.ended_by or ("failed" if standing.failed else "staff")
    membership.doubled_at = None
    if membership.ended_by != "failed":
        mail_end(membership, to=standing.to, name=standing.name, settings=settings, now=now)


def mail_end(
    membership: Membership, *, to: str | None, name: str | None, settings: Settings, now: datetime
) -> None:
    """Mail that a membership has ended, and what was given back; once."""
    locale, ended_at = membership.locale, membership.ended_at or now
    plan = plans.plan_of(membership.plan_id)
    outbox.queue(
        key=f"ended:{membership.reference}",
        template="membership-ended",
        to=to or "",
        locale=locale,
        context={
            "name": name,
            "plan": plan.words(locale).name,
            "ended_on": shown.day(ended_at, settings),
            "reason": membership.ended_by,
            "join_url": settings.link(f"/join/{plan.slug}", locale),
            "refunded": _going_back(membership, lambda one: payments.refunded(one) - payments.set_aside(one)),
            "waits": _going_back(membership, payments.set_aside),
            "credit": _credit(membership),
        },
        now=now,
    )


def _going_back(membership: Membership, of: Callable[[Payment], Money]) -> dict[str, object] | None:
    """What goes back with the end, or waits to, where it was withdrawn or was a second one."""
    if membership.ended_by not in ("withdrawn", "double") or membership.currency is None:
        return None
    back = Money(0, membership.currency)
    for payment in payments.payments_of(membership_id=membership.id):
        if payment.currency == back.currency:
            back += of(payment)
    return shown.told(back) if back.minor else None


def _credit(membership: Membership) -> dict[str, object] | None:
    """What is left of its credit, which goes back once it has ended."""
    due = crediting.credit_due(membership)
    return shown.told(due) if due else None


def _mail_leaving(membership: Membership, standing: Standing, settings: Settings, now: datetime) -> None:
    assert membership.ends_at is not None
    waits = under_way(membership)
    ends_on, asked_at = shown.day(membership.ends_at, settings), standing.end_asked_at
    outbox.queue(
        key=f"leaving:{membership.reference}:{ends_on}:{int(asked_at.timestamp()) if asked_at else 0}",
        template="membership-leaving",
        to=standing.to or "",
        locale=membership.locale,
        context={
            "name": standing.name,
            "plan": shown.plan_name(membership, membership.locale),
            "ends_on": ends_on,
            "under_way": shown.told(waits.amount) if waits else None,
            "credit": _credit(membership),
            "undo_url": settings.link(f"/leave/{membership.leave_token}", membership.locale),
        },
        now=now,
    )


def note_reason(membership: Membership, reason: str) -> None:
    """Keep why somebody leaves, sealed: people write about themselves."""
    if reason:
        membership.sealed_reason = vault.seal({"reason": reason})


def speak(person_id: int, locale: str) -> None:
    """Write to a member in this language from now on."""
    db.session.execute(update(Membership).where(Membership.person_id == person_id).values(locale=locale))


def lapse(membership: Membership, *, settings: Settings, now: datetime | None = None) -> Membership:
    """A membership that staff gave ends when its day has passed; any other one is left as it is."""
    now = now or clock.now()
    membership = lock_membership(membership.id)
    is_given = membership.kind is not Kind.PAID and membership.is_live
    if not is_given or membership.ends_at is None or membership.ends_at > now:
        return membership
    membership.status, membership.ended_at = MembershipStatus.ENDED, membership.ends_at
    membership.ended_by = membership.ended_by or "over"
    to, name = contact_of(membership)
    mail_end(membership, to=to, name=name, settings=settings, now=now)
    shown.tell(membership.person_id)
    _forget_contact(membership.person_id)
    return membership


def contact_of(membership: Membership) -> tuple[str | None, str | None]:
    """Address and name of somebody whom Stripe does not know; None where we keep none."""
    person = people.person_of(membership.person_id) if membership.person_id else None
    if person is None or person.locked_contact is None:
        return None, None
    kept = vault.unlock(person.locked_contact)
    return kept["email"], kept.get("name") or None


def _forget_contact(person_id: int | None) -> None:
    """The copy of an address is kept only while a membership that needs it goes on."""
    live = select(Membership.id).where(
        Membership.person_id == person_id, Membership.status.in_(LIVE_STATUSES), Membership.kind != Kind.PAID
    )
    if person_id is not None and db.session.scalar(live.limit(1)) is None:
        people.person_of(person_id).locked_contact = None


def due_announcements(now: datetime) -> list[Membership]:
    """Yearly memberships that renew within 14 days and were not announced yet."""
    found = select(Membership).where(
        Membership.interval == "year",
        Membership.status == MembershipStatus.ACTIVE,
        Membership.paid_until <= now + ANNOUNCED_BEFORE,
        Membership.next_at <= now + ANNOUNCED_BEFORE,
        Membership.next_at > now,
        or_(Membership.announced_for.is_(None), Membership.announced_for < Membership.next_at),
    )
    return list(db.session.scalars(found.order_by(Membership.paid_until).limit(200)))


def announce(membership: Membership, *, to: str, name: str | None, settings: Settings, now: datetime) -> None:
    """Mail that a yearly membership renews soon, with the way to stop; once per renewal."""
    if membership.next_at is None or membership.amount is None:
        return
    renews_on, locale = shown.day(membership.next_at, settings), membership.locale
    outbox.queue(
        key=f"membership-renews-soon:{membership.reference}:{renews_on}",
        template="membership-renews-soon",
        to=to,
        locale=locale,
        context={
            "name": name,
            "plan": shown.plan_name(membership, locale),
            "amount": shown.told(membership.amount),
            "renews_on": renews_on,
            "leave_url": settings.link(f"/leave/{membership.leave_token}", locale),
            "account_url": settings.link("/account", locale),
        },
        now=now,
    )
    membership.announced_for = membership.next_at


# --- questions ---------------------------------------------------------------------------------------------


def given_over(now: datetime) -> list[int]:
    """The ids of memberships that staff gave until a day which has passed, and that have not ended yet."""
    found = select(Membership.id).where(
        Membership.status.in_(LIVE_STATUSES), Membership.kind != Kind.PAID, Membership.ends_at <= now
    )
    return list(db.session.scalars(found.order_by(Membership.id)))


def overdue_subscriptions(before: datetime) -> list[str]:
    """Subscriptions whose period was over by then without anything having been heard.

    One that rests is not: nothing is paid until its day has come. All of the others are, however many are late for
    good: a list that is cut off would never come to those behind them.
    """
    is_due = or_(
        Membership.status != MembershipStatus.PAUSED,
        Membership.resumes_at.is_(None),
        Membership.resumes_at < before,
    )
    found = select(Membership.stripe_subscription_id).where(
        Membership.status.in_(LIVE_STATUSES), Membership.paid_until < before, is_due
    )
    return [one for one in db.session.scalars(found.order_by(Membership.paid_until)) if one]
