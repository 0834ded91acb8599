"""Erasing a person: what names them goes, rows that money hangs on stay and point to somebody without a name.

Every column that points to a person, holds something sealed or locked, or an address's key stands in one of three
lists here; a test walks all tables, so that a new one is not forgotten.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import delete, or_, select, update

from membership import clock
from membership.db import Base, db
from membership.domain import audit, memberships, outbox, payments, people, plans, roles, signins
from membership.domain.corrections import Correction
from membership.domain.donations import Donation, Schedule
from membership.domain.memberships import Membership
from membership.domain.notes import Label, Note
from membership.domain.payments import Payment, Refund, RefundStatus
from membership.domain.payments.first import Status
from membership.domain.people import Person
from membership.domain.roles import StaffMember
from membership.domain.signins import Session, SignIn
from membership.domain.transfers import Transfer
from membership.errors import N_, Conflict

GONE: Mapping[type[Base], tuple[str, ...]] = {
    Note: ("person_id", "sealed_text"),
    Label: ("person_id",),
    Correction: ("person_id", "new_email_key", "locked_email"),
    Session: ("person_id",),
    SignIn: ("person_id", "email_key", "locked"),
    StaffMember: ("person_id", "locked_secret"),
}
"""Rows that are deleted, with their person in the first of these columns."""

EMPTIED: Mapping[type[Base], Mapping[str, Any]] = {
    Donation: {
        "sealed_message": None,
        "keepsake": None,
        "sealed_reason": None,
        "content": "",
        "shown": False,
    },
    Membership: {"keepsake": None, "sealed_reason": None, "content": ""},
    Transfer: {"person_id": None},
}
"""Rows that stay, with `person_id` for their person, and what stands in these columns then."""

KEPT: Mapping[str, str] = {
    "people.email_key": "emptied by people.forget",
    "people.sealed_identity": "emptied by people.forget",
    "people.locked_contact": "emptied by people.forget",
    "donations.person_id": "the gift stays, its person has no name any more",
    "memberships.person_id": "as with a gift",
    "payments.person_id": "as with a gift",
    "fundraiser_movements.person_id": "how many people gave is published, in batches",
    "refunds.asked_by_id": "who acted at the desk is part of the books",
    "refunds.approved_by_id": "who acted at the desk is part of the books",
    "notes.by_id": "who wrote about somebody else",
    "corrections.proposed_by_id": "who acted on somebody else",
    "corrections.decided_by_id": "who acted on somebody else",
    "staff_members.granted_by_id": "who gave somebody else a role",
    "perk_codes.person_id": "emptied by plans.forget_codes: the code stays taken",
    "perk_codes.locked_code": "the newsroom's, not the person's",
    "outbox_emails.recipient_key": "emptied by outbox.forget_recipient",
    "outbox_emails.sealed": "emptied by outbox.forget_recipient, and once it is sent",
    "bounces.email_key": "deleted by outbox.forget_recipient",
    "links_asked.locked": "deleted when the worker has looked whose it is, within moments",
    "stripe_calls.locked_params": "forgotten when the outcome is known, after a day at the latest",
    "stripe_events.sealed_payload": "forgotten by age",
}
"""Everything else that points to a person or is sealed, and why it may stay or who forgets it."""


MAY_BE_OPEN = timedelta(hours=1)
"""How long after a pledge its payment page may be open: it closes well within."""


def hindrance(person: Person, now: datetime | None = None) -> str | None:
    """The sentence that says why this person cannot be erased now; None when nothing is in the way."""
    may_pay = partial(_may_pay, since=(now or clock.now()) - MAY_BE_OPEN)
    in_the_way = (
        (_is_erased, N_("This person has been erased already.")),
        (_has_role, N_("This person has a role at the desk. Take the role away first.")),
        (_is_member, N_("A membership of this person runs. End it first.")),
        (_gives, N_("A gift of this person runs. Stop it first.")),
        (_is_paying, N_("A payment of this person is on its way. Wait until it has come or failed.")),
        (
            may_pay,
            N_("A payment page of this person may still be open. Wait for an hour after it was opened."),
        ),
        (
            _has_credit,
            N_("Credit of this person has not gone back yet. Wait until it has, or settle it at Stripe."),
        ),
        (_refunds_open, N_("A refund to this person is not done yet. Wait until it is, or take it back.")),
        (
            _refunds_failed,
            N_(
                "A refund to this person failed, and the money is here still. Give it back another way first."
            ),
        ),
    )
    return next((sentence for is_so, sentence in in_the_way if is_so(person)), None)


def _is_erased(person: Person) -> bool:
    return person.erased_at is not None


def _has_role(person: Person) -> bool:
    return roles.role_of(person.id) is not None


def _is_member(person: Person) -> bool:
    return bool(memberships.live_of(person.id))


def _gives(person: Person) -> bool:
    going = (Schedule.RUNNING, Schedule.PAST_DUE, Schedule.PAUSED)
    found = select(Donation.id).where(Donation.person_id == person.id, Donation.schedule.in_(going))
    return db.session.scalar(found.limit(1)) is not None


def _is_paying(person: Person) -> bool:
    gift = select(Donation.id).where(Donation.person_id == person.id, Donation.status == Status.PROCESSING)
    membership = select(Membership.id).where(
        Membership.person_id == person.id, Membership.asked == Status.PROCESSING
    )
    return any(db.session.scalar(found.limit(1)) is not None for found in (gift, membership))


def _may_pay(person: Person, *, since: datetime) -> bool:
    """Also before we know that the page is open: Stripe's answer may be on its way."""
    gift = select(Donation.id).where(
        Donation.person_id == person.id, Donation.status == Status.PLEDGED, Donation.pledged_at > since
    )
    membership = select(Membership.id).where(
        Membership.person_id == person.id, Membership.asked == Status.PLEDGED, Membership.joined_at > since
    )
    return any(db.session.scalar(found.limit(1)) is not None for found in (gift, membership))


def _has_credit(person: Person) -> bool:
    """It is kept by their customer at Stripe, who is deleted with them."""
    return any(one.credit_minor for one in memberships.memberships_of(person.id))


def _refunds_open(person: Person) -> bool:
    on_its_way = (
        RefundStatus.PROPOSED,
        RefundStatus.ASKED,
        RefundStatus.PENDING,
        RefundStatus.REQUIRES_ACTION,
    )
    found = select(Refund.id).join(Payment, Payment.id == Refund.payment_id)
    found = found.where(Payment.person_id == person.id, Refund.status.in_(on_its_way))
    return db.session.scalar(found.limit(1)) is not None


def _refunds_failed(person: Person) -> bool:
    """Nobody could be asked afterwards where the money shall go."""
    return bool(payments.unreturned_refunds(person_id=person.id, most=1))


def _lock(person: Person) -> None:
    """Gifts, memberships and transfers before their person, as whoever follows a payment or forgets many does."""
    for table in (Donation, Membership, Transfer):
        theirs = select(table.id).where(table.person_id == person.id).order_by(table.id)
        db.session.execute(theirs.with_for_update()).all()
    db.session.refresh(person, with_for_update=True)


def erase(person: Person, *, by: Person | None, reason: str = "", now: datetime | None = None) -> None:
    """Forget who this was. Raises Conflict with a sentence while something of theirs still runs."""
    now = now or clock.now()
    _lock(person)
    if (sentence := hindrance(person, now)) is not None:
        raise Conflict(sentence)
    signins.end_all(person, by=by, now=now)
    plans.forget_codes(person)
    if person.email_key is not None:
        outbox.forget_recipient(person.email_key)
    db.session.flush()
    for table, columns in GONE.items():
        mine = getattr(table, columns[0]) == person.id
        if "email_key" in columns and person.email_key is not None:
            mine = or_(mine, table.__table__.c.email_key == person.email_key)
        db.session.execute(delete(table).where(mine))
    for table, values in EMPTIED.items():
        theirs = table.__table__.c.person_id == person.id
        db.session.execute(update(table).where(theirs).values(**values))
    people.forget(person, now=now)
    person.bounced_at = None
    audit.record(
        audit.Tag.PERSON_ERASED,
        subject_type="person",
        subject_id=person.reference,
        by=by,
        reason=reason,
        now=now,
    )
    db.session.expire_all()
