"""The only file that imports stripe: plain verbs in, frozen facts out, three kinds of failure.

The version is pinned with the SDK; time-outs and retries are ours; telemetry is off. Every reply is read from its
raw body, so nothing depends on how the SDK wraps objects and no rate ever becomes a float.
"""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any

import requests
import stripe

from membership.billing import facts
from membership.errors import N_, DomainError

API_VERSION = "2026-10-28.endive"
stripe.enable_telemetry = False

CHARGE_EXPAND = ["customer", "balance_transaction"]
REFUND_EXPAND = ["balance_transaction", "failure_balance_transaction", "charge.customer"]


class StripeUnavailable(DomainError):
    """No answer, or one that does not say whether it was done: the outcome is unknown, the same call may be repeated."""

    def __init__(self, code: str = "") -> None:
        super().__init__(
            N_("The payment page cannot be reached just now. Nothing was charged. Please press again.")
        )
        self.code = code


class StripeRefused(Exception):
    """Stripe said no, and it is final for this call."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code


class StripeMissing(StripeRefused):
    """There is no such object (any more)."""


class BadSignature(Exception):
    """What arrived is not Stripe's."""


class Gateway:
    """One Stripe account, reached with one key."""

    def __init__(
        self,
        api_key: str,
        *,
        api_base: str | None = None,
        session: requests.Session | None = None,
        timeout: tuple[float, float] = (3.05, 20),
        retries: int = 2,
    ) -> None:
        http = stripe.RequestsClient(timeout=timeout, session=session)
        addresses: Any = {"api": api_base} if api_base else {}
        self._client = stripe.StripeClient(
            api_key,
            stripe_version=API_VERSION,
            base_addresses=addresses,
            http_client=http,
            max_network_retries=retries,
        )

    # --- outward: each with the key of a recorded call ---

    def perform(self, operation: str, params: dict[str, Any], key: str) -> facts.Plain:
        """Make a recorded call; `params` may carry `id` for the object it is about."""
        v1 = self._client.v1
        made: dict[str, Callable[..., Any]] = {
            "products.create": lambda p, o: v1.products.create(params=p, options=o),
            "sessions.create": lambda p, o: v1.checkout.sessions.create(params=p, options=o),
            "sessions.expire": lambda p, o: v1.checkout.sessions.expire(p.pop("id"), params=p, options=o),
            "subscriptions.cancel": lambda p, o: v1.subscriptions.cancel(p.pop("id"), params=p, options=o),
            "subscriptions.update": lambda p, o: v1.subscriptions.update(p.pop("id"), params=p, options=o),
            "refunds.create": lambda p, o: v1.refunds.create(params=p, options=o),
            "invoices.pay": lambda p, o: v1.invoices.pay(p.pop("id"), params=p, options=o),
            "invoices.void": lambda p, o: v1.invoices.void_invoice(p.pop("id"), params=p, options=o),
            "portal.configure": lambda p, o: v1.billing_portal.configurations.create(params=p, options=o),
            "webhook_endpoints.create": lambda p, o: v1.webhook_endpoints.create(params=p, options=o),
            "webhook_endpoints.update": lambda p, o: v1.webhook_endpoints.update(
                p.pop("id"), params=p, options=o
            ),
            "customers.update": lambda p, o: v1.customers.update(p.pop("id"), params=p, options=o),
            "customers.move_balance": lambda p, o: v1.customers.balance_transactions.create(
                p.pop("id"), params=p, options=o
            ),
            "customers.delete": lambda p, o: v1.customers.delete(p.pop("id"), params=p, options=o),
        }
        # a DELETE takes no key at Stripe and needs none
        options = (
            {} if operation in ("subscriptions.cancel", "customers.delete") else {"idempotency_key": key}
        )
        plain: facts.Plain = _asked(lambda: made[operation](dict(params), options))
        return plain

    # --- inward ---

    def session(self, session_id: str) -> facts.SessionFacts:
        """A Checkout Session as it is now."""
        v1 = self._client.v1
        expand: Any = {"expand": ["payment_intent", "subscription"]}
        return facts.session(_asked(lambda: v1.checkout.sessions.retrieve(session_id, params=expand)))

    def intent(self, intent_id: str) -> facts.IntentFacts:
        """A PaymentIntent as it is now."""
        return facts.intent(_asked(lambda: self._client.v1.payment_intents.retrieve(intent_id)))

    def charge(self, charge_id: str) -> facts.ChargeFacts:
        """A Charge as it is now, with the invoice it paid when it carries no attempt of its own."""
        v1 = self._client.v1
        expand: Any = {"expand": CHARGE_EXPAND}
        plain = _asked(lambda: v1.charges.retrieve(charge_id, params=expand))
        refunds = (
            tuple(str(one["id"]) for one in self._refunds(charge_id)) if plain["amount_refunded"] else ()
        )
        found = facts.charge(plain, refund_ids=refunds)
        if found.attempt or not found.payment_intent_id:
            return found
        invoice = self.invoice_paid_by(found.payment_intent_id)
        following = (
            self.subscription(invoice.subscription_id) if invoice and invoice.subscription_id else None
        )
        interval = self._interval(invoice, following)
        return facts.charge(plain, invoice, following=following, refund_ids=refunds, interval=interval)

    def _interval(
        self, invoice: facts.InvoiceFacts | None, following: facts.SubscriptionFacts | None
    ) -> str | None:
        """How often what an invoice sells is paid for: as its subscription still says, else as its price does."""
        if invoice is None or invoice.price_id is None:
            return None
        if following is not None and following.price_id == invoice.price_id:
            return following.interval or None
        price_id = invoice.price_id
        try:
            plain = _asked(lambda: self._client.v1.prices.retrieve(price_id))
        except StripeMissing:
            return None
        return (plain.get("recurring") or {}).get("interval")

    def invoice_paid_by(self, intent_id: str) -> facts.InvoiceFacts | None:
        """The invoice that a PaymentIntent pays; None when it pays none (yet)."""
        v1 = self._client.v1
        query: Any = {
            "payment": {"type": "payment_intent", "payment_intent": intent_id},
            "expand": ["data.invoice"],
            "limit": 1,
        }
        found = _asked(lambda: v1.invoice_payments.list(params=query))["data"]
        return facts.invoice(found[0]["invoice"]) if found else None

    def invoice(self, invoice_id: str) -> facts.InvoiceFacts:
        """An Invoice as it is now, with its payments."""
        v1 = self._client.v1
        expand: Any = {"expand": ["payments.data.payment.payment_intent", "customer"]}
        return facts.invoice(_asked(lambda: v1.invoices.retrieve(invoice_id, params=expand)))

    def subscription(self, subscription_id: str) -> facts.SubscriptionFacts:
        """A Subscription as it is now, ended ones included."""
        v1 = self._client.v1
        expand: Any = {"expand": ["customer"]}
        return facts.subscription(_asked(lambda: v1.subscriptions.retrieve(subscription_id, params=expand)))

    def refund(self, refund_id: str) -> facts.RefundFacts:
        """A Refund as it is now."""
        v1 = self._client.v1
        expand: Any = {"expand": REFUND_EXPAND}
        return facts.refund(_asked(lambda: v1.refunds.retrieve(refund_id, params=expand)))

    def made(self, operation: str, params: dict[str, Any]) -> facts.Plain | None:
        """The refund, or the movement of a balance, that one of our requests made; None when it made none."""
        if operation == "refunds.create":
            found = self._refunds(params["charge"])
        else:
            moves = self._client.v1.customers.balance_transactions
            found = _asked(lambda: moves.list(params["id"], params={"limit": 100}))["data"]
        request = params["metadata"]["request"]
        ours = (one for one in found if (one.get("metadata") or {}).get("request") == request)
        return next(ours, None)

    def _refunds(self, charge_id: str) -> list[facts.Plain]:
        query: Any = {"charge": charge_id, "limit": 100}
        found: list[facts.Plain] = _asked(lambda: self._client.v1.refunds.list(params=query))["data"]
        return found

    def customer(self, customer_id: str) -> facts.CustomerFacts:
        """A Customer as it is now, perhaps deleted, with what of its subscriptions goes on."""
        v1 = self._client.v1
        expand: Any = {"expand": ["subscriptions"]}
        return facts.customer(_asked(lambda: v1.customers.retrieve(customer_id, params=expand)))

    def preview(self, subscription_id: str, change: dict[str, Any]) -> facts.PreviewFacts:
        """What a change would bill at once; asking changes nothing."""
        query: Any = {"subscription": subscription_id, "subscription_details": change}
        return facts.preview(_asked(lambda: self._client.v1.invoices.create_preview(params=query)))

    def portal(self, asked: dict[str, Any]) -> str:
        """The address of a portal session that was made just now: a bearer link, for one press, never kept."""
        wanted: Any = asked
        return str(_asked(lambda: self._client.v1.billing_portal.sessions.create(params=wanted))["url"])

    def is_sold(self, product_id: str) -> bool:
        """Whether a product can be sold; raises StripeMissing when there never was one."""
        plain = _asked(lambda: self._client.v1.products.retrieve(product_id))
        return bool(plain.get("active"))  # of a deleted one nothing but its id is left

    def is_portal(self, configuration_id: str) -> bool:
        """Whether a portal configuration can be used; raises StripeMissing when there is none."""
        v1 = self._client.v1
        return bool(_asked(lambda: v1.billing_portal.configurations.retrieve(configuration_id))["active"])

    def endpoints(self) -> list[facts.EndpointFacts]:
        """All webhook endpoints of the account: Stripe takes 16."""
        found = _asked(lambda: self._client.v1.webhook_endpoints.list(params={"limit": 100}))["data"]
        return [facts.endpoint(one) for one in found]

    def events_since(self, since: datetime, types: list[str]) -> Iterator[facts.EventFacts]:
        """Events of these types (20 at most) created since then, newest first, a page at a time."""
        after: str | None = None
        while True:
            query: Any = {"created": {"gte": int(since.timestamp())}, "types": types, "limit": 100}
            if after:
                query["starting_after"] = after
            page = _asked(partial(self._client.v1.events.list, params=query))
            for plain in page["data"]:
                yield facts.event(plain)
                after = plain["id"]
            if not page["has_more"]:
                return


def verify(body: bytes, signature: str | None, secrets: tuple[str, ...], *, tolerance: int = 300) -> None:
    """Raise BadSignature unless one of the secrets signed this body lately."""
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(body, signature or "", secret, tolerance)
        except (stripe.SignatureVerificationError, ValueError, TypeError):
            continue
        return
    raise BadSignature


def _asked(call: Callable[[], Any]) -> Any:
    """One call to Stripe: its reply as plain data, its failures as ours."""
    try:
        answer = call()
    except stripe.StripeError as error:
        raise _ours(error) from None  # the SDK's error carries the request, which may name a person
    return json.loads(answer.last_response.body, parse_float=str)


def _ours(error: stripe.StripeError) -> Exception:
    status = error.http_status or 0
    code = str(getattr(error.error, "code", None) or type(error).__name__)
    if (
        status in (0, 401, 403, 409, 429) or status >= 500
    ):  # a wrong key is ours to mend: nothing was done, ask again
        return StripeUnavailable(f"{status} {code}" if status >= 500 else code)
    return StripeMissing(status, code) if status == 404 else StripeRefused(status, code)
