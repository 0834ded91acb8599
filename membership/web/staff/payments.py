"""The list of payments: what came in, for what, what it cost, what went back."""

from collections.abc import Iterable

from flask import Response, request
from flask_babel import gettext

from membership.domain import reports
from membership.domain.payments import PaymentStatus
from membership.domain.reports import Place
from membership.domain.reports.payments import Paid, PaymentFilter, State
from membership.domain.roles import Ability
from membership.errors import N_
from membership.web import locales, sheets
from membership.web.staff import bp
from membership.web.staff.access import allowed
from membership.web.staff.words import bought, offered

PURPOSES = ("gift", "membership")
APART = {
    "no-pledge": N_("belongs to nothing we know"),
    "other-amount": N_("another amount than was asked for"),
    "other-currency": N_("settled in another currency"),
    "no-rule": N_("no rule to share it by"),
    "twice": N_("paid a second time"),
    "other-subscription": N_("paid for a subscription that another one has replaced"),
    "after-end": N_("paid after the membership had ended"),
}


@bp.get("/staff/payments")
@allowed(Ability.SEE)
def payments() -> Response:
    """Payments, newest first."""
    args = request.args
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
        page=page,
        asked={name: value for name, value in told.items() if value},
        fundraisers=_titles(row.fundraiser_id for row in page.rows),
        plans={one.id: one.name for one in offered()},
        bought=bought,
        status_of=status_of,
    )


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
    if paid.refunded is not None and paid.refunded >= paid.amount:
        return "over", gettext("Refunded")
    if paid.apart is not None:
        why = APART.get(paid.apart)
        return "bad", gettext("Set apart: %(why)s", why=gettext(why) if why else paid.apart)
    if paid.is_held:
        return "late", gettext("Held")
    return "well", gettext("Paid")
