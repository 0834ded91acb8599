"""Several things at the same moment, on real connections: presses, workers, webhooks, thanks pages."""

import re
from threading import Event, Thread

import pytest
from sqlalchemy import event, func, select

from membership import mail
from membership.billing import checkout, inbox
from membership.billing.calls import Call
from membership.billing.checkout import Checkout, Outcome
from membership.db import db, writing
from membership.domain import fundraisers, ledger, memberships, payments
from membership.domain.donations import Donation
from membership.domain.payments import Payment
from tests import make
from tests.journeys.donor import FORM, Donor, settle, state
from tests.journeys.joiner import Joiner


@pytest.fixture
def donor(real_database, stripe):
    make.fundraiser(weights=(3, 2))
    db.session.commit()
    return Donor(real_database.app, stripe)


def count(table) -> int:
    return db.session.scalar(select(func.count()).select_from(table))


def at_once(*calls) -> list:
    """Each in a thread of its own, without an app context, as requests come."""
    answers = [None] * len(calls)

    def run(place, call):
        answers[place] = call()

    threads = [Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return answers


def test_presses_at_the_same_moment_are_one_checkout(donor, stripe, mailbox):
    donor.open_form()
    cookie = donor.ours.get_cookie("session", domain="127.0.0.1") or donor.ours.get_cookie("session")
    told = {"amount": "20", "interval": "once", "currency": "EUR", "email": donor.email, "name": donor.name}

    def press():
        browser = donor.app.test_client()
        browser.set_cookie("session", cookie.value, domain="127.0.0.1")
        return browser.post(FORM, data=donor.form | told)

    answers = at_once(*[press] * 5)
    assert [a.status_code for a in answers] == [303] * 5, [
        re.findall(r"(?s)<main.*?<h1", a.text) for a in answers if a.status_code != 303
    ]
    made = [(c.number, c.state, c.stripe_session_id) for c in db.session.scalars(select(Checkout))]
    told = [(c.idem_key, c.state, c.error, c.result_id) for c in db.session.scalars(select(Call))]
    assert len({a.location for a in answers}) == 1, (made, told)
    assert (count(Donation), count(Checkout), state(stripe)["sessions"]) == (1, 1, 1)
    donor.pay(answers[0].location)
    settle(stripe)
    assert (count(Payment), state(stripe)["charges"], len(mailbox)) == (1, 1, 1)


def test_workers_and_thanks_pages_at_the_same_moment_book_once(donor, stripe, mailbox, real_database):
    answer = donor.pay(donor.start())
    stripe.settle()

    def work():
        with real_database.app.app_context():
            inbox.work()
            mail.deliver()

    at_once(work, work, lambda: donor.thanks(answer), work)
    settle(stripe)
    assert (count(Payment), count(ledger.Entry), len(mailbox)) == (1, 1, 1)
    assert ledger.balance("stripe") == state(stripe)["balance"] == 1945


def test_many_gifts_by_many_workers_end_exact(donor, stripe, mailbox, real_database):
    for number in range(12):
        reader = Donor(real_database.app, stripe, email=f"d{number}@example.org")
        reader.pay(reader.start(amount="", other_amount=f"{10 + number}.3{number % 10}"))
    stripe.settle()

    def work():
        with real_database.app.app_context():
            while inbox.work():
                pass

    at_once(work, work, work)
    settle(stripe)
    paid = db.session.scalars(select(Payment)).all()
    assert len(paid) == 12
    assert all(payment.net_minor is not None for payment in paid)
    assert ledger.balance("stripe") == sum(payment.net_minor for payment in paid)
    shares = ledger.balances("share:small-newsrooms")
    total = -sum(shares.values())
    assert total == ledger.balance("stripe")
    assert all(
        abs(-shares[f"share:small-newsrooms:outlet-{n}"] - total * w / 5) < 1 for n, w in ((0, 3), (1, 2))
    )
    assert fundraisers.totals_off() == []
    assert len(mailbox) == 12
    assert db.session.scalar(select(func.count()).select_from(Call).where(Call.state != "ok")) == 0


def test_withdrawing_while_the_desk_refunds_a_part_gives_back_the_rest(real_database, stripe):
    make.the_newsroom()
    make.plan("friend")
    db.session.commit()
    ana = Joiner(stripe)
    membership_id = ana.joins().id
    is_refunded, is_locking = Event(), Event()

    def refund():
        with writing():
            (paid,) = payments.payments_of(membership_id=membership_id)
            part = payments.ask_refund(paid, make.EUR("2"))
            is_refunded.set()
            is_locking.wait(0.3)  # on SQLite nobody else writes before we are done
            return checkout.refund(part)

    def hear(_connection, _cursor, statement, *_rest):
        if is_refunded.is_set() and "FROM payments" in statement and "FOR UPDATE" in statement:
            is_locking.set()

    def withdraw():
        is_refunded.wait(60)
        return checkout.withdraw(memberships.membership_of(membership_id))

    engine = db._app_engines[real_database.app][None]
    event.listen(engine, "before_cursor_execute", hear)
    assert real_database.together(refund, withdraw) == [Outcome.AGREED] * 2
    settle(stripe)
    assert (state(stripe)["refunded"], state(stripe)["subscriptions_live"]) == (500, 0)
