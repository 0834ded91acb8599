"""Where a person can be reached: read for one mail or page from Stripe, or from what we keep for those it does not know."""

from membership import vault
from membership.billing import account
from membership.billing.facts import Contact
from membership.billing.gateway import StripeRefused, StripeUnavailable
from membership.db import db
from membership.domain.people import Person
from membership.errors import DomainError


def at_stripe(customer_id: str | None) -> Contact | None:
    """Address and name as Stripe has them; None where there is no such customer. Raises StripeUnavailable."""
    try:
        return account.here().gateway.customer(customer_id).contact if customer_id else None
    except StripeRefused:
        return None


def of(person: Person) -> Contact | None:
    """Address and name of a person: from Stripe within a reader's patience, else from what we keep; None if nowhere.

    Commits first: nothing is locked while Stripe is asked.
    The newsroom's private key is the last resort, where this server holds it at all.
    """
    customer_id = person.stripe_customer_id
    locked, sealed = person.locked_contact, person.sealed_identity
    db.session.commit()
    try:
        contact = account.here().quick.customer(customer_id).contact if customer_id else None
    except (StripeRefused, StripeUnavailable):
        contact = None
    if contact is not None and contact.email:
        return contact
    try:
        kept = vault.unlock(locked) if locked else vault.open_sealed(sealed) if sealed else None
    except DomainError:
        return None
    return Contact(customer_id, kept["email"], kept.get("name") or None) if kept else None
