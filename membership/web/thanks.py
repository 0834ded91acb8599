"""After paying: plainly paid, on its way, or failed, for the browser that gave; for any other nothing but thanks.

The bank's own check often returns in another browser, so an address alone shows neither amounts nor names.
"""

from dataclasses import dataclass

from flask import Blueprint, render_template, request, session, url_for

from membership.billing import inbox
from membership.domain import donations, fundraisers
from membership.domain.donations import Donation, Status
from membership.web import appeal, locales

bp = Blueprint("thanks", __name__)

WAITS = (2, 4, 8, 15, 30, 60)  # seconds until the page looks again; afterwards there is a link
SAYS = {
    Status.SETTLED: "paid",
    Status.PROCESSING: "processing",
    Status.PLEDGED: "processing",
    Status.FAILED: "failed",
    Status.EXPIRED: "failed",
}


@dataclass(frozen=True, slots=True)
class Again:
    """When the page looks again by itself, and where; `seconds` None when it has looked often enough."""

    seconds: int | None
    path: str


@bp.get("/thanks/<reference>")
def thanks(reference: str) -> str:
    """What became of this gift. Stripe is asked at once, so nobody waits for a late webhook."""
    donation = donations.get_donation(reference)
    if reference not in session.get("gifts", []):
        return render_template("give/thanks_other.html")
    if SAYS[donation.status] == "processing":
        inbox.look(donation)
        donation = donations.get_donation(reference)
    fundraiser = fundraisers.fundraiser_of(donation.fundraiser_id)
    return render_template(
        "give/thanks.html",
        says=SAYS[donation.status],
        donation=donation,
        appeal=appeal.of(fundraiser, locales.locale()),
        again=_again(donation),
    )


def _again(donation: Donation) -> Again:
    looked = request.args.get("looked", "0")
    times = (
        min(int(looked), len(WAITS))
        if looked.isascii() and looked.isdigit() and len(looked) < 3
        else len(WAITS)
    )
    path = url_for("thanks.thanks", reference=donation.reference, looked=times + 1)
    return Again(WAITS[times] if times < len(WAITS) else None, path)
