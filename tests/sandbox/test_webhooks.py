"""Webhooks: signed, tried again, doubled, shuffled, delayed, dropped, held."""

import itertools
import json
import time
from collections import Counter

import pytest
import stripe

from tests.sandbox.bench import SECRET, Bench


def came(bench):
    return [json.loads(body) for body, _ in bench.inbox]


def kinds(bench):
    return [event["type"] for event in came(bench)]


def test_every_try_is_signed_with_its_own_time(bench):
    bench.control("webhooks", {"modes": []})
    bench.says = lambda _event: 500
    bench.v1.customers.create({"name": "ნინო"})
    bench.sandbox.settle()
    bench.sandbox.advance(seconds=60)
    bench.says = lambda _event: 200
    bench.sandbox.settle()
    (first, then), (second, later) = bench.inbox
    assert first == second
    assert "ნინო".encode() in first
    for body, headers in ((first, then), (second, later)):
        assert stripe.WebhookSignature.verify_header(
            body.decode(), headers["Stripe-Signature"], SECRET, tolerance=None
        )
    assert then["Stripe-Signature"] != later["Stripe-Signature"]
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(first.decode() + " ", then["Stripe-Signature"], SECRET)
    moment = int(later["Stripe-Signature"].split(",")[0].removeprefix("t="))
    assert abs(moment - bench.sandbox.now()) <= 1


def test_the_sdk_reads_the_body_as_an_event(bench):
    bench.paid()
    body, headers = bench.inbox[0]
    event = bench.api.construct_event(body, headers["Stripe-Signature"], SECRET)
    assert event.api_version == "2026-10-28.endive"
    assert bench.v1.events.retrieve(event.id).type == event.type


def test_by_default_everything_comes_twice_and_out_of_order():
    bench = Bench(seed=1)
    bench.paid()
    made = [event.id for event in bench.v1.events.list({"limit": 100}).data][::-1]
    arrived = [event["id"] for event in came(bench)]
    assert Counter(arrived) == dict.fromkeys(made, 2)
    first_seen = list(dict.fromkeys(arrived))
    assert first_seen != made
    bench.sandbox.close()


def test_the_same_seed_shuffles_alike():
    orders = []
    for _ in range(2):
        bench = Bench(seed=5)
        bench.sandbox.account.clock.stand_at(2_000_000_000)
        bench.paid()
        orders.append(kinds(bench))
        bench.sandbox.close()
    assert orders[0] == orders[1]


def test_orderly_webhooks_come_once_and_in_order(bench):
    bench.control("webhooks", {"modes": []})
    bench.paid()
    assert kinds(bench) == bench.events()


def test_dropped_ones_never_come_but_can_be_read(bench):
    bench.control("webhooks", {"modes": ["drop"]})
    bench.paid()
    bench.sandbox.advance(days=4)
    bench.control("webhooks/release", {})
    bench.sandbox.settle()
    assert bench.inbox == []
    assert "checkout.session.completed" in bench.events()


def test_held_ones_wait_for_release(bench):
    bench.control("webhooks", {"modes": ["hold"]})
    bench.paid()
    bench.sandbox.advance(seconds=100)
    bench.sandbox.settle()
    assert bench.inbox == []
    waiting = bench.control("webhooks")["deliveries"]["held"]
    assert bench.control("webhooks/release", {}) == {"released": waiting}
    bench.sandbox.settle()
    assert len(bench.inbox) == waiting == len(bench.events())


def test_delayed_ones_come_later(bench):
    bench.control("webhooks", {"modes": ["delay"]})
    bench.v1.customers.create({"name": "A"})
    bench.sandbox.settle()
    assert bench.inbox == []
    bench.sandbox.advance(seconds=41)
    bench.sandbox.settle()
    assert kinds(bench) == ["customer.created"]


def test_a_refused_one_is_tried_again_with_growing_pauses(bench):
    bench.control("webhooks", {"modes": []})
    moments = []
    bench.says = lambda _event: moments.append(bench.sandbox.now()) or 500
    bench.v1.customers.create({"name": "A"})
    for _ in range(400):
        bench.sandbox.settle()
        bench.sandbox.advance(seconds=1)
    pauses = [after - before for before, after in itertools.pairwise(moments)]
    assert len(pauses) >= 6
    assert pauses == sorted(pauses)
    assert pauses[0] <= 3
    bench.sandbox.advance(days=4)
    for _ in range(30):
        bench.sandbox.settle()
        bench.sandbox.advance(days=1)
    assert bench.control("webhooks")["deliveries"] == {"failed": 1}


@pytest.mark.parametrize("status", [301, 400, 404, 500])
def test_only_2xx_counts(bench, status):
    bench.control("webhooks", {"modes": []})
    bench.says = lambda _event: status
    bench.v1.customers.create({"name": "A"})
    bench.sandbox.settle()
    assert bench.control("webhooks")["deliveries"] == {"pending": 1}
    bench.says = lambda _event: 204
    bench.sandbox.advance(seconds=10)
    bench.sandbox.settle()
    assert bench.control("webhooks")["deliveries"] == {"delivered": 1}


def test_a_receiver_that_is_away_is_tried_again(bench):
    bench.control("webhooks", {"modes": []})

    def away(_event):
        raise ConnectionRefusedError

    bench.says = away
    bench.v1.customers.create({"name": "A"})
    bench.sandbox.settle()
    bench.says = lambda _event: 200
    bench.sandbox.advance(seconds=10)
    bench.sandbox.settle()
    assert bench.control("webhooks")["deliveries"] == {"delivered": 1}


def test_a_receiver_may_ask_back(bench):
    """The application fetches what changed while it is being told."""
    seen = []

    def ask(event):
        if event["type"] == "charge.succeeded":
            seen.append(bench.v1.charges.retrieve(event["data"]["object"]["id"]).status)
        return 200

    bench.says = ask
    bench.paid()
    assert seen == ["succeeded", "succeeded"]


def test_a_snapshot_is_of_its_moment(bench):
    bench.control("webhooks", {"modes": []})
    bench.paid()
    by_kind = {event["type"]: event["data"]["object"] for event in came(bench)}
    assert by_kind["payment_intent.created"]["status"] == "requires_payment_method"
    assert by_kind["charge.succeeded"]["balance_transaction"] is None
    assert by_kind["charge.updated"]["balance_transaction"] is not None
    assert all(not key.startswith("_") for snapshot in by_kind.values() for key in snapshot)


def test_unknown_modes_are_refused(bench):
    for body in ({"modes": ["triplicate"]}, {"modes": "drop"}, {}, {"mode": []}):
        bench.control("webhooks", body, status=400)
    assert bench.control("webhooks")["modes"] == ["duplicate", "shuffle"]


def test_in_the_background_everything_happens_by_itself():
    bench = Bench(background=True)
    bench.pay(bench.open())
    until = time.monotonic() + 60
    while time.monotonic() < until and kinds(bench).count("charge.updated") < 2:
        time.sleep(0.05)
    bench.sandbox.close()
    assert kinds(bench).count("charge.updated") == 2
    assert kinds(bench).count("checkout.session.completed") == 2
