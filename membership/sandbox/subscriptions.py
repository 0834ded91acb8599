"""Subscriptions: begun by a paid Checkout, renewed by the clock, ended by the API, a deletion or failure.

`collecting` takes the money of a renewal and tells `payment_went_through` or `payment_failed` here.
Periods stand on the items; months clamp to their last day.
"""

from membership.sandbox import catalogue, invoices, payment_methods, shapes
from membership.sandbox.account import Account, step
from membership.sandbox.clock import DAY, HOUR, period_end
from membership.sandbox.errors import invalid, missing_object
from membership.sandbox.ids import new_id
from membership.sandbox.listing import Page, listed, matching
from membership.sandbox.parameters import merge_metadata
from membership.sandbox.store import Object, Where

_ANNOUNCED = 7 * DAY


def descriptor_of(account: Account, price: Object) -> str | None:
    return account.get("product", price["product"])["statement_descriptor"]


def begin(account: Account, session: Object, intent: Object, method: Object) -> Object:
    """The subscription of a Checkout that was just paid (or whose debit is under way)."""
    now = account.now()
    data = session["_subscription_data"]
    ident = new_id("sub")
    items = [_item(account, ident, line) for line in session["_line_items"]]
    body = _blank(ident, session, intent["customer"], method["id"], now)
    body["items"] = shapes.listed(items, f"/v1/subscription_items?subscription={ident}")
    body["metadata"] = merge_metadata({}, data.get("metadata", {}))
    account.add(body, "customer.subscription.created")
    customer = account.get("customer", intent["customer"])
    if customer["currency"] is None:
        account.change(customer, "customer.updated", currency=session["currency"])
    bill = invoices.first(account, body, intent)
    account.change(intent, None, _invoice=bill["id"])
    account.change(body, "customer.subscription.updated", latest_invoice=bill["id"])
    _plan_next(account, body)
    return body


# what every new subscription has in common
_NEW: Object = {
    "object": "subscription",
    "application": None,
    "application_fee_percent": None,
    "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
    "billing_cycle_anchor_config": None,
    "billing_schedules": [],
    "billing_thresholds": None,
    "cancel_at": None,
    "cancel_at_period_end": False,
    "canceled_at": None,
    "collection_method": "charge_automatically",
    "customer_account": None,
    "days_until_due": None,
    "default_source": None,
    "default_tax_rates": [],
    "discounts": [],
    "ended_at": None,
    "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
    "latest_invoice": None,
    "livemode": False,
    "next_pending_invoice_item_invoice": None,
    "on_behalf_of": None,
    "pause_collection": None,
    "payment_settings": {
        "payment_method_options": None,
        "payment_method_types": None,
        "save_default_payment_method": "off",
    },
    "pending_invoice_item_interval": None,
    "pending_setup_intent": None,
    "pending_update": None,
    "schedule": None,
    "status": "active",
    "test_clock": None,
    "transfer_data": None,
    "trial_end": None,
    "trial_settings": {
        "end_behavior": {"billing_cycle_anchor": None, "missing_payment_method": "create_invoice"}
    },
    "trial_start": None,
    "_cycle": 1,
}


def _blank(ident: str, session: Object, customer: str, method: str, now: int) -> Object:
    data = session["_subscription_data"]
    mode = data.get("billing_mode", {}).get("type", "flexible")
    return shapes.filled(
        _NEW,
        id=ident,
        billing_cycle_anchor=now,
        billing_mode={
            "flexible": {"proration_discounts": "included"} if mode == "flexible" else None,
            "type": mode,
            "updated_at": None,
        },
        cancellation_details=_why(None),
        created=now,
        currency=session["currency"],
        customer=customer,
        default_payment_method=method,
        description=data.get("description"),
        start_date=now,
    )


def _why(reason: str | None, **more: object) -> Object:
    return {"comment": None, "feedback": None, "feedback_option": None, "reason": reason, **more}


def _item(account: Account, subscription: str, line: Object) -> Object:
    now = account.now()
    return {
        "id": new_id("si"),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": now,
        "current_period_end": _ends(now, line["price"], 1),
        "current_period_start": now,
        "discounts": [],
        "metadata": dict(line["metadata"]),
        "plan": plan_of(line["price"]),
        "price": line["price"],
        "quantity": line["quantity"],
        "subscription": subscription,
        "tax_rates": [],
    }


def plan_of(price: Object) -> Object:
    """The old name of a price, which items still carry."""
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": "per_unit",
        "created": price["created"],
        "currency": price["currency"],
        "interval": price["recurring"]["interval"],
        "interval_count": price["recurring"]["interval_count"],
        "livemode": False,
        "metadata": price["metadata"],
        "meter": None,
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": None,
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }


def _ends(anchor: int, price: Object, cycle: int) -> int:
    recurring = price["recurring"]
    return period_end(anchor, recurring["interval"], recurring["interval_count"] * cycle)


def ends_at(subscription: Object) -> int:
    return max(item["current_period_end"] for item in subscription["items"]["data"])


def stops(subscription: Object) -> bool:
    """Whether it ends with its period: by the flag, or by the moment alone, as the portal asks of flexible ones."""
    moment = subscription["cancel_at"]
    return bool(
        subscription["cancel_at_period_end"] or (moment is not None and moment <= ends_at(subscription))
    )


def _plan_next(account: Account, subscription: Object) -> None:
    end = ends_at(subscription)
    cycle = subscription["_cycle"]
    if end - _ANNOUNCED > account.now():
        account.later(end - _ANNOUNCED, "announce_renewal", subscription=subscription["id"], cycle=cycle)
    account.later(end, "renew", subscription=subscription["id"], cycle=cycle)


def _still(account: Account, ident: str, cycle: int) -> Object | None:
    subscription = account.get("subscription", ident)
    return subscription if subscription["status"] != "canceled" and subscription["_cycle"] == cycle else None


@step("announce_renewal")
def announce_renewal(account: Account, *, subscription: str, cycle: int) -> None:
    found = _still(account, subscription, cycle)
    if found and not stops(found):
        account.emit("invoice.upcoming", invoices.upcoming(account, found))


@step("renew")
def renew(account: Account, *, subscription: str, cycle: int) -> None:
    """A period is over: the next one begins with a draft invoice, or the subscription ends as was asked."""
    found = _still(account, subscription, cycle)
    if found is None:
        return
    if stops(found):
        end(account, found, reason="cancellation_requested", asked_at=found["canceled_at"])
        return
    turn = cycle + 1
    anchor = found["billing_cycle_anchor"]
    items = [
        {
            **item,
            "current_period_start": item["current_period_end"],
            "current_period_end": _ends(anchor, item["price"], turn),
        }
        for item in found["items"]["data"]
    ]
    new_items = {**found["items"], "data": items}
    bill = invoices.renewal(account, {**found, "items": new_items})
    account.change(
        found, "customer.subscription.updated", items=new_items, latest_invoice=bill["id"], _cycle=turn
    )
    account.later(account.now() + HOUR, "finalize_invoice", invoice=bill["id"])
    _plan_next(account, found)


def payment_went_through(account: Account, ident: str) -> None:
    subscription = account.get("subscription", ident)
    if subscription["status"] == "past_due":
        account.change(subscription, "customer.subscription.updated", status="active")


def payment_failed(account: Account, ident: str, *, last: bool) -> None:
    subscription = account.get("subscription", ident)
    if subscription["status"] == "canceled":
        return
    if last:
        end(account, subscription, reason="payment_failed")
    else:
        account.change(subscription, "customer.subscription.updated", status="past_due")


def end(
    account: Account,
    subscription: Object,
    *,
    reason: str,
    said: Object | None = None,
    asked_at: int | None = None,
) -> Object:
    now = account.now()
    details = {**subscription["cancellation_details"], **(said or {}), "reason": reason}
    account.change(
        subscription,
        "customer.subscription.deleted",
        status="canceled",
        canceled_at=asked_at or now,
        ended_at=now,
        cancellation_details=details,
        pause_collection=None,
    )
    invoices.stop_collecting(account, subscription["id"])
    return subscription


def retrieve(account: Account, _params: Object, ident: str) -> Object:
    return account.get("subscription", ident)


def cancel(account: Account, params: Object, ident: str) -> Object:
    subscription = account.get("subscription", ident)
    if subscription["status"] == "canceled":
        raise missing_object("subscription", ident)
    return end(
        account, subscription, reason="cancellation_requested", said=params.get("cancellation_details")
    )


def update(account: Account, params: Object, ident: str) -> Object:
    subscription = account.get("subscription", ident)
    if subscription["status"] == "canceled":
        if set(params) <= {"metadata", "cancellation_details"}:
            return _apply(account, subscription, params)
        raise invalid("A canceled subscription can only update its cancellation_details and metadata.")
    if params.get("default_payment_method"):
        method = account.get("payment_method", params["default_payment_method"], "default_payment_method")
        if method["customer"] != subscription["customer"]:
            raise invalid(
                "The customer does not have a payment method with that ID attached.", "default_payment_method"
            )
    return _apply(account, subscription, params)


def _apply(account: Account, subscription: Object, params: Object) -> Object:
    values = {key: value for key, value in params.items() if key != "proration_behavior"}
    if "metadata" in values:
        values["metadata"] = merge_metadata(subscription["metadata"], values["metadata"])
    if "items" in values:
        values["items"] = _new_items(account, subscription, params)
    if "pause_collection" in values:
        _pause(account, subscription, values)
    said = values.pop("cancellation_details", None) or {}
    if "cancel_at_period_end" in values:
        asked = values["cancel_at_period_end"]
        values["cancel_at"] = ends_at(subscription) if asked else None
        values["canceled_at"] = account.now() if asked else None
        said = {**said, "reason": "cancellation_requested" if asked else None}
    if said:
        values["cancellation_details"] = {**subscription["cancellation_details"], **said}
    return account.change(subscription, "customer.subscription.updated", **values)


def _pause(account: Account, subscription: Object, values: Object) -> None:
    asked = values["pause_collection"]
    if asked is None:
        return
    until = asked.get("resumes_at")
    if until is not None:
        if until <= account.now():
            raise invalid("`resumes_at` must be in the future.", "pause_collection[resumes_at]")
        account.later(until, "resume", subscription=subscription["id"], resumes_at=until)
    values["pause_collection"] = {"behavior": asked["behavior"], "resumes_at": until}


@step("resume")
def resume(account: Account, *, subscription: str, resumes_at: int) -> None:
    found = account.get("subscription", subscription)
    pause = found.get("pause_collection")
    if pause and pause["resumes_at"] == resumes_at:
        account.change(found, "customer.subscription.updated", pause_collection=None)


def _new_items(account: Account, subscription: Object, params: Object) -> Object:
    """Another price from the next invoice on; nothing is prorated here."""
    if params.get("proration_behavior") != "none":
        raise invalid(
            "The pretend Stripe changes items only with proration_behavior=none.", "proration_behavior"
        )
    old = {item["id"]: item for item in subscription["items"]["data"]}
    for index, change in enumerate(params["items"]):
        where = f"items[{index}]"
        item = old.get(change.get("id", ""))
        if item is None:
            raise missing_object("subscription_item", change.get("id", ""), f"{where}[id]")
        price = item["price"]
        if "price" in change:
            price = shapes.public(account.get("price", change["price"], f"{where}[price]"))
        elif "price_data" in change:
            price = catalogue.inline_price(account, change["price_data"], f"{where}[price_data]")
        if price["currency"] != subscription["currency"] or price["recurring"] != item["price"]["recurring"]:
            raise invalid("The new price must keep the subscription's currency and interval.", where)
        quantity = change.get("quantity", item["quantity"])
        old[item["id"]] = {**item, "price": price, "plan": plan_of(price), "quantity": quantity}
    return {**subscription["items"], "data": list(old.values())}


def catalogue_of(account: Account, params: Object) -> Page:
    wheres = matching(params, customer="customer", collection_method="collection_method")
    status = params.get("status")
    if status == "ended":
        wheres.append(Where("status", "=", ["canceled", "incomplete_expired"]))
    elif status is None:
        wheres.append(Where("status", "!=", "canceled"))
    elif status != "all":
        wheres.append(Where("status", "=", status))
    return listed(account, "subscription", "/v1/subscriptions", params, *wheres)


def swap_card(account: Account, subscription: Object, method: Object) -> None:
    """The member's next charges go to this card."""
    payment_methods.attach(account, method, subscription["customer"])
    account.change(subscription, "customer.subscription.updated", default_payment_method=method["id"])
