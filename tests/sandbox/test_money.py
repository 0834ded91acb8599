"""Where the money goes: late fees, foreign currencies, refunds, disputes, payouts; the balance adds up."""

import pytest
import stripe


def movement(bench, source, kind):
    (found,) = bench.v1.balance_transactions.list({"source": source, "type": kind}).data
    return found


def refund(bench, charge, **params):
    made = bench.v1.refunds.create({"charge": charge.id, **params})
    bench.sandbox.settle()
    return bench.v1.refunds.retrieve(made.id)


def test_the_balance_transaction_comes_later(bench):
    session = bench.open()
    bench.pay(session)
    charge = bench.charge_of(session)
    assert charge.balance_transaction is None
    bench.sandbox.deliver()
    assert bench.charge_of(session).balance_transaction is None
    bench.sandbox.settle()
    settled = bench.charge_of(session, "balance_transaction").balance_transaction
    assert (settled.amount, settled.fee, settled.net, settled.currency) == (2000, 55, 1945, "eur")
    assert settled.exchange_rate is None
    assert (settled.type, settled.reporting_category, settled.source) == ("charge", "charge", charge.id)
    assert settled.available_on == settled.created + 7 * 86400
    assert bench.events("charge.updated") == ["charge.updated"]


@pytest.mark.parametrize(
    ("amount", "fee"),
    [(50, 26), (300, 30), (1000, 40), (1033, 40), (1034, 41), (2056, 56), (99_999_999, 1_500_025)],
)
def test_the_fee_is_rounded_half_up(bench, amount, fee):
    assert bench.charge_of(bench.paid(amount=amount), "balance_transaction").balance_transaction.fee == fee


@pytest.mark.parametrize(
    ("currency", "amount", "settled", "rate"),
    [
        ("gel", 2000, 672, 0.3358),
        ("jpy", 2000, 1214, 0.00607),
        ("kwd", 5000, 1485, 2.9704),
        ("isk", 150_000, 1037, 0.00691),
    ],
)
def test_other_currencies_settle_in_euros(bench, currency, amount, settled, rate):
    charge = bench.charge_of(bench.paid(currency=currency, amount=amount), "balance_transaction")
    movement = charge.balance_transaction
    assert (charge.amount, charge.currency) == (amount, currency)
    assert (movement.amount, movement.currency, movement.exchange_rate) == (settled, "eur", rate)
    assert movement.net == movement.amount - movement.fee


def test_money_becomes_available_after_a_week(bench):
    charge = bench.charge_of(bench.paid())
    status = lambda: bench.v1.balance_transactions.retrieve(charge.balance_transaction).status  # noqa: E731 - asked twice
    assert status() == "pending"
    assert bench.v1.balance.retrieve().pending[0].amount == 1945
    bench.sandbox.advance(days=7)
    assert status() == "available"
    assert bench.v1.balance.retrieve().available[0].amount == 1945


# refunds


def test_a_refund_takes_its_amount_and_leaves_the_fee(bench):
    charge = bench.charge_of(bench.paid())
    made = bench.v1.refunds.create(
        {"payment_intent": charge.payment_intent, "reason": "duplicate", "metadata": {"a": "b"}}
    )
    assert (made.status, made.amount, made.balance_transaction) == ("succeeded", 2000, None)
    assert made.metadata.to_dict() == {"a": "b"}
    bench.sandbox.settle()
    taken = movement(bench, made.id, "refund")
    assert (taken.amount, taken.fee, taken.net) == (-2000, 0, -2000)
    assert bench.control("state")["balance"] == -55
    after = bench.v1.charges.retrieve(charge.id)
    assert (after.refunded, after.amount_refunded, after.status) == (True, 2000, "succeeded")


def test_equal_partial_refunds_are_two_and_never_too_much(bench):
    charge = bench.charge_of(bench.paid())
    first, second = refund(bench, charge, amount=700), refund(bench, charge, amount=700)
    assert first.id != second.id
    after = bench.v1.charges.retrieve(charge.id)
    assert (after.refunded, after.amount_refunded) == (False, 1400)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount") as caught:
        refund(bench, charge, amount=601)
    assert caught.value.param == "amount"
    assert refund(bench, charge).amount == 600
    with pytest.raises(stripe.InvalidRequestError) as caught:
        refund(bench, charge)
    assert caught.value.code == "charge_already_refunded"
    assert bench.control("state")["refunded"] == 2000


@pytest.mark.parametrize(
    "params", [{}, {"amount": 0}, {"charge": "ch_none"}, {"reason": "remorse"}, {"origin": "x"}]
)
def test_refunds_refuse_what_stripe_refuses(bench, params):
    charge = bench.charge_of(bench.paid())
    params = params if "charge" in params or not params else {"charge": charge.id, **params}
    with pytest.raises(stripe.InvalidRequestError):
        bench.v1.refunds.create(params)
    assert bench.control("state")["refunds"] == 0


def test_unpaid_charges_cannot_be_refunded(bench):
    session = bench.open()
    bench.pay(session, "", iban="AT321904300235473204")
    with pytest.raises(stripe.InvalidRequestError, match="pending"):
        refund(bench, bench.charge_of(session))


def test_a_refund_can_be_pending(bench):
    charge = bench.charge_of(bench.paid("4000000000007726"))
    waiting = refund(bench, charge)
    assert (waiting.status, waiting.pending_reason) == ("pending", "processing")
    bench.sandbox.advance(seconds=6)
    assert bench.v1.refunds.retrieve(waiting.id).status == "succeeded"


def test_a_refund_that_had_succeeded_can_fail(bench):
    charge = bench.charge_of(bench.paid("4000000000005126"))
    made = refund(bench, charge, amount=1500)
    assert made.status == "succeeded"
    bench.sandbox.advance(seconds=6)
    failed = bench.v1.refunds.retrieve(made.id, {"expand": ["failure_balance_transaction"]})
    assert failed.status == "failed"
    assert failed.failure_reason
    assert failed.failure_balance_transaction.amount == 1500
    assert failed.failure_balance_transaction.type == "refund_failure"
    after = bench.v1.charges.retrieve(charge.id)
    assert (after.amount_refunded, after.refunded) == (0, False)
    assert bench.control("state") | {"customers": 0} == {
        "customers": 0,
        "sessions": 1,
        "charges": 1,
        "charged": 2000,
        "refunds": 0,
        "refunded": 0,
        "disputes": 0,
        "subscriptions_live": 0,
        "balance": 1945,
    }
    kinds = bench.events()
    assert kinds.index("refund.created") < kinds.index("refund.failed")
    assert kinds.count("charge.refunded") == 1
    assert kinds[-1] == "charge.refund.updated"


def test_any_refund_can_be_made_to_fail_once(bench):
    charge = bench.charge_of(bench.paid())
    made = refund(bench, charge)
    assert bench.control("refund_fail", {"refund": made.id})["status"] == "failed"
    bench.control("refund_fail", {"refund": made.id}, status=400)
    bench.control("refund_fail", {"refund": "re_none"}, status=400)
    assert refund(bench, charge).status == "succeeded"


def test_a_refund_that_fails_before_its_movement_moves_nothing(bench):
    charge = bench.charge_of(bench.paid())
    made = bench.v1.refunds.create({"charge": charge.id})
    bench.control("refund_fail", {"refund": made.id})
    bench.sandbox.settle()
    assert bench.v1.refunds.retrieve(made.id).balance_transaction is None
    assert bench.control("state")["balance"] == 1945


def test_giving_back_foreign_money_costs_a_little(bench):
    charge = bench.charge_of(bench.paid(currency="usd", amount=10_000), "balance_transaction")
    taken = movement(bench, refund(bench, charge).id, "refund")
    assert charge.balance_transaction.amount == 9124
    assert taken.amount == -9160
    assert taken.exchange_rate > charge.balance_transaction.exchange_rate


def test_a_debits_refund_is_a_payment_refund(bench):
    session = bench.open()
    bench.pay(session, "", iban="AT611904300234573201")
    bench.sandbox.advance(seconds=5)
    made = refund(bench, bench.charge_of(session))
    assert made.id.startswith("pyr_")
    assert made.status == "pending"
    assert movement(bench, made.id, "payment_refund").amount == -2000


def test_refunds_can_be_noted_and_listed(bench):
    charge = bench.charge_of(bench.paid())
    made = refund(bench, charge, amount=100)
    changed = bench.v1.refunds.update(made.id, {"metadata": {"ticket": "7"}})
    assert changed.metadata.to_dict() == {"ticket": "7"}
    assert [one.id for one in bench.v1.refunds.list({"charge": charge.id}).data] == [made.id]
    assert bench.v1.refunds.list({"payment_intent": "pi_none"}).data == []
    with pytest.raises(stripe.InvalidRequestError, match="requires_action"):
        bench.v1.refunds.cancel(made.id)


# disputes


def test_a_dispute_takes_the_money_and_a_fee(bench):
    charge = bench.charge_of(bench.paid("4000000000000259"))
    dispute = bench.v1.disputes.list({"charge": charge.id}).data[0]
    assert (dispute.status, dispute.reason, dispute.amount) == ("needs_response", "fraudulent", 2000)
    assert charge.disputed
    withdrawn = dispute.balance_transactions[0]
    assert (withdrawn.amount, withdrawn.fee, withdrawn.net, withdrawn.type) == (
        -2000,
        2000,
        -4000,
        "adjustment",
    )
    assert bench.control("state")["balance"] == 1945 - 4000
    with pytest.raises(stripe.InvalidRequestError, match="charged back") as caught:
        refund(bench, charge)
    assert caught.value.code == "charge_disputed"


@pytest.mark.parametrize(("outcome", "balance"), [("won", 1945 - 2000), ("lost", 1945 - 4000)])
def test_a_dispute_ends(bench, outcome, balance):
    charge = bench.charge_of(bench.paid())
    dispute = bench.control("dispute", {"charge": charge.id})
    bench.control("dispute", {"charge": charge.id}, status=400)
    assert bench.control("dispute", {"dispute": dispute["id"], "outcome": outcome})["status"] == outcome
    assert bench.control("state")["balance"] == balance
    assert bench.events()[-1] == "charge.dispute.closed"
    assert ("charge.dispute.funds_reinstated" in bench.events()) == (outcome == "won")
    bench.control("dispute", {"dispute": dispute["id"], "outcome": outcome}, status=400)


def test_an_inquiry_takes_nothing(bench):
    charge = bench.charge_of(bench.paid("4000000000001976"))
    dispute = bench.v1.disputes.list({"charge": charge.id}).data[0]
    assert (dispute.status, dispute.balance_transactions, dispute.is_charge_refundable) == (
        "warning_needs_response",
        [],
        True,
    )
    assert refund(bench, charge, amount=100).status == "succeeded"
    closed = bench.control("dispute", {"dispute": dispute.id, "outcome": "lost"})
    assert closed["status"] == "warning_closed"


def test_an_early_warning_only_warns(bench):
    charge = bench.charge_of(bench.paid("4000000000005423"))
    warning = bench.v1.radar.early_fraud_warnings.list({"charge": charge.id}).data[0]
    assert bench.v1.radar.early_fraud_warnings.retrieve(warning.id).actionable
    assert bench.control("state")["disputes"] == 0


def test_what_was_never_paid_cannot_be_disputed(bench):
    session = bench.open()
    bench.pay(session, "4000000000000002")
    bench.control("dispute", {"charge": bench.charge_of(session).id}, status=400)
    bench.control("dispute", {"charge": "ch_none"}, status=400)
    assert bench.control("state")["disputes"] == 0


# payouts


def test_a_payout_takes_everything_and_says_what(bench):
    charge = bench.charge_of(bench.paid())
    made = refund(bench, charge, amount=500)
    payout = bench.control("payout", {})
    assert (payout["amount"], payout["status"], payout["reconciliation_status"]) == (
        1445,
        "paid",
        "completed",
    )
    carried = bench.v1.balance_transactions.list({"payout": payout["id"]}).data
    assert {one.source for one in carried} == {charge.id, made.id, payout["id"]}
    assert sum(one.net for one in carried if one.type != "payout") == 1445
    assert sum(one.net for one in carried) == 0
    assert bench.control("state")["balance"] == 0
    assert bench.events()[-4:] == [
        "payout.created",
        "payout.updated",
        "payout.paid",
        "payout.reconciliation_completed",
    ]


def test_a_second_payout_carries_only_what_is_new(bench):
    bench.paid()
    first = bench.control("payout", {})
    bench.control("payout", {}, status=400)
    bench.paid(amount=1000)
    second = bench.control("payout", {})
    assert second["amount"] == 960
    assert [one.id for one in bench.v1.payouts.list().data] == [second["id"], first["id"]]
    with pytest.raises(stripe.InvalidRequestError):
        bench.v1.balance_transactions.list({"payout": "po_none"})


def test_a_payout_can_come_back_a_day_later(bench):
    bench.paid()
    sent = bench.control("payout", {"fails": True})
    assert (sent["status"], bench.control("state")["balance"]) == ("paid", 0)
    bench.sandbox.advance(days=1)
    failed = bench.v1.payouts.retrieve(sent["id"], {"expand": ["failure_balance_transaction"]})
    back = failed.failure_balance_transaction
    assert (failed.status, back.type, back.amount, back.fee) == ("failed", "payout_failure", 1945, 0)
    assert bench.last_event("payout.failed").data.object.id == sent["id"]
    assert bench.control("state")["balance"] == 1945
    assert bench.control("payout", {})["amount"] == 1945
    bench.control("payout", {"fails": "yes"}, status=400)


def test_the_balance_is_the_sum_of_its_movements(bench):
    bench.paid()
    bench.paid("4000000000000259", currency="gbp")
    refund(bench, bench.charge_of(bench.paid(currency="gel")), amount=333)
    every = list(bench.v1.balance_transactions.list({"limit": 100}).auto_paging_iter())
    assert all(one.net == one.amount - one.fee for one in every)
    assert all(one.fee == sum(detail.amount for detail in one.fee_details) for one in every)
    assert bench.control("state")["balance"] == sum(one.net for one in every)


def test_the_state_can_be_one_persons(bench):
    session = bench.open(customer_creation="always")
    bench.pay(session, email="Anna@example.org")
    bench.paid(amount=700)
    mine = bench.browser.get("/_control/state?email=anna@example.org").json
    assert (mine["customers"], mine["sessions"], mine["charges"], mine["charged"]) == (1, 1, 1, 2000)
    assert mine["balance"] == 1945
    assert bench.control("state")["charged"] == 2700
    assert bench.browser.get("/_control/state?email=nobody@example.org").json["charged"] == 0


def test_a_refund_may_be_quicker_than_the_dispute(bench):
    session = bench.open()
    bench.pay(session, "4000000000000259")
    bench.v1.refunds.create({"charge": bench.charge_of(session).id})
    bench.sandbox.settle()
    assert bench.control("state")["disputes"] == 0


def test_a_warning_can_be_ordered(bench):
    charge = bench.charge_of(bench.paid())
    bench.control("dispute", {"charge": charge.id, "reason": "early_fraud_warning"})
    assert [one.charge for one in bench.v1.radar.early_fraud_warnings.list().data] == [charge.id]
    assert bench.control("state")["disputes"] == 0
