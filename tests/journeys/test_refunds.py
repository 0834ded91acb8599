"""Refunds of a membership in the books: in parts, and one that fails after all."""

import pytest

from membership import mail
from membership.billing import checkout
from membership.billing.checkout import Outcome
from membership.db import db
from membership.domain import ledger, payments, returns
from membership.domain.memberships import MembershipStatus
from membership.domain.payments import RefundStatus
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


def _days_pass(stripe):
    settle(stripe)
    stripe.advance(days=1)
    settle(stripe)
