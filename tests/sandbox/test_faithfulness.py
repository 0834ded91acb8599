"""Nothing the pretend Stripe says or takes may differ from what the SDK 16.1.0 knows."""

import importlib
import json
import typing

import pytest
import stripe

from membership.sandbox.parameters import Items, Shape
from membership.sandbox.routes import ROUTES
from tests.sandbox import annotations, portal

CLASSES = {
    "balance": stripe.Balance,
    "balance_transaction": stripe.BalanceTransaction,
    "billing_portal.configuration": stripe.billing_portal.Configuration,
    "billing_portal.session": stripe.billing_portal.Session,
    "charge": stripe.Charge,
    "checkout.session": stripe.checkout.Session,
    "customer": stripe.Customer,
    "customer_balance_transaction": stripe.CustomerBalanceTransaction,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "invoice": stripe.Invoice,
    "invoice_payment": stripe.InvoicePayment,
    "item": stripe.LineItem,
    "line_item": stripe.InvoiceLineItem,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "payout": stripe.Payout,
    "price": stripe.Price,
    "product": stripe.Product,
    "radar.early_fraud_warning": stripe.radar.EarlyFraudWarning,
    "refund": stripe.Refund,
    "setup_intent": stripe.SetupIntent,
    "subscription": stripe.Subscription,
    "webhook_endpoint": stripe.WebhookEndpoint,
}
EVENT_TYPES = set(typing.get_args(annotations.hints(stripe.Event)["type"]))
LISTS = [route for route in ROUTES if route.many and "<id>" not in route.path]


def one_off(bench):
    bench.paid(payment_intent_data={"metadata": {"a": "b"}, "statement_descriptor_suffix": "GIFT"})
    bench.paid(currency="gel", customer_creation="always", after_expiration={"recovery": {"enabled": True}})


def authenticated(bench):
    for outcome in ("approve", "fail"):
        session = bench.open()
        bench.pay(session, "4000002760003184")
        bench.answer_bank(session, outcome)


def declined(bench):
    for card in ("4000000000000002", "4000000000009995", "4100000000000019"):
        bench.pay(bench.open(), card)


def debited(bench):
    for iban in ("AT611904300234573201", "AT861904300235473202", "AT591904300235473203"):
        bench.pay(bench.open(), "", iban=iban)
    bench.sandbox.settle()
    bench.sandbox.advance(seconds=10)


def expired(bench):
    session = bench.open(after_expiration={"recovery": {"enabled": True}})
    bench.pay(session, "4000000000000002")
    bench.v1.checkout.sessions.expire(session.id)


def member(bench):
    bench.member()
    bench.sandbox.advance(days=35)
    bench.member(interval="year", subscription_data={"metadata": {"a": "b"}, "description": "Support"})


def lapsing_member(bench):
    member = bench.member()
    bench.control("card", {"customer": member.customer, "card_number": "4000000000000341"})
    bench.sandbox.advance(days=45)


def debited_member(bench):
    session = bench.open(interval="month")
    bench.pay(session, "", iban="AT611904300234573201")
    bench.sandbox.advance(seconds=10)


def pausing_member(bench):
    member = bench.member()
    until = bench.sandbox.now() + 40 * 86400
    bench.v1.subscriptions.update(member.id, {"pause_collection": {"behavior": "void", "resumes_at": until}})
    bench.sandbox.advance(days=45)
    bench.v1.subscriptions.update(member.id, {"cancel_at_period_end": True, "metadata": {"a": "b"}})
    bench.v1.subscriptions.cancel(member.id, {"cancellation_details": {"feedback": "unused"}})


def changing_member(bench):
    member = bench.member(amount=600)
    item = member["items"].data[0]
    data = {"currency": "eur", "product": item.price.product, "recurring": {"interval": "month"}}
    cheaper = {"items": [{"id": item.id, "price_data": {**data, "unit_amount": 500}}]}
    bench.v1.subscriptions.update(member.id, {**cheaper, "proration_behavior": "always_invoice"})
    bench.v1.subscriptions.pause(member.id, {"bill_for": {"unused_time_from": {"type": "none"}}})
    bench.sandbox.advance(days=40)
    bench.control("card", {"customer": member.customer, "card_number": "4000002760003184"})
    bill = bench.v1.subscriptions.resume(member.id).latest_invoice
    bench.v1.invoices.mark_uncollectible(bill)
    new = {"price_data": {**data, "unit_amount": 900}}
    begun = bench.v1.subscriptions.create({"customer": member.customer, "items": [new]})
    bench.v1.invoices.void_invoice(begun.latest_invoice)


def refunded(bench):
    for card, params in (
        ("4242424242424242", {"amount": 500}),
        ("4000000000007726", {}),
        ("4000000000005126", {}),
    ):
        charge = bench.charge_of(bench.paid(card))
        bench.v1.refunds.create({"charge": charge.id, "reason": "requested_by_customer", **params})
    bench.sandbox.settle()
    bench.sandbox.advance(seconds=10)


def disputed(bench):
    for card in ("4000000000000259", "4000000000001976", "4000000000005423"):
        bench.paid(card)
    dispute = next(one for one in bench.v1.disputes.list().data if one.status == "needs_response")
    bench.control("dispute", {"dispute": dispute.id, "outcome": "won"})


def paid_out(bench):
    bench.paid()
    bench.control("payout", {"fails": True})
    bench.sandbox.advance(days=2)


def customers(bench):
    made = bench.v1.customers.create(
        {"email": "a@example.org", "address": {"country": "GE"}, "metadata": {"a": "b"}}
    )
    bench.paid(customer=made.id)
    bench.v1.customers.update(made.id, {"name": "Anna", "metadata": {"a": ""}})
    told = {"amount": -500, "currency": "eur", "description": "Sorry", "metadata": {"a": "b"}}
    bench.v1.customers.balance_transactions.create(made.id, told)
    bench.member(customer=made.id)
    bench.v1.customers.delete(made.id)


def in_the_portal(bench):
    member = bench.member()
    for flow in (None, *(portal.flow(kind, member) for kind in portal.FLOWS)):
        path = portal.opened(bench, member, flow)
        bench.browser.get(path)
    for card in ("4000000000000002", "4000002760003184", "4242424242424242"):
        path = portal.opened(bench, member)
        portal.offer(bench, path, card)
        bench.browser.post(f"{path}/bank", data={"outcome": "approve"})
    held = bench.v1.payment_methods.list({"customer": member.customer}).data
    bench.v1.payment_methods.detach(held[0].id)


FLOWS = (
    one_off,
    authenticated,
    declined,
    debited,
    expired,
    member,
    lapsing_member,
    debited_member,
    pausing_member,
    changing_member,
    refunded,
    disputed,
    paid_out,
    customers,
    in_the_portal,
)


def everything(bench):
    """Every object there is, by every list there is, and each of them fetched alone."""
    for route in LISTS:
        path = route.path
        if route.kind == "payment_method":
            continue
        after = ""
        while True:
            more = "&status=all" if route.kind == "subscription" else ""
            page = bench.raw("GET", f"{path}?limit=100{more}{after}").json
            yield from page["data"]
            for one in page["data"][:10]:
                yield bench.raw("GET", f"{path}/{one['id']}").json
            if not page["has_more"]:
                break
            after = f"&starting_after={page['data'][-1]['id']}"
    yield bench.raw("GET", "/v1/balance").json
    for charge in bench.raw("GET", "/v1/charges?limit=100").json["data"]:
        yield bench.raw("GET", f"/v1/payment_methods/{charge['payment_method']}").json
    for customer in bench.raw("GET", "/v1/customers?limit=100").json["data"]:
        moved = f"/v1/customers/{customer['id']}/balance_transactions"
        for one in bench.raw("GET", moved).json["data"]:
            yield bench.raw("GET", f"{moved}/{one['id']}").json
    for session in bench.raw("GET", "/v1/checkout/sessions?limit=100").json["data"]:
        yield from bench.raw("GET", f"/v1/checkout/sessions/{session['id']}/line_items").json["data"]


def held_against_the_sdk(obj):
    found = annotations.problems(obj, CLASSES[obj["object"]], obj["object"])
    if obj["object"] == "event":
        snapshot = obj["data"]["object"]
        found += annotations.problems(snapshot, CLASSES[snapshot["object"]], f"{obj['type']}:")
        # the preview of an invoice is the one object without an id
        if obj["type"] == "invoice.upcoming":
            found = [one for one in found if not one.endswith(".id: missing")]
        if obj["type"] not in EVENT_TYPES:
            found.append(f"{obj['type']} is no event of Stripe's")
    return found


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.__name__)
def test_every_object_is_what_the_sdk_says(bench, flow):
    flow(bench)
    bench.sandbox.settle()
    seen = list(everything(bench))
    assert len(seen) > 10
    assert sorted({problem for obj in seen for problem in held_against_the_sdk(obj)}) == []


def test_the_flows_make_every_kind_of_object(bench):
    for flow in FLOWS:
        flow(bench)
    bench.sandbox.settle()
    bench.sandbox.advance(seconds=10)
    kinds = {obj["object"] for obj in everything(bench)}
    # a portal session can only be made, and is shown in its event
    assert kinds == set(CLASSES) - {"line_item", "billing_portal.session"}


def test_expanded_objects_are_what_the_sdk_says(bench):
    member(bench)
    refunded(bench)
    bills = bench.raw(
        "GET",
        "/v1/invoices?expand[]=data.payments&expand[]=data.customer&expand[]=data.parent.subscription_details.subscription",
    ).json["data"]
    sessions = bench.raw(
        "GET", "/v1/checkout/sessions?expand[]=data.line_items&expand[]=data.payment_intent.latest_charge"
    ).json["data"]
    charges = bench.raw(
        "GET", "/v1/charges?expand[]=data.refunds&expand[]=data.balance_transaction.source"
    ).json["data"]
    subs = bench.raw("GET", "/v1/subscriptions?expand[]=data.latest_invoice.payments").json["data"]
    for obj in (*bills, *sessions, *charges, *subs):
        assert held_against_the_sdk(obj) == []
    assert bills[0]["payments"]["data"][0]["object"] == "invoice_payment"
    assert bills[0]["parent"]["subscription_details"]["subscription"]["object"] == "subscription"
    assert sessions[-1]["line_items"]["data"][0]["price"]["unit_amount"] == 500
    assert charges[0]["refunds"]["data"][0]["object"] == "refund"
    assert charges[0]["balance_transaction"]["source"]["object"] == "charge"


def test_an_invoice_shows_its_payments_only_when_asked(bench):
    bench.member()
    plain = bench.raw("GET", "/v1/invoices").json["data"][0]
    assert "payments" not in plain
    assert not {"charge", "payment_intent", "subscription", "paid"} & set(plain)


# the last word of an address that names what is done
VERBS = frozenset(
    ("attach", "cancel", "create_preview", "detach", "expire", "mark_uncollectible", "pause", "pay", "resume")
)


def _params_class(route):
    """The SDK's TypedDict for a call, by Stripe's own naming."""
    place, noun = (
        ("checkout", "session") if "/checkout/" in route.path else ("", route.path.split("/")[2][:-1])
    )
    if "/billing_portal/" in route.path:
        place, noun = "billing_portal", route.path.split("/")[3][:-1]
    if "early_fraud_warnings" in route.path:
        place, noun = "radar", "early_fraud_warning"
    tail = route.path.rsplit("/", 1)[-1]
    verb = {
        "POST": "update" if tail == "<id>" else "create",
        "DELETE": "cancel" if noun == "subscription" else "delete",
        "GET": "list" if route.many else "retrieve",
    }[route.method]
    if tail in VERBS:
        verb = tail
    elif tail == "void":
        verb = "void_invoice"
    elif tail == "line_items":
        noun, verb = "session", "list_line_items"
    elif tail == "payment_methods" and "<id>" in route.path:
        noun, verb = "customer", "list_payment_methods"
    elif "balance_transactions" in route.path and noun == "customer":
        noun = "customer_balance_transaction"
    elif tail == "balance":
        noun = "balance"
    name = f"{noun}_{verb}"
    folder = f"stripe.params.{place}" if place else "stripe.params"
    module = importlib.import_module(f"{folder}._{name}_params")
    return getattr(module, "".join(part.title() for part in name.split("_")) + "Params")


def _unknown(shape, typed_dicts, where):
    known = {name: hint for one in typed_dicts for name, hint in annotations.parameters(one).items()}
    out = []
    for name, param in shape.fields.items():
        if name not in known:
            out.append(f"{where}[{name}]")
            continue
        inner = param.of if isinstance(param, Items) else param
        if isinstance(inner, Shape):
            out += _unknown(inner, annotations.typed_dicts(known[name]), f"{where}[{name}]")
    return out


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_parameter_is_one_the_sdk_knows(route):
    assert _unknown(route.takes, [_params_class(route)], route.path) == []


def test_required_parameters_are_required_by_the_sdk_too():
    create = next(route for route in ROUTES if route.path == "/v1/prices" and route.method == "POST")
    required = {name for name, param in create.takes.fields.items() if param.required}
    assert required == {"currency"}
    assert "currency" in _params_class(create).__required_keys__


def test_each_event_carries_its_version_and_what_changed(bench):
    bench.paid()
    event = json.loads(str(bench.last_event("charge.updated")))
    assert event["api_version"] == "2026-10-28.endive"
    assert event["livemode"] is False
    assert event["data"]["previous_attributes"] == {"balance_transaction": None}
    assert event["data"]["object"]["balance_transaction"].startswith("txn_")


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda charge: charge.update(invoice="in_1"), "charge.invoice: not in Charge"),
        (lambda charge: charge.pop("paid"), "charge.paid: missing"),
        (lambda charge: charge.update(amount="2000"), "charge.amount: '2000' is no <class 'int'>"),
        (lambda charge: charge.update(captured=1), "charge.captured: 1 is no <class 'bool'>"),
        (
            lambda charge: charge.update(refunded=None),
            "charge.refunded: null, which <class 'bool'> does not allow",
        ),
        (
            lambda charge: charge["payment_method_details"]["card"].update(exp_month="1"),
            "charge.payment_method_details.card.exp_month: '1' is no <class 'int'>",
        ),
        (
            lambda charge: charge["billing_details"].update(shoe_size=44),
            "charge.billing_details.shoe_size: not in Charge.BillingDetails",
        ),
    ],
)
def test_the_comparison_finds_what_is_wrong(bench, spoil, found):
    bench.paid()
    charge = bench.raw("GET", "/v1/charges").json["data"][0]
    assert held_against_the_sdk(charge) == []
    spoil(charge)
    assert held_against_the_sdk(charge) == [found]
