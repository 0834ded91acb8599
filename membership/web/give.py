"""Giving: the form, and the way to the payment page. One POST is one gift, however often it is pressed."""

from flask import Blueprint, Response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from membership.billing import checkout, gateway
from membership.db import db
from membership.domain import donations, fundraisers
from membership.domain.donations import Donation, Interval, Pledge
from membership.domain.fundraisers import Fundraiser
from membership.errors import DomainError
from membership.money import Money
from membership.web import appeal, attempts, brakes, guards, locales, sheets, thanks, view
from membership.web.attempts import Attempt
from membership.web.forms.fields import refuse
from membership.web.forms.give import INTERVALS, GiveForm
from membership.web.giftpage import Choice, GiftPage
from membership.web.squeeze import Sheet

bp = Blueprint("give", __name__)

PATH = "/fundraisers/<slug>/give"
REMEMBERED = 20
TEMPLATE = "give/form.html"


@bp.get(PATH)
def form(slug: str) -> ResponseReturnValue:
    """The form as everybody sees it, with this visitor's tokens; after a cancelled payment, as it was left."""
    left = _left_behind()
    if left is not None:
        became = thanks.became_of(left)
        if became in thanks.PAID:
            return to_thanks(left.reference)
        return _as_it_was(slug, left, says=thanks.of_coming_back(left, became))
    settings = view.settings()
    currency, interval = request.args.get("currency", ""), request.args.get("interval", "")
    key = (
        slug,
        locales.locale(),
        request.script_root,
        currency if currency in settings.currencies else "",
        interval if interval in INTERVALS else "",
    )
    sheet = sheets.shared(key, lambda: _blank(slug))
    return sheet.response(attempts.tokens(attempts.fresh()) if sheet.has_room else "")


def _blank(slug: str) -> Sheet:
    fundraiser = fundraisers.get_fundraiser(slug)
    shown = appeal.of(fundraiser, locales.locale())
    if not shown.is_open:
        return sheets.draw("give/closed.html", appeal=shown)
    choice = Choice.of(fundraiser)
    form = GiveForm(data={"interval": choice.interval})
    return sheets.draw(TEMPLATE, page=GiftPage.of(shown, choice, form))


def _left_behind() -> Donation | None:
    """The gift whose payment page this browser came back from, without paying as it seems."""
    reference = request.args.get("cancelled", "")
    if reference not in session.get("gifts", []):
        return None
    return donations.get_donation(reference)


def _as_it_was(slug: str, left: Donation, *, says: str) -> Response:
    """The form with amount and interval of a gift that was not paid. The same attempt: it stays one gift."""
    fundraiser = fundraisers.get_fundraiser(slug)
    shown = appeal.of(fundraiser, locales.locale())
    if not shown.is_open:
        return sheets.page("give/closed.html", appeal=shown)
    choice = Choice(left.currency, left.interval.value, usual=fundraiser.default_currency)
    told = {"interval": left.interval.value, "amount": view.plain(left.amount), "covers_fee": left.covers_fee}
    form = GiveForm(data=told)
    attempt = attempts.fresh(left.attempt)
    return sheets.page(TEMPLATE, attempt=attempt, page=GiftPage.of(shown, choice, form, says=says))


@bp.post(PATH)
def give(slug: str) -> ResponseReturnValue:
    """Check the shapes, count the try, write the pledge, and go where it is paid."""
    fundraiser = fundraisers.get_fundraiser(slug)
    if not fundraiser.is_open():
        return sheets.page("give/closed.html", 422, appeal=appeal.of(fundraiser, locales.locale()))
    choice = Choice.of(fundraiser)
    form = GiveForm(request.form)
    form.currency, form.was_sent = choice.currency, True
    attempt = attempts.read(request.form.get("attempt", ""))
    back = _Back(fundraiser, choice, form, attempt or attempts.fresh())
    if attempt is None or not attempts.is_pressed(attempt):
        return back.page(422, says="again")
    if not choice.is_known:
        return back.page(422, general=[gettext("We cannot take this currency.")])
    if not form.validate():
        return back.page(422)
    if not brakes.may_try("gift", form.email.data or ""):
        db.session.commit()  # what was counted stays counted
        return back.page(429, says="limit")
    return _pay(back, form, attempt)


class _Back:
    """The way back to the form: values and attempt kept, something said."""

    def __init__(self, fundraiser: Fundraiser, choice: Choice, form: GiveForm, attempt: Attempt) -> None:
        self.fundraiser, self.choice, self.form, self.attempt = fundraiser, choice, form, attempt

    def page(self, status: int, *, says: str = "", general: list[str] | None = None) -> Response:
        shown = appeal.of(self.fundraiser, locales.locale())
        page = GiftPage.of(shown, self.choice, self.form, says=says, general=general or [])
        return sheets.page(TEMPLATE, status, attempt=self.attempt, page=page)


def _pay(back: _Back, form: GiveForm, attempt: Attempt) -> ResponseReturnValue:
    amount = form.money
    assert amount is not None  # the form has seen to it
    try:
        begun = checkout.give(back.fundraiser, _pledge(form, attempt, amount))
    except gateway.StripeUnavailable:
        db.session.rollback()
        return back.page(503, says="unreachable")
    except DomainError as error:
        db.session.rollback()
        return back.page(422, general=_blame(form, error))
    db.session.commit()
    remember(begun.reference)
    if begun.url is None:  # paid already, or on its way: the same press again
        return to_thanks(begun.reference)
    if not guards.is_payment_page(begun.url, view.settings()):
        raise ValueError("the payment page stands at an address that is none of Stripe's")
    return redirect(begun.url, 303)


def _pledge(form: GiveForm, attempt: Attempt, amount: Money) -> Pledge:
    return Pledge(
        attempt=attempt.id,
        amount=amount,
        interval=Interval(form.interval.data),
        email=form.email.data or "",
        locale=locales.locale(),
        covers_fee=bool(form.covers_fee.data),
        name=form.name.data or "",
        shown=bool(form.shown.data and form.name.data),
        message=form.message.data or "",
        country=form.country.data or "",
    )


def _blame(form: GiveForm, error: DomainError) -> list[str]:
    """Write a refusal beside the field it speaks of; what speaks of none is returned."""
    name = "other_amount" if error.field == "amount" and form.other_amount.data else error.field
    if name is None or name not in form:
        return [view.sentence(error)]
    refuse(form[name], view.sentence(error))
    return []


def to_thanks(reference: str) -> ResponseReturnValue:
    """To the page that says what became of it."""
    return redirect(url_for("thanks.thanks", reference=reference), 303)


def remember(reference: str) -> None:
    """This browser gave; its thanks page may show what."""
    session["gifts"] = [*(r for r in session.get("gifts", []) if r != reference), reference][-REMEMBERED:]
