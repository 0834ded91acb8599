"""The desk itself: what needs a person today, and how it stands. A figure is the length of the list it leads to."""

from datetime import datetime
from typing import Any

from flask import Response, url_for
from flask_babel import gettext
from flask_login import current_user

from membership import clock
from membership.billing import events
from membership.domain import reports
from membership.domain.reports import course
from membership.domain.reports.desk import Line, Matter
from membership.domain.roles import ABILITIES, Ability
from membership.web import sheets, view
from membership.web.staff import access, bp, people
from membership.web.staff.access import allowed

FIRST = 3


@bp.get("/staff/")
@allowed(Ability.SEE)
def home() -> Response:
    """What needs a person today, the most pressing first."""
    now = clock.now()
    matters = reports.desk.matters(ABILITIES[current_user.role], now=now)
    if access.may(Ability.EVENTS):
        matters += _stuck()
    return sheets.page(
        "staff/home.html",
        matters=[(matter, *_way(matter)) for matter in matters],
        figures=_figures(now),
        monthly=[(amount, _people(course="renews")) for amount in reports.desk.monthly()],
    )


def _figures(now: datetime) -> dict[str, tuple[int, str]]:
    """How it stands: how many people a list has, and where that list is."""
    a_month_ago = (now - course.MONTH).astimezone(view.settings().timezone).date()
    lists = {
        "members": {"status": "member"},
        "joined": {"since": a_month_ago.isoformat()},
        "left": {"course": "left"},
    }
    return {
        name: (reports.people.count(people.read(asked, []).filter, most=None), _people(**asked))
        for name, asked in lists.items()
    }


def _people(**asked: Any) -> str:
    return url_for("staff.people", **asked)


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
    return [
        Matter(kind, len(lines), lines[:FIRST], is_more=len(lines) >= reports.desk.MOST)
        for kind, lines in found.items()
        if lines
    ]


LISTS: dict[str, tuple[str, dict[str, Any]]] = {
    "held": ("staff.review", {}),
    "refund": ("staff.refunds", {}),
    "unreturned": ("staff.refunds", {}),
    "credit": ("staff.people", {"course": "credit"}),
    "apart": ("staff.payments", {"state": "apart"}),
    "double": ("staff.people", {"course": "double"}),
    "late": ("staff.people", {"course": "late"}),
    "failed": ("staff.people", {"course": "lost"}),
    "address": ("staff.people", {"mail": "address"}),
    "bounced": ("staff.people", {"mail": "bounced"}),
    "codes": ("staff.setup", {}),
    "mail": ("staff.events", {}),
    "object": ("staff.events", {}),
    "call": ("staff.events", {}),
}
"""Where each matter is listed."""


def _way(matter: Matter) -> tuple[str, str]:
    """Where something is done about it: an address, and what its button says."""
    endpoint, asked = LISTS[matter.kind]
    return url_for(endpoint, **asked), _button(endpoint)


def _button(endpoint: str) -> str:
    if endpoint == "staff.review":
        return gettext("Review")
    return gettext("Look") if endpoint in ("staff.events", "staff.setup") else gettext("Look at them")
