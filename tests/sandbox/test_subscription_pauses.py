"""A paused subscription: nothing is invoiced, unused time comes back, and the way back is paid first."""

import pytest
import stripe

DAY = 86_400
HALF = 14 * DAY
FAILING = "4000000000000341"
KEPT = {"bill_for": {"unused_time_from": {"type": "none"}}}
PAID_FIRST = {"payment_behavior": "resume_on_payment_success"}


@pytest.fixture
def member(bench):
    """Of 5.00 a month, in a period of 28 days; half of it is over."""
    begin = 1_801_483_200  # the first of February 2027, noon
    bench.sandbox.advance(seconds=begin - bench.sandbox.now())
    made = bench.member()
    assert made["items"].data[0].current_period_end == made.start_date + 28 * DAY
    bench.sandbox.advance(seconds=made.start_date + HALF - bench.sandbox.now())
    return made


def pause(bench, member, **more):
    return bench.v1.subscriptions.pause(member.id, more)


def resume(bench, member, **more):
    return bench.v1.subscriptions.resume(member.id, {**more, "expand": ["latest_invoice"]})


def bills(bench, member):
    return bench.v1.invoices.list({"subscription": member.id, "limit": 100}).data[::-1]


def status(bench, member):
    return bench.v1.subscriptions.retrieve(member.id).status


def test_a_pause_stops_the_invoices(bench, member):
    now = bench.sandbox.now()
    paused = pause(bench, member, **KEPT)
    assert paused.status == "paused"
    assert paused.status_details.paused.subscription.type == "pause_requested"
    assert now <= paused.status_details.paused.transitioned_at < now + 60
    assert bench.events()[-2:] == ["customer.subscription.paused", "customer.subscription.updated"]
    bench.sandbox.advance(days=100)
    assert len(bills(bench, member)) == 1
    assert "invoice.upcoming" not in bench.events()
    assert [one.id for one in bench.v1.subscriptions.list({"status": "paused"}).data] == [member.id]


def test_unused_time_comes_off_the_next_invoice(bench, member):
    pause(bench, member)
    bench.sandbox.advance(days=40)
    back = resume(bench, member, **PAID_FIRST)
    assert (back.status, back.status_details) == ("active", None)
    bill = back.latest_invoice
    given, charged = (line.amount for line in bill.lines.data)
    assert (given in {-250, -249}, charged) == (True, 500)
    assert (bill.status, bill.billing_reason, bill.amount_paid) == (
        "paid",
        "subscription_update",
        500 + given,
    )
    assert (
        back.billing_cycle_anchor == back["items"].data[0].current_period_start > member.billing_cycle_anchor
    )
    assert bench.events()[-3:] == [
        "invoice.payment_succeeded",
        "customer.subscription.resumed",
        "customer.subscription.updated",
    ]
    bench.sandbox.advance(days=32)
    assert bills(bench, member)[-1].billing_reason == "subscription_cycle"
    assert bills(bench, member)[-1].amount_paid == 500


def test_unused_time_can_be_credited_at_once(bench, member):
    pause(
        bench,
        member,
        bill_for={"unused_time_from": {"type": "item_current_period_start"}},
        invoicing_behavior="invoice",
    )
    bill = bills(bench, member)[-1]
    assert (bill.total, bill.status, bill.ending_balance) == (-500, "paid", -500)
    back = resume(bench, member)
    assert (back.status, back.latest_invoice.amount_due) == ("active", 0), "nothing is to be paid"


def test_coming_back_waits_for_the_money(bench, member):
    pause(bench, member, **KEPT)
    bench.control("card", {"customer": member.customer, "card_number": FAILING})
    waiting = resume(bench, member, **PAID_FIRST)
    bill = waiting.latest_invoice
    assert (waiting.status, bill.status, bill.attempt_count) == ("paused", "open", 1)
    assert bill.next_payment_attempt is not None
    with pytest.raises(stripe.InvalidRequestError, match="is being resumed"):
        resume(bench, member)
    bench.control("card", {"customer": member.customer, "card_number": "5555555555554444"})
    bench.sandbox.advance(days=3)
    assert status(bench, member) == "active"
    back = bench.v1.subscriptions.retrieve(member.id)
    assert back["items"].data[0].current_period_start == bill.lines.data[0].period.start


def test_nobody_pays_for_coming_back(bench, member):
    pause(bench, member, **KEPT)
    bench.control("card", {"customer": member.customer, "card_number": FAILING})
    resume(bench, member, **PAID_FIRST)
    bench.sandbox.advance(days=8)
    assert (status(bench, member), bills(bench, member)[-1].status) == ("paused", "void")
    bench.control("card", {"customer": member.customer, "card_number": "4242424242424242"})
    assert resume(bench, member, **PAID_FIRST).status == "active"


def test_by_default_the_invoice_of_coming_back_is_paid_by_hand(bench, member):
    pause(bench, member, **KEPT)
    bill = resume(bench, member).latest_invoice
    assert (status(bench, member), bill.status, bill.attempt_count) == ("paused", "open", 0)
    bench.sandbox.advance(days=1)
    assert (status(bench, member), bills(bench, member)[-1].status) == ("paused", "void")
    bench.v1.invoices.pay(resume(bench, member).latest_invoice.id)
    assert status(bench, member) == "active"


def test_a_failed_payment_by_hand_resumes_past_due(bench, member):
    pause(bench, member, **KEPT)
    bill = resume(bench, member).latest_invoice
    bench.control("card", {"customer": member.customer, "card_number": FAILING})
    with pytest.raises(stripe.CardError):
        bench.v1.invoices.pay(bill.id)
    assert status(bench, member) == "past_due"
    assert bench.v1.invoices.retrieve(bill.id).next_payment_attempt is None


def test_in_the_old_rhythm_what_is_paid_is_not_paid_again(bench, member):
    pause(bench, member, **KEPT)
    bench.sandbox.advance(days=3)
    back = resume(
        bench, member, billing_cycle_anchor={"type": "unchanged"}, proration_behavior="always_invoice"
    )
    assert (back.status, len(bills(bench, member))) == ("active", 1)
    assert back["items"].data[0].current_period_end == member["items"].data[0].current_period_end
    bench.sandbox.advance(days=12)
    assert [bill.amount_paid for bill in bills(bench, member)] == [500, 500]


def test_in_the_old_rhythm_the_rest_of_a_later_period_is_charged(bench, member):
    pause(bench, member, **KEPT)
    bench.sandbox.advance(seconds=HALF + 31 * DAY // 2)
    back = resume(
        bench,
        member,
        billing_cycle_anchor={"type": "unchanged"},
        proration_behavior="always_invoice",
        proration_date=member.start_date + 28 * DAY + 31 * DAY // 2,
        **PAID_FIRST,
    )
    assert (back.status, back.latest_invoice.amount_paid) == ("active", 250)
    item = back["items"].data[0]
    assert item.current_period_start == member["items"].data[0].current_period_end
    assert back.billing_cycle_anchor == member.billing_cycle_anchor
    bench.sandbox.advance(days=17)
    assert bills(bench, member)[-1].amount_paid == 500


def test_both_pauses_side_by_side(bench, member):
    until = bench.sandbox.now() + 75 * DAY
    bench.v1.subscriptions.update(member.id, {"pause_collection": {"behavior": "void", "resumes_at": until}})
    bench.sandbox.advance(days=20)
    assert [bill.status for bill in bills(bench, member)] == ["paid", "void"]
    pause(bench, member)
    bench.sandbox.advance(days=20)
    back = resume(bench, member, **PAID_FIRST)
    assert (back.status, back.latest_invoice.status) == ("paused", "void"), "collection is still paused"
    bench.v1.subscriptions.update(member.id, {"pause_collection": ""})
    assert resume(bench, member, **PAID_FIRST).status == "active"
    # the voided month was never charged, so the pause gave nothing back for it
    assert bills(bench, member)[-1].amount_paid == 500


def test_what_cannot_be_paused_or_resumed(bench, member):
    with pytest.raises(stripe.InvalidRequestError, match="Only paused"):
        resume(bench, member)
    pause(bench, member, **KEPT)
    with pytest.raises(stripe.InvalidRequestError, match="Only active"):
        pause(bench, member)
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter"):
        pause(bench, member, resumes_at=1)
    bench.v1.subscriptions.cancel(member.id)
    with pytest.raises(stripe.InvalidRequestError):
        resume(bench, member)
    classic = bench.member(subscription_data={"billing_mode": {"type": "classic"}})
    with pytest.raises(stripe.InvalidRequestError, match="flexible"):
        pause(bench, classic)
    leaving = bench.member()
    bench.v1.subscriptions.update(leaving.id, {"cancel_at_period_end": True})
    with pytest.raises(stripe.InvalidRequestError, match="set to end"):
        pause(bench, leaving)
