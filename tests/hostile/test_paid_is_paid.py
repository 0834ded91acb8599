"""Whoever has paid is never told that nothing was charged, and whoever presses again gets a payment page."""

import pytest
from sqlalchemy import select

from membership.billing import inbox
from membership.db import db
from membership.domain import donations
from membership.domain.donations import Donation
from tests import make
from tests.journeys.donor import Donor, control, path_of, reference_of, settle, state

once = pytest.mark.one_database("the queries are those of tests/billing, which run on both")

SEPA_BAD = "AT861904300235473202"


@pytest.fixture
def donor(app, stripe):
    make.fundraiser()
    return Donor(app, stripe)


def hear(stripe):
    stripe.settle()
    while inbox.work():
        stripe.advance(seconds=2)


@once
def test_paid_after_the_first_page_expired_is_shown_as_paid(donor, stripe, mailbox):
    donor.start()
    stripe.advance(seconds=3000)
    hear(stripe)  # the first Checkout has expired, and we know it
    again = donor.press()
    assert again.status_code == 303
    paid = donor.pay(again.location)
    donor.thanks(paid)  # before any event was heard
    assert donor.status(reference_of(paid.location)) == "paid"
    settle(stripe)
    assert state(stripe)["charges"] == len(mailbox) == 1


@once
def test_paid_by_card_after_a_debit_failed_is_shown_as_paid(donor, stripe, mailbox):
    donor.pay(donor.start(), card="", iban=SEPA_BAD)
    for _ in range(20):
        stripe.advance(days=1)
        hear(stripe)
    assert db.session.scalar(select(Donation.status)) is donations.Status.FAILED
    reference = db.session.scalar(select(Donation.reference))
    donor.open_form(f"/fundraisers/small-newsrooms/give?cancelled={reference}")
    again = donor.press()
    assert again.status_code == 303
    paid = donor.pay(again.location)
    donor.thanks(paid)
    assert donor.status(reference_of(paid.location)) == "paid"


@once
def test_a_stranded_call_is_asked_again_in_the_same_press(donor, stripe):
    donor.open_form()
    control(stripe, "faults", next=50, kind="timeout", path="/v1/checkout/sessions")
    assert donor.press().status_code == 503
    control(stripe, "faults", next=0)
    stripe.advance(seconds=600)  # its frozen expires_at is now nearer than Stripe allows
    assert donor.press().status_code == 303


@once
def test_a_lost_reply_never_leads_to_a_page_that_has_expired(donor, stripe):
    donor.open_form()
    control(stripe, "faults", next=50, kind="drop_reply", path="/v1/checkout/sessions")
    assert donor.press().status_code == 503
    control(stripe, "faults", next=0)
    stripe.advance(seconds=3000)
    answer = donor.press()
    assert answer.status_code == 303
    assert donor.theirs.get(path_of(answer.location)).status_code == 200


def test_a_gift_paid_while_we_were_away_keeps_its_donor(donor, stripe, mailbox):
    donor.pay(donor.start(interval="month"))
    stripe.advance(days=31)  # nothing was heard for a month
    donations.purge_stale()
    db.session.commit()
    settle(stripe)
    donation = db.session.scalars(select(Donation)).one()
    assert donation.status is donations.Status.SETTLED
    assert donation.person_id is not None
    assert donations.running_of(donor.email) == [donation]


@once
def test_a_pledge_pressed_again_is_a_pledge_of_today(donor, stripe):
    donor.start()
    stripe.advance(days=29)
    hear(stripe)
    donor.open_form()
    reference = db.session.scalar(select(Donation.reference))
    donor.open_form(f"/fundraisers/small-newsrooms/give?cancelled={reference}")
    assert donor.press().status_code == 303
    stripe.advance(days=2)
    donations.purge_stale()
    assert db.session.scalars(select(Donation)).one().person_id is not None
