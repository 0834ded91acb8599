"""What the API does with an invoice: read it, list it, pay it, void it, write it off."""

from membership.sandbox import collecting, invoices, renewals, subscriptions
from membership.sandbox.account import Account
from membership.sandbox.cards import NO_MEANS, Decline
from membership.sandbox.errors import ApiError, PaymentFailed, invalid
from membership.sandbox.listing import Page, listed, matching, pages
from membership.sandbox.parameters import ID, Choice, Flag, Shape, takes
from membership.sandbox.store import Object

LIST = pages(
    collection_method=Choice(of=("charge_automatically", "send_invoice")),
    customer=ID,
    status=Choice(of=("draft", "open", "paid", "uncollectible", "void")),
    subscription=ID,
)
PAYMENTS_LIST = pages(
    invoice=ID,
    payment=Shape(
        fields={"type": Choice(of=("payment_intent", "payment_record"), required=True), "payment_intent": ID}
    ),
    status=Choice(of=("canceled", "open", "paid")),
)
PAY = takes(
    forgive=Flag(only=False),
    off_session=Flag(only=True),
    paid_out_of_band=Flag(only=False),
    payment_method=ID,
)


def retrieve(account: Account, _params: Object, ident: str) -> Object:
    return account.get("invoice", ident)


def catalogue_of(account: Account, params: Object) -> Page:
    wheres = matching(
        params,
        customer="customer",
        status="status",
        collection_method="collection_method",
        subscription="parent.subscription_details.subscription",
    )
    return listed(account, "invoice", "/v1/invoices", params, *wheres)


def list_payments(account: Account, params: Object) -> Page:
    wheres = matching(params, invoice="invoice", status="status")
    wheres += matching(
        params.get("payment", {}), payment_intent="payment.payment_intent", type="payment.type"
    )
    return listed(account, "invoice_payment", "/v1/invoice_payments", params, *wheres)


def retrieve_payment(account: Account, _params: Object, ident: str) -> Object:
    return account.get("invoice_payment", ident)


def pay(account: Account, params: Object, ident: str) -> Object:
    """Tries to take the money now. A refusal by the bank answers 402, and the try stays on record."""
    bill = account.get("invoice", ident, "invoice")
    if bill["status"] == "paid":
        raise invalid("Invoice is already paid")
    if bill["status"] not in {"open", "uncollectible"}:
        raise invalid(f"This invoice cannot be paid: it has a status of {bill['status']}.")
    if account.get("payment_intent", bill["_intent"])["status"] == "processing":
        raise invalid("This invoice cannot be paid again: a payment of it is being processed.")
    if "payment_method" in params:
        method = subscriptions.check_method(
            account, params["payment_method"], bill["customer"], "payment_method"
        )
    else:
        found = collecting.method_for(account, bill)
        if found is None:
            raise ApiError(400, NO_MEANS.message, code="resource_missing")
        method = found
    decline = collecting.pay_invoice(account, bill, method, off_session=True)
    if decline:
        raise _failed(account, bill, decline)
    return account.get("invoice", ident)


def _failed(account: Account, bill: Object, decline: Decline) -> PaymentFailed:
    refusal = PaymentFailed(decline.code, decline.message, decline_code=decline.decline_code)
    intent = account.get("payment_intent", bill["_intent"])
    refusal.extra["charge"] = intent["latest_charge"]
    return refusal


def void(account: Account, _params: Object, ident: str) -> Object:
    return _give_up(account, ident, "void")


def mark_uncollectible(account: Account, _params: Object, ident: str) -> Object:
    return _give_up(account, ident, "uncollectible")


def _give_up(account: Account, ident: str, status: str) -> Object:
    bill = account.get("invoice", ident, "invoice")
    allowed = {"open", "uncollectible"} if status == "void" else {"open"}
    if bill["status"] not in allowed:
        verb = "void" if status == "void" else "mark as uncollectible"
        raise invalid(f"You can only {verb} an open invoice; this one has a status of {bill['status']}.")
    if status == "uncollectible":
        account.change(bill, None, status_details={"uncollectible": {"reason": "user_forgiven"}})
    invoices.give_up(account, bill, status)
    renewals.given_up(account, bill)
    return bill
