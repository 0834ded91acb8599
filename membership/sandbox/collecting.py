"""Taking the money of a renewal's invoice, without the member.

A draft is finalised after its hour and charged at once; a failure is tried again 3, 5 and 7 days after the
first, and then the subscription ends and the invoice stays open. While collection is paused the invoice is
voided or written off instead.
"""

from membership.sandbox import invoices, payments, subscriptions
from membership.sandbox.account import Account, step
from membership.sandbox.cards import NO_MEANS, Decline
from membership.sandbox.clock import DAY
from membership.sandbox.store import Object

RETRIES = (3 * DAY, 5 * DAY, 7 * DAY)  # after the first failure


@step("finalize_invoice")
def finalize(account: Account, *, invoice: str) -> None:
    bill = account.get("invoice", invoice)
    if bill["status"] != "draft" or not bill["auto_advance"]:
        return
    subscription = account.get("subscription", invoices.owner(bill))
    price = subscription["items"]["data"][0]["price"]
    intent = payments.intend(
        account,
        amount=bill["total"],
        currency=bill["currency"],
        method_types=["card", "sepa_debit"] if bill["currency"] == "eur" else ["card"],
        data={
            "customer": bill["customer"],
            "description": "Subscription update",
            "statement_descriptor": subscriptions.descriptor_of(account, price),
            "_invoice": bill["id"],
        },
        keep=True,
    )
    invoices.finalize(account, bill, intent)
    pause = subscription["pause_collection"]
    if pause and pause["behavior"] == "void":
        _end_unpaid(account, bill, intent, "void")
    elif pause and pause["behavior"] == "mark_uncollectible":
        _end_unpaid(account, bill, intent, "uncollectible")
    else:
        _collect(account, bill)


def _end_unpaid(account: Account, bill: Object, intent: Object, how: str) -> None:
    now = account.now()
    name = "voided" if how == "void" else "marked_uncollectible"
    payments.void(account, intent, "void_invoice" if how == "void" else None)
    account.change(
        invoices.payment_of(account, bill),
        None,
        status="canceled",
        status_transitions={"canceled_at": now, "paid_at": None},
    )
    account.change(
        bill,
        f"invoice.{name}",
        status=how,
        auto_advance=False,
        next_payment_attempt=None,
        status_transitions={**bill["status_transitions"], f"{name}_at": now},
    )


def _method_for(account: Account, bill: Object) -> Object | None:
    subscription = account.get("subscription", invoices.owner(bill))
    customer = account.get("customer", bill["customer"])
    ident = subscription["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    return account.get("payment_method", ident) if ident else None


def _collect(account: Account, bill: Object) -> None:
    """Tries to take the invoice's money now, without the member."""
    intent = account.get("payment_intent", bill["_intent"])
    method = _method_for(account, bill)
    if method is None:
        _failed(account, bill, NO_MEANS)
        return
    decline = payments.charge(account, intent, method, off_session=True)
    if intent["status"] == "processing":
        account.change(bill, "invoice.updated", attempt_count=bill["attempt_count"] + 1, attempted=True)
        return
    payment_decided(account, bill["id"], decline, counted=False)


def payment_decided(account: Account, invoice: str, decline: Decline | None, *, counted: bool = True) -> None:
    """The money of an open invoice arrived or did not; `counted` when the try is on the invoice already."""
    bill = account.get("invoice", invoice)
    if bill["status"] != "open":
        return
    if counted:
        account.change(bill, None, attempt_count=bill["attempt_count"] - 1)
    if decline is None:
        invoices.paid(account, bill)
        subscriptions.payment_went_through(account, invoices.owner(bill))
        return
    _failed(account, bill, decline)


def _failed(account: Account, bill: Object, decline: Decline) -> None:
    tried = bill["attempt_count"] + 1
    started = bill["_first_failed_at"] or account.now()
    again = started + RETRIES[tried - 1] if tried <= len(RETRIES) else None
    account.change(
        bill,
        None,
        attempt_count=tried,
        attempted=True,
        next_payment_attempt=again,
        auto_advance=again is not None,
        _first_failed_at=started,
    )
    account.emit("invoice.payment_failed", bill)
    if decline.code == "authentication_required":
        account.emit("invoice.payment_action_required", bill)
    if again is not None:
        account.later(again, "retry_invoice", invoice=bill["id"], attempt=tried)
    subscriptions.payment_failed(account, invoices.owner(bill), last=again is None)


def pay_invoice(
    account: Account, bill: Object, method: Object, *, off_session: bool = False, authenticated: bool = False
) -> Decline | None:
    """Pays an open invoice with this method, out of turn: the member's hosted page, or the API.

    Returns why it failed; None when it is paid or a debit is under way. A try out of turn counts only when it is
    the first, and leaves the plan of further tries as it is.
    """
    intent = account.get("payment_intent", bill["_intent"])
    decline = payments.charge(account, intent, method, off_session=off_session, authenticated=authenticated)
    if intent["status"] == "processing":
        account.change(bill, "invoice.updated", attempt_count=max(1, bill["attempt_count"]), attempted=True)
    elif decline is None:
        account.change(bill, None, attempt_count=max(0, bill["attempt_count"] - 1))
        payment_decided(account, bill["id"], None, counted=False)
    else:
        _failed_out_of_turn(account, bill, decline)
    return decline


def _failed_out_of_turn(account: Account, bill: Object, decline: Decline) -> None:
    account.change(bill, None, attempt_count=max(1, bill["attempt_count"]), attempted=True)
    account.emit("invoice.payment_failed", bill)
    if decline.code == "authentication_required":
        account.emit("invoice.payment_action_required", bill)


@step("retry_invoice")
def retry(account: Account, *, invoice: str, attempt: int) -> None:
    bill = account.get("invoice", invoice)
    if bill["status"] == "open" and bill["auto_advance"] and bill["attempt_count"] == attempt:
        _collect(account, bill)
