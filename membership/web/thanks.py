"""After paying: plainly paid, on its way, or failed, for the browser that gave; for any other nothing but thanks.

The bank's own check often returns in another browser, so an address alone shows neither amounts nor names.
"""

from flask import Blueprint, render_template, session

from membership.billing import inbox
from membership.domain import donations, fundraisers, memberships, plans
from membership.domain.donations import Donation, Status
from membership.domain.memberships import Membership
from membership.web import appeal, locales

bp = Blueprint("thanks", __name__)

PAID = ("paid", "processing")
SAYS = {
    Status.SETTLED: "paid",
    Status.PROCESSING: "processing",
    Status.FAILED: "failed",
    Status.EXPIRED: "failed",
}


@bp.get("/thanks/<reference>")
def thanks(reference: str) -> str:
    """What became of a gift or of joining. Stripe is asked at once, so nobody waits for a late webhook."""
    found = _find(reference)
    if reference not in session.get("gifts", []):
        return render_template("give/thanks_other.html")
    says = became_of(found) or "processing"
    found = _find(reference)
    return _of_gift(found, says) if isinstance(found, Donation) else _of_joining(found, says)


def became_of(left: Donation | Membership) -> str:
    """What became of it, as Stripe knows it now: paid, processing, failed; nothing when Stripe does not answer."""
    is_known = _asked(left) is Status.SETTLED or inbox.look(left)
    status = _asked(_find(left.reference))
    if status is Status.PLEDGED:
        return "failed" if is_known else ""  # Stripe was asked: its page is still open, unpaid
    return SAYS[status]


def of_coming_back(left: Donation | Membership, became: str) -> str:
    """What the form says to whoever came back to it: before paying, or after a bank said no to a debit."""
    return ("declined" if _asked(left) is Status.FAILED else "cancelled") if became else ""


def _find(reference: str) -> Donation | Membership:
    return donations.find_donation(reference) or memberships.get_membership(reference)


def _asked(found: Donation | Membership) -> Status:
    return found.status if isinstance(found, Donation) else found.asked


def _of_gift(donation: Donation, says: str) -> str:
    fundraiser = fundraisers.fundraiser_of(donation.fundraiser_id)
    shown = appeal.of(fundraiser, locales.locale())
    return render_template("give/thanks.html", says=says, donation=donation, appeal=shown)


def _of_joining(membership: Membership, says: str) -> str:
    plan = plans.plan_of(membership.plan_id)
    words = plan.words(locales.locale())
    return render_template("join/thanks.html", says=says, membership=membership, plan=plan, words=words)
