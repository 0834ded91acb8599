"""Taking the money of an invoice: of renewals and changes without the member, or when somebody pays it.

A renewal's draft is closed after its hour and charged at once; a failure is tried again 3, 5 and 7 days after the
first, and then the subscription ends (or goes on unpaid: a control sets that) and the invoice stays open. Where the
bank asks for the member, nothing is tried again: it waits for them. While collection is paused the invoice is voided or
written off instead.
"""

from membership.sandbox import invoices, payments, renewals, subscription_shape
from membership.sandbox.account import Account, step
from membership.sandbox.cards import AUTHENTICATION_NEEDED, NO_MEANS, Decline
from membership.sandbox.clock import DAY
from membership.sandbox.store import Object

RETRIES = (3 * DAY, 5 * DAY, 7 * DAY)  # after the first failure
_INSTEAD = {"void": "void", "mark_uncollectible": "uncollectible"}  # while collection is paused


@step("finalize_invoice")
def finalize(account: Account, *, invoice: str) -> None:
    bill = account.get("invoice", invoice)
    if bill["status"] == "draft" and bill["auto_advance"]:
        close(account, bill)


def close(account: Account, bill: Object, *, collects: bool = True) -> Decline | None:
    """Finalises a draft and takes what is due at once; why it failed, or None. A draft to be kept stays one."""
    if not bill["auto_advance"]:
        return None
    subscription = account.get("subscription", invoices.owner(bill))
    sums = invoices.apply_balance(account, bill)
    intent = _intend(account, bill, subscription, sums["amount_due"]) if sums["amount_due"] else None
    invoices.finalize(account, bill, intent, sums)
    pause = subscription["pause_collection"]
    if pause and pause["behavior"] in _INSTEAD and bill["total"] > 0:
        invoices.give_up(account, bill, _INSTEAD[pause["behavior"]])
        renewals.given_up(account, bill)
    elif intent is None:
        invoices.paid(account, bill)
        renewals.payment_went_through(account, bill)
    elif collects:
        return _collect(account, bill)
    return None


def _intend(account: Account, bill: Object, subscription: Object, amount: int) -> Object:
    first = bill["billing_reason"] == "subscription_create"
    price = subscription["items"]["data"][0]["price"]
    return payments.intend(
        account,
        amount=amount,
        currency=bill["currency"],
        method_types=["card", "sepa_debit"] if bill["currency"] == "eur" else ["card"],
        data={
            "customer": bill["customer"],
            "description": "Subscription creation" if first else "Subscription update",
            "statement_descriptor": subscription_shape.descriptor_of(account, price),
            "_invoice": bill["id"],
        },
        keep=True,
    )


def method_for(account: Account, bill: Object) -> Object | None:
    """What pays by itself: the subscription's own method, else the customer's."""
    subscription = account.get("subscription", invoices.owner(bill))
    customer = account.get("customer", bill["customer"])
    ident = subscription["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    return account.get("payment_method", ident) if ident else None


def _collect(account: Account, bill: Object) -> Decline | None:
    """Tries to take the invoice's money now, without the member."""
    intent = account.get("payment_intent", bill["_intent"])
    method = method_for(account, bill)
    if method is None:
        _failed(account, bill, NO_MEANS)
        return NO_MEANS
    decline = payments.charge(account, intent, method, off_session=True)
    if intent["status"] == "processing":
        account.change(bill, "invoice.updated", attempt_count=bill["attempt_count"] + 1, attempted=True)
    else:
        payment_decided(account, bill["id"], decline, counted=False)
    return decline


def payment_decided(account: Account, invoice: str, decline: Decline | None, *, counted: bool = True) -> None:
    """The money of an open invoice arrived or did not; `counted` when the try is on the invoice already."""
    bill = account.get("invoice", invoice)
    if bill["status"] not in {"open", "uncollectible"}:
        return
    if decline is None:
        invoices.paid(account, bill, counted=counted)
        renewals.payment_went_through(account, bill)
    else:
        _failed(account, bill, decline, counted=counted)


def _failed(account: Account, bill: Object, decline: Decline, *, counted: bool = False) -> None:
    tried = bill["attempt_count"] + (0 if counted else 1)
    started = bill["_first_failed_at"] or account.now()
    retried = renewals.is_retried(account, bill) and decline != AUTHENTICATION_NEEDED
    again = started + RETRIES[tried - 1] if retried and tried <= len(RETRIES) else None
    account.change(
        bill,
        None,
        attempt_count=tried,
        attempted=True,
        next_payment_attempt=again,
        auto_advance=again is not None,
        _first_failed_at=started,
    )
    _tell_failed(account, bill, decline)
    if again is not None:
        account.later(again, "retry_invoice", invoice=bill["id"], attempt=tried)
    renewals.payment_failed(account, bill, last=retried and again is None)


def _tell_failed(account: Account, bill: Object, decline: Decline) -> None:
    account.emit("invoice.payment_failed", bill)
    if decline.code == "authentication_required":
        account.emit("invoice.payment_action_required", bill)


def pay_invoice(
    account: Account, bill: Object, method: Object, *, off_session: bool = False, authenticated: bool = False
) -> Decline | None:
    """Pays an open invoice with this method, out of turn: the member's hosted page, or the API.

    Returns why it failed; None when it is paid or a debit is under way. A try out of turn counts only when it is
    the first, and leaves the plan of further tries as it is.
    """
    intent = account.get("payment_intent", bill["_intent"])
    counted = bill["attempt_count"] > 0
    decline = payments.charge(account, intent, method, off_session=off_session, authenticated=authenticated)
    if intent["status"] == "processing":
        account.change(bill, "invoice.updated", attempt_count=max(1, bill["attempt_count"]), attempted=True)
    elif decline is None:
        payment_decided(account, bill["id"], None, counted=counted)
    else:
        account.change(bill, None, attempt_count=max(1, bill["attempt_count"]), attempted=True)
        _tell_failed(account, bill, decline)
        subscription = account.get("subscription", invoices.owner(bill))
        if bill["status"] == "open" and subscription["latest_invoice"] == bill["id"]:
            renewals.payment_failed(account, bill, last=False)
    return decline


@step("retry_invoice")
def retry(account: Account, *, invoice: str, attempt: int) -> None:
    bill = account.get("invoice", invoice)
    if bill["status"] == "open" and bill["auto_advance"] and bill["attempt_count"] == attempt:
        _collect(account, bill)
