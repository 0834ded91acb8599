"""Checkout Sessions: opened by the API, paid on the hosted page, expired by the clock.

`create` refuses whatever Stripe would refuse. A session shows its PaymentIntent only once the payer has
pressed the button, and its url only while it is open.
"""

from membership.sandbox import catalogue, currencies, customers, payments, shapes, subscriptions
from membership.sandbox.account import Account, step
from membership.sandbox.clock import DAY, HOUR
from membership.sandbox.errors import invalid, missing_object
from membership.sandbox.ids import new_id, random_text
from membership.sandbox.listing import Page, listed, matching, pages
from membership.sandbox.parameters import EMAIL, ID, Choice, Shape, Text, merge_metadata
from membership.sandbox.session_shape import blank, method_types
from membership.sandbox.store import Object, Where

LIST = pages(
    customer=ID,
    customer_details=Shape(fields={"email": Text(required=True, most=512, pattern=EMAIL.pattern)}),
    payment_intent=ID,
    subscription=ID,
    status=Choice(of=("complete", "expired", "open")),
)
_RECOVERABLE_FOR = 30 * DAY


def create(account: Account, params: Object) -> Object:
    _check_modes(params)
    _check_expiry(account, params)
    payer = _check_customer(account, params)
    items = [_line_item(account, item, index, params) for index, item in enumerate(params["line_items"])]
    currency = _one_currency(items, params)
    total = sum(item["amount_total"] for item in items)
    currencies.check_amount(total, currency, "line_items")
    if params["mode"] == "subscription":
        _check_intervals(items)
        if payer:
            subscriptions.check_currency(account, payer, currency, "line_items")
    for item in items:
        _keep_prices(account, item)
    session = account.add(blank(account, params, items=items, currency=currency, payer=payer))
    account.later(session["expires_at"], "expire_session", session=session["id"])
    return session


def _check_modes(params: Object) -> None:
    mode = params["mode"]
    only = {
        "payment": ("customer_creation", "payment_intent_data", "invoice_creation"),
        "subscription": ("subscription_data", "payment_method_collection"),
    }
    for wanted, names in only.items():
        for name in names:
            if name in params and mode != wanted:
                raise invalid(f"`{name}` can only be used in `{wanted}` mode.", name)
    submit = params.get("submit_type")
    if (submit == "subscribe" and mode == "payment") or (
        submit not in {None, "auto", "subscribe"} and mode != "payment"
    ):
        raise invalid(f"`submit_type` can not be `{submit}` in `{mode}` mode.", "submit_type")
    data = params.get("payment_intent_data", {})
    if "statement_descriptor" in data and "card" in method_types(params, "eur"):
        raise invalid(
            "Cannot set `statement_descriptor` for card charges; use `statement_descriptor_suffix` instead.",
            "payment_intent_data[statement_descriptor]",
        )


def _check_expiry(account: Account, params: Object) -> None:
    if "expires_at" not in params:
        return
    ahead = params["expires_at"] - account.now()
    if ahead < HOUR // 2:
        raise invalid(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.",
            "expires_at",
        )
    if ahead > DAY:
        raise invalid(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            "expires_at",
        )


def _check_customer(account: Account, params: Object) -> Object | None:
    if "customer" in params and "customer_email" in params:
        raise invalid(
            "You may only specify one of these parameters: customer, customer_email.",
            "customer",
            "parameters_exclusive",
        )
    if "customer" in params and "customer_creation" in params:
        raise invalid(
            "You may only specify one of these parameters: customer, customer_creation.",
            "customer_creation",
            "parameters_exclusive",
        )
    if "customer_update" in params and "customer" not in params:
        raise invalid("`customer_update` can only be used with `customer`.", "customer_update")
    return customers.living(account, params["customer"]) if "customer" in params else None


def _line_item(account: Account, item: Object, index: int, params: Object) -> Object:
    """The item with its price: an existing one, or one that `_keep_prices` will make."""
    where = f"line_items[{index}]"
    catalogue.one_of(item, "price", "price_data", where)
    if "quantity" not in item:
        raise invalid(
            f"Quantity is required. Add `quantity` to `{where}`", f"{where}[quantity]", "parameter_missing"
        )
    if "price" in item:
        price = account.get("price", item["price"], f"{where}[price]")
        if not price["active"]:
            raise invalid(f"The price specified is inactive: {price['id']}.", f"{where}[price]")
    else:
        price = _inline_price(account, item["price_data"], f"{where}[price_data]")
    if params["mode"] == "payment" and price.get("recurring"):
        raise invalid(
            "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or "
            "use only one-time prices.",
            where,
        )
    amount = price["unit_amount"] * item["quantity"]
    return {
        "id": new_id("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": None,
        "metadata": merge_metadata({}, item.get("metadata", {})),
        "price": price,
        "quantity": item["quantity"],
    }


def _inline_price(account: Account, data: Object, where: str) -> Object:
    catalogue.one_of(data, "product", "product_data", where)
    catalogue.check_price(data, where)
    if "product" in data:
        product = account.get("product", data["product"], f"{where}[product]")
        if product.get("deleted") or not product["active"]:
            raise invalid(f"The product {data['product']} is not active.", f"{where}[product]")
    return data


def _keep_prices(account: Account, item: Object) -> None:
    price = item["price"]
    if "id" not in price:
        product = price.get("product")
        if product is None:
            product = catalogue.make_product(account, active=False, **price["product_data"])["id"]
        price = catalogue.make_price(account, product, price, active=False)
    item["price"] = shapes.public(price)
    item["description"] = account.get("product", price["product"])["name"]


def _one_currency(items: list[Object], params: Object) -> str:
    found = {item["currency"] for item in items} | ({params["currency"]} if "currency" in params else set())
    if len(found) > 1:
        raise invalid("All line items must have the same currency.", "line_items")
    return str(found.pop())


def _check_intervals(items: list[Object]) -> None:
    recurring = [item["price"]["recurring"] for item in items if item["price"].get("recurring")]
    if not recurring:
        raise invalid("You must provide at least one recurring price in `subscription` mode.", "line_items")
    if len(recurring) != len(items):
        raise invalid("The pretend Stripe knows no one-time prices in `subscription` mode.", "line_items")
    if len({(one["interval"], one.get("interval_count", 1)) for one in recurring}) > 1:
        raise invalid("All recurring prices must have the same interval.", "line_items")


def retrieve(account: Account, _params: Object, ident: str) -> Object:
    return account.get("checkout.session", ident, "session")


def expire(account: Account, _params: Object, ident: str) -> Object:
    session = account.get("checkout.session", ident, "session")
    if session["status"] != "open":
        raise invalid(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of '
            f"{session['status']}.",
            "session",
        )
    return close(account, session)


def close(account: Account, session: Object) -> Object:
    """The session ends unpaid; what the payer had begun is cancelled."""
    if session["_intent"]:
        intent = account.get("payment_intent", session["_intent"])
        if intent["status"] in {"requires_payment_method", "requires_action"}:
            payments.void(account, intent, None)
    after = session["after_expiration"]
    if after and after["recovery"]["enabled"]:
        url = f"{account.settings.public_url}/recover/{session['id']}_{random_text(16)}"
        until = account.now() + _RECOVERABLE_FOR
        after = {"recovery": {**after["recovery"], "expires_at": until, "url": url}}
    return account.change(
        session, "checkout.session.expired", status="expired", url=None, after_expiration=after
    )


@step("expire_session")
def expire_session(account: Account, *, session: str) -> None:
    found = account.get("checkout.session", session)
    if found["status"] == "open":
        close(account, found)


def recover(account: Account, session: Object) -> Object:
    """A new session like the expired one, for the link in a reminder."""
    ident = new_id("cs_test")
    new = {
        **session,
        "id": ident,
        "created": account.now(),
        "expires_at": account.now() + DAY,
        "payment_intent": None,
        "recovered_from": session["id"],
        "status": "open",
        "url": f"{account.settings.public_url}/pay/{ident}",
        "after_expiration": None,
        "_intent": None,
        "_payer": None,
        "_line_items": [{**item, "id": new_id("li")} for item in session["_line_items"]],
    }
    account.add(new)
    account.later(new["expires_at"], "expire_session", session=ident)
    return new


def catalogue_of(account: Account, params: Object) -> Page:
    wheres = matching(
        params,
        customer="customer",
        payment_intent="payment_intent",
        subscription="subscription",
        status="status",
    )
    if "customer_details" in params:
        wheres.append(Where("customer_details.email", "=", params["customer_details"]["email"]))
    return listed(account, "checkout.session", "/v1/checkout/sessions", params, *wheres)


def line_items(account: Account, params: Object, ident: str) -> Page:
    """In the order they were given, unlike other lists."""
    session = account.get("checkout.session", ident, "session")
    limit = params.get("limit", 10)
    items = session["_line_items"]
    places = {item["id"]: place for place, item in enumerate(items)}
    for name in ("starting_after", "ending_before"):
        if name in params and params[name] not in places:
            raise missing_object("item", params[name], name)
    start = places[params["starting_after"]] + 1 if "starting_after" in params else 0
    end = places[params["ending_before"]] if "ending_before" in params else len(items)
    more = end - start > limit
    start = max(start, end - limit) if "ending_before" in params else start
    return Page(items[start:end][:limit], more, f"/v1/checkout/sessions/{ident}/line_items")
