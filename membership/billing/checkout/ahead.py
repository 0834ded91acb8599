"""What of a membership is paid for the time to come, as far as we know and as Stripe does."""

from datetime import datetime

from membership.billing import account
from membership.billing.facts import InvoiceFacts
from membership.billing.gateway import StripeRefused, StripeUnavailable
from membership.db import db
from membership.domain import memberships
from membership.domain.memberships import Membership, MembershipStatus


def is_paid_ahead(membership: Membership, now: datetime) -> bool:
    """Whether its period is paid, if only without a change whose debit failed, or a debit is about to pay for it."""
    until = membership.paid_until
    if membership.status is MembershipStatus.PAST_DUE and membership.late_attempts > 0:
        return until is not None and membership.next_at is not None and now < membership.next_at <= until
    return (until is not None and until > now) or memberships.under_way(membership) is not None


def find_unseen(membership: Membership, now: datetime) -> InvoiceFacts | None:
    """The invoice at Stripe for what is to come, paid or not, of which we have seen no payment.

    None where there is none, and while Stripe is silent.
    """
    subscription_id = membership.stripe_subscription_id
    if subscription_id is None or not membership.is_live or is_paid_ahead(membership, now):
        return None
    db.session.commit()
    quick = account.here().quick
    try:
        newest = quick.subscription(subscription_id).latest_invoice_id
        bill = quick.invoice(newest) if newest else None
    except (StripeUnavailable, StripeRefused):
        return None
    is_ahead = bill is not None and bill.covers is not None and bill.covers.end > now
    return bill if bill is not None and is_ahead and bill.status in ("open", "paid") else None


def is_paid_by_credit(bill: InvoiceFacts) -> bool:
    """Whether nothing was charged for it."""
    return bill.status == "paid" and not bill.payment_intent_ids
