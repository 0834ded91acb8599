"""Members walked through every verb, the clock and Stripe's faults: what is open to them equals a small model.

The model knows nothing of our rows: it reads the pretend Stripe's subscriptions and invoices, and remembers what was
given or withdrawn. After each step, when all events have come in, both must say the same; and nobody pays for two
memberships at a time unless staff were told.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import hypothesis
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from membership import clock
from membership.billing import account, checkout, poll
from membership.db import db, writing
from membership.domain import ledger, memberships, people, plans
from membership.domain.memberships import Kind, Membership
from membership.errors import DomainError
from tests import make
from tests.journeys.donor import control, settle
from tests.journeys.joiner import Joiner
from tests.records import records

NUMBER = count(1)
GRACE = timedelta(days=14)
GONE = ("canceled", "incomplete_expired")
PLANS = st.sampled_from(["friend", "patron"])
RHYTHM = st.sampled_from(["month", "month", "year"])


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class Model:
    """What should be open, told from Stripe's own objects and from what staff did."""

    def __init__(self) -> None:
        self.undone: set[str] = set()
        self.given: dict[str, datetime] = {}
        self.extra: dict[str, datetime] = {}

    def until(self, sub: Any) -> datetime | None:
        """Until when one subscription opens its plan; None for never."""
        v1 = account.here().gateway._client.v1
        bills = v1.invoices.list({"subscription": sub.id, "limit": 100}).data
        paid = [line.period.end for bill in bills if bill.status == "paid" for line in bill.lines.data]
        gave_up = sub.cancellation_details.reason == "payment_failed"  # the grace that was promised holds
        if not paid or (sub.status in GONE and not gave_up) or sub.id in self.undone:
            return None
        end = moment(max(paid))
        rests = sub.pause_collection is not None or sub.status == "paused"
        until = end if rests else end + GRACE
        if sub.cancel_at_period_end:
            until = min(until, max(end, moment(sub["items"].data[0].current_period_end)))
        return until

    def opens(self, subs: list[Any], now: datetime) -> bool:
        ends = [self.until(sub) for sub in subs] + [*self.given.values(), *self.extra.values()]
        return any(end is not None and now < end for end in ends)


class Members(RuleBasedStateMachine):
    """One reader, with staff, a worker and Stripe."""

    def __init__(self, stripe: Any) -> None:
        super().__init__()
        self.stripe, self.model = stripe, Model()
        self.who = Joiner(stripe, email=f"reader-{next(NUMBER)}@example.org")

    # what the reader has

    @property
    def person(self) -> Any:
        db.session.expire_all()
        return people.find_by_email(self.who.email)

    def mine(self) -> list[Membership]:
        return memberships.memberships_of(self.person.id) if self.person else []

    def paid(self) -> Membership | None:
        return next((one for one in self.mine() if one.is_live and one.kind is Kind.PAID), None)

    def subscriptions(self) -> list[Any]:
        v1 = account.here().gateway._client.v1
        customers = v1.customers.list({"email": self.who.email, "limit": 100}).data
        found = [v1.subscriptions.list({"customer": one.id, "status": "all"}).data for one in customers]
        return [sub for subs in found for sub in subs]

    def try_to(self, verb: Callable[..., Any], *args: Any, **how: Any) -> bool:
        """Do it, or be refused with a sentence."""
        try:
            verb(*args, **how)
            db.session.commit()
        except DomainError:
            db.session.rollback()
            return False
        return True

    # what may happen

    @rule(plan=PLANS, interval=RHYTHM, declined=st.booleans())
    def joins(self, plan: str, interval: str, declined: bool) -> None:
        url = self.who.asks(plan=plan, interval=interval)
        self.who.pays(url, "4000000000000002" if declined else "4242424242424242")

    @precondition(lambda self: self.paid())
    @rule()
    def leaves(self) -> None:
        self.try_to(checkout.leave, self.paid())

    @precondition(lambda self: self.paid())
    @rule()
    def comes_back(self) -> None:
        self.try_to(checkout.come_back, self.paid())

    @precondition(lambda self: self.paid())
    @rule(months=st.integers(1, 3))
    def rests(self, months: int) -> None:
        self.try_to(checkout.skip, self.paid(), months=months)

    @precondition(lambda self: self.paid())
    @rule()
    def goes_on(self) -> None:
        self.try_to(checkout.go_on, self.paid())

    @precondition(lambda self: self.paid())
    @rule(plan=PLANS, interval=RHYTHM)
    def changes(self, plan: str, interval: str) -> None:
        found = plans.get_plan(plan)
        price = plans.prices_by_plan("EUR")[found.id][interval]
        how = {"plan": found, "amount": price.amount, "interval": interval}
        with suppress(DomainError):
            shown = checkout.preview(self.paid(), **how)
            checkout.change(self.paid(), **how, proration_at=shown.proration_at)
        db.session.rollback()

    @precondition(lambda self: self.paid())
    @rule(good=st.booleans())
    def card_changes(self, good: bool) -> None:
        sub = self.paid().stripe_subscription_id
        number = "4242424242424242" if good else "4000000000000341"
        control(self.stripe, "card", subscription=sub, card_number=number)

    @precondition(lambda self: self.paid())
    @rule()
    def withdraws(self) -> None:
        found = self.paid()
        if self.try_to(checkout.withdraw, found):
            self.model.undone.add(found.stripe_subscription_id)
            self.model.extra.pop(found.reference, None)

    @rule(number=st.sampled_from([1, 5, 15, 31]))
    def days_pass(self, number: int) -> None:
        for _ in range(number // 5 + 1):
            self.stripe.advance(days=min(number, 5))
            settle(self.stripe)

    @precondition(lambda self: self.person)
    @rule(number=st.integers(1, 40))
    def is_given_one(self, number: int) -> None:
        until, staff = clock.now() + timedelta(days=number), make.person("desk@example.org", "Desk")
        mine = memberships.grant(
            self.person, plans.get_plan("friend"), kind=Kind.COMPLIMENTARY, until=until, by=staff,
            reason="thanks", settings=make.settings(),
        )  # fmt: skip
        self.model.given[mine.reference] = until
        db.session.commit()

    @precondition(lambda self: self.mine())
    @rule(number=st.integers(1, 20))
    def is_extended(self, number: int) -> None:
        mine, staff = self.mine()[0], make.person("desk@example.org", "Desk")
        subs = [one for one in self.subscriptions() if one.id == mine.stripe_subscription_id]
        known = [self.model.until(one) for one in subs]
        known += [self.model.given.get(mine.reference), self.model.extra.get(mine.reference), clock.now()]
        if self.try_to(memberships.extend, mine, days=number, by=staff, reason="", settings=make.settings()):
            longest = max(one for one in known if one is not None)
            self.model.extra[mine.reference] = longest + timedelta(days=number)

    @precondition(lambda self: any(one.doubled_at for one in self.mine()))
    @rule()
    def keeps_both(self) -> None:
        self.try_to(memberships.keep, next(one for one in self.mine() if one.doubled_at), by=None)

    @precondition(lambda self: self.paid())
    @rule(at_once=st.booleans())
    def stripes_dashboard_ends_it(self, at_once: bool) -> None:
        v1, sub = account.here().gateway._client.v1, self.paid().stripe_subscription_id
        if at_once:
            v1.subscriptions.cancel(sub)
        else:
            v1.subscriptions.update(sub, {"cancel_at_period_end": True})

    @precondition(lambda self: self.paid())
    @rule(verb=st.sampled_from([checkout.leave, checkout.come_back, checkout.go_on]))
    def replies_are_lost(self, verb: Callable[..., Any]) -> None:
        control(self.stripe, "faults", next=3, kind="drop_reply", path="/v1/subscriptions")
        self.try_to(verb, self.paid())
        control(self.stripe, "faults", next=0, kind="500", path="/v1/")

    @rule()
    def events_are_lost(self) -> None:
        control(self.stripe, "webhooks", modes=["drop"])

    # what must hold

    def all_comes_in(self) -> None:
        for _ in range(2):
            self.stripe.advance(seconds=70)
            checkout.resume_calls()
            settle(self.stripe)
            poll.poll()
        with writing():
            for one in memberships.given_over(clock.now()):
                memberships.lapse(memberships.membership_of(one), settings=make.settings())
            db.session.commit()
        checkout.end_doubles()
        settle(self.stripe)
        control(self.stripe, "webhooks", modes=["duplicate", "shuffle"])

    @invariant()
    def all_of_it_holds(self) -> None:
        self.all_comes_in()
        self.what_is_open_is_what_was_paid_or_given()
        self.nobody_pays_twice_unless_staff_were_told()
        assert ledger.check() == []

    def what_is_open_is_what_was_paid_or_given(self) -> None:
        if self.person is None:
            return
        now = clock.now()
        for mine in self.mine():  # a second one that nobody kept is given back: nothing of it is open
            if mine.ended_by == "double" and mine.stripe_subscription_id:
                self.model.undone.add(mine.stripe_subscription_id)
                self.model.extra.pop(mine.reference, None)
        ours = memberships.plans_open_to(self.person.id, grace_days=14, now=now)
        assert bool(ours) == self.model.opens(self.subscriptions(), now)

    def nobody_pays_twice_unless_staff_were_told(self) -> None:
        live = [s for s in self.subscriptions() if s.status not in GONE and not s.cancel_at_period_end]
        told = {record.subject_id for record in records() if record.tag == "membership.doubled"}
        mine = {one.stripe_subscription_id: one for one in self.mine()}
        assert sum(1 for sub in live if sub.id in mine and mine[sub.id].reference not in told) <= 1


def test_what_is_open_to_a_member_equals_a_small_model(app, stripe):
    make.the_newsroom()
    make.plan("friend", perks=("letters",))
    make.plan("patron", prices={"month": "15", "year": "150"}, perks=("letters",))
    db.session.commit()
    run_state_machine_as_test(
        lambda: Members(stripe),
        settings=hypothesis.settings(
            max_examples=8,
            stateful_step_count=10,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
        ),  # not shrunk: a step takes a second, and the failing walk is printed as it was
    )
