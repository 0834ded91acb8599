"""What a membership opens: a page, a file, a link, a code of one's own. One question decides: `memberships.may_open`."""

from flask import Blueprint, Response, current_app, redirect, send_file, url_for
from flask.typing import ResponseReturnValue

from membership import clock
from membership.db import db
from membership.domain import memberships, plans
from membership.domain.memberships import MembershipStatus
from membership.domain.plans import Perk, PerkKind
from membership.errors import N_, NotFound
from membership.web import locales, offer, presses, refusals, sheets, view
from membership.web.account import mine

bp = Blueprint("perks", __name__)

PATH = "/account/perks/<slug>"


def _may_open(perk: Perk) -> bool:
    grace = view.settings().grace_days
    return memberships.may_open(mine.person().id, perk, grace_days=grace, now=clock.now())


def _open_page(
    perk: Perk, status: int = 200, *, says: str = "", general: list[str] | None = None
) -> Response:
    is_code = perk.kind is PerkKind.CODE
    return sheets.page(
        "perks/perk.html",
        status,
        perk=perk,
        words=perk.words(locales.locale()),
        code=plans.find_code(perk, mine.person()) if is_code else None,
        has_codes=is_code and plans.codes_left(perk) > 0,
        says=says,
        general=general or [],
    )


def _closed_page(perk: Perk) -> Response:
    """What it is and what opens it, for somebody it is not open to."""
    here = locales.locale()
    live = memberships.live_of(mine.person().id)
    current = next((one for one in live if one.amount is not None), None)
    currency = (current.currency if current else None) or view.settings().currencies[0]
    opening = plans.plans_with(perk)
    own = [one for one in live if one.plan_id in {plan.id for plan in opening}]
    return sheets.page(
        "perks/closed.html",
        403,
        words=perk.words(here),
        late=next((one for one in own if one.status is MembershipStatus.PAST_DUE), None),
        paused=next((one for one in own if one.status is MembershipStatus.PAUSED), None),
        current=current if current and current.status is MembershipStatus.ACTIVE else None,
        tiers=[offer.tier_of(plan, currency) for plan in opening if plan.is_open],
    )


@bp.get(PATH)
def perk(slug: str) -> Response:
    """The perk for whoever may open it; for others what it is and how to come by it."""
    found = plans.get_perk(slug)
    return _open_page(found) if _may_open(found) else _closed_page(found)


@bp.post(PATH)
def take(slug: str) -> ResponseReturnValue:
    """This member's one code."""
    found = plans.get_perk(slug)
    if not _may_open(found):
        return _closed_page(found)
    if found.kind is not PerkKind.CODE:
        return redirect(url_for(".perk", slug=slug), 303)

    def page(status: int = 200, *, says: str = "", general: list[str] | None = None) -> Response:
        return _open_page(plans.get_perk(slug), status, says=says, general=general)

    def act() -> ResponseReturnValue:
        plans.take_code(found, mine.person(), now=clock.now())
        db.session.commit()
        return redirect(url_for(".perk", slug=slug), 303)

    return presses.press(page, act)


@bp.get(f"{PATH}/file")
def file(slug: str) -> ResponseReturnValue:
    """The file itself, under its own name; nothing on the way keeps it."""
    found = plans.get_perk(slug)
    if found.kind is not PerkKind.FILE:
        raise NotFound(N_("There is no such page"))
    if not _may_open(found):
        return _closed_page(found)
    try:
        path = plans.file_path(found, view.settings().instance_path)
    except NotFound:
        current_app.logger.exception("the file of the perk %s is lost: load the newsroom's file again", slug)
        return refusals.page(503)
    response = send_file(
        path,
        mimetype=found.file_type,
        as_attachment=True,
        download_name=found.file_name,
        conditional=False,
        etag=False,
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers.pop("Last-Modified", None)
    return response
