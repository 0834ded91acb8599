"""What we hold about a person, as a file; and forgetting them."""

import json

from flask import Response
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from membership import clock
from membership.billing import checkout
from membership.billing.checkout import Outcome
from membership.domain import audit, personal_data, reports
from membership.domain.people import Person
from membership.domain.roles import Ability
from membership.errors import N_, Invalid
from membership.web.attempts import Attempt
from membership.web.forms.person import EraseForm, ExportForm
from membership.web.staff import access, bp
from membership.web.staff.access import allowed
from membership.web.staff.person.press import press


@bp.post("/staff/people/<reference>/export")
@allowed(Ability.PERSONAL_DATA)
def person_export(reference: str) -> ResponseReturnValue:
    """Everything we hold, as JSON."""
    return press(reference, "export", _export, grave=True)


@bp.post("/staff/people/<reference>/erase")
@allowed(Ability.PERSONAL_DATA)
def person_erase(reference: str) -> ResponseReturnValue:
    """Forget who this was, here and at Stripe."""
    return press(reference, "erase", _erase, grave=True)


def _export(person: Person, _form: ExportForm, _attempt: Attempt) -> Response:
    now = clock.now()
    audit.record(
        audit.Tag.PERSON_EXPORTED,
        subject_type="person",
        subject_id=person.reference,
        by=access.person(),
        now=now,
    )
    text = json.dumps(personal_data.export(person, now=now), ensure_ascii=False, indent=2)
    response = Response(text + "\n", mimetype="application/json")
    name = f"{reports.code_of(person.id)}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _erase(person: Person, form: EraseForm, _attempt: Attempt) -> str:
    if reports.id_of(form.short.data or "") != person.id:
        raise Invalid(N_("This is not the short code of this person."), field="short")
    now, customers = clock.now(), personal_data.customers_of(person)
    personal_data.erase(person, by=access.person(), reason=form.reason.data or "", now=now)
    outcome = checkout.ask_all(checkout.note_forgetting(customers, now=now), now=now)
    if outcome is Outcome.AGREED:
        return gettext(
            "This person is erased, here and at Stripe. What was paid stays in the books, nameless."
        )
    return gettext("This person is erased here. Stripe has not confirmed yet; the worker asks again.")
