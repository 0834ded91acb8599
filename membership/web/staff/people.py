"""The list of people: filters as a sentence kept in the address, fifty a page. `search` finds one of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from flask import Response, request

from membership import clock
from membership.domain import memberships, reports
from membership.domain.people import Given, Standing
from membership.domain.reports import Page, Place, course
from membership.domain.reports.people import Filter
from membership.domain.roles import Ability
from membership.web import locales, sheets, view
from membership.web.forms.desk import ExportForm, FindForm
from membership.web.staff import bp
from membership.web.staff.access import allowed
from membership.web.staff.words import KINDS, Offered, Said, offered

STATUSES: dict[str, tuple[Standing, ...]] = {
    "member": (Standing.ACTIVE, Standing.PAST_DUE, Standing.PAUSED),
    "active": (Standing.ACTIVE,),
    "past_due": (Standing.PAST_DUE,),
    "paused": (Standing.PAUSED,),
    "trouble": (Standing.PAST_DUE, Standing.PAUSED),
    "ended": (Standing.ENDED,),
    "none": (Standing.NONE,),
}
GIVEN = {"regularly": Given.RUNNING, "once": Given.ONCE, "nothing": Given.NOTHING}
COURSES: dict[str, Callable[[datetime], Mapping[str, Any]]] = {
    "renews": lambda _now: {"renews": True},
    "late": lambda _now: {"late": True},
    "double": lambda _now: {"doubled": True},
    "left": lambda now: {"left_since": now - course.MONTH},
    "lost": lambda now: {"lost_since": now - course.LATELY},
    "credit": lambda now: {"credited_by": now - memberships.GOES_WITHIN},
}
MAILS: dict[str, Callable[[datetime], Mapping[str, Any]]] = {
    "bounced": lambda _now: {"bounced": True},
    "address": lambda now: {"ripe_by": now},
}
PAGE = "staff/people.html"


@dataclass(frozen=True, slots=True)
class Asked:
    """A filter as the address carries it: only what we know, so a link can be built from it again."""

    told: dict[str, str]
    filter: Filter


def read(args: Mapping[str, str], plans: list[Offered]) -> Asked:
    """The filter of an address or of a form; what is no choice of ours is as if it were not said."""
    ids = {plan.slug: plan.id for plan in plans}
    zone = view.settings().timezone
    since, until = _day(args.get("since")), _day(args.get("until"))
    told = {
        "status": args.get("status", "") if args.get("status") in STATUSES else "",
        "plan": args.get("plan", "") if args.get("plan") in ids else "",
        "kind": args.get("kind", "") if args.get("kind") in KINDS else "",
        "since": since.isoformat() if since else "",
        "until": until.isoformat() if until else "",
        "given": args.get("given", "") if args.get("given") in GIVEN else "",
        "lang": args.get("lang", "") if args.get("lang") in locales.known() else "",
        "course": args.get("course", "") if args.get("course") in COURSES else "",
        "mail": args.get("mail", "") if args.get("mail") in MAILS else "",
    }
    asked = Filter(
        standings=STATUSES.get(told["status"], ()),
        plan_id=ids.get(told["plan"]),
        kind=told["kind"] or None,
        joined_from=datetime.combine(since, time(), zone) if since else None,
        joined_before=datetime.combine(until + timedelta(days=1), time(), zone) if until else None,
        given=GIVEN.get(told["given"]),
        locale=told["lang"] or None,
        **(COURSES[told["course"]](clock.now()) if told["course"] else {}),
        **(MAILS[told["mail"]](clock.now()) if told["mail"] else {}),
    )
    return Asked({name: value for name, value in told.items() if value}, asked)


def _day(text: str | None) -> date | None:
    try:
        found = date.fromisoformat(text or "")
    except ValueError:
        return None
    return found if 1970 < found.year < 9000 else None


@bp.get("/staff/people")
@allowed(Ability.SEE)
def people() -> Response:
    """The people of this filter, newest first."""
    return list_page(request.args)


def list_page(
    args: Mapping[str, str],
    status: int = 200,
    *,
    find: FindForm | None = None,
    export: ExportForm | None = None,
    says: str = "",
) -> Response:
    """The list. `find` and `export` are forms that come back, `says` what could not be done."""
    plans = offered()
    asked = read(args, plans)
    place = Place(below=args.get("before", ""), above=args.get("after", ""))
    page = reports.people.page_of(asked.filter, place)
    names = {plan.id: plan.name for plan in plans}
    rows = [Said(row, names) for row in page.rows]
    return sheets.page(
        "staff/people.html",
        status,
        page=Page(rows, page.newer, page.older),
        plan_choices=[(plan.slug, plan.name) for plan in plans],
        languages_here=[(code, locales.name_of(code)) for code in locales.known()],
        asked=asked.told,
        count=reports.people.count(asked.filter),
        most=reports.people.MOST_COUNTED,
        has_key=view.settings().vault_private_key is not None,
        find=find or FindForm(),
        export=export or ExportForm(),
        says=says,
    )
