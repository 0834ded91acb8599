"""Sign-ins and sessions as rules: used once whoever comes, only while the address is theirs, forgotten in time."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from membership import clock, vault
from membership.db import db, writing
from membership.domain import outbox, people, roles, signins
from membership.domain.outbox import Email
from membership.domain.roles import Role
from membership.domain.signins import Session, SessionKind, SignIn
from membership.errors import DomainError, Invalid, NotAllowed, NotFound
from tests import make
from tests.signed_in import code, staff

ANA = "ana@example.org"


def asked(email=ANA, nonce="a browser"):
    """(row, token, code) of somebody who asked and was mailed."""
    row = signins.ask(email, nonce=nonce, locale="en")
    told = vault.unlock(row.locked)
    signins.dispatch(make.settings(), clock.now())
    return row, told["token"], told["code"]


def rows(table) -> int:
    return db.session.scalar(select(func.count()).select_from(table))


def test_of_those_who_come_at_the_same_moment_one_gets_in(real_database):
    make.person()
    _row, token, letters = asked()
    db.session.commit()

    def by_link():
        with writing():
            signins.consume_link(token, nonce="a browser", confirmed=False)
            db.session.commit()

    def by_code():
        with writing():
            signins.try_code("a browser", letters)
            db.session.commit()

    answers = real_database.together(by_link, by_code, by_link)
    assert [type(answer) for answer in answers if answer] == [NotAllowed, NotAllowed]


def test_of_two_who_show_the_same_factor_one_gets_in(real_database):
    person_id = staff(Role.TREASURER).id
    db.session.commit()
    typed = code()

    def show():
        with writing():
            person = people.person_of(person_id)
            roles.check_code(person, typed, now=clock.now(), at=clock.outside())
            db.session.commit()

    answers = real_database.together(show, show)
    assert [type(answer) for answer in answers if answer] == [Invalid]


def test_a_link_is_for_whom_the_address_belongs_to(app):
    person = make.person()
    _row, token, _letters = asked()
    person.email_key = vault.email_key("corrected@example.org")
    with pytest.raises(NotAllowed):
        signins.consume_link(token, nonce="a browser", confirmed=True)


def test_nobody_can_use_what_an_unknown_address_asked_for(app):
    row, token, letters = asked("stranger@example.org")
    assert rows(Email) == 0
    with pytest.raises(NotFound):
        signins.find_link(token)
    with pytest.raises(Invalid):
        signins.try_code("a browser", letters)
    assert row.person_id is None


def test_a_mail_that_came_back_is_not_written_again(app):
    make.person()
    outbox.bounced(vault.email_key(ANA), "5.1.1")
    asked()
    assert rows(Email) == 1
    assert outbox.claim(clock.now(), "mine") is None


def test_a_row_that_nobody_can_open_holds_up_nobody(app):
    make.person()
    signins.ask("stranger@example.org", nonce="x", locale="en").locked = b"locked with a key that is gone"
    asked()
    assert rows(Email) == 1
    assert not signins.is_waiting()


def test_nothing_readable_rests_here(app):
    make.person()
    row, token, letters = asked()
    _session, cookie = signins.start(make.person(), kind=SessionKind.MEMBER)
    kept = " ".join(str(getattr(one, c.key)) for one in (row, _session) for c in type(one).__table__.columns)
    assert not any(secret in kept for secret in (token, letters, cookie, ANA, "a browser"))


def test_what_is_over_is_forgotten_after_a_day(app, at):
    start = at("2026-03-01 10:00")
    person = make.person()
    asked()
    signins.start(person, kind=SessionKind.MEMBER)
    signins.end(signins.start(person, kind=SessionKind.MEMBER)[0])
    at(start + timedelta(days=2))
    assert signins.sweep() == 2
    assert (rows(SignIn), rows(Session)) == (0, 1)


def test_a_new_row_with_an_old_number_is_mailed_too(app, at):
    """SQLite gives a number again once the rows are gone; the mail must go out all the same."""
    start = at("2026-03-01 10:00")
    make.person()
    asked()
    at(start + timedelta(days=2))
    signins.sweep()
    asked()
    assert rows(Email) == 2


def test_roles_given_twice_and_taken_from_nobody(app):
    person = make.person()
    first = roles.grant(person, Role.VIEWER, by=None)
    assert roles.grant(person, Role.VIEWER, by=None).granted_at == first.granted_at
    roles.revoke(person, by=None)
    for verb in (roles.revoke, roles.reset):
        with pytest.raises(DomainError):
            verb(person, by=None)
    assert roles.staff() == []
