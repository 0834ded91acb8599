"""What Stripe was found to say of a subscription: plain, as fetched, the same for gifts and memberships."""

from dataclasses import dataclass
from datetime import datetime

from membership.money import Money

ENDED = ("canceled", "incomplete_expired")
LATE = ("past_due", "unpaid", "incomplete")


@dataclass(frozen=True, slots=True)
class Standing:
    """A subscription. `failed` says it ended because payments failed; `ends_at` that it is going to end.

    `end_asked_at` is when that was asked for: it tells one leave from the next, where one was undone in between.
    """

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
    end_asked_at: datetime | None = None
    method_id: str | None = None
    each: Money | None = None
    interval: str | None = None
    plan_id: int | None = None
    credit_minor: int = 0
    is_asked_to_end: bool = False
    """Whether Stripe has yet to answer that it shall end."""
