"""What Stripe was found to say of a payment and of a subscription: plain, as fetched, the same for gifts and memberships."""

from dataclasses import dataclass
from datetime import datetime

from membership.domain.payments.arriving import PaymentStatus
from membership.money import Money

OTHER_CURRENCY = "other-currency"
"""Why a payment is set apart: it settled in another currency than the ledger's."""
ENDED = ("canceled", "incomplete_expired")
LATE = ("past_due", "unpaid", "incomplete")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A charge. `to` and `name` come from its customer and are not kept."""

    charge_id: str
    amount: Money
    status: PaymentStatus
    paid_at: datetime
    payment_intent_id: str | None
    invoice_id: str | None
    card_country: str | None
    customer_id: str | None
    to: str | None
    name: str | None
    next_at: datetime | None = None
    covers_until: datetime | None = None
    """The end of the period that its invoice pays for."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A subscription. `failed` says it ended because payments failed; `ends_at` that it is going to end."""

    subscription_id: str
    customer_id: str | None
    status: str
    period_end: datetime | None
    is_paused: bool
    resumes_at: datetime | None
    ended_at: datetime | None
    failed: bool
    to: str | None
    name: str | None
    ends_at: datetime | None = None
    method_id: str | None = None
    each: Money | None = None
    interval: str | None = None
    plan_id: int | None = None
