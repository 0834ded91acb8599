"""Refunds and ends from the command line, as far as the pretend Stripe's books and the donor's mailbox."""

import pytest
from sqlalchemy import select

from membership.db import db
from membership.domain import donations
from membership.domain.donations import Donation, Review, Schedule
from tests import make
from tests.journeys.donor import Donor, control, settle, state
from tests.records import history_of


@pytest.fixture
def donor(app, stripe):
    make.fundraiser(weights=(3, 2))
    db.session.commit()
    return Donor(app, stripe)


def run(app, *args):
    db.session.commit()
    return app.test_cli_runner().invoke(args=["gifts", *args])


def the_gift() -> Donation:
    db.session.expire_all()
    return db.session.scalars(select(Donation)).one()


def test_a_gift_is_given_back_once(app, donor, stripe):
    donor.gives()
    settle(stripe)
    done = run(app, "refund", the_gift().reference)
    assert done.exit_code == 0, done.output
    assert "Stripe has agreed" in done.output
    settle(stripe)
    assert state(stripe)["refunded"] == 2000
    assert "nothing left" in run(app, "refund", the_gift().reference).output
    assert state(stripe)["refunds"] == 1
    assert len(history_of("donation", the_gift().reference)) == 1


def test_a_gift_of_several_payments_is_given_back_only_when_all_is_said(app, donor, stripe):
    donor.gives(interval="month")
    settle(stripe)
    stripe.advance(days=32)
    settle(stripe)
    asked = run(app, "refund", the_gift().reference)
    assert asked.exit_code == 2
    assert "2 payments: say --all" in asked.output
    assert state(stripe)["refunds"] == 0
    assert run(app, "refund", "--all", the_gift().reference).exit_code == 0
    assert state(stripe)["refunded"] == 4000


def test_a_held_gift_that_repeats_is_refused_and_ends(app, donor, stripe):
    donor.gives(interval="month", amount="", other_amount="1500")
    settle(stripe)
    assert the_gift().review is Review.HELD
    assert run(app, "refund", the_gift().reference).exit_code == 0
    settle(stripe)
    assert (the_gift().review, the_gift().schedule) == (Review.REFUSED, Schedule.ENDED)
    assert state(stripe)["refunded"] == 150_000
    assert state(stripe)["subscriptions_live"] == 0


def test_an_unanswered_refund_is_asked_again_by_the_worker(app, donor, stripe):
    donor.gives()
    settle(stripe)
    control(stripe, "faults", next=4, kind="timeout", path="/v1/refunds")
    done = run(app, "refund", the_gift().reference)
    assert done.exit_code == 0
    assert "has not answered yet" in done.output
    control(stripe, "faults", next=0, kind="timeout", path="/v1/refunds")
    stripe.advance(seconds=3700)
    assert app.test_cli_runner().invoke(args=["work", "--once"]).exit_code == 0
    assert state(stripe)["refunds"] == 1


def test_the_running_gifts_of_a_country_stop_with_a_mail_each(app, donor, stripe, mailbox):
    donor.gives(interval="month")
    settle(stripe)
    gift = the_gift()
    gift.country = "AZ"
    assert "0 running" in run(app, "stop", "--country", "AM").output
    done = run(app, "stop", "--country", "az")
    assert done.exit_code == 0, done.output
    assert "AZ: 1 running, 1 stopped." in done.output
    settle(stripe)
    assert the_gift().schedule is Schedule.ENDED
    assert state(stripe)["subscriptions_live"] == 0
    (mail,) = [one for one in mailbox if one["Subject"] == "Your gift has stopped"]
    assert "some countries" in mail.get_body(("plain",)).get_content()
    assert "/give" not in mail.get_body(("plain",)).get_content()
    (row,) = history_of("country", "AZ")
    assert row.details == {"running": 1, "stopped": 1}
    assert donations.running_from("AZ") == []


@pytest.mark.settings(TIMEZONE="Asia/Tbilisi")
def test_a_held_gift_is_listed_with_the_day_it_was_paid_on_at_the_newsroom(app, at):
    at("2026-03-31 22:30")  # by UTC
    gift = make.donation(settled=True, amount=make.EUR("1500"))
    assert f"{gift.reference}  €1,500  once  paid 2026-04-01" in run(app, "held").output


@pytest.mark.parametrize("said", ["Georgia", "UK", "12", ""])
def test_what_is_no_country_is_not_taken_for_one_without_gifts(app, said):
    done = run(app, "stop", "--country", said)
    assert done.exit_code == 2
    assert "is no ISO 3166 code of a country" in done.output
