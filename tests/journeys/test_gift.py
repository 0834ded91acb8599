"""A gift from the article to the ledger, through the pages a reader sees; also with everything that goes wrong."""

import pytest
from sqlalchemy import func, select

from membership.billing import poll
from membership.db import db
from membership.domain import donations, fundraisers, ledger, payments
from membership.domain.donations import Donation, Schedule, Status
from membership.domain.payments import Payment
from tests import make
from tests.journeys.donor import (
    DECLINED,
    SECURE,
    SEPA_GOOD,
    Donor,
    control,
    path_of,
    reference_of,
    settle,
    state,
)

once = pytest.mark.one_database(
    "the queries are those of the first journey and of tests/billing, which run on both"
)

MODES = [[], ["duplicate"], ["shuffle"], ["duplicate", "shuffle"]]


@pytest.fixture
def fundraiser(app):
    made = make.fundraiser(weights=(3, 2))
    db.session.commit()
    return made


@pytest.fixture
def donor(app, stripe, fundraiser):
    return Donor(app, stripe)


def modes(stripe, chosen):
    control(stripe, "webhooks", modes=chosen)


def receipts(mailbox):
    return [m for m in mailbox if "receipt" in m["Subject"].lower() or "ქვით" in m["Subject"]]


def one_gift_in_the_books(stripe, mailbox, minor=2000, fee=55):
    """One charge, one payment, one receipt, and the ledger to the cent."""
    db.session.expire_all()
    there = state(stripe)
    assert (there["charges"], there["charged"]) == (1, minor)
    paid = db.session.scalars(select(Payment)).all()
    assert [(p.amount_minor, p.fee_minor, p.net_minor) for p in paid] == [(minor, fee, minor - fee)]
    assert len(receipts(mailbox)) == 1
    assert ledger.balance("stripe") == minor - fee == there["balance"]
    shares = ledger.balances("share:small-newsrooms")
    assert sum(shares.values()) == -(minor - fee)
    assert fundraisers.find_fundraiser("small-newsrooms").raised_minor == minor


@pytest.mark.parametrize("chosen", MODES, ids=lambda m: "+".join(m) or "orderly")
def test_once_from_the_form_to_the_ledger(donor, stripe, mailbox, chosen):
    modes(stripe, chosen)
    page = donor.gives()
    assert page.status_code == 200
    assert 'data-status="paid"' in page.text
    settle(stripe)
    one_gift_in_the_books(stripe, mailbox)
    assert "€20" in receipts(mailbox)[0].get_body(("plain",)).get_content()


@once
def test_thanks_is_right_before_any_webhook_and_the_worker_agrees(donor, stripe, mailbox):
    modes(stripe, ["hold"])
    assert 'data-status="paid"' in donor.gives().text
    settle(stripe)
    control(stripe, "webhooks/release")
    settle(stripe)
    one_gift_in_the_books(stripe, mailbox)


def test_webhooks_lost_and_browser_closed_at_stripe(donor, stripe, mailbox):
    modes(stripe, ["drop"])
    donor.pay(donor.start())  # and never comes back
    settle(stripe)
    assert db.session.scalar(select(func.count()).select_from(Payment)) == 0
    poll.poll()
    settle(stripe)
    stripe.advance(seconds=700)
    poll.poll()
    settle(stripe)
    one_gift_in_the_books(stripe, mailbox)
    assert donor.status(db.session.scalar(select(Donation.reference))) == "paid"


def test_a_double_click_is_one_checkout_and_one_charge(donor, stripe, mailbox):
    donor.open_form()
    first, second = donor.press(), donor.press()
    assert first.location == second.location
    donor.pay(first.location)
    assert path_of(donor.press().location).startswith("/thanks/")
    settle(stripe)
    assert state(stripe)["sessions"] == 1
    one_gift_in_the_books(stripe, mailbox)


@once
@pytest.mark.patient
def test_one_lost_reply_is_asked_for_again_before_anybody_notices(donor, stripe):
    donor.open_form()
    control(stripe, "faults", next=1, kind="drop_reply", path="/v1/checkout/sessions")
    assert donor.press().status_code == 303
    assert state(stripe)["sessions"] == 1


@once
@pytest.mark.patient
def test_three_lost_replies_and_the_same_press_reach_the_same_session(donor, stripe, mailbox):
    donor.open_form()
    control(stripe, "faults", next=3, kind="drop_reply", path="/v1/checkout/sessions")
    lost = donor.press()
    assert lost.status_code == 503
    assert "Nothing was charged" in lost.text
    assert donor.ours.field("attempt")
    found = donor.press()
    assert found.status_code == 303
    assert state(stripe)["sessions"] == 1
    donor.thanks(donor.pay(found.location))
    settle(stripe)
    one_gift_in_the_books(stripe, mailbox)


@once
def test_declined_then_paid_with_another_card(donor, stripe, mailbox):
    url = donor.start()
    declined = donor.pay(url, DECLINED)
    assert declined.status_code != 303
    reference = db.session.scalar(select(Donation.reference))
    assert donor.status(reference) != "paid"
    settle(stripe)
    assert db.session.scalar(select(func.count()).select_from(Payment)) == 0
    donor.thanks(donor.pay(url))
    settle(stripe)
    one_gift_in_the_books(stripe, mailbox)


@once
def test_three_d_secure(donor, stripe, mailbox):
    asked = donor.pay(donor.start(), SECURE)
    page = donor.theirs.get(path_of(asked.location)) if asked.status_code == 303 else asked
    assert "3ds" in (page.request.path + page.text).lower()
    approved = donor.theirs.post(page.request.path, data={"outcome": "approve"})
    assert 'data-status="paid"' in donor.thanks(approved).text
    settle(stripe)
    one_gift_in_the_books(stripe, mailbox)


@once
def test_an_abandoned_checkout_expires_and_the_same_press_opens_another(donor, stripe):
    url = donor.start()
    reference = db.session.scalar(select(Donation.reference))
    stripe.advance(seconds=3000)
    settle(stripe)
    db.session.expire_all()
    assert donations.get_donation(reference).status is Status.EXPIRED
    assert donor.status(reference) == "failed"
    again = donor.press()
    assert again.status_code == 303
    assert again.location != url
    assert state(stripe)["charges"] == 0


@once
def test_the_same_attempt_with_another_amount_expires_the_first_checkout(donor, stripe, mailbox):
    donor.open_form()
    first = donor.press()
    second = donor.press(amount="50")
    assert second.location != first.location
    assert donor.pay(first.location).status_code != 303
    donor.thanks(donor.pay(second.location))
    settle(stripe)
    one_gift_in_the_books(stripe, mailbox, minor=5000, fee=100)


@once
def test_paid_meanwhile_and_then_pressed_with_another_amount_shows_thanks(donor, stripe, mailbox):
    donor.open_form()
    donor.pay(donor.press().location)
    changed = donor.press(amount="50")
    assert path_of(changed.location).startswith("/thanks/")
    settle(stripe)
    one_gift_in_the_books(stripe, mailbox)


@once
def test_a_bank_debit_is_on_its_way_until_it_is_paid(donor, stripe, mailbox):
    url = donor.start()
    answer = donor.pay(url, card="", iban=SEPA_GOOD)
    assert 'data-status="processing"' in donor.thanks(answer).text
    assert receipts(mailbox) == []
    stripe.advance(seconds=60)
    settle(stripe)
    reference = reference_of(answer.location)
    assert donor.status(reference) == "paid"
    assert len(receipts(mailbox)) == 1
    assert ledger.balance("stripe") == state(stripe)["balance"] > 0


@once
def test_another_browser_learns_nothing(donor, app, stripe):
    donor.gives()
    reference = db.session.scalar(select(Donation.reference))
    stranger = app.test_client()
    page = stranger.get(f"/thanks/{reference}")
    assert page.status_code == 200
    assert "€20" not in page.text
    assert "data-status" not in page.text or 'data-status="paid"' not in page.text
    assert stranger.get("/thanks/not-a-reference").status_code == 404


def test_monthly_renews_with_the_clock_and_stops(donor, stripe, mailbox):
    page = donor.gives(interval="month")
    assert 'data-status="paid"' in page.text
    settle(stripe)
    assert db.session.scalars(select(Donation)).one().schedule is Schedule.RUNNING
    stripe.advance(days=31)
    settle(stripe)
    db.session.expire_all()
    assert state(stripe)["charges"] == 2
    assert db.session.scalar(select(func.count()).select_from(Payment)) == 2
    assert len(receipts(mailbox)) == 2
    assert ledger.balance("stripe") == state(stripe)["balance"]
    assert "Next payment" in receipts(mailbox)[0].get_body(("plain",)).get_content()
    leave = next(
        line for line in receipts(mailbox)[1].get_body(("plain",)).get_content().split() if "/leave/" in line
    )
    page = donor.ours.get(path_of(leave))
    assert page.status_code == 200
    done = donor.ours.post(
        path_of(leave), data={"csrf_token": donor.ours.field("csrf_token"), "action": "stop"}
    )
    assert done.status_code in (200, 303)
    settle(stripe)
    stripe.advance(days=62)
    settle(stripe)
    db.session.expire_all()
    assert state(stripe)["charges"] == 2
    assert state(stripe)["subscriptions_live"] == 0
    assert db.session.scalars(select(Donation)).one().schedule is Schedule.ENDED
    assert sum("stopped" in m["Subject"].lower() for m in mailbox) == 1


def test_a_gift_above_the_review_limit_is_held_until_staff_decide(donor, stripe, mailbox, app):
    donor.gives(other_amount="1500")
    settle(stripe)
    db.session.expire_all()
    given = db.session.scalars(select(Donation)).one()
    assert given.review is donations.Review.HELD
    assert ledger.balance("held:small-newsrooms") == -(150000 - 2275)
    assert ledger.balances("share:small-newsrooms") == {}
    runner = app.test_cli_runner()
    assert given.reference in runner.invoke(args=["gifts", "held"]).output
    assert runner.invoke(args=["gifts", "accept", given.reference]).exit_code == 0
    assert ledger.balance("held:small-newsrooms") == 0
    assert sum(ledger.balances("share:small-newsrooms").values()) == -(150000 - 2275)
    assert payments.payments_of(given.id)[0].held is False


@once
def test_a_held_gift_is_refunded(donor, stripe, app):
    donor.gives(other_amount="1500")
    settle(stripe)
    reference = db.session.scalar(select(Donation.reference))
    assert app.test_cli_runner().invoke(args=["gifts", "refund", reference]).exit_code == 0
    settle(stripe)
    assert state(stripe)["refunded"] == 150000
    assert ledger.balance("held:small-newsrooms") == 0
    assert ledger.balance("lost-fees") == 2275
    assert ledger.balance("stripe") == state(stripe)["balance"] == -2275
    assert fundraisers.find_fundraiser("small-newsrooms").raised_minor == 0
