"""Outward: open a payment, change what was paid for, give money back. Each call is recorded first.

`give` and `join` are what the forms' buttons do: the same attempt leads to the same open Checkout, to None when it is
paid (the thanks page), to a new Checkout when the old one expired; with other content the old one is expired first.
`sessions` is the Checkout itself, `opening` what leads to it, `asking` how changes are asked for, `running` a gift that
is there, `members` a membership that is there, `ahead` what of it is paid, `changes` its card and plan, `credit` what is left
at Stripe when it has ended, `customers` Stripe's copy of an address, `products` what is sold.
"""

from membership.billing.checkout.ahead import is_paid_ahead
from membership.billing.checkout.asking import Outcome, note_refund, refund, resume_calls
from membership.billing.checkout.changes import (
    CardOutcome,
    Declined,
    Preview,
    adopt_card,
    change,
    note_card,
    portal,
    preview,
)
from membership.billing.checkout.credit import moves_of, note_credit
from membership.billing.checkout.customers import ask_all, note_address, note_forgetting
from membership.billing.checkout.members import (
    come_back,
    end_double,
    end_doubles,
    end_now,
    go_on,
    is_closing,
    is_returning,
    leave,
    may_pause,
    note_let_go,
    note_unpayable,
    note_unwanted,
    skip,
    withdraw,
)
from membership.billing.checkout.opening import STRIPE_LOCALES, Begun, give, join
from membership.billing.checkout.products import plans_by_product
from membership.billing.checkout.running import note_stop, pause, stop, stop_closed
from membership.billing.checkout.sessions import (
    Checkout,
    CheckoutState,
    follow,
    has_open,
    is_replaced,
    latest_session,
    note_closing,
    overdue_sessions,
)

__all__ = [
    "STRIPE_LOCALES",
    "Begun",
    "CardOutcome",
    "Checkout",
    "CheckoutState",
    "Declined",
    "Outcome",
    "Preview",
    "adopt_card",
    "ask_all",
    "change",
    "come_back",
    "end_double",
    "end_doubles",
    "end_now",
    "follow",
    "give",
    "go_on",
    "has_open",
    "is_closing",
    "is_paid_ahead",
    "is_replaced",
    "is_returning",
    "join",
    "latest_session",
    "leave",
    "may_pause",
    "moves_of",
    "note_address",
    "note_card",
    "note_closing",
    "note_credit",
    "note_forgetting",
    "note_let_go",
    "note_refund",
    "note_stop",
    "note_unpayable",
    "note_unwanted",
    "overdue_sessions",
    "pause",
    "plans_by_product",
    "portal",
    "preview",
    "refund",
    "resume_calls",
    "skip",
    "stop",
    "stop_closed",
    "withdraw",
]
