"""Members on the clock: sign-up, renewals, month ends, failing cards, pauses, endings."""

from datetime import UTC, datetime

import pytest
import stripe

DAY = 86_400
FAILING = "4000000000000341"
SIGN_UP = [
    "payment_intent.created",
    "customer.created",
    "payment_method.attached",
    "charge.succeeded",
    "payment_intent.succeeded",
    "customer.subscription.created",
    "customer.updated",
    "invoice.created",
    "invoice.finalized",
    "invoice_payment.paid",
    "invoice.paid",
    "invoice.payment_succeeded",
    "customer.subscription.updated",
    "checkout.session.completed",
]
RENEWAL = [
    "invoice.upcoming",
    "invoice.created",
    "customer.subscription.updated",
    "payment_intent.created",
    "invoice.finalized",
    "charge.succeeded",
    "payment_intent.succeeded",
    "invoice_payment.paid",
    "invoice.paid",
    "invoice.payment_succeeded",
    "charge.updated",
]


def day_of(moment):
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")


def wait_until(bench, year, month, day):
    bench.sandbox.advance(
        seconds=int(datetime(year, month, day, 12, tzinfo=UTC).timestamp()) - bench.sandbox.now()
    )


def bills(bench, member, *expand):
    found = bench.v1.invoices.list(
        {"subscription": member.id, "limit": 100, "expand": [f"data.{one}" for one in expand]}
    )
    return found.data[::-1]


def now_of(bench, member):
    return bench.v1.subscriptions.retrieve(member.id)


def lapsing(bench):
    member = bench.member()
    bench.control("card", {"customer": member.customer, "card_number": FAILING})
    return member


def test_nothing_exists_before_the_money(bench):
    session = bench.open(interval="month")
    bench.pay(session, FAILING)
    assert bench.events()[2:] == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]
    state = bench.control("state")
    assert (state["customers"], state["subscriptions_live"]) == (0, 0)
    assert bench.v1.invoices.list().data == []


def test_sign_up_makes_everything_at_once(bench):
    session = bench.open(
        500, interval="month", subscription_data={"metadata": {"attempt": "7"}}, metadata={"x": "y"}
    )
    bench.pay(session)
    assert bench.events() == ["product.created", "price.created", *SIGN_UP]
    bench.sandbox.settle()
    done = bench.again(session, "subscription.latest_invoice.payments", "invoice")
    assert (done.status, done.payment_status, done.mode) == ("complete", "paid", "subscription")
    assert done.payment_intent is None
    member = done.subscription
    assert member.status == "active"
    assert member.metadata.to_dict() == {"attempt": "7"}
    item = member["items"].data[0]
    assert item.current_period_start == member.start_date == member.billing_cycle_anchor
    assert "current_period_end" not in member
    bill = member.latest_invoice
    assert (bill.status, bill.billing_reason, bill.amount_paid, bill.amount_remaining) == (
        "paid",
        "subscription_create",
        500,
        0,
    )
    assert bill.id == done.invoice.id
    assert bill.parent.subscription_details.subscription == member.id
    assert bill.parent.subscription_details.metadata.to_dict() == {"attempt": "7"}
    payment = bill.payments.data[0]
    intent = bench.v1.payment_intents.retrieve(payment.payment.payment_intent, {"expand": ["latest_charge"]})
    assert intent.metadata.to_dict() == {}
    assert intent.latest_charge.metadata.to_dict() == {}
    assert intent.customer == member.customer
    found = bench.v1.invoice_payments.list(
        {"payment": {"type": "payment_intent", "payment_intent": intent.id}}
    )
    assert [one.invoice for one in found.data] == [bill.id]
    assert bench.v1.payment_methods.retrieve(member.default_payment_method).customer == member.customer


def test_a_renewal_goes_through_its_steps(bench):
    member = bench.member()
    bench.sandbox.advance(days=31)
    bench.sandbox.advance(seconds=2 * 3600)
    assert bench.events()[-len(RENEWAL) :] == RENEWAL
    first, second = bills(bench, member)
    end = member["items"].data[0].current_period_end
    assert (second.billing_reason, second.status, second.created) == ("subscription_cycle", "paid", end)
    assert second.status_transitions.finalized_at == end + 3600
    assert second.lines.data[0].period.start == end
    assert (second.period_start, second.period_end) == (first.lines.data[0].period.start, end)
    assert second.attempt_count == 1
    assert now_of(bench, member)["items"].data[0].current_period_start == end


def test_the_draft_waits_an_hour(bench):
    member = bench.member()
    end = member["items"].data[0].current_period_end
    bench.sandbox.advance(seconds=end - bench.sandbox.now() + 60)
    draft = bills(bench, member)[-1]
    assert (draft.status, draft.number, draft.automatically_finalizes_at) == ("draft", None, end + 3600)
    assert bench.control("state")["charges"] == 1
    bench.sandbox.advance(seconds=3600)
    assert bills(bench, member)[-1].status == "paid"


def test_the_preview_has_no_id(bench):
    member = bench.member()
    bench.sandbox.advance(days=26)
    event = bench.last_event("invoice.upcoming")
    preview = event.data.object
    assert "id" not in preview
    assert preview.parent.subscription_details.subscription == member.id
    assert event.created == member["items"].data[0].current_period_end - 7 * DAY


def test_month_ends_clamp_and_come_back(bench):
    wait_until(bench, 2027, 1, 31)
    member = bench.member()
    bench.sandbox.advance(days=400)
    dates = [day_of(bill.created) for bill in bills(bench, member)]
    assert dates[:6] == ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31", "2027-06-30"]
    assert dates[13] == "2028-02-29"
    assert all(bill.status == "paid" for bill in bills(bench, member))


def test_a_leap_day_each_year(bench):
    wait_until(bench, 2028, 2, 29)
    member = bench.member(interval="year", amount=5000)
    bench.sandbox.advance(days=3 * 366)
    dates = [day_of(bill.created) for bill in bills(bench, member)]
    assert dates == ["2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28"]


def test_four_hundred_days_are_thirteen_renewals_in_order(bench):
    member = bench.member()
    bench.sandbox.advance(days=400)
    bench.sandbox.settle()
    every = list(bench.v1.events.list({"limit": 100}).auto_paging_iter())[::-1]
    assert [event.created for event in every] == sorted(event.created for event in every)
    found = bills(bench, member)
    assert len(found) == 14
    starts = [bill.lines.data[0].period.start for bill in found]
    ends = [bill.lines.data[0].period.end for bill in found]
    assert starts[1:] == ends[:-1]
    assert bench.control("state")["charged"] == 14 * 500


# failing


def test_a_failing_renewal_is_tried_three_more_times_and_ends(bench):
    member = lapsing(bench)
    end = member["items"].data[0].current_period_end
    bench.sandbox.advance(seconds=end - bench.sandbox.now() + 2 * 3600)
    tried = end + 3600
    bill = bills(bench, member)[-1]
    assert (bill.status, bill.attempt_count, bill.next_payment_attempt) == ("open", 1, tried + 3 * DAY)
    assert now_of(bench, member).status == "past_due"
    for days, count, again in ((3, 2, tried + 5 * DAY), (2, 3, tried + 7 * DAY)):
        bench.sandbox.advance(days=days)
        bill = bills(bench, member)[-1]
        assert (bill.status, bill.attempt_count, bill.next_payment_attempt) == ("open", count, again)
        assert now_of(bench, member).status == "past_due"
    bench.sandbox.advance(days=2)
    bill = bills(bench, member)[-1]
    assert (bill.status, bill.attempt_count, bill.next_payment_attempt, bill.auto_advance) == (
        "open",
        4,
        None,
        False,
    )
    ended = now_of(bench, member)
    assert (ended.status, ended.cancellation_details.reason, ended.ended_at) == (
        "canceled",
        "payment_failed",
        tried + 7 * DAY,
    )
    assert bench.events().count("invoice.payment_failed") == 4
    assert bench.events().count("customer.subscription.deleted") == 1
    assert bench.control("state")["charged"] == 500
    bench.sandbox.advance(days=100)
    assert len(bills(bench, member)) == 2


@pytest.mark.parametrize(("then", "next_bill"), [("unpaid", ("draft", 0)), ("past_due", ("open", 1))])
def test_what_becomes_of_used_up_retries_is_set_in_the_dashboard(bench, then, next_bill):
    assert "one of" in bench.control("retries", {"then": "pause"}, status=400)["error"]
    bench.control("retries", {"then": then})
    member = lapsing(bench)
    bench.sandbox.advance(days=40)
    late = bills(bench, member)[-1]
    assert (now_of(bench, member).status, late.status, late.next_payment_attempt) == (then, "open", None)
    bench.sandbox.advance(days=22)
    newest = bills(bench, member)[-1]
    assert (newest.status, newest.attempt_count) == next_bill
    assert now_of(bench, member).status == then
    if then == "unpaid":
        bench.control("card", {"subscription": member.id, "card_number": "4242424242424242"})
        bench.v1.invoices.pay(late.id)
        assert now_of(bench, member).status == then  # the newest one decides


def test_the_newest_invoice_alone_decides(bench):
    member = bench.member()
    bench.control("card", {"customer": member.customer, "card_number": "4000002760003184"})
    bench.sandbox.advance(days=32)
    older = bills(bench, member)[-1]
    bench.control("card", {"subscription": member.id, "card_number": "4242424242424242"})
    bench.sandbox.advance(days=31)
    newest = bills(bench, member)[-1]
    assert (newest.status, bench.v1.invoices.retrieve(older.id).status) == ("paid", "open")
    assert now_of(bench, member).status == "active"


@pytest.mark.parametrize(("which", "then"), [(-1, "active"), (-2, "past_due")])
def test_the_newest_invoice_alone_decides_when_one_is_void_too(bench, which, then):
    member = bench.member()
    bench.control("card", {"customer": member.customer, "card_number": "4000002760003184"})
    bench.sandbox.advance(days=63)
    assert [bill.status for bill in bills(bench, member)[-2:]] == ["open", "open"]
    bench.v1.invoices.void_invoice(bills(bench, member)[which].id)
    assert now_of(bench, member).status == then


def test_an_older_invoice_that_fails_again_changes_nothing(bench):
    member = lapsing(bench)
    bench.sandbox.advance(days=32)
    older, old = bills(bench, member)[-1], now_of(bench, member)["items"].data[0]
    bench.control("card", {"subscription": member.id, "card_number": "4242424242424242"})
    price = {"currency": "eur", "product": old.price.product, "recurring": {"interval": "month"}}
    dearer = [{"id": old.id, "price_data": price | {"unit_amount": 1500}}]
    bench.v1.subscriptions.update(member.id, {"items": dearer, "proration_behavior": "always_invoice"})
    bench.control("card", {"subscription": member.id, "card_number": FAILING})
    bench.sandbox.advance(days=4)
    again = bench.v1.invoices.retrieve(older.id)
    assert again.status == "open"
    assert again.attempt_count > older.attempt_count
    assert now_of(bench, member).status == "active"


def test_a_new_card_rescues_the_membership(bench):
    member = lapsing(bench)
    bench.sandbox.advance(days=32)
    assert now_of(bench, member).status == "past_due"
    bench.control("card", {"subscription": member.id, "card_number": "5555555555554444"})
    bench.sandbox.advance(days=3)
    assert now_of(bench, member).status == "active"
    bill = bills(bench, member)[-1]
    assert (bill.status, bill.attempt_count, bill.next_payment_attempt) == ("paid", 2, None)
    charges = bench.v1.charges.list({"customer": member.customer}).data
    assert [one.status for one in charges] == ["succeeded", "failed", "succeeded"]


def test_a_card_that_always_asks_fails_without_the_member(bench):
    member = bench.member()
    bench.control("card", {"customer": member.customer, "card_number": "4000002760003184"})
    bench.sandbox.advance(days=32)
    assert now_of(bench, member).status == "past_due"
    assert "invoice.payment_action_required" in bench.events()
    bench.sandbox.advance(days=20)
    bill = bills(bench, member)[-1]
    assert (bill.status, bill.attempt_count, bill.next_payment_attempt) == ("open", 1, None)
    assert now_of(bench, member).status == "past_due"


def test_a_card_set_up_once_renews_quietly(bench):
    session = bench.open(interval="month")
    bench.pay(session, "4000002500003155")
    bench.answer_bank(session, "approve")
    bench.sandbox.advance(days=32)
    assert bench.control("state")["charges"] == 2


def test_cards_for_nobody_are_refused(bench):
    for body in (
        {"customer": "cus_none", "card_number": FAILING},
        {"subscription": "sub_none", "card_number": FAILING},
        {"customer": "cus_none", "card_number": "1"},
        {"card_number": FAILING},
        {},
    ):
        bench.control("card", body, status=400)
    assert bench.v1.subscriptions.list().data == []


# a debit


@pytest.mark.parametrize(
    ("iban", "status"), [("AT611904300234573201", "active"), ("AT861904300235473202", "past_due")]
)
def test_a_members_debit(bench, iban, status):
    session = bench.open(500, interval="month")
    bench.pay(session, "", iban=iban)
    waiting = bench.again(session, "subscription.latest_invoice")
    assert waiting.payment_status == "unpaid"
    assert waiting.subscription.latest_invoice.status == "open"
    bench.sandbox.advance(seconds=5)
    done = bench.again(session, "subscription.latest_invoice")
    assert done.subscription.status == status
    assert done.subscription.latest_invoice.status == ("paid" if status == "active" else "open")
    assert done.subscription.latest_invoice.attempt_count == 1


def test_a_debit_renews_by_debit(bench):
    session = bench.open(500, interval="month")
    bench.pay(session, "", iban="AT611904300234573201")
    bench.sandbox.advance(days=32)
    found = bills(bench, bench.again(session, "subscription").subscription)
    assert [(bill.status, bill.attempt_count) for bill in found] == [("paid", 1), ("paid", 1)]
    assert {one.type for one in bench.v1.balance_transactions.list().data} == {"payment"}


# pausing


def test_a_pause_voids_invoices_and_ends_by_itself(bench):
    member = bench.member()
    until = bench.sandbox.now() + 45 * DAY
    paused = bench.v1.subscriptions.update(
        member.id, {"pause_collection": {"behavior": "void", "resumes_at": until}}
    )
    assert (paused.status, paused.pause_collection.resumes_at) == ("active", until)
    bench.sandbox.advance(days=40)
    assert bills(bench, member)[-1].status == "void"
    assert "invoice.voided" in bench.events()
    assert now_of(bench, member).pause_collection.behavior == "void"
    bench.sandbox.advance(days=6)
    assert now_of(bench, member).pause_collection is None
    event = bench.last_event("customer.subscription.updated")
    assert event.created == until
    assert event.data.previous_attributes["pause_collection"]["resumes_at"] == until
    bench.sandbox.advance(days=20)
    assert [bill.status for bill in bills(bench, member)] == ["paid", "void", "paid"]


@pytest.mark.parametrize(
    ("behavior", "status"), [("keep_as_draft", "draft"), ("mark_uncollectible", "uncollectible")]
)
def test_other_pauses(bench, behavior, status):
    member = bench.member()
    bench.v1.subscriptions.update(member.id, {"pause_collection": {"behavior": behavior}})
    bench.sandbox.advance(days=32)
    assert bills(bench, member)[-1].status == status
    bench.v1.subscriptions.update(member.id, {"pause_collection": ""})
    assert now_of(bench, member).pause_collection is None


def test_a_pause_can_be_moved(bench):
    member = bench.member()
    now = bench.sandbox.now()
    for days in (10, 20):
        pause = {"pause_collection": {"behavior": "void", "resumes_at": now + days * DAY}}
        bench.v1.subscriptions.update(member.id, pause)
    bench.sandbox.advance(days=15)
    assert now_of(bench, member).pause_collection
    bench.sandbox.advance(days=6)
    assert now_of(bench, member).pause_collection is None


def test_a_pause_must_end_later_than_now(bench):
    member = bench.member()
    pause = {"pause_collection": {"behavior": "void", "resumes_at": bench.sandbox.now() - 1}}
    with pytest.raises(stripe.InvalidRequestError, match="future"):
        bench.v1.subscriptions.update(member.id, pause)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        bench.v1.subscriptions.update(
            member.id, {"pause_collection": {"resumes_at": bench.sandbox.now() + 9}}
        )
    assert caught.value.param == "pause_collection[behavior]"


# ending


def test_cancel_at_period_end_and_undo(bench):
    member = bench.member()
    end = member["items"].data[0].current_period_end
    asked = bench.v1.subscriptions.update(
        member.id,
        {
            "cancel_at_period_end": True,
            "cancellation_details": {"feedback": "unused", "comment": "ცოტა ხანს"},
        },
    )
    assert (asked.cancel_at, asked.status, asked.cancellation_details.feedback) == (end, "active", "unused")
    assert asked.canceled_at is not None
    undone = bench.v1.subscriptions.update(member.id, {"cancel_at_period_end": False})
    assert (undone.cancel_at, undone.canceled_at) == (None, None)
    bench.v1.subscriptions.update(member.id, {"cancel_at_period_end": True})
    bench.sandbox.advance(days=32)
    ended = now_of(bench, member)
    assert (ended.status, ended.ended_at, ended.cancellation_details.reason) == (
        "canceled",
        end,
        "cancellation_requested",
    )
    assert len(bills(bench, member)) == 1


def test_cancel_now(bench):
    member = bench.member()
    ended = bench.v1.subscriptions.cancel(member.id, {"cancellation_details": {"comment": "bye"}})
    assert (ended.status, ended.cancellation_details.comment) == ("canceled", "bye")
    assert bench.v1.subscriptions.list().data == []
    assert [one.id for one in bench.v1.subscriptions.list({"status": "all"}).data] == [member.id]
    assert [one.id for one in bench.v1.subscriptions.list({"status": "ended"}).data] == [member.id]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        bench.v1.subscriptions.cancel(member.id)
    assert caught.value.code == "resource_missing"
    with pytest.raises(stripe.InvalidRequestError):
        bench.v1.subscriptions.update(member.id, {"cancel_at_period_end": True})
    bench.sandbox.advance(days=40)
    assert bench.control("state")["charges"] == 1


def test_cancelling_during_the_draft_hour_takes_nothing(bench):
    member = bench.member()
    end = member["items"].data[0].current_period_end
    bench.sandbox.advance(seconds=end - bench.sandbox.now() + 60)
    bench.v1.subscriptions.cancel(member.id)
    bench.sandbox.advance(days=10)
    assert (bills(bench, member)[-1].status, bench.control("state")["charges"]) == ("draft", 1)


def test_a_deleted_customer_takes_memberships_along(bench):
    member = bench.member()
    bench.v1.customers.delete(member.customer)
    assert now_of(bench, member).status == "canceled"
    assert bench.events()[-2:] == ["customer.subscription.deleted", "customer.deleted"]
    bench.sandbox.advance(days=40)
    assert bench.control("state")["charges"] == 1


# changing


def test_another_amount_from_the_next_invoice_on(bench):
    member = bench.member()
    item = member["items"].data[0]
    data = {
        "currency": "eur",
        "product": item.price.product,
        "recurring": {"interval": "month"},
        "unit_amount": 900,
    }
    changed = bench.v1.subscriptions.update(
        member.id, {"items": [{"id": item.id, "price_data": data}], "proration_behavior": "none"}
    )
    assert changed["items"].data[0].price.unit_amount == 900
    bench.sandbox.advance(days=32)
    assert [bill.total for bill in bills(bench, member)] == [500, 900]


def test_currencies_do_not_mix_on_one_customer(bench):
    member = bench.member()
    with pytest.raises(stripe.InvalidRequestError, match="cannot combine currencies"):
        bench.open(500, "gel", interval="month", customer=member.customer)
    bench.v1.subscriptions.cancel(member.id)
    assert bench.open(500, "gel", interval="month", customer=member.customer).currency == "gel"


def test_the_product_names_itself_on_the_statement(bench):
    product = bench.v1.products.create({"name": "Club", "statement_descriptor": "PRESSFUND CLUB"})
    price = {"currency": "eur", "unit_amount": 500, "product": product.id, "recurring": {"interval": "month"}}
    bench.paid(interval="month", line_items=[{"price_data": price, "quantity": 1}])
    bench.sandbox.advance(days=32)
    said = {one.calculated_statement_descriptor for one in bench.v1.charges.list().data}
    assert said == {"PRESSFUND CLUB"}
