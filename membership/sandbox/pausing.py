"""The two pauses: of collection (invoices are made and not paid), and of the subscription (there are none).

A paused subscription gives back its unused time unless told otherwise. Coming back begins a new period, which is
to be paid first, or goes on in the old rhythm.
"""

from membership.sandbox import collecting, invoice_shape, invoices, proration, renewals
from membership.sandbox.account import Account, step
from membership.sandbox.errors import invalid
from membership.sandbox.store import Object
from membership.sandbox.subscription_shape import ends, living_one, stops, with_items

# collection


def collection_paused(account: Account, subscription: Object, params: Object) -> Object | None:
    """The new `pause_collection`; the clock ends it by itself when that was asked."""
    asked = params["pause_collection"]
    if asked is None:
        return None
    until = asked.get("resumes_at")
    if until is not None:
        if until <= account.now():
            raise invalid("`resumes_at` must be in the future.", "pause_collection[resumes_at]")
        account.later(until, "resume", subscription=subscription["id"], resumes_at=until)
    return {"behavior": asked["behavior"], "resumes_at": until}


@step("resume")
def collect_again(account: Account, *, subscription: str, resumes_at: int) -> None:
    found = account.get("subscription", subscription)
    pause = found.get("pause_collection")
    if pause and pause["resumes_at"] == resumes_at:
        account.change(found, "customer.subscription.updated", pause_collection=None)


# the subscription


def pause(account: Account, params: Object, ident: str) -> Object:
    subscription = living_one(account, ident)
    _check_pausable(subscription)
    now = account.now()
    since = params.get("bill_for", {}).get("unused_time_from", {}).get("type", "now")
    values: Object = {}
    lines: list[Object] = []
    if since != "none":
        for item in subscription["items"]["data"]:
            at = now if since == "now" else item["current_period_start"]
            lines += proration.given_back(account, subscription, item, at)
        values = {"_billed": {}, "_pending": [*subscription["_pending"], *lines]}
    paused = {"subscription": {"type": "pause_requested"}, "transitioned_at": now, "type": "subscription"}
    account.change(
        subscription,
        "customer.subscription.paused",
        **values,
        status="paused",
        status_details={"paused": paused},
    )
    account.emit("customer.subscription.updated", subscription, {"status": "active", "status_details": None})
    if params.get("invoicing_behavior") == "invoice" and subscription["_pending"]:
        bill = invoices.draft(account, subscription, "subscription_update", subscription["_pending"])
        account.change(subscription, None, latest_invoice=bill["id"], _pending=[])
        collecting.close(account, bill)
    return account.get("subscription", ident)


def _check_pausable(subscription: Object) -> None:
    if subscription["billing_mode"]["type"] != "flexible":
        raise invalid("Only subscriptions with `billing_mode[type]=flexible` can be paused.")
    if subscription["status"] != "active":
        raise invalid(
            f"Only active subscriptions can be paused; this one has a status of {subscription['status']}."
        )
    if stops(subscription) or subscription["cancel_at"]:
        raise invalid("The pretend Stripe does not pause a subscription that is set to end.")


def resume(account: Account, params: Object, ident: str) -> Object:
    subscription = living_one(account, ident)
    if subscription["status"] != "paused":
        raise invalid(
            f"Only paused subscriptions can be resumed; this one has a status of {subscription['status']}."
        )
    if subscription["_resumption"]:
        raise invalid(
            f"This subscription is being resumed: pay or void its invoice {subscription['_resumption']['invoice']}."
        )
    values, lines, at_once = _coming_back(account, subscription, params)
    if not at_once:
        account.change(subscription, None, _resumption={"invoice": None, "values": values})
        renewals.take_up(account, subscription, "active")
        account.change(subscription, None, _pending=[*subscription["_pending"], *lines])
        return subscription
    behavior = params.get("payment_behavior", "resume_on_payment_attempt")
    after = {**subscription, **values}
    bill = invoices.draft(account, after, "subscription_update", [*subscription["_pending"], *lines])
    account.change(bill, None, _resumes=behavior)
    account.change(
        subscription,
        "customer.subscription.updated",
        latest_invoice=bill["id"],
        _pending=[],
        _resumption={"invoice": bill["id"], "values": values},
    )
    collecting.close(account, bill, collects=behavior == "resume_on_payment_success")
    if bill["status"] == "open" and behavior == "resume_on_payment_attempt":
        renewals.expect_resumption(account, bill)
    return account.get("subscription", ident)


def _coming_back(account: Account, subscription: Object, params: Object) -> tuple[Object, list[Object], bool]:
    """The period it comes back into: the new values, the lines, and whether they are billed now."""
    now = account.now()
    items = subscription["items"]["data"]
    if params.get("billing_cycle_anchor", {}).get("type", "now") == "now":
        new = [
            {**item, "current_period_start": now, "current_period_end": ends(now, item["price"], 1)}
            for item in items
        ]
        cycle = subscription["_cycle"]
        lines = invoice_shape.lines_of({**subscription, "items": {"data": new}})
        moved = {"billing_cycle_anchor": now, "_cycle": cycle + 1, "_since": cycle}
        return {**_as_items(subscription, new), **moved, "_billed": proration.debits(lines)}, lines, True
    behavior = params.get("proration_behavior", "create_prorations")
    at = _date(account, params)
    values = _around(subscription, now)
    unpaid = [item for item in values["items"]["data"] if not _is_paid(subscription, item, at)]
    lines = (
        [] if behavior == "none" else [proration.charged(account, subscription, one, at) for one in unpaid]
    )
    values["_billed"] = {**subscription["_billed"], **proration.debits(lines)}
    return values, lines, behavior == "always_invoice" and bool(lines)


def _as_items(subscription: Object, items: list[Object]) -> Object:
    return {"items": with_items(subscription, items)}


def _date(account: Account, params: Object) -> int:
    at = int(params.get("proration_date", account.now()))
    if at > account.now():
        raise invalid("Invalid proration date: it cannot be in the future.", "proration_date")
    return at


def _around(subscription: Object, now: int) -> Object:
    """The items in the period of the old rhythm that now lies in."""
    cycle, since = subscription["_cycle"], subscription["_since"]
    anchor = subscription["billing_cycle_anchor"]
    price = subscription["items"]["data"][0]["price"]
    while ends(anchor, price, cycle - since) <= now:
        cycle += 1
    items = [
        {
            **item,
            "current_period_start": ends(anchor, item["price"], cycle - since - 1),
            "current_period_end": ends(anchor, item["price"], cycle - since),
        }
        for item in subscription["items"]["data"]
    ]
    return {**_as_items(subscription, items), "_cycle": cycle}


def _is_paid(subscription: Object, item: Object, at: int) -> bool:
    """Whether what is left of this period was charged before the pause and never given back."""
    return any(
        debit["end"] == item["current_period_end"] and debit["start"] <= at
        for debit in subscription["_billed"].get(item["id"], [])
    )
