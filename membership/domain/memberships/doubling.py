"""A second paid membership of one person: told to its owner and to staff, ended with everything given back, or kept."""

from datetime import datetime

from sqlalchemy import Select, select

from membership import clock
from membership.config import Settings
from membership.db import db
from membership.domain import audit, outbox
from membership.domain.memberships import standing
from membership.domain.memberships.joining import (
    LIVE_STATUSES,
    Kind,
    Membership,
    MembershipStatus,
    lock_membership,
)
from membership.domain.memberships.opening import may_withdraw, withdraw_until
from membership.domain.people import Person
from membership.errors import N_, Conflict


def find_other(membership: Membership) -> Membership | None:
    """Another paid membership of the same person that goes on, and that nobody has asked to end."""
    return db.session.scalar(_others(membership).limit(1)) if membership.person_id is not None else None


def _others(membership: Membership) -> Select[Membership]:
    going = select(Membership).where(
        Membership.person_id == membership.person_id,
        Membership.id != membership.id,
        Membership.kind == Kind.PAID,
        Membership.status.in_(LIVE_STATUSES),
        Membership.doubled_at.is_(None),
        Membership.ends_at.is_(None),
        Membership.ended_by.is_(None),
    )
    return going.order_by(Membership.id)


def find_second(membership: Membership) -> Membership | None:
    """A second membership that waits to be kept, and stays once this one goes: there is no third."""
    if membership.person_id is None:
        return None
    for second in db.session.scalars(_waiting(membership.person_id)).all():
        if _goes_on(second) and db.session.scalars(_others(second)).all() == [membership]:
            return second
    return None


def _waiting(person_id: int) -> Select[Membership]:
    found = select(Membership).where(Membership.person_id == person_id, Membership.doubled_at.is_not(None))
    return found.order_by(Membership.id)


def _goes_on(membership: Membership) -> bool:
    return membership.is_live and membership.ends_at is None and membership.ended_by is None


def notice(membership: Membership, *, to: str | None, settings: Settings, now: datetime) -> None:
    """It has just begun: if there is another one, its owner and staff are told."""
    other = find_other(membership)
    if other is None or not membership.is_live:
        return
    membership.doubled_at = now
    audit.record(
        audit.Tag.MEMBERSHIP_DOUBLED,
        subject_type="membership",
        subject_id=membership.reference,
        details={"other": other.reference},
        now=now,
    )
    outbox.queue(
        key=f"doubled:{membership.reference}",
        template="someone-joined-with-your-address",
        to=to or "",
        locale=other.locale,
        context={
            "plan": standing.plan_name(membership, other.locale),
            "other_plan": standing.plan_name(other, other.locale),
            "keep_url": settings.link("/account", other.locale),
            "cancelled_on": standing.day(now + standing.KEPT_WITHIN, settings),
            "gives_way": gives_way(other, membership),
        },
        now=now,
    )


def gives_way(other: Membership, second: Membership) -> bool:
    """Whether the other one ends instead of the second, unless its payment comes in: it was due when that one began.

    What fails only afterwards does not: its owner was told that the second one ends.
    """
    is_due = (
        other.paid_until is not None
        and second.doubled_at is not None
        and other.paid_until <= second.doubled_at
    )
    return (
        is_due and _goes_on(second) and other.status in (MembershipStatus.ACTIVE, MembershipStatus.PAST_DUE)
    )


def look_again(person_id: int | None, *, to: str | None, settings: Settings, now: datetime) -> None:
    """Where the other one ended or is going to, the second is the only one and stays, and its owner is told.

    Not where the owner has left that one, too: it is given back as was promised.
    One that is in somebody else's hands is not waited for: who holds it may wait for us. It is looked at with its own
    next event, and once more before it would be given back.
    """
    if person_id is None:
        return
    fresh = _waiting(person_id).with_for_update(skip_locked=True)
    for membership in db.session.scalars(fresh.execution_options(populate_existing=True)).all():
        if _goes_on(membership) and find_other(membership) is None:
            _stay(membership, by=None, now=now)
            _mail_kept(membership, to=to, settings=settings, now=now)


def _mail_kept(membership: Membership, *, to: str | None, settings: Settings, now: datetime) -> None:
    """Its owner was told that it ends: now that it does not, mail how to get out of it."""
    locale, amount = membership.locale, membership.amount
    until = withdraw_until(membership) if may_withdraw(membership, now) else None
    outbox.queue(
        key=f"kept:{membership.reference}",
        template="membership-kept",
        to=to or "",
        locale=locale,
        context={
            "plan": standing.plan_name(membership, locale),
            "amount": standing.told(amount) if amount else None,
            "interval": membership.interval,
            "next_on": standing.day(membership.next_at, settings) if membership.next_at else None,
            "withdraw_url": settings.link(f"/withdraw/{membership.leave_token}", locale) if until else None,
            "withdraw_until": standing.day(until, settings) if until else None,
            "leave_url": settings.link(f"/leave/{membership.leave_token}", locale),
        },
        now=now,
    )


def keep(membership: Membership, *, by: Person | None, now: datetime | None = None) -> Membership:
    """A second membership stays: its owner, or staff, wants both."""
    membership = lock_membership(membership.id)
    if membership.ended_by == "double":
        raise Conflict(N_("This membership was given back already. It can be joined again."))
    if membership.doubled_at is not None:
        _stay(membership, by=by, now=now or clock.now())
    return membership


def _stay(membership: Membership, *, by: Person | None, now: datetime) -> None:
    membership.doubled_at = None
    audit.record(
        audit.Tag.MEMBERSHIP_KEPT,
        subject_type="membership",
        subject_id=membership.reference,
        by=by,
        now=now,
    )


def doubles() -> list[Membership]:
    """Second memberships that nobody has kept or ended yet, oldest first."""
    found = select(Membership).where(Membership.doubled_at.is_not(None))
    return list(db.session.scalars(found.order_by(Membership.doubled_at)))


def doubles_over(now: datetime) -> list[Membership]:
    """Second memberships that nobody kept in time."""
    return [one for one in doubles() if one.doubled_at and one.doubled_at <= now - standing.KEPT_WITHIN]
