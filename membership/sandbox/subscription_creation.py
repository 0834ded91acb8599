"""A subscription made by the API: its first invoice is paid at once with what the customer has on file."""

from membership.sandbox import collecting, customers, invoices, subscriptions
from membership.sandbox.account import Account
from membership.sandbox.cards import NO_MEANS
from membership.sandbox.errors import invalid
from membership.sandbox.parameters import merge_metadata
from membership.sandbox.renewals import expect_payment, plan_next
from membership.sandbox.store import Object
from membership.sandbox.subscription_changes import refusal
from membership.sandbox.subscription_shape import blank, check_together, ends_at, price_for


def create(account: Account, params: Object) -> Object:
    """Active when the first invoice could be paid, else incomplete for 23 hours; or refused, if that was asked."""
    behavior = params.get("payment_behavior", "allow_incomplete")
    body, lines = prepare(account, params)
    account.add(body, "customer.subscription.created")
    subscriptions.settle_currency(account, body)
    bill = invoices.draft(account, body, "subscription_create", lines)
    account.change(body, None, latest_invoice=bill["id"])
    plan_next(account, body)
    if behavior != "default_incomplete" and collecting.method_for(account, bill) is None:
        raise refusal(NO_MEANS)
    decline = collecting.close(account, bill, collects=behavior != "default_incomplete")
    if decline and behavior == "error_if_incomplete":
        raise refusal(decline)
    body = account.get("subscription", body["id"])
    if body["status"] == "incomplete":
        if bill["status"] == "open" and bill["attempted"] and decline is None:
            # a debit is under way, and Stripe trusts it
            return account.change(body, "customer.subscription.updated", status="active")
        expect_payment(account, body)
    return body


def prepare(account: Account, params: Object) -> tuple[Object, list[Object]]:
    """The subscription as it would begin, not kept yet, and the lines of its first invoice."""
    customer = customers.living(account, params["customer"])
    wanted = []
    for index, given in enumerate(params["items"]):
        where = f"items[{index}]"
        if "price" not in given and "price_data" not in given:
            raise invalid(f"Missing required param: {where}[price].", f"{where}[price]", "parameter_missing")
        metadata = merge_metadata({}, given.get("metadata", {}))
        wanted.append((price_for(account, given, where), given.get("quantity", 1), metadata))
    if not wanted:
        raise invalid("Missing required param: items.", "items", "parameter_missing")
    currency = str(params.get("currency", wanted[0][0]["currency"]))
    subscriptions.check_currency(account, customer, currency, "items")
    method = params.get("default_payment_method")
    if method:
        subscriptions.check_method(account, method, customer["id"])
    body = blank(
        account, customer=customer["id"], currency=currency, method=method, data=params, status="incomplete"
    )
    body["metadata"] = merge_metadata({}, params.get("metadata", {}))
    lines = subscriptions.fill(body, wanted)
    check_together(body["items"]["data"], currency)
    if params.get("cancel_at_period_end"):
        body |= {"cancel_at": ends_at(body), "cancel_at_period_end": True, "canceled_at": account.now()}
    return body, lines
