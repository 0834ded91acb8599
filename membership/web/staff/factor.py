"""The second factor: what opens the desk, and how it is set up."""

from flask import Blueprint, Response

from membership.web import sheets
from membership.web.forms.sign_in import CodeForm

bp = Blueprint("factor", __name__)


@bp.get("/staff/factor")
def show() -> Response:
    """The form that asks for a code."""
    return sheets.page("sign_in/factor.html", form=CodeForm(), says="", has_errors=False, wanted="")
