"""Events of a gift in any order and number, interleaved with what Stripe does meanwhile, with two workers and kills
after the fetch, end in rows that equal the pretend Stripe's own state.

Each example is a new donor with a new gift; the steps are drawn. What a step may do:
deliver one of the events so far (again, perhaps), let time pass at Stripe, ask for a refund, let a worker converge
one object, let a worker die after its fetch, let a slow worker write after another has taken over.
"""

from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from membership import clock
from membership.billing import account, checkout, converge, inbox, poll
from membership.db import db, upsert, writing
from membership.domain import donations, fundraisers, ledger, outbox, payments
from membership.domain.donations import Status
from membership.domain.payments import Payment
from membership.money import Money
from tests import make
from tests.journeys.donor import Donor, control, reference_of, state

CARDS = {"plain": "4242424242424242", "refund fails": "4000000000005126", "refund late": "4000000000007726"}
NUMBER = count(1)

step = st.one_of(
    st.tuples(st.just("deliver"), st.integers(0, 60)),
    st.tuples(st.just("work"), st.just(0)),
    st.tuples(st.just("die after the fetch"), st.just(0)),
    st.tuples(st.just("slow worker"), st.just(0)),
    st.tuples(st.just("time passes"), st.integers(1, 20)),
    st.tuples(st.just("refund"), st.integers(1, 1200)),
    st.tuples(st.just("refund in Stripe's dashboard"), st.integers(1, 1200)),
    st.tuples(st.just("press again"), st.just(0)),
)


@dataclass
class World:
    """One gift, Stripe and two workers."""

    stripe: Any
    app: Any
    email: str
    interval: str = "once"
    donor: Any = None

    def pay(self, card: str, interval: str) -> str:
        self.interval, self.donor = interval, Donor(self.app, self.stripe, email=self.email)
        answer = self.donor.pay(self.donor.start(interval=interval), card)
        assert answer.status_code == 303, answer.text
        return reference_of(answer.location)

    def do(self, what: str, size: int, reference: str) -> None:
        if what == "deliver":
            self.deliver(size)
        elif what == "time passes":
            self.stripe.advance(seconds=size)
            self.stripe.settle()  # its webhooks are dropped: only `deliver` brings events
        elif what == "refund":
            refund(reference, size)
        elif what == "refund in Stripe's dashboard":
            self.dashboard(size)
        elif what == "press again":
            assert self.donor.press(interval=self.interval).status_code == 303
        elif (claim := inbox._claim(clock.now())) is not None:
            self.converge(what, claim)

    def dashboard(self, minor: int) -> None:
        """Somebody refunds in Stripe's own dashboard, whether or not we know of the charge."""
        client = account.here().gateway._client.v1
        found = client.charges.list({"limit": 1}).data  # the newest is this example's
        if found and found[0].status == "succeeded" and found[0].amount - found[0].amount_refunded >= minor:
            client.refunds.create({"charge": found[0].id, "amount": minor})

    def deliver(self, place: int) -> None:
        found = list(
            account.here().gateway.events_since(clock.now() - poll.OVERLAP, list(inbox.HANDLED[:20]))
        )
        if found:
            with writing():
                event = found[place % len(found)]
                inbox.store(event, b"", source="webhook", now=clock.now())
                db.session.commit()

    def converge(self, what: str, claim: Any) -> None:
        key, sequence, token = claim
        gateway = account.here().gateway
        if what == "work":
            inbox._converge(gateway, key, sequence, token)
            return
        found = converge.CONVERGENCES[key[0]].fetch(gateway, key[1])
        if what == "slow worker":
            self.stripe.advance(seconds=310)  # the lease runs out, another takes the object and is done
            inbox.work()
            assert inbox._apply(key, sequence, token, found, clock.now()) == []


def refund(reference: str, minor: int) -> None:
    """Staff ask for a part back, if there is that much left."""
    with writing():
        gift = donations.get_donation(reference)
        paid = [
            p for p in payments.payments_of(gift.id) if p.amount_minor - payments.refunded(p).minor >= minor
        ]
        asked = payments.ask_refund(paid[0], Money(minor, "EUR")) if paid else None
        db.session.commit()
        if asked is not None:
            checkout.refund(asked)


def leave_behind(stripe: Any) -> None:
    """What earlier examples did is long ago, and a look has been taken since: only this one's events are asked for."""
    stripe.advance(seconds=int(poll.OVERLAP.total_seconds()) + 1)
    looked = {"name": "events", "seconds": int(clock.now().timestamp())}
    with writing():
        upsert(poll.Cursor, looked, keys=("name",), taken=("seconds",))
        db.session.commit()


def quiet(world: World) -> None:
    """Let everything that is under way come in."""
    for _ in range(8):
        world.stripe.advance(seconds=200)
        world.stripe.settle()
        with writing():
            poll.poll()
        if not inbox.work():
            break


@pytest.mark.parametrize("interval", ["once", "month"])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(card=st.sampled_from(sorted(CARDS)), steps=st.lists(step, max_size=25))
def test_any_order_ends_in_what_stripe_says(app, stripe, interval, card, steps):
    if fundraisers.find_fundraiser("small-newsrooms") is None:
        make.fundraiser(weights=(3, 2))
        db.session.commit()
        control(stripe, "webhooks", modes=["drop"])
    leave_behind(stripe)
    world = World(stripe, app, f"donor-{next(NUMBER)}@example.org")
    reference = world.pay(CARDS[card], interval)
    for what, size in steps:
        world.do(what, size, reference)
    quiet(world)
    agrees(world, reference)


def agrees(world: World, reference: str) -> None:
    """Our rows, our books and our mails against the pretend Stripe's own figures."""
    db.session.expire_all()
    gift = donations.get_donation(reference)
    there = state(world.stripe, world.email)
    paid = payments.payments_of(gift.id)
    assert gift.status is Status.SETTLED
    assert (len(paid), sum(p.amount_minor for p in paid)) == (there["charges"], there["charged"]) == (1, 2000)
    assert payments.refunded(paid[0]).minor == there["refunded"]
    entries = Counter(entry.kind for entry in ledger.entries_of(paid[0].subject))
    assert entries["gift"] == 1
    booked = sum(ledger.postings_of(entry).get("stripe", 0) for entry in ledger.entries_of(paid[0].subject))
    assert booked == there["balance"]
    assert ledger.check() == []
    assert fundraisers.totals_off() == []
    receipts = select(func.count()).where(outbox.Email.dedupe_key == f"receipt:{paid[0].stripe_charge_id}")
    assert db.session.scalar(receipts) == 1
    assert db.session.scalar(select(func.count()).select_from(Payment).where(Payment.apart.is_not(None))) == 0
    waiting = select(inbox.StripeObject.object_id).where(
        inbox.StripeObject.dirty_seq > inbox.StripeObject.clean_seq
    )
    assert db.session.scalars(waiting).all() == []
