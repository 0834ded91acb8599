"""The desk itself: what needs a person today, and how it stands."""

from flask import Response, url_for
from flask_babel import gettext
from flask_login import current_user

from membership import clock
from membership.billing import events
from membership.domain import reports
from membership.domain.reports.desk import Line, Matter
from membership.domain.roles import ABILITIES, Ability
from membership.web import sheets
from membership.web.staff import access, bp, frame
from membership.web.staff.access import allowed

FIRST = 3


@bp.get("/staff/")
@allowed(Ability.SEE)
def home() -> Response:
    """What needs a person today, the most pressing first."""
    now = clock.now()
    matters = reports.desk.matters(ABILITIES[current_user.role], now=now)
    if access.may(Ability.SEE_EVENTS):
        matters += _stuck()
    return sheets.page(
        "staff/home.html",
        matters=[(matter, *_way(matter)) for matter in matters],
        figures=reports.desk.figures(now=now),
    )


def _stuck() -> list[Matter]:
    """What is stuck between Stripe and us."""
    found = {
        "object": [
            Line(None, None, one.fetched_at, f"{one.object_type} {one.object_id}: {one.last_error or ''}")
            for one in events.dead_objects()
        ],
        "call": [
            Line(None, None, one.tried_at, one.operation)
            for one in (*events.stale_calls(), *events.open_calls())
        ],
    }
    return [Matter(kind, len(lines), lines[:FIRST]) for kind, lines in found.items() if lines]


def _way(matter: Matter) -> tuple[str, str]:
    """Where something is done about it: an address, and what its button says. The address may be empty."""
    if matter.kind == "held":
        return url_for("staff.review"), gettext("Review")
    if matter.kind == "apart":
        return url_for("staff.payments", state="apart"), gettext("Look at them")
    if matter.kind == "late":
        return url_for("staff.people", status="past_due"), gettext("Look at them")
    if matter.kind == "bounced":
        return url_for("staff.people", mail="bounced"), gettext("Look at them")
    if matter.kind in ("mail", "object", "call"):
        return url_for("staff.events"), gettext("Look")
    first = matter.first[0].who
    return (frame.path_of(first.reference) if first else ""), gettext("Open the first")
