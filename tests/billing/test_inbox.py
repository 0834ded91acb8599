"""The hook: what it takes in, what it refuses, and that it only ever marks objects to look at."""

import hashlib
import hmac
import json
import time

import pytest
from sqlalchemy import func, select

from membership import clock, vault
from membership.billing import inbox
from membership.billing.inbox import StripeEvent, StripeObject
from membership.db import db
from tests import make

once = pytest.mark.one_database("it is refused before a database is asked")

EVENT = {
    "id": "evt_1",
    "object": "event",
    "type": "charge.succeeded",
    "created": 1_790_000_000,
    "livemode": False,
    "api_version": "2026-10-28.endive",
    "data": {"object": {"id": "ch_1", "object": "charge", "billing_details": {"name": "ნინო"}}},
}


def body(**changes: object) -> bytes:
    return json.dumps(EVENT | changes, ensure_ascii=False).encode()


def signature(payload: bytes, *, secret: str = "", age: float = 0, scheme: str = "v1") -> str:
    """As Stripe signs: HMAC-SHA256 over the time, a dot and the raw body."""
    stamp = int(time.time() - age)
    key = secret or make.settings().stripe_webhook_secrets[0]
    made = hmac.new(key.encode(), f"{stamp}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={stamp},{scheme}={made}"


def post(client, payload: bytes, header: str | None = None) -> int:
    headers = {} if header == "" else {"Stripe-Signature": header or signature(payload)}
    return client.post(
        "/hooks/stripe", data=payload, headers=headers, content_type="application/json"
    ).status_code


def stored() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(StripeEvent))


def dirty() -> list[tuple[str, str, int]]:
    rows = db.session.execute(
        select(StripeObject.object_type, StripeObject.object_id, StripeObject.dirty_seq)
    )
    return [tuple(row) for row in rows]


def test_a_signed_event_is_stored_once_and_marks_its_object(client):
    assert post(client, body()) == 200
    assert post(client, body()) == 200
    row = db.session.get(StripeEvent, "evt_1")
    assert (stored(), row.deliveries) == (1, 2)
    assert dirty() == [("charge", "ch_1", 2)]


def test_what_it_keeps_names_nobody_in_the_clear(client):
    post(client, body())
    row = db.session.get(StripeEvent, "evt_1")
    assert "ნინო".encode() not in row.sealed_payload
    assert vault.open_sealed(row.sealed_payload)["data"]["object"]["id"] == "ch_1"


@once
@pytest.mark.parametrize(
    "header",
    [
        pytest.param(lambda _: "", id="none"),
        pytest.param(lambda _: " ", id="blank"),
        pytest.param(lambda _: "nonsense", id="nonsense"),
        pytest.param(lambda _: "t=abc,v1=00", id="bad time"),
        pytest.param(lambda b: signature(b, secret="whsec_other"), id="other secret"),
        pytest.param(lambda b: signature(b, scheme="v0"), id="only v0"),
        pytest.param(lambda b: signature(b, age=301), id="too old"),
        pytest.param(lambda b: signature(b + b" "), id="another body"),
        pytest.param(lambda _: f"t={int(time.time())},v1=ნინო".encode().decode("latin-1"), id="not ascii"),
    ],
)
def test_what_stripe_did_not_sign_is_refused(client, header):
    payload = body()
    assert post(client, payload, header(payload)) == 400
    assert stored() == 0


@once
@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"\xff\xfe", id="not utf-8"),
        pytest.param(b"", id="empty"),
        pytest.param(b"{not json", id="not json"),
        pytest.param(b"[]", id="an array"),
        pytest.param(b"42", id="a number"),
        pytest.param(
            b'{"id": "evt_thin", "object": "v2.core.event", "type": "v1.charge.updated"}', id="thin"
        ),
        pytest.param(b'{"id": "evt_1", "type": "x", "data": {"object": null}}', id="no object"),
        pytest.param(b'{"id": "evt_1", "type": "x", "data": [], "created": NaN}', id="odd shape"),
    ],
)
def test_what_is_signed_but_no_event_is_refused(client, payload):
    assert post(client, payload) == 400
    assert stored() == 0


@once
def test_a_body_over_the_cap_is_too_large(client):
    assert post(client, body(padding="x" * 1_100_000)) == 413
    assert stored() == 0


def test_events_of_another_mode_or_account_are_set_aside(client):
    assert post(client, body(id="evt_live", livemode=True)) == 200
    assert post(client, body(id="evt_connect", account="acct_1")) == 200
    assert stored() == 0


def test_a_future_time_is_taken_since_the_clock_may_have_been_moved(client):
    payload = body()
    assert post(client, payload, signature(payload, age=-3600)) == 200


def test_either_secret_is_good_while_it_is_rotated(app, client):
    settings = app.config["SETTINGS"]
    assert len(settings.stripe_webhook_secrets) == 1
    payload = body()
    both = f"{signature(payload, secret='whsec_old')},{signature(payload).split(',')[1]}"
    assert post(client, payload, both) == 200


@pytest.mark.settings(STRIPE_WEBHOOK_SECRET="whsec_new,whsec_old")
def test_two_secrets_of_ours_are_both_good(client):
    for number, secret in enumerate(("whsec_new", "whsec_old")):
        payload = body(id=f"evt_{number}")
        assert post(client, payload, signature(payload, secret=secret)) == 200
    assert stored() == 2


def test_unknown_types_and_events_without_an_id_are_stored_and_lead_nowhere(client):
    upcoming = {"object": {"object": "invoice", "amount_due": 500}}
    assert post(client, body(id="evt_upcoming", type="invoice.upcoming", data=upcoming)) == 200
    unknown = {"object": {"object": "moon.phase", "id": "moon_1"}}
    assert post(client, body(id="evt_unknown", type="moon.waxing", data=unknown)) == 200
    assert stored() == 2
    assert dirty() == []


def test_payloads_are_forgotten_after_ninety_days_and_rows_stay(client):
    post(client, body())
    inbox.empty_old_payloads(clock.now() + inbox.PAYLOADS_KEPT * 2)
    db.session.expire_all()
    row = db.session.get(StripeEvent, "evt_1")
    assert row.sealed_payload is None
    assert row.object_id == "ch_1"


@once
def test_a_get_is_not_answered(client):
    assert client.get("/hooks/stripe").status_code == 405
