"""A bank transfer instead of a card: announced here, with a reference of its own and the same notice."""

from flask import Blueprint, Response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from membership.db import db
from membership.domain import fundraisers, newsroom, transfers
from membership.domain.fundraisers import Fundraiser
from membership.errors import N_, DomainError, NotFound
from membership.money import Money
from membership.web import attempts, brakes, locales, sheets, view
from membership.web.attempts import Attempt
from membership.web.forms.fields import refuse
from membership.web.forms.transfer import TransferForm

bp = Blueprint("transfer", __name__)

PATH = "/fundraisers/<slug>/transfer"
REMEMBERED = 5


def _page(
    fundraiser: Fundraiser,
    form: TransferForm,
    status: int = 200,
    *,
    attempt: Attempt | None = None,
    says: str = "",
    general: list[str] | None = None,
) -> Response:
    return sheets.page(
        "give/transfer.html",
        status,
        attempt=attempt or attempts.fresh(),
        fundraiser=fundraiser,
        words=fundraiser.words(locales.locale()),
        form=form,
        says=says,
        general=general or [],
        has_errors=bool(form.errors or says or general),
        holder=newsroom.get_newsroom().bank_account.get("holder", ""),
        statement=view.settings().statement_descriptor,
        notices=fundraisers.notices(fundraiser, locales.locale()),
    )


def _form(fundraiser: Fundraiser) -> TransferForm:
    form = TransferForm(request.form if request.method == "POST" else None)
    form.currency = fundraiser.currency
    return form


def _open_one(slug: str) -> Fundraiser:
    """A transfer can be announced while the fundraiser is open, to a newsroom that has an account."""
    fundraiser = fundraisers.get_fundraiser(slug)
    found = newsroom.find_newsroom()
    if not fundraiser.is_open() or found is None or not found.bank_account:
        raise NotFound(N_("There is no such page"))
    return fundraiser


@bp.get(PATH)
def transfer(slug: str) -> Response:
    """The form; or, for the browser that announced one, where the money goes."""
    announced = session.get("transfers", {}).get(request.args.get("announced", ""))
    if announced is not None:
        fundraiser = fundraisers.get_fundraiser(slug)
        page = sheets.page(
            "give/transfer_announced.html",
            reference=request.args["announced"],
            amount=Money(*announced),
            account=newsroom.get_newsroom().bank_account,
            fundraiser=fundraiser,
            words=fundraiser.words(locales.locale()),
        )
        page.headers["Cache-Control"] = "no-store"
        return page
    fundraiser = _open_one(slug)
    return _page(fundraiser, _form(fundraiser))


@bp.post(PATH)
def announce(slug: str) -> ResponseReturnValue:
    """Write the transfer down, and show the reference on a page that can be reloaded."""
    fundraiser = _open_one(slug)
    form = _form(fundraiser)
    attempt = attempts.read(request.form.get("attempt", ""))
    if attempt is None or not attempts.is_pressed(attempt):
        return _page(fundraiser, form, 422, attempt=attempt, says="again")
    known = session.get("announced", {}).get(attempt.id)
    if known:  # the same press again
        return redirect(url_for(".transfer", slug=slug, announced=known), 303)
    if not form.validate():
        return _page(fundraiser, form, 422, attempt=attempt)
    if not brakes.may_try("transfer", form.email.data or ""):
        db.session.commit()
        return _page(fundraiser, form, 429, attempt=attempt, says="limit")
    return _announce(fundraiser, form, attempt)


def _announce(fundraiser: Fundraiser, form: TransferForm, attempt: Attempt) -> ResponseReturnValue:
    amount = form.amount.money
    assert amount is not None  # the form has seen to it
    try:
        made = transfers.announce(
            fundraiser,
            attempt=attempt.id,
            email=form.email.data or "",
            name=form.name.data or "",
            amount=amount,
            locale=locales.locale(),
            settings=view.settings(),
        )
    except DomainError as error:
        db.session.rollback()
        if error.field in form:
            refuse(form[error.field], view.sentence(error))
        return _page(
            fundraiser, form, 422, attempt=attempt, general=[] if form.errors else [view.sentence(error)]
        )
    reference = made.reference
    db.session.commit()
    _remember(reference, amount, attempt)
    return redirect(url_for(".transfer", slug=fundraiser.slug, announced=reference), 303)


def _remember(reference: str, amount: Money, attempt: Attempt) -> None:
    """What this browser announced, so that it may see it again and nobody else does."""
    kept = list(session.get("transfers", {}).items())[-REMEMBERED + 1 :]
    session["transfers"] = dict([*kept, (reference, [amount.minor, amount.currency])])
    pressed = list(session.get("announced", {}).items())[-REMEMBERED + 1 :]
    session["announced"] = dict([*pressed, (attempt.id, reference)])
