"""What an invoice and its lines look like when they are new.

Amounts are known already; `lines_of` bills a period in full, `line` bills anything else. What a customer owes
or is owed from before (the balance) is part of what is due.
"""

from membership.sandbox import currencies, shapes
from membership.sandbox.account import Account
from membership.sandbox.errors import ApiError
from membership.sandbox.ids import new_id
from membership.sandbox.store import Object

# what every new invoice has in common
NEW: Object = {
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
    "status_details": None,
    "test_clock": None,
    "total_discount_amounts": [],
    "total_pretax_credit_amounts": [],
    "total_taxes": [],
    "webhooks_delivered_at": None,
    "_intent": None,
    "_resumes": None,
    "_first_failed_at": None,
    "_secret": None,
}


_OF_CUSTOMER = ("address", "email", "name", "phone", "tax_exempt")


def blank(
    account: Account,
    subscription: Object,
    reason: str,
    ident: str,
    lines: list[Object],
    *,
    since: int | None = None,
) -> Object:
    """A new invoice; `since` is when the period that it closes began, at once when it closes none."""
    customer = account.get("customer", subscription["customer"])
    balance = customer.get("balance", 0)
    total = sum(line["amount"] for line in lines)
    due, _left = owed(total, balance, subscription["currency"])
    created = account.now()
    return shapes.filled(
        NEW,
        id=ident,
        account_name=account.settings.name,
        amount_due=due,
        amount_remaining=due,
        billing_reason=reason,
        created=created,
        currency=subscription["currency"],
        customer=subscription["customer"],
        **{f"customer_{name}": customer.get(name) for name in _OF_CUSTOMER},
        description=subscription["description"],
        lines=shapes.listed(
            [{**line, "invoice": ident or None} for line in lines], f"/v1/invoices/{ident}/lines"
        ),
        parent=_parent(subscription),
        period_end=created,
        period_start=created if since is None else since,
        starting_balance=balance,
        status_transitions=dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
        subtotal=total,
        subtotal_excluding_tax=total,
        total=total,
        total_excluding_tax=total,
    )


def owed(total: int, balance: int, currency: str) -> tuple[int, int]:
    """What is to be charged for an invoice, and the customer's balance after it.

    A credit (a balance below zero) is used up first. What is too little to be charged waits on the balance.
    """
    due = total + balance
    if due <= 0 or currencies.is_too_small(due, currency):
        return 0, due
    return due, 0


def _parent(subscription: Object) -> Object:
    """Where the invoice comes from; the subscription's metadata as it is now."""
    details = {
        "metadata": dict(subscription["metadata"]),
        "subscription": subscription["id"],
        "subscription_proration_date": None,
    }
    return {"quote_details": None, "subscription_details": details, "type": "subscription_details"}


def cost(item: Object) -> int:
    """What a whole period of this item costs."""
    return int(item["price"]["unit_amount"] * item["quantity"])


def lines_of(subscription: Object) -> list[Object]:
    """The current period of every item, in full."""
    return [
        line(
            subscription,
            item,
            cost(item),
            (item["current_period_start"], item["current_period_end"]),
            f"{item['quantity']} × {item['price']['nickname'] or 'subscription'}",
        )
        for item in subscription["items"]["data"]
    ]


def line(
    subscription: Object,
    item: Object,
    amount: int,
    period: tuple[int, int],
    description: str,
    *,
    proration: bool = False,
    credited: Object | None = None,
) -> Object:
    price = item["price"]
    details = {
        "invoice_item": new_id("ii") if proration else None,
        "proration": proration,
        "proration_details": {"credited_items": credited},
        "subscription": subscription["id"],
        "subscription_item": item["id"],
    }
    return {
        "id": new_id("il"),
        "object": "line_item",
        "amount": amount,
        "currency": price["currency"],
        "description": description,
        "discount_amounts": [],
        "discountable": not proration,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": dict(subscription["metadata"]),
        "parent": _as_parent(details),
        "period": {"end": period[1], "start": period[0]},
        "pretax_credit_amounts": [],
        "pricing": _pricing(price),
        "quantity": item["quantity"],
        "subtotal": amount,
        "taxes": [],
    }


def _as_parent(details: Object) -> Object:
    return {
        "invoice_item_details": None,
        "subscription_item_details": details,
        "type": "subscription_item_details",
    }


def _pricing(price: Object) -> Object:
    return {
        "price_details": {"price": price["id"], "product": price["product"]},
        "type": "price_details",
        "unit_amount_decimal": price["unit_amount_decimal"],
    }


def preview(body: Object) -> Object:
    """An invoice that does not exist, as it would be."""
    ident = new_id("upcoming_in")
    lines = [{**line, "invoice": ident} for line in body["lines"]["data"]]
    return {
        **body,
        "id": ident,
        "billing_reason": "upcoming",
        "lines": shapes.listed(lines, f"/v1/invoices/{ident}/lines"),
    }


def none_upcoming(customer: str) -> ApiError:
    return ApiError(404, f"No upcoming invoices for customer: '{customer}'", code="invoice_upcoming_none")
