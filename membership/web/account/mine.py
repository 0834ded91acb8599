"""Whose it is: what the account shows is looked up here, for the one who is signed in and for nobody else.

What belongs to another is answered like what does not exist, and it is on record that somebody asked.
"""

from typing import Protocol

from flask import Blueprint, Response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from membership import clock
from membership.db import db, writing
from membership.domain import audit, donations, limits, memberships, payments
from membership.domain.donations import Donation
from membership.domain.memberships import Kind, Membership, MembershipStatus
from membership.domain.payments import Payment
from membership.domain.people import Person
from membership.errors import N_, NotFound
from membership.web import brakes, refusals, sessions

bp = Blueprint("account", __name__)


class Theirs(NotFound):
    """It is there, but it is another person's."""

    def __init__(self, kind: str, reference: str) -> None:
        super().__init__(N_("There is no such page"))
        self.kind, self.reference = kind, reference


@bp.errorhandler(Theirs)
def refuse(error: Theirs) -> Response:
    """The answer to whoever asks for another's: the same as for what is not there. That they asked is on record."""
    reference = person().reference
    db.session.rollback()  # what was read so far; SQLite must begin anew to write
    with writing():
        if limits.hit("refusal", reference, most=sessions.REFUSALS_NOTED, per=brakes.HOUR, now=clock.now()):
            audit.record(
                audit.Tag.ACCESS_REFUSED, subject_type=error.kind, subject_id=error.reference, by=person()
            )
        db.session.commit()
    return refusals.page(404)


def person() -> Person:
    """Who is signed in."""
    found = sessions.person_here()
    assert found is not None, "the guard lets nobody else come so far"
    return found


class Owned(Protocol):
    """What belongs to somebody."""

    person_id: int | None
    reference: str


def _own(found: Owned, kind: str) -> None:
    if found.person_id != person().id:
        raise Theirs(kind, found.reference)


def gift(reference: str) -> Donation:
    """A gift of one's own."""
    found = donations.get_donation(reference)
    _own(found, "donation")
    return found


def payment(reference: str) -> Payment:
    """A payment of one's own."""
    found = payments.get_by_reference(reference)
    _own(found, "payment")
    return found


def chosen() -> Membership | None:
    """The membership that the address or the button names; else, of those that go on, the one that is meant."""
    reference = request.values.get("membership", "")
    if reference:
        found = memberships.get_membership(reference)
        _own(found, "membership")
        return found if found.started_at is not None else None
    return min(reversed(memberships.live_of(person().id)), key=_is_meant_last, default=None)


def _is_meant_last(one: Membership) -> tuple[bool, bool, bool]:
    """First the one whose payment fails, then one that is paid for and stays; what was given needs nothing."""
    return one.status is not MembershipStatus.PAST_DUE, one.kind is not Kind.PAID, one.ends_at is not None


class Over(NotFound):
    """What the page is about has ended, or never was."""


@bp.errorhandler(Over)
def show_what_is(_error: Over) -> ResponseReturnValue:
    """An old page, another tab: the account's first page tells how it stands now."""
    return redirect(url_for(".front"), 303)


def membership() -> Membership:
    """The same; where nothing goes on, the account's first page says so."""
    found = chosen()
    if found is None:
        raise Over(N_("There is no membership that goes on."))
    return found


# What was just done


def note(what: str) -> None:
    """What was just done: the next look at the account says so."""
    session["did"] = what


def noted() -> str:
    """What was just done; said once."""
    return str(session.pop("did", ""))
