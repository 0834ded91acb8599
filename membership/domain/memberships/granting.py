"""What staff do for members without money moving: give a membership, extend one, keep a second one."""

import secrets
import uuid
from datetime import datetime, timedelta

from membership import clock, vault
from membership.config import Settings
from membership.db import db
from membership.domain import audit, people
from membership.domain.memberships import settling, standing
from membership.domain.memberships.joining import (
    Kind,
    Membership,
    MembershipStatus,
    find_by_attempt,
    lock_membership,
)
from membership.domain.memberships.opening import open_until
from membership.domain.payments.first import Status
from membership.domain.people import Person
from membership.domain.plans import Plan
from membership.errors import N_, Conflict, Invalid

LONGEST = timedelta(days=366 * 10)


def grant(
    person: Person,
    plan: Plan,
    *,
    kind: Kind,
    until: datetime,
    by: Person,
    reason: str,
    settings: Settings,
    attempt: str | None = None,
    to: str | None = None,
    name: str | None = None,
    now: datetime | None = None,
) -> Membership:
    """Give a membership until a day; the same attempt gives the same one. Stripe may not know `to`: it is kept locked."""
    now = now or clock.now()
    assert kind is not Kind.PAID, "a paid membership is joined, not given"
    if not now < until <= now + LONGEST:
        raise Invalid(N_("Please choose a day in the future, within ten years."), field="until")
    person = people.lock_unless_erased(person.id)  # two presses at once come one after the other
    known = find_by_attempt(attempt) if attempt else None
    if known is not None:
        return known
    membership = _given(person, plan, kind=kind, until=until, attempt=attempt or uuid.uuid4().hex, now=now)
    if to:
        person.locked_contact = vault.lock({"email": to, "name": name or ""})
    audit.record(
        audit.Tag.MEMBERSHIP_GRANTED,
        subject_type="person",
        subject_id=person.reference,
        by=by,
        reason=reason,
        details={"membership": membership.reference, "kind": kind.value, "until": str(clock.day(until))},
        now=now,
    )
    standing.tell(person.id)
    if to:
        settling.welcome(membership, to=to, name=name, next_at=None, settings=settings, now=now)
    return membership


def _given(
    person: Person, plan: Plan, *, kind: Kind, until: datetime, attempt: str, now: datetime
) -> Membership:
    membership = Membership(
        reference=people.new_reference(),
        attempt=attempt,
        content="",
        leave_token=secrets.token_urlsafe(24),
        person_id=person.id,
        plan_id=plan.id,
        kind=kind,
        status=MembershipStatus.ACTIVE,
        asked=Status.SETTLED,
        locale=person.locale,
        joined_at=now,
        started_at=now,
        paid_until=until,
        ends_at=until,
    )
    db.session.add(membership)
    db.session.flush()
    return membership


def extend(
    membership: Membership,
    *,
    days: int,
    by: Person,
    reason: str,
    settings: Settings,
    now: datetime | None = None,
) -> Membership:
    """Keep perks open for so many days more. Nothing is charged later or less for it."""
    now = now or clock.now()
    if not 1 <= days <= 366:
        raise Invalid(N_("Please write a number of days from 1 to 366."), field="days")
    membership = lock_membership(membership.id)
    if membership.started_at is None or membership.withdrawn_at is not None:
        raise Conflict(N_("This membership never began, so there is nothing to extend."))
    until = open_until(membership, grace_days=settings.grace_days)
    membership.extra_until = max(until or now, now) + timedelta(days=days)
    audit.record(
        audit.Tag.MEMBERSHIP_EXTENDED,
        subject_type="membership",
        subject_id=membership.reference,
        by=by,
        reason=reason,
        details={"days": days, "until": clock.day(membership.extra_until).isoformat()},
        now=now,
    )
    return membership
