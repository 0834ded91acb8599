"""What we read off Stripe's objects: frozen, plain, only the fields somebody uses.

Amounts are in minor units; moments are aware UTC. Nothing here names Stripe's SDK, so nobody else must.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from membership.domain.payments import Settlement

Plain = Mapping[str, Any]
ID = re.compile(r"[A-Za-z0-9_-]{1,255}")


def moment(seconds: int | None) -> datetime | None:
    """Unix seconds as an aware moment."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def at(seconds: int) -> datetime:
    """Unix seconds that are always there."""
    return datetime.fromtimestamp(seconds, UTC)


def id_of(value: Any) -> str | None:
    """The id of a field that may be an id, an expanded object or nothing."""
    if value is None or isinstance(value, str):
        return value
    return str(value["id"])


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

    @property
    def has_failed(self) -> bool:
        """Whether its payment came to nothing after the page was done (a bank debit)."""
        came_to_nothing = self.payment_intent_status in ("requires_payment_method", "canceled")
        return self.payment_status == "unpaid" and (
            came_to_nothing or self.subscription_status in ("incomplete_expired", "canceled")
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
    refund_ids: tuple[str, ...] = ()


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


@dataclass(frozen=True, slots=True)
class InvoiceFacts:
    """An Invoice of a subscription."""

    id: str
    status: str
    subscription_id: str | None
    attempt: str | None
    payment_intent_ids: tuple[str, ...]


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
    is_ending: bool = False

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


def balance(plain: Any) -> BalanceFacts | None:
    """An expanded balance transaction; None while Stripe has not made it."""
    if not isinstance(plain, Mapping):
        return None
    return BalanceFacts(
        id=plain["id"],
        type=plain["type"],
        currency=plain["currency"].upper(),
        amount=plain["amount"],
        fee=plain["fee"],
        net=plain["net"],
        exchange_rate=plain.get("exchange_rate"),
        created=at(plain["created"]),
        available_on=at(plain["available_on"]),
        source_id=id_of(plain.get("source")),
    )


def contact(customer: Any, billing: Plain | None = None) -> Contact:
    """Address and name of an expanded customer, else of the charge's billing details."""
    billing = billing or {}
    if isinstance(customer, Mapping) and not customer.get("deleted"):
        return Contact(
            customer["id"],
            customer.get("email") or billing.get("email"),
            customer.get("name") or billing.get("name"),
        )
    gone = isinstance(customer, Mapping)  # a deleted customer reaches nobody and is linked no more
    return Contact(None if gone else id_of(customer), billing.get("email"), billing.get("name"))


def session(plain: Plain) -> SessionFacts:
    """A Checkout Session, its payment intent expanded or not."""
    intent = plain.get("payment_intent")
    return SessionFacts(
        id=plain["id"],
        status=plain["status"],
        payment_status=plain["payment_status"],
        url=plain.get("url"),
        expires_at=at(plain["expires_at"]),
        attempt=(plain.get("metadata") or {}).get("attempt"),
        payment_intent_id=id_of(intent),
        payment_intent_status=intent["status"] if isinstance(intent, Mapping) else None,
        subscription_id=id_of(plain.get("subscription")),
        invoice_id=id_of(plain.get("invoice")),
        subscription_status=(
            plain["subscription"]["status"] if isinstance(plain.get("subscription"), Mapping) else None
        ),
    )


def gone(session_id: str, expires_at: datetime) -> SessionFacts:
    """A session that Stripe does not know (any more): as good as expired."""
    return SessionFacts(session_id, "expired", "unpaid", None, expires_at, None, None, None, None, None)


def intent(plain: Plain) -> IntentFacts:
    """A PaymentIntent."""
    attempt = (plain.get("metadata") or {}).get("attempt")
    return IntentFacts(plain["id"], plain["status"], id_of(plain.get("latest_charge")), attempt)


def charge(
    plain: Plain,
    invoice_facts: InvoiceFacts | None = None,
    *,
    next_at: datetime | None = None,
    refund_ids: tuple[str, ...] = (),
) -> ChargeFacts:
    """A Charge with customer and balance transaction expanded."""
    method = plain.get("payment_method_details") or {}
    details = method.get(method.get("type") or "", {}) or {}
    return ChargeFacts(
        id=plain["id"],
        status=plain["status"],
        amount=plain["amount"],
        currency=plain["currency"].upper(),
        created=at(plain["created"]),
        payment_intent_id=id_of(plain.get("payment_intent")),
        attempt=(plain.get("metadata") or {}).get("attempt"),
        card_country=details.get("country"),
        contact=contact(plain.get("customer"), plain.get("billing_details")),
        settlement=balance(plain.get("balance_transaction")),
        invoice=invoice_facts,
        next_at=next_at,
        refund_ids=refund_ids,
    )


def refund(plain: Plain) -> RefundFacts:
    """A Refund with its balance transactions expanded."""
    return RefundFacts(
        id=plain["id"],
        charge_id=id_of(plain.get("charge")) or "",
        amount=plain["amount"],
        status=plain["status"],
        created=at(plain["created"]),
        request=(plain.get("metadata") or {}).get("request"),
        settlement=balance(plain.get("balance_transaction")),
        failure=balance(plain.get("failure_balance_transaction")),
    )


def invoice(plain: Plain) -> InvoiceFacts:
    """An Invoice with its payments expanded."""
    details = (plain.get("parent") or {}).get("subscription_details") or {}
    paid = (entry["payment"] for entry in (plain.get("payments") or {}).get("data", []))
    return InvoiceFacts(
        id=plain["id"],
        status=plain["status"],
        subscription_id=id_of(details.get("subscription")),
        attempt=(details.get("metadata") or {}).get("attempt"),
        payment_intent_ids=tuple(
            intent_id for intent_id in (id_of(payment.get("payment_intent")) for payment in paid) if intent_id
        ),
    )


def subscription(plain: Plain) -> SubscriptionFacts:
    """A Subscription with its customer expanded."""
    ends = [item["current_period_end"] for item in plain["items"]["data"]]
    pause = plain.get("pause_collection") or {}
    return SubscriptionFacts(
        id=plain["id"],
        status=plain["status"],
        attempt=(plain.get("metadata") or {}).get("attempt"),
        contact=contact(plain.get("customer")),
        period_end=moment(max(ends)) if ends else None,
        is_paused=bool(pause),
        resumes_at=moment(pause.get("resumes_at")),
        ended_at=moment(plain.get("ended_at")),
        end_reason=(plain.get("cancellation_details") or {}).get("reason"),
        is_ending=bool(plain.get("cancel_at_period_end") or plain.get("cancel_at")),
    )


def customer(plain: Plain) -> CustomerFacts:
    """A Customer, perhaps a deleted one."""
    return CustomerFacts(plain["id"], bool(plain.get("deleted")), contact(plain))


def event(plain: Plain) -> EventFacts:
    """An event; KeyError or TypeError when it is not shaped like one."""
    changed = plain["data"]["object"]
    if not all(ID.fullmatch(one) for one in (plain["id"], changed.get("id") or "none")):
        raise ValueError("an id of another shape")
    if not 0 <= plain["created"] < 2**40:
        raise ValueError("a time that is none")
    return EventFacts(
        id=plain["id"],
        type=str(plain["type"]),
        object_type=str(changed["object"]),
        object_id=changed.get("id"),
        created=int(plain["created"]),
        livemode=bool(plain["livemode"]),
        account=plain.get("account") or "",
        api_version=plain.get("api_version"),
        plain=plain,
    )
