"""Writing about people and to them: notes, labels, mails sent again, an address corrected by two of the staff."""

import secrets
from datetime import timedelta

from flask.typing import ResponseReturnValue
from flask_babel import gettext

from membership import clock
from membership.billing import checkout, contacts, notices
from membership.billing.checkout import Outcome
from membership.billing.facts import Contact
from membership.domain import audit, corrections, limits, notes, people, personal_data, signins
from membership.domain.people import Person
from membership.domain.roles import Ability
from membership.errors import N_, Conflict, NotAllowed
from membership.web import view
from membership.web.attempts import Attempt
from membership.web.forms.person import AddressForm, ArriveForm, DecideForm, LabelForm, NoteForm, SendForm
from membership.web.staff import access, bp
from membership.web.staff.access import allowed
from membership.web.staff.person.page import may_readdress
from membership.web.staff.person.press import Foreign, press

SENT_AN_HOUR = 5


@bp.post("/staff/people/<reference>/note")
@allowed(Ability.WRITE)
def person_note(reference: str) -> ResponseReturnValue:
    """Write a note."""
    return press(reference, "note", _note)


@bp.post("/staff/people/<reference>/label")
@allowed(Ability.WRITE)
def person_label(reference: str) -> ResponseReturnValue:
    """Put a label on, or take one off."""
    return press(reference, "label", _label)


@bp.post("/staff/people/<reference>/send")
@allowed(Ability.WRITE)
def person_send(reference: str) -> ResponseReturnValue:
    """Send a receipt again, or a link to sign in."""
    return press(reference, "send", _send)


@bp.post("/staff/people/<reference>/arrives")
@allowed(Ability.WRITE)
def person_arrives(reference: str) -> ResponseReturnValue:
    """Mail to the address does not come back any more."""
    return press(reference, "arrives", _arrives)


@bp.post("/staff/people/<reference>/address")
@allowed(Ability.WRITE)
def person_address(reference: str) -> ResponseReturnValue:
    """Propose another address."""
    return press(reference, "address", _propose, grave=True)


@bp.post("/staff/people/<reference>/correct")
@allowed(Ability.WRITE)
def person_correct(reference: str) -> ResponseReturnValue:
    """A second person's word on another address, or the proposal taken back."""
    return press(reference, "correct", _correct, grave=True)


def reach(person: Person) -> Contact | None:
    """Where this person can be written to: as we hold it, else as Stripe does."""
    known = personal_data.identity_of(person)
    if known is not None:
        return Contact(person.stripe_customer_id, known[0], known[1] or None)
    found = contacts.of(person)
    return found if found is not None and found.email else None


def _note(person: Person, form: NoteForm, _attempt: Attempt) -> str:
    notes.write(person, form.text.data or "", by=access.person(), now=clock.now())
    return gettext("The note is kept.")


def _label(person: Person, form: LabelForm, _attempt: Attempt) -> str:
    if form.action.data == "off":
        notes.unlabel(person, form.label.data or "", by=access.person(), now=clock.now())
        return gettext("The label is taken off.")
    kept = notes.label(person, form.label.data or "", by=access.person(), now=clock.now())
    return gettext("Labelled “%(label)s”.", label=kept)


def _send(person: Person, form: SendForm, attempt: Attempt) -> str:
    now = clock.now()
    contact = reach(person)
    if contact is None or not contact.email:
        raise Conflict(N_("No address of this person is known here."))
    if person.bounced_at is not None:
        raise Conflict(N_("Mail to this address comes back. Correct it, or say that mail arrives again."))
    if not limits.hit("desk-resend", person.reference, most=SENT_AN_HOUR, per=timedelta(hours=1), now=now):
        raise Conflict(N_("This person was sent several mails within the hour. Please wait a little."))
    if form.of.data:
        return _send_receipt(person, form.of.data, contact, attempt)
    signins.ask(
        contact.email,
        nonce=secrets.token_urlsafe(24),  # no browser's: the link asks first, wherever it is opened
        locale=person.locale,
        next_path="/account",
        now=now,
    )
    _record(audit.Tag.LINK_RESENT, "person", person.reference)
    return gettext("A link to sign in is on its way. It works for ten minutes.")


def _send_receipt(person: Person, reference: str, contact: Contact, attempt: Attempt) -> str:
    theirs = personal_data.payments_of(person)
    paid = next((one for one in theirs if one.payment.reference == reference), None)
    if paid is None:
        raise Foreign(N_("There is no such payment."))
    settings, now = view.settings(), clock.now()
    if not notices.receipt_again(paid.payment, contact, attempt=attempt.id, settings=settings, now=now):
        raise Conflict(N_("There is no receipt for this payment."))
    _record(audit.Tag.RECEIPT_RESENT, "payment", reference)
    return gettext("The receipt is on its way again.")


def _record(tag: audit.Tag, subject_type: str, subject_id: str) -> None:
    audit.record(tag, subject_type=subject_type, subject_id=subject_id, by=access.person(), now=clock.now())


def _guard_colleagues(person: Person) -> None:
    if not may_readdress(person):
        raise NotAllowed(N_("This person has a role here: only who gives roles corrects the address."))


def _arrives(person: Person, _form: ArriveForm, _attempt: Attempt) -> str:
    people.note_arriving(person, by=access.person(), now=clock.now())
    return gettext("This address is written to again. What was not sent meanwhile is not sent now.")


def _propose(person: Person, form: AddressForm, _attempt: Attempt) -> str:
    _guard_colleagues(person)
    contact = reach(person)
    if contact is None or not contact.email:
        raise Conflict(N_("No address of this person is known here, so its owner could not be told."))
    proposed = corrections.propose(
        person,
        form.email.data or "",
        by=access.person(),
        old_email=contact.email,
        settings=view.settings(),
        now=clock.now(),
    )
    return gettext(
        "The correction is proposed, and the old address is told. From %(day)s somebody else can approve it.",
        day=view.full_day(proposed.ripe_at),
    )


def _correct(person: Person, form: DecideForm, _attempt: Attempt) -> str:
    correction, now = corrections.open_of(person), clock.now()
    if correction is None or correction.reference != form.of.data:
        raise Conflict(N_("This correction has been decided already."))
    if form.action.data == "withdraw":
        corrections.keep(correction, by=access.person(), now=now)
        return gettext("The proposal is taken back: the address stays as it is.")
    _guard_colleagues(person)
    kept = reach(person)
    name, settings = kept.name if kept else None, view.settings()
    email = corrections.approve(correction, by=access.person(), name=name, settings=settings, now=now)
    customers = personal_data.customers_of(person)
    keys = checkout.note_address(customers, email, request=correction.reference, now=now)
    # a payment page that is open would be paid under the old address
    held = personal_data.holding_of(person, now=now)
    keys += checkout.note_closing([*held.gifts, *held.memberships], now=now)
    outcome = checkout.ask_all(keys, now=now)
    if outcome is Outcome.REFUSED:
        return gettext(
            "The address is corrected here, but Stripe would not take it for every payment. Look there."
        )
    if outcome is Outcome.WAITING:
        return gettext("The address is corrected. Stripe has not answered yet; the worker asks again.")
    return gettext("The address is corrected, here and at Stripe. They are signed out everywhere.")
