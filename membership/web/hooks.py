"""Where Stripe's events arrive: verified, stored, marked; no business here."""

from flask import Blueprint, Response, request

from membership.billing import inbox

bp = Blueprint("hooks", __name__)


@bp.post("/hooks/stripe")
def stripe() -> Response:
    """200 stored, 400 not Stripe's, 413 too large (the guard says so). Stripe sends again on anything else."""
    body = request.get_data(cache=False)
    status = inbox.receive(body, request.headers.get("Stripe-Signature"))
    return Response(status=status, mimetype="text/plain")
