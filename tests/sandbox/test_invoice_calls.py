"""Previews, and invoices paid, voided and written off by the API; subscriptions that the API begins."""

import pytest
import stripe

from tests.sandbox.test_faithfulness import held_against_the_sdk

DAY = 86_400
FAILING = "4000000000000341"
ALWAYS_ASKS = "4000002760003184"
MASTERCARD = "5555555555554444"


def give_card(bench, member, number):
    return bench.control("card", {"customer": member.customer, "card_number": number})["id"]


def to_price(member, amount, interval="month"):
    item = member["items"].data[0]
    recurring = {"interval": interval}
    data = {"currency": "eur", "product": item.price.product, "recurring": recurring, "unit_amount": amount}
    return {"items": [{"id": item.id, "price_data": data}]}


def bills(bench, member):
    return bench.v1.invoices.list({"subscription": member.id, "limit": 100}).data[::-1]


def status(bench, member):
    return bench.v1.subscriptions.retrieve(member.id).status


def preview(bench, member, **details):
    more = {"subscription_details": details} if details else {}
    return bench.v1.invoices.create_preview({"subscription": member.id, **more})


def everything(bench, member):
    lists = ("customers", "subscriptions", "invoices", "prices", "payment_intents", "charges")
    seen = {name: bench.raw("GET", f"/v1/{name}?limit=100").json for name in lists}
    return seen, bench.events(), bench.sandbox.account.next_due()


def past_due(bench):
    """A member whose renewal has just failed for the first time, and that invoice."""
    member = bench.member()
    give_card(bench, member, FAILING)
    bench.sandbox.advance(days=32)
    bill = bills(bench, member)[-1]
    assert (bill.status, bill.attempt_count, status(bench, member)) == ("open", 1, "past_due")
    return member, bill


# previews


@pytest.mark.parametrize("amount", [1900, 100, 530], ids=["more", "less", "too little to charge"])
@pytest.mark.parametrize("behavior", ["always_invoice", "create_prorations", "none"])
def test_a_preview_says_what_the_update_says(bench, behavior, amount):
    member = bench.member()
    at = {} if behavior == "none" else {"proration_date": bench.sandbox.now() + 9 * DAY + 1234}
    params = {**to_price(member, amount), "proration_behavior": behavior, **at}
    before = everything(bench, member)
    seen = preview(bench, member, **params)
    assert everything(bench, member) == before
    assert seen.id.startswith("upcoming_in_")
    assert (seen.status, seen.billing_reason, seen.number) == ("draft", "upcoming", None)
    bench.v1.subscriptions.update(member.id, params)
    if behavior != "always_invoice":
        bench.sandbox.advance(days=32)
    bill = bills(bench, member)[-1]
    for name in ("total", "amount_due", "subtotal", "currency", "starting_balance"):
        assert getattr(seen, name) == getattr(bill, name), name
    for shown, real in zip(seen.lines.data, bill.lines.data, strict=True):
        assert (shown.amount, shown.description) == (real.amount, real.description)
        assert shown.period.to_dict() == real.period.to_dict()
        assert (
            shown.parent.subscription_item_details.proration
            == real.parent.subscription_item_details.proration
        )


def test_a_preview_of_another_interval(bench):
    member = bench.member()
    at = bench.sandbox.now() + 9 * DAY
    seen = preview(bench, member, **to_price(member, 5000, "year"), proration_date=at)
    bench.v1.subscriptions.update(member.id, {**to_price(member, 5000, "year"), "proration_date": at})
    real = bills(bench, member)[-1]
    assert [line.amount for line in seen.lines.data] == [line.amount for line in real.lines.data]
    assert seen.amount_due == real.amount_paid > 4000


def test_a_preview_of_what_comes_next(bench):
    member = bench.member()
    end = member["items"].data[0].current_period_end
    seen = preview(bench, member)
    assert (seen.total, seen.created, seen.next_payment_attempt) == (500, end, end + 3600)
    assert seen.lines.data[0].period.start == end
    with pytest.raises(stripe.InvalidRequestError) as caught:
        preview(bench, member, cancel_at_period_end=True)
    assert (caught.value.http_status, caught.value.code) == (404, "invoice_upcoming_none")
    assert preview(bench, member, cancel_now=True, proration_behavior="always_invoice").total in {-500, -499}
    changed = to_price(member, 900)
    recurring = bench.v1.invoices.create_preview(
        {"subscription": member.id, "subscription_details": changed, "preview_mode": "recurring"}
    )
    assert [line.amount for line in recurring.lines.data] == [900]


def test_a_preview_of_a_new_subscription(bench):
    member = bench.member()
    price = member["items"].data[0].price
    data = {
        "currency": "eur",
        "product": price.product,
        "recurring": {"interval": "year"},
        "unit_amount": 70_00,
    }
    asked = {"customer": member.customer, "subscription_details": {"items": [{"price_data": data}]}}
    before = everything(bench, member)
    assert bench.v1.invoices.create_preview(asked).amount_due == 7000
    assert everything(bench, member) == before
    with pytest.raises(stripe.InvalidRequestError):
        bench.v1.invoices.create_preview({"customer": member.customer})


def test_previews_are_what_the_sdk_says(bench):
    member = bench.member()
    asked = {"subscription": member.id, "subscription_details[billing_cycle_anchor][type]": "now"}
    for data in ({"subscription": member.id}, asked):
        body = bench.raw("POST", "/v1/invoices/create_preview", data=data).json
        assert held_against_the_sdk(body) == []


# paying by hand


def test_paying_makes_a_subscription_active_again(bench):
    member, bill = past_due(bench)
    card = give_card(bench, member, MASTERCARD)
    paid = bench.v1.invoices.pay(bill.id, {"payment_method": card})
    assert (paid.status, paid.amount_paid, paid.amount_remaining, paid.attempt_count) == ("paid", 500, 0, 1)
    assert status(bench, member) == "active"
    bench.sandbox.advance(days=10)
    assert bench.control("state")["charges"] == 2
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        bench.v1.invoices.pay(bill.id)


@pytest.mark.parametrize(
    ("card", "code"), [(FAILING, "card_declined"), (ALWAYS_ASKS, "authentication_required")]
)
def test_a_refused_payment_stays_on_record_and_changes_no_plan(bench, card, code):
    member, bill = past_due(bench)
    give_card(bench, member, card)
    failed = bench.events("invoice.payment_failed")
    with pytest.raises(stripe.CardError) as caught:
        bench.v1.invoices.pay(bill.id)
    assert (caught.value.http_status, caught.value.code) == (402, code)
    charge = bench.v1.charges.list({"customer": member.customer, "limit": 1}).data[0]
    assert (charge.id, charge.status) == (caught.value.error.charge, "failed")
    after = bench.v1.invoices.retrieve(bill.id)
    assert (after.status, after.attempt_count) == ("open", 1)
    assert after.next_payment_attempt == bill.next_payment_attempt
    assert len(bench.events("invoice.payment_failed")) == len(failed) + 1
    assert bench.events().count("invoice.payment_action_required") == (1 if card == ALWAYS_ASKS else 0)
    assert status(bench, member) == "past_due"
    give_card(bench, member, MASTERCARD)
    bench.sandbox.advance(days=3)
    assert (status(bench, member), bills(bench, member)[-1].attempt_count) == ("active", 2)


def test_a_refused_payment_is_told_again_under_its_key(bench):
    _member, bill = past_due(bench)
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            bench.v1.invoices.pay(bill.id, options={"idempotency_key": "once"})
    assert bench.events().count("charge.failed") == 2, "the renewal's and one more"


def test_the_payment_of_an_invoice_ends_with_the_invoice(bench):
    _member, bill = past_due(bench)
    intent = bench.v1.invoice_payments.list({"invoice": bill.id}).data[0].payment.payment_intent
    with pytest.raises(stripe.InvalidRequestError, match="void the invoice"):
        bench.v1.payment_intents.cancel(intent)
    bench.v1.invoices.void_invoice(bill.id)
    assert bench.v1.payment_intents.retrieve(intent).status == "canceled"
    assert bench.v1.invoice_payments.list({"invoice": bill.id}).data[0].status == "canceled"


def test_somebody_elses_card_pays_nothing(bench):
    _member, bill = past_due(bench)
    other = bench.member()
    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method"):
        bench.v1.invoices.pay(bill.id, {"payment_method": other.default_payment_method})


@pytest.mark.parametrize(
    ("verb", "left"), [("void_invoice", "void"), ("mark_uncollectible", "uncollectible")]
)
def test_an_invoice_given_up_is_asked_for_no_more(bench, verb, left):
    member, bill = past_due(bench)
    given_up = getattr(bench.v1.invoices, verb)(bill.id)
    assert (given_up.status, given_up.next_payment_attempt) == (left, None)
    assert f"invoice.{'voided' if left == 'void' else 'marked_uncollectible'}" in bench.events()
    assert status(bench, member) == "active"
    bench.sandbox.advance(days=10)
    assert bills(bench, member)[-1].attempt_count == 1
    give_card(bench, member, MASTERCARD)
    if left == "void":
        with pytest.raises(stripe.InvalidRequestError, match="void"):
            bench.v1.invoices.pay(bill.id)
    else:
        assert bench.v1.invoices.pay(bill.id).status == "paid"
    with pytest.raises(stripe.InvalidRequestError):
        bench.v1.invoices.void_invoice(bills(bench, member)[0].id)


def test_voiding_gives_used_credit_back(bench):
    member = bench.member(amount=900)
    soon = {"proration_behavior": "always_invoice", "proration_date": member.start_date}
    bench.v1.subscriptions.update(member.id, {**to_price(member, 700), **soon})
    give_card(bench, member, FAILING)
    bench.sandbox.advance(days=32)
    bill = bills(bench, member)[-1]
    assert (bill.total, bill.starting_balance, bill.ending_balance, bill.amount_due) == (700, -200, 0, 500)
    assert bench.v1.customers.retrieve(member.customer).balance == 0
    bench.v1.invoices.void_invoice(bill.id)
    assert bench.v1.customers.retrieve(member.customer).balance == -200


def test_the_page_of_an_invoice_has_a_secret_of_its_own(bench):
    member = bench.member()
    preview_of_it = preview(bench, member)
    assert preview_of_it.hosted_invoice_url is None
    bill = bills(bench, member)[0]
    base, _, token = bill.hosted_invoice_url.rpartition("/")
    assert base == "http://localhost:8001/invoice"
    assert token.startswith(f"{bill.id}_")
    assert len(token) == len(bill.id) + 25


def test_invoices_are_found_by_customer_subscription_and_status(bench):
    member, bill = past_due(bench)
    for more in ({"customer": member.customer}, {"subscription": member.id}):
        found = bench.v1.invoices.list({"status": "open", **more}).data
        assert [one.id for one in found] == [bill.id]


# begun by the API


def begin(bench, card=None, **more):
    """A subscription of 7.00 a month for somebody whose card is on file."""
    member = bench.member()
    bench.v1.subscriptions.cancel(member.id)
    if card:
        give_card(bench, member, card)
    product = member["items"].data[0].price.product
    data = {"currency": "eur", "product": product, "recurring": {"interval": "month"}, "unit_amount": 700}
    method = {} if card else {"default_payment_method": member.default_payment_method}
    asked = {"customer": member.customer, "items": [{"price_data": data}], **method, **more}
    return bench.v1.subscriptions.create({**asked, "expand": ["latest_invoice"]})


def test_a_subscription_begun_by_the_api(bench):
    begun = begin(bench, metadata={"a": "b"}, off_session=True)
    assert (begun.status, begun.metadata.to_dict(), begun.currency) == ("active", {"a": "b"}, "eur")
    assert (begun.latest_invoice.billing_reason, begun.latest_invoice.amount_paid) == (
        "subscription_create",
        700,
    )
    bench.sandbox.advance(days=32)
    assert [bill.amount_paid for bill in bills(bench, begun)] == [700, 700]


def test_a_first_payment_that_fails_waits_for_a_day(bench):
    begun = begin(bench, card=FAILING)
    bill = begun.latest_invoice
    assert (begun.status, bill.status, bill.next_payment_attempt) == ("incomplete", "open", None)
    give_card(bench, begun, MASTERCARD)
    bench.v1.invoices.pay(bill.id)
    assert status(bench, begun) == "active"
    late = begin(bench, card=FAILING)
    bench.sandbox.advance(days=1)
    assert (status(bench, late), bills(bench, late)[0].status) == ("incomplete_expired", "void")
    bench.sandbox.advance(days=40)
    assert len(bills(bench, late)) == 1


def test_a_first_payment_that_must_not_fail(bench):
    with pytest.raises(stripe.CardError):
        begin(bench, card=FAILING, payment_behavior="error_if_incomplete")
    assert bench.events().count("customer.subscription.created") == 1, "of the Checkout before"
    assert bench.v1.subscriptions.list().data == []


def test_the_first_payment_can_be_left_to_the_page(bench):
    begun = begin(bench, payment_behavior="default_incomplete")
    assert (begun.status, begun.latest_invoice.status, begun.latest_invoice.attempt_count) == (
        "incomplete",
        "open",
        0,
    )
    bench.v1.invoices.pay(begun.latest_invoice.id)
    assert status(bench, begun) == "active"
