"""The staff desk. Every page stands behind a role and a second factor, and says which ability it takes.

`frame` is what stands around each page, `access` who may do what; one file per desk.
"""

from flask import Blueprint

from membership.web.staff import access, frame, words

bp = Blueprint("staff", __name__)
bp.add_app_template_filter(words.short_day)
bp.add_app_template_filter(words.short_moment)
bp.add_app_template_filter(words.number)


@bp.context_processor
def _known() -> dict[str, object]:
    """What every page of the desk may ask."""
    return {"may": access.may, "is_confirmed": access.is_confirmed, **frame.around()}


from membership.web.staff import (  # noqa: E402 - they hang their pages on `bp`
    audit,
    events,
    export,
    home,
    payments,
    people,
    refunds,
    review,
    search,
    setup,
)
from membership.web.staff.person import contact, data, members, money, page  # noqa: E402 - as they do

PAGES = (audit, events, export, home, payments, people, refunds, review, search, setup)
ONE_PERSON = (contact, data, members, money, page)
