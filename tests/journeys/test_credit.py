"""Credit from a change to less, when the membership ends: it goes back once, whatever happens on the way."""

import pytest

from membership import clock
from membership.billing import account, checkout, inbox, poll
from membership.billing.checkout import Outcome
from membership.db import db
from membership.domain import ledger, memberships, payments, people, personal_data, plans, reports
from membership.domain.memberships import MembershipStatus
from membership.domain.payments import RefundStatus
from membership.domain.roles import Ability
from tests import make
from tests.journeys.donor import control, settle, state
from tests.journeys.joiner import Joiner, days
from tests.journeys.under_way import LOST, dies_after, slow

MOVES = "/v1/customers/"
EUR = make.EUR


@pytest.fixture
def ana(app, stripe):
    make.the_newsroom()
    make.plan("friend", perks=("letters",))
    make.plan("patron", prices={"month": "25", "year": "250"}, perks=("letters", "talks"))
    db.session.commit()
    return Joiner(stripe)


def v1():
    return account.here().gateway._client.v1


def changes(ana, plan, amount, interval):
    """To the last cent as it was shown."""
    how = {"plan": plans.get_plan(plan), "amount": EUR(amount), "interval": interval}
    seen = checkout.preview(ana.membership, **how)
    assert checkout.change(ana.membership, **how, proration_at=seen.proration_at) is Outcome.AGREED
    settle(ana.stripe)


def has_credit(ana):
    """Patron by the year, then friend by the month: the credit is 245."""
    ana.joins(plan="patron", interval="year")
    changes(ana, "friend", "5", "month")
    assert ana.membership.credit == EUR("245")
    return ana.membership


def all_is_said(stripe):
    for _ in range(4):
        stripe.advance(seconds=60)
        checkout.resume_calls()
        settle(stripe)


def ends(ana):
    """Left, and the month runs out."""
    checkout.leave(ana.membership)
    for _ in range(2):
        ana.stripe.advance(days=16)
        settle(ana.stripe)
    assert ana.membership.status is MembershipStatus.ENDED


def at_stripe(ana):
    """(the balance, what we moved of it, what was refunded)"""
    customer = ana.membership.stripe_customer_id
    found = v1().customers.balance_transactions.list(customer).data
    moved = [one.amount for one in found if one.type == "adjustment"]
    return v1().customers.retrieve(customer).balance, moved, state(ana.stripe)["refunded"]


def refunds(ana):
    db.session.expire_all()
    paid = payments.payments_of(membership_id=ana.membership.id)
    return [(one.amount_minor, one.status) for each in paid for one in payments.refunds_of(each)]


def matters(stripe):
    stripe.advance(seconds=3700)
    found = reports.desk.matters(frozenset((Ability.REFUND,)), now=clock.now())
    return [(one.kind, [str(line.amount) for line in one.first]) for one in found]


def bodies(mailbox, words):
    found = [one for one in mailbox if words in one["Subject"]]
    return [one.get_body(("plain",)).get_content() for one in found]


def test_credit_goes_back_once_when_a_membership_ends(ana, stripe, mailbox):
    has_credit(ana)
    ends(ana)
    assert "€245" in bodies(mailbox, "ends on")[0]
    assert "€245" in bodies(mailbox, "has ended")[0]
    all_is_said(stripe)
    for _ in range(2):  # every event again
        keys = [
            ("customer", ana.membership.stripe_customer_id),
            ("subscription", ana.membership.stripe_subscription_id),
        ]
        inbox.mark_dirty(keys, now=clock.now())
        db.session.commit()
        all_is_said(stripe)
    assert at_stripe(ana) == (0, [24500], 24500)
    assert refunds(ana) == [(24500, RefundStatus.SUCCEEDED)]
    assert (ana.membership.credit_minor, ledger.balance("membership")) == (0, -500)
    assert len(bodies(mailbox, "refund")) == 1
    assert memberships.credit_returned(ana.membership) == EUR("245")
    assert matters(stripe) == []


def test_taking_a_leave_back_keeps_the_credit(ana, stripe):
    has_credit(ana)
    checkout.leave(ana.membership)
    settle(stripe)
    checkout.come_back(ana.membership)
    days(stripe, 40)
    all_is_said(stripe)
    assert at_stripe(ana) == (-24000, [], 0)
    assert ana.membership.credit == EUR("240")


@pytest.mark.parametrize("commits", range(1, 9))
def test_a_worker_that_dies_gives_back_once(ana, stripe, commits):
    has_credit(ana)
    ends(ana)
    stripe.advance(seconds=60)
    dies_after(commits, checkout.resume_calls)
    all_is_said(stripe)
    stripe.advance(seconds=301)
    all_is_said(stripe)
    assert (at_stripe(ana), refunds(ana)) == ((0, [24500], 24500), [(24500, RefundStatus.SUCCEEDED)])


@pytest.mark.parametrize("kind", ["drop_reply", "500", "timeout"])
@pytest.mark.parametrize("path", ["/v1/customers/", "/v1/refunds"])
def test_a_lost_reply_gives_back_once(ana, stripe, kind, path):
    has_credit(ana)
    ends(ana)
    stripe.advance(seconds=60)
    control(stripe, "faults", next=1, kind=kind, path=path)
    all_is_said(stripe)
    all_is_said(stripe)
    assert (at_stripe(ana), refunds(ana)) == ((0, [24500], 24500), [(24500, RefundStatus.SUCCEEDED)])


def test_a_movement_whose_key_stripe_forgot_is_looked_for_first(ana, stripe):
    has_credit(ana)
    ends(ana)
    stripe.advance(seconds=60)
    with slow(stripe, MOVES, lambda: None, then=LOST):
        checkout.resume_calls()
    stripe.advance(days=2)
    poll.sweep()
    all_is_said(stripe)
    assert (at_stripe(ana), refunds(ana)) == ((0, [24500], 24500), [(24500, RefundStatus.SUCCEEDED)])


def test_withdrawing_takes_the_credit_away_with_everything_paid(ana, stripe, mailbox):
    has_credit(ana)
    checkout.withdraw(ana.membership)
    settle(stripe)
    all_is_said(stripe)
    assert at_stripe(ana) == (0, [24500], 25000)
    assert ana.membership.credit_minor == 0
    assert "245" not in bodies(mailbox, "has ended")[0]


@pytest.mark.settings(REVIEW_ABOVE="EUR:200,USD:200,GBP:200,GEL:200")
def test_above_the_review_limit_a_second_person_agrees_first(ana, stripe):
    has_credit(ana)
    ends(ana)
    all_is_said(stripe)
    assert at_stripe(ana) == (0, [24500], 0)
    assert matters(stripe) == [("refund", ["245.00 EUR"])]
    assert memberships.credit_due(ana.membership) == EUR("245")
    ((asked, _),) = payments.proposed_refunds()
    checkout.refund(payments.approve_refund(asked, by=make.person("desk@example.org", "Desk")))
    all_is_said(stripe)
    assert at_stripe(ana) == (0, [24500], 24500)


def test_what_does_not_go_back_by_itself_stands_at_the_desk_until_it_is_settled(ana, stripe):
    has_credit(ana)
    (paid,) = payments.payments_of(membership_id=ana.membership.id)
    checkout.refund(payments.ask_refund(paid, EUR("100")))
    assert memberships.credit_due(ana.membership) == EUR("145")
    ends(ana)
    all_is_said(stripe)
    assert at_stripe(ana) == (-10000, [14500], 24500)
    assert matters(stripe) == [("credit", ["100.00 EUR"])]
    assert not memberships.credit_due(ana.membership)
    assert "Credit of this person" in (personal_data.hindrance(people.find_by_email(ana.email)) or "")
    told = {"amount": 10000, "currency": "eur"}
    v1().customers.balance_transactions.create(ana.membership.stripe_customer_id, told)  # in the dashboard
    all_is_said(stripe)
    assert (matters(stripe), ana.membership.credit_minor) == ([], 0)


def test_the_newest_payment_gives_back_first_and_none_more_than_remains(ana, stripe):
    ana.joins()
    changes(ana, "patron", "250", "year")
    changes(ana, "friend", "5", "month")
    first, second = payments.payments_of(membership_id=ana.membership.id)
    checkout.refund(payments.ask_refund(second, EUR("3")))
    more = {"amount": -500, "currency": "eur"}
    v1().customers.balance_transactions.create(ana.membership.stripe_customer_id, more)
    ends(ana)
    all_is_said(stripe)
    assert at_stripe(ana) == (-300, [24700, -500], 25000)
    assert (payments.refunded(second), payments.refunded(first)) == (EUR("245"), EUR("5"))


@pytest.mark.parametrize("is_all", [False, True])
def test_what_staff_gave_back_of_the_newest_is_not_taken_from_older_payments(ana, stripe, mailbox, is_all):
    ana.joins(plan="patron", interval="year")
    for _ in range(24):
        days(stripe, 16)
    changes(ana, "friend", "5", "month")
    credit = ana.membership.credit
    *_, newest = payments.payments_of(membership_id=ana.membership.id)
    asked = EUR("250") if is_all else credit
    checkout.refund(payments.ask_refund(newest, asked))
    settle(stripe)
    assert not memberships.credit_due(ana.membership)
    ends(ana)
    all_is_said(stripe)
    assert at_stripe(ana) == (-credit.minor, [], asked.minor)
    assert matters(stripe) == [("credit", [str(credit)])]
    assert "credit" not in bodies(mailbox, "has ended")[0]


def test_whoever_joins_again_pays_in_full_and_gets_the_credit_back(ana, stripe):
    old = has_credit(ana)
    checkout.leave(old)
    settle(stripe)
    ana.joins()
    days(stripe, 32)
    all_is_said(stripe)
    new, ana.reference = ana.membership, old.reference
    assert (new.status, new.credit_minor) == (MembershipStatus.ACTIVE, 0)
    assert at_stripe(ana) == (0, [24500], 24500)


def test_credit_that_something_else_uses_up_stays(ana, stripe):
    mine = has_credit(ana)
    item = v1().subscriptions.retrieve(mine.stripe_subscription_id)["items"].data[0]
    data = {
        "currency": "eur",
        "product": item.price.product,
        "recurring": {"interval": "month"},
        "unit_amount": 500,
    }
    told = {"customer": mine.stripe_customer_id, "default_payment_method": mine.stripe_method_id}
    v1().subscriptions.create(told | {"items": [{"price_data": data}]})
    checkout.end_now(mine)
    settle(stripe)
    all_is_said(stripe)
    assert at_stripe(ana) == (-24000, [], 0)


def test_no_more_goes_back_than_was_there_when_it_was_taken(ana, stripe):
    has_credit(ana)
    ends(ana)
    stripe.advance(seconds=60)
    customer = ana.membership.stripe_customer_id
    used = {"amount": 10000, "currency": "eur"}
    with slow(stripe, MOVES, lambda: v1().customers.balance_transactions.create(customer, used)):
        checkout.resume_calls()
    all_is_said(stripe)
    assert at_stripe(ana) == (0, [-10000, 24500, 10000], 14500)


def test_what_staff_gave_back_meanwhile_is_not_given_back_again(ana, stripe):
    has_credit(ana)
    ends(ana)
    stripe.advance(seconds=60)
    (paid,) = payments.payments_of(membership_id=ana.membership.id)
    with slow(stripe, MOVES, lambda: checkout.refund(payments.ask_refund(paid, EUR("50")))):
        checkout.resume_calls()
    all_is_said(stripe)
    assert at_stripe(ana) == (-5000, [-5000, 24500], 24500)
    assert matters(stripe) == [("credit", ["50.00 EUR"])]


def test_credit_on_an_invoice_that_was_never_paid_goes_back_with_the_end(ana, stripe):
    mine = has_credit(ana)
    (paid,) = payments.payments_of(membership_id=mine.id)
    v1().customers.balance_transactions.create(mine.stripe_customer_id, {"amount": 24200, "currency": "eur"})
    ana.card_fails_from_now_on()
    days(stripe, 60)
    all_is_said(stripe)
    assert (ana.membership.status, ana.membership.ended_by) == (MembershipStatus.ENDED, "failed")
    assert at_stripe(ana) == (0, [300, 24200], 300)
    assert payments.refunded(paid) == EUR("3")


def test_an_event_that_never_came_is_made_up_for_by_the_sweep(ana, stripe):
    has_credit(ana)
    ends(ana)
    stripe.advance(seconds=60)
    checkout.resume_calls()
    assert ana.membership.credit_minor == 0
    ana.membership.credit_minor = 24500  # as if the reply had said otherwise, and no event came
    db.session.commit()
    stripe.advance(seconds=3700)
    poll.sweep()
    settle(stripe)
    assert ana.membership.credit_minor == 0


def test_credit_goes_with_a_customer_who_was_deleted_at_stripe(ana, stripe):
    mine = has_credit(ana)
    (paid,) = payments.payments_of(membership_id=mine.id)
    checkout.refund(payments.ask_refund(paid, EUR("250")))
    ends(ana)
    all_is_said(stripe)
    assert ana.membership.credit == EUR("245")
    v1().customers.delete(ana.membership.stripe_customer_id)
    settle(stripe)
    assert not ana.membership.credit
    assert matters(stripe) == []
    assert personal_data.hindrance(people.find_by_email(ana.email)) is None


def test_a_month_that_credit_paid_for_unseen_is_had_by_whoever_leaves(ana, stripe, mailbox):
    """No payment could go back for it."""
    has_credit(ana)
    control(stripe, "webhooks", modes=["drop"])
    stripe.advance(days=32)
    control(stripe, "webhooks", modes=[])
    assert ana.membership.paid_until < clock.now()
    assert checkout.leave(ana.membership) is Outcome.AGREED
    all_is_said(stripe)
    mine = ana.membership
    assert (mine.is_live, mine.ends_at, mine.credit) == (True, mine.paid_until, EUR("240"))
    assert memberships.is_open(mine, grace_days=0, now=clock.now())
