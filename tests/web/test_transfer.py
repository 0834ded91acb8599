"""Giving by bank transfer: a reference of one's own, shown to the browser that asked and to nobody else."""

import pytest
from sqlalchemy import func, select

from membership.db import db
from membership.domain.transfers import Transfer
from membership.mail.letter import grouped
from membership.web import brakes
from tests import make
from tests.web.visitor import beside, text, title, tokens, value

PATH = "/fundraisers/small-newsrooms/transfer"
GOOD = {"amount": "50", "email": "ana@example.org", "name": "Ana"}


@pytest.fixture(autouse=True)
def _open(app):
    make.fundraiser()


def announced() -> int:
    return db.session.scalar(select(func.count()).select_from(Transfer))


def test_the_account_and_a_reference(client):
    answer = client.post(PATH, data=tokens(client, PATH) | GOOD)
    assert answer.status_code == 303
    page = client.get(answer.location)
    reference = db.session.scalar(select(Transfer.reference))
    for shown in (reference, "€50", grouped(make.ACCOUNT["iban"]), make.ACCOUNT["holder"]):
        assert shown in text(client)
    assert page.headers["Cache-Control"] == "no-store"
    assert "ana" not in answer.location


def test_the_same_press_twice_is_one_transfer(client):
    told = tokens(client, PATH) | GOOD
    assert client.post(PATH, data=told).location == client.post(PATH, data=told).location
    assert announced() == 1


def test_another_browser_sees_only_the_form(app, client):
    where = client.post(PATH, data=tokens(client, PATH) | GOOD).location
    other = app.test_client()
    other.get(where)
    assert value(other, "amount") == ""
    assert "€50" not in text(other)


@pytest.mark.parametrize(
    ("field", "typed"),
    [("amount", ""), ("amount", "0"), ("amount", "1,000"), ("amount", "NaN"), ("email", "nobody")],
)
def test_what_cannot_be_taken_is_said_beside_the_field(client, field, typed):
    answer = client.post(PATH, data=tokens(client, PATH) | GOOD | {field: typed})
    assert answer.status_code == 422
    assert beside(client, field)
    assert value(client, field) == typed
    assert value(client, "name") == "Ana"
    assert title(client).startswith("Error:")
    assert announced() == 0


def test_pressed_again(client):
    answer = client.post(PATH, data=tokens(client, PATH) | GOOD | {"csrf_token": ""})
    assert answer.status_code == 422
    assert "Please press again." in text(client)
    assert value(client, "amount") == "50"
    assert announced() == 0


def test_too_often(client, monkeypatch):
    monkeypatch.setattr(brakes, "PER_BROWSER", 0)
    assert client.post(PATH, data=tokens(client, PATH) | GOOD).status_code == 429
    assert value(client, "email") == "ana@example.org"
    assert announced() == 0


def test_without_an_account_there_is_no_page_and_no_link(client):
    make.the_newsroom().bank_account = {}
    assert client.get(PATH).status_code == 404
    assert PATH not in client.get("/fundraisers/small-newsrooms/give").text


def test_the_notice_is_the_same(client):
    client.get(PATH)
    assert f"Your bank statement will usually show: “{make.ACCOUNT['holder']}”." in text(client)
    assert f"By card it would be: “{make.settings().statement_descriptor}”." in text(client)
    assert "If that is a risk where you live, please do not give, by card or by transfer." in text(client)
