"""What other tests rely on without saying so: isolation, real connections, a watchful client, no network."""

import smtplib
import socket
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from membership import clock
from membership.db import db, writing
from membership.domain import people
from membership.domain.people import Person
from tests import make
from tests.reader import read

PAGE = "<!doctype html><html lang=en><head><title>Gifts</title></head><body><main><h1>Gifts</h1>{}</main></body></html>"


def how_many():
    return db.session.scalar(select(func.count()).select_from(Person))


@pytest.mark.parametrize("turn", ["first", "second"])
def test_what_a_test_commits_is_gone_afterwards(app, turn):
    assert how_many() == 0
    make.person(f"{turn}@example.org")
    db.session.commit()
    db.session.rollback()
    assert how_many() == 1


def test_a_refused_statement_spoils_nothing_that_was_committed(app):
    make.person()
    db.session.commit()
    with pytest.raises(DBAPIError):
        db.session.execute(text("SELECT nonsense"))
    db.session.rollback()
    assert how_many() == 1


def test_a_request_has_a_session_of_its_own(app, client):
    found = make.person()
    client.get("/healthz")
    assert found in db.session
    assert db.session.scalar(select(Person).where(Person.id == found.id)) is found


def test_together_runs_at_once_on_connections_of_their_own(real_database):
    def register():
        with writing():
            known = people.register("ana@example.org", locale="en").id
            db.session.commit()
        return known

    assert len(set(real_database.together(register, register, register))) == 1
    assert how_many() == 1


@pytest.mark.settings(GRACE_DAYS="3")
def test_settings_may_differ(app):
    assert app.config["SETTINGS"].grace_days == 3


def test_at_stops_the_clock(at):
    assert clock.now() > at("2026-03-01 10:00")
    assert clock.now() == datetime(2026, 3, 1, 10, tzinfo=UTC)


def test_our_clock_follows_the_pretend_stripe(stripe):
    before = clock.now()
    stripe.advance(days=31)
    assert (clock.now() - before).days == 31


def test_mail_arrives(app, mailbox):
    server = app.config["SETTINGS"].mail_url.removeprefix("smtp://")
    with smtplib.SMTP(server) as smtp:
        smtp.sendmail("us@example.org", "ana@example.org", "Subject: Thanks\r\n\r\nThanks")
    assert [letter["Subject"] for letter in mailbox] == ["Thanks"]


@pytest.mark.parametrize("host", ["example.org", "93.184.215.14"])
def test_nothing_reaches_past_this_machine(host):
    with pytest.raises(ConnectionRefusedError, match="stay on this machine"):
        socket.create_connection((host, 80), timeout=1)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("<h1>Again</h1>", "2 <h1>"),
        ("<input name=email>", "'email'> has no label"),
        ("<label for=email></label><input id=email name=email>", "has no label"),
        ("<p id=a></p><p id=a></p>", "two elements have the id 'a'"),
        ("<label for=gone>Name</label>", "'gone' points nowhere"),
        ("<a href=/></a>", "without words"),
        ("<img src=/x>", "no alt"),
        ("<p><div></div></p>", "unexpected-end-tag"),
    ],
)
def test_the_client_refuses_a_broken_page(body, fault):
    with pytest.raises(AssertionError, match=fault):
        read(PAGE.format(body))


def test_the_client_takes_a_whole_page():
    assert (
        read(PAGE.format("<label>Name <input name=name></label><svg><path d='M0'/></svg>")).get("lang")
        == "en"
    )
