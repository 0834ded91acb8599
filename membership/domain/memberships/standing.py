"""Where a person stands as a member, kept on the person; and the words that several mails share."""

from datetime import datetime, timedelta

from sqlalchemy import select

from membership.config import Settings
from membership.db import db
from membership.domain import people, plans
from membership.domain.memberships.joining import Membership, MembershipStatus
from membership.domain.people import Standing
from membership.money import Money

KEPT_WITHIN = timedelta(days=3)
"""How long a second membership of one address waits for somebody to keep it."""

_ORDER = (
    (MembershipStatus.ACTIVE, Standing.ACTIVE),
    (MembershipStatus.PAST_DUE, Standing.PAST_DUE),
    (MembershipStatus.PAUSED, Standing.PAUSED),
    (MembershipStatus.ENDED, Standing.ENDED),
)


def tell(person_id: int | None) -> None:
    """Work out where a person stands and note it: the best of all memberships that have begun.

    The person is locked first, so of two memberships that change at once the second finds what the first has become.
    """
    if person_id is None:
        return
    people.lock_person(person_id)
    # columns, not rows of the session: those are as old as when they were read
    columns = select(Membership.status, Membership.plan_id, Membership.kind, Membership.started_at)
    begun = columns.where(Membership.person_id == person_id, Membership.started_at.is_not(None))
    mine = db.session.execute(begun.order_by(Membership.id.desc())).all()
    since = min((one.started_at for one in mine), default=None)
    for status, stands in _ORDER:
        best = next((one for one in mine if one.status is status), None)
        if best is not None:
            people.stand(person_id, stands, plan_id=best.plan_id, kind=best.kind.value, since=since)
            return
    people.stand(person_id, Standing.NONE, plan_id=None, kind=None, since=None)


def plan_name(membership: Membership, locale: str) -> str:
    """The plan's name in this language."""
    return plans.plan_of(membership.plan_id).words(locale).name


def day(moment: datetime, settings: Settings) -> str:
    """A moment as an ISO day in the newsroom's zone."""
    return moment.astimezone(settings.timezone).date().isoformat()


def told(amount: Money) -> dict[str, object]:
    """An amount as mails carry it."""
    return {"minor": amount.minor, "currency": amount.currency}
