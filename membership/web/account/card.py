"""The card: changed on Stripe's own page, and what became of it when its owner comes back."""

from flask import Response, redirect, url_for
from flask.typing import ResponseReturnValue

from membership import clock
from membership.billing import checkout
from membership.db import db
from membership.web import guards, presses, sheets, view
from membership.web.account import mine
from membership.web.standing import Standing

bp = mine.bp


def _page(status: int = 200, *, says: str = "", general: list[str] | None = None) -> Response:
    return sheets.page(
        "account/card.html",
        status,
        standing=Standing.of(mine.membership()),
        says=says,
        general=general or [],
    )


@bp.get("/account/card")
def card() -> ResponseReturnValue:
    """What comes next, and the button that leads there."""
    found = mine.chosen()
    if found is None or not Standing.of(found).may_mend:
        return redirect(url_for(".front"), 303)
    return _page()


@bp.post("/account/card")
def change_card() -> ResponseReturnValue:
    """To Stripe's page for cards. One press, one session there."""

    def act() -> ResponseReturnValue:
        membership = mine.membership()
        back = url_for(".card_done", membership=membership.reference)
        url = checkout.portal(membership, return_path=back, now=clock.now())
        db.session.commit()
        if not guards.is_payment_page(url, view.settings()):
            raise ValueError("the page for cards stands at an address that is none of Stripe's")
        return redirect(url, 303)

    return presses.press(_page, act)


@bp.get("/account/card/done")
def card_done() -> ResponseReturnValue:
    """Back from Stripe's page: what became of the card, and of a payment that was waiting for it."""
    membership = mine.chosen()
    if membership is None:
        return redirect(url_for(".front"), 303)
    outcome = checkout.adopt_card(membership, now=clock.now())
    presses.follow(membership)
    return sheets.page(
        "account/card_done.html", standing=Standing.of(mine.membership()), outcome=outcome.value
    )
