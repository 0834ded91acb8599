"""What a membership opens, and for how long: entitlement is asked here and nowhere else."""

from datetime import datetime, timedelta

from sqlalchemy import select

from membership.db import db
from membership.domain.memberships.joining import LIVE_STATUSES, Kind, Membership, MembershipStatus
from membership.domain.payments import Payment, PaymentStatus, payments_of
from membership.domain.plans import Perk, PlanPerk


def open_until(membership: Membership, *, grace_days: int) -> datetime | None:
    """Until when its perks are open; None when they are not, or were never.

    While it goes on, until the end of what was paid and the days of grace; not past its end, where one is settled.
    Grace that was promised holds when Stripe stops trying sooner. A pause opens nothing beyond what was paid. What
    staff gave in addition counts until they end it themselves, or everything goes back.
    """
    until = None
    may_be_open = (membership.is_live or membership.ended_by == "failed") and membership.withdrawn_at is None
    if may_be_open and membership.paid_until is not None:
        grace = timedelta(days=grace_days) if _has_grace(membership) else timedelta(0)
        until = membership.paid_until + grace
        if membership.ends_at is not None:
            until = min(until, max(membership.ends_at, membership.paid_until))
    extra = membership.extra_until
    return max(until, extra) if until and extra else until or extra


def _has_grace(membership: Membership) -> bool:
    return membership.kind is Kind.PAID and membership.status is not MembershipStatus.PAUSED


def is_open(membership: Membership, *, grace_days: int, now: datetime) -> bool:
    """Whether its perks are open at this moment."""
    until = open_until(membership, grace_days=grace_days)
    return until is not None and now < until


def memberships_of(person_id: int) -> list[Membership]:
    """All memberships of a person that have begun, newest first."""
    begun = select(Membership).where(Membership.person_id == person_id, Membership.started_at.is_not(None))
    return list(db.session.scalars(begun.order_by(Membership.id.desc())))


def live_of(person_id: int) -> list[Membership]:
    """The memberships of a person that go on, oldest first."""
    live = Membership.status.in_(LIVE_STATUSES)
    found = select(Membership).where(Membership.person_id == person_id, live)
    return list(db.session.scalars(found.order_by(Membership.id)))


def plans_open_to(person_id: int, *, grace_days: int, now: datetime) -> set[int]:
    """The plans whose perks are open to a person at this moment."""
    mine = memberships_of(person_id)
    return {one.plan_id for one in mine if is_open(one, grace_days=grace_days, now=now)}


def may_open(person_id: int, perk: Perk, *, grace_days: int, now: datetime) -> bool:
    """Whether a perk is open to a person: the one question of entitlement."""
    plans = plans_open_to(person_id, grace_days=grace_days, now=now)
    opening = select(PlanPerk.perk_id).where(PlanPerk.perk_id == perk.id, PlanPerk.plan_id.in_(plans))
    return bool(plans) and db.session.scalar(opening.limit(1)) is not None


def under_way(membership: Membership) -> Payment | None:
    """A debit that its bank has not answered yet: it pays for the period that runs."""
    paid = payments_of(membership_id=membership.id)
    return next((one for one in reversed(paid) if one.status is PaymentStatus.PENDING), None)


def withdraw_until(membership: Membership) -> datetime | None:
    """Until when a paid membership can be withdrawn from; None where there is no such right."""
    return membership.withdrawable_until


def may_withdraw(membership: Membership, now: datetime) -> bool:
    """Whether its member may still undo the joining and get everything back."""
    until = withdraw_until(membership)
    return until is not None and now <= until and membership.is_live and membership.withdrawn_at is None
