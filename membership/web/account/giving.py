"""One's gifts: what was given, what comes again, and the button that stops it."""

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from membership.domain import donations, fundraisers, payments
from membership.web import leave, locales, presses, sheets
from membership.web.account import mine
from membership.web.forms.leave import LeaveForm

bp = mine.bp


@bp.get("/account/gifts")
def gifts() -> Response:
    """All gifts of one person, the newest first."""
    here = locales.locale()
    found = donations.gifts_of(mine.person().id)
    asked = fundraisers.fundraisers_by_id(one.fundraiser_id for one in found)
    shown = [(one, asked[one.fundraiser_id].words(here)) for one in found]
    return sheets.page("account/gifts.html", gifts=shown)


def _gift_page(
    reference: str, form: LeaveForm, status: int = 200, *, says: str = "", general: list[str] | None = None
) -> Response:
    found = mine.gift(reference)
    return sheets.page(
        "account/gift.html",
        status,
        donation=found,
        words=fundraisers.fundraiser_of(found.fundraiser_id).words(locales.locale()),
        payments=payments.payments_of(found.id),
        state=leave.state_of(found),
        may_pause=donations.may_pause(found),
        resumes=leave.resumes(found),
        done=leave.done_with(found),
        form=form,
        says=says,
        general=general or [],
    )


@bp.get("/account/gifts/<reference>")
def gift(reference: str) -> Response:
    """One gift with its payments."""
    return _gift_page(reference, LeaveForm())


@bp.post("/account/gifts/<reference>")
def change_gift(reference: str) -> ResponseReturnValue:
    """Stop or pause it, as the link in its receipt does."""
    found = mine.gift(reference)
    form = LeaveForm(request.form)

    def page(status: int = 200, *, says: str = "", general: list[str] | None = None) -> Response:
        return _gift_page(reference, form, status, says=says, general=general)

    def act() -> ResponseReturnValue:
        if not form.validate():
            return page(422)
        leave.act_on(found, form)
        return redirect(url_for(".gift", reference=reference), 303)

    return presses.press(page, act)
