"""The demo's own pages: where a reader meets the calls, and the mails that went out."""

import pytest

from membership import mail
from tests import make
from tests.web.visitor import text

KEPT = [
    {
        "to": "ana@example.org",
        "subject": "Your receipt",
        "text": "See http://127.0.0.1:8000/leave/x",
        "html": "<b>See</b>",
        "at": "2026-11-20T10:05:00+00:00",
    }
]


def links(client) -> list[str]:
    return [a.get("href") for a in next(client.page.iter("main")).iter("a")]


def test_the_article_has_both_calls(client):
    make.fundraiser()
    client.get("/demo/article")
    assert links(client) == ["/join", "/fundraisers/small-newsrooms"]
    client.get("/ka/demo/article")
    assert links(client) == ["/ka/join", "/ka/fundraisers/small-newsrooms"]


def test_the_mails_for_people_and_for_machines(client, monkeypatch):
    monkeypatch.setattr(mail, "kept", lambda: KEPT)
    assert client.get("/demo/mailbox?format=json").json == KEPT
    client.get("/demo/mailbox")
    assert "Your receipt" in text(client)
    assert "20 November 2026, 14:05" in text(client)
    assert links(client) == ["http://127.0.0.1:8000/leave/x"]


@pytest.mark.parametrize("path", ["/demo/article", "/demo/mailbox"])
def test_outside_the_demo_there_is_none(app, client, monkeypatch, path):
    monkeypatch.setattr("membership.web.guards.DEMO_MODES", ())
    assert client.get(path).status_code == 404
