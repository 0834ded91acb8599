"""What stands around every page of the desk: where one can go from here, who one is, what waits."""

from dataclasses import dataclass

from flask import current_app, request, session, url_for
from flask_babel import gettext
from flask_login import current_user

from membership.domain import reports
from membership.domain.reports import names
from membership.domain.roles import Ability, Role
from membership.errors import N_
from membership.web import view
from membership.web.staff import access

PLACES = (
    ("staff.home", N_("Desk"), Ability.SEE),
    ("staff.review", N_("Review"), Ability.REVIEW),
    ("staff.people", N_("People"), Ability.SEE),
    ("staff.payments", N_("Payments"), Ability.SEE),
    ("staff.events", N_("Events"), Ability.SEE_EVENTS),
    ("staff.audit", N_("Audit"), Ability.AUDIT),
    ("staff.setup", N_("Setup"), Ability.SETUP),
)
ROLES = {
    Role.VIEWER: N_("viewer"),
    Role.SUPPORT: N_("support"),
    Role.TREASURER: N_("treasurer"),
    Role.ADMIN: N_("admin"),
    Role.AUDITOR: N_("auditor"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the desk's menu; `waits` is how much waits there."""

    label: str
    path: str
    is_here: bool
    waits: int = 0


def tell(words: str) -> None:
    """Have the next page say this, once."""
    session["told"] = words


def path_of(reference: str) -> str:
    """The page of one person."""
    return f"{url_for('staff.home')}people/{reference}"


def at_stripe(kind: str, object_id: str) -> str:
    """Where Stripe's dashboard shows it; the pretend Stripe has none."""
    settings = view.settings()
    if settings.stripe_api_base:
        return ""
    mode = "test/" if settings.stripe_secret_key.startswith(("sk_test", "rk_test")) else ""
    return f"https://dashboard.stripe.com/{mode}{kind}/{object_id}"


def around() -> dict[str, object]:
    """For the templates. What asks the database is a function: an error page, which has no frame, asks it nothing."""
    return {
        "places": _places,
        "me": _me,
        "my_role": _role,
        "told": session.pop("told", ""),
        "person_path": path_of,
        "at_stripe": at_stripe,
    }


def _me() -> str:
    """What to call whoever is here."""
    return names.called(access.person())


def _places() -> list[Place]:
    found = []
    for endpoint, label, ability in PLACES:
        if endpoint in current_app.view_functions and access.may(ability):
            path = url_for(endpoint)
            inside = f"{request.script_root}{request.path}"
            is_here = inside == path if endpoint == "staff.home" else f"{inside}/".startswith(f"{path}/")
            waits = reports.desk.held() if ability is Ability.REVIEW else 0
            found.append(Place(gettext(label), path, is_here, waits))
    return found


def _role() -> str:
    return gettext(ROLES[current_user.role]) if current_user.role in ROLES else ""
