"""What the clock and the money do to a subscription: renewed, past due, active again, resumed, ended.

`collecting` takes the money and tells `payment_went_through` or `payment_failed` here.
"""

from membership.sandbox import invoice_shape, invoices, proration
from membership.sandbox.account import Account, step
from membership.sandbox.clock import DAY, HOUR
from membership.sandbox.store import Object
from membership.sandbox.subscription_shape import ENDED, ends, ends_at, stops, with_items

AFTER_RETRIES = ("cancel", "unpaid", "past_due")
"""What the dashboard can say becomes of a subscription whose retries are used up: it ends, or goes on unpaid."""
LATE = ("past_due", "unpaid")

_ANNOUNCED = 7 * DAY
_COMPLETED_WITHIN = 23 * HOUR


def plan_next(account: Account, subscription: Object) -> None:
    end = ends_at(subscription)
    cycle = subscription["_cycle"]
    if end - _ANNOUNCED > account.now():
        account.later(end - _ANNOUNCED, "announce_renewal", subscription=subscription["id"], cycle=cycle)
    account.later(end, "renew", subscription=subscription["id"], cycle=cycle)


def _still(account: Account, ident: str, cycle: int) -> Object | None:
    """The subscription, if it is running and in the period for which something was planned."""
    found = account.get("subscription", ident)
    asleep = found["status"] in {*ENDED, "incomplete", "paused"}
    return None if asleep or found["_cycle"] != cycle else found


def _next_period(account: Account, subscription: Object) -> tuple[list[Object], list[Object]]:
    """The items in their next period, and the lines that charge it; a planned end makes it shorter."""
    turn = subscription["_cycle"] + 1 - subscription["_since"]
    items, lines = [], []
    for item in subscription["items"]["data"]:
        start = item["current_period_end"]
        full = ends(subscription["billing_cycle_anchor"], item["price"], turn)
        end = min(full, subscription["cancel_at"] or full)
        new = {**item, "current_period_start": start, "current_period_end": end}
        items.append(new)
        if end < full:
            lines.append(proration.charged(account, subscription, new, start, whole=full - start))
        else:
            lines += invoice_shape.lines_of({**subscription, "items": {"data": [new]}})
    return items, lines


def upcoming(account: Account, subscription: Object, *, recurring: bool = False) -> Object:
    """The next renewal's invoice as it would be now, without an id; `recurring` leaves out what comes once."""
    items, lines = _next_period(account, subscription)
    end = ends_at(subscription)
    lines = lines if recurring else [*subscription["_pending"], *lines]
    since = subscription["items"]["data"][0]["current_period_start"]
    body = invoice_shape.blank(
        account, {**subscription, "items": {"data": items}}, "upcoming", "", lines, since=since
    )
    del body["id"]
    return {
        **body,
        "created": end,
        "next_payment_attempt": end + HOUR,
        "period_end": end,
    }


@step("announce_renewal")
def announce_renewal(account: Account, *, subscription: str, cycle: int) -> None:
    found = _still(account, subscription, cycle)
    if found and not stops(found):
        account.emit("invoice.upcoming", upcoming(account, found))


@step("renew")
def renew(account: Account, *, subscription: str, cycle: int) -> None:
    """A period is over: the next one begins with a draft invoice, or the subscription ends as was asked."""
    found = _still(account, subscription, cycle)
    if found is None:
        return
    if stops(found):
        end(account, found, reason="cancellation_requested", asked_at=found["canceled_at"])
        return
    items, lines = _next_period(account, found)
    new_items = with_items(found, items)
    bill = invoices.draft(
        account,
        {**found, "items": new_items},
        "subscription_cycle",
        [*found["_pending"], *lines],
        since=found["items"]["data"][0]["current_period_start"],
    )
    account.change(
        found,
        "customer.subscription.updated",
        items=new_items,
        latest_invoice=bill["id"],
        _billed=proration.debits(lines),
        _cycle=cycle + 1,
        _pending=[],
    )
    account.later(account.now() + HOUR, "finalize_invoice", invoice=bill["id"])
    plan_next(account, found)


@step("end_at")
def end_at(account: Account, *, subscription: str, moment: int) -> None:
    """It was told to end at a moment of its own, and still is."""
    found = account.get("subscription", subscription)
    if found["status"] not in ENDED and found["cancel_at"] == moment:
        end(account, found, reason="cancellation_requested", asked_at=found["canceled_at"])


# money


def payment_went_through(account: Account, bill: Object) -> None:
    subscription = account.get("subscription", invoices.owner(bill))
    if is_resumption(subscription, bill):
        take_up(account, subscription, "active")
    elif subscription["status"] == "incomplete" or (
        subscription["status"] in LATE and subscription["latest_invoice"] == bill["id"]
    ):
        account.change(subscription, "customer.subscription.updated", status="active")


def is_retried(account: Account, bill: Object) -> bool:
    """Whether a failed invoice is tried again by itself: not the first of all, nor one to be paid by hand."""
    subscription = account.get("subscription", invoices.owner(bill))
    return (
        subscription["status"] not in {*ENDED, "incomplete"}
        and bill["_resumes"] != "resume_on_payment_attempt"
    )


def payment_failed(account: Account, bill: Object, *, last: bool) -> None:
    subscription = account.get("subscription", invoices.owner(bill))
    is_newest = subscription["latest_invoice"] == bill["id"]  # it alone decides
    if is_resumption(subscription, bill):
        if bill["_resumes"] == "resume_on_payment_attempt":
            take_up(account, subscription, "past_due")
        elif last:
            abandon(account, subscription, bill)
    elif subscription["status"] in {*ENDED, "incomplete", "paused", "unpaid"} or not is_newest:
        return
    elif last:
        _use_up(account, subscription)
    else:
        account.change(subscription, "customer.subscription.updated", status="past_due")


def _use_up(account: Account, subscription: Object) -> None:
    """Nothing is tried again: what becomes of it is a setting of the dashboard, which no call tells."""
    becomes = account.store.setting("after_retries", "cancel")
    if becomes == "cancel":
        end(account, subscription, reason="payment_failed")
    else:
        account.change(subscription, "customer.subscription.updated", status=becomes)


def given_up(account: Account, bill: Object) -> None:
    """An invoice was voided or written off: its subscription no longer waits for it."""
    subscription = account.get("subscription", invoices.owner(bill))
    if is_resumption(subscription, bill):
        if bill["status"] == "void":
            account.change(subscription, None, _resumption=None)
        else:
            take_up(account, subscription, "active")
    elif subscription["status"] == "incomplete":
        status = "incomplete_expired" if bill["status"] == "void" else "active"
        account.change(subscription, "customer.subscription.updated", status=status)
    elif subscription["status"] in LATE and subscription["latest_invoice"] == bill["id"]:  # it alone decides
        account.change(subscription, "customer.subscription.updated", status="active")


# a first payment that never comes


def expect_payment(account: Account, subscription: Object) -> None:
    due = account.now() + _COMPLETED_WITHIN
    account.later(due, "expire_incomplete", subscription=subscription["id"])


@step("expire_incomplete")
def expire_incomplete(account: Account, *, subscription: str) -> None:
    found = account.get("subscription", subscription)
    if found["status"] == "incomplete":
        bill = account.get("invoice", found["latest_invoice"])
        invoices.give_up(account, bill, "void")
        account.change(found, "customer.subscription.updated", status="incomplete_expired")


# coming back from a pause


def is_resumption(subscription: Object, bill: Object) -> bool:
    waiting = subscription["_resumption"]
    return bool(waiting) and waiting["invoice"] == bill["id"]


def take_up(account: Account, subscription: Object, status: str) -> None:
    """A paused subscription runs again, in the period that was worked out when it was asked to."""
    values = (subscription["_resumption"] or {}).get("values", {})
    account.change(
        subscription,
        "customer.subscription.resumed",
        **values,
        status=status,
        status_details=None,
        _resumption=None,
    )
    account.emit("customer.subscription.updated", subscription, {"status": "paused"})
    plan_next(account, subscription)


def expect_resumption(account: Account, bill: Object) -> None:
    account.later(account.now() + _COMPLETED_WITHIN, "expire_resumption", invoice=bill["id"])


@step("expire_resumption")
def expire_resumption(account: Account, *, invoice: str) -> None:
    bill = account.get("invoice", invoice)
    subscription = account.get("subscription", invoices.owner(bill))
    if bill["status"] == "open" and is_resumption(subscription, bill):
        abandon(account, subscription, bill)


def abandon(account: Account, subscription: Object, bill: Object) -> None:
    """Nobody paid for coming back: the subscription stays paused and can be asked again."""
    invoices.give_up(account, bill, "void")
    account.change(subscription, None, _resumption=None)


# the end


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
        status_details=None,
    )
    invoices.stop_collecting(account, subscription["id"])
    return subscription
