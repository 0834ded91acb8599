"""Receipts: every payment of one person, each on a page that prints well, and mailed again when asked."""

from collections.abc import Sequence

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from membership import clock
from membership.billing import contacts, notices
from membership.db import db
from membership.domain import donations, fundraisers, memberships, newsroom, payments, plans
from membership.domain.payments import Payment
from membership.errors import N_, Conflict
from membership.money import Money
from membership.web import brakes, locales, presses, sheets, view
from membership.web.account import mine

bp = mine.bp

A_PAGE = 50
TEN_MINUTES = 600


class Subjects:
    """What payments were for, in the reader's language; however many there are, each kind is asked for once."""

    def __init__(self, shown: Sequence[Payment]) -> None:
        given = (one.donation_id for one in shown if one.donation_id)
        self.gifts = donations.gifts_by_id(given)
        self.asked = fundraisers.fundraisers_by_id(one.fundraiser_id for one in self.gifts.values())
        self.held = {one.id: one for one in memberships.memberships_of(mine.person().id)}
        for not_begun in {one.membership_id for one in shown if one.membership_id} - self.held.keys():
            self.held[not_begun] = memberships.membership_of(not_begun)
        self.plans = {one.id: one for one in plans.all_plans()}

    def of(self, payment: Payment) -> dict[str, object]:
        """What one payment was for."""
        here = locales.locale()
        if held := self.held.get(payment.membership_id or 0):
            words = self.plans[payment.plan_id or held.plan_id].words(here)
            return {
                "kind": "membership",
                "title": words.name,
                "lang": words.locale,
                "interval": payment.interval,
            }
        if given := self.gifts.get(payment.donation_id or 0):
            told = self.asked[given.fundraiser_id].words(here)
            return {
                "kind": "gift",
                "title": told.title,
                "lang": told.locale,
                "interval": given.interval.value,
                "reference": given.reference,
            }
        return {"kind": "payment", "title": "", "lang": here, "interval": None}


@bp.get("/account/receipts")
def receipts() -> Response:
    """All payments of one person, the newest first, fifty a page."""
    before = request.args.get("before", "")
    last = mine.payment(before).id if before else None
    found = payments.paid_by(mine.person().id, before=last, most=A_PAGE + 1)
    shown = found[:A_PAGE]
    back, subjects = payments.refunded_of(shown), Subjects(shown)
    return sheets.page(
        "account/receipts.html",
        rows=[(one, subjects.of(one), back.get(one.id)) for one in shown],
        is_first=last is None,
        next_page=shown[-1].reference if len(found) > A_PAGE else None,
    )


def _receipt_page(
    reference: str, status: int = 200, *, says: str = "", general: list[str] | None = None
) -> Response:
    found = mine.payment(reference)
    contact = contacts.of(mine.person())
    host = newsroom.find_newsroom()
    settings = view.settings()
    return sheets.page(
        "account/receipt.html",
        status,
        payment=found,
        what=Subjects([found]).of(found),
        refunds=[
            (one, Money(one.amount_minor, found.currency))
            for one in payments.refunds_of(found)
            if payments.was_tried(one)
        ],
        looked_at={one.id for one, _ in payments.unreturned_refunds(person_id=mine.person().id)},
        refunded=payments.refunded(found) - payments.set_aside(found),
        name=contact.name if contact else None,
        host=host.donee if host else settings.newsroom_name,
        statement=settings.statement_descriptor,
        did=mine.noted(),
        says=says,
        general=general or [],
    )


@bp.get("/account/receipts/<reference>")
def receipt(reference: str) -> Response:
    """One receipt, to read, print or keep."""
    return _receipt_page(reference)


@bp.post("/account/receipts/<reference>")
def send_again(reference: str) -> ResponseReturnValue:
    """Mail it once more, to the address it went to before."""
    mine.payment(reference)  # first of all: is it theirs?

    def page(status: int = 200, *, says: str = "", general: list[str] | None = None) -> Response:
        return _receipt_page(reference, status, says=says, general=general)

    def act() -> ResponseReturnValue:
        if not brakes.may_send("receipt", mine.person().reference):
            db.session.commit()
            return page(429, says="limit")
        _send(reference)
        db.session.commit()
        mine.note("sent")
        return redirect(url_for(".receipt", reference=reference), 303)

    return presses.press(page, act)


def _send(reference: str) -> None:
    """Queue it for the address we reach its owner at, once in ten minutes."""
    now, contact = clock.now(), contacts.of(mine.person())
    if contact is None:
        raise Conflict(N_("The address cannot be looked up just now. Please try again in a few minutes."))
    pressed = f"own-{int(now.timestamp()) // TEN_MINUTES}"
    notices.receipt_again(
        mine.payment(reference), contact, attempt=pressed, settings=view.settings(), now=now
    )
