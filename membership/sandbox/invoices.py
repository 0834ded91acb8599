"""Invoices and the payments of invoices.

The first one is paid with the Checkout that made the subscription. Those of renewals are drafts for an hour;
then `collecting` finalises them and takes the money.
"""

import hmac

from membership.sandbox import shapes
from membership.sandbox.account import Account
from membership.sandbox.clock import HOUR
from membership.sandbox.ids import new_id, random_text
from membership.sandbox.listing import Page, listed, matching, pages
from membership.sandbox.parameters import ID, Choice, Shape
from membership.sandbox.store import Object, Where

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


def first(account: Account, subscription: Object, intent: Object) -> Object:
    """The invoice of the Checkout itself; paid, or open while a debit is under way."""
    bill = _draft(account, subscription, "subscription_create")
    finalize(account, bill, intent)
    if intent["status"] == "succeeded":
        paid(account, bill)
    else:
        account.change(bill, None, attempt_count=1, attempted=True)
    return bill


def renewal(account: Account, subscription: Object) -> Object:
    return _draft(account, subscription, "subscription_cycle")


def upcoming(account: Account, subscription: Object) -> Object:
    """The preview Stripe sends a week ahead: an invoice without an id."""
    end = max(item["current_period_end"] for item in subscription["items"]["data"])
    body = _blank(account, subscription, "upcoming", "", end)
    del body["id"]
    body["next_payment_attempt"] = end + HOUR
    return body


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


def _draft(account: Account, subscription: Object, reason: str) -> Object:
    body = _blank(account, subscription, reason, new_id("in"), account.now())
    if reason == "subscription_cycle":
        body |= {
            "automatically_finalizes_at": account.now() + HOUR,
            "next_payment_attempt": account.now() + HOUR,
        }
        pause = subscription["pause_collection"]
        if pause and pause["behavior"] == "keep_as_draft":
            body |= {"auto_advance": False, "automatically_finalizes_at": None, "next_payment_attempt": None}
    return account.add(body, "invoice.created")


# what every new invoice has in common
_NEW: Object = {
    "object": "invoice",
    "account_country": "DE",
    "account_tax_ids": None,
    "amount_overpaid": 0,
    "amount_paid": 0,
    "amount_shipping": 0,
    "application": None,
    "attempt_count": 0,
    "attempted": False,
    "auto_advance": True,
    "automatic_tax": {
        "disabled_reason": None,
        "enabled": False,
        "liability": None,
        "provider": None,
        "status": None,
    },
    "automatically_finalizes_at": None,
    "collection_method": "charge_automatically",
    "custom_fields": None,
    "customer_account": None,
    "customer_shipping": None,
    "customer_tax_ids": [],
    "default_payment_method": None,
    "default_source": None,
    "default_tax_rates": [],
    "discounts": [],
    "due_date": None,
    "effective_at": None,
    "ending_balance": None,
    "footer": None,
    "from_invoice": None,
    "hosted_invoice_url": None,
    "invoice_pdf": None,
    "issuer": {"type": "self"},
    "last_finalization_error": None,
    "latest_revision": None,
    "livemode": False,
    "metadata": {},
    "next_payment_attempt": None,
    "number": None,
    "on_behalf_of": None,
    "payment_settings": {
        "default_mandate": None,
        "payment_method_options": None,
        "payment_method_types": None,
    },
    "post_payment_credit_notes_amount": 0,
    "pre_payment_credit_notes_amount": 0,
    "receipt_number": None,
    "rendering": None,
    "shipping_cost": None,
    "shipping_details": None,
    "starting_balance": 0,
    "statement_descriptor": None,
    "status": "draft",
    "test_clock": None,
    "total_discount_amounts": [],
    "total_pretax_credit_amounts": [],
    "total_taxes": [],
    "webhooks_delivered_at": None,
    "_intent": None,
    "_first_failed_at": None,
    "_secret": None,
}


def _blank(account: Account, subscription: Object, reason: str, ident: str, created: int) -> Object:
    customer = account.get("customer", subscription["customer"])
    lines = [_line(subscription, item, ident) for item in subscription["items"]["data"]]
    if reason == "upcoming":
        for line in lines:
            line["period"] = {"start": line["period"]["end"], "end": line["period"]["end"]}
    total = sum(line["amount"] for line in lines)
    start = created if reason == "subscription_create" else _period_start(subscription, reason)
    return shapes.filled(
        _NEW,
        id=ident,
        account_name=account.settings.name,
        amount_due=total,
        amount_remaining=total,
        billing_reason=reason,
        created=created,
        currency=subscription["currency"],
        customer=subscription["customer"],
        customer_address=customer.get("address"),
        customer_email=customer.get("email"),
        customer_name=customer.get("name"),
        customer_phone=customer.get("phone"),
        customer_tax_exempt=customer.get("tax_exempt"),
        description=subscription["description"],
        lines=shapes.listed(lines, f"/v1/invoices/{ident}/lines"),
        parent=_parent(subscription),
        period_end=created,
        period_start=start,
        status_transitions=dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
        subtotal=total,
        subtotal_excluding_tax=total,
        total=total,
        total_excluding_tax=total,
    )


def _parent(subscription: Object) -> Object:
    """Where the invoice comes from; the subscription's metadata as it is now."""
    details = {
        "metadata": dict(subscription["metadata"]),
        "subscription": subscription["id"],
        "subscription_proration_date": None,
    }
    return {"quote_details": None, "subscription_details": details, "type": "subscription_details"}


def _period_start(subscription: Object, reason: str) -> int:
    """A renewal's invoice covers, in its own words, the period that has just ended."""
    item = subscription["items"]["data"][0]
    if reason == "upcoming":
        return int(item["current_period_start"])
    earlier = item["current_period_start"] - (item["current_period_end"] - item["current_period_start"])
    return int(max(earlier, subscription["start_date"]))


def _line(subscription: Object, item: Object, invoice: str) -> Object:
    price = item["price"]
    amount = price["unit_amount"] * item["quantity"]
    return {
        "id": new_id("il"),
        "object": "line_item",
        "amount": amount,
        "currency": price["currency"],
        "description": f"{item['quantity']} × {price['nickname'] or 'subscription'}",
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": invoice or None,
        "livemode": False,
        "metadata": dict(subscription["metadata"]),
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": subscription["id"],
                "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        "period": {"end": item["current_period_end"], "start": item["current_period_start"]},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "quantity": item["quantity"],
        "subtotal": amount,
        "taxes": [],
    }


def finalize(account: Account, bill: Object, intent: Object) -> None:
    customer = account.get("customer", bill["customer"])
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
    account.change(customer, None, next_invoice_sequence=customer["next_invoice_sequence"] + 1)
    account.add(
        {
            "id": new_id("inpay"),
            "object": "invoice_payment",
            "amount_paid": None,
            "amount_requested": bill["total"],
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
    secret = random_text(24)
    page = f"{account.settings.public_url}/invoice/{bill['id']}_{secret}"
    account.change(
        bill,
        "invoice.finalized",
        status="open",
        number=number,
        automatically_finalizes_at=None,
        effective_at=account.now(),
        ending_balance=0,
        hosted_invoice_url=page,
        invoice_pdf=f"{page}/pdf",
        status_transitions={**bill["status_transitions"], "finalized_at": account.now()},
        _intent=intent["id"],
        _secret=secret,
    )


def paid(account: Account, bill: Object) -> None:
    now = account.now()
    payment = payment_of(account, bill)
    account.change(
        payment,
        "invoice_payment.paid",
        status="paid",
        amount_paid=bill["total"],
        status_transitions={"canceled_at": None, "paid_at": now},
    )
    account.change(
        bill,
        "invoice.paid",
        status="paid",
        amount_paid=bill["total"],
        amount_remaining=0,
        attempt_count=bill["attempt_count"] + 1,
        attempted=True,
        auto_advance=False,
        next_payment_attempt=None,
        status_transitions={**bill["status_transitions"], "paid_at": now},
    )
    account.emit("invoice.payment_succeeded", bill)


def payment_of(account: Account, bill: Object) -> Object:
    payment = account.store.one("invoice_payment", Where("invoice", "=", bill["id"]))
    if payment is None:
        raise LookupError(f"the finalised invoice {bill['id']} has no payment")
    return payment


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
    for bill in account.store.find(
        "invoice", Where("parent.subscription_details.subscription", "=", subscription)
    ):
        if bill["status"] in {"draft", "open"} and bill["auto_advance"]:
            account.change(
                bill,
                "invoice.updated",
                auto_advance=False,
                next_payment_attempt=None,
                automatically_finalizes_at=None,
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
