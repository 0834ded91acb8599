"""The staff desk. Every page stands behind a role and a second factor, and says which ability it takes."""

from flask import Blueprint

from membership.web.staff import access

bp = Blueprint("staff", __name__)


@bp.context_processor
def _known() -> dict[str, object]:
    """What every page of the desk may ask."""
    return {"may": access.may, "is_confirmed": access.is_confirmed}
