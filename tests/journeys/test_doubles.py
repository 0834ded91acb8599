"""A second membership of one address: what its owner is told is what happens, whichever of the two goes."""

from datetime import timedelta

import pytest

from membership import clock
from membership.billing import checkout
from membership.billing.checkout import CardOutcome, Outcome
from membership.domain.memberships import MembershipStatus
from tests.journeys.donor import control, settle, state
from tests.journeys.joiner import Joiner, all_of_them, days
from tests.journeys.member import links

ACTIVE, ENDED = MembershipStatus.ACTIVE, MembershipStatus.ENDED


@pytest.fixture
def late(ana, stripe):
    """A member whose card fails since today."""
    ana.joins()
    ana.card_fails_from_now_on()
    days(stripe, 32)
    return ana


def third_day(stripe) -> None:
    days(stripe, 3)
    checkout.end_doubles()
    for _ in range(2):
        settle(stripe)
        stripe.advance(seconds=60)
        checkout.resume_calls()
    settle(stripe)


def how_they_stand() -> list[tuple]:
    return [(one.status, one.ended_by) for one in all_of_them()]


def mails(mailbox, subject) -> list[str]:
    found = [one for one in mailbox if one["Subject"] == subject]
    return [" ".join(one.get_body(("plain",)).get_content().split()) for one in found]


NEWS = "A second membership with your e-mail address"
STAYS = "Your second membership stays"
GONE = "Your membership has ended"


def test_one_that_is_late_gives_way_and_its_owner_was_told_so(late, stripe, mailbox, reads):
    Joiner(stripe).joins(plan="patron")
    (told,) = mails(mailbox, NEWS)
    assert "If it has not come in by then, the first one ends, and the second one stays." in told
    assert "nothing to do" not in told
    assert "The other one, Friend, waits for a payment." in reads("/account")
    third_day(stripe)
    assert how_they_stand() == [(ENDED, "replaced"), (ACTIVE, None)]
    assert (state(stripe)["refunded"], state(stripe)["subscriptions_live"]) == (0, 1)
    (ended,) = mails(mailbox, GONE)
    assert "You left" not in ended
    assert "The payment for the membership below did not come in. You have a newer one" in ended
    assert "Nothing more will be charged for it." in ended
    assert "/join/" not in ended


def test_one_that_gives_way_is_not_said_to_be_given_back(late, stripe, reads):
    Joiner(stripe).joins()
    days(stripe, 3)
    control(stripe, "faults", next=99, kind="429", path="/v1/subscriptions")
    assert checkout.end_doubles() == 0
    said = reads("/account")
    assert "It is ending, and nothing more is charged for it." in said
    assert "goes back" not in said


def test_one_that_was_late_and_is_paid_in_time_stays(late, stripe, mailbox):
    Joiner(stripe).joins(plan="patron")
    assert late.changes_card() is CardOutcome.PAID
    third_day(stripe)
    assert how_they_stand() == [(ACTIVE, None), (ENDED, "double")]
    assert state(stripe)["refunded"] == 1500


def test_one_that_fails_only_afterwards_does_not_give_way(ana, stripe, mailbox):
    days(stripe, (ana.joins().paid_until - clock.now()).days - 1)
    Joiner(stripe).joins(plan="patron")
    (told,) = mails(mailbox, NEWS)
    assert "There is nothing to do: on that day we end the second one" in told
    ana.card_fails_from_now_on()
    third_day(stripe)
    assert how_they_stand() == [(MembershipStatus.PAST_DUE, None), (ENDED, "double")]


@pytest.mark.parametrize("way", ["leave", "withdraw"])
def test_whoever_goes_while_a_second_one_waits_reads_that_it_stays(ana, stripe, mailbox, reads, way):
    first = ana.joins()
    second = Joiner(stripe).joins(plan="patron")
    says = "You have a second membership, Patron, that nobody has kept yet."
    for path in (f"/account/{way}?membership={first.reference}", f"/{way}/{first.leave_token}"):
        assert says in reads(path)
    for path in (f"/account/{way}?membership={second.reference}", f"/{way}/{second.leave_token}"):
        assert "You have a second membership" not in reads(path)
    assert getattr(checkout, way)(first) is Outcome.AGREED
    settle(stripe)
    (told,) = mails(mailbox, STAYS)
    assert "Membership: Patron Amount: €15 How often: every month Next payment:" in told
    assert {f"/withdraw/{second.leave_token}", f"/leave/{second.leave_token}"} <= {
        *links(mailbox[-2:], "withdraw"), *links(mailbox[-2:], "leave"),
    }  # fmt: skip
    third_day(stripe)
    assert how_they_stand()[1] == (ACTIVE, None)
    assert len(mails(mailbox, STAYS)) == 1


def test_whoever_leaves_both_gets_the_second_one_back(ana, stripe, mailbox):
    first = ana.joins()
    second = Joiner(stripe).joins(plan="patron")
    for one in (second, first):
        checkout.leave(one)
        settle(stripe)
    third_day(stripe)
    assert (all_of_them()[1].status, all_of_them()[1].ended_by) == (ENDED, "double")
    assert state(stripe)["refunded"] == 1500
    assert mails(mailbox, STAYS) == []


def test_what_no_event_told_of_is_told_on_the_third_day(ana, stripe, mailbox):
    first = ana.joins()
    second = Joiner(stripe).joins(plan="patron")
    stripe.advance(days=3)
    settle(stripe)
    control(stripe, "webhooks", modes=["drop"])
    checkout.leave(first)
    assert checkout.end_doubles() == 1
    settle(stripe)
    assert len(mails(mailbox, STAYS)) == 1
    assert (all_of_them()[1].status, all_of_them()[1].doubled_at) == (ACTIVE, None)
    assert state(stripe)["refunded"] == 0
    assert second.paid_until > first.started_at + timedelta(days=20)
