"""Leaving: one page, one button, no sign-in, and a link that says nothing but what it stops."""

import pytest
from sqlalchemy import func, select

from membership.db import db
from membership.domain.donations import Donation, Schedule
from membership.domain.outbox import Email
from membership.web import brakes
from tests import make
from tests.journeys.donor import Donor, control, settle, state
from tests.journeys.under_way import Answered, slow
from tests.web.visitor import beside, text, title, tokens, value


@pytest.fixture
def donor(app, stripe):
    make.fundraiser()
    return Donor(app, stripe)


@pytest.fixture
def link(donor, stripe):
    """The link of a monthly gift that runs."""
    donor.gives(interval="month")
    settle(stripe)
    return f"/leave/{db.session.scalar(select(Donation.leave_token))}"


def act(client, link, action, **more):
    client.get(link)
    return client.post(link, data={"csrf_token": client.field("csrf_token"), "action": action, **more})


def mails() -> int:
    return db.session.scalar(select(func.count()).select_from(Email))


def ask(client, email):
    return client.post("/leave", data=tokens(client, "/leave") | {"email": email}, follow_redirects=True)


@pytest.mark.parametrize(("email", "more"), [("ana@example.org", 1), ("stranger@example.org", 0)])
def test_the_same_answer_whether_we_know_the_address(app, link, stripe, email, more):
    client = app.test_client()
    before = mails()
    answer = ask(client, email)
    assert mails() == before, "who it is, the worker finds out"
    settle(stripe)
    assert answer.request.path == "/leave"
    assert "If a membership or a gift runs under this address, a link that stops it is on its way." in text(
        client
    )
    assert mails() == before + more


def test_an_address_that_cannot_be_one(client):
    make.fundraiser()
    assert ask(client, "nobody").status_code == 422
    assert beside(client, "email")
    assert value(client, "email") == "nobody"
    assert title(client).startswith("Error:")


def test_asking_without_a_token_is_asked_again(client):
    told = tokens(client, "/leave") | {"email": "ana@example.org", "csrf_token": "made-up"}
    assert client.post("/leave", data=told).status_code == 422
    assert "Please press again." in text(client)
    assert value(client, "email") == "ana@example.org"


def test_asking_very_often_keeps_the_form(client, monkeypatch):
    monkeypatch.setattr(brakes, "PER_BROWSER", 0)
    assert ask(client, "ana@example.org").status_code == 429
    assert value(client, "email") == "ana@example.org"


def test_looking_never_stops_anything(app, link, stripe):
    client = app.test_client()
    for _ in range(3):
        assert client.get(link).status_code == 200
    settle(stripe)
    assert state(stripe)["subscriptions_live"] == 1


def test_the_page_says_only_what_it_stops(app, link):
    client = app.test_client()
    answer = client.get(link)
    assert "€20 every month" in text(client)
    assert "Keep small newsrooms publishing" in text(client)
    for secret in ("Ana", "ana@example.org", "4242"):
        assert secret not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "same-origin"


def test_stopping(app, link, stripe):
    client = app.test_client()
    assert act(client, link, "stop", reason="Too many subscriptions").status_code == 303
    client.get(link)
    assert "Your gift is stopped" in text(client)
    settle(stripe)
    assert state(stripe)["subscriptions_live"] == 0
    client.get(link)
    assert "This gift has ended" in text(client)
    assert not list(client.page.iter("form"))


def test_pausing(app, link, stripe):
    client = app.test_client()
    act(client, link, "pause")
    client.get(link)
    assert "Your gift is paused" in text(client)
    assert "Nothing is charged until" in text(client)
    settle(stripe)
    assert db.session.scalar(select(Donation.schedule)) is Schedule.PAUSED
    other = app.test_client()
    other.get(link)
    assert "Your gift is paused" in text(other)
    assert [b.get("value") for b in other.page.iter("button")] == ["stop"]


def test_stripe_down_is_noted_and_asked_again(app, link, stripe):
    client = app.test_client()
    control(stripe, "faults", next=9, kind="429", path="/v1/subscriptions")
    act(client, link, "stop")
    client.get(link)
    assert "We have noted it and will stop it" in text(client)
    control(stripe, "faults", next=0, kind="429", path="/v1/subscriptions")


@pytest.mark.parametrize("action", ["pause", "stop"])
def test_what_stripe_will_not_do_is_not_said_to_be_noted(app, link, stripe, action):
    def says_no():
        raise Answered(400, {"error": {"type": "invalid_request_error", "message": "managed by a schedule"}})

    client = app.test_client()
    with slow(stripe, "/v1/subscriptions", says_no):
        act(client, link, action)
    client.get(link)
    assert "The payment service did not agree, so nothing was changed." in text(client)
    assert "noted" not in text(client)
    act(client, link, action)
    client.get(link)
    assert f"Your gift is {'paused' if action == 'pause' else 'stopped'}" in text(client)


@pytest.mark.parametrize("action", ["", "refund", None])
def test_only_the_two_buttons(app, link, stripe, action):
    client = app.test_client()
    assert act(client, link, action).status_code == 422
    settle(stripe)
    assert state(stripe)["subscriptions_live"] == 1


def test_without_a_token_nothing_stops(app, link, stripe):
    client = app.test_client()
    answer = client.post(link, data={"action": "stop", "reason": "moving away"})
    assert answer.status_code == 422
    assert "Please press again." in text(client)
    assert value(client, "reason").strip() == "moving away"
    settle(stripe)
    assert state(stripe)["subscriptions_live"] == 1


def test_links_to_nothing(app, donor):
    donor.gives()
    once = db.session.scalar(select(Donation.leave_token))
    client = app.test_client()
    for path in ("/leave/nothing", f"/leave/{once}", "/leave/nothing/more"):
        assert client.get(path).status_code == 404
        assert client.post(path).status_code == 404
