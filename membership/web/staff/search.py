"""Finding somebody: by address, code, reference or Stripe's id at once; by name step by step.

What is searched for is posted, so that no address or name ever stands in an address, a log or a history. That
somebody searched is on record; for what, is not.
"""

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from membership.billing import events
from membership.db import db
from membership.domain import audit, reports
from membership.domain.reports.finding import Found
from membership.domain.roles import Ability
from membership.errors import DomainError
from membership.vault import NoPrivateKey
from membership.web import attempts, sheets, view
from membership.web.forms.desk import FindForm
from membership.web.staff import access, bp, frame
from membership.web.staff.access import allowed
from membership.web.staff.people import list_page

STRIPE = ("cus_", "sub_", "ch_", "py_", "pi_", "cs_", "in_", "re_")
MOST_FOUND = 200


@bp.post("/staff/people")
@allowed(Ability.SEE)
def find() -> ResponseReturnValue:
    """To the person who was asked for, or on through the names."""
    form = FindForm(request.form)
    if not attempts.is_pressed():
        return list_page({}, 422, find=form, says="again")
    words = (form.q.data or "").strip()
    if not form.validate() or not words:
        return list_page({}, 422, find=form, says=gettext("Please write whom or what you look for."))
    try:
        kind, found = _exactly(words)
    except DomainError as refusal:
        return list_page({}, 422, find=form, says=view.sentence(refusal))
    if found is not None:
        _note(kind, found=1, looked=1)
        return redirect(_path(found), 303)
    if kind != "name":
        _note(kind, found=0, looked=0)
        return list_page({}, find=form, says=_nobody(kind))
    return _by_name(form, words)


def _exactly(words: str) -> tuple[str, Found | None]:
    """What kind of thing this is, and whom it leads to at once."""
    finding = reports.finding
    if "@" in words.strip("@"):
        return "address", finding.by_email(words)
    if words.startswith("cs_"):
        session = events.session_of(words)
        return "stripe", finding.of_subject(session.donation_id, session.membership_id) if session else None
    if words.startswith(STRIPE):
        return "stripe", finding.by_stripe_id(words)
    if words.upper().startswith("P-"):
        return "code", finding.by_code(words)
    return "name", finding.by_reference(words) or finding.by_code(words)


def _path(found: Found) -> str:
    if found.person is not None:
        return frame.path_of(found.person)
    return url_for("staff.payments", payment=found.payment)


def _nobody(kind: str) -> str:
    if kind == "address":
        return gettext("Nobody here has this address. A part of it, or a name, finds similar ones.")
    if kind == "code":
        return gettext("Nobody here has this code.")
    return gettext("Nothing of ours carries this id of Stripe's.")


def _by_name(form: FindForm, words: str) -> Response:
    """One step through the names. What was found before travels along in the form."""
    below = _number("below") or None
    before = [one for one in request.form.get("found", "").split(",") if one][:MOST_FOUND]
    try:
        step = reports.names.search(words, below=below)
    except NoPrivateKey:
        return list_page({}, 422, find=form, says=_sealed())
    looked = _number("looked") + step.looked
    found = reports.names.by_references(before) if before else []
    found += step.found
    _note("name", found=len(step.found), looked=step.looked)
    return sheets.page(
        "staff/found.html",
        find=form,
        found=found,
        looked=looked,
        about=max(reports.names.about_how_many(), looked),
        below=step.next,
    )


def _number(name: str) -> int:
    """A number that travels in the form; 0 for what our page never wrote. Nine digits fit into every column."""
    said = request.form.get(name, "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else 0


def _sealed() -> str:
    return gettext(
        "Names are sealed on this server, so they cannot be searched here. An address, a code, a reference or "
        "an id from Stripe finds somebody."
    )


def _note(kind: str, *, found: int, looked: int) -> None:
    audit.record(
        audit.Tag.PEOPLE_SEARCHED,
        subject_type="people",
        subject_id=kind,
        by=access.person(),
        details={"found": found, "looked": looked},
    )
    db.session.commit()
