"""Refunds of a membership in the books: in parts, and one that fails after all."""

from datetime import timedelta

import pytest

from membership import mail
from membership.billing import checkout, converge
from membership.billing.checkout import Outcome
from membership.billing.facts import BalanceFacts, RefundFacts
from membership.db import db
from membership.domain import fundraisers, ledger, payments, reports, returns, roles
from membership.domain.memberships import MembershipStatus
from membership.domain.payments import RefundStatus
from membership.domain.reports.payments import PaymentFilter, State
from membership.web.staff.payments import status_of
from tests import make
from tests.journeys.donor import control, settle, state
from tests.journeys.joiner import Joiner, all_of_them, days
from tests.make import EUR


def test_a_membership_goes_back_in_parts_and_stands_again_when_one_fails(app, stripe):
    make.the_newsroom()
    make.plan("friend")
    mine = Joiner(stripe).joins()
    (paid,) = payments.payments_of(membership_id=mine.id)
    tamar = make.person("tamar@example.org")
    for amount in ("1.67", "3.33"):
        assert checkout.refund(payments.ask_refund(paid, EUR(amount), by=tamar)) is Outcome.AGREED
        _days_pass(stripe)
    fee = ledger.balance("fees")
    assert [ledger.balance(one) for one in ("membership", "lost-fees", "stripe")] == [0, 0, -fee]
    assert payments.remaining(paid) == EUR("0")
    control(stripe, "refund_fail", refund=payments.refunds_of(paid)[0].stripe_refund_id)
    _days_pass(stripe)
    assert payments.refunds_of(paid)[0].status is RefundStatus.FAILED
    assert (ledger.balance("membership"), payments.remaining(paid)) == (-167, EUR("1.67"))
    assert ledger.balance("stripe") == state(stripe)["balance"] == 167 - fee
    assert checkout.refund(payments.ask_refund(paid, EUR("1.67"), by=tamar)) is Outcome.AGREED
    _days_pass(stripe)
    assert (ledger.balance("membership"), ledger.check()) == (0, [])


def test_a_membership_whose_refund_failed_is_transferred_from_the_bank(app, stripe):
    make.the_newsroom()
    make.plan("friend")
    mine = Joiner(stripe).joins()
    (paid,) = payments.payments_of(membership_id=mine.id)
    tamar = make.person("tamar@example.org")
    checkout.refund(payments.ask_refund(paid, EUR("5"), by=tamar))
    _days_pass(stripe)
    control(stripe, "refund_fail", refund=payments.refunds_of(paid)[0].stripe_refund_id)
    _days_pass(stripe)
    (failed,) = payments.refunds_of(paid)
    returns.by_bank(failed, reference="FT26-1182", by=tamar, settings=make.settings())
    db.session.commit()
    _days_pass(stripe)
    fee = ledger.balance("fees")
    accounts = [ledger.balance(one) for one in ("membership", "bank", "stripe")]
    assert accounts == [0, -500, 500 - fee]
    assert (ledger.balance("stripe"), ledger.check()) == (state(stripe)["balance"], [])
    assert (payments.remaining(paid), payments.unreturned_refunds()) == (EUR("0"), [])


@pytest.mark.settings(REVIEW_ABOVE="EUR:10,USD:10,GBP:10,GEL:30")
def test_a_dear_second_membership_ends_at_once_and_its_refund_waits_for_somebody(app, stripe, mailbox):
    make.the_newsroom()
    make.plan("friend")
    make.plan("patron", prices={"month": "15", "year": "150"})
    first, second = Joiner(stripe).joins(), Joiner(stripe).joins(plan="patron")
    days(stripe, 4)
    assert checkout.end_doubles() == 1
    settle(stripe)
    first, second = all_of_them()
    assert (first.status, second.status) == (MembershipStatus.ACTIVE, MembershipStatus.ENDED)
    assert (state(stripe)["subscriptions_live"], state(stripe)["refunded"]) == (1, 0)
    ((refund, paid),) = payments.proposed_refunds()
    assert (refund.asked_by_id, refund.amount_minor, paid.membership_id) == (None, 1500, second.id)
    mail.deliver()
    told = mailbox[-1].get_body(("plain",)).get_content()
    assert "To be given back: €15" in told
    assert "a second person looks at it first" in told
    assert "within 5 to 10 days" not in told
    days(stripe, 40)
    assert state(stripe)["subscriptions_live"] == 1
    assert payments.payments_of(membership_id=second.id) == [paid], "nothing more was charged"
    payments.approve_refund(refund, by=make.person("tamar@example.org"))
    assert checkout.refund(refund) is Outcome.AGREED
    _days_pass(stripe)
    assert (state(stripe)["refunded"], payments.remaining(paid)) == (1500, EUR("0"))


def test_a_refund_that_settled_in_another_currency_is_set_apart_and_not_in_the_books(app, at):
    """And what else goes back of that payment is booked as ever."""
    now = at("2027-03-01 12:00")
    (paid,) = payments.payments_of(make.donation(booked=True).id)
    for currency in ("USD", "EUR"):
        moved = BalanceFacts(f"txn_{currency}", "refund", currency, -500, 0, -500, None, now, now, None)
        found = RefundFacts(f"re_{currency}", paid.stripe_charge_id, 500, "succeeded", now, None, moved, None)
        converge.CONVERGENCES["refund"].apply(found, make.settings(), now)
    assert [one.booked_as for one in payments.refunds_of(paid)] == [None, "txn_EUR"]
    assert (ledger.balance("stripe"), fundraisers.totals_off()) == (1945 - 500, [])
    assert fundraisers.find_fundraiser("small-newsrooms").raised_minor == 1500
    assert apart(now) == [("apart", 1)]
    assert apart(now + timedelta(days=31)) == [], "nothing can be done about it here: the list tells it on"
    found = reports.payments.page_of(PaymentFilter(state=State.APART))
    assert [status_of(one) for one in found.rows] == [
        ("bad", "Set apart: a refund of it settled in another currency and is not in the books")
    ]


def apart(now):
    found = reports.desk.matters(roles.ABILITIES[roles.Role.TREASURER], now=now)
    return [(matter.kind, matter.count) for matter in found]


def _days_pass(stripe):
    settle(stripe)
    stripe.advance(days=1)
    settle(stripe)
