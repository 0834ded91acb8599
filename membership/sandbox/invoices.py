"""Invoices and the payments of invoices.

The first one is paid with the Checkout that made the subscription. Those of renewals are drafts for an hour,
those of changes are closed at once; `collecting` takes the money. An invoice of which nothing is due is paid
without any payment.
"""

import hmac

from membership.sandbox import customer_balance, invoice_shape, payments
from membership.sandbox.account import Account
from membership.sandbox.clock import HOUR
from membership.sandbox.ids import new_id, random_text
from membership.sandbox.store import Object, Where


def first(account: Account, subscription: Object, intent: Object, lines: list[Object]) -> Object:
    """The invoice of the Checkout itself; paid, or open while a debit is under way.

    The payer has paid what the page said, so a balance from before waits for the next one.
    """
    bill = draft(account, subscription, "subscription_create", lines)
    finalize(account, bill, intent, {"amount_due": bill["total"], "ending_balance": bill["starting_balance"]})
    if intent["status"] == "succeeded":
        paid(account, bill)
    else:
        account.change(bill, None, attempt_count=1, attempted=True)
    return bill


def draft(
    account: Account, subscription: Object, reason: str, lines: list[Object], *, since: int | None = None
) -> Object:
    """A new invoice; those of renewals wait for an hour before they are charged, those of an unpaid one for ever."""
    body = invoice_shape.blank(account, subscription, reason, new_id("in"), lines, since=since)
    if reason == "subscription_cycle":
        body |= {
            "automatically_finalizes_at": account.now() + HOUR,
            "next_payment_attempt": account.now() + HOUR,
        }
    pause = subscription["pause_collection"]
    if (pause and pause["behavior"] == "keep_as_draft") or subscription["status"] == "unpaid":
        body |= {"auto_advance": False, "automatically_finalizes_at": None, "next_payment_attempt": None}
    return account.add(body, "invoice.created")


def finalized_within(account: Account, after: int, until: int, *, opened_since: int) -> int | None:
    """The next moment after one and until another at which a renewal opened since then stops being a draft."""
    if until <= after:
        return None
    drafts = account.store.find(
        "invoice",
        Where("status", "=", "draft"),
        Where("billing_reason", "=", "subscription_cycle"),
        Where("created", ">=", opened_since),
        Where("automatically_finalizes_at", ">", after),
        Where("automatically_finalizes_at", "<=", until),
    )
    return min((draft["automatically_finalizes_at"] for draft in drafts), default=None)


def apply_balance(account: Account, bill: Object) -> Object:
    """What is due now that the invoice is closed, and what becomes of the customer's balance."""
    customer = account.get("customer", bill["customer"])
    balance = customer.get("balance", 0)
    due, left = invoice_shape.owed(bill["total"], balance, bill["currency"])
    if left != balance:
        kind = "invoice_too_small" if left > 0 else "applied_to_invoice"
        customer_balance.move(account, customer, left - balance, bill["currency"], kind, invoice=bill["id"])
    return {"amount_due": due, "starting_balance": balance, "ending_balance": left}


def finalize(account: Account, bill: Object, intent: Object | None, sums: Object) -> None:
    """Closes a draft: it gets its number and its page, and its sums are final."""
    customer = account.get("customer", bill["customer"])
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
    account.change(customer, None, next_invoice_sequence=customer["next_invoice_sequence"] + 1)
    if intent:
        _open_payment(account, bill, intent)
    account.change(
        bill,
        "invoice.finalized",
        **sums,
        **page_at(account, bill),
        status="open",
        number=number,
        amount_remaining=sums["amount_due"],
        automatically_finalizes_at=None,
        effective_at=account.now(),
        status_transitions={**bill["status_transitions"], "finalized_at": account.now()},
        _intent=intent["id"] if intent else None,
    )


def page_at(account: Account, bill: Object) -> Object:
    """Where the invoice can be seen and paid: an address that nobody guesses."""
    secret = random_text(24)
    page = f"{account.settings.public_url}/invoice/{bill['id']}_{secret}"
    return {"hosted_invoice_url": page, "invoice_pdf": f"{page}/pdf", "_secret": secret}


def _open_payment(account: Account, bill: Object, intent: Object) -> None:
    account.add(
        {
            "id": new_id("inpay"),
            "object": "invoice_payment",
            "amount_paid": None,
            "amount_requested": intent["amount"],
            "created": account.now(),
            "currency": bill["currency"],
            "invoice": bill["id"],
            "is_default": True,
            "livemode": False,
            "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
            "status": "open",
            "status_transitions": {"canceled_at": None, "paid_at": None},
        }
    )


def paid(account: Account, bill: Object, *, counted: bool = False) -> None:
    """Nothing remains due; `counted` when this try is on the invoice already."""
    now = account.now()
    payment = payment_of(account, bill)
    if payment:
        account.change(
            payment,
            "invoice_payment.paid",
            status="paid",
            amount_paid=bill["amount_due"],
            status_transitions={"canceled_at": None, "paid_at": now},
        )
    account.change(
        bill,
        "invoice.paid",
        status="paid",
        amount_paid=bill["amount_due"],
        amount_remaining=0,
        attempt_count=bill["attempt_count"] + (1 if payment and not counted else 0),
        attempted=True,
        auto_advance=False,
        next_payment_attempt=None,
        status_transitions={**bill["status_transitions"], "paid_at": now},
    )
    account.emit("invoice.payment_succeeded", bill)


def give_up(account: Account, bill: Object, status: str) -> Object:
    """An open invoice becomes void (its payment ends too, and used credit comes back) or uncollectible."""
    now = account.now()
    name = "voided" if status == "void" else "marked_uncollectible"
    if status == "void":
        _undo(account, bill)
    return account.change(
        bill,
        f"invoice.{name}",
        status=status,
        auto_advance=False,
        next_payment_attempt=None,
        status_transitions={**bill["status_transitions"], f"{name}_at": now},
    )


def _undo(account: Account, bill: Object) -> None:
    payment = payment_of(account, bill)
    if payment:
        payments.void(account, account.get("payment_intent", bill["_intent"]), "void_invoice")
        transitions = {"canceled_at": account.now(), "paid_at": None}
        account.change(payment, None, status="canceled", status_transitions=transitions)
    customer = account.get("customer", bill["customer"])
    used = bill["ending_balance"] - bill["starting_balance"]
    if used and not customer.get("deleted"):
        customer_balance.move(
            account, customer, -used, bill["currency"], "unapplied_from_invoice", invoice=bill["id"]
        )


def payment_of(account: Account, bill: Object) -> Object | None:
    """The payment of a finalised invoice; there is none when nothing was due."""
    return account.store.one("invoice_payment", Where("invoice", "=", bill["id"]))


def holding(account: Account, subscription: str, line: str) -> Object | None:
    """The invoice on which a line of this subscription stands."""
    for bill in of_subscription(account, subscription):
        if any(one["id"] == line for one in bill["lines"]["data"]):
            return bill
    return None


def of_subscription(account: Account, subscription: str) -> list[Object]:
    return account.store.find("invoice", Where("parent.subscription_details.subscription", "=", subscription))


def of_page(account: Account, token: str) -> Object | None:
    """The invoice whose hosted page has this last part in its address: its id and its secret."""
    ident, _, secret = token.rpartition("_")
    bill = account.store.one("invoice", Where("id", "=", ident))
    known = bill is not None and bill["_secret"] is not None
    return bill if known and bill and hmac.compare_digest(bill["_secret"], secret) else None


def owner(bill: Object) -> str:
    return str(bill["parent"]["subscription_details"]["subscription"])


def stop_collecting(account: Account, subscription: str) -> None:
    """An ended subscription's unpaid invoices stay as they are and are tried no more."""
    for bill in of_subscription(account, subscription):
        if bill["status"] in {"draft", "open"} and bill["auto_advance"]:
            account.change(
                bill,
                "invoice.updated",
                auto_advance=False,
                next_payment_attempt=None,
                automatically_finalizes_at=None,
            )
