"""The readings: an object as Stripe's reply has it, made into its shape."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from membership.billing.facts.shapes import (
    BalanceFacts,
    ChargeFacts,
    Contact,
    CustomerFacts,
    EndpointFacts,
    EventFacts,
    IntentFacts,
    InvoiceFacts,
    MovedFacts,
    Plain,
    PreviewFacts,
    RefundFacts,
    SessionFacts,
    SubscriptionFacts,
)
from membership.domain.payments import Period
from membership.domain.payments.fetched import ENDED

NEEDS_PAYER = "authentication_required"
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
        contact=contact(plain.get("customer"), plain.get("customer_details")),
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
    following: SubscriptionFacts | None = None,
    refund_ids: tuple[str, ...] = (),
    interval: str | None = None,
) -> ChargeFacts:
    """A Charge with customer and balance transaction expanded; `following` is the subscription it is of."""
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
        next_at=following.next_at if following else None,
        ended_at=following.ended_at if following else None,
        refund_ids=refund_ids,
        interval=interval,
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
        contact=_payer(plain.get("charge")),
    )


def _payer(charge_: Any) -> Contact | None:
    """Who made an expanded charge."""
    if not isinstance(charge_, Mapping):
        return None
    return contact(charge_.get("customer"), charge_.get("billing_details"))


def invoice(plain: Plain) -> InvoiceFacts:
    """An Invoice with its payments expanded."""
    details = (plain.get("parent") or {}).get("subscription_details") or {}
    lines = (plain.get("lines") or {}).get("data", [])
    sold = _sold(lines)
    price = ((sold.get("pricing") or {}).get("price_details") or {}) if sold else {}
    paid = [entry["payment"].get("payment_intent") for entry in (plain.get("payments") or {}).get("data", [])]
    return InvoiceFacts(
        id=plain["id"],
        status=plain["status"],
        subscription_id=id_of(details.get("subscription")),
        attempt=(details.get("metadata") or {}).get("attempt"),
        payment_intent_ids=tuple(intent_id for intent_id in map(id_of, paid) if intent_id),
        attempts=plain.get("attempt_count") or 0,
        again_at=moment(plain.get("next_payment_attempt")),
        remaining=plain.get("amount_remaining") or 0,
        currency=(plain.get("currency") or "").upper(),
        pay_url=plain.get("hosted_invoice_url"),
        covers=Period(at(sold["period"]["start"]), at(sold["period"]["end"])) if sold else None,
        contact=contact(plain.get("customer")),
        needs_action=any(_needs_action(one) for one in paid if isinstance(one, Mapping)),
        is_processing=any(one["status"] == "processing" for one in paid if isinstance(one, Mapping)),
        product_id=id_of(price.get("product")),
        price_id=id_of(price.get("price")),
    )


def _needs_action(intent: Plain) -> bool:
    """Whether a payment waits for a step at the bank, or was refused for want of it."""
    error = intent.get("last_payment_error") or {}
    if intent["status"] == "requires_payment_method":
        return bool(error.get("code") == NEEDS_PAYER)
    return bool(intent["status"] == "requires_action")


def _sold(lines: list[Plain]) -> Plain | None:
    """The line that costs something, or is free, and reaches furthest: credit lines speak of what was before."""
    charging = [line for line in lines if line["amount"] >= 0]
    return max(charging, key=lambda line: (line["period"]["end"], line["amount"]), default=None)


def subscription(plain: Plain) -> SubscriptionFacts:
    """A Subscription with its customer expanded."""
    items = plain["items"]["data"]
    ends = [item["current_period_end"] for item in items]
    item = items[0] if items else {}
    price = item.get("price") or {}
    pause = plain.get("pause_collection") or {}
    end = plain.get("cancel_at") or (max(ends) if plain.get("cancel_at_period_end") and ends else None)
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
        ends_at=moment(end),
        end_asked_at=moment(plain.get("canceled_at")),
        item_id=item.get("id") or "",
        price_id=price.get("id"),
        product_id=id_of(price.get("product")),
        amount=(price.get("unit_amount") or 0) * (item.get("quantity") or 1),
        currency=(price.get("currency") or "").upper(),
        interval=(price.get("recurring") or {}).get("interval") or "",
        method_id=id_of(plain.get("default_payment_method")),
        credit=_credit(plain.get("customer")),
        latest_invoice_id=id_of(plain.get("latest_invoice")),
    )


def _credit(customer_: Any) -> int:
    """What an expanded customer has with us: Stripe writes credit below zero."""
    return max(-(customer_.get("balance") or 0), 0) if isinstance(customer_, Mapping) else 0


def preview(plain: Plain) -> PreviewFacts:
    """The invoice that a change would make."""
    return PreviewFacts(plain["total"], plain["amount_due"], plain["currency"].upper())


def customer(plain: Plain) -> CustomerFacts:
    """A Customer, perhaps a deleted one."""
    method = id_of((plain.get("invoice_settings") or {}).get("default_payment_method"))
    theirs = (plain.get("subscriptions") or {}).get("data", [])
    return CustomerFacts(
        id=plain["id"],
        deleted=bool(plain.get("deleted")),
        contact=contact(plain),
        method_id=method,
        credit=_credit(plain),
        currency=(plain.get("currency") or "").upper(),
        is_billed=any(one["status"] not in ENDED for one in theirs),
    )


def moved(plain: Plain) -> MovedFacts:
    """A movement of a customer's balance that we asked for."""
    ours = plain["metadata"]
    return MovedFacts(
        customer_id=id_of(plain["customer"]) or "",
        amount=plain["amount"],
        left=plain["ending_balance"],
        currency=plain["currency"].upper(),
        membership=ours["membership"],
        request=ours["request"],
    )


def endpoint(plain: Plain) -> EndpointFacts:
    """A webhook endpoint."""
    return EndpointFacts(
        id=plain["id"],
        url=plain["url"],
        api_version=plain["api_version"],
        events=tuple(plain["enabled_events"]),
        is_enabled=plain["status"] == "enabled",
    )


def event(plain: Plain) -> EventFacts:
    """An event; KeyError or TypeError when it is not shaped like one."""
    changed = plain["data"]["object"]
    if not all(ID.fullmatch(one) for one in (plain["id"], changed.get("id") or "none")):
        raise ValueError("an id of another shape")
    if not 0 <= plain["created"] < 2**40:
        raise ValueError("a time that is none")
    kind, object_type = str(plain["type"]), str(changed["object"])
    account, api_version = plain.get("account") or "", plain.get("api_version")
    if not "".join((kind, object_type, account, api_version or "")).isprintable():
        raise ValueError("half a letter or a NUL, which no database takes")
    return EventFacts(
        id=plain["id"],
        type=kind,
        object_type=object_type,
        object_id=changed.get("id"),
        created=int(plain["created"]),
        livemode=bool(plain["livemode"]),
        account=account,
        api_version=api_version,
        plain=plain,
    )
