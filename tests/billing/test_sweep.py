"""What no event told is found all the same: each kind of waiting object, alone."""

from datetime import timedelta

import pytest

from membership import clock
from membership.billing import account, checkout, inbox, poll
from membership.db import db
from membership.domain import donations, ledger, payments
from membership.domain.payments import Settlement
from tests import make
from tests.journeys.donor import Donor, control, settle, state


@pytest.fixture
def donor(app, stripe):
    make.fundraiser(weights=(3, 2))
    db.session.commit()
    return Donor(app, stripe)


def the_gift() -> donations.Donation:
    db.session.expire_all()
    return db.session.query(donations.Donation).one()


def test_an_expired_checkout_nobody_told_us_of(donor, stripe):
    control(stripe, "webhooks", modes=["drop"])
    donor.start()
    stripe.advance(seconds=2100 + 3700)
    stripe.settle()
    assert poll.sweep() == 1
    inbox.work()
    assert the_gift().status is donations.Status.EXPIRED


def test_a_subscription_that_ended_without_a_word(donor, stripe):
    donor.gives(interval="month")
    settle(stripe)
    control(stripe, "webhooks", modes=["drop"])
    checkout.stop(the_gift())
    stripe.advance(days=33)
    stripe.settle()
    poll.sweep()
    inbox.work()
    assert the_gift().schedule is donations.Schedule.ENDED


def test_a_refund_whose_balance_transaction_came_late(donor, stripe):
    donor.gives()
    settle(stripe)
    control(stripe, "webhooks", modes=["drop"])
    row = payments.payments_of(the_gift().id)[0]
    asked = payments.ask_refund(row, make.EUR("5"))
    db.session.commit()
    checkout.refund(asked)
    inbox.mark_dirty([("refund", newest_refund())], now=clock.now())
    db.session.commit()
    inbox.work()  # seen before its balance transaction
    stripe.advance(seconds=7300)
    stripe.settle()
    assert poll.sweep() >= 1
    inbox.work()
    assert ledger.balance("stripe") == state(stripe)["balance"]


def newest_refund() -> str:

    return account.here().gateway._client.v1.refunds.list({"limit": 1}).data[0].id


def test_the_poller_looks_back_over_its_last_look(donor, stripe):
    control(stripe, "webhooks", modes=["drop"])
    donor.pay(donor.start())
    stripe.settle()
    poll.poll(
        clock.now() + timedelta(minutes=30)
    )  # another worker's clock is ahead; the events are older than its look
    with_events = db.session.query(inbox.StripeEvent).count()
    db.session.query(inbox.StripeEvent).delete()
    db.session.commit()
    stripe.advance(seconds=1900)
    assert poll.poll() == with_events > 0


def test_a_refund_that_comes_back_at_another_rate_is_exchange(app):
    made = make.donation(make.fundraiser(weights=(3, 2)), booked=True)
    paid = payments.payments_of(made.id)[0]
    row = payments.refund_seen(
        paid, "re_1", amount_minor=2000, status="succeeded", request=None, at=clock.now()
    )
    donations.book_refund(paid, row, Settlement("txn_1", "EUR", -2000, 0, -2000, clock.now()))
    donations.undo_refund(paid, row, Settlement("txn_2", "EUR", 1990, 0, 1990, clock.now()))
    assert ledger.balance("stripe") == 1945 - 10
    assert ledger.balance("exchange") == 10
    assert sum(ledger.balances("share:small-newsrooms").values()) == -1945
