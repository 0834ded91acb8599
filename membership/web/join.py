"""Joining: the form of a plan, and the way to the payment page. One POST is one membership, however often it is pressed."""

from flask import Blueprint, Response, redirect, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from membership.billing import checkout, gateway
from membership.db import db
from membership.domain import memberships, plans
from membership.domain.memberships import Join, Kind, Membership
from membership.errors import DomainError
from membership.web import attempts, brakes, give, guards, locales, sessions, sheets, thanks, view
from membership.web.attempts import Attempt
from membership.web.forms.fields import refuse
from membership.web.forms.join import JoinForm
from membership.web.joinpage import JoinPage, Terms, value_of
from membership.web.squeeze import Sheet
from membership.web.standing import Standing

bp = Blueprint("join", __name__)

PATH = "/join/<slug>"
TEMPLATE = "join/form.html"
CLOSED = "join/closed.html"


@bp.get(PATH)
def form(slug: str) -> ResponseReturnValue:
    """The form as everybody sees it, with this visitor's tokens; after a cancelled payment, as it was left."""
    held = _held()
    if held:
        return _member_page(held)
    left = _left_behind(slug)
    if left is not None:
        became = thanks.became_of(left)
        if became in thanks.PAID:
            return give.to_thanks(left.reference)
        return _as_it_was(left, says=thanks.of_coming_back(left, became))
    settings = view.settings()
    currency = request.args.get("currency", "")
    currency = currency if currency in settings.currencies else ""
    sheet = sheets.shared(
        ("join", slug, locales.locale(), request.script_root, currency), lambda: _blank(slug, currency)
    )
    return sheet.response(attempts.tokens(attempts.fresh()) if sheet.has_room else "")


def _held() -> list[Membership]:
    """What a member who reads this pays for already: changing it is what helps, not a second membership."""
    person = sessions.person_here()
    live = memberships.live_of(person.id) if person else []
    return [membership for membership in live if membership.kind is Kind.PAID]


def _member_page(held: list[Membership], status: int = 200) -> Response:
    return sheets.page(
        "join/member.html", status, may_change=any(Standing.of(one).may_change for one in held)
    )


def _blank(slug: str, currency: str) -> Sheet:
    plan = plans.get_plan(slug)
    terms = Terms.of(plan, currency)
    if not plan.is_open or not terms.prices:
        return sheets.draw(CLOSED, words=plan.words(locales.locale()))
    return sheets.draw(TEMPLATE, page=JoinPage(terms, JoinForm()))


def _left_behind(slug: str) -> Membership | None:
    """The membership whose payment page this browser came back from, without paying as it seems."""
    reference = request.args.get("cancelled", "")
    if reference not in session.get("gifts", []):
        return None
    left = memberships.get_membership(reference)
    is_ours = plans.plan_of(left.plan_id).slug == slug and left.amount is not None
    return left if is_ours else None


def _as_it_was(left: Membership, *, says: str) -> Response:
    """The form with the price and amount of what was not paid. The same attempt: it stays one membership."""
    plan, amount = plans.plan_of(left.plan_id), left.amount
    assert amount is not None
    terms = Terms.of(plan, amount.currency)
    price = next((p for p in terms.prices.values() if p.interval == left.interval), None)
    if not plan.is_open or price is None:
        return sheets.page(CLOSED, words=plan.words(locales.locale()))
    told = {"price": value_of(price), "other_amount": "" if amount == price.amount else view.plain(amount)}
    page = JoinPage(terms, JoinForm(data=told), says)
    return sheets.page(TEMPLATE, attempt=attempts.fresh(left.attempt), page=page)


@bp.post(PATH)
def join(slug: str) -> ResponseReturnValue:
    """Check the shapes, count the try, write the membership, and go where it is paid."""
    plan = plans.get_plan(slug)
    terms = Terms.of(plan)
    if not plan.is_open or not terms.prices:
        return sheets.page(CLOSED, 422, words=plan.words(locales.locale()))
    held = _held()
    if held:
        return _member_page(held, 422)
    form = JoinForm(request.form)
    form.currency, form.offered = terms.currency, tuple(terms.prices)
    attempt = attempts.read(request.form.get("attempt", ""))
    back = _Back(terms, form, attempt or attempts.fresh())
    if attempt is None or not attempts.is_pressed(attempt):
        return back.page(422, says="again")
    general = _objections(terms)
    if general or not form.validate():
        return back.page(422, general=general)
    if not brakes.may_try("join", form.email.data or ""):
        db.session.commit()  # what was counted stays counted
        return back.page(429, says="limit")
    return _pay(back, form, attempt)


def _objections(terms: Terms) -> list[str]:
    """What is wrong with the form as a whole."""
    if not terms.is_known:
        return [gettext("We cannot take this currency.")]
    if request.form.get("seen", terms.seen) != terms.seen:
        return [gettext("The prices have changed while this page was open. Please look at them again.")]
    return []


class _Back:
    """The way back to the form: values and attempt kept, something said."""

    def __init__(self, terms: Terms, form: JoinForm, attempt: Attempt) -> None:
        self.terms, self.form, self.attempt = terms, form, attempt

    def page(self, status: int, *, says: str = "", general: list[str] | None = None) -> Response:
        page = JoinPage(self.terms, self.form, says, general or [])
        return sheets.page(TEMPLATE, status, attempt=self.attempt, page=page)


def _pay(back: _Back, form: JoinForm, attempt: Attempt) -> ResponseReturnValue:
    price, own = back.terms.prices[form.price.data or ""], form.other_amount.money
    told = Join(
        attempt=attempt.id,
        plan=back.terms.plan,
        price=price,
        amount=price.amount if own is None else own,
        email=form.email.data or "",
        locale=locales.locale(),
        name=form.name.data or "",
    )
    try:
        begun = checkout.join(told)
    except gateway.StripeUnavailable:
        db.session.rollback()
        return back.page(503, says="unreachable")
    except DomainError as error:
        db.session.rollback()
        return back.page(422, general=_blame(form, error))
    db.session.commit()
    give.remember(begun.reference)
    if begun.url is None:  # paid already, or on its way: the same press again
        return give.to_thanks(begun.reference)
    if not guards.is_payment_page(begun.url, view.settings()):
        raise ValueError("the payment page stands at an address that is none of Stripe's")
    return redirect(begun.url, 303)


def _blame(form: JoinForm, error: DomainError) -> list[str]:
    """Write a refusal beside the field it speaks of; what speaks of none is returned."""
    if error.field is None or error.field not in form:
        return [view.sentence(error)]
    refuse(form[error.field], view.sentence(error))
    return []
