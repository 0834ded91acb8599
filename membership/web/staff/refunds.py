"""Refunds that wait for somebody: for a second person, or because they failed and the money is here still."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from membership import clock
from membership.billing import checkout, inbox, notices
from membership.billing.checkout import Outcome
from membership.billing.facts import Contact
from membership.db import db
from membership.domain import payments, people, reports, returns
from membership.domain.payments import Payment, Refund, RefundStatus
from membership.domain.roles import Ability
from membership.errors import N_, Conflict, DomainError, NotAllowed, NotFound
from membership.money import Money
from membership.web import attempts, sheets, view
from membership.web.forms.desk import SettleForm
from membership.web.staff import access, bp, frame
from membership.web.staff.access import allowed
from membership.web.staff.person.contact import reach

CODES: dict[type[DomainError], int] = {Conflict: 409, NotAllowed: 403}


@dataclass(frozen=True, slots=True)
class Waiting:
    """One that waits, with its payment."""

    refund: Refund
    payment: Payment

    @property
    def amount(self) -> Money:
        """What goes back, or should have."""
        return Money(self.refund.amount_minor, self.payment.currency)

    @property
    def needs_second(self) -> bool:
        """Whether a transfer of it takes a second person."""
        return payments.needs_second(self.payment, self.amount, settings=view.settings())

    @property
    def left_in(self) -> str | None:
        """The currency that leaves the bank, where it is another one than the payment's."""
        settled = self.payment.settled_currency
        return settled if settled != self.payment.currency else None


@bp.get("/staff/refunds")
@allowed(Ability.REFUND)
def refunds() -> Response:
    """What waits, the oldest first."""
    return _page()


def _page(status: int = 200, **about: Any) -> Response:
    """The page; `wrong` is the refund whose `form` comes back, `refused` why, `says` a word of ours."""
    proposed = [Waiting(*one) for one in payments.proposed_refunds()]
    failed = [Waiting(*one) for one in payments.unreturned_refunds()]
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
        sentence = view.sentence(error)
        if error.field and error.field in form:
            form[error.field].errors = [sentence]
            sentence = ""
        code = CODES.get(type(error), 422)
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
            "The transfer of %(amount)s is above the review limit: it is noted, and counts once somebody else agrees.",
            amount=_amount(made, payment),
        )
    return _transferred(made, payment, contact, now)


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
