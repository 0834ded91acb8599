"""PaymentIntents and the charges they make.

`charge` tries the money once; the charge's balance transaction comes about a second later with
charge.updated, as it does at Stripe. A bank debit stays pending until `finish_debit` or its step decides.
"""

from membership.sandbox import balance, payment_methods, shapes
from membership.sandbox.account import Account, step
from membership.sandbox.cards import AUTHENTICATION_FAILED, AUTHENTICATION_NEEDED, Card, Decline
from membership.sandbox.clock import HOUR
from membership.sandbox.errors import ControlError, invalid
from membership.sandbox.ids import new_id, random_text
from membership.sandbox.parameters import merge_metadata
from membership.sandbox.store import Object, Where

SOON = 1  # seconds until a balance transaction exists
_DEBIT_AFTER = {"succeed": 3, "fail": 3, "disputed": 3, "slow": 24 * HOUR}


# what every new PaymentIntent has in common
_INTENT: Object = {
    "object": "payment_intent",
    "amount_capturable": 0,
    "amount_details": {"tip": {}},
    "amount_received": 0,
    "application": None,
    "application_fee_amount": None,
    "automatic_payment_methods": None,
    "canceled_at": None,
    "cancellation_reason": None,
    "capture_method": "automatic_async",
    "confirmation_method": "automatic",
    "customer_account": None,
    "last_payment_error": None,
    "latest_charge": None,
    "livemode": False,
    "next_action": None,
    "on_behalf_of": None,
    "payment_method": None,
    "payment_method_configuration_details": None,
    "processing": None,
    "review": None,
    "shipping": None,
    "source": None,
    "status": "requires_payment_method",
    "transfer_data": None,
    "transfer_group": None,
    "_authenticated": False,
}


def intend(
    account: Account,
    *,
    amount: int,
    currency: str,
    method_types: list[str],
    data: Object | None = None,
    keep: bool = False,
) -> Object:
    """A new PaymentIntent; `data` is payment_intent_data, empty for a subscription's invoices."""
    data = data or {}
    ident = new_id("pi")
    return account.add(
        shapes.filled(
            _INTENT,
            id=ident,
            amount=amount,
            client_secret=f"{ident}_secret_{random_text(25)}",
            created=account.now(),
            currency=currency,
            customer=data.get("customer"),
            description=data.get("description"),
            metadata=merge_metadata({}, data.get("metadata", {})),
            payment_method_options=_options(method_types),
            payment_method_types=method_types,
            receipt_email=data.get("receipt_email"),
            setup_future_usage="off_session" if keep else data.get("setup_future_usage"),
            statement_descriptor=data.get("statement_descriptor"),
            statement_descriptor_suffix=data.get("statement_descriptor_suffix"),
            _session=data.get("_session"),
            _invoice=data.get("_invoice"),
        ),
        "payment_intent.created",
    )


def _options(method_types: list[str]) -> Object:
    options: Object = {}
    if "card" in method_types:
        options["card"] = {
            "installments": None,
            "mandate_options": None,
            "network": None,
            "request_three_d_secure": "automatic",
        }
    if "sepa_debit" in method_types:
        options["sepa_debit"] = {}
    return options


def ask_authentication(account: Account, intent: Object, method: Object, url: str) -> Object:
    action = {"redirect_to_url": {"return_url": None, "url": url}, "type": "redirect_to_url"}
    return account.change(
        intent,
        "payment_intent.requires_action",
        status="requires_action",
        payment_method=method["id"],
        next_action=action,
        last_payment_error=None,
    )


def fail_authentication(account: Account, intent: Object) -> Object:
    method = account.get("payment_method", intent["payment_method"])
    return _refuse(account, intent, method, AUTHENTICATION_FAILED, None)


def charge(
    account: Account,
    intent: Object,
    method: Object,
    *,
    authenticated: bool = False,
    off_session: bool = False,
) -> Decline | None:
    """Tries to take the money once. Returns why it failed, or None (paid, or a debit under way)."""
    means = payment_methods.means_of(method)
    if isinstance(means, Card):
        decline = means.decline
        if off_session and means.authenticate == "always" and decline is None:
            decline = AUTHENTICATION_NEEDED
        if decline:
            failed = account.add(_charge(account, intent, method, "failed", decline), "charge.failed")
            _refuse(account, intent, method, decline, failed)
            return decline
        _succeed(account, intent, method, authenticated=authenticated)
        if means.dispute:
            account.later(
                account.now() + SOON, "dispute", charge=intent["latest_charge"], reason=means.dispute
            )
        return None
    pending = account.add(_charge(account, intent, method, "pending", None), "charge.pending")
    account.change(
        intent,
        "payment_intent.processing",
        status="processing",
        latest_charge=pending["id"],
        payment_method=method["id"],
        last_payment_error=None,
        next_action=None,
    )
    due = account.now() + _DEBIT_AFTER[means.outcome]
    account.later(
        due, "debit", payment_intent=intent["id"], outcome="fail" if means.outcome == "fail" else "succeed"
    )
    return None


def _succeed(account: Account, intent: Object, method: Object, *, authenticated: bool) -> None:
    paid = _charge(account, intent, method, "succeeded", None, authenticated=authenticated)
    account.add(paid, "charge.succeeded")
    account.change(
        intent,
        "payment_intent.succeeded",
        status="succeeded",
        amount_received=intent["amount"],
        latest_charge=paid["id"],
        payment_method=method["id"],
        last_payment_error=None,
        next_action=None,
    )
    account.later(account.now() + SOON, "settle_charge", charge=paid["id"])


def _refuse(
    account: Account, intent: Object, method: Object, decline: Decline, failed: Object | None
) -> Object:
    error: Object = {
        "code": decline.code,
        "doc_url": f"https://docs.stripe.com/error-codes#{decline.code.replace('_', '-')}",
        "message": decline.message,
        "payment_method": shapes.public(method),
        "type": "card_error" if method["type"] == "card" else "invalid_request_error",
    }
    if decline.decline_code:
        error["decline_code"] = decline.decline_code
    if failed:
        error["charge"] = failed["id"]
    return account.change(
        intent,
        "payment_intent.payment_failed",
        status="requires_payment_method",
        last_payment_error=error,
        latest_charge=failed["id"] if failed else intent["latest_charge"],
        payment_method=None,
        next_action=None,
        processing=None,
    )


# what every new charge has in common
_CHARGE: Object = {
    "object": "charge",
    "amount_refunded": 0,
    "application": None,
    "application_fee": None,
    "application_fee_amount": None,
    "balance_transaction": None,
    "disputed": False,
    "failure_balance_transaction": None,
    "fraud_details": {},
    "livemode": False,
    "on_behalf_of": None,
    "radar_options": {},
    "receipt_number": None,
    "refunded": False,
    "review": None,
    "shipping": None,
    "source": None,
    "source_transfer": None,
    "transfer_data": None,
    "transfer_group": None,
}


def _charge(
    account: Account,
    intent: Object,
    method: Object,
    status: str,
    decline: Decline | None,
    *,
    authenticated: bool = False,
) -> Object:
    by_card = method["type"] == "card"
    ident = new_id("ch" if by_card else "py")
    return shapes.filled(
        _CHARGE,
        id=ident,
        amount=intent["amount"],
        amount_captured=0 if status == "failed" else intent["amount"],
        billing_details=method["billing_details"],
        calculated_statement_descriptor=_on_statement(account, intent),
        captured=status != "failed",
        created=account.now(),
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        failure_code=decline.code if decline else None,
        failure_message=decline.message if decline else None,
        metadata=dict(intent["metadata"]),
        outcome=_outcome(method, decline),
        paid=status == "succeeded",
        payment_intent=intent["id"],
        payment_method=method["id"],
        payment_method_details=payment_methods.details_on_charge(method, authenticated=authenticated),
        receipt_email=intent["receipt_email"],
        receipt_url=f"{account.settings.public_url}/receipt/{ident}" if status == "succeeded" else None,
        statement_descriptor=intent["statement_descriptor"],
        statement_descriptor_suffix=intent["statement_descriptor_suffix"],
        status=status,
    )


def _on_statement(account: Account, intent: Object) -> str:
    """What the bank statement will usually say."""
    own, suffix = account.settings.descriptor, intent["statement_descriptor_suffix"]
    return f"{own}* {suffix}"[:22] if suffix else str(intent["statement_descriptor"] or own)


def _outcome(method: Object, decline: Decline | None) -> Object:
    means = payment_methods.means_of(method)
    blocked = means.blocked if isinstance(means, Card) else None
    if blocked:
        network, reason, kind, level, message = (
            "not_sent_to_network",
            blocked,
            "blocked",
            "highest",
            "Stripe blocked this payment as too risky.",
        )
    elif decline:
        network, reason, kind, level = (
            "declined_by_network",
            decline.decline_code or decline.code,
            "issuer_declined",
            "normal",
        )
        message = "The bank did not return any further details with this decline."
    else:
        network, reason, kind, level, message = (
            "approved_by_network",
            None,
            "authorized",
            "normal",
            "Payment complete.",
        )
    return {
        "advice_code": "try_again_later" if decline and not blocked else None,
        "network_advice_code": None,
        "network_decline_code": "05" if decline and not blocked else None,
        "network_status": network,
        "reason": reason,
        "risk_level": level,
        "risk_score": 90 if blocked else 22,
        "seller_message": message,
        "type": kind,
    }


@step("settle_charge")
def settle_charge(account: Account, *, charge: str) -> None:
    """The balance transaction arrives."""
    paid = account.get("charge", charge)
    if paid["balance_transaction"] is None and paid["status"] == "succeeded":
        account.change(paid, "charge.updated", balance_transaction=balance.of_charge(account, paid)["id"])


def finish_debit(account: Account, payment_intent: str, outcome: str) -> tuple[Object, Decline | None] | None:
    """Decides a pending bank debit; None when it was decided before."""
    intent = account.get("payment_intent", payment_intent)
    if intent["status"] != "processing":
        return None
    pending = account.get("charge", intent["latest_charge"])
    method = account.get("payment_method", pending["payment_method"])
    if outcome == "succeed":
        account.change(pending, "charge.succeeded", status="succeeded", paid=True)
        account.change(
            intent,
            "payment_intent.succeeded",
            status="succeeded",
            amount_received=intent["amount"],
            processing=None,
        )
        account.later(account.now() + SOON, "settle_charge", charge=pending["id"])
        means = payment_methods.means_of(method)
        if not isinstance(means, Card) and means.outcome == "disputed":
            account.later(
                account.now() + SOON, "dispute", charge=pending["id"], reason="debit_not_authorized"
            )
        return intent, None
    decline = Decline(
        "insufficient_funds", "insufficient_funds", "The customer's account has insufficient funds."
    )
    account.change(
        pending,
        "charge.failed",
        status="failed",
        captured=False,
        amount_captured=0,
        failure_code=decline.code,
        failure_message=decline.message,
    )
    _refuse(account, intent, method, decline, pending)
    return intent, decline


def cancel(account: Account, params: Object, ident: str) -> Object:
    intent = account.get("payment_intent", ident, "intent")
    if intent["_session"]:
        session = account.get("checkout.session", intent["_session"])
        if session["status"] == "open":
            raise invalid(
                "You cannot cancel this PaymentIntent because it belongs to an open Checkout Session; expire the session.",
                code="payment_intent_unexpected_state",
            )
    if intent["_invoice"]:
        sentence = "You cannot cancel this PaymentIntent because it belongs to an invoice; void the invoice."
        raise invalid(sentence, code="payment_intent_unexpected_state")
    return void(account, intent, params.get("cancellation_reason"))


def void(account: Account, intent: Object, reason: str | None) -> Object:
    if intent["status"] in {"succeeded", "canceled", "processing"}:
        raise invalid(
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}.",
            code="payment_intent_unexpected_state",
        )
    return account.change(
        intent,
        "payment_intent.canceled",
        status="canceled",
        canceled_at=account.now(),
        cancellation_reason=reason,
        next_action=None,
    )


def debit_under_way(account: Account, ident: str) -> Object:
    """The PaymentIntent of a debit that can still be decided, or a sentence why not."""
    intent = account.store.one("payment_intent", Where("id", "=", ident))
    if intent is None:
        raise ControlError(f"There is no payment_intent {ident}.")
    if intent["status"] != "processing":
        raise ControlError(f"{ident} is not a debit under way; it is {intent['status']}.")
    return intent
