"""Finding somebody by what staff have in hand: an e-mail address, a code, a reference, or an id from Stripe."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute

from membership.db import db
from membership.domain import people
from membership.domain.donations import Donation
from membership.domain.memberships import Membership
from membership.domain.payments import Payment, Refund
from membership.domain.people import Person
from membership.domain.reports.codes import id_of


@dataclass(frozen=True, slots=True)
class Found:
    """What was found: somebody, or a payment that belongs to nobody we know. References."""

    person: str | None
    payment: str | None = None


def by_email(email: str) -> Found | None:
    """Whoever has this address. Raises Invalid for what is no address."""
    person = people.find_by_email(email)
    return Found(person.reference) if person else None


def by_code(code: str) -> Found | None:
    """Whoever has this short code."""
    number = id_of(code)
    person = db.session.get(Person, number) if number else None
    return Found(person.reference) if person else None


def by_reference(reference: str) -> Found | None:
    """Whoever this public reference leads to: their own, or one of a gift, membership, payment or refund."""
    own = select(Person.reference).where(Person.reference == reference)
    if person := db.session.scalar(own):
        return Found(person)
    return (
        _owner(Donation.person_id, Donation.reference == reference)
        or _owner(Membership.person_id, Membership.reference == reference)
        or _payment(Payment.reference == reference)
        or _refund(Refund.reference == reference)
    )


def by_stripe_id(stripe_id: str) -> Found | None:
    """Whoever an object at Stripe belongs to, so far as our rows hold its id."""
    kind = stripe_id.partition("_")[0]
    if kind == "cus":
        return (
            _owner(Person.id, Person.stripe_customer_id == stripe_id)
            or _owner(Donation.person_id, Donation.stripe_customer_id == stripe_id)
            or _owner(Membership.person_id, Membership.stripe_customer_id == stripe_id)
        )
    if kind == "sub":
        return _owner(Donation.person_id, Donation.stripe_subscription_id == stripe_id) or _owner(
            Membership.person_id, Membership.stripe_subscription_id == stripe_id
        )
    if kind == "re":
        return _refund(Refund.stripe_refund_id == stripe_id)
    columns = {
        "ch": Payment.stripe_charge_id,
        "py": Payment.stripe_charge_id,
        "pi": Payment.stripe_payment_intent_id,
        "in": Payment.stripe_invoice_id,
    }
    return _payment(columns[kind] == stripe_id) if kind in columns else None


def of_subject(donation_id: int | None, membership_id: int | None) -> Found | None:
    """Whoever a gift or a membership belongs to, by its row."""
    if donation_id is not None:
        return _owner(Donation.person_id, Donation.id == donation_id)
    return _owner(Membership.person_id, Membership.id == membership_id)


def _owner(
    column: InstrumentedAttribute[int] | InstrumentedAttribute[int | None], where: ColumnElement[bool]
) -> Found | None:
    person_id = db.session.scalar(select(column).where(where).limit(1))
    reference = select(Person.reference).where(Person.id == person_id)
    person = db.session.scalar(reference) if person_id is not None else None
    return Found(person) if person else None


def _payment(where: ColumnElement[bool]) -> Found | None:
    asked = (
        select(Payment.reference, Payment.person_id, Donation.person_id, Membership.person_id)
        .outerjoin(Donation, Donation.id == Payment.donation_id)
        .outerjoin(Membership, Membership.id == Payment.membership_id)
    )
    row = db.session.execute(asked.where(where).limit(1)).one_or_none()
    if row is None:
        return None
    reference, *owners = row
    owner = next((one for one in owners if one is not None), None)
    found = _owner(Person.id, Person.id == owner) if owner is not None else None
    return Found(found.person if found else None, reference)


def _refund(where: ColumnElement[bool]) -> Found | None:
    payment_id = db.session.scalar(select(Refund.payment_id).where(where).limit(1))
    return _payment(Payment.id == payment_id) if payment_id is not None else None
