"""What is paid for is what the newest invoice covers: a year that became a month is a month, whatever is seen again."""

from datetime import timedelta

from membership import clock
from membership.billing import account, checkout, inbox
from membership.billing.checkout import Outcome
from membership.domain import memberships, plans
from membership.domain.memberships import MembershipStatus
from tests import make
from tests.journeys.donor import settle, state
from tests.journeys.joiner import days


def becomes(ana, plan: str, amount: str, interval: str) -> None:
    """The plan is changed, on the page that shows what it costs and then on the one that does it."""
    ana.stripe.advance(days=1)
    told = {"plan": plans.get_plan(plan), "amount": make.EUR(amount), "interval": interval}
    shown = checkout.preview(ana.membership, **told)
    asked = checkout.change(ana.membership, **told, proration_at=shown.proration_at)
    assert asked is Outcome.AGREED
    settle(ana.stripe)


def see_again(stripe) -> None:
    """Stripe tells all of its invoices once more, the oldest last."""
    bills = account.here().gateway._client.v1.invoices.list({"limit": 100}).data
    for bill in bills:
        inbox.look_at([("invoice", bill.id)])
    settle(stripe)


def test_a_year_that_became_a_month_is_paid_for_a_month(ana, stripe):
    ana.joins(plan="friend", interval="year")
    becomes(ana, "patron", "15", "month")
    mine = ana.membership
    assert mine.paid_until == mine.next_at < clock.now() + timedelta(days=32)
    see_again(stripe)
    assert ana.membership.paid_until == mine.paid_until
    assert checkout.leave(ana.membership) is Outcome.AGREED
    settle(stripe)
    assert ana.membership.ends_at == mine.paid_until  # as the page had said


def test_a_month_that_became_a_year_is_paid_for_a_year(ana, stripe):
    ana.joins(plan="patron")
    becomes(ana, "patron", "150", "year")
    mine = ana.membership
    assert mine.paid_until == mine.next_at > clock.now() + timedelta(days=360)
    see_again(stripe)
    assert ana.membership.paid_until == mine.paid_until


def test_nothing_of_the_year_is_left_when_the_month_after_it_is_not_paid(ana, stripe):
    ana.joins(plan="friend", interval="year")
    becomes(ana, "patron", "60", "month")
    until = ana.membership.paid_until
    ana.card_fails_from_now_on()
    days(stripe, 32)
    late = ana.membership
    assert (late.status, late.paid_until) == (MembershipStatus.PAST_DUE, until)
    assert memberships.open_until(late, grace_days=14) == until + timedelta(days=14)
    charged = state(stripe)["charged"]
    assert checkout.leave(late) is Outcome.AGREED
    settle(stripe)
    assert (ana.membership.status, ana.membership.ended_by) == (MembershipStatus.ENDED, "member")
    days(stripe, 8)
    assert state(stripe)["charged"] == charged
    assert memberships.open_until(ana.membership, grace_days=14) is None
