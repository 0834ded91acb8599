"""Gifts that come again: announced, renewed, failed, paused, stopped, ended."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from membership import clock, mail
from membership.billing import checkout, converge, inbox, poll
from membership.billing.calls import Call, CallState
from membership.billing.checkout import Outcome
from membership.db import db, writing
from membership.domain import donations, fundraisers, ledger, payments
from membership.domain.donations import Donation, Schedule
from membership.domain.payments import Payment
from tests import make
from tests.journeys.donor import SECURE, SEPA_SLOW, Donor, control, path_of, settle, state
from tests.web.visitor import text

once = pytest.mark.one_database(
    "the queries are those of the journeys beside it and of tests/billing, which run on both"
)

FAILS_LATER = "4000000000000341"


@pytest.fixture
def donor(app, stripe):
    make.fundraiser(weights=(3, 2))
    db.session.commit()
    return Donor(app, stripe)


def the_gift() -> Donation:
    db.session.expire_all()
    return db.session.scalars(select(Donation)).one()


def subjects(mailbox) -> list[str]:
    return [m["Subject"] for m in mailbox]


def text_of(message) -> str:
    return message.get_body(("plain",)).get_content()


def with_template(mailbox, words: str):
    return [m for m in mailbox if words in m["Subject"].lower()]


def card_fails_from_now_on(stripe):
    control(stripe, "card", subscription=the_gift().stripe_subscription_id, card_number=FAILS_LATER)


def presses_pause(donor, link: str) -> None:
    donor.ours.get(link)
    donor.stripe.advance(seconds=5)
    donor.ours.post(link, data={"csrf_token": donor.ours.field("csrf_token"), "action": "pause"})
    donor.ours.get(link)


def pass_days(stripe, days: int, step: int = 1) -> None:
    for _ in range(0, days, step):
        stripe.advance(days=step)
        settle(stripe)


@once
def test_a_yearly_gift_is_announced_once_fourteen_days_before(donor, stripe, mailbox):
    donor.gives(interval="year", amount="60")
    settle(stripe)
    stripe.advance(days=350)
    settle(stripe)
    assert converge.announce_renewals() == 0
    stripe.advance(days=2)
    assert converge.announce_renewals() == 1
    assert converge.announce_renewals() == 0
    mail.deliver()
    notices = with_template(mailbox, "renews")
    assert len(notices) == 1
    assert "/leave/" in text_of(notices[0])
    assert "€60" in text_of(notices[0])
    pass_days(stripe, 15, step=5)
    assert state(stripe)["charges"] == 2
    assert ledger.balance("stripe") == state(stripe)["balance"]


@once
def test_a_monthly_gift_is_not_announced(donor, stripe):
    donor.gives(interval="month")
    settle(stripe)
    stripe.advance(days=20)
    assert converge.announce_renewals() == 0


def test_a_failed_renewal_is_past_due_then_ends_with_one_mail(donor, stripe, mailbox):
    donor.gives(interval="month")
    settle(stripe)
    card_fails_from_now_on(stripe)
    stripe.advance(days=32)
    settle(stripe)
    assert the_gift().schedule is Schedule.PAST_DUE
    pass_days(stripe, 16)
    gift = the_gift()
    assert (gift.schedule, gift.ended_by) == (Schedule.ENDED, "failed")
    assert state(stripe)["charges"] == 1
    last = mailbox[-1]
    assert "/give" in text_of(last)
    assert len(mailbox) == 2  # the receipt, and one mail that offers to start again
    pass_days(stripe, 62, step=31)
    assert len(mailbox) == 2
    assert db.session.scalar(select(func.count()).select_from(Payment)) == 1


@pytest.mark.parametrize("interval", ["once", "month"])
def test_a_debit_that_fails_is_told_and_leaves_nothing_that_runs(donor, stripe, mailbox, interval):
    donor.pay(donor.start(interval=interval), card="", iban="AT861904300235473202")
    pass_days(stripe, 1)
    checkout.resume_calls()
    pass_days(stripe, 10, step=5)
    gift = the_gift()
    assert (gift.status, gift.schedule) == (donations.Status.FAILED, Schedule.NONE)
    assert (state(stripe)["subscriptions_live"], state(stripe)["charges"]) == (0, 0)
    (told,) = mailbox
    assert "nothing was charged" in text_of(told)
    assert "/give" in text_of(told)


def test_a_renewal_that_its_bank_wants_confirmed_ends_the_gift_and_says_so(donor, stripe, mailbox):
    """Stripe does not try such a payment again, so nobody would ever hear of it."""
    donor.gives(interval="month")
    settle(stripe)
    control(stripe, "card", subscription=the_gift().stripe_subscription_id, card_number=SECURE)
    mailbox.clear()
    pass_days(stripe, 32, step=16)
    stripe.advance(seconds=60)
    checkout.resume_calls()
    pass_days(stripe, 32, step=16)
    gift = the_gift()
    assert (gift.schedule, gift.ended_by) == (Schedule.ENDED, "failed")
    (told,) = mailbox
    assert "a bank wanted one more step" in text_of(told)
    assert (state(stripe)["subscriptions_live"], state(stripe)["charges"]) == (0, 1)


@once
def test_a_card_that_works_again_goes_on(donor, stripe, mailbox):
    donor.gives(interval="month")
    settle(stripe)
    card_fails_from_now_on(stripe)
    stripe.advance(days=32)
    settle(stripe)
    control(stripe, "card", subscription=the_gift().stripe_subscription_id, card_number="4242424242424242")
    pass_days(stripe, 8)
    assert the_gift().schedule is Schedule.RUNNING
    assert state(stripe)["charges"] == 2
    assert len(mailbox) == 2  # two receipts, nothing about the failure


@once
def test_a_paused_gift_skips_and_goes_on_by_itself(donor, stripe, mailbox):
    donor.gives(interval="month")
    settle(stripe)
    link = f"/leave/{the_gift().leave_token}"
    donor.ours.get(link)
    assert the_gift().schedule is Schedule.RUNNING  # looking never acts
    stripe.advance(seconds=5)
    answer = donor.ours.post(link, data={"csrf_token": donor.ours.field("csrf_token"), "action": "pause"})
    assert answer.status_code in (200, 303)
    settle(stripe)
    gift = the_gift()
    assert gift.schedule is Schedule.PAUSED
    assert gift.resumes_at > clock.now() + timedelta(days=80)
    pass_days(stripe, 70, step=10)
    assert state(stripe)["charges"] == 1
    pass_days(stripe, 60, step=10)
    assert the_gift().schedule is Schedule.RUNNING
    assert state(stripe)["charges"] >= 2
    assert ledger.balance("stripe") == state(stripe)["balance"]


@once
def test_a_gift_is_not_paused_while_a_payment_of_it_is_being_made(donor, stripe):
    """Stripe goes on asking for that one, although we would say that nothing is charged."""
    donor.thanks(donor.pay(donor.start(interval="month"), card="", iban=SEPA_SLOW))
    pass_days(stripe, 40, step=8)
    stripe.advance(seconds=int((the_gift().next_on - clock.now()).total_seconds()) + 2 * 3600)
    settle(stripe)
    link = f"/leave/{the_gift().leave_token}"
    presses_pause(donor, link)
    assert "Once the payment that is due has gone through, you can also pause." in text(donor.ours)
    control(
        stripe,
        "sepa",
        payment_intent=payments.payments_of(the_gift().id)[-1].stripe_payment_intent_id,
        outcome="fail",
    )
    settle(stripe)
    assert the_gift().schedule is Schedule.PAST_DUE
    presses_pause(donor, link)
    assert "Once the payment that is due has gone through, you can also pause." in text(donor.ours)
    pass_days(stripe, 8)
    assert the_gift().schedule is Schedule.RUNNING
    presses_pause(donor, link)
    assert "Nothing is charged until" in text(donor.ours)


@once
def test_stopping_while_stripe_is_down_is_noted_and_done_later(donor, stripe, mailbox):
    donor.gives(interval="month")
    settle(stripe)
    control(stripe, "faults", next=50, kind="500", path="/v1/subscriptions")
    with writing():
        assert checkout.stop(the_gift()) is Outcome.WAITING
    control(stripe, "faults", next=0, kind="500", path="/v1/")
    assert state(stripe)["subscriptions_live"] == 1
    stripe.advance(seconds=60)
    assert checkout.resume_calls() == 1
    settle(stripe)
    assert state(stripe)["subscriptions_live"] == 0
    assert the_gift().ended_by == "donor"
    assert len(with_template(mailbox, "stopped")) == 1


@once
def test_stopping_twice_is_once(donor, stripe, mailbox):
    donor.gives(interval="month")
    settle(stripe)
    for _ in range(2):
        with writing():
            assert checkout.stop(the_gift()) is Outcome.AGREED
    settle(stripe)
    with writing():
        assert checkout.stop(the_gift()) is Outcome.AGREED
    settle(stripe)
    assert len(with_template(mailbox, "stopped")) == 1


@once
def test_a_mailed_link_stops_a_gift_and_strangers_learn_nothing(donor, stripe, mailbox):
    donor.gives(interval="month")
    settle(stripe)
    answers = []
    for email in ("nobody@example.org", "ana@example.org"):
        donor.ours.get("/leave")
        stripe.advance(seconds=5)
        token = donor.ours.field("csrf_token")
        answers.append(donor.ours.post("/leave", data={"csrf_token": token, "email": email}))
        settle(stripe)
    known, unknown = (
        a.text.replace(e, "") for a, e in zip(answers, ("nobody@example.org", "ana@example.org"), strict=True)
    )
    assert answers[0].status_code == answers[1].status_code
    assert len(known) == len(unknown)
    letters = [m for m in mailbox if "/leave/" in text_of(m) and "receipt" not in m["Subject"].lower()]
    assert [m["To"] for m in letters] == ["ana@example.org"]
    link = next(word for word in text_of(letters[0]).split() if "/leave/" in word)
    page = donor.ours.get(path_of(link))
    assert "€20" in page.text
    assert "ana@example.org" not in page.text


def test_staff_stop_every_running_gift_of_a_country(app, stripe, mailbox):
    make.fundraiser()
    db.session.commit()
    for number in range(3):
        Donor(app, stripe, email=f"d{number}@example.org").gives(interval="month")
    settle(stripe)
    country = db.session.scalar(select(Donation.card_country))
    outcome = app.test_cli_runner().invoke(args=["gifts", "stop", "--country", country])
    assert outcome.exit_code == 0, outcome.output
    settle(stripe)
    db.session.expire_all()
    assert {d.schedule for d in db.session.scalars(select(Donation))} == {Schedule.ENDED}
    assert len(with_template(mailbox, "stopped")) == 3


@once
def test_running_gifts_end_with_a_fundraiser_that_said_so(app, stripe, donor):
    donor.gives(interval="month")
    settle(stripe)
    row = fundraisers.find_fundraiser("small-newsrooms")
    row.ends_running, row.status = True, fundraisers.FundraiserStatus.CLOSED
    db.session.commit()
    assert checkout.stop_closed() == 1
    settle(stripe)
    gift = the_gift()
    assert (gift.schedule, gift.ended_by) == (Schedule.ENDED, "closed")


@once
def test_a_customer_deleted_at_stripe_ends_the_gift_and_keeps_the_books(donor, stripe):
    donor.gives(interval="month")
    settle(stripe)
    customer = the_gift().stripe_customer_id
    donor.theirs.delete(
        f"/v1/customers/{customer}",
        base_url="http://localhost:8001",
        headers={"Authorization": f"Bearer {make.settings().stripe_secret_key}"},
    )
    settle(stripe)
    gift = the_gift()
    assert (gift.schedule, gift.stripe_customer_id) == (Schedule.ENDED, None)
    assert len(donations.find_by_customer(customer)) == 0
    assert ledger.balance("stripe") == state_all(stripe)["balance"] > 0


def state_all(stripe) -> dict[str, int]:
    from werkzeug.test import Client

    return Client(stripe.wsgi).get("/_control/state").json


def test_months_of_lost_webhooks_are_caught_up_by_asking(donor, stripe, mailbox):
    donor.gives(interval="month")
    settle(stripe)
    control(stripe, "webhooks", modes=["drop"])
    for _ in range(3):
        stripe.advance(days=28)
        poll.poll()
        settle(stripe)
    assert state(stripe)["charges"] >= 3
    assert db.session.scalar(select(func.count()).select_from(Payment)) == state(stripe)["charges"]
    assert ledger.balance("stripe") == state(stripe)["balance"]
    assert db.session.scalar(select(func.count()).select_from(Call).where(Call.state != CallState.OK)) == 0
    while inbox.work():
        pass
