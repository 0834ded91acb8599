"""Payments: money that came in. One row per charge of ours at Stripe, one row per refund; sums are recomputed,
never added to.

A payment is paid when its charge succeeded. Its fee and its ledger entry follow when the balance transaction
arrives; `book` and `book_refund` write one entry per balance transaction, so nothing is booked twice.

`arriving` is money that came in, `refunds` money that went back, `listing` what a person is shown of both.
"""

from membership.domain.payments.arriving import (
    Payment,
    PaymentStatus,
    Settlement,
    accept,
    arrive,
    book,
    find_by_charge,
    get_payment,
    is_paid_by_another,
    lock_payment,
    payments_of,
    settled_standing,
    standing,
    unbooked_charges,
)
from membership.domain.payments.listing import get_by_reference, paid_by, refunded_of
from membership.domain.payments.refunds import (
    Refund,
    RefundStatus,
    approve_refund,
    ask_refund,
    book_refund,
    find_refund,
    needs_second,
    refund_seen,
    refunded,
    refunds_of,
    refuse_refund,
    remaining,
    unbooked_refunds,
    undo_refund,
    withdraw_refund,
)

__all__ = [
    "Payment",
    "PaymentStatus",
    "Refund",
    "RefundStatus",
    "Settlement",
    "accept",
    "approve_refund",
    "arrive",
    "ask_refund",
    "book",
    "book_refund",
    "find_by_charge",
    "find_refund",
    "get_by_reference",
    "get_payment",
    "is_paid_by_another",
    "lock_payment",
    "needs_second",
    "paid_by",
    "payments_of",
    "refund_seen",
    "refunded",
    "refunded_of",
    "refunds_of",
    "refuse_refund",
    "remaining",
    "settled_standing",
    "standing",
    "unbooked_charges",
    "unbooked_refunds",
    "undo_refund",
    "withdraw_refund",
]
