"""Commands: one verb each, a line on stdout, a refusal as a sentence, nothing that names a person."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from membership import mail
from membership.billing import inbox
from membership.cli.work import Task, Worker
from membership.config import key_bytes
from membership.db import db
from membership.domain import donations
from membership.domain.donations import Review
from tests import make

pytestmark = pytest.mark.usefixtures("app")


def run(app, *args):
    db.session.commit()
    return app.test_cli_runner().invoke(args=list(args))


def test_new_keys_fit_the_settings_and_differ(app):
    first, second = run(app, "keys", "new").output, run(app, "keys", "new").output
    assert first != second
    made = dict(line.split("=", 1) for line in first.splitlines())
    assert {"SECRET_KEY", "VAULT_PUBLIC_KEY", "VAULT_PRIVATE_KEY", "EMAIL_KEY", "OUTBOX_KEY"} <= made.keys()
    assert all(
        len(key_bytes(made[name])) == 32 for name in made if name.endswith("_KEY") and name != "SECRET_KEY"
    )
    assert len(made["SECRET_KEY"]) >= 32


def test_the_ledger_holds(app):
    make.donation(booked=True)
    done = run(app, "ledger", "check")
    assert done.exit_code == 0
    assert "holds" in done.output


def test_a_total_that_is_off_is_told(app):
    make.donation(booked=True)
    db.session.execute(text("UPDATE fundraisers SET raised_minor = raised_minor + 1"))
    done = run(app, "ledger", "check")
    assert done.exit_code == 1
    assert "small-newsrooms" in done.output


def held(**more):
    row = make.fundraiser(refused=["BY"])
    given = donations.pledge(row, make.pledge(**more), settings=make.settings())
    paid = make.payment(given, card_country="BY")
    donations.book(paid, make.settlement(paid), settings=make.settings(), now=paid.paid_at)
    assert given.review is Review.HELD
    return given


def test_held_gifts_are_listed_without_names(app):
    assert "No gift is held." in run(app, "gifts", "held").output
    given = held()
    done = run(app, "gifts", "held")
    assert given.reference in done.output
    assert "€20" in done.output
    assert "card BY" in done.output
    assert "Ana" not in done.output
    assert "ana@" not in done.output


def test_a_held_gift_is_accepted_once(app):
    given = held()
    done = run(app, "gifts", "accept", given.reference)
    assert done.exit_code == 0, done.output
    db.session.refresh(given)
    assert given.review is Review.ACCEPTED
    again = run(app, "gifts", "accept", given.reference)
    assert again.exit_code == 1
    assert "This gift is not held." in again.output
    assert "Traceback" not in again.output


def test_a_reference_may_begin_with_a_hyphen(app):
    given = held()
    given.reference = "-5" + given.reference
    assert run(app, "gifts", "accept", given.reference).exit_code == 0


@pytest.mark.parametrize("command", [("refund", "--all"), ("accept",)])
def test_what_needs_a_reference_says_so(app, command):
    assert run(app, "gifts", *command).exit_code == 2


def test_an_unknown_gift_is_a_sentence(app):
    done = run(app, "gifts", "accept", "nothing")
    assert done.exit_code == 1
    assert "There is no such gift." in done.output


@pytest.mark.usefixtures("stripe")
def test_work_once_sends_what_waits(app, mailbox):
    make.donation(settled=True)
    done = run(app, "work", "--once")
    assert done.exit_code == 0, done.output
    assert [message["Subject"] for message in mailbox] == ["Your receipt"]
    assert run(app, "work", "--once").exit_code == 0
    assert len(mailbox) == 1


@pytest.mark.usefixtures("stripe")
def test_a_step_that_fails_is_told_by_its_class_and_stops_nothing(app, mailbox, caplog, monkeypatch):
    def fail(*_args, **_more):
        raise RuntimeError("ana@example.org")

    monkeypatch.setattr(inbox, "work", fail)
    make.donation(settled=True)
    done = run(app, "work", "--once")
    assert done.exit_code == 1
    assert len(mailbox) == 1
    assert "inbox failed: RuntimeError" in caplog.text
    assert "ana@" not in caplog.text


@pytest.mark.usefixtures("stripe")
def test_a_worker_on_older_tables_says_so_and_touches_nothing(app, client, mailbox):
    make.donation(settled=True)
    version = "UPDATE alembic_version SET version_num = '{}'"
    newest = db.session.scalar(text("SELECT version_num FROM alembic_version"))
    db.session.execute(text(version.format("0001")))
    for args in ((), ("--once",)):
        done = run(app, "work", *args)
        assert done.exit_code == 1
        assert f"The database is of version 0001, this code needs {newest}: flask db upgrade" in done.output
    assert mailbox == []
    answer = client.get("/readyz")
    assert (answer.status_code, "flask db upgrade" in answer.text) == (503, True)
    db.session.execute(text(version.format(newest)))
    assert run(app, "work", "--once").exit_code == 0
    assert client.get("/readyz").status_code == 200
    assert len(mailbox) == 1


def test_the_timetable_runs_each_task_when_its_time_has_come(at):
    ran = []
    hourly = Task("hourly", timedelta(hours=1), ran.append)
    worker = Worker([hourly])
    at("2026-03-01 10:00")
    worker.round()
    worker.round()
    assert len(ran) == 1
    at("2026-03-01 11:00")
    worker.round()
    assert len(ran) == 2


def test_a_task_that_fails_is_tried_again_soon(at):
    ran = []

    def fail(now):
        ran.append(now)
        raise RuntimeError

    worker = Worker([Task("hourly", timedelta(hours=1), fail)])
    for moment in ("10:00:00", "10:00:20", "10:00:30", "10:00:40"):
        at(f"2026-03-01 {moment}")
        worker.round()
    assert [f"{now:%M:%S}" for now in ran] == ["00:00", "00:30"]


def test_told_to_stop_it_begins_nothing_new(monkeypatch):
    worker = Worker([Task("stop", timedelta(0), lambda _now: worker.stop.set())])
    monkeypatch.setattr(mail, "deliver", lambda *_a, **_k: pytest.fail("it went on"))
    worker.run()
    assert worker.stop.is_set()


def test_migrations_by_command(real_database):
    outcome = real_database.app.test_cli_runner().invoke(args=["db", "current"])
    assert outcome.exit_code == 0, outcome.output
    assert "upgrade" in real_database.app.test_cli_runner().invoke(args=["db", "--help"]).output
