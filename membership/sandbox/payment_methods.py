"""Payment methods: a card or a SEPA account as Stripe shows it, never its number."""

import hashlib

from membership.sandbox import shapes
from membership.sandbox.account import Account
from membership.sandbox.cards import Account as BankAccount
from membership.sandbox.cards import Card, Decline, by_number
from membership.sandbox.ids import new_id
from membership.sandbox.store import Object

# Stripe's names for test cards: each use makes a new payment method
TOKENS = {
    "pm_card_visa": "4242424242424242",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_chargeCustomerFail": "4000000000000341",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_authenticationRequired": "4000002760003184",
    "pm_card_createDispute": "4000000000000259",
}
_CHECKS = {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"}


def fingerprint(number: str) -> str:
    return hashlib.sha256(number.encode()).hexdigest()[:16]


def make(
    account: Account,
    means: Card | BankAccount,
    *,
    email: str | None,
    name: str | None,
    expires: tuple[int, int] | None = None,
) -> Object:
    address = {**shapes.no_address(), "country": means.country if isinstance(means, Card) else means.iban[:2]}
    body: Object = {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": {"address": address, "email": email, "name": name, "phone": None, "tax_id": None},
        "created": account.now(),
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
    }
    if isinstance(means, Card):
        month, year = expires or (12, 2040)
        body |= {"type": "card", "card": _card(means, month, year), "_number": means.number}
    else:
        body |= {"type": "sepa_debit", "sepa_debit": _sepa(means), "_number": means.iban}
    return account.add(body)


def _card(card: Card, month: int, year: int) -> Object:
    return {
        "brand": card.brand,
        "checks": dict(_CHECKS),
        "country": card.country,
        "display_brand": card.brand if card.brand != "amex" else "american_express",
        "exp_month": month,
        "exp_year": year,
        "fingerprint": fingerprint(card.number),
        "funding": "credit",
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def _sepa(means: BankAccount) -> Object:
    return {
        "bank_code": means.iban[4:9],
        "branch_code": "",
        "country": means.iban[:2],
        "fingerprint": fingerprint(means.iban),
        "generated_from": {"charge": None, "setup_attempt": None},
        "last4": means.last4,
    }


def named(account: Account, ident: str, param: str = "payment_method") -> Object:
    """A payment method by its id, or a new one by the name of a test card."""
    if ident in TOKENS:
        return make(account, by_number(TOKENS[ident]), email=None, name=None)
    return account.get("payment_method", ident, param)


def means_of(method: Object) -> Card | BankAccount:
    return by_number(method["_number"])


def refusal(method: Object) -> Decline | None:
    """Why the bank would not let this one be kept for later, if it would not."""
    means = means_of(method)
    return means.decline if isinstance(means, Card) and not means.attaches else None


def attach(account: Account, method: Object, customer: str) -> Object:
    if method["customer"] == customer:
        return method
    return account.change(method, "payment_method.attached", customer=customer)


def details_on_charge(method: Object, *, authenticated: bool) -> Object:
    """`payment_method_details` of a charge paid with this method."""
    if method["type"] == "sepa_debit":
        sepa = {key: value for key, value in method["sepa_debit"].items() if key != "generated_from"}
        sepa |= {"expected_debit_date": None, "mandate": f"mandate_{method['id'][3:]}"}
        return {"sepa_debit": sepa, "type": "sepa_debit"}
    card = method["card"]
    return {
        "card": {
            "authorization_code": "123456",
            "brand": card["brand"],
            "checks": dict(card["checks"]),
            "country": card["country"],
            "exp_month": card["exp_month"],
            "exp_year": card["exp_year"],
            "extended_authorization": {"status": "disabled"},
            "fingerprint": card["fingerprint"],
            "funding": card["funding"],
            "incremental_authorization": {"status": "unavailable"},
            "installments": None,
            "last4": card["last4"],
            "mandate": None,
            "multicapture": {"status": "unavailable"},
            "network": card["brand"],
            "network_token": {"used": False},
            "network_transaction_id": method["id"][-15:],
            "overcapture": {"maximum_amount_capturable": 0, "status": "unavailable"},
            "regulated_status": "unregulated",
            "three_d_secure": _authenticated(method) if authenticated else None,
            "wallet": None,
        },
        "type": "card",
    }


def _authenticated(method: Object) -> Object:
    return {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": method["id"][3:],
        "version": "2.2.0",
    }
