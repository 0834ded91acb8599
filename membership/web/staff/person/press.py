"""What all acts of the page share: made sure of, done once, said afterwards; what says no is said beside the form."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from flask import Response, redirect, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from membership import clock
from membership.billing.gateway import StripeUnavailable
from membership.db import db
from membership.domain import audit, limits, people
from membership.domain.people import Person
from membership.errors import N_, Conflict, DomainError, NotAllowed, NotFound
from membership.web import attempts, view
from membership.web.attempts import Attempt
from membership.web.forms.fields import refuse
from membership.web.staff import access, frame
from membership.web.staff.person.page import ACTS, Act, draw

HALF_A_DAY = timedelta(hours=12)  # longer than the tokens of a form live
Deed = Callable[[Person, Any, Attempt], "str | Response"]


class Foreign(NotFound):
    """Something of somebody else's, or of nobody's, was named in this person's form."""


def own(rows: Iterable[Any], reference: str) -> Any:
    """The one of these rows with this reference; Foreign when it is not among them."""
    found = next((row for row in rows if row.reference == reference), None)
    if found is None:
        raise Foreign(N_("There is no such thing on this page."))
    return found


def press(
    reference: str,
    name: str,
    deed: Deed,
    *,
    grave: bool = False,
    prepare: Callable[[Person, Any], None] | None = None,
    refused: Callable[[Person, Any, DomainError], None] | None = None,
) -> ResponseReturnValue:
    """One act: `deed` does it and returns the sentence that tells so, or what is downloaded.

    `grave`: the second factor is asked for. `prepare` is told of the person before the form is read. `refused` writes
    down that a rule said no. Pressed twice it is done once.
    """
    form = ACTS[name][0](request.form)
    attempt = attempts.read(request.form.get("attempt", ""))
    if attempt is None or not attempts.is_pressed():
        return draw(reference, 422, act=Act(name, form, says="again"))
    try:
        if prepare is not None:
            prepare(people.get_person(reference), form)
        if not form.validate() or (grave and not access.confirm(form)):
            return draw(reference, 422, act=Act(name, form))
        return _do(reference, name, deed, form, attempt)
    except Foreign:
        _note_foreign(reference, name)
        raise
    except NotFound:
        raise
    except DomainError as error:
        return _said_no(reference, name, form, error, refused)


def _do(reference: str, name: str, deed: Deed, form: Any, attempt: Attempt) -> ResponseReturnValue:
    if name != "export" and not limits.once("desk-press", attempt.id, per=HALF_A_DAY, now=clock.now()):
        db.session.commit()
        frame.tell(_used())
        return back(reference)
    said = deed(people.get_person(reference), form, attempt)
    db.session.commit()
    if isinstance(said, Response):
        return said
    frame.tell(said)
    return back(reference)


def _used() -> str:
    """A double click, or a form found again with Back, which may ask for something else now. The first press may have
    been refused after Stripe was asked, so nobody is told that it was done.
    """
    return gettext(
        "This form was used already, and it counts once: nothing more was done, and nothing more is given back. What"
        " became of it stands on this page."
    )


def back(reference: str) -> ResponseReturnValue:
    """To the page, which tells what was done."""
    return redirect(frame.path_of(reference), 303)


def _said_no(
    reference: str,
    name: str,
    form: Any,
    error: DomainError,
    refused: Callable[[Person, Any, DomainError], None] | None,
) -> Response:
    db.session.rollback()
    if refused is not None:
        refused(people.get_person(reference), form, error)
        db.session.commit()
    sentence = view.sentence(error)
    if isinstance(error, StripeUnavailable):
        sentence = gettext(
            "Stripe cannot be reached just now. Nothing was done; please press again in a minute."
        )
    if error.field and error.field in form:
        refuse(form[error.field], sentence)
        sentence = ""
    codes = {Conflict: 409, NotAllowed: 403, StripeUnavailable: 503}
    code = next((code for kind, code in codes.items() if isinstance(error, kind)), 422)
    return draw(reference, code, act=Act(name, form, refused=sentence))


def _note_foreign(reference: str, name: str) -> None:
    db.session.rollback()
    audit.record(
        audit.Tag.ACCESS_REFUSED,
        subject_type="person",
        subject_id=reference,
        by=access.person(),
        details={"page": f"staff.person:{name}"},
        now=clock.now(),
    )
    db.session.commit()
