"""The account's first page: what goes on, what it opens, what can be done; and the language of its mails."""

from flask import Response, redirect, request
from flask.typing import ResponseReturnValue

from membership import clock
from membership.db import db
from membership.domain import donations, fundraisers, memberships
from membership.web import locales, offer, presses, sheets
from membership.web.account import mine
from membership.web.forms.account import LanguageForm
from membership.web.standing import Standing, perks_open_to

bp = mine.bp


def page(status: int = 200, *, says: str = "", general: list[str] | None = None) -> Response:
    """Everything of one person on one page."""
    person = mine.person()
    held = memberships.memberships_of(person.id)
    going = [Standing.of(one) for one in held if one.is_live]
    ended = [Standing.of(one) for one in held if not one.is_live]
    running = [
        (gift, fundraisers.fundraiser_of(gift.fundraiser_id))
        for gift in donations.running_gifts_of(person.id)
    ]
    return sheets.page(
        "account/front.html",
        status,
        going=going,
        ended=ended[0] if ended and not going else None,
        perks=perks_open_to(person.id),
        gifts=[(gift, fundraiser.words(locales.locale())) for gift, fundraiser in running],
        tiers=[] if going else offer.of("", locales.locale()).tiers,
        did=mine.noted(),
        says=says,
        general=general or [],
        now=clock.now(),
    )


@bp.get("/account")
def front() -> Response:
    """Everything of one person on one page."""
    return page()


def _language_page(status: int = 200, *, says: str = "", general: list[str] | None = None) -> Response:
    spoken = [(code, locales.name_of(code)) for code in locales.known()]
    form = LanguageForm(request.form or None, data={"language": mine.person().locale})
    if status == 422:
        form.validate()
    return sheets.page(
        "account/language.html",
        status,
        form=form,
        spoken=spoken,
        says=says,
        general=general or [],
    )


@bp.get("/account/language")
def language() -> Response:
    """In which language we write."""
    return _language_page()


@bp.post("/account/language")
def speak() -> ResponseReturnValue:
    """Write in this language from now on, and show the account in it."""
    form = LanguageForm(request.form)

    def act() -> ResponseReturnValue:
        if not form.validate():
            return _language_page(422)
        chosen = str(form.language.data)
        person = mine.person()
        donations.speak(person.id, chosen)  # gifts, memberships, person: in the order in which all lock them
        memberships.speak(person.id, chosen)
        person.locale = chosen
        db.session.commit()
        mine.note("language")
        return redirect(f"{request.environ.get(locales.ROOT, '')}{locales.prefix_of(chosen)}/account", 303)

    return presses.press(_language_page, act)
