"""The link in the notice to an old address: whoever reads mail there can keep it, without signing in.

A GET never keeps anything: mail scanners open links. The page shows neither address.
"""

from flask import Blueprint, Response, redirect, url_for
from flask.typing import ResponseReturnValue

from membership.db import db
from membership.domain import corrections
from membership.domain.corrections import Correction, CorrectionStatus
from membership.errors import N_, NotFound
from membership.web import attempts, sheets

bp = Blueprint("keep_email", __name__)


def _correction(token: str) -> Correction:
    correction = corrections.find_by_token(token)
    if correction is None:
        raise NotFound(N_("There is nothing behind this link."))
    return correction


def _page(token: str, status: int = 200, *, says: str = "") -> Response:
    correction = _correction(token)
    return sheets.page(
        "keep_email/page.html",
        status,
        token=token,
        state=correction.status.value,
        ripe=correction.ripe_at,
        says=says,
    )


@bp.get("/account/keep-email/<token>")
def show(token: str) -> Response:
    """What was proposed, and the button that stops it."""
    return _page(token)


@bp.post("/account/keep-email/<token>")
def keep(token: str) -> ResponseReturnValue:
    """The address stays."""
    correction = _correction(token)
    if not attempts.is_pressed():
        return _page(token, 422, says="again")
    if correction.status is CorrectionStatus.PROPOSED:
        corrections.keep(correction, by=None)
        db.session.commit()
    return redirect(url_for(".show", token=token), 303)
