"""Where Stripe's events arrive: verified, stored, marked; no business here."""

from flask import Blueprint, request

from membership.billing import inbox
from membership.db import writing

bp = Blueprint("hooks", __name__)


@bp.post("/hooks/stripe")
def stripe() -> tuple[str, int]:
    """200 stored, 400 not Stripe's, 413 too large (the guard says so). Stripe sends again on anything else."""
    body = request.get_data(cache=False)
    with writing():
        return "", inbox.receive(body, request.headers.get("Stripe-Signature"))
