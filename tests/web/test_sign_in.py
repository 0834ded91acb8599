"""Signing in: a mailed link or code, for one browser, once; nothing tells who is known."""

import re

import pytest
from sqlalchemy import event, func, select

from membership import clock, mail
from membership.db import db
from membership.domain import people, signins
from membership.domain.audit import Record, Tag
from membership.domain.people import Person
from membership.domain.signins import Session, SignIn
from membership.web import brakes
from tests import make
from tests.signed_in import as_member
from tests.web.visitor import beside, text, title, tokens, value, wait

ANA = "ana@example.org"


@pytest.fixture(autouse=True)
def known(app):
    make.the_newsroom()
    return make.person(ANA)


@pytest.fixture
def other(app):
    """Another browser."""
    return app.test_client()


def ask(client, email=ANA, path="/sign-in"):
    client.get(path)
    return client.post(path, data={"csrf_token": client.field("csrf_token"), "email": email})


def worker():
    """One round of the worker, so far as signing in goes."""
    signins.dispatch(make.settings(), clock.now())
    db.session.commit()
    mail.deliver()


def mailed(mailbox):
    """(path of the link, code) of the newest mail."""
    worker()
    body = mailbox[-1].get_body(("plain",)).get_content()
    path = re.search(r"https?://[^/\s]+(/\S*sign-in/\S+)", body)[1]
    return path, re.search(r"\b[A-Z2-9]{4}-[A-Z2-9]{4}\b", body)[0]


def give_code(client, code, path="/sign-in"):
    client.get(path)
    return client.post(path, data={"csrf_token": client.field("csrf_token"), "code": code})


def press(client, path, **more):
    client.get(path)
    return client.post(path, data={"csrf_token": client.field("csrf_token"), **more})


def is_in(client) -> bool:
    """Whether the sign-in page leads on."""
    return client.get("/sign-in?again=yes").status_code == 303


def refused() -> int:
    return db.session.scalar(select(func.count()).where(Record.tag == Tag.SIGNIN_REFUSED))


def test_by_code(client, mailbox, known):
    client.get("/sign-in")
    assert "There is no password" in text(client)
    answer = ask(client)
    assert (answer.status_code, answer.location) == (303, "/sign-in")
    _link, code = mailed(mailbox)
    client.get("/sign-in")
    assert ANA not in text(client)
    assert "a…@e…e.org" in text(client)
    answer = give_code(client, f" {code.lower().replace('-', ' ')} ")
    assert (answer.status_code, answer.location) == (303, "/account")
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("member="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert is_in(client)
    assert db.session.scalar(select(Person.verified_at))
    assert db.session.scalar(select(Record.tag).where(Record.tag == Tag.SESSION_STARTED))


def test_by_link_in_the_same_browser(client, mailbox):
    ask(client)
    link, _code = mailed(mailbox)
    for _ in range(3):  # mail scanners look too
        assert client.get(link).status_code == 200
    assert not is_in(client)
    assert press(client, link).location == "/account"
    assert is_in(client)
    told = {"csrf_token": form_token(client)}
    assert client.post(link, data=told).status_code == 403  # pressed once more
    assert "let you in once" in text(client)


def test_in_another_browser_it_says_for_whom_and_asks(client, other, mailbox):
    ask(client)
    link, _code = mailed(mailbox)
    other.get(link)
    assert "asked for in another browser" in text(other)
    assert "a…@e…e.org" in text(other)
    told = {"csrf_token": other.field("csrf_token")}
    assert other.post(link, data=told).status_code == 422
    assert not is_in(other)
    assert press(other, link, confirmed="yes").status_code == 303
    assert is_in(other)
    assert not is_in(client)
    assert give_code(client, "AAAA-AAAA").status_code == 403  # used


def test_a_code_works_only_where_it_was_asked_for(client, other, mailbox):
    ask(client)
    _link, code = mailed(mailbox)
    ask(other, "stranger@example.org")
    assert give_code(other, code).status_code == 422
    assert not is_in(other)


def test_five_wrong_codes_and_the_right_one_too_late(client, mailbox):
    ask(client)
    link, code = mailed(mailbox)
    wrong = "AAAA-AAAA" if code != "AAAA-AAAA" else "BBBB-BBBB"
    for number in range(5):
        assert give_code(client, wrong).status_code == 422, number
        assert beside(client, "code")
        assert value(client, "code") == wrong
    assert refused() == 1
    assert give_code(client, code).status_code == 403
    assert not is_in(client)
    details = db.session.scalar(select(Record).where(Record.tag == Tag.SIGNIN_REFUSED))
    assert (details.subject_type, details.subject_id) == ("person", people.find_by_email(ANA).reference)
    assert "@" not in f"{details.subject_id}{details.details}{details.reason}"
    assert press(client, link).status_code == 303  # the link still works, as the page says


def test_links_end_after_ten_minutes_and_with_a_newer_one(client, mailbox):
    ask(client)
    first, _code = mailed(mailbox)
    ask(client, path="/sign-in?again=yes")
    second, _code = mailed(mailbox)
    assert client.get(first).status_code == 403
    assert "only the newest" in text(client)
    assert client.get("/sign-in/made-up").status_code == 404
    assert "There is no such link" in text(client)
    wait(601)
    assert client.get(second).status_code == 403
    assert press_without_look(client, second).status_code == 403
    client.get("/sign-in")
    assert value(client, "email") == ""  # the code page is over too


def press_without_look(client, path):
    client.get("/sign-in?again=yes")
    return client.post(path, data={"csrf_token": client.field("csrf_token"), "confirmed": "yes"})


def test_known_and_unknown_addresses_are_answered_alike(app, mailbox):
    seen = []
    for email in (ANA, "bea@example.org"):
        client, statements = app.test_client(), []
        client.get("/sign-in")
        told = {"csrf_token": client.field("csrf_token"), "email": email}

        def note(_connection, _cursor, statement, *_rest, kept=statements):
            kept.append(statement.split(" sa_savepoint")[0])

        event.listen(db.engine, "before_cursor_execute", note)
        answer = client.post("/sign-in", data=told)
        event.remove(db.engine, "before_cursor_execute", note)
        client.get("/sign-in")
        page = text(client).replace("b…@", "a…@")
        wrong = give_code(client, "AAAA-AAAA").status_code
        seen.append((answer.status_code, answer.location, page, statements, wrong))
    assert seen[0][:3] == seen[1][:3]
    assert seen[0][3:] == seen[1][3:]
    assert len(seen[0][3]) > 3
    worker()
    assert [message["To"] for message in mailbox] == [ANA]


def test_the_worker_mails_in_its_next_round(app, client, stripe, mailbox):
    ask(client)
    assert app.test_cli_runner().invoke(args=["work", "--once"]).exit_code == 0
    assert [message["To"] for message in mailbox] == [ANA]


def test_the_worker_forgets_what_it_mailed(client):
    ask(client)
    row = db.session.scalars(select(SignIn)).one()
    signins.dispatch(make.settings(), clock.now())
    kept = signins.links.vault.unlock(row.locked)
    assert kept == {"masked": "a…@e…e.org"}
    assert signins.dispatch(make.settings(), clock.now()) == 0


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/a\tb", "evil"],
)
def test_never_led_to_another_place(client, mailbox, wanted):
    client.get("/sign-in")
    token = client.field("csrf_token")
    told = {"next": wanted}
    client.post("/sign-in", query_string=told, data={"csrf_token": token, "email": ANA})
    link, _code = mailed(mailbox)
    client.get(link)
    answer = client.post(link, query_string=told, data={"csrf_token": client.field("csrf_token")})
    assert answer.location == "/account"


def test_led_on_to_where_they_wanted_in_their_language(client, other, mailbox):
    ask(client, path="/ka/sign-in?next=/ka/account/receipts%3Fyear%3D2026")
    link, _code = mailed(mailbox)
    assert link.startswith("/ka/sign-in/")
    assert press(other, link, confirmed="yes").location == "/ka/account/receipts?year=2026"


def test_a_planted_cookie_is_worth_nothing_afterwards(client, other, mailbox):
    """Session fixation: what stood in the browser before signing in is not what lets anybody in."""
    client.set_cookie("member", "planted", domain="127.0.0.1")
    ask(client)
    planted_form = client.get_cookie("session", domain="127.0.0.1").value
    _link, code = mailed(mailbox)
    give_code(client, code)
    other.set_cookie("member", "planted", domain="127.0.0.1")
    other.set_cookie("session", planted_form, domain="127.0.0.1")
    assert not is_in(other)
    first = client.get_cookie("member", domain="127.0.0.1").value
    ask(client.application.test_client())
    assert first not in {
        row.token_hash for row in db.session.scalars(select(Session))
    }  # only hashes rest here


def test_signing_in_again_ends_the_session_before(client, mailbox):
    ask(client)
    link, _code = mailed(mailbox)
    press(client, link)
    stolen = client.get_cookie("member", domain="127.0.0.1").value
    told = {"csrf_token": form_token(client), "email": ANA}
    client.post("/sign-in", data=told)
    link, _code = mailed(mailbox)
    press(client, link)
    assert client.get_cookie("member", domain="127.0.0.1").value != stolen
    client.set_cookie("member", stolen, domain="127.0.0.1")
    assert not is_in(client)


def form_token(client) -> str:
    """A CSRF token of this browser from a page that anybody may open."""
    client.get("/leave")
    return client.field("csrf_token")


def test_a_stolen_cookie_dies_with_signing_out(app, client, other, known):
    as_member(client, known)
    stolen = client.get_cookie("member", domain="127.0.0.1").value
    other.set_cookie("member", stolen, domain="127.0.0.1")
    assert is_in(other)
    assert client.post("/sign-out").status_code == 422  # not from our own page
    told = {"csrf_token": client.field("csrf_token")}
    assert is_in(client)
    answer = client.post("/sign-out", data=told)
    assert answer.location == "/sign-in?out=here"
    assert not is_in(other)


def test_out_everywhere(app, client, other, known):
    as_member(client, known)
    as_member(other, known)
    client.get("/account/sessions")
    (form,) = (one for one in client.page.iter("form") if one.find("input[@name='everywhere']") is not None)
    told = {one.get("name"): one.get("value") for one in form.iter("input")}
    assert client.post(form.get("action"), data=told).location == "/sign-in?out=everywhere"
    assert not is_in(client)
    assert not is_in(other)


def test_asking_very_often(client, monkeypatch):
    for _ in range(brakes.PER_EMAIL_MAILED):
        assert ask(client, path="/sign-in?again=yes").status_code == 303
    assert ask(client, path="/sign-in?again=yes").status_code == 429
    assert value(client, "email") == ANA
    assert title(client).startswith("Error:")


def test_one_machine_that_never_stops_keeps_no_owner_out(app, other, monkeypatch):
    monkeypatch.setattr(brakes, "PER_EMAIL", brakes.PER_EMAIL_MAILED + 1)
    monkeypatch.setattr(brakes, "IN_ALL", brakes.PER_EMAIL_MAILED + 1)
    answers = [ask(app.test_client()).status_code for _ in range(brakes.PER_EMAIL_MAILED + 3)]
    assert answers == [303] * brakes.PER_EMAIL_MAILED + [429] * 3
    other.environ_base["REMOTE_ADDR"] = "203.0.113.9"
    assert ask(other).status_code == 303


def test_what_is_no_address_and_what_was_not_pressed(client):
    assert ask(client, "nobody").status_code == 422
    assert beside(client, "email")
    told = tokens(client, "/sign-in") | {"email": ANA, "csrf_token": "made-up"}
    assert client.post("/sign-in", data=told).status_code == 422
    assert value(client, "email") == ANA
    assert db.session.scalar(select(func.count()).select_from(SignIn)) == 0


def test_somebody_erased_is_out(client, known):
    as_member(client, known)
    known.email_key, known.erased_at = None, clock.now()
    assert not is_in(client)


def test_the_doors_keep_to_themselves(client):
    answer = client.get("/sign-in")
    assert answer.headers["Cache-Control"] == "no-store"
    page = client.get("/")
    assert "Set-Cookie" not in page.headers
    assert "Cookie" not in page.headers.get("Vary", "")
