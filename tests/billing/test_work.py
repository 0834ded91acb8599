"""The worker: leases, fences, failures, poison, and calls whose outcome was never learned."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from membership import clock
from membership.billing import account, calls, checkout, converge, inbox, poll
from membership.billing.calls import Call, CallState
from membership.billing.checkout import Outcome
from membership.billing.gateway import StripeUnavailable
from membership.billing.inbox import StripeObject
from membership.db import db, writing
from membership.domain import donations, ledger, outbox, payments
from membership.domain.donations import Donation
from membership.domain.payments import Payment
from membership.errors import Invalid
from membership.money import Money
from tests import make
from tests.journeys.donor import Donor, control, settle, state


@pytest.fixture
def donor(app, stripe):
    make.fundraiser(weights=(3, 2))
    db.session.commit()
    return Donor(app, stripe)


@pytest.fixture
def paid(donor, stripe):
    """A gift that was paid at Stripe and of which we know nothing yet: its charge is dirty."""
    control(stripe, "webhooks", modes=["drop"])
    donor.pay(donor.start())
    stripe.settle()
    poll.poll()
    keep_only("charge")


def keep_only(kind: str) -> None:
    for row in db.session.scalars(select(StripeObject)):
        if row.object_type != kind:
            row.clean_seq = row.dirty_seq
    db.session.commit()


def the_object(kind: str = "charge") -> StripeObject:
    db.session.expire_all()
    return db.session.scalars(select(StripeObject).where(StripeObject.object_type == kind)).one()


def count(table) -> int:
    return db.session.scalar(select(func.count()).select_from(table))


@pytest.mark.usefixtures("paid")
def test_a_leased_object_is_nobody_elses(app):
    assert inbox._claim(clock.now()) is not None
    assert inbox._claim(clock.now()) is None


@pytest.mark.usefixtures("paid")
def test_a_dead_workers_lease_runs_out(stripe):
    inbox._claim(clock.now())
    stripe.advance(seconds=301)
    assert inbox.work() > 0
    assert count(Payment) == 1


@pytest.mark.usefixtures("paid")
def test_a_zombie_writes_nothing(stripe):
    key, sequence, token = inbox._claim(clock.now())
    found = converge.CONVERGENCES[key[0]].fetch(account.here().gateway, key[1])
    stripe.advance(seconds=301)
    again = inbox._claim(clock.now())
    assert inbox._apply(key, sequence, token, found, clock.now()) == []
    assert count(Payment) == 0
    assert inbox._apply(*again, found, clock.now()) == []
    assert count(Payment) == 1


@pytest.mark.usefixtures("paid")
def test_an_event_during_the_fetch_leaves_the_object_dirty(stripe):
    key, sequence, token = inbox._claim(clock.now())
    found = converge.CONVERGENCES[key[0]].fetch(account.here().gateway, key[1])
    with writing():
        inbox.mark_dirty([key], now=clock.now())
        db.session.commit()
    inbox._apply(key, sequence, token, found, clock.now())
    row = the_object()
    assert row.dirty_seq > row.clean_seq
    assert inbox.work() > 0
    assert count(Payment) == 1


@pytest.mark.usefixtures("paid")
def test_stripe_down_is_waited_for_and_never_given_up(stripe):
    for _ in range(inbox.MOST_ATTEMPTS + 3):
        control(stripe, "faults", next=9, kind="500", path="/v1/charges")
        assert inbox.work() == 1
        row = the_object()
        assert not row.dead
        assert row.last_error == "StripeUnavailable"
        assert row.not_before > clock.now()
        stripe.advance(seconds=3700)
    control(stripe, "faults", next=0, kind="500", path="/v1/charges")
    inbox.work()
    assert count(Payment) == 1


@pytest.mark.usefixtures("paid")
def test_a_database_that_fails_uses_up_no_try_of_what_was_in_hand(stripe):
    rename = "ALTER TABLE payments RENAME COLUMN {} TO {}"
    db.session.execute(text(rename.format("apart", "as_it_was_called")))  # tables of another version
    db.session.commit()
    for _ in range(inbox.MOST_ATTEMPTS + 3):
        assert inbox.work() == 1
        row = the_object()
        assert (row.dead, row.attempts, row.lease_token) == (False, 0, None)
        assert row.last_error in ("OperationalError", "ProgrammingError")
        assert row.not_before > clock.now()
        stripe.advance(seconds=60)
    db.session.execute(text(rename.format("as_it_was_called", "apart")))
    db.session.commit()
    inbox.work()
    assert count(Payment) == 1


@pytest.mark.usefixtures("paid")
def test_poison_goes_aside_and_blocks_nobody():
    with writing():
        inbox.mark_dirty([("charge", "ch_nobodys")], now=clock.now())
        db.session.commit()
    inbox.work()
    db.session.expire_all()
    rows = {
        row.object_id: row for row in db.session.scalars(select(StripeObject)) if row.object_type == "charge"
    }
    assert rows["ch_nobodys"].dead
    assert "404" in rows["ch_nobodys"].last_error
    assert count(Payment) == 1


def test_the_page_that_waits_never_waits_long(donor, stripe):
    answer = donor.pay(donor.start())
    control(stripe, "faults", next=5, kind="timeout", path="/v1/checkout")
    page = donor.thanks(answer)
    assert 'data-status="processing"' in page.text
    control(stripe, "faults", next=0, kind="timeout", path="/v1/checkout")
    settle(stripe)
    assert count(Payment) == 1


def test_a_charge_nobody_pledged_is_set_apart(donor, stripe):
    donor.pay(donor.start())
    gift = db.session.scalars(select(Donation)).one()
    gift.attempt = "somebody-elses"
    db.session.commit()
    stripe.advance(seconds=3700)
    settle(stripe)
    stripe.advance(seconds=3700)
    settle(stripe)
    row = db.session.scalars(select(Payment)).one()
    assert (row.apart, row.donation_id) == ("no-pledge", None)
    assert ledger.balance("set-apart") == -row.net_minor
    assert ledger.balance("stripe") == state(stripe)["balance"]


def test_a_charge_over_another_amount_is_set_apart(donor, stripe):
    url = donor.start()
    gift = db.session.scalars(select(Donation)).one()
    gift.charged_minor = 1900
    db.session.commit()
    donor.pay(url)
    settle(stripe)
    row = db.session.scalars(select(Payment)).one()
    assert row.apart == "other-amount"
    assert ledger.balances("share:small-newsrooms") == {}
    assert ledger.balance("set-apart") == -row.net_minor


def test_a_press_that_died_after_stripe_accepted_is_one_session(donor, stripe):
    donor.open_form()
    control(stripe, "faults", next=1, kind="timeout_after_commit", path="/v1/checkout/sessions")
    assert donor.press().status_code == 503
    call = db.session.scalars(select(Call).where(Call.operation == "sessions.create")).one()
    assert call.state is CallState.UNKNOWN
    assert donor.press().status_code == 303
    db.session.expire_all()
    call = db.session.scalars(select(Call).where(Call.operation == "sessions.create")).one()
    assert (call.state, call.locked_params) == (CallState.OK, None)
    assert state(stripe)["sessions"] == 1


def test_a_broken_answer_loses_nothing_and_the_next_press_asks_under_a_new_key(donor, stripe):
    donor.open_form()
    control(stripe, "faults", next=9, kind="500", path="/v1/checkout/sessions")
    assert donor.press().status_code == 503
    control(stripe, "faults", next=0, kind="500", path="/v1/checkout/sessions")
    assert donor.press().status_code == 303  # the 500 stays stored under the first key
    assert (count(Donation), state(stripe)["sessions"]) == (1, 1)


def test_a_refund_with_a_broken_answer_is_made_once(donor, stripe):
    donor.gives()
    settle(stripe)
    row = db.session.scalars(select(Payment)).one()
    control(stripe, "faults", next=1, kind="500", path="/v1/refunds")
    with writing():
        asked = payments.ask_refund(row, make.EUR("5"))
        db.session.commit()
        assert checkout.refund(asked) is checkout.Outcome.WAITING
    control(stripe, "faults", next=0, kind="500", path="/v1/refunds")
    stripe.advance(seconds=60)
    assert checkout.resume_calls() == 1
    stripe.advance(seconds=60)
    assert checkout.resume_calls() == 0
    settle(stripe)
    assert state(stripe)["refunded"] == 500 == payments.refunded(row).minor


def test_outgoing_parameters_are_locked_until_the_outcome_is_known(donor, stripe):
    donor.open_form()
    control(stripe, "faults", next=1, kind="timeout", path="/v1/checkout/sessions")
    donor.press()
    call = db.session.scalars(select(Call).where(Call.operation == "sessions.create")).one()
    assert b"ana@example.org" not in call.locked_params
    assert call.error == "APIConnectionError"


def test_a_stop_is_asked_until_it_is_heard_however_long(donor, stripe):
    donor.gives(interval="month")
    settle(stripe)
    gift = db.session.scalars(select(Donation)).one()
    control(stripe, "faults", next=1, kind="timeout", path="/v1/subscriptions")
    assert checkout.stop(gift) is Outcome.WAITING
    stripe.advance(days=3)
    assert checkout.resume_calls() == 1
    settle(stripe)
    assert state(stripe)["subscriptions_live"] == 0


def test_an_old_unknown_change_is_given_up_and_forgotten(donor, stripe):
    donor.gives(interval="month")
    settle(stripe)
    gift = db.session.scalars(select(Donation)).one()
    control(stripe, "faults", next=1, kind="timeout", path="/v1/subscriptions")
    assert checkout.pause(gift) is Outcome.WAITING
    stripe.advance(days=1)
    assert checkout.resume_calls() == 0
    call = db.session.scalars(select(Call).where(Call.operation == "subscriptions.update")).one()
    assert (call.state, call.locked_params) == (CallState.STALE, None)
    assert checkout.pause(gift) is Outcome.AGREED  # pressed again: a new call


def test_what_an_unanswered_checkout_said_is_forgotten_after_a_day(donor, stripe):
    donor.open_form()
    control(stripe, "faults", next=1, kind="timeout", path="/v1/checkout/sessions")
    assert donor.press().status_code == 503
    stripe.advance(days=1)
    poll.sweep()
    db.session.expire_all()
    assert all(call.locked_params is None for call in db.session.scalars(select(Call)))


@pytest.mark.parametrize("interval", ["once", "month"])
def test_pressing_again_after_paying_never_opens_another_checkout(donor, stripe, interval):
    donor.open_form()
    donor.pay(donor.press(interval=interval).location)  # and the tab is closed; no webhook has come
    for _ in range(3):
        assert "/thanks/" in donor.press(interval=interval).location
    assert state(stripe)["sessions"] == 1
    settle(stripe)
    assert (count(Payment), state(stripe)["charges"]) == (1, 1)


def test_the_second_checkout_of_an_expired_one_is_paid_and_said_so(donor, stripe):
    donor.start()
    stripe.advance(seconds=3000)
    settle(stripe)
    again = donor.press()
    control(stripe, "webhooks", modes=["hold"])
    assert 'data-status="paid"' in donor.thanks(donor.pay(again.location)).text


def test_a_refund_in_the_dashboard_before_we_know_of_the_charge_is_booked(donor, stripe):
    control(stripe, "webhooks", modes=["drop"])
    donor.pay(donor.start())
    stripe.settle()
    client = account.here().gateway._client.v1
    client.refunds.create({"charge": client.charges.list({"limit": 1}).data[0].id})
    stripe.advance(seconds=60)
    stripe.settle()
    poll.poll()
    settle(stripe)
    assert ledger.balance("stripe") == state(stripe)["balance"] == -55


def test_a_refund_that_stripe_will_not_make_is_said_and_given_up(donor, stripe, app):
    donor.gives()
    settle(stripe)
    row = db.session.scalars(select(Payment)).one()
    gift = db.session.scalars(select(Donation)).one()
    client = account.here().gateway._client.v1
    control(stripe, "webhooks", modes=["drop"])
    client.refunds.create({"charge": row.stripe_charge_id})
    said = app.test_cli_runner().invoke(args=["gifts", "refund", gift.reference])
    assert said.exit_code == 1
    assert "will not refund" in said.output
    assert payments.refunded(row).minor == 0
    stripe.settle()
    poll.poll()
    settle(stripe)
    assert payments.refunded(row).minor == 2000 == state(stripe)["refunded"]


def test_a_failed_debit_every_month_then_a_card_leaves_one_live_subscription(donor, stripe):
    donor.open_form()
    first = donor.press(interval="month")
    donor.pay(first.location, card="", iban="AT861904300235473202")
    stripe.advance(seconds=60)
    settle(stripe)
    gift = db.session.scalars(select(Donation)).one()
    if gift.status is not donations.Status.FAILED:
        pytest.fail(f"the debit failed at Stripe, the gift says {gift.status}")
    again = donor.press(interval="month")
    donor.thanks(donor.pay(again.location))
    settle(stripe)
    stripe.advance(seconds=60)
    checkout.resume_calls()
    settle(stripe)
    db.session.expire_all()
    assert gift.schedule is donations.Schedule.RUNNING
    assert state(stripe)["subscriptions_live"] == 1
    stripe.advance(days=40)
    settle(stripe)
    assert gift.schedule is donations.Schedule.RUNNING
    assert checkout.stop(gift) is Outcome.AGREED
    settle(stripe)
    assert state(stripe)["subscriptions_live"] == 0


def test_the_poller_sees_after_a_clock_that_was_ahead(donor, stripe, at):
    control(stripe, "webhooks", modes=["drop"])
    poll.poll(clock.now() + timedelta(days=300))
    donor.pay(donor.start())
    stripe.settle()
    assert poll.poll() > 0


def test_sweeping_finds_what_no_event_told(donor, stripe):
    control(stripe, "webhooks", modes=["drop"])
    donor.gives()
    assert count(Payment) == 1
    assert db.session.scalars(select(Payment)).one().net_minor is None
    stripe.advance(seconds=7300)
    stripe.settle()
    assert poll.sweep() >= 1
    inbox.work()
    db.session.expire_all()
    assert db.session.scalars(select(Payment)).one().net_minor == 1945


def test_partial_refunds_are_exact_and_a_late_failure_is_undone(donor, stripe):
    donor.gives(card="4000000000005126")
    settle(stripe)
    row = db.session.scalars(select(Payment)).one()
    for minor in (333, 333, 334):
        with writing():
            asked = payments.ask_refund(row, Money(minor, "EUR"))
            db.session.commit()
            checkout.refund(asked)
    settle(stripe)
    stripe.advance(days=8)
    settle(stripe)
    assert payments.refunded(row).minor == state(stripe)["refunded"]
    assert ledger.balance("stripe") == state(stripe)["balance"]
    if state(stripe)["refunded"] == 0:  # they all failed: everything is where it was
        assert sum(ledger.balances("share:small-newsrooms").values()) == -1945
        assert ledger.balance("lost-fees") == 0


def test_a_refund_from_stripes_dashboard_is_booked(donor, stripe):
    donor.gives()
    settle(stripe)
    row = db.session.scalars(select(Payment)).one()
    account.here().gateway.perform("refunds.create", {"charge": row.stripe_charge_id}, "dashboard-1")
    settle(stripe)
    assert payments.refunded(row).minor == 2000
    assert ledger.balance("stripe") == state(stripe)["balance"] == -55
    assert ledger.balance("lost-fees") == 55
    assert sum(ledger.balances("share:small-newsrooms").values()) == 0


def test_more_than_remains_is_never_asked(donor, stripe):
    donor.gives()
    settle(stripe)
    row = db.session.scalars(select(Payment)).one()
    payments.ask_refund(row, make.EUR("15"))
    with pytest.raises(Invalid):
        payments.ask_refund(row, make.EUR("5.01"))


def test_calls_are_recorded_before_they_are_made(app, stripe):
    with writing():
        call = calls.record("key-1", "products.create", {"id": "p", "name": "x"})
        first = call.created_at
        again = calls.record("key-1", "products.create", {"id": "other", "name": "y"})
        assert again.created_at == first
        control(stripe, "faults", next=1, kind="drop_reply", path="/v1/products")
        with pytest.raises(StripeUnavailable):
            calls.send(again)
        assert calls.find_call("key-1").state is CallState.UNKNOWN
        assert calls.send(calls.find_call("key-1"))["id"] == "p"
    assert calls.was_done("products.create", "p")


def test_the_receipt_is_one_however_often_the_charge_is_seen(donor, stripe):
    donor.gives()
    settle(stripe)
    for _ in range(3):
        with writing():
            inbox.mark_dirty(
                [(o.object_type, o.object_id) for o in db.session.scalars(select(StripeObject))],
                now=clock.now(),
            )
            db.session.commit()
        inbox.work()
    assert count(outbox.Email) == 1
    assert count(ledger.Entry) == 1
    assert donations.purge_stale(clock.now() + timedelta(days=60)) == 0
