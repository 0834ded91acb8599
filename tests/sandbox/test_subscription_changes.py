"""Another price, interval, quantity or means in the middle of a period, to the cent and to the second."""

from datetime import UTC, datetime

import pytest
import stripe

DAY = 86_400
HALF = 14 * DAY  # of a February
FAILING = "4000000000000341"
ALWAYS_ASKS = "4000002760003184"


def moment(year, month, day):
    return int(datetime(year, month, day, 12, tzinfo=UTC).timestamp())


def stand_at(bench, when):
    bench.sandbox.advance(seconds=when - bench.sandbox.now())


def february(bench, **how):
    """A member whose period is the whole of a February: from its first noon to that of March."""
    stand_at(bench, moment(2027, 2, 1))
    return bench.member(**{"amount": 500, **how})


def to_price(bench, member, amount, interval="month", currency="eur", **item):
    old = member["items"].data[0]
    data = {
        "currency": currency,
        "product": old.price.product,
        "recurring": {"interval": interval},
        "unit_amount": amount,
    }
    return {"items": [{"id": old.id, "price_data": data, **item}]}


def change(bench, member, params, **more):
    return bench.v1.subscriptions.update(member.id, {**params, **more, "expand": ["latest_invoice.payments"]})


def begun(member):
    return member["items"].data[0].current_period_start


def amounts(bill):
    return [line.amount for line in bill.lines.data]


def now_of(bench, member, *expand):
    return bench.v1.subscriptions.retrieve(member.id, {"expand": list(expand)})


def bills(bench, member):
    return bench.v1.invoices.list({"subscription": member.id, "limit": 100}).data[::-1]


def give_card(bench, member, number):
    bench.control("card", {"customer": member.customer, "card_number": number})


# to the cent


def test_half_a_month_is_half_a_month(bench):
    member = february(bench)
    at = begun(member) + HALF
    changed = change(
        bench, member, to_price(bench, member, 900), proration_behavior="always_invoice", proration_date=at
    )
    bill = changed.latest_invoice
    end = begun(member) + 28 * DAY
    back, charged = bill.lines.data
    assert (back.amount, back.period.start, back.period.end) == (-250, at, end)
    assert (charged.amount, charged.period.start, charged.period.end) == (450, at, end)
    for line in (back, charged):
        assert line.parent.subscription_item_details.proration is True
        assert line.parent.subscription_item_details.subscription == member.id
    assert back.description.startswith("Unused time on ")
    assert charged.description.startswith("Remaining time on ")
    first = bills(bench, member)[0]
    credited = back.parent.subscription_item_details.proration_details.credited_items
    assert (credited.invoice, credited.invoice_line_items) == (first.id, [first.lines.data[0].id])
    assert (bill.total, bill.amount_due, bill.amount_paid, bill.amount_remaining) == (200, 200, 200, 0)
    assert (bill.status, bill.billing_reason, bill.attempt_count) == ("paid", "subscription_update", 1)
    assert [one.amount_paid for one in bill.payments.data] == [200]
    item = changed["items"].data[0]
    assert (item.id, item.price.unit_amount) == (member["items"].data[0].id, 900)
    assert (item.current_period_start, item.current_period_end) == (begun(member), end)
    assert bench.control("state")["charged"] == 700


@pytest.mark.parametrize(
    ("start", "days", "prices", "lines"),
    [
        ((2027, 1, 31), 10, (500, 900), [-321, 579]),  # until 28 February: 18 of 28 days are left
        ((2027, 3, 31), 9, (1000, 700), [-700, 490]),  # until 30 April
        ((2028, 2, 1), 1, (1999, 2999), [-1930, 2896]),  # a leap year's February
        ((2027, 2, 1), 0, (500, 900), [-500, 900]),  # everything is
    ],
)
def test_what_is_left_of_a_month_counts_by_the_second(bench, start, days, prices, lines):
    was, will = prices
    stand_at(bench, moment(*start))
    member = bench.member(amount=was)
    at = begun(member) + days * DAY
    changed = change(
        bench, member, to_price(bench, member, will), proration_behavior="always_invoice", proration_date=at
    )
    assert amounts(changed.latest_invoice) == lines


def test_a_leap_year_has_366_days(bench):
    stand_at(bench, moment(2028, 1, 1))
    member = bench.member(amount=6000, interval="year")
    at = begun(member) + 66 * DAY
    params = to_price(bench, member, 12_000, "year")
    changed = change(bench, member, params, proration_behavior="always_invoice", proration_date=at)
    assert amounts(changed.latest_invoice) == [-4918, 9836]


def test_more_of_the_same_is_charged_for_each(bench):
    member = february(bench)
    item = member["items"].data[0]
    at = begun(member) + HALF
    three = {"items": [{"id": item.id, "quantity": 3}]}
    changed = change(bench, member, three, proration_behavior="always_invoice", proration_date=at)
    assert amounts(changed.latest_invoice) == [-250, 750]
    assert changed["items"].data[0].quantity == 3
    again = change(bench, changed, to_price(bench, changed, 600), proration_behavior="none")
    assert again["items"].data[0].quantity == 1, "another price sets the quantity back"


def test_only_what_was_charged_is_given_back(bench):
    member = february(bench)
    at = begun(member) + HALF
    change(bench, member, to_price(bench, member, 4000), proration_behavior="none")
    changed = change(
        bench, member, to_price(bench, member, 900), proration_behavior="always_invoice", proration_date=at
    )
    assert amounts(changed.latest_invoice) == [-250, 450]
    classic = bench.member(amount=500, subscription_data={"billing_mode": {"type": "classic"}})
    change(bench, classic, to_price(bench, classic, 4000), proration_behavior="none")
    day = begun(classic) + HALF
    params = to_price(bench, classic, 900)
    changed = change(bench, classic, params, proration_behavior="always_invoice", proration_date=day)
    assert amounts(changed.latest_invoice) == [-2000, 450]


def test_two_changes_in_one_period_give_back_what_the_first_charged(bench):
    member = february(bench)
    for days, amount, lines in ((14, 900, [-250, 450]), (21, 500, [-225, 125])):
        changed = change(
            bench,
            member,
            to_price(bench, member, amount),
            proration_behavior="always_invoice",
            proration_date=begun(member) + days * DAY,
        )
        assert amounts(changed.latest_invoice) == lines


def test_by_default_a_change_waits_for_the_next_invoice(bench):
    member = february(bench)
    changed = change(bench, member, to_price(bench, member, 900), proration_date=begun(member) + HALF)
    assert changed.latest_invoice.billing_reason == "subscription_create"
    bench.sandbox.advance(days=29)
    bill = bills(bench, member)[-1]
    assert (amounts(bill), bill.total, bill.amount_paid) == ([-250, 450, 900], 1100, 1100)
    bench.sandbox.advance(days=32)
    assert amounts(bills(bench, member)[-1]) == [900]


def test_another_item_comes_and_goes(bench):
    member = february(bench)
    item = member["items"].data[0]
    at = begun(member) + HALF
    price = bench.v1.prices.create(
        {
            "currency": "eur",
            "unit_amount": 300,
            "product": item.price.product,
            "recurring": {"interval": "month"},
        }
    )
    both = change(
        bench,
        member,
        {"items": [{"price": price.id}]},
        proration_behavior="always_invoice",
        proration_date=at,
    )
    assert amounts(both.latest_invoice) == [150]
    left = change(
        bench,
        member,
        {"items": [{"id": item.id, "deleted": True}]},
        proration_behavior="always_invoice",
        proration_date=at,
    )
    assert amounts(left.latest_invoice) == [-250]
    assert [one.price.id for one in left["items"].data] == [price.id]
    with pytest.raises(stripe.InvalidRequestError, match="at least one item"):
        change(bench, member, {"items": [{"id": left["items"].data[0].id, "deleted": True}]})


# another rhythm


def test_a_year_instead_of_a_month_begins_now(bench):
    member = february(bench)
    bench.sandbox.advance(seconds=HALF)
    at = begun(member) + HALF
    changed = change(bench, member, to_price(bench, member, 5000, "year"), proration_date=at)
    bill = changed.latest_invoice
    assert (amounts(bill), bill.status, bill.amount_paid) == ([-250, 5000], "paid", 4750)
    assert [line.parent.subscription_item_details.proration for line in bill.lines.data] == [True, False]
    item = changed["items"].data[0]
    assert item.current_period_start == changed.billing_cycle_anchor
    assert begun(member) + HALF <= item.current_period_start < begun(member) + HALF + 60
    assert item.current_period_end - item.current_period_start == 365 * DAY
    bench.sandbox.advance(days=364)
    assert len(bills(bench, member)) == 2, "the old month is over and forgotten"
    bench.sandbox.advance(days=2)
    assert bills(bench, member)[-1].total == 5000


def test_an_anchor_now_begins_a_period_and_its_kin_does_not(bench):
    member = february(bench)
    bench.sandbox.advance(seconds=HALF)
    same = change(bench, member, {"billing_cycle_anchor": {"type": "unchanged"}})
    assert same.billing_cycle_anchor == member.billing_cycle_anchor
    moved = change(
        bench, member, {"billing_cycle_anchor": {"type": "now"}, "proration_date": begun(member) + HALF}
    )
    assert moved.billing_cycle_anchor > member.billing_cycle_anchor
    assert amounts(moved.latest_invoice) == [-250, 500]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        change(bench, member, {"billing_cycle_anchor": "now"})
    assert caught.value.param == "billing_cycle_anchor"


# who pays


def test_a_cheaper_price_leaves_a_credit_that_the_next_invoices_use(bench):
    member = february(bench, amount=2000)
    at = begun(member) + HALF
    changed = change(
        bench, member, to_price(bench, member, 500), proration_behavior="always_invoice", proration_date=at
    )
    bill = changed.latest_invoice
    assert (amounts(bill), bill.total, bill.amount_due, bill.amount_paid) == ([-1000, 250], -750, 0, 0)
    assert (bill.status, bill.starting_balance, bill.ending_balance) == ("paid", 0, -750)
    assert (bill.payments.data, bill.attempt_count) == ([], 0)
    assert bench.v1.customers.retrieve(member.customer).balance == -750
    assert bench.last_event("customer.updated").data.previous_attributes["balance"] == 0
    bench.sandbox.advance(days=29)
    second = bills(bench, member)[-1]
    assert (second.total, second.amount_due, second.starting_balance, second.ending_balance) == (
        500,
        0,
        -750,
        -250,
    )
    assert second.status == "paid"
    bench.sandbox.advance(days=32)
    third = bills(bench, member)[-1]
    assert (third.total, third.amount_due, third.amount_paid) == (500, 250, 250)
    assert (third.starting_balance, third.ending_balance) == (-250, 0)
    assert bench.control("state")["charged"] == 2250


def test_what_is_too_little_to_charge_waits_on_the_balance(bench):
    member = february(bench)
    at = begun(member) + 26 * DAY
    changed = change(
        bench, member, to_price(bench, member, 900), proration_behavior="always_invoice", proration_date=at
    )
    bill = changed.latest_invoice
    assert (bill.total, bill.amount_due, bill.status, bill.ending_balance) == (28, 0, "paid", 28)
    bench.sandbox.advance(days=29)
    assert bills(bench, member)[-1].amount_paid == 928


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        (FAILING, "card_declined", "generic_decline"),
        (ALWAYS_ASKS, "subscription_payment_intent_requires_action", None),
    ],
)
def test_a_change_that_cannot_be_paid_is_no_change(bench, card, code, decline_code):
    member = february(bench)
    give_card(bench, member, card)
    before = (now_of(bench, member).to_dict(), bench.events(), bench.control("state"))
    prices = [price.id for price in bench.v1.prices.list({"limit": 100}).data]
    with pytest.raises(stripe.CardError) as caught:
        change(
            bench,
            member,
            to_price(bench, member, 900),
            proration_behavior="always_invoice",
            payment_behavior="error_if_incomplete",
            proration_date=begun(member) + HALF,
        )
    assert (caught.value.http_status, caught.value.code) == (402, code)
    assert getattr(caught.value.error, "decline_code", None) == decline_code
    assert (now_of(bench, member).to_dict(), bench.events(), bench.control("state")) == before
    assert [price.id for price in bench.v1.prices.list({"limit": 100}).data] == prices
    assert len(bills(bench, member)) == 1


def test_else_the_change_stands_and_the_subscription_is_past_due(bench):
    member = february(bench)
    give_card(bench, member, ALWAYS_ASKS)
    changed = change(
        bench,
        member,
        to_price(bench, member, 900),
        proration_behavior="always_invoice",
        proration_date=begun(member) + HALF,
    )
    bill = changed.latest_invoice
    assert (changed.status, changed["items"].data[0].price.unit_amount) == ("past_due", 900)
    assert (bill.status, bill.attempt_count, bill.amount_remaining) == ("open", 1, 200)
    assert bill.next_payment_attempt is None, "it waits for its member"
    events = bench.events()
    assert {"invoice.payment_failed", "invoice.payment_action_required"} <= set(events)
    give_card(bench, member, "5555555555554444")
    bench.v1.invoices.pay(bill.id)
    assert now_of(bench, member).status == "active"


def test_the_events_of_a_change_in_their_order(bench):
    member = february(bench)
    seen = len(bench.events())
    change(
        bench,
        member,
        to_price(bench, member, 900),
        proration_behavior="always_invoice",
        proration_date=begun(member) + HALF,
    )
    assert bench.events()[seen:] == [
        "price.created",
        "invoice.created",
        "customer.subscription.updated",
        "payment_intent.created",
        "invoice.finalized",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice_payment.paid",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]


# refusals


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"currency": "gel"}, "expected currency: `eur`"),
        ({"proration_date": 1}, "within the current period"),
        ({"payment_behavior": "pending_if_incomplete"}, "payment_behavior"),
        ({"off_session": "false"}, "off_session"),
        ({"trial_end": "now"}, "unknown parameter"),
    ],
)
def test_what_stripe_or_the_pretend_one_does_not_do(bench, params, said):
    member = february(bench)
    asked = to_price(bench, member, 900, currency=params.pop("currency", "eur"))
    before = bench.events()
    with pytest.raises(stripe.InvalidRequestError, match=said):
        change(bench, member, asked, **params)
    assert bench.events() == before


def test_an_item_of_somebody_else_is_none(bench):
    member, other = february(bench), bench.member()
    with pytest.raises(stripe.InvalidRequestError) as caught:
        change(bench, member, to_price(bench, other, 900))
    assert caught.value.code == "resource_missing"


# an end of its own


def test_an_end_in_a_later_period_makes_that_period_shorter(bench):
    member = february(bench)
    end = begun(member) + 28 * DAY + 31 * DAY * 2 // 5
    asked = change(bench, member, {"cancel_at": end})
    assert (asked.cancel_at, asked.cancel_at_period_end, asked.status) == (end, False, "active")
    bench.sandbox.advance(days=29)
    bill = bills(bench, member)[-1]
    assert (amounts(bill), bill.lines.data[0].period.end) == ([200], end)
    bench.sandbox.advance(days=20)
    ended = now_of(bench, member)
    assert (ended.status, ended.ended_at) == ("canceled", end)


def test_an_end_within_the_period_and_its_taking_back(bench):
    member = february(bench)
    soon = begun(member) + HALF
    with pytest.raises(stripe.InvalidRequestError, match="proration_behavior=none"):
        change(bench, member, {"cancel_at": soon})
    change(bench, member, {"cancel_at": soon, "proration_behavior": "none"})
    assert change(bench, member, {"cancel_at": ""}).cancel_at is None
    bench.sandbox.advance(days=15)
    assert now_of(bench, member).status == "active"
    later = begun(member) + 20 * DAY
    change(bench, member, {"cancel_at": later, "proration_behavior": "none"})
    bench.sandbox.advance(days=6)
    assert now_of(bench, member).ended_at == later


def test_cancelling_may_give_time_back(bench):
    member = february(bench, amount=2000)
    bench.sandbox.advance(seconds=HALF)
    bench.v1.subscriptions.cancel(member.id, {"prorate": True, "invoice_now": True})
    bill = bills(bench, member)[-1]
    assert bill.status == "paid"
    assert -1000 <= bill.total <= -999
    assert bench.v1.customers.retrieve(member.customer).balance == bill.total
