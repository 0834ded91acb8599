"""Changing payment methods by the API: attach, detach, update.

What was detached, or was used by a guest, can never be attached again, as at Stripe.
"""

from membership.sandbox import customers, payment_methods, shapes
from membership.sandbox.account import Account
from membership.sandbox.errors import CardDeclined, invalid
from membership.sandbox.parameters import EMAIL, Bag, Choice, Shape, Text, Whole, merge_metadata, takes
from membership.sandbox.store import Object, Where

_ADDRESS = Shape(
    clears=True,
    fields=dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"), Text(clears=True)),
)
_BILLING = Shape(
    fields={
        "address": _ADDRESS,
        "email": Text(clears=True, most=512, pattern=EMAIL.pattern, says=EMAIL.says),
        "name": Text(clears=True),
        "phone": Text(clears=True, most=20),
    }
)
ATTACH = takes(customer=Text(required=True, most=255))
UPDATE = takes(
    allow_redisplay=Choice(of=("always", "limited", "unspecified")),
    billing_details=_BILLING,
    card=Shape(fields={"exp_month": Whole(least=1, most=12), "exp_year": Whole(least=2000, most=2099)}),
    metadata=Bag(),
)


def attach(account: Account, params: Object, ident: str) -> Object:
    owner = customers.living(account, params["customer"])["id"]
    method = payment_methods.named(account, ident)
    if method["customer"] == owner:
        return method
    if method["customer"]:
        raise invalid("The payment method you provided has already been attached to a customer.")
    if method.get("_detached") or account.store.one("charge", Where("payment_method", "=", method["id"])):
        raise invalid(
            "This PaymentMethod was previously used without being attached to a Customer or was detached from a "
            "Customer, and may not be used again.",
            "payment_method",
        )
    check_kept(method)
    return payment_methods.attach(account, method, owner)


def check_kept(method: Object) -> None:
    """Refuses what a bank would not let be kept."""
    decline = payment_methods.refusal(method)
    if decline:
        raise CardDeclined(decline.code, decline.message, decline_code=decline.decline_code)


def detach(account: Account, _params: Object, ident: str) -> Object:
    """The method leaves its customer, and stops being anybody's default."""
    method = account.get("payment_method", ident, "payment_method")
    owner = method["customer"]
    if owner is None:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            "payment_method",
        )
    account.change(method, None, customer=None, _detached=True)
    account.emit("payment_method.detached", method, {"customer": owner})
    customer = account.get("customer", owner)
    if (customer.get("invoice_settings") or {}).get("default_payment_method") == ident:
        prefer(account, customer, None)
    for running in account.store.find("subscription", Where("customer", "=", owner)):
        if running["default_payment_method"] == ident:
            account.change(running, "customer.subscription.updated", default_payment_method=None)
    return method


def prefer(account: Account, customer: Object, ident: str | None) -> Object:
    """Makes a method the customer's default for invoices; subscriptions with one of their own keep theirs."""
    settings = {**customer["invoice_settings"], "default_payment_method": ident}
    return account.change(customer, "customer.updated", invoice_settings=settings)


def update(account: Account, params: Object, ident: str) -> Object:
    method = account.get("payment_method", ident, "payment_method")
    if method["customer"] is None:
        raise invalid("You must save this PaymentMethod to a customer before you can update it.")
    values = {key: value for key, value in params.items() if key in {"allow_redisplay", "metadata"}}
    if "metadata" in values:
        values["metadata"] = merge_metadata(method["metadata"], values["metadata"])
    if "billing_details" in params:
        details = {**method["billing_details"], **params["billing_details"]}
        details["address"] = {**shapes.no_address(), **(details["address"] or {})}
        values["billing_details"] = details
    if "card" in params:
        if method["type"] != "card":
            raise invalid("You passed `card`, but this PaymentMethod is no card.", "card")
        values["card"] = {**method["card"], **params["card"]}
    return account.change(method, "payment_method.updated", **values)
