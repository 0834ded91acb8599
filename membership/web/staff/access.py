"""Who may do what at the desk: every page names its ability, and grave actions ask for the second factor again.

    @bp.get("/staff/people")
    @allowed(Ability.SEE)
    def people() -> Response: ...

An action that needs to be confirmed carries a field `code` in its own form, shown while `is_confirmed()` says no, and
begins with `if not access.confirm(form): ...show the form again, 422`.
"""

from collections.abc import Callable
from functools import wraps
from typing import Protocol, TypeVar

from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user
from wtforms import Field

from membership import clock
from membership.db import db
from membership.domain import roles, signins
from membership.domain.people import Person
from membership.domain.roles import Ability
from membership.errors import Invalid, NotAllowed
from membership.web import sessions, view
from membership.web.forms.fields import refuse

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])


class Confirmed(Protocol):
    """A form that carries the second factor."""

    code: Field


def allowed(ability: Ability) -> Callable[[View], View]:
    """What somebody's role must include to come here. Stands below the route, above the view."""

    def mark(view_: View) -> View:
        @wraps(view_)
        def guarded(*args: object, **kwargs: object) -> ResponseReturnValue:
            if not may(ability):
                sessions.refuse(person())
            return view_(*args, **kwargs)

        guarded.ability = ability  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return mark


def may(ability: Ability) -> bool:
    """Whether whoever is here may do that: templates ask before they show a button."""
    return current_user.is_authenticated and roles.may(current_user.role, ability)


def person() -> Person:
    """The person who acts."""
    found = sessions.person_here()
    assert found is not None, "the guard lets nobody else come so far"
    return found


def is_confirmed() -> bool:
    """Whether the second factor was shown within the last ten minutes."""
    return current_user.is_authenticated and signins.is_confirmed(current_user.session, now=clock.now())


def confirm(form: Confirmed) -> bool:
    """Whether a grave action may go on; else a sentence stands beside the form's `code`.

    Call it before any verb: it commits, so that tries count and a code is taken once whatever happens afterwards.
    """
    if is_confirmed():
        return True
    typed = str(form.code.data or "").strip()
    if (
        not typed
    ):  # the form was drawn before the ten minutes were over: nobody was asked, so no try is counted
        refuse(form.code, gettext("A code counts for ten minutes. Please write the next one from your app."))
        return False
    try:
        roles.check_code(person(), typed, now=clock.now(), at=clock.outside())
        signins.confirm(current_user.session, person(), now=clock.now())
    except (Invalid, NotAllowed) as refusal:
        refuse(form.code, view.sentence(refusal))
    db.session.commit()
    return not form.code.errors
