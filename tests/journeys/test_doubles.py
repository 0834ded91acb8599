"""A second membership of one address: what its owner is told is what happens, whichever of the two goes."""

import pytest

from membership import clock
from membership.billing import checkout
from membership.billing.checkout import CardOutcome
from membership.db import db
from membership.domain import people
from membership.domain.memberships import MembershipStatus
from tests import make
from tests.journeys.donor import settle, state
from tests.journeys.joiner import Joiner, all_of_them, days
from tests.journeys.member import Member
from tests.signed_in import as_member

ACTIVE, ENDED = MembershipStatus.ACTIVE, MembershipStatus.ENDED


@pytest.fixture
def ana(app, stripe):
    make.the_newsroom()
    make.plan("friend", perks=("letters",))
    make.plan("patron", prices={"month": "15", "year": "150"}, perks=("letters", "talks"))
    db.session.commit()
    return Joiner(stripe)


@pytest.fixture
def late(ana, stripe):
    """A member whose card fails since today."""
    ana.joins()
    ana.card_fails_from_now_on()
    days(stripe, 32)
    return ana


@pytest.fixture
def reads(app, stripe):
    """What the owner reads on a page, signed in."""

    def opens(path):
        owner = Member(app, stripe)
        as_member(owner.ours, people.find_by_email(owner.email))
        return owner.opens(path)

    return opens


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
