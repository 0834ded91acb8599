"""Customers: made by the API or by a Checkout that keeps one; a deleted one leaves a stub. Their balance, by hand."""

from membership.sandbox import currencies, customer_balance, shapes, subscriptions
from membership.sandbox.account import Account
from membership.sandbox.errors import invalid, missing_object
from membership.sandbox.ids import new_id, random_text
from membership.sandbox.listing import Page, listed, matching, pages
from membership.sandbox.parameters import (
    EMAIL,
    ID,
    Bag,
    Choice,
    Items,
    Shape,
    Text,
    Whole,
    merge_metadata,
    takes,
)
from membership.sandbox.store import Object, Where

_ADDRESS = Shape(
    clears=True,
    fields=dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"), Text(clears=True)),
)
_FIELDS = {
    "address": _ADDRESS,
    "description": Text(clears=True),
    "email": Text(clears=True, most=512, pattern=EMAIL.pattern, says=EMAIL.says),
    "metadata": Bag(),
    "name": Text(clears=True, most=256),
    "phone": Text(clears=True, most=20),
    "preferred_locales": Items(of=Text(), clears=True),
    "tax_exempt": Choice(of=("none", "exempt", "reverse"), clears=True),
}
CREATE = takes(**_FIELDS)
UPDATE = takes(**_FIELDS, invoice_settings=Shape(fields={"default_payment_method": ID}))


# what every new customer has in common
_NEW: Object = {
    "object": "customer",
    "address": None,
    "balance": 0,
    "currency": None,
    "customer_account": None,
    "default_source": None,
    "delinquent": False,
    "description": None,
    "discount": None,
    "email": None,
    "invoice_settings": {
        "custom_fields": None,
        "default_payment_method": None,
        "footer": None,
        "rendering_options": None,
    },
    "livemode": False,
    "metadata": {},
    "name": None,
    "next_invoice_sequence": 1,
    "phone": None,
    "preferred_locales": [],
    "shipping": None,
    "tax_exempt": "none",
    "test_clock": None,
}


def make(account: Account, **given: object) -> Object:
    return account.add(
        shapes.filled(
            _NEW, id=new_id("cus"), created=account.now(), invoice_prefix=random_text(8).upper(), **given
        ),
        "customer.created",
    )


def create(account: Account, params: Object) -> Object:
    given = {key: value for key, value in params.items() if value is not None}
    given["metadata"] = merge_metadata({}, params.get("metadata", {}))
    if "address" in given:
        given["address"] = {**shapes.no_address(), **given["address"]}
    return make(account, **given)


def retrieve(account: Account, _params: Object, ident: str) -> Object:
    return account.get("customer", ident)


def living(account: Account, ident: str, param: str = "customer") -> Object:
    customer = account.get("customer", ident, param)
    if customer.get("deleted"):
        raise missing_object("customer", ident, param)
    return customer


def update(account: Account, params: Object, ident: str) -> Object:
    customer = living(account, ident, "id")
    values = dict(params)
    if "metadata" in values:
        values["metadata"] = merge_metadata(customer["metadata"], values["metadata"])
    if values.get("address"):
        values["address"] = {**shapes.no_address(), **values["address"]}
    if "invoice_settings" in values:
        method = values["invoice_settings"].get("default_payment_method")
        if method and account.get("payment_method", method)["customer"] != ident:
            raise missing_object("PaymentMethod", method, "invoice_settings[default_payment_method]")
        values["invoice_settings"] = {**customer["invoice_settings"], **values["invoice_settings"]}
    for key, empty in (("preferred_locales", []), ("tax_exempt", "none")):
        if key in values and values[key] is None:
            values[key] = empty
    return account.change(customer, "customer.updated", **values)


def delete(account: Account, _params: Object, ident: str) -> Object:
    """Its running subscriptions end with it; only the stub remains."""
    customer = living(account, ident, "id")
    for running in account.store.find("subscription", Where("customer", "=", ident)):
        if running["status"] != "canceled":
            subscriptions.end(account, running, reason="cancellation_requested")
    stub = {"id": ident, "object": "customer", "deleted": True, "_email": customer["email"]}
    account.emit("customer.deleted", customer)
    account.store.put(stub)
    return stub


def catalogue(account: Account, params: Object) -> Page:
    wheres = [Where("deleted", "is", None)]
    if "email" in params:
        wheres.append(Where("email", "=", params["email"]))
    return listed(account, "customer", "/v1/customers", params, *wheres)


LIST = pages(email=Text(most=512))


# --- the balance ---

_MOST = 10**11
BALANCE_CREATE = takes(
    amount=Whole(required=True, least=-_MOST, most=_MOST),
    currency=Text(required=True),
    description=Text(most=350),
    metadata=Bag(),
)
BALANCE_LIST = pages(invoice=ID)


def move_balance(account: Account, params: Object, ident: str) -> Object:
    """By hand: more than zero takes credit away, less gives some."""
    customer, amount = living(account, ident), params["amount"]
    currency = currencies.check_currency(params["currency"].lower(), "currency")
    if customer["currency"] not in (None, currency):
        raise invalid(
            f"The pretend Stripe keeps one balance: this customer's is in {customer['currency']}.", "currency"
        )
    subscriptions.check_currency(account, customer, currency, "currency")
    currencies.check_multiple(amount, currency, "amount")
    said = merge_metadata({}, params.get("metadata", {}))
    return customer_balance.move(
        account,
        customer,
        amount,
        currency,
        "adjustment",
        description=params.get("description"),
        metadata=said,
    )


def retrieve_movement(account: Account, _params: Object, ident: str, movement: str) -> Object:
    account.get("customer", ident, "customer")
    found = account.get(customer_balance.KIND, movement)
    if found["customer"] != ident:
        raise missing_object(customer_balance.KIND, movement, "id")
    return found


def list_movements(account: Account, params: Object, ident: str) -> Page:
    account.get("customer", ident, "customer")
    wheres = [Where("customer", "=", ident), *matching(params, invoice="invoice")]
    url = f"/v1/customers/{ident}/balance_transactions"
    return listed(account, customer_balance.KIND, url, params, *wheres)
