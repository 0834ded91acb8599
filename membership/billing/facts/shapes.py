"""The shapes: what of Stripe's objects somebody uses."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from membership.domain.payments import Period, Settlement

Plain = Mapping[str, Any]

NEVER_BEGAN = ("past_due", "unpaid", "incomplete_expired", "canceled")
"""How a subscription stands whose first payment was a debit that failed."""


@dataclass(frozen=True, slots=True)
class Contact:
    """How to reach whoever paid: read for a mail, never kept."""

    customer_id: str | None
    email: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A Checkout Session. `url` is a bearer link: never logged."""

    id: str
    status: str
    payment_status: str
    url: str | None
    expires_at: datetime
    attempt: str | None
    payment_intent_id: str | None
    payment_intent_status: str | None
    subscription_id: str | None
    invoice_id: str | None
    subscription_status: str | None = None
    contact: Contact | None = None
    """Whoever paid, or was about to; None until the page is done."""

    @property
    def has_failed(self) -> bool:
        """Whether its payment came to nothing after the page was done (a bank debit)."""
        came_to_nothing = self.payment_intent_status in ("requires_payment_method", "canceled")
        return self.payment_status == "unpaid" and (
            came_to_nothing or self.subscription_status in NEVER_BEGAN
        )


@dataclass(frozen=True, slots=True)
class IntentFacts:
    """A PaymentIntent."""

    id: str
    status: str
    latest_charge_id: str | None
    attempt: str | None


@dataclass(frozen=True, slots=True)
class ChargeFacts:
    """A Charge with its balance transaction, and the invoice it paid when it was a subscription's."""

    id: str
    status: str
    amount: int
    currency: str
    created: datetime
    payment_intent_id: str | None
    attempt: str | None
    card_country: str | None
    contact: Contact
    settlement: "BalanceFacts | None"
    invoice: "InvoiceFacts | None" = None
    next_at: datetime | None = None
    """When the subscription it belongs to is charged next, if it goes on."""
    ended_at: datetime | None = None
    """When that subscription ended, if it has."""
    refund_ids: tuple[str, ...] = ()
    interval: str | None = None
    """How often what its invoice sells is paid for."""


@dataclass(frozen=True, slots=True)
class RefundFacts:
    """A Refund; `failure` is the balance transaction that took a failed one back."""

    id: str
    charge_id: str
    amount: int
    status: str
    created: datetime
    request: str | None
    settlement: "BalanceFacts | None"
    failure: "BalanceFacts | None"
    contact: Contact | None = None


@dataclass(frozen=True, slots=True)
class InvoiceFacts:
    """An Invoice of a subscription."""

    id: str
    status: str
    subscription_id: str | None
    attempt: str | None
    payment_intent_ids: tuple[str, ...]
    attempts: int = 0
    again_at: datetime | None = None
    """When Stripe tries again to be paid; None when it will not."""
    remaining: int = 0
    currency: str = ""
    pay_url: str | None = None
    """Stripe's own page where it can be paid: a bearer link, mailed and never kept."""
    covers: Period | None = None
    """The time that it sells, by its last line that costs something: credit lines speak of what was before."""
    is_processing: bool = False
    """Whether the bank has yet to answer (a debit)."""
    needs_action: bool = False
    """Whether the bank wants its payer to confirm it: Stripe does not try again by itself, and waits for them."""
    contact: Contact | None = None
    product_id: str | None = None
    """What it sells, by the same line; `price_id` is the price of that line."""
    price_id: str | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionFacts:
    """A Subscription; its period ends with the last of its items' periods."""

    id: str
    status: str
    attempt: str | None
    contact: Contact
    period_end: datetime | None
    is_paused: bool
    resumes_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    ends_at: datetime | None = None
    end_asked_at: datetime | None = None
    item_id: str = ""
    price_id: str | None = None
    product_id: str | None = None
    amount: int = 0
    currency: str = ""
    interval: str = ""
    method_id: str | None = None
    credit: int = 0
    latest_invoice_id: str | None = None

    @property
    def is_ending(self) -> bool:
        """Whether its end is settled."""
        return self.ends_at is not None

    @property
    def next_at(self) -> datetime | None:
        """When it is charged next; None when it is not going to be."""
        goes_on = self.status in ("active", "trialing") and not self.is_paused and not self.is_ending
        return self.period_end if goes_on else None


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """A Customer; a deleted one has neither address nor name."""

    id: str
    deleted: bool
    contact: Contact
    method_id: str | None = None
    credit: int = 0
    currency: str = ""
    is_billed: bool = False
    """Whether a subscription goes on, whose invoices use credit up."""


@dataclass(frozen=True, slots=True)
class MovedFacts:
    """What moved a customer's balance at our request: more than zero took credit away. `left` is the balance after it."""

    customer_id: str
    amount: int
    left: int
    currency: str
    membership: str
    request: str


@dataclass(frozen=True, slots=True)
class PreviewFacts:
    """What a change of a subscription would bill at once; below zero it becomes credit."""

    total: int
    due: int
    """What is left to pay of it after credit from before."""
    currency: str


@dataclass(frozen=True, slots=True)
class EndpointFacts:
    """A webhook endpoint: whom Stripe tells, of what, in which version."""

    id: str
    url: str
    api_version: str | None
    events: tuple[str, ...]
    is_enabled: bool


@dataclass(frozen=True, slots=True)
class EventFacts:
    """An event: only a hint that an object changed. `plain` is the whole of it."""

    id: str
    type: str
    object_type: str
    object_id: str | None
    created: int
    livemode: bool
    account: str
    api_version: str | None
    plain: Plain


@dataclass(frozen=True, slots=True)
class BalanceFacts:
    """A balance transaction: what really moved on Stripe's balance. `exchange_rate` is Stripe's own text."""

    id: str
    type: str
    currency: str
    amount: int
    fee: int
    net: int
    exchange_rate: str | None
    created: datetime
    available_on: datetime
    source_id: str | None

    @property
    def settlement(self) -> Settlement:
        """The part of it that the ledger posts."""
        return Settlement(self.id, self.currency, self.amount, self.fee, self.net, self.created)
