"""Expanding: ids replaced by the objects they name, where the caller asked for it.

Paths are checked against what Stripe can expand before anything is loaded, so a wrong path is refused also
where the value happens to be null.
"""

from collections.abc import Callable
from typing import Any

from membership.sandbox import endpoints, portal_configurations, shapes
from membership.sandbox.account import Account
from membership.sandbox.errors import invalid
from membership.sandbox.store import Object, Where

_MOST = 4

# kind -> path inside the object -> kind of what stands there ("?": several kinds, found by the id)
_IDS: dict[str, dict[str, str]] = {
    "customer": {"invoice_settings.default_payment_method": "payment_method"},
    "customer_balance_transaction": {"customer": "customer", "invoice": "invoice"},
    "product": {"default_price": "price"},
    "price": {"product": "product"},
    "item": {"price.product": "product"},
    "checkout.session": {
        "customer": "customer",
        "payment_intent": "payment_intent",
        "subscription": "subscription",
        "invoice": "invoice",
    },
    "payment_intent": {"customer": "customer", "latest_charge": "charge", "payment_method": "payment_method"},
    "charge": {
        "customer": "customer",
        "payment_intent": "payment_intent",
        "balance_transaction": "balance_transaction",
        "failure_balance_transaction": "balance_transaction",
    },
    "refund": {
        "charge": "charge",
        "customer": "customer",
        "payment_intent": "payment_intent",
        "payment_method": "payment_method",
        "balance_transaction": "balance_transaction",
        "failure_balance_transaction": "balance_transaction",
    },
    "balance_transaction": {"source": "?"},
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "payment_method": {"customer": "customer"},
    "setup_intent": {"customer": "customer", "payment_method": "payment_method"},
    "billing_portal.session": {"configuration": "billing_portal.configuration"},
    "billing_portal.configuration": {"features.subscription_update.products": "portal_product"},
    "subscription": {
        "customer": "customer",
        "default_payment_method": "payment_method",
        "latest_invoice": "invoice",
    },
    "subscription_item": {"price.product": "product"},
    "line_item": {"pricing.price_details.price": "price"},
    "invoice": {
        "customer": "customer",
        "default_payment_method": "payment_method",
        "parent.subscription_details.subscription": "subscription",
    },
    "invoice_payment": {
        "invoice": "invoice",
        "payment.payment_intent": "payment_intent",
        "payment.charge": "charge",
    },
    "payout": {
        "balance_transaction": "balance_transaction",
        "failure_balance_transaction": "balance_transaction",
    },
    "radar.early_fraud_warning": {"charge": "charge", "payment_intent": "payment_intent"},
    "event": {},
    "webhook_endpoint": {},
}

# lists that appear only when asked for, and lists that are always there
_HIDDEN_LISTS = {
    "checkout.session": {"line_items": "item"},
    "invoice": {"payments": "invoice_payment"},
    "charge": {"refunds": "refund"},
    "customer": {"subscriptions": "subscription"},
}
_OPEN_LISTS = {
    "subscription": {"items": "subscription_item", "discounts": "?"},
    "invoice": {"lines": "line_item"},
    "dispute": {},
}
_SOURCES = ("charge", "refund", "dispute", "payout")


def _payments(account: Account, invoice: Object) -> list[Object]:
    return account.store.find("invoice_payment", Where("invoice", "=", invoice["id"]))


def _refunds(account: Account, charge: Object) -> list[Object]:
    return account.store.find("refund", Where("charge", "=", charge["id"]))


def _subscriptions(account: Account, customer: Object) -> list[Object]:
    wheres = (Where("customer", "=", customer["id"]), Where("status", "!=", "canceled"))
    return account.store.find("subscription", *wheres)


def line_items(_account: Account, session: Object) -> list[Object]:
    return [dict(item) for item in session["_line_items"]]


_LOADERS: dict[tuple[str, str], Callable[[Account, Object], list[Object]]] = {
    ("checkout.session", "line_items"): line_items,
    ("invoice", "payments"): _payments,
    ("charge", "refunds"): _refunds,
    ("customer", "subscriptions"): _subscriptions,
}
_URLS = {
    "line_items": "/v1/checkout/sessions/{id}/line_items",
    "payments": "/v1/invoice_payments?invoice={id}",
    "refunds": "/v1/charges/{id}/refunds",
    "subscriptions": "/v1/customers/{id}/subscriptions",
}

Tree = dict[str, "Tree"]


def _refuse(path: str) -> None:
    raise invalid(f"This property cannot be expanded ({path}).", "expand")


def check(kind: str, paths: list[str], *, in_list: bool) -> list[str]:
    """The paths below one object; refuses those Stripe would refuse."""
    out = []
    for path in paths:
        if len(path.split(".")) > _MOST:
            raise invalid(
                f"You cannot expand more than {_MOST} levels of a property. Property: {path}", "expand"
            )
        inner = path
        if in_list:
            if not path.startswith("data."):
                _refuse(path)
            inner = path.removeprefix("data.")
        _walk(kind, inner, path)
        out.append(inner)
    return out


def _walk(kind: str, rest: str, whole: str) -> None:
    if not rest or kind == "?":
        if rest and not any(_reaches(source, rest) for source in _SOURCES):
            _refuse(whole)
        return
    found = _match(kind, rest)
    if found is None:
        _refuse(whole)
        return
    _name, target, is_list, below = found
    if is_list and below:
        if not below.startswith("data.") and below != "data":
            _refuse(whole)
        below = below.removeprefix("data").removeprefix(".")
    _walk(target, below, whole)


def _reaches(kind: str, rest: str) -> bool:
    return _match(kind, rest) is not None


def _match(kind: str, rest: str) -> tuple[str, str, bool, str] | None:
    """The first expandable thing along the path: its name, its kind, whether it is a list, what is left."""
    tables = ((_IDS, False), (_HIDDEN_LISTS, True), (_OPEN_LISTS, True))
    for table, is_list in tables:
        for name, target in table.get(kind, {}).items():
            if rest == name or rest.startswith(name + "."):
                return name, target, is_list, rest[len(name) + 1 :]
    return None


def render(account: Account, obj: Object, paths: list[str]) -> Object:
    """The object as the caller sees it, with these (checked) paths expanded."""
    out = _present(account, obj)
    groups: dict[str, list[str]] = {}
    for path in paths:
        found = _match(out["object"], path)
        if found is None:
            continue
        groups.setdefault(found[0], []).append(found[3])
    for name, below in groups.items():
        _expand_one(account, obj, out, name, [rest for rest in below if rest])
    return out


def _expand_one(account: Account, obj: Object, out: Object, name: str, below: list[str]) -> None:
    kind = out["object"]
    if name == "features.subscription_update.products":
        out["features"] = portal_configurations.with_products(obj)["features"]
        return
    if name in _HIDDEN_LISTS.get(kind, {}):
        data = _LOADERS[kind, name](account, obj)
        url = _URLS[name].format(id=obj["id"])
        inner = [rest.removeprefix("data").removeprefix(".") for rest in below]
        out[name] = shapes.listed([render(account, one, [p for p in inner if p]) for one in data], url)
        return
    *way, last = name.split(".")
    place: Any = out
    for key in way:
        if not isinstance(place.get(key), dict):
            return
        place[key] = dict(place[key])
        place = place[key]
    value = place.get(last)
    if isinstance(value, dict) and value.get("object") == "list":
        inner = [rest.removeprefix("data").removeprefix(".") for rest in below]
        place[last] = {
            **value,
            "data": [render(account, one, [p for p in inner if p]) for one in value["data"]],
        }
    elif isinstance(value, str):
        target = account.store.get(value)
        if target is not None:
            place[last] = render(account, target, below)


def _present(account: Account, obj: Object) -> Object:
    """What depends on the moment of looking: money becomes available, webhooks arrive."""
    out = shapes.public(obj)
    if obj["object"] == "balance_transaction":
        out["status"] = "available" if account.now() >= obj["available_on"] else "pending"
    elif obj["object"] == "event":
        out["pending_webhooks"] = 0 if obj["_delivered"] else endpoints.waiting(account, obj["id"])
    return out
