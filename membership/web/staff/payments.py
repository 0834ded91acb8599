"""The list of payments: what came in, for what, what it cost, what went back; and nobody's, given back."""

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from membership.db import db
from membership.domain import reports
from membership.domain.payments import PaymentStatus, get_by_reference, needs_second
from membership.domain.payments.refunds import BACK_IN_OTHER_CURRENCY
from membership.domain.reports import Place
from membership.domain.reports.payments import Paid, PaymentFilter, State
from membership.domain.roles import Ability
from membership.errors import N_, DomainError, NotFound
from membership.web import attempts, locales, sheets, view
from membership.web.forms.person import RefundForm
from membership.web.staff import access, bp, frame, refunds
from membership.web.staff.access import allowed
from membership.web.staff.words import bought, offered

PURPOSES = ("gift", "membership")
APART = {
    "no-pledge": N_("belongs to nothing we know"),
    "other-amount": N_("another amount than was asked for"),
    "other-currency": N_("settled in another currency"),
    "refund-other-currency": N_("a refund of it settled in another currency and is not in the books"),
    "no-rule": N_("no rule to share it by"),
    "twice": N_("paid a second time"),
    "other-subscription": N_("paid for a subscription that another one has replaced"),
    "after-end": N_("paid after the membership had ended"),
}


@bp.get("/staff/payments")
@allowed(Ability.SEE)
def payments() -> Response:
    """Payments, newest first."""
    return _page(request.args)


def _page(args: Mapping[str, str], status: int = 200, **about: Any) -> Response:
    """The list; around one payment of nobody's that is looked at alone, `form` gives it back, `refused` says why not."""
    told = {
        "state": args.get("state", "") if args.get("state") in list(State) else "",
        "purpose": args.get("purpose", "") if args.get("purpose") in PURPOSES else "",
        "person": args.get("person", "")[:64],
        "payment": args.get("payment", "")[:64],
    }
    asked = PaymentFilter(
        state=State(told["state"]) if told["state"] else None,
        purpose=told["purpose"] or None,
        person=told["person"] or None,
        payment=told["payment"] or None,
    )
    place = Place(below=args.get("before", ""), above=args.get("after", ""))
    page = reports.payments.page_of(asked, place)
    return sheets.page(
        "staff/payments.html",
        status,
        attempt=attempts.fresh(),
        page=page,
        asked={name: value for name, value in told.items() if value},
        fundraisers=_titles(row.fundraiser_id for row in page.rows),
        plans={one.id: one.name for one in offered()},
        bought=bought,
        status_of=status_of,
        takes_two=_takes_two,
        **{"form": _filled(page.rows), "refused": "", "says": ""} | about,
    )


def _takes_two(paid: Paid) -> bool:
    return needs_second(get_by_reference(paid.reference), paid.remains, settings=view.settings())


def _filled(rows: list[Paid]) -> RefundForm:
    """The form that gives back all that remains of the first of them."""
    return RefundForm(data={"amount": view.plain(rows[0].remains)} if rows else None)


@bp.post("/staff/payments/<reference>")
@allowed(Ability.REFUND)
def refund_payment(reference: str) -> ResponseReturnValue:
    """Give back what came from nobody we know; what somebody paid goes back on the page of that person."""
    payment, form = get_by_reference(reference), RefundForm(request.form)
    if payment.person_id is not None:
        raise NotFound(N_("There is no such payment."))
    form.currency, here = payment.currency, {"payment": reference}
    attempt = attempts.read(request.form.get("attempt", ""))
    if attempt is None or not attempts.is_pressed():
        return _page(here, 422, form=form, says="again")
    if not form.validate() or not access.confirm(form):
        return _page(here, 422, form=form)
    try:
        said = refunds.ask(payment, form, attempt)
    except DomainError as error:
        db.session.rollback()
        refunds.note_refused(reference, form, error)
        db.session.commit()
        code, sentence = refunds.said_no(form, error)
        return _page(here, code, form=form, refused=sentence)
    db.session.commit()
    frame.tell(said)
    return redirect(url_for("staff.payments", payment=reference), 303)


def _titles(ids: Iterable[int | None]) -> dict[int, str]:
    """What these fundraisers are called here."""
    found = reports.payments.fundraisers_of(ids)
    return {number: one.words(locales.locale()).title for number, one in found.items()}


def status_of(paid: Paid) -> tuple[str, str]:
    """How a payment stands: the colour of its dot, and words."""
    if paid.status is PaymentStatus.PENDING:
        return "rest", gettext("On its way")
    if paid.status is PaymentStatus.FAILED:
        return "over", gettext("Failed")
    if paid.refunded >= paid.amount and paid.apart != BACK_IN_OTHER_CURRENCY:
        return "over", gettext("Refunded")
    if paid.apart is not None:
        why = APART.get(paid.apart)
        return "bad", gettext("Set apart: %(why)s", why=gettext(why) if why else paid.apart)
    if paid.is_held:
        return "late", gettext("Held")
    return "well", gettext("Paid")
