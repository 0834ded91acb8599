"""Invoices that do not exist: the next one of a subscription, and the one a change would make.

The change is really made, looked at and undone, so a preview says what the update will say.
"""

from membership.sandbox import (
    customers,
    invoice_shape,
    invoices,
    proration,
    renewals,
    subscription_changes,
    subscription_creation,
)
from membership.sandbox.account import Account
from membership.sandbox.errors import invalid
from membership.sandbox.store import Object
from membership.sandbox.subscription_shape import living_one, stops


def create(account: Account, params: Object) -> Object:
    details = params.get("subscription_details", {})
    recurring = params.get("preview_mode") == "recurring"
    with account.store.trial():
        if "subscription" in params:
            subscription = living_one(account, params["subscription"])
            _check(params, subscription, details)
            body = _of_change(account, subscription, details, recurring=recurring)
        elif "customer" in params and details.get("items"):
            body = _of_new(account, params, details)
        else:
            raise invalid(
                "Missing required param: subscription; or pass customer with subscription_details[items].",
                "subscription",
                "parameter_missing",
            )
    return invoice_shape.preview(body)


def _check(params: Object, subscription: Object, details: Object) -> None:
    if params.get("customer", subscription["customer"]) != subscription["customer"]:
        raise invalid("The subscription does not belong to this customer.", "customer")
    if params.get("currency", subscription["currency"]) != subscription["currency"]:
        raise invalid("The currency of an existing subscription cannot be changed.", "currency")
    if "proration_date" in details and details.get("proration_behavior") == "none":
        raise invalid(
            "`proration_date` cannot be used with `proration_behavior` set to `none`.",
            "subscription_details[proration_date]",
        )


def _of_new(account: Account, params: Object, details: Object) -> Object:
    customers.living(account, params["customer"])
    known: Object = {
        key: details[key] for key in ("items", "metadata", "cancel_at_period_end") if key in details
    }
    if any("id" in given or given.get("deleted") for given in known["items"]):
        raise invalid(
            "An item of a new subscription has no id and is not deleted.", "subscription_details[items]"
        )
    asked: Object = {**known, **{key: params[key] for key in ("customer", "currency") if key in params}}
    subscription, lines = subscription_creation.prepare(account, asked)
    return invoice_shape.blank(account, subscription, "upcoming", "", lines)


def _of_change(account: Account, subscription: Object, details: Object, *, recurring: bool) -> Object:
    if details.get("cancel_now"):
        return _of_end(account, subscription, details)
    bill = None
    if details:
        asked = {key: value for key, value in details.items() if key != "cancel_now"}
        bill = subscription_changes.change(account, subscription, asked)
    if bill and not recurring:
        return bill
    if subscription["status"] in {"paused", "incomplete"}:
        raise invoice_shape.none_upcoming(subscription["customer"])
    if stops(subscription):
        return _of_the_rest(account, subscription, subscription["_pending"])
    return renewals.upcoming(account, subscription, recurring=recurring)


def _of_end(account: Account, subscription: Object, details: Object) -> Object:
    lines = list(subscription["_pending"])
    if details.get("proration_behavior") != "none":
        at = int(details.get("proration_date", account.now()))
        for item in subscription["items"]["data"]:
            lines += proration.given_back(account, subscription, item, at)
    return _of_the_rest(account, subscription, lines)


def _of_the_rest(account: Account, subscription: Object, lines: list[Object]) -> Object:
    if not lines:
        raise invoice_shape.none_upcoming(subscription["customer"])
    return invoices.draft(account, subscription, "subscription_update", lines)
