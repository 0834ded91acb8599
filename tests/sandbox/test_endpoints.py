"""Webhook endpoints made by the API: told what they asked for, each under its own secret."""

import json

import pytest
import stripe

from tests.sandbox.bench import SECRET, Bench

HOOK = "http://127.0.0.1:8000/hooks/stripe"
OTHER = "http://localhost:9000/hooks"


@pytest.fixture
def told():
    """A bench that keeps to whom each webhook went."""
    came = []

    def receive(url, body, headers):
        came.append((url, json.loads(body)["type"], body, headers["Stripe-Signature"]))
        return bench.says(url)

    bench = Bench(sender=receive)
    bench.control("webhooks", {"modes": []})
    bench.came = came
    yield bench
    bench.sandbox.close()


def made(bench, *kinds, **more):
    return bench.v1.webhook_endpoints.create({"url": OTHER, "enabled_events": list(kinds) or ["*"], **more})


def test_an_endpoint_is_told_what_it_asks_for_under_its_own_secret(told):
    endpoint = made(told, "customer.updated", metadata={"a": "b"}, api_version="2026-10-28.endive")
    assert endpoint.secret.startswith("whsec_")
    assert endpoint.api_version == "2026-10-28.endive"
    customer = told.v1.customers.create({"name": "A"})
    told.v1.customers.update(customer.id, {"name": "B"})
    told.sandbox.settle()
    assert [(url, kind) for url, kind, *_ in told.came] == [
        (HOOK, "customer.created"),
        (HOOK, "customer.updated"),
        (OTHER, "customer.updated"),
    ]
    for url, _, body, signature in told.came:
        right, wrong = (endpoint.secret, SECRET) if url == OTHER else (SECRET, endpoint.secret)
        assert stripe.WebhookSignature.verify_header(body.decode(), signature, right, tolerance=None)
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.WebhookSignature.verify_header(body.decode(), signature, wrong, tolerance=None)


def test_the_secret_is_shown_once(told):
    endpoint = made(told)
    assert "secret" not in told.v1.webhook_endpoints.retrieve(endpoint.id).to_dict()
    listed = told.v1.webhook_endpoints.list().data
    assert [one.url for one in listed] == [OTHER, HOOK]
    assert all("secret" not in one.to_dict() for one in listed)


def test_an_event_is_delivered_once_everybody_has_it(told):
    made(told)
    told.says = lambda url: 500 if url == OTHER else 200
    told.v1.customers.create({"name": "A"})
    assert told.last_event("customer.created").pending_webhooks == 2
    told.sandbox.settle()
    assert told.last_event("customer.created").pending_webhooks == 1
    assert len(told.v1.events.list({"delivery_success": False}).data) == 1
    told.says = lambda _url: 200
    told.sandbox.advance(seconds=10)
    told.sandbox.settle()
    assert told.last_event("customer.created").pending_webhooks == 0
    assert [url for url, *_ in told.came] == [HOOK, OTHER, OTHER]


def test_disabled_and_deleted_ones_are_told_nothing(told):
    endpoint = made(told)
    told.v1.customers.create({"name": "A"})
    assert told.v1.webhook_endpoints.update(endpoint.id, {"disabled": True}).status == "disabled"
    told.v1.customers.create({"name": "B"})
    told.sandbox.settle()
    assert {url for url, *_ in told.came} == {HOOK}
    changed = told.v1.webhook_endpoints.update(
        endpoint.id, {"disabled": False, "enabled_events": ["product.created"], "description": "Books"}
    )
    assert (changed.status, changed.enabled_events, changed.description) == (
        "enabled",
        ["product.created"],
        "Books",
    )
    told.v1.products.create({"name": "Gift"})
    assert told.v1.webhook_endpoints.delete(endpoint.id).deleted
    told.sandbox.settle()
    assert {url for url, *_ in told.came} == {HOOK}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        told.v1.webhook_endpoints.retrieve(endpoint.id)
    assert caught.value.code == "resource_missing"
    assert told.v1.events.list({"delivery_success": False}).data == []


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"url": "https://example.org/hooks"}, "url"),
        ({"url": "not an address"}, "url"),
        ({"enabled_events": ["customer.*"]}, "enabled_events[0]"),
        ({"enabled_events": ["customer.exploded"]}, "enabled_events[0]"),
        ({"api_version": "2020-08-27"}, "api_version"),
        ({"connect": True}, "connect"),
    ],
)
def test_endpoints_refuse_what_stripe_refuses(told, changes, param):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        made(told, **changes)
    assert caught.value.param == param


def test_a_version_is_for_good_and_the_application_stays(told):
    endpoint = made(told)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        told.v1.webhook_endpoints.update(endpoint.id, {"api_version": "2026-10-28.endive"})
    assert (caught.value.code, caught.value.param) == ("parameter_unknown", "api_version")
    own = told.v1.webhook_endpoints.list().data[-1]
    for call in (told.v1.webhook_endpoints.delete, told.v1.webhook_endpoints.update):
        with pytest.raises(stripe.InvalidRequestError, match="was started for this endpoint"):
            call(own.id)


def test_endpoints_survive_a_restart(tmp_path):
    path = str(tmp_path / "sandbox.sqlite")
    bench = Bench(store=path)
    endpoint = made(bench, "customer.created")
    bench.sandbox.close()
    came = []

    def receive(url, _body, _headers):
        came.append(url)
        return 200

    again = Bench(store=path, sender=receive, webhook_url="http://127.0.0.1:7000/hooks")
    assert again.v1.webhook_endpoints.list().data[0].id == endpoint.id
    again.v1.customers.create({"name": "A"})
    again.sandbox.settle()
    assert set(came) == {OTHER, "http://127.0.0.1:7000/hooks"}
    again.sandbox.close()
