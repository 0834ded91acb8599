"""Money that goes back, and gifts that stop."""

from typing import Any

from flask.typing import ResponseReturnValue
from flask_babel import gettext

from membership import clock
from membership.billing import checkout, inbox
from membership.billing.checkout import Outcome
from membership.domain import audit, personal_data
from membership.domain.donations import Donation
from membership.domain.people import Person
from membership.domain.personal_data import Paid
from membership.domain.roles import Ability
from membership.errors import N_, Conflict, DomainError
from membership.web.attempts import Attempt
from membership.web.staff import access, bp, refunds
from membership.web.staff.access import allowed
from membership.web.staff.person.press import Foreign, own, press


@bp.post("/staff/people/<reference>/refund")
@allowed(Ability.REFUND)
def person_refund(reference: str) -> ResponseReturnValue:
    """Give a payment back, or a part of it."""
    return press(reference, "refund", _refund, grave=True, prepare=_set_currency, refused=_note_refused)


@bp.post("/staff/people/<reference>/decide")
@allowed(Ability.REFUND)
def person_decide(reference: str) -> ResponseReturnValue:
    """A second person's word on a refund above the limit."""
    return press(reference, "decide", _decide, grave=True)


@bp.post("/staff/people/<reference>/stop")
@allowed(Ability.GRANT)
def person_stop(reference: str) -> ResponseReturnValue:
    """End a running gift."""
    return press(reference, "stop", _stop)


def _paid(person: Person, reference: str) -> Paid:
    """The payment of this person with this reference; Foreign when it is not theirs."""
    mine = personal_data.payments_of(person)
    found = next((one for one in mine if one.payment.reference == reference), None)
    if found is None:
        raise Foreign(N_("There is no such payment."))
    return found


def _set_currency(person: Person, form: Any) -> None:
    form.currency = _paid(person, form.of.data).payment.currency


def _refund(person: Person, form: Any, attempt: Attempt) -> str:
    return refunds.ask(_paid(person, form.of.data).payment, form, attempt)


def _note_refused(_person: Person, form: Any, error: DomainError) -> None:
    refunds.note_refused(form.of.data, form, error)


def _decide(person: Person, form: Any, _attempt: Attempt) -> str:
    theirs = {refund.reference: paid for paid in personal_data.payments_of(person) for refund in paid.refunds}
    refund = own([refund for paid in theirs.values() for refund in paid.refunds], form.of.data)
    return refunds.decide(refund, theirs[refund.reference].payment, form.action.data)


def _stop(person: Person, form: Any, _attempt: Attempt) -> str:
    gift: Donation = own(personal_data.holding_of(person, now=clock.now()).gifts, form.of.data)
    if not gift.is_recurring or gift.schedule in ("none", "ended"):
        raise Conflict(N_("This gift does not run, so there is nothing to stop."))
    audit.record(
        audit.Tag.DONATION_STOPPED,
        subject_type="donation",
        subject_id=gift.reference,
        by=access.person(),
        reason=form.reason.data or "",
        details={"by": "staff"},
        now=clock.now(),
    )
    subscription = gift.stripe_subscription_id
    outcome = checkout.stop(gift, by="staff", now=clock.now())
    if outcome is Outcome.REFUSED:
        return gettext("Stripe will not do this. Look at this gift in Stripe's dashboard.")
    if outcome is Outcome.WAITING:
        return gettext("Stripe has not answered yet. The stop is noted, and the worker asks again.")
    if subscription:
        inbox.look_at([("subscription", subscription)])
    return gettext("The gift is stopped: nothing more is charged.")
