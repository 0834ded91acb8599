"""Outward: open a payment, stop or pause a running gift, give money back. Each call is recorded first.

`give` is what the form's button does: the same attempt leads to the same open Checkout, to None when it is paid (the
thanks page), to a new Checkout when the old one expired; with other content the old one is expired first.
Two files, one subject: `opening` up to the payment page, `running` what happens to a gift that is there.
"""

from membership.billing.checkout.opening import (
    STRIPE_LOCALES,
    Begun,
    Checkout,
    CheckoutState,
    follow,
    give,
    has_open,
    latest_session,
    overdue_sessions,
    product_id,
)
from membership.billing.checkout.running import (
    Outcome,
    note_refund,
    note_stop,
    pause,
    refund,
    resume_calls,
    stop,
    stop_closed,
)

__all__ = [
    "STRIPE_LOCALES",
    "Begun",
    "Checkout",
    "CheckoutState",
    "Outcome",
    "follow",
    "give",
    "has_open",
    "latest_session",
    "note_refund",
    "note_stop",
    "overdue_sessions",
    "pause",
    "product_id",
    "refund",
    "resume_calls",
    "stop",
    "stop_closed",
]
