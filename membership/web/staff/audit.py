"""The audit log, as its readers see it: who did what to whom, why and when. Nothing here changes it."""

from flask import Response, request
from flask_babel import gettext

from membership.domain import reports
from membership.domain.audit import Tag
from membership.domain.reports import Place
from membership.domain.roles import Ability
from membership.web import sheets
from membership.web.staff import bp
from membership.web.staff.access import allowed


@bp.get("/staff/audit")
@allowed(Ability.AUDIT)
def audit() -> Response:
    """Records, newest first; of one kind, of one person."""
    args = request.args
    tag = args.get("tag", "") if args.get("tag") in list(Tag) else ""
    person = args.get("person", "")[:64]
    place = Place(below=args.get("before", ""), above=args.get("after", ""))
    page = reports.records.page_of(tag=tag or None, person=person or None, place=place)
    asked = {name: value for name, value in (("tag", tag), ("person", person)) if value}
    choices = [("", gettext("everything")), *((one.value, one.value) for one in sorted(Tag))]
    whose = reports.names.by_references([person]) if person else []
    return sheets.page("staff/audit.html", page=page, asked=asked, tag_choices=choices, whose=whose)
