"""Roles from the command line: given, changed, taken away, and the link that sets up a second factor."""

import re

import pytest

from membership.db import db
from membership.domain import people, roles, signins
from membership.domain.roles import Role
from tests.records import history_of
from tests.signed_in import as_staff
from tests.web.visitor import wait

EVA = "eva@highland-dispatch.example"


def run(app, *args):
    db.session.commit()
    done = app.test_cli_runner().invoke(args=["staff", *args])
    db.session.expire_all()
    return done


def history(email=EVA):
    return [one.tag for one in history_of("person", people.find_by_email(email).reference)]


def test_a_role_is_given_and_the_link_printed(app):
    done = run(app, "add", EVA, "--role", "support")
    token = re.search(r"http://127.0.0.1:8000/staff/enrol/(\S+)", done.output)[1]
    person = people.find_by_email(EVA)
    assert roles.role_of(person.id) is Role.SUPPORT
    assert roles.find_invited(token).person_id == person.id
    assert EVA not in done.output
    assert history() == ["role.granted"]
    assert "support" in run(app, "list").output


@pytest.mark.parametrize(
    ("command", "tag"),
    [
        (["add", EVA, "--role", "viewer"], "role.granted"),
        (["revoke", EVA], "role.revoked"),
        (["reset", EVA], "factor.reset"),
    ],
)
def test_every_change_ends_what_is_open_at_the_desk(app, client, command, tag):
    person = as_staff(client, Role.ADMIN, email=EVA)
    wait(1)
    done = run(app, *command)
    assert done.exit_code == 0, done.output
    assert [one.kind for one in signins.sessions_of(person)] == ["member"]
    assert history()[-2:] == [tag, "sessions.ended"]
    assert ("/staff/enrol/" in done.output) is (command[0] == "reset")


def test_the_same_role_again_changes_nothing(app, client):
    person = as_staff(client, Role.ADMIN, email=EVA)
    wait(1)
    assert run(app, "add", EVA, "--role", "admin").exit_code == 0
    assert len(signins.sessions_of(person)) == 2


def test_what_cannot_be(app):
    assert run(app, "add", EVA, "--role", "boss").exit_code == 2
    assert "not look like" in run(app, "add", "eva@nowhere", "--role", "admin").output
    for command in ("revoke", "reset"):
        done = run(app, command, EVA)
        assert (done.exit_code, "Nobody here has this address" in done.output) == (1, True)
    assert "Only the demo" in run(app, "code").output
