"""Recorded calls: what is closed stays closed, what one means for ours is noted with it, one holds up no other."""

import logging
from datetime import timedelta

import pytest
from sqlalchemy import update

from membership import clock
from membership.billing import account, calls, checkout, converge, inbox, poll, turns
from membership.billing.calls import CallState
from membership.billing.checkout import asking, portals, products
from membership.billing.gateway import StripeUnavailable
from membership.cli.work import Task, Worker
from membership.db import db
from membership.domain import fundraisers, outbox, payments, plans
from membership.domain.donations import Donation, Interval, Schedule
from membership.domain.payments import Refund, RefundStatus
from tests import make
from tests.journeys.donor import Donor, control, settle, state
from tests.journeys.joiner import Joiner
from tests.journeys.under_way import LOST, dies_after, slow


@pytest.fixture
def donor(app, stripe):
    make.fundraiser(weights=(3, 2))
    db.session.commit()
    return Donor(app, stripe)


@pytest.fixture
def ana(app, stripe):
    make.the_newsroom()
    make.plan("friend", prices={"month": "5", "year": "50"})
    make.plan("patron", prices={"month": "15"})
    db.session.commit()
    return Joiner(stripe)


def the_refund() -> Refund:
    db.session.expire_all()
    return db.session.query(Refund).filter_by(amount_minor=500).one()


@pytest.fixture
def asked(donor, stripe):
    """A refund of five that was noted, and of which Stripe has not heard."""
    donor.gives()
    settle(stripe)
    refund = payments.ask_refund(payments.payments_of(db.session.query(Donation).one().id)[0], make.EUR("5"))
    db.session.commit()
    return refund


def breaks(key: str, operation: str = "subscriptions.cancel") -> None:
    """A call whose parameters nobody can read."""
    calls.record(key, operation, {}).locked_params = b"damaged"
    db.session.commit()


# --- what a call means for our rows -------------------------------------------------------------------------


def test_a_refund_that_was_refused_gives_nothing_back_even_if_the_process_dies(asked, stripe):
    paid = payments.get_payment(asked.payment_id)
    control(stripe, "webhooks", modes=["drop"])
    account.here().gateway.perform("refunds.create", {"charge": paid.stripe_charge_id}, "dashboard")
    assert dies_after(3, lambda: checkout.refund(the_refund()))
    stripe.advance(seconds=60)
    checkout.resume_calls()
    assert the_refund().status is RefundStatus.FAILED


def test_a_refund_that_can_be_asked_no_more_gives_nothing_back_even_if_the_worker_dies(asked, stripe):
    control(stripe, "faults", next=1, kind="timeout", path="/v1/refunds")
    assert checkout.refund(asked) is checkout.Outcome.WAITING
    stripe.advance(days=1)
    assert dies_after(3, checkout.resume_calls)
    checkout.resume_calls()
    assert the_refund().status is RefundStatus.FAILED


def test_a_refund_that_stripe_made_a_day_ago_is_found_before_it_is_called_failed(asked, stripe):
    control(stripe, "webhooks", modes=["drop"])
    control(stripe, "faults", next=1, kind="timeout_after_commit", path="/v1/refunds")
    assert checkout.refund(asked) is checkout.Outcome.WAITING
    stripe.advance(days=1)
    assert checkout.resume_calls() == 1
    assert the_refund().status is RefundStatus.ASKED
    poll.poll()
    settle(stripe)
    assert (the_refund().status, state(stripe)["refunded"]) == (RefundStatus.SUCCEEDED, 500)


def test_credit_of_a_customer_who_is_gone_is_not_looked_for_for_ever(app, stripe):
    told = {"id": "cus_gone", "amount": 5, "currency": "eur", "metadata": {"request": "credit:cus_gone:1"}}
    calls.record("credit:cus_gone:1", calls.MOVES, told)
    db.session.commit()
    stripe.advance(days=1)
    checkout.resume_calls()
    assert calls.find_last("credit:cus_gone:1").state is CallState.FAILED


def test_a_refund_that_was_seen_meanwhile_is_not_called_refused(asked):
    assert asked.status is RefundStatus.ASKED  # as this session knows it
    seen = update(Refund).values(status=RefundStatus.SUCCEEDED, stripe_refund_id="re_1")
    db.session.execute(seen, execution_options={"synchronize_session": False})
    payments.refuse_refund(asked.reference)
    db.session.commit()
    assert the_refund().status is RefundStatus.SUCCEEDED


# --- what is closed stays closed ----------------------------------------------------------------------------


def test_what_was_given_up_while_it_was_under_way_is_not_opened_again(donor, stripe):
    donor.open_form()

    def forget() -> None:
        calls.forget_old(clock.now() + timedelta(days=2))
        db.session.commit()

    with slow(stripe, "/v1/checkout/sessions", forget, then=LOST):
        assert donor.press().status_code == 503
    states = {call.operation: call.state for call in db.session.query(calls.Call)}
    assert states["sessions.create"] is CallState.STALE
    assert donor.press().status_code == 303


def test_a_call_that_lost_its_parameters_is_given_up(app, stripe):
    calls.record("ends:sub_1:a", "subscriptions.update", {"id": "sub_1"}).locked_params = None
    db.session.commit()
    stripe.advance(seconds=60)
    checkout.resume_calls()
    assert calls.find_call("ends:sub_1:a").state is CallState.STALE


def test_looking_for_the_portal_changes_nothing(app, stripe):
    control(stripe, "faults", next=1, kind="500", path="/v1/billing_portal")
    with pytest.raises(StripeUnavailable):
        portals.ensure_portal(clock.now())
    before = [(call.idem_key, call.state) for call in db.session.query(calls.Call)]
    assert portals.find_portal() is None
    assert [(call.idem_key, call.state) for call in db.session.query(calls.Call)] == before
    assert portals.ensure_portal(clock.now()) == portals.find_portal()


def test_nothing_is_open_when_another_process_made_the_product(ana):
    product = products.of_plan(plans.get_plan("friend"), make.settings())
    products.ensure(product, clock.now())
    db.session.query(calls.Call).update({"result_id": "seen a moment too late"})
    db.session.commit()
    products.ensure(product, clock.now())
    assert not db.session().in_transaction()


# --- one by one ---------------------------------------------------------------------------------------------


def test_one_that_fails_hides_none_behind_it_and_its_words_are_not_logged(app, caplog):
    def do(number: int) -> int:
        if number == 2:
            raise ValueError("ana@example.org")
        return number * 10

    with caplog.at_level(logging.ERROR):
        assert turns.each("gift", [1, 2, 3], do) == [10, 30]
    assert [record.getMessage() for record in caplog.records] == ["gift 2 failed: ValueError"]


def test_calls_that_fail_hold_up_none_behind_them(ana, stripe):
    mine = ana.joins()
    for number in range(50):
        breaks(f"cancel:sub_{number}")
    stripe.advance(seconds=1)
    control(stripe, "faults", next=1, kind="timeout", path="/v1/subscriptions")
    assert checkout.leave(mine) is checkout.Outcome.WAITING
    for _ in range(2):
        stripe.advance(seconds=60)
        checkout.resume_calls()
    settle(stripe)
    assert ana.membership.ends_at is not None


def test_a_renewal_that_cannot_be_announced_hides_none_behind_it(ana, donor, stripe):
    donor.gives(interval="year", amount="60")
    ana.joins(interval="year")
    stripe.advance(days=353)
    settle(stripe)
    control(stripe, "faults", next=1, kind="500", path="/v1/customers")
    assert converge.announce_renewals() == 1
    assert converge.announce_renewals() == 1


def test_a_second_membership_that_cannot_be_ended_hides_none_behind_it(ana, stripe):
    ana.joins()
    first, second = Joiner(stripe), Joiner(stripe)
    breaks(f"cancel:{first.joins(plan='patron').stripe_subscription_id}")
    second.joins(plan="patron")
    stripe.advance(days=4)
    assert checkout.end_doubles() == 1
    settle(stripe)
    assert (first.membership.is_live, second.membership.is_live) == (True, False)


def test_a_gift_that_cannot_be_stopped_hides_none_behind_it(app, donor, stripe):
    donor.gives(interval="month")
    Donor(app, stripe, email="bea@example.org").gives(interval="month")
    settle(stripe)
    breaks(f"cancel:{db.session.query(Donation).order_by(Donation.id).first().stripe_subscription_id}")
    row = fundraisers.find_fundraiser("small-newsrooms")
    row.ends_running, row.status = True, fundraisers.FundraiserStatus.CLOSED
    db.session.commit()
    assert checkout.stop_closed() == 1
    assert state(stripe, "bea@example.org")["subscriptions_live"] == 0


# --- Stripe is silent ---------------------------------------------------------------------------------------


@pytest.fixture
def in_vain(stripe):
    """What Stripe is asked while it gives no answer."""
    control(stripe, "faults", next=99, kind="timeout", path="/v1/")
    real, said = stripe.wsgi, []

    def wsgi(environ, start_response):
        said.append(environ["PATH_INFO"])
        return real(environ, start_response)

    stripe.wsgi = wsgi
    yield said
    stripe.wsgi = real


def test_a_silent_stripe_keeps_no_mail_waiting(app, in_vain, mailbox):
    inbox.mark_dirty([("subscription", f"sub_{number}") for number in range(20)], now=clock.now())
    for number in range(20):
        calls.record_cancel(f"sub_{number}", now=clock.now() - asking.QUIET * 2)
    told = {"corrected_on": "2026-11-22", "sign_in_url": "http://127.0.0.1:8000/sign-in"}
    outbox.queue(key="told", template="email-corrected", to="ana@example.org", locale="en", context=told)
    db.session.commit()
    Worker([Task("ask again", asking.QUIET, checkout.resume_calls, commits=False)]).round()
    assert (len(mailbox), len(in_vain)) == (1, 2 * turns.MOST_SILENT)


def test_a_silent_stripe_is_asked_about_others_in_the_next_round(app, in_vain):
    for number in range(6):
        calls.record_cancel(f"sub_{number}", now=clock.now() - asking.QUIET * 2)
    db.session.commit()
    checkout.resume_calls()
    checkout.resume_calls()
    assert len(in_vain) == len(set(in_vain)) == 6


def test_a_silent_stripe_is_asked_about_few_gifts_of_a_fundraiser_that_closed_and_about_others_next(
    app, in_vain
):
    row = make.fundraiser(ends_running=True)
    for number in range(5):
        gift = make.donation(row, settled=True, interval=Interval.MONTH, email=f"d{number}@example.org")
        gift.stripe_subscription_id, gift.schedule = f"sub_{number}", Schedule.RUNNING
    row.status = fundraisers.FundraiserStatus.CLOSED
    db.session.commit()
    assert checkout.stop_closed() == 0
    assert in_vain == [f"/v1/subscriptions/sub_{number}" for number in range(turns.MOST_SILENT)]
    checkout.stop_closed()
    assert len(set(in_vain)) == 5
