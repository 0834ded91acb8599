"""Nobody finds out who gives or is a member by asking: known and unknown addresses make the very same work."""

import pytest
from sqlalchemy import func, select

from membership import clock, vault
from membership.db import db
from membership.domain import leaving
from membership.domain.leaving import LinkAsked, Way
from membership.domain.outbox import Email
from tests import make
from tests.journeys.donor import FORM, Donor, settle
from tests.journeys.member import Member, links
from tests.queries import counted
from tests.web.visitor import wait

STRANGER, OLD, FRESH, GIVER = (f"{who}@example.org" for who in ("stranger", "old", "fresh", "giver"))
EVERYBODY = (STRANGER, OLD, FRESH, GIVER)


@pytest.fixture
def known(app, stripe, mailbox, at):
    """A member of twenty days, a fresh one, somebody who gives every month; from here on time stands still."""
    make.fundraiser()
    make.plan("friend", perks=("letters",))
    db.session.commit()
    Member(app, stripe, email=OLD).joins()
    stripe.advance(days=20)
    Member(app, stripe, email=FRESH).joins()
    Donor(app, stripe, email=GIVER).gives(interval="month")
    settle(stripe)
    mailbox.clear()
    at(clock.now())


@pytest.fixture
def heard(stripe):
    """What Stripe is asked meanwhile."""
    asked, answer = [], stripe.wsgi

    def listen(environ, start_response):
        asked.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        return answer(environ, start_response)

    stripe.wsgi = listen
    return asked


def ask(app, path, email, said=None):
    """Somebody in a browser of their own asks for a link; `said` takes the statements of that."""
    client = app.test_client()
    client.get(path)
    told = {"csrf_token": client.field("csrf_token"), "email": email}
    with counted(app) as statements:
        answer = client.post(path, data=told)
    if said is not None:
        said.append(statements)
    return answer


def work(app):
    """A worker's rounds, until nothing is left to do."""
    assert app.test_cli_runner().invoke(args=["work", "--once"]).exit_code == 0
    assert db.session.scalar(select(func.count()).select_from(LinkAsked)) == 0


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(("way", "written"), [(Way.WITHDRAW, [FRESH]), (Way.LEAVE, [FRESH, GIVER, OLD])])
def test_asking_for_a_link_is_the_same_work_for_everybody(app, heard, mailbox, way, written):
    path, said = f"/{way}", []
    answers = [ask(app, path, email, said) for email in EVERYBODY]
    assert {(a.status_code, a.location) for a in answers} == {(303, f"{path}?sent=yes")}
    assert len({tuple(statements) for statements in said}) == 1
    assert sum("INSERT INTO links_asked" in one for one in said[0]) == 1
    for table in ("people", "memberships", "donations", "outbox_emails"):
        assert not any(table in one for one in said[0])
    assert heard == []
    work(app)
    assert sorted(message["To"] for message in mailbox) == written
    sent = db.session.scalars(select(Email.template).where(Email.template == leaving.TEMPLATES[way])).all()
    assert len(sent) == len(written)
    client, found = app.test_client(), links(mailbox, way)
    assert len(found) == len(written)
    for link in found:
        assert client.get(link).status_code == 200
        assert list(client.page.iter("form")), "there is something to end, and the button for it"
    for email in EVERYBODY:  # once more within ten minutes
        ask(app, path, email)
    work(app)
    assert len(mailbox) == len(written)


@pytest.mark.usefixtures("known")
def test_too_many_askings_are_stopped_for_everybody(app):
    for path in ("/withdraw", "/leave"):
        for email in EVERYBODY:
            said = []
            assert [ask(app, path, email, said).status_code for _ in range(6)] == [303] * 5 + [429]
            assert not any("links_asked" in one for one in said[5])


PAYING = (
    ("/join/friend", 1, {"price": "month-EUR", "other_amount": ""}),
    (FORM, 1, {"amount": "20", "interval": "month", "currency": "EUR"}),
    ("/fundraisers/small-newsrooms/transfer", 0, {"amount": "20"}),
)
"""What each form asks of Stripe, and what it is filled in with."""


@pytest.mark.usefixtures("known")
def test_joining_and_giving_are_the_same_work_for_everybody(app, heard):
    for path, calls, fields in PAYING:
        done = []
        for email in EVERYBODY:
            client = app.test_client()
            client.get(path)
            told = {name: client.field(name) for name in ("csrf_token", "attempt")} | fields
            wait(5)
            heard.clear()
            with counted(app) as statements:
                answer = client.post(path, data=told | {"email": email, "name": "Ana"})
            assert answer.status_code == 303, answer.text
            done.append((statements, list(heard)))
        assert [one for one in done if one != done[0]] == []
        assert any("INSERT INTO people" in one for one in done[0][0])
        assert len(done[0][1]) == calls


def test_what_waits_names_nobody_and_holds_up_nobody(app):
    person = make.person()
    make.fundraiser()
    row = leaving.ask(Way.LEAVE, "ana@example.org", locale="en")
    assert "ana@" not in " ".join(str(getattr(row, column.key)) for column in LinkAsked.__table__.columns)
    assert vault.unlock(row.locked) == {"email": "ana@example.org"}
    row.locked = b"locked with a key that is gone"
    leaving.ask(Way.LEAVE, "ana@example.org", locale="en")
    assert leaving.is_waiting()
    assert leaving.dispatch(make.settings(), clock.now()) == 0  # known, with nothing that runs
    assert not leaving.is_waiting()
    assert person.erased_at is None
