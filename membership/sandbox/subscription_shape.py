"""What a subscription and its items look like, and how its periods run.

Periods stand on the items; they are counted from the anchor, so months clamp to their last day and come back.
"""

from membership.sandbox import catalogue, shapes
from membership.sandbox.account import Account
from membership.sandbox.clock import period_end
from membership.sandbox.errors import invalid, missing_object
from membership.sandbox.ids import new_id
from membership.sandbox.store import Object

ENDED = ("canceled", "incomplete_expired")

# what every new subscription has in common
NEW: Object = {
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
    "status_details": None,
    "test_clock": None,
    "transfer_data": None,
    "trial_end": None,
    "trial_settings": {
        "end_behavior": {"billing_cycle_anchor": None, "missing_payment_method": "create_invoice"}
    },
    "trial_start": None,
    "_cycle": 1,  # counts periods; what was planned for another one is void
    "_since": 0,  # the cycle before the anchor was set
    "_billed": {},  # item -> what was charged for its current period
    "_pending": [],  # lines that wait for the next invoice
    "_resumption": None,  # what a paused subscription becomes once its invoice is paid
}


def blank(  # what differs from one new subscription to the next
    account: Account, *, customer: str, currency: str, method: str | None, data: Object, status: str
) -> Object:
    now = account.now()
    mode = data.get("billing_mode", {}).get("type", "flexible")
    return shapes.filled(
        NEW,
        id=new_id("sub"),
        billing_cycle_anchor=now,
        billing_mode={
            "flexible": {"proration_discounts": "included"} if mode == "flexible" else None,
            "type": mode,
            "updated_at": None,
        },
        cancellation_details=dict.fromkeys(("comment", "feedback", "feedback_option", "reason")),
        created=now,
        currency=currency,
        customer=customer,
        default_payment_method=method,
        description=data.get("description"),
        start_date=now,
        status=status,
    )


def item_of(
    subscription: Object, price: Object, quantity: int, metadata: Object, period: tuple[int, int]
) -> Object:
    return {
        "id": new_id("si"),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": period[0],
        "current_period_end": period[1],
        "current_period_start": period[0],
        "discounts": [],
        "metadata": dict(metadata),
        "plan": plan_of(price),
        "price": price,
        "quantity": quantity,
        "subscription": subscription["id"],
        "tax_rates": [],
    }


def with_items(subscription: Object, items: list[Object]) -> Object:
    """The subscription's list of items, filled with these."""
    return shapes.listed(items, f"/v1/subscription_items?subscription={subscription['id']}")


def price_for(account: Account, given: Object, where: str) -> Object:
    """The price that an item is given, by its id or inline."""
    if "price" in given and "price_data" in given:
        catalogue.one_of(given, "price", "price_data", where)
    if "price_data" in given:
        return catalogue.inline_price(account, given["price_data"], f"{where}[price_data]")
    price = shapes.public(account.get("price", given["price"], f"{where}[price]"))
    if not price["active"]:
        raise invalid(f"The price specified is inactive: {price['id']}.", f"{where}[price]")
    if not price["recurring"]:
        raise invalid(
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.",
            f"{where}[price]",
        )
    return price


def check_together(items: list[Object], currency: str) -> None:
    """The rules for the items of one subscription: one currency, one interval, each price once."""
    for item in items:
        found = item["price"]["currency"]
        if found != currency:
            raise invalid(
                f"The price specified only supports `{found}`. This doesn't match the expected currency: `{currency}`.",
                "items",
            )
    if len({interval_of(item) for item in items}) > 1:
        raise invalid("The pretend Stripe wants the same interval for all items of a subscription.", "items")
    if len({item["price"]["id"] for item in items}) < len(items):
        raise invalid("Cannot add multiple subscription items with the same price.", "items")


def interval_of(item: Object) -> tuple[str, int]:
    recurring = item["price"]["recurring"]
    return recurring["interval"], recurring["interval_count"]


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


def ends(anchor: int, price: Object, cycle: int) -> int:
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


def living_one(account: Account, ident: str) -> Object:
    """A subscription that has not ended."""
    subscription = account.get("subscription", ident)
    if subscription["status"] in ENDED:
        raise missing_object("subscription", ident)
    return subscription


def descriptor_of(account: Account, price: Object) -> str | None:
    return account.get("product", price["product"])["statement_descriptor"]
