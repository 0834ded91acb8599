"""Two wishes at once, an answer that comes late, a worker that dies: the newest wish wins, and nobody pays twice."""

from functools import partial

import pytest

from membership import clock
from membership.billing import account, checkout, converge, inbox
from membership.billing.checkout import Outcome
from membership.db import db
from membership.domain import audit, plans
from membership.domain.memberships import MembershipStatus
from membership.errors import Conflict
from tests import make
from tests.journeys.donor import control, settle, state
from tests.journeys.joiner import Joiner, all_of_them, days
from tests.journeys.under_way import LOST, Answered, Killed, dies_after, slow
from tests.records import history_of, records
from tests.web.visitor import text

SUBSCRIPTIONS = "/v1/subscriptions"


def all_is_said(stripe) -> None:
    """Long enough for everything that was not answered to be asked again, and for what that leads to."""
    for _ in range(4):
        stripe.advance(seconds=60)
        checkout.resume_calls()
        settle(stripe)


def shown(ana, amount: str) -> dict:
    how = {"plan": plans.get_plan("patron"), "amount": make.EUR(amount), "interval": "month"}
    seen = checkout.preview(ana.membership, **how)
    return how | {"proration_at": seen.proration_at}


@pytest.mark.parametrize("then", [None, LOST, Killed()], ids=["answered", "lost", "killed"])
def test_an_older_wish_that_reaches_stripe_last_does_not_win(ana, stripe, then):
    mine = ana.joins()
    with slow(stripe, SUBSCRIPTIONS, lambda: checkout.come_back(ana.membership), then=then):
        try:
            checkout.leave(mine)
        except Killed:
            db.session.remove()
    assert account.here().gateway.subscription(ana.membership.stripe_subscription_id).ends_at is not None
    all_is_said(stripe)
    assert (ana.membership.ends_at, ana.membership.ended_by) == (None, None)
    asked = stripe.account.now()
    all_is_said(stripe)
    assert said_since(asked) == 0  # once more, and not for ever


def never_arrives() -> None:
    raise LOST


def says_no() -> None:
    """As of a subscription that has a schedule, which is made in Stripe's dashboard."""
    raise Answered(400, {"error": {"type": "invalid_request_error", "message": "managed by a schedule"}})


def said_since(seconds: int) -> int:
    found = account.here().gateway._client.v1.events.list(
        {"type": "customer.subscription.updated", "created": {"gte": seconds}, "limit": 100}
    )
    return len(found.data)


def test_what_was_replaced_while_stripe_was_slow_holds_up_nothing_else(ana, stripe):
    mine = ana.joins()
    bea = Joiner(stripe, email="bea@example.org")
    bea.joins()
    with slow(stripe, SUBSCRIPTIONS, lambda: checkout.come_back(ana.membership), then=LOST):
        checkout.leave(mine)
    control(stripe, "faults", next=1, kind="timeout", path=SUBSCRIPTIONS)
    assert checkout.leave(bea.membership) is Outcome.WAITING
    all_is_said(stripe)
    assert bea.membership.ends_at is not None


def test_of_two_changes_the_newer_one_stays_and_no_more_is_taken_than_it_costs(ana, stripe):
    ana.joins()
    days(stripe, 10)
    first, second = shown(ana, "15"), shown(ana, "20")
    costs = checkout.preview(
        ana.membership, plan=second["plan"], amount=second["amount"], interval="month"
    ).today
    with slow(stripe, SUBSCRIPTIONS, lambda: checkout.change(ana.membership, **second)):
        checkout.change(ana.membership, **first)
    all_is_said(stripe)
    assert ana.membership.amount == make.EUR("20")
    assert state(stripe)["charged"] == 500 + costs.minor
    assert abs(ana.membership.credit_minor) <= 1


def test_a_change_that_was_declined_is_not_asked_once_more(ana, stripe):
    ana.joins()
    first, second = shown(ana, "15"), shown(ana, "20")
    with slow(stripe, SUBSCRIPTIONS, never_arrives):
        assert checkout.change(ana.membership, **first) is Outcome.WAITING
    ana.card_fails_from_now_on()
    with pytest.raises(checkout.Declined):
        checkout.change(ana.membership, **second)
    control(
        stripe, "card", subscription=ana.membership.stripe_subscription_id, card_number="4242424242424242"
    )
    all_is_said(stripe)
    assert (ana.membership.amount, state(stripe)["charged"]) == (make.EUR("5"), 500)


def test_a_no_that_comes_late_takes_back_no_newer_wish(ana, stripe):
    mine = ana.joins()
    with slow(stripe, SUBSCRIPTIONS, lambda: checkout.withdraw(ana.membership)):
        assert checkout.leave(mine) is Outcome.REFUSED  # what has ended cannot be left
    assert ana.membership.ended_by == "withdrawn"
    settle(stripe)
    assert (ana.membership.status, ana.membership.ended_by) == (MembershipStatus.ENDED, "withdrawn")


def test_a_no_that_the_worker_hears_is_a_no_as_well(ana, stripe, reads):
    ana.joins()
    with slow(stripe, SUBSCRIPTIONS, never_arrives):
        assert checkout.leave(ana.membership) is Outcome.WAITING
    assert "You have left." in reads("/account")
    stripe.advance(seconds=60)
    with slow(stripe, SUBSCRIPTIONS, says_no):
        checkout.resume_calls()
    assert (ana.membership.ended_by, ana.membership.ends_at) == (None, None)
    assert "You have left." not in reads("/account")


def test_a_no_is_not_said_to_be_noted(app, ana, stripe):
    reader, path = app.test_client(), f"/leave/{ana.joins().leave_token}"
    reader.get(path)
    told = {"csrf_token": reader.field("csrf_token"), "action": "stop", "reason": ""}
    with slow(stripe, SUBSCRIPTIONS, says_no):
        reader.post(path, data=told, follow_redirects=True)
    said = text(reader)
    assert "The payment service did not agree, so nothing was changed." in said
    assert "noted" not in said
    reader.post(path, data=told | {"csrf_token": reader.field("csrf_token")}, follow_redirects=True)
    assert "You have left" in text(reader)


def test_a_no_that_comes_when_it_has_ended_leaves_the_end_as_it_is(ana, stripe):
    mine = ana.joins()

    def ends() -> None:
        account.here().gateway._client.v1.subscriptions.cancel(mine.stripe_subscription_id)
        settle(stripe)

    with slow(stripe, SUBSCRIPTIONS, ends):
        assert checkout.leave(mine) is Outcome.REFUSED
    assert (ana.membership.status, ana.membership.ended_by) == (MembershipStatus.ENDED, "member")


def test_a_leave_is_not_forgotten_for_what_was_read_before_it(ana, stripe):
    mine = ana.joins()
    inbox.mark_dirty([("subscription", mine.stripe_subscription_id)], now=clock.now())
    db.session.commit()
    key, sequence, token = inbox._claim(clock.now())
    found = converge.CONVERGENCES[key[0]].fetch(account.here().gateway, key[1])
    assert checkout.leave(ana.membership) is Outcome.AGREED
    with pytest.raises(converge.NotYet):
        inbox._apply(key, sequence, token, found, clock.now())
    db.session.rollback()
    stripe.advance(seconds=301)
    assert ana.membership.ended_by == "member"
    days(stripe, 32)
    assert (ana.membership.status, ana.membership.ended_by) == (MembershipStatus.ENDED, "member")


@pytest.mark.parametrize("commits", [4, 5])
def test_a_worker_that_dies_while_one_membership_replaces_another_leaves_one(ana, stripe, commits):
    ana.joins()
    ana.card_fails_from_now_on()
    stripe.advance(days=32)
    settle(stripe)
    Joiner(stripe).joins()
    stripe.advance(days=3)
    assert dies_after(commits, checkout.end_doubles)
    all_is_said(stripe)
    checkout.end_doubles()
    first, second = all_of_them()
    assert (first.status, first.ended_by) == (MembershipStatus.ENDED, "replaced")
    assert (second.status, second.doubled_at) == (MembershipStatus.ACTIVE, None)
    assert state(stripe)["subscriptions_live"] == 1


def silent(stripe, *, calls: int = 99) -> None:
    """Stripe takes no change of a subscription, so many times."""
    control(stripe, "faults", next=calls, kind="429", path=SUBSCRIPTIONS)


@pytest.mark.parametrize("then", ["leave", "end_now"])
@pytest.mark.parametrize("why", ["withdrawn", "double"])
def test_what_is_given_back_stays_so_whoever_ends_it_once_more(ana, stripe, mailbox, why, then):
    ana.joins()
    mine = ana
    if why == "double":
        mine = Joiner(stripe)
        mine.joins()
    silent(stripe)
    gives_back = checkout.withdraw if why == "withdrawn" else checkout.end_double
    assert gives_back(mine.membership) is Outcome.WAITING
    assert getattr(checkout, then)(mine.membership) is Outcome.WAITING
    assert mine.membership.ended_by == why
    silent(stripe, calls=0)
    all_is_said(stripe)
    assert (mine.membership.status, mine.membership.ended_by) == (MembershipStatus.ENDED, why)
    (told,) = [one for one in mailbox if one["Subject"] == "Your membership has ended"]
    assert "Given back: €5" in told.get_body(("plain",)).get_content()


@pytest.mark.parametrize("way", ["withdraw", "end_now", "leave"])
def test_what_ends_at_once_is_said_to_end_now_while_stripe_is_silent(ana, stripe, reads, way):
    ana.joins()
    if way == "leave":  # what is late ends at once
        ana.card_fails_from_now_on()
        days(stripe, 32)
    silent(stripe)
    assert getattr(checkout, way)(ana.membership) is Outcome.WAITING
    said = reads("/account")
    assert "It is ending, and" in said
    for wrong in ("stays open until", "Ends on", "Stay a member after all"):
        assert wrong not in said


@pytest.mark.parametrize("first", ["leave", "end_now"])
def test_nothing_is_bought_for_a_membership_that_was_left_a_moment_ago(ana, stripe, first):
    ana.joins()
    days(stripe, 5)
    dearer = shown(ana, "15")
    silent(stripe)
    assert getattr(checkout, first)(ana.membership) is Outcome.WAITING
    silent(stripe, calls=0)
    with pytest.raises(Conflict):
        checkout.change(ana.membership, **dearer)
    all_is_said(stripe)
    assert (ana.membership.amount, state(stripe)["charged"]) == (make.EUR("5"), 500)


def test_nothing_is_bought_for_a_membership_that_is_left_while_stripe_is_asked(ana, stripe):
    ana.joins()
    days(stripe, 5)
    dearer = shown(ana, "15")
    with (
        slow(stripe, SUBSCRIPTIONS, lambda: checkout.leave(ana.membership), reads=True),
        pytest.raises(Conflict),
    ):
        checkout.change(ana.membership, **dearer)
    assert (ana.membership.ended_by, state(stripe)["charged"]) == ("member", 500)


def test_a_change_that_stripe_will_not_make_is_not_called_declined(ana, stripe):
    ana.joins()
    dearer = shown(ana, "15")
    subscriptions = account.here().gateway._client.v1.subscriptions
    ends = partial(subscriptions.cancel, ana.membership.stripe_subscription_id)
    with slow(stripe, SUBSCRIPTIONS, ends), pytest.raises(Conflict, match="would not make this change"):
        checkout.change(ana.membership, **dearer)
    assert state(stripe)["charged"] == 500


@pytest.mark.parametrize("lost", [False, True])
def test_whoever_comes_back_and_leaves_again_before_stripe_answers_has_left(ana, stripe, reads, lost):
    ana.joins()
    checkout.leave(ana.membership)
    settle(stripe)
    with slow(stripe, SUBSCRIPTIONS, (lambda: None) if lost else never_arrives, then=LOST):
        assert checkout.come_back(ana.membership) is Outcome.WAITING
    said = reads("/account")
    assert "You have left." not in said
    assert "Ends on" not in said
    assert checkout.leave(ana.membership) is Outcome.AGREED
    all_is_said(stripe)
    assert ana.membership.ended_by == "member"
    days(stripe, 32)
    assert (ana.membership.status, state(stripe)["charged"]) == (MembershipStatus.ENDED, 500)


@pytest.mark.parametrize("at_once", [True, False])
def test_coming_back_to_what_stripe_will_not_continue_is_as_it_was_before(ana, stripe, mailbox, at_once):
    ana.joins()
    checkout.leave(ana.membership)
    settle(stripe)
    if not at_once:
        with slow(stripe, SUBSCRIPTIONS, never_arrives):
            assert checkout.come_back(ana.membership) is Outcome.WAITING
        stripe.advance(seconds=60)
    with slow(stripe, SUBSCRIPTIONS, says_no):
        assert (
            checkout.come_back(ana.membership) is Outcome.REFUSED if at_once else not checkout.resume_calls()
        )
    assert ana.membership.ended_by == "member"
    assert [one.tag for one in history_of("membership", ana.membership.reference)] == [
        "membership.left",
        "membership.returned",
        "membership.left",
    ]
    days(stripe, 32)
    assert (ana.membership.status, ana.membership.ended_by) == (MembershipStatus.ENDED, "member")


@pytest.mark.parametrize("lost", [False, True])
def test_whoever_rests_and_goes_on_before_stripe_answers_goes_on(ana, stripe, lost):
    ana.joins()
    with slow(stripe, SUBSCRIPTIONS, (lambda: None) if lost else never_arrives, then=LOST):
        assert checkout.skip(ana.membership, months=1) is Outcome.WAITING
    assert checkout.go_on(ana.membership) is Outcome.AGREED
    all_is_said(stripe)
    assert (ana.membership.status, ana.membership.resumes_at) == (MembershipStatus.ACTIVE, None)


def test_a_dearer_plan_is_not_had_for_nothing_while_a_membership_rests(ana, stripe):
    ana.joins()
    dearer = shown(ana, "15")
    with slow(stripe, SUBSCRIPTIONS, lambda: None, then=LOST):
        assert checkout.skip(ana.membership, months=1) is Outcome.WAITING
    with pytest.raises(Conflict):
        checkout.change(ana.membership, **dearer)
    all_is_said(stripe)
    assert (ana.membership.status, ana.membership.amount) == (MembershipStatus.PAUSED, make.EUR("5"))


def test_nobody_rests_while_a_change_waits_for_its_answer(ana, stripe):
    ana.joins()
    dearer = shown(ana, "15")
    with slow(stripe, SUBSCRIPTIONS, never_arrives):
        assert checkout.change(ana.membership, **dearer) is Outcome.WAITING
    with pytest.raises(Conflict):
        checkout.skip(ana.membership, months=1)
    all_is_said(stripe)
    assert (ana.membership.status, state(stripe)["charged"]) == (MembershipStatus.ACTIVE, 1500)


def test_whoever_leaves_is_not_charged_for_a_change_that_stripe_never_heard_of(ana, stripe):
    ana.joins()
    dearer = shown(ana, "15")
    with slow(stripe, SUBSCRIPTIONS, never_arrives):
        assert checkout.change(ana.membership, **dearer) is Outcome.WAITING
    assert checkout.leave(ana.membership) is Outcome.AGREED
    all_is_said(stripe)
    assert (ana.membership.amount, state(stripe)["charged"]) == (make.EUR("5"), 500)


def test_a_change_that_is_pressed_twice_is_on_record_once_and_one_that_is_declined_is_not(ana, stripe):
    ana.joins()
    dearer = shown(ana, "15")
    with slow(stripe, SUBSCRIPTIONS, lambda: checkout.change(ana.membership, **dearer)):
        assert checkout.change(ana.membership, **dearer) is Outcome.AGREED
    settle(stripe)
    ana.card_fails_from_now_on()
    with pytest.raises(checkout.Declined):
        checkout.change(ana.membership, **shown(ana, "30"))
    settle(stripe)
    changes = [one.details for one in records() if one.tag == audit.Tag.MEMBERSHIP_CHANGED]
    assert changes == [{"plan": "patron", "minor": 1500, "interval": "month"}]
    assert state(stripe)["charged"] == 1500
