"""After paying: plainly paid, on its way, or failed, for the browser that gave; for any other nothing but thanks.

The bank's own check often returns in another browser, so an address alone shows neither amounts nor names.
"""

from flask import Blueprint, render_template, session

from membership.billing import inbox
from membership.domain import donations, fundraisers
from membership.domain.donations import Status
from membership.web import appeal, locales

bp = Blueprint("thanks", __name__)

SAYS = {
    Status.SETTLED: "paid",
    Status.PROCESSING: "processing",
    Status.PLEDGED: "processing",
    Status.FAILED: "failed",
    Status.EXPIRED: "failed",
}


@bp.get("/thanks/<reference>")
def thanks(reference: str) -> str:
    """What became of this gift. Stripe is asked at once, so nobody waits for a late webhook."""
    donation = donations.get_donation(reference)
    if reference not in session.get("gifts", []):
        return render_template("give/thanks_other.html")
    is_known = donation.status is Status.SETTLED or inbox.look(donation)
    donation = donations.get_donation(reference)
    is_unpaid = (
        is_known and donation.status is Status.PLEDGED
    )  # Stripe was asked: its page is still open, unpaid
    fundraiser = fundraisers.fundraiser_of(donation.fundraiser_id)
    return render_template(
        "give/thanks.html",
        says="failed" if is_unpaid else SAYS[donation.status],
        donation=donation,
        appeal=appeal.of(fundraiser, locales.locale()),
    )
