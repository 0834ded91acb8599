"""Changing a running subscription: its items, its dates, its means of payment.

`change` makes the change and returns the draft of what is to be paid for it at once; `apply` also takes the money.
A preview calls `change` in a trial, so it cannot differ from the update that follows.
"""

from typing import NamedTuple

from membership.sandbox import collecting, invoice_shape, invoices, pausing, proration, renewals
from membership.sandbox.account import Account
from membership.sandbox.cards import NO_MEANS, Decline
from membership.sandbox.errors import ApiError, CardDeclined, invalid, missing_object
from membership.sandbox.parameters import merge_metadata
from membership.sandbox.store import Object
from membership.sandbox.subscription_shape import (
    check_together,
    ends,
    ends_at,
    interval_of,
    item_of,
    plan_of,
    price_for,
    with_items,
)

_PLAIN = ("default_payment_method", "description")


class Turn(NamedTuple):
    """What a change of items means: the subscription's new values, lines to bill, and whether at once."""

    values: Object
    lines: list[Object]
    at_once: bool


def apply(account: Account, subscription: Object, params: Object) -> Object:
    """Changes it and pays for the change; with `error_if_incomplete` all of it or, by an exception, nothing.

    The exception must leave the transaction: that is what undoes the change.
    """
    bill = change(account, subscription, params)
    decline = collecting.close(account, bill) if bill else None
    if decline and params.get("payment_behavior") == "error_if_incomplete":
        raise refusal(decline)
    return account.get("subscription", subscription["id"])


def refusal(decline: Decline) -> ApiError:
    """What the API says when a change or a new subscription could not be paid."""
    if decline is NO_MEANS:
        return ApiError(400, decline.message, code="resource_missing")
    if decline.code == "authentication_required":
        return CardDeclined(
            "subscription_payment_intent_requires_action",
            "Payment for this subscription requires additional user action before it can be completed successfully. "
            "Payment can be completed using the PaymentIntent associated with `subscription.latest_invoice`.",
        )
    return CardDeclined(decline.code, decline.message, decline_code=decline.decline_code)


def change(account: Account, subscription: Object, params: Object) -> Object | None:
    """The change without its payment: the draft that is to be closed now, or None."""
    values = {key: params[key] for key in _PLAIN if key in params}
    if "metadata" in params:
        values["metadata"] = merge_metadata(subscription["metadata"], params["metadata"])
    turn = _turn(account, subscription, params)
    if turn:
        values |= turn.values
    if "pause_collection" in params:
        values["pause_collection"] = pausing.collection_paused(account, subscription, params)
    _plan_end(account, {**subscription, **values}, params, values)
    bill = None
    if turn and turn.at_once:
        after = {**subscription, **values}
        bill = invoices.draft(account, after, "subscription_update", [*subscription["_pending"], *turn.lines])
        values |= {"latest_invoice": bill["id"], "_pending": []}
    elif turn and turn.lines:
        values["_pending"] = [*subscription["_pending"], *turn.lines]
    account.change(subscription, "customer.subscription.updated", **values)
    if turn and "_since" in turn.values:
        renewals.plan_next(account, subscription)
    return bill


# items


def _turn(account: Account, subscription: Object, params: Object) -> Turn | None:
    resets = params.get("billing_cycle_anchor", {}).get("type") == "now"
    if "items" not in params and not resets:
        return None
    _check_running(subscription, params)
    at = _moment(account, subscription, params)
    prorates = params.get("proration_behavior") != "none"
    old = {item["id"]: item for item in subscription["items"]["data"]}
    new = _new_items(account, subscription, params)
    if resets or interval_of(new[0]) != interval_of(subscription["items"]["data"][0]):
        return _started_anew(account, subscription, new, at if prorates else None)
    kept = {item["id"] for item in new}
    billed = {ident: found for ident, found in subscription["_billed"].items() if ident in kept}
    lines: list[Object] = []
    for item in [*old.values(), *(item for item in new if item["id"] not in old)]:
        after = next((one for one in new if one["id"] == item["id"]), None)
        if not prorates or (item["id"] in old and after and _same(item, after)):
            continue
        if item["id"] in old:
            lines += proration.given_back(account, subscription, item, at)
        if after and at < after["current_period_end"]:
            debit = proration.charged(account, subscription, after, at)
            lines.append(debit)
            billed |= proration.debits([debit])
    at_once = params.get("proration_behavior") == "always_invoice" and bool(lines or subscription["_pending"])
    return Turn({"items": with_items(subscription, new), "_billed": billed}, lines, at_once)


def _same(before: Object, after: Object) -> bool:
    return bool(before["price"]["id"] == after["price"]["id"] and before["quantity"] == after["quantity"])


def _started_anew(account: Account, subscription: Object, items: list[Object], at: int | None) -> Turn:
    """Another interval, or a new anchor: a period begins now and is billed now, in full."""
    now = account.now()
    back = []
    for item in subscription["items"]["data"] if at is not None else []:
        back += proration.given_back(account, subscription, item, at or now)
    new = [
        {**item, "current_period_start": now, "current_period_end": ends(now, item["price"], 1)}
        for item in items
    ]
    lines = invoice_shape.lines_of({**subscription, "items": {"data": new}})
    values = {
        "items": with_items(subscription, new),
        "billing_cycle_anchor": now,
        "_billed": proration.debits(lines),
        "_cycle": subscription["_cycle"] + 1,
        "_since": subscription["_cycle"],
    }
    return Turn(values, [*back, *lines], at_once=True)


def _check_running(subscription: Object, params: Object) -> None:
    status = subscription["status"]
    if status == "incomplete":
        raise invalid(
            "This subscription is incomplete: its first invoice must be paid before its items change.",
            "items",
        )
    if status == "paused" and (
        params.get("proration_behavior") != "none" or "billing_cycle_anchor" in params
    ):
        raise invalid(
            "The pretend Stripe changes a paused subscription only with proration_behavior=none.",
            "proration_behavior",
        )


def _moment(account: Account, subscription: Object, params: Object) -> int:
    at = int(params.get("proration_date", account.now()))
    starts = min(item["current_period_start"] for item in subscription["items"]["data"])
    if "proration_date" in params and not starts <= at <= ends_at(subscription):
        raise invalid(
            "Invalid proration date: it must be within the current period of the subscription.",
            "proration_date",
        )
    return at


def _new_items(account: Account, subscription: Object, params: Object) -> list[Object]:
    items = {item["id"]: item for item in subscription["items"]["data"]}
    first = subscription["items"]["data"][0]
    period = (first["current_period_start"], first["current_period_end"])
    for index, given in enumerate(params.get("items", [])):
        where = f"items[{index}]"
        if "id" not in given:
            new = _added(account, subscription, given, where, period)
            items[new["id"]] = new
        elif given["id"] not in items:
            raise missing_object("subscription_item", given["id"], f"{where}[id]")
        elif given.get("deleted"):
            del items[given["id"]]
        else:
            items[given["id"]] = _changed(account, items[given["id"]], given, where)
    found = list(items.values())
    if not found:
        raise invalid("A subscription must have at least one item.", "items")
    check_together(found, subscription["currency"])
    return found


def _added(
    account: Account, subscription: Object, given: Object, where: str, period: tuple[int, int]
) -> Object:
    if "price" not in given and "price_data" not in given:
        raise invalid(f"Missing required param: {where}[price].", f"{where}[price]", "parameter_missing")
    price = price_for(account, given, where)
    item = item_of(subscription, price, given.get("quantity", 1), given.get("metadata", {}), period)
    return {**item, "created": account.now()}


def _changed(account: Account, item: Object, given: Object, where: str) -> Object:
    """Another price sets the quantity back to one unless it is given, as at Stripe."""
    values: Object = {}
    if "price" in given or "price_data" in given:
        price = price_for(account, given, where)
        values = {"price": price, "plan": plan_of(price), "quantity": 1}
        if price["id"] == item["price"]["id"]:
            values = {}
    if "quantity" in given:
        values["quantity"] = given["quantity"]
    if "metadata" in given:
        values["metadata"] = merge_metadata(item["metadata"], given["metadata"])
    return {**item, **values}


# its end


def _plan_end(account: Account, subscription: Object, params: Object, values: Object) -> None:
    """When it is to end, and why; `subscription` is as the rest of the change leaves it."""
    said = params.get("cancellation_details") or {}
    if "cancel_at" in params and "cancel_at_period_end" in params:
        raise invalid(
            "You may only specify one of these parameters: cancel_at, cancel_at_period_end.",
            "cancel_at",
            "parameters_exclusive",
        )
    if "cancel_at" in params or "cancel_at_period_end" in params:
        at_end = params.get("cancel_at_period_end", False)
        if at_end and subscription["status"] == "paused":
            raise invalid("A paused subscription has no period at whose end it could be canceled.")
        moment = ends_at(subscription) if at_end else _end_asked(account, subscription, params)
        values |= {
            "cancel_at": moment,
            "cancel_at_period_end": at_end,
            "canceled_at": account.now() if moment else None,
        }
        said = {**said, "reason": "cancellation_requested" if moment else None}
    elif subscription["cancel_at_period_end"]:
        values["cancel_at"] = ends_at(subscription)
    if said:
        values["cancellation_details"] = {**subscription["cancellation_details"], **said}


def _end_asked(account: Account, subscription: Object, params: Object) -> int | None:
    asked = params.get("cancel_at")
    if asked is None:
        return None
    if asked in {"min_period_end", "max_period_end"}:
        return ends_at(subscription)
    moment = int(asked)
    if moment <= account.now():
        raise invalid("`cancel_at` must be in the future.", "cancel_at")
    if moment < ends_at(subscription) and params.get("proration_behavior") != "none":
        raise invalid(
            "The pretend Stripe ends a subscription within its period only with proration_behavior=none.",
            "cancel_at",
        )
    account.later(moment, "end_at", subscription=subscription["id"], moment=moment)
    return moment
