"""The setup page ticks what is done, says what is not, and asks nobody before its button is pressed."""

import pytest

from membership import clock, mail
from membership.billing import setup
from membership.billing.checkout import portals
from membership.db import db
from membership.domain import audit, newsroom, outbox
from membership.mail import names
from tests import make, signed_in
from tests.letters import MAILS
from tests.name_server import NameServer
from tests.records import history_of
from tests.web.visitor import beside, tokens

pytestmark = pytest.mark.usefixtures("app")

DOMAIN = "newsroom.example"
GOOD = {
    DOMAIN: "v=spf1 include:mail.example -all",
    f"s1._domainkey.{DOMAIN}": "v=DKIM1; k=rsa; p=MIIBIjANBg",
    f"_dmarc.{DOMAIN}": "v=DMARC1; p=reject",
}


@pytest.fixture
def client(client):
    """An admin at the desk."""
    signed_in.as_staff(client, "admin")
    return client


def said(client):
    """The page, in words."""
    return " ".join("".join(said_page(client).itertext()).split())


def left(client):
    heading = "".join(next(said_page(client).iter("h1")).itertext())
    return {"Everything": 0, "One": 1}.get(heading.split()[0]) or int(heading.split()[0])


def said_page(client):
    assert client.get("/staff/setup").status_code == 200
    return client.page


def ask(client, selector):
    hidden = tokens(client, "/staff/setup")
    return client.post("/staff/setup", data=hidden | {"selector": selector})


def test_only_an_admin_sees_it(app, client):
    assert client.get("/staff/setup").status_code == 200
    for role in ("viewer", "support", "treasurer", "auditor"):
        other = app.test_client()
        signed_in.as_staff(other, role)
        assert other.get("/staff/setup").status_code == 403
        assert other.post("/staff/setup", data={"selector": "s1"}).status_code == 403


def test_a_new_newsroom_reads_what_to_do_next(client):
    page = said(client)
    for words in (
        "flask stripe-setup",
        "flask keys new",
        "flask staff add",
        "flask backup verify",
        "imprint",
    ):
        assert words in page
    assert left(client) == 11


@pytest.mark.usefixtures("stripe", "mailbox")
def test_each_step_ticks_itself(client, stripe):
    before = left(client)

    def ticked():
        nonlocal before
        db.session.commit()
        now = left(client)
        fewer, before = before - now, now
        return fewer

    portals.ensure_portal(clock.now())  # as when a member changes a card: that alone is not all of it
    assert ticked() == 0
    setup.prepare()
    assert ticked() == 1
    host = make.the_newsroom()
    host.pages = {page: {"en": "Words."} for page in newsroom.LEGAL}
    assert ticked() == 1
    make.donation(booked=True)
    assert ticked() == 1
    outbox.queue(key="x:1", template="sign-in", to="ana@example.org", locale="en", context=MAILS["sign-in"])
    mail.deliver()
    assert ticked() == 1
    signed_in.staff("admin", email="second@example.org")
    assert ticked() == 1
    audit.record(audit.Tag.BACKUP_VERIFIED, subject_type="backup", subject_id="copy")
    assert ticked() == 1


def test_looking_asks_nobody_and_a_press_asks_once_and_remembers(client):
    with NameServer(GOOD) as server:
        before = left(client)
        assert server.asked == []
        assert ask(client, "s1").status_code == 303
        assert set(server.asked) == set(GOOD)
        page = said(client)
        assert len(server.asked) == 3
    assert page.count(": found") == 3
    assert left(client) == before - 1
    (record,) = history_of("domain", DOMAIN)
    assert record.details == {"selector": "s1", "spf": "found", "dkim": "found", "dmarc": "found"}
    assert record.by_id is not None


def test_what_is_missing_is_told_apart_from_who_does_not_answer():
    with NameServer(
        {DOMAIN: "google-site-verification=x", "_dmarc.example.org": "v=DMARC1; p=none"}
    ) as server:
        assert names.look_up(DOMAIN, "s1") == names.Names(*["missing"] * 3)
        assert names.look_up("mail.example.org", "s1").dmarc == "found"
        assert names.look_up("x" * 70 + ".org", "s1").spf == "missing"
        server.is_silent = True
        assert names._ask(DOMAIN, "v=spf1") == "silent"


@pytest.mark.parametrize("selector", ["", "a b", "../x", "-x", "x" * 100, "ünï", "a.b.c"])
def test_what_is_no_selector_asks_nobody(client, selector):
    with NameServer(GOOD) as server:
        assert ask(client, selector).status_code == 422
        assert "A selector is a short name" in beside(client, "selector")
        assert server.asked == []
    assert history_of("domain", DOMAIN) == []


def test_a_press_from_elsewhere_asks_nobody(client):
    with NameServer(GOOD) as server:
        assert client.post("/staff/setup", data={"selector": "s1"}).status_code == 422
        assert server.asked == []
