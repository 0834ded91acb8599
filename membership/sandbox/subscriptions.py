"""Subscriptions as the API and Checkout see them: begun, read, changed, cancelled, listed.

What time and money do to them is in `renewals`, a change of items in `subscription_changes`, pauses in `pausing`.
"""

from membership.sandbox import (
    collecting,
    invoice_shape,
    invoices,
    payment_methods,
    proration,
    subscription_changes,
)
from membership.sandbox.account import Account
from membership.sandbox.errors import invalid
from membership.sandbox.listing import Page, listed, matching
from membership.sandbox.parameters import merge_metadata
from membership.sandbox.renewals import end, plan_next
from membership.sandbox.store import Object, Where
from membership.sandbox.subscription_shape import (
    ENDED,
    blank,
    descriptor_of,
    ends,
    ends_at,
    item_of,
    living_one,
    stops,
    with_items,
)

__all__ = [
    "begin",
    "cancel",
    "catalogue_of",
    "check_currency",
    "descriptor_of",
    "end",
    "ends_at",
    "retrieve",
    "stops",
    "swap_card",
    "update",
]


def begin(account: Account, session: Object, intent: Object, method: Object) -> Object:
    """The subscription of a Checkout that was just paid (or whose debit is under way)."""
    data = session["_subscription_data"]
    body = blank(
        account,
        customer=intent["customer"],
        currency=session["currency"],
        method=method["id"],
        data=data,
        status="active",
    )
    body["metadata"] = merge_metadata({}, data.get("metadata", {}))
    lines = fill(
        body, [(line["price"], line["quantity"], line["metadata"]) for line in session["_line_items"]]
    )
    account.add(body, "customer.subscription.created")
    settle_currency(account, body)
    bill = invoices.first(account, body, intent, lines)
    account.change(intent, None, _invoice=bill["id"])
    account.change(body, "customer.subscription.updated", latest_invoice=bill["id"])
    plan_next(account, body)
    return body


def fill(body: Object, wanted: list[tuple[Object, int, Object]]) -> list[Object]:
    """Gives a new subscription its items (price, quantity, metadata); the lines of their first period."""
    now = body["created"]
    items = [
        item_of(body, price, quantity, metadata, (now, ends(now, price, 1)))
        for price, quantity, metadata in wanted
    ]
    body["items"] = with_items(body, items)
    lines = invoice_shape.lines_of(body)
    body["_billed"] = proration.debits(lines)
    return lines


def settle_currency(account: Account, subscription: Object) -> None:
    """A customer's first subscription decides the currency of all invoices to come."""
    customer = account.get("customer", subscription["customer"])
    if customer["currency"] is None:
        account.change(customer, "customer.updated", currency=subscription["currency"])


def check_currency(account: Account, customer: Object, currency: str, param: str) -> None:
    for running in account.store.find("subscription", Where("customer", "=", customer["id"])):
        if running["status"] not in ENDED and running["currency"] != currency:
            raise invalid(
                "You cannot combine currencies on a single customer. This customer has an active subscription in "
                f"{running['currency']}.",
                param,
            )


def retrieve(account: Account, _params: Object, ident: str) -> Object:
    return account.get("subscription", ident)


def update(account: Account, params: Object, ident: str) -> Object:
    subscription = account.get("subscription", ident)
    if subscription["status"] in ENDED and not set(params) <= {"metadata", "cancellation_details"}:
        raise invalid("A canceled subscription can only update its cancellation_details and metadata.")
    if params.get("default_payment_method"):
        check_method(account, params["default_payment_method"], subscription["customer"])
    return subscription_changes.apply(account, subscription, params)


def check_method(
    account: Account, ident: str, customer: str, param: str = "default_payment_method"
) -> Object:
    method = account.get("payment_method", ident, param)
    if method["customer"] != customer:
        raise invalid("The customer does not have a payment method with that ID attached.", param)
    return method


def cancel(account: Account, params: Object, ident: str) -> Object:
    """Ends it now; `prorate` gives unused time back, `invoice_now` on an invoice of its own."""
    subscription = living_one(account, ident)
    lines = list(subscription["_pending"])
    if params.get("prorate"):
        for item in subscription["items"]["data"]:
            lines += proration.given_back(account, subscription, item, account.now())
    end(account, subscription, reason="cancellation_requested", said=params.get("cancellation_details"))
    if params.get("invoice_now") and lines:
        bill = invoices.draft(account, subscription, "subscription_update", lines)
        account.change(subscription, None, latest_invoice=bill["id"], _pending=[])
        collecting.close(account, bill)
    return account.get("subscription", ident)


def catalogue_of(account: Account, params: Object) -> Page:
    wheres = matching(params, customer="customer", collection_method="collection_method")
    status = params.get("status")
    if status == "ended":
        wheres.append(Where("status", "=", list(ENDED)))
    elif status is None:
        wheres.append(Where("status", "!=", "canceled"))
    elif status != "all":
        wheres.append(Where("status", "=", status))
    return listed(account, "subscription", "/v1/subscriptions", params, *wheres)


def swap_card(account: Account, subscription: Object, method: Object) -> None:
    """The member's next charges go to this card."""
    payment_methods.attach(account, method, subscription["customer"])
    account.change(subscription, "customer.subscription.updated", default_payment_method=method["id"])
