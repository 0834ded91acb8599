"""A customer's balance: what moved it is listed, and it is moved by hand as strictly as at Stripe."""

import pytest
import stripe

from tests.sandbox.test_invoice_calls import to_price


def moves(bench, customer):
    found = bench.v1.customers.balance_transactions.list(customer).data
    return [(one.type, one.amount, one.ending_balance) for one in found]


def test_a_balance_is_moved_by_hand_once_per_key(bench):
    customer = bench.v1.customers.create({"email": "a@example.org"}).id
    told = {"amount": -700, "currency": "eur"}
    bench.v1.customers.balance_transactions.create(customer, told)
    back = {"amount": 700, "currency": "eur", "metadata": {"membership": "m"}, "description": "Given back"}
    for _ in range(2):
        made = bench.v1.customers.balance_transactions.create(customer, back, {"idempotency_key": "k"})
    assert (made.ending_balance, made.metadata["membership"], made.id[:6]) == (0, "m", "cbtxn_")
    assert moves(bench, customer) == [("adjustment", 700, 0), ("adjustment", -700, -700)]
    now = bench.v1.customers.retrieve(customer)
    assert (now.balance, now.currency) == (0, "eur")
    assert bench.v1.customers.balance_transactions.retrieve(customer, made.id).amount == 700
    other = bench.v1.customers.create().id
    with pytest.raises(stripe.InvalidRequestError, match="No such"):
        bench.v1.customers.balance_transactions.retrieve(other, made.id)


def test_what_an_invoice_does_to_the_balance_is_listed_too(bench):
    member = bench.member(amount=900)
    soon = {"proration_behavior": "always_invoice", "proration_date": member.start_date}
    bench.v1.subscriptions.update(member.id, {**to_price(member, 700), **soon})
    bench.sandbox.advance(days=32)
    assert moves(bench, member.customer) == [
        ("applied_to_invoice", 200, 0), ("applied_to_invoice", -200, -200),
    ]  # fmt: skip
    used = bench.v1.customers.balance_transactions.list(member.customer).data[0].invoice
    found = bench.v1.customers.balance_transactions.list(member.customer, {"invoice": used}).data
    assert [one.amount for one in found] == [200]


@pytest.mark.parametrize(
    ("told", "param"),
    [({"currency": "eur"}, "amount"), ({"amount": 5}, "currency"), ({"amount": "5.5", "currency": "eur"}, "amount"),
     ({"amount": 5, "currency": "xyz"}, "currency"), ({"amount": 5, "currency": "usd"}, "currency"),
     ({"amount": 5, "currency": "eur", "type": "adjustment"}, "type")],
)  # fmt: skip
def test_a_move_that_stripe_would_not_make_is_refused(bench, told, param):
    customer = bench.member().customer
    with pytest.raises(stripe.InvalidRequestError) as refused:
        bench.v1.customers.balance_transactions.create(customer, told)
    assert refused.value.param == param
    assert bench.v1.customers.retrieve(customer).balance == 0


def test_a_deleted_customer_has_no_balance_to_move(bench):
    customer = bench.member().customer
    bench.v1.customers.delete(customer)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        bench.v1.customers.balance_transactions.create(customer, {"amount": 5, "currency": "eur"})
    assert refused.value.http_status == 404
