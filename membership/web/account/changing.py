"""Another plan, another rhythm, another amount: chosen, shown to the last cent, and done only as it was shown.

The figures travel signed in the second form, with the moment they were reckoned for, so what is paid is what was read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Response, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from itsdangerous import BadData, URLSafeSerializer

from membership import clock
from membership.billing import checkout
from membership.db import db
from membership.domain import plans
from membership.domain.memberships import Membership
from membership.domain.plans import Plan, PlanWords
from membership.errors import N_, Invalid
from membership.money import Money
from membership.web import locales, presses, sheets, view
from membership.web.account import mine
from membership.web.forms.account import PlanForm
from membership.web.forms.fields import refuse
from membership.web.standing import Standing

bp = mine.bp

HOLDS = timedelta(minutes=30)
"""How long the figures hold: a day's credit is worth little, but an old page is not what its reader remembers."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One price to choose from."""

    value: str
    plan: Plan
    words: PlanWords
    interval: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to have from now on."""

    plan: Plan
    interval: str
    amount: Money


def _offers(membership: Membership) -> dict[str, Offer]:
    """What may be chosen: the open plans in the membership's currency, and its own plan."""
    here, found = locales.locale(), {}
    for plan in plans.all_plans():
        if not plan.is_open and plan.id != membership.plan_id:
            continue
        for price in plans.prices_of(plan, membership.currency or ""):
            value = f"{plan.slug}-{price.interval}"
            found[value] = Offer(value, plan, plan.words(here), price.interval, price.amount)
    return found


def _form(membership: Membership, offers: Mapping[str, Offer], told: Mapping[str, str] | None) -> PlanForm:
    now_it_is = f"{plans.plan_of(membership.plan_id).slug}-{membership.interval}"
    form = PlanForm(told, data={"price": now_it_is})
    form.currency, form.prices = membership.currency or "", tuple(offers)
    least = offers[now_it_is].amount if now_it_is in offers else None
    if told is None and membership.amount is not None and membership.amount != least:
        form.other_amount.data = view.plain(membership.amount)
    return form


def _page(
    status: int = 200, *, says: str = "", general: list[str] | None = None, form: PlanForm | None = None
) -> Response:
    membership = mine.membership()
    standing, offers = Standing.of(membership), _offers(membership)
    if not standing.may_change:
        mine.note("fixed")
        raise mine.Over(N_("As it stands, neither plan nor amount can be changed."))
    return sheets.page(
        "account/plan.html",
        status,
        standing=standing,
        offers=list(offers.values()),
        form=form or _form(membership, offers, request.form if request.form.get("price") else None),
        says=says,
        general=general or [],
    )


@bp.get("/account/plan")
def plan() -> ResponseReturnValue:
    """What there is, and what is had now."""
    if mine.chosen() is None:
        return redirect(url_for(".front"), 303)
    return _page()


@bp.post("/account/plan")
def change_plan() -> ResponseReturnValue:
    """First what it comes to; with the second button, do just that."""
    return presses.press(_page, _agree if request.form.get("agreed") else _look)


def _look() -> ResponseReturnValue:
    """What the change comes to: nothing is changed yet."""
    membership = mine.membership()
    offers = _offers(membership)
    form = _form(membership, offers, request.form)
    if not form.validate():
        return _page(422, form=form)
    offer = offers[str(form.price.data)]
    wish = Wish(offer.plan, offer.interval, offer.amount if form.own is None else form.own)
    if _is_same(membership, wish):
        return _page(422, general=[gettext("This is what you have already. Nothing was changed.")])
    try:
        return _shown(membership, wish)
    except Invalid as error:
        db.session.rollback()
        refuse(form.other_amount, view.sentence(error))
        return _page(422, form=form)


def _is_same(membership: Membership, wish: Wish) -> bool:
    now_it_is = (membership.plan_id, membership.interval, membership.amount)
    return now_it_is == (wish.plan.id, wish.interval, wish.amount)


def _shown(membership: Membership, wish: Wish, *, says: str = "") -> Response:
    now = clock.now()
    preview = checkout.preview(
        membership, plan=wish.plan, amount=wish.amount, interval=wish.interval, now=now
    )
    agreed = [
        membership.reference, wish.plan.slug, wish.interval, wish.amount.minor, wish.amount.currency,
        preview.proration_at, *_now_it_is(membership),
    ]  # fmt: skip
    return sheets.page(
        "account/plan_preview.html",
        standing=Standing.of(mine.membership()),
        preview=preview,
        wish=wish,
        words=wish.plan.words(locales.locale()),
        agreed=_signer().dumps(agreed),
        says=says,
    )


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.secret_key), salt="plan-change")


def _agree() -> ResponseReturnValue:
    """Change it as it was shown. Figures that are old, or were reckoned from another plan, are shown anew."""
    membership, agreed = mine.membership(), _read(request.form["agreed"])
    if agreed is None or agreed[0] != membership.reference:
        return _page(422, says="again")
    _reference, slug, interval, minor, currency, at, *before = agreed
    wish = Wish(plans.get_plan(slug), interval, Money(minor, currency))
    if _is_same(membership, wish):  # the same press again, or another tab
        return redirect(url_for(".front"), 303)
    is_old = clock.now().timestamp() - at > HOLDS.total_seconds()
    if is_old or before != _now_it_is(membership):
        return _shown(membership, wish, says="old")
    return _change(membership, wish, at)


def _read(text: str) -> list[Any] | None:
    """What was signed with the figures; None when it was not us."""
    try:
        agreed: list[Any] = _signer().loads(text)
    except BadData:
        return None
    return agreed


def _now_it_is(membership: Membership) -> list[Any]:
    return [membership.plan_id, membership.interval, membership.amount_minor]


def _change(membership: Membership, wish: Wish, at: int) -> ResponseReturnValue:
    outcome = checkout.change(
        membership,
        plan=wish.plan,
        amount=wish.amount,
        interval=wish.interval,
        proration_at=at,
        now=clock.now(),
    )
    db.session.commit()
    presses.follow(membership)
    mine.note("changed" if outcome is checkout.Outcome.AGREED else "noted")
    return redirect(url_for(".front"), 303)
