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
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from membership import clock
from membership.billing import account, checkout, poll
from membership.db import db, writing
from membership.domain import ledger, memberships, payments, people, plans
from membership.domain.memberships import Kind, Membership, MembershipStatus
from membership.domain.payments import Payment, PaymentStatus
from membership.domain.people import Person
from membership.errors import DomainError
from membership.money import Money
from tests import make
from tests.journeys.donor import control, settle
from tests.journeys.joiner import Joiner
from tests.records import records

NUMBER = count(1)
GRACE = timedelta(days=14)
GONE = ("canceled", "incomplete_expired")
PERKS = {"friend": {"letters"}, "patron": {"letters", "talks"}}
PLANS = st.sampled_from(sorted(PERKS))
UNDOING = (checkout.withdraw, checkout.end_now)
RHYTHM = st.sampled_from(["month", "month", "year"])


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class Model:
    """What should be open, told from Stripe's own objects and from what staff did.

    `given` and `extra` name a membership as `key_of` does.
    """

    def __init__(self) -> None:
        self.undone: set[str] = set()
        self.given: dict[str, tuple[str, datetime | None]] = {}
        self.extra: dict[str, datetime] = {}

    def until(self, sub: Any) -> datetime | None:
        """Until when one subscription opens its plan; None for never."""
        v1 = account.here().gateway._client.v1
        bills = v1.invoices.list({"subscription": sub.id, "limit": 100}).data
        paid = [bill for bill in bills if bill.status == "paid"]
        gave_up = sub.cancellation_details.reason == "payment_failed"  # the grace that was promised holds
        if not paid or (sub.status in GONE and not gave_up) or sub.id in self.undone:
            return None
        newest = max(
            paid, key=lambda bill: bill.created
        )  # what was bought last counts, less what it gives credit for
        end = moment(max(line.period.end for line in newest.lines.data if line.amount >= 0))
        rests = sub.pause_collection is not None or sub.status == "paused"
        until = end if rests else end + GRACE
        if sub.cancel_at_period_end:
            until = min(until, max(end, moment(sub["items"].data[0].current_period_end)))
        return until

    def opens(self, subs: list[Any], now: datetime) -> set[str]:
        """The perks that are open: those of every plan that somebody has at this moment, however they came to it."""
        has = [(plan_of(sub), self.until(sub)) for sub in subs]
        has += [(plan_of(sub), self.extra.get(sub.id)) for sub in subs]
        has += [(plan, until) for plan, until in self.given.values()]
        has += [(plan, self.extra.get(key)) for key, (plan, _until) in self.given.items()]
        return {perk for plan, end in has if end is not None and now < end for perk in PERKS[plan]}


def plan_of(sub: Any) -> str:
    """The plan that a subscription sells, by its product."""
    found: str = sub["items"].data[0].price.product
    return found.removeprefix("plan_").partition("__")[0]


def key_of(mine: Membership) -> str:
    return mine.stripe_subscription_id or mine.reference


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

    def live(self) -> list[Membership]:
        return [one for one in self.mine() if one.is_live]

    def refundable(self) -> list[Payment]:
        paid = [one for mine in self.mine() for one in payments.payments_of(membership_id=mine.id)]
        return [
            one for one in paid if one.status is PaymentStatus.SUCCEEDED and payments.remaining(one).minor > 1
        ]

    def staff(self) -> Person:
        return make.person("desk@example.org", "Desk")

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

    @initialize(plan=PLANS, interval=RHYTHM)
    def begins(self, plan: str, interval: str) -> None:
        """Every walk is a member's: before, there is little to do."""
        self.joins(plan=plan, interval=interval, declined=False)

    @rule(plan=PLANS, interval=RHYTHM, declined=st.booleans())
    def joins(self, plan: str, interval: str, declined: bool) -> None:
        url = self.who.asks(plan=plan, interval=interval)
        self.who.pays(url, "4000000000000002" if declined else "4242424242424242")

    @precondition(lambda self: self.paid())
    @rule()
    def leaves(self) -> None:
        self.try_to(checkout.leave, self.paid())

    @precondition(lambda self: self.paid() and self.paid().ends_at)
    @rule()
    def comes_back(self) -> None:
        self.try_to(checkout.come_back, self.paid())

    @precondition(lambda self: self.paid())
    @rule(months=st.integers(1, 3))
    def rests(self, months: int) -> None:
        self.try_to(checkout.skip, self.paid(), months=months)

    @precondition(lambda self: self.paid() and self.paid().status is MembershipStatus.PAUSED)
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
        self.undoes(checkout.withdraw, self.paid())

    @precondition(lambda self: self.live())
    @rule()
    def staff_end_it(self) -> None:
        self.undoes(checkout.end_now, self.live()[0])

    def undoes(self, verb: Callable[..., Any], mine: Membership) -> None:
        """Afterwards it opens nothing, whoever gave what."""
        key = key_of(mine)
        if self.try_to(verb, mine):
            self.model.undone.add(key)
            self.model.extra.pop(key, None)
            if key in self.model.given:
                self.model.given[key] = (self.model.given[key][0], None)

    @precondition(lambda self: self.refundable())
    @rule(whole=st.booleans())
    def staff_refund(self, whole: bool) -> None:
        paid = self.refundable()[-1]
        left = payments.remaining(paid)
        some = left if whole else Money(left.minor // 2, left.currency)
        self.try_to(lambda: checkout.refund(payments.ask_refund(paid, some, by=self.staff())))

    @rule(number=st.sampled_from([1, 5, 15, 31]))
    def days_pass(self, number: int) -> None:
        for _ in range(number // 5 + 1):
            self.stripe.advance(days=min(number, 5))
            settle(self.stripe)

    @precondition(lambda self: self.person)
    @rule(plan=PLANS, number=st.integers(1, 40))
    def is_given_one(self, plan: str, number: int) -> None:
        until = clock.now() + timedelta(days=number)
        mine = memberships.grant(
            self.person, plans.get_plan(plan), kind=Kind.COMPLIMENTARY, until=until, by=self.staff(),
            reason="thanks", settings=make.settings(),
        )  # fmt: skip
        self.model.given[mine.reference] = (plan, until)
        db.session.commit()

    @precondition(lambda self: self.mine())
    @rule(number=st.integers(1, 20))
    def is_extended(self, number: int) -> None:
        mine, by = self.mine()[0], self.staff()
        key, (_plan, given) = key_of(mine), self.model.given.get(key_of(mine), ("", None))
        known = [self.model.until(one) for one in self.subscriptions() if one.id == key]
        known += [given, self.model.extra.get(key), clock.now()]
        if self.try_to(memberships.extend, mine, days=number, by=by, reason="", settings=make.settings()):
            longest = max(one for one in known if one is not None)
            self.model.extra[key] = longest + timedelta(days=number)

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
    @rule(
        verb=st.sampled_from([checkout.leave, checkout.come_back, checkout.go_on, *UNDOING]),
        kind=st.sampled_from(["drop_reply", "timeout", "timeout_after_commit"]),
    )
    def replies_are_lost(self, verb: Callable[..., Any], kind: str) -> None:
        control(self.stripe, "faults", next=3, kind=kind, path="/v1/")
        (self.undoes if verb in UNDOING else self.try_to)(verb, self.paid())
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
            if mine.ended_by == "double" and key_of(mine) not in self.model.undone:
                self.model.undone.add(key_of(mine))
                self.model.extra.pop(key_of(mine), None)  # what staff give it after that is open again
        may = {
            slug
            for slug in ("letters", "talks")
            if memberships.may_open(self.person.id, plans.get_perk(slug), grace_days=14, now=now)
        }
        assert may == self.model.opens(self.subscriptions(), now)

    def nobody_pays_twice_unless_staff_were_told(self) -> None:
        live = [s for s in self.subscriptions() if s.status not in GONE and not s.cancel_at_period_end]
        told = {record.subject_id for record in records() if record.tag == "membership.doubled"}
        mine = {one.stripe_subscription_id: one for one in self.mine()}
        assert sum(1 for sub in live if sub.id in mine and mine[sub.id].reference not in told) <= 1


def test_what_is_open_to_a_member_equals_a_small_model(app, stripe):
    make.the_newsroom()
    make.plan("friend", perks=("letters",))
    make.plan("patron", prices={"month": "15", "year": "150"}, perks=("letters", "talks"))
    db.session.commit()
    run_state_machine_as_test(
        lambda: Members(stripe),
        settings=hypothesis.settings(
            max_examples=6,
            stateful_step_count=10,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
        ),  # not shrunk: a step takes a second, and the failing walk is printed as it was
    )
