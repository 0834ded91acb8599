"""Refunds: asked for, decided and sent; and those that wait, for a second person or because they failed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from wtforms import Form

from membership import clock
from membership.billing import checkout, inbox, notices
from membership.billing.checkout import Outcome
from membership.billing.facts import Contact
from membership.db import db
from membership.domain import audit, payments, people, reports, returns
from membership.domain.payments import Payment, Refund, RefundStatus
from membership.domain.roles import Ability
from membership.errors import N_, Conflict, DomainError, NotAllowed, NotFound
from membership.money import Money
from membership.web import attempts, sheets, view
from membership.web.attempts import Attempt
from membership.web.forms.desk import SettleForm
from membership.web.forms.fields import refuse
from membership.web.forms.person import RefundForm
from membership.web.staff import access, bp, frame
from membership.web.staff.access import allowed
from membership.web.staff.person.contact import reach

CODES: dict[type[DomainError], int] = {Conflict: 409, NotAllowed: 403}


@dataclass(frozen=True, slots=True)
class Waiting:
    """One that waits, with its payment."""

    refund: Refund
    payment: Payment
    taken: Money
    """What of the payment nobody can give back again."""

    @property
    def amount(self) -> Money:
        """What goes back, or should have."""
        return Money(self.refund.amount_minor, self.payment.currency)

    @property
    def needs_second(self) -> bool:
        """Whether a transfer of it takes a second person."""
        return returns.takes_two(self.payment, self.amount, settings=view.settings(), taken=self.taken)

    @property
    def left_in(self) -> str | None:
        """The currency that leaves the bank, where it is another one than the payment's."""
        return self.payment.settled_currency if returns.is_foreign(self.payment) else None

    @property
    def left(self) -> Money | None:
        """What left the bank account for it, as somebody wrote it, where that is in another currency."""
        return returns.left_bank(self.refund, self.payment)


@bp.get("/staff/refunds")
@allowed(Ability.REFUND)
def refunds() -> Response:
    """What waits, the oldest first."""
    return _page()


def _page(status: int = 200, **about: Any) -> Response:
    """The page; `wrong` is the refund whose `form` comes back, `refused` why, `says` a word of ours."""
    proposed, failed = _waiting(payments.proposed_refunds()), _waiting(payments.unreturned_refunds())
    shown = [one.payment.person_id for one in (*proposed, *failed)]
    return sheets.page(
        "staff/refunds.html",
        status,
        proposed=proposed,
        failed=failed,
        people=reports.named([*shown, *(one.refund.asked_by_id for one in proposed)]),
        my_id=access.person().id,
        **{"wrong": None, "form": SettleForm(), "refused": "", "says": ""} | about,
    )


def _waiting(found: list[tuple[Refund, Payment]]) -> list[Waiting]:
    """With what was taken of their payments: asked for once, however many they are."""
    taken = payments.taken_of([payment for _, payment in found])
    return [
        Waiting(refund, payment, taken.get(payment.id, Money(0, payment.currency)))
        for refund, payment in found
    ]


@bp.post("/staff/refunds/<reference>")
@allowed(Ability.REFUND)
def settle(reference: str) -> ResponseReturnValue:
    """A second person's word, or how a failed refund is made good."""
    form, refund = SettleForm(request.form), payments.find_refund(reference)
    if refund is None:
        raise NotFound(N_("There is no such refund."))
    form.currency = payments.get_payment(refund.payment_id).settled_currency or form.currency
    if not attempts.is_pressed():
        return _page(422, says="again")
    if not form.validate() or not access.confirm(form):
        return _page(422, wrong=refund.id, form=form)
    try:
        said = _settle(refund, form)
    except DomainError as error:
        db.session.rollback()
        code, sentence = said_no(form, error)
        return _page(code, wrong=refund.id, form=form, refused=sentence)
    db.session.commit()
    frame.tell(said)
    return redirect(url_for("staff.refunds"), 303)


def _settle(refund: Refund, form: SettleForm) -> str:
    payment, now = payments.get_payment(refund.payment_id), clock.now()
    if form.action.data in ("approve", "withdraw"):
        return decide(refund, payment, form.action.data or "")
    if form.action.data == "again":
        return send(returns.again(refund, by=access.person(), now=now), payment)
    contact = _payer(payment)
    made = returns.by_bank(
        refund,
        reference=form.note.data or "",
        left=form.left.money,
        by=access.person(),
        settings=view.settings(),
        now=now,
    )
    if made.status is RefundStatus.PROPOSED:
        return gettext(
            "The transfer of %(amount)s is noted, and counts once somebody else agrees.",
            amount=_amount(made, payment),
        )
    return _transferred(made, payment, contact, now)


def said_no(form: Form, error: DomainError) -> tuple[int, str]:
    """The status of the page that comes back, and what stands above it, unless it stands beside a field."""
    code, sentence = CODES.get(type(error), 422), view.sentence(error)
    if error.field and error.field in form:
        refuse(form[error.field], sentence)
        return code, ""
    return code, sentence


def ask(payment: Payment, form: RefundForm, attempt: Attempt) -> str:
    """So much goes back of a payment, at once or when a second person agrees: what to tell whoever asked.

    One press of the form is one refund, however often it arrives.
    """
    payment, amount, now = payments.lock_payment(payment.id), form.amount.money, clock.now()
    assert amount is not None, "the form lets nothing through without one"
    reference = f"{attempt.id}-{payment.id}"
    if payments.find_refund(reference) is None:
        _refuse_if_changed(payment, form)
    refund = payments.ask_refund(
        payment,
        amount,
        reason=form.reason.data or "",
        by=access.person(),
        needs_second=payments.needs_second(payment, amount, settings=view.settings()),
        reference=reference,
        now=now,
    )
    if refund.status is RefundStatus.PROPOSED:
        return gettext(
            "The refund of %(amount)s is proposed. Somebody else who may refund must agree to it.",
            amount=_amount(refund, payment),
        )
    return send(refund, payment)


def _refuse_if_changed(payment: Payment, form: RefundForm) -> None:
    if payment.held:
        raise Conflict(N_("This gift is held. Refuse it under Review, and everything goes back."))
    if form.seen.data != str(payments.remaining(payment).minor):
        raise Conflict(
            N_("This payment has changed since you opened the page: look at what remains of it now.")
        )


def note_refused(reference: str, form: RefundForm, error: DomainError) -> None:
    """Write down that a rule said no to a refund of this payment."""
    amount = form.amount.money
    audit.record(
        audit.Tag.REFUND_REFUSED,
        subject_type="payment",
        subject_id=reference,
        by=access.person(),
        details={
            "minor": amount.minor if amount else None,
            "currency": form.currency,
            "why": type(error).__name__,
        },
        now=clock.now(),
    )


def decide(refund: Refund, payment: Payment, action: str) -> str:
    """A second person's word on a refund that was proposed: what to tell them."""
    me, now = access.person(), clock.now()
    if action == "withdraw":
        payments.withdraw_refund(refund, by=me, now=now)
        return gettext("The proposal is taken back: nothing was refunded.")
    if refund.bank_reference is None:
        return send(payments.approve_refund(refund, by=me, now=now), payment)
    contact = _payer(payment)
    return _transferred(returns.approve(refund, by=me, now=now), payment, contact, now)


def send(refund: Refund, payment: Payment) -> str:
    """Ask Stripe, look at the answer at once, and say how it stands."""
    charge, amount, now = payment.stripe_charge_id, _amount(refund, payment), clock.now()
    outcome = checkout.refund(refund, now=now)
    if outcome is Outcome.REFUSED:
        return gettext("Stripe will not refund this payment: it is disputed, or was refunded there already.")
    if outcome is Outcome.WAITING:
        return gettext("Stripe has not answered yet. The refund is noted, and the worker asks again.")
    inbox.look_at([("charge", charge)])
    return gettext("%(amount)s goes back: Stripe has agreed.", amount=amount)


def _transferred(refund: Refund, payment: Payment, contact: Contact | None, now: datetime) -> str:
    notices.transferred(payment, refund, contact, settings=view.settings(), now=now)
    amount = _amount(refund, payment)
    if contact is None or not contact.email:
        return gettext("%(amount)s counts as returned by bank. Nobody could be told.", amount=amount)
    return gettext("%(amount)s counts as returned by bank. Whoever paid is told.", amount=amount)


def _amount(refund: Refund, payment: Payment) -> str:
    return view.money(Money(refund.amount_minor, payment.currency))


def _payer(payment: Payment) -> Contact | None:
    """Whom to tell; asked for before anything is locked, since Stripe may be asked for it."""
    return reach(people.person_of(payment.person_id)) if payment.person_id else None
