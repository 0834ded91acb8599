"""What a change within a period is worth, by the second: time given back, time charged.

A flexible subscription gives back what was really charged and nothing else, a classic one what its price says.
What was charged is remembered for each item as debits: the line, its amount and the time it was for.
"""

from datetime import UTC, datetime

from membership.sandbox import currencies, invoice_shape, invoices
from membership.sandbox.account import Account
from membership.sandbox.store import Object


def debits(lines: list[Object]) -> dict[str, list[Object]]:
    """What these lines charge, by item."""
    out: dict[str, list[Object]] = {}
    for line in lines:
        item = line["parent"]["subscription_item_details"]["subscription_item"]
        out.setdefault(item, []).append(
            {
                "line": line["id"],
                "amount": line["amount"],
                "start": line["period"]["start"],
                "end": line["period"]["end"],
            }
        )
    return out


def _debits_of(account: Account, subscription: Object, item: Object) -> list[tuple[Object, Object | None]]:
    """What was charged for an item's period, each with its invoice; a voided invoice charged nothing."""
    if subscription["billing_mode"]["type"] == "classic":
        start, end = item["current_period_start"], item["current_period_end"]
        return [({"line": None, "amount": invoice_shape.cost(item), "start": start, "end": end}, None)]
    found = [
        (debit, invoices.holding(account, subscription["id"], debit["line"]))
        for debit in subscription["_billed"].get(item["id"], [])
    ]
    return [(debit, bill) for debit, bill in found if bill is None or bill["status"] != "void"]


def given_back(account: Account, subscription: Object, item: Object, at: int) -> list[Object]:
    """Lines that give back an item's time from a moment on."""
    out = []
    for debit, bill in _debits_of(account, subscription, item):
        start, end = max(at, debit["start"]), debit["end"]
        if start >= end:
            continue
        amount = currencies.part_of(
            debit["amount"], end - start, end - debit["start"], subscription["currency"]
        )
        credited = {"invoice": bill["id"], "invoice_line_items": [debit["line"]]} if bill else None
        said = f"Unused time on {_named(account, item)} after {_day(start)}"
        out.append(
            invoice_shape.line(
                subscription, item, -amount, (start, end), said, proration=True, credited=credited
            )
        )
    return out


def charged(
    account: Account, subscription: Object, item: Object, at: int, *, whole: int | None = None
) -> Object:
    """The line that charges an item from a moment until its period ends; `whole` seconds are a full period."""
    start, end = item["current_period_start"], item["current_period_end"]
    amount = currencies.part_of(
        invoice_shape.cost(item), end - at, whole or end - start, subscription["currency"]
    )
    said = f"Remaining time on {_named(account, item)} after {_day(at)}"
    return invoice_shape.line(subscription, item, amount, (at, end), said, proration=True)


def _named(account: Account, item: Object) -> str:
    product = account.get("product", item["price"]["product"])["name"]
    return str(product) if item["quantity"] == 1 else f"{item['quantity']} × {product}"


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%d %b %Y")
