"""Gifts that are held: above the limit, or from a place that is refused. Accepted, or given back whole."""

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from membership import clock
from membership.billing import checkout
from membership.billing.checkout import Outcome
from membership.db import db
from membership.domain import donations, reports
from membership.domain.donations import Donation, Review
from membership.domain.roles import Ability
from membership.errors import N_, Conflict
from membership.web import attempts, locales, sheets
from membership.web.forms.desk import ReviewForm
from membership.web.staff import access, bp, frame
from membership.web.staff.access import allowed

MOST = 50


@bp.get("/staff/review")
@allowed(Ability.REVIEW)
def review() -> Response:
    """What is held, the oldest first."""
    return _page()


def _page(
    status: int = 200, *, wrong: Donation | None = None, form: ReviewForm | None = None, says: str = ""
) -> Response:
    waiting = donations.held_ones()
    shown = waiting[:MOST]
    return sheets.page(
        "staff/review.html",
        status,
        gifts=shown,
        more=len(waiting) - len(shown),
        people=reports.named(one.person_id for one in shown),
        titles={
            number: one.words(locales.locale()).title
            for number, one in reports.payments.fundraisers_of(one.fundraiser_id for one in shown).items()
        },
        wrong=wrong.id if wrong is not None else None,
        form=form or ReviewForm(),
        says=says,
    )


@bp.post("/staff/review/<reference>")
@allowed(Ability.REVIEW)
def decide(reference: str) -> ResponseReturnValue:
    """Accept it, or give everything back; giving back asks for the second factor again."""
    donation = donations.get_donation(reference)
    form = ReviewForm(request.form)
    if not attempts.is_pressed():
        return _page(422, says="again")
    if not form.validate():
        return _page(422, wrong=donation, form=form)
    if form.action.data == "refund" and not access.confirm(form):
        return _page(422, wrong=donation, form=form)
    donation = donations.get_donation(reference)
    if donation.review is not Review.HELD:
        raise Conflict(N_("Somebody has decided this gift already."))
    frame.tell(_accept(donation) if form.action.data == "accept" else _give_back(donation))
    return redirect(url_for("staff.review"), 303)


def _accept(donation: Donation) -> str:
    donations.accept(donation, by=access.person(), now=clock.now())
    db.session.commit()
    return gettext("The gift is accepted: its money is shared by the rule.")


def _give_back(donation: Donation) -> str:
    """Noted with the decision before Stripe is asked, so that a crash forgets nothing."""
    now, recurs = clock.now(), donation.is_recurring
    asked = donations.refuse(donation, by=access.person(), now=now)
    for one in asked:
        checkout.note_refund(one, now=now)
    if recurs:
        checkout.note_stop(donation, by="staff", now=now)
    db.session.commit()
    outcomes = [checkout.refund(one) for one in asked]
    if recurs:
        checkout.stop(donation, by="staff")
    if Outcome.REFUSED in outcomes:
        return gettext(
            "Stripe will not refund a payment of this gift: it is disputed, or was refunded there already."
        )
    if Outcome.WAITING in outcomes:
        return gettext("Stripe has not answered yet. The refund is noted, and the worker asks again.")
    return gettext("The gift is given back: Stripe has agreed.")
