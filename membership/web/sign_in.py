"""Signing in without a password: an address, then the code or the link that was mailed to it."""

from flask import Blueprint, Response

from membership.web import sheets
from membership.web.forms.sign_in import EmailForm

bp = Blueprint("sign_in", __name__)


@bp.get("/sign-in")
def show() -> Response:
    """The form that asks for an address."""
    return sheets.page("sign_in/ask.html", form=EmailForm(), says="", has_errors=False, wanted="")
