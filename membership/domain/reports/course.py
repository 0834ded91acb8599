"""What becomes of memberships: those that renew, are late or too many, and who was a member and is none any more.

Each is said once, for the figures of the desk and for the list of people behind them.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, TextClause, exists, select, text

from membership.domain import memberships
from membership.domain.memberships import Membership, MembershipStatus
from membership.domain.memberships.joining import LIVE
from membership.domain.notes import Note
from membership.domain.people import Person, Standing

LATELY = timedelta(days=14)
MONTH = timedelta(days=30)

Condition = ColumnElement[bool] | TextClause

_ENDS = ("member", "withdrawn", "failed", "staff", "over")


def renewing() -> list[Condition]:
    """Memberships that will be paid for again; one that rests is not charged."""
    m = Membership
    will = (m.amount_minor.is_not(None), m.ends_at.is_(None), m.status != MembershipStatus.PAUSED)
    return [text(str(LIVE)), *will]  # in the words of the index


def late() -> list[Condition]:
    """Memberships whose payment fails."""
    return [Membership.status == MembershipStatus.PAST_DUE]


def doubled() -> list[Condition]:
    """Second memberships that nobody has kept or ended yet."""
    return [Membership.doubled_at.is_not(None), Membership.status != MembershipStatus.ENDED]


def credited(before: datetime) -> list[Condition]:
    """Memberships that ended by then, and whose credit is at Stripe still."""
    return list(memberships.is_left_over(before))


def left(since: datetime) -> list[Condition]:
    """Memberships that ended since then, of people who are no members now."""
    m = Membership
    return [m.ended_by.in_(_ENDS), m.ended_at > since, Person.standing == Standing.ENDED]


def lost(since: datetime) -> list[Condition]:
    """The same, because payments failed; until somebody writes a note about it."""
    m = Membership
    noted = exists().where(Note.person_id == m.person_id, Note.at > m.ended_at)
    return [m.ended_by == "failed", m.ended_at > since, Person.standing == Standing.ENDED, ~noted]


def people_of(conditions: list[Condition]) -> ColumnElement[bool]:
    """Whether a person has such a membership."""
    m: Any = Membership
    theirs = select(m.person_id).join(Person, Person.id == m.person_id).where(*conditions)
    return Person.id.in_(theirs.correlate(None))
