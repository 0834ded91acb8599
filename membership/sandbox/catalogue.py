"""Products and prices. A price given inline at Checkout becomes an inactive Price, as at Stripe."""

from decimal import Decimal
from typing import Any

from membership.sandbox import currencies, shapes
from membership.sandbox.account import Account
from membership.sandbox.errors import invalid
from membership.sandbox.ids import new_id
from membership.sandbox.listing import Page, listed, matching, pages
from membership.sandbox.parameters import (
    ID,
    URL,
    Bag,
    Choice,
    Descriptor,
    Flag,
    Items,
    Shape,
    Text,
    Whole,
    merge_metadata,
    takes,
)
from membership.sandbox.store import Object, Where

INTERVAL = Choice(of=("day", "month", "week", "year"), required=True)
RECURRING = Shape(fields={"interval": INTERVAL, "interval_count": Whole(least=1, most=1095)})
_PRODUCT_FIELDS = {
    "active": Flag(),
    "description": Text(clears=True, most=40_000),
    "images": Items(of=URL, most=8, clears=True),
    "metadata": Bag(),
    "shippable": Flag(),
    "statement_descriptor": Descriptor(),
    "tax_code": Text(clears=True),
    "unit_label": Text(clears=True, most=12),
    "url": Text(clears=True, pattern=URL.pattern, says=URL.says),
}
PRODUCT_CREATE = takes(**_PRODUCT_FIELDS, name=Text(required=True), id=ID)
PRODUCT_UPDATE = takes(**_PRODUCT_FIELDS, name=Text(), default_price=ID)
PRODUCT_LIST = pages(active=Flag(), ids=Items(of=ID), shippable=Flag(), url=Text())
PRICE_CREATE = takes(
    active=Flag(),
    billing_scheme=Choice(of=("per_unit",)),
    currency=Text(required=True),
    lookup_key=Text(most=200),
    metadata=Bag(),
    nickname=Text(),
    product=ID,
    product_data=Shape(
        fields={"name": Text(required=True), "metadata": Bag(), "statement_descriptor": Descriptor()}
    ),
    recurring=Shape(fields={**RECURRING.fields, "usage_type": Choice(of=("licensed",))}),
    tax_behavior=Choice(of=("exclusive", "inclusive", "unspecified")),
    transfer_lookup_key=Flag(),
    unit_amount=Whole(),
)
PRICE_UPDATE = takes(
    active=Flag(),
    lookup_key=Text(clears=True, most=200),
    metadata=Bag(),
    nickname=Text(clears=True),
    transfer_lookup_key=Flag(),
)
PRICE_LIST = pages(
    active=Flag(),
    currency=Text(),
    lookup_keys=Items(of=Text(), most=10),
    product=ID,
    recurring=Shape(fields={"interval": Choice(of=("day", "month", "week", "year"))}),
    type=Choice(of=("one_time", "recurring")),
)


def make_product(account: Account, **given: Any) -> Object:
    return account.add(
        {
            "id": new_id("prod"),
            "object": "product",
            "active": True,
            "created": account.now(),
            "default_price": None,
            "description": None,
            "images": [],
            "livemode": False,
            "marketing_features": [],
            "metadata": {},
            "package_dimensions": None,
            "shippable": None,
            "statement_descriptor": None,
            "tax_code": None,
            "type": "service",
            "unit_label": None,
            "updated": account.now(),
            "url": None,
            **given,
        },
        "product.created",
    )


def create_product(account: Account, params: Object) -> Object:
    if "id" in params and account.store.get(params["id"]):
        raise invalid("Product already exists.", "id", "resource_already_exists")
    given = {key: value for key, value in params.items() if value is not None}
    return make_product(account, **{**given, "metadata": merge_metadata({}, params.get("metadata", {}))})


def retrieve_product(account: Account, _params: Object, ident: str) -> Object:
    return account.get("product", ident)


def update_product(account: Account, params: Object, ident: str) -> Object:
    product = account.get("product", ident)
    values = {**params, "updated": account.now()}
    if "metadata" in values:
        values["metadata"] = merge_metadata(product["metadata"], values["metadata"])
    if values.get("default_price"):
        account.get("price", values["default_price"], "default_price")
    if "images" in values:
        values["images"] = values["images"] or []
    return account.change(product, "product.updated", **values)


def delete_product(account: Account, _params: Object, ident: str) -> Object:
    product = account.get("product", ident)
    if account.store.one("price", Where("product", "=", ident)):
        raise invalid("This product cannot be deleted because it has one or more user-created prices.")
    account.emit("product.deleted", product)
    stub = {"id": ident, "object": "product", "deleted": True}
    account.store.put(stub)
    return stub


def list_products(account: Account, params: Object) -> Page:
    wheres = [Where("deleted", "is", None), *matching(params, shippable="shippable", url="url", ids="id")]
    wheres += [Where("active", "=", int(params["active"]))] if "active" in params else []
    return listed(account, "product", "/v1/products", params, *wheres)


def make_price(account: Account, product: str, given: Object, *, active: bool = True) -> Object:
    recurring = given.get("recurring")
    return account.add(
        {
            "id": new_id("price"),
            "object": "price",
            "active": given.get("active", active),
            "billing_scheme": "per_unit",
            "created": account.now(),
            "currency": given["currency"],
            "custom_unit_amount": None,
            "livemode": False,
            "lookup_key": given.get("lookup_key"),
            "metadata": merge_metadata({}, given.get("metadata", {})),
            "nickname": given.get("nickname"),
            "product": product,
            "recurring": _recurring(recurring) if recurring else None,
            "tax_behavior": given.get("tax_behavior", "unspecified"),
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "recurring" if recurring else "one_time",
            "unit_amount": given["unit_amount"],
            "unit_amount_decimal": str(Decimal(given["unit_amount"])),
        },
        "price.created",
    )


def inline_price(account: Account, data: Object, where: str) -> Object:
    """A price given with a call instead of by its id."""
    check_price(data, where)
    account.get("product", data["product"], f"{where}[product]")
    return shapes.public(make_price(account, data["product"], data, active=False))


def _recurring(given: Object) -> Object:
    return {
        "interval": given["interval"],
        "interval_count": given.get("interval_count", 1),
        "meter": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }


def check_price(given: Object, param: str = "") -> None:
    """The rules every price shares, given inline or kept."""
    prefix = f"{param}[" if param else ""
    suffix = "]" if param else ""
    currencies.check_currency(given["currency"], f"{prefix}currency{suffix}")
    if "unit_amount" not in given:
        raise invalid(
            f"Missing required param: {prefix}unit_amount{suffix}.",
            f"{prefix}unit_amount{suffix}",
            "parameter_missing",
        )
    currencies.check_multiple(given["unit_amount"], given["currency"], f"{prefix}unit_amount{suffix}")
    if given["unit_amount"] > currencies.LARGEST:
        raise invalid(
            f"Amount must be no more than {currencies.LARGEST}",
            f"{prefix}unit_amount{suffix}",
            "amount_too_large",
        )
    recurring = given.get("recurring") or {}
    longest = {"day": 1095, "week": 156, "month": 36, "year": 3}
    if recurring and recurring.get("interval_count", 1) > longest[recurring["interval"]]:
        raise invalid("A price can recur at most every three years.", f"{prefix}recurring{suffix}")


def one_of(given: Object, first: str, second: str, param: str = "") -> None:
    """Exactly one of two parameters."""
    names = [f"{param}[{name}]" if param else name for name in (first, second)]
    if first in given and second in given:
        raise invalid(
            f"You may only specify one of these parameters: {', '.join(names)}.",
            names[0],
            "parameters_exclusive",
        )
    if first not in given and second not in given:
        raise invalid(f"Missing required param: {names[0]}.", names[0], "parameter_missing")


def create_price(account: Account, params: Object) -> Object:
    one_of(params, "product", "product_data")
    check_price(params)
    if "product" in params:
        product = account.get("product", params["product"], "product")
    else:
        product = make_product(account, **params["product_data"])
    _take_lookup_key(account, params)
    return make_price(account, product["id"], params)


def _take_lookup_key(account: Account, params: Object, own: str | None = None) -> None:
    key = params.get("lookup_key")
    holder = account.store.one("price", Where("lookup_key", "=", key)) if key else None
    if holder is None or holder["id"] == own:
        return
    if not params.get("transfer_lookup_key"):
        raise invalid(f"A price (`{holder['id']}`) already uses that lookup key.", "lookup_key")
    account.change(holder, "price.updated", lookup_key=None)


def retrieve_price(account: Account, _params: Object, ident: str) -> Object:
    return account.get("price", ident)


def update_price(account: Account, params: Object, ident: str) -> Object:
    price = account.get("price", ident)
    _take_lookup_key(account, params, ident)
    values = {key: value for key, value in params.items() if key != "transfer_lookup_key"}
    if "metadata" in values:
        values["metadata"] = merge_metadata(price["metadata"], values["metadata"])
    return account.change(price, "price.updated", **values)


def list_prices(account: Account, params: Object) -> Page:
    wheres = matching(params, currency="currency", product="product", type="type", lookup_keys="lookup_key")
    wheres += [Where("active", "=", int(params["active"]))] if "active" in params else []
    if "interval" in params.get("recurring", {}):
        wheres.append(Where("recurring.interval", "=", params["recurring"]["interval"]))
    return listed(account, "price", "/v1/prices", params, *wheres)
