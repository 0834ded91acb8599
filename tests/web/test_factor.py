"""The door of the desk: a role, a second factor, a session of its own, and what each role may do."""

import re
from datetime import timedelta

import pyotp
import pytest
from flask import request
from sqlalchemy import func, select
from wtforms import Form

from membership import clock, vault
from membership.db import db
from membership.domain import roles, signins
from membership.domain.audit import Record, Tag
from membership.domain.roles import ABILITIES, Ability, Role
from membership.domain.signins import SessionKind
from membership.web.forms.fields import TextField
from membership.web.staff import access
from tests import make
from tests.signed_in import as_member, as_staff, code, forget_confirmation, staff
from tests.web.test_sign_in import form_token
from tests.web.visitor import beside, text, wait

DESK = "/staff/factor?next=/staff/payments"


@pytest.fixture(autouse=True)
def newsroom(app):
    make.the_newsroom()


def show_code(client, typed, path=DESK):
    client.get(path)
    return client.post(path, data={"csrf_token": form_token(client), "code": typed})


def cookie(client, name="staff"):
    found = client.get_cookie(name, domain="127.0.0.1")
    return found.value if found else None


def noted(tag) -> int:
    return db.session.scalar(select(func.count()).where(Record.tag == tag))


def desk_opens(client) -> bool:
    """Whether the factor page leads on to the desk."""
    return client.get(DESK).location == "/staff/payments"


def test_a_code_opens_the_desk_with_a_session_of_its_own(client):
    person = as_member(client, staff(Role.SUPPORT))
    client.get(DESK)
    assert "code from your authenticator app" in text(client)
    answer = show_code(client, f"{code()[:3]} {code()[3:]}")
    assert (answer.status_code, answer.location) == (303, "/staff/payments")
    assert cookie(client) not in (None, cookie(client, "member"))
    assert "Max-Age" not in next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("staff="))
    assert {one.kind for one in signins.sessions_of(person)} == {SessionKind.MEMBER, SessionKind.STAFF}
    assert desk_opens(client)


def test_a_code_is_taken_once(app, client):
    as_member(client, staff())
    other = app.test_client()
    as_member(other, staff())
    typed = code()
    assert show_code(client, typed).status_code == 303
    assert show_code(other, typed).status_code == 422
    assert beside(other, "code")
    assert show_code(other, code(-1)).status_code == 422  # nor an older one
    assert show_code(other, code(+1)).status_code == 303


def test_five_wrong_codes_close_the_door_for_a_while(client):
    as_member(client, staff())
    for _ in range(5):
        assert show_code(client, "000000").status_code == 422
    assert noted(Tag.SIGNIN_REFUSED) == 1
    assert show_code(client, code()).status_code == 403
    wait(15 * 60)
    assert show_code(client, code()).status_code == 303


def test_without_role_factor_or_sign_in(app, client):
    assert client.get(DESK).location == "/sign-in?next=/staff/factor?next%3D/staff/payments"
    as_member(client, make.person())
    assert client.get(DESK).status_code == 403
    assert show_code(client, code()).status_code == 403
    assert noted(Tag.ACCESS_REFUSED) == 3
    for _ in range(9):
        client.get(DESK)
    assert noted(Tag.ACCESS_REFUSED) == 5  # curiosity does not fill the log
    other = app.test_client()
    new = make.person("new@example.org")
    roles.grant(new, Role.VIEWER, by=None)
    as_member(other, new)
    assert other.get(DESK).status_code == 403
    assert "not set up yet" in text(other)


@pytest.mark.parametrize(
    "end", ["revoked", "other role", "reset", "signed out", "an hour away", "half a day", "erased"]
)
def test_the_desk_closes(client, end):
    person = as_staff(client)
    assert desk_opens(client)
    stolen = cookie(client)
    wait(1)
    if end == "revoked":
        roles.revoke(person, by=None)
    elif end == "other role":
        roles.grant(person, Role.VIEWER, by=None)
    elif end == "reset":
        roles.reset(person, by=None)
    elif end == "signed out":
        client.post("/sign-out", data={"csrf_token": form_token(client)})
    elif end == "an hour away":
        wait(3601)
    elif end == "erased":
        person.erased_at = clock.now()
    else:
        wait(timedelta(hours=13).total_seconds())
    client.set_cookie("staff", stolen, domain="127.0.0.1")
    assert not desk_opens(client)


def test_setting_up_a_second_factor(app, client, mailbox):
    person = make.person("new@highland-dispatch.example")
    token = roles.invite(roles.grant(person, Role.TREASURER, by=None))
    link = f"/staff/enrol/{token}"
    answer = client.get(link)
    assert answer.location == "/sign-in?next=/staff/enrol"  # the secret of the link does not travel
    as_member(client, person)
    assert client.get("/staff/enrol").location == link
    page = client.get(link)
    assert "<svg" in page.text
    assert "style=" not in re.search(r"<svg.*?</svg>", page.text, re.DOTALL)[0]
    secret = roles.secret_of(token)
    assert secret.replace(" ", "") in page.text.replace(" ", "")
    assert show_code(client, "000000", link).status_code == 422
    assert show_code(client, pyotp.TOTP(secret).now(), link).status_code == 200
    codes = re.findall(r"[A-Z2-9]{4}-[A-Z2-9]{4}-[A-Z2-9]{4}", text(client))
    assert len(codes) == roles.RECOVERY_CODES
    assert desk_opens(client)
    assert client.get(link).status_code == 404  # used
    kept = roles.find_staff(person.id)
    assert not any(one in str(kept.recovery_hashes) for one in codes)
    assert vault.unlock(kept.locked_secret) == {"secret": secret}
    other = app.test_client()
    as_member(other, person)
    assert show_code(other, codes[0].lower().replace("-", " ")).status_code == 303
    third = app.test_client()
    as_member(third, person)
    assert show_code(third, codes[0]).status_code == 422  # spent
    assert len(roles.find_staff(person.id).recovery_hashes) == roles.RECOVERY_CODES - 1
    other.get("/staff/payments")
    assert "9 recovery codes are left." in text(other)
    other.get("/account/sessions")
    assert "9 recovery codes for the desk are left." in text(other)
    (spent,) = db.session.scalars(select(Record).where(Record.tag == Tag.FACTOR_RECOVERED))
    assert (spent.subject_id, spent.by_id, spent.details) == (person.reference, person.id, {"left": 9})


def test_an_enrolment_link_is_for_one_person_and_three_days(client):
    token = roles.invite(roles.grant(make.person("new@example.org"), Role.ADMIN, by=None))
    as_member(client, make.person())
    assert client.get(f"/staff/enrol/{token}").status_code == 404
    assert client.post(f"/staff/enrol/{token}").status_code == 404
    wait(timedelta(days=4).total_seconds())
    assert roles.find_invited(token, now=clock.now()) is None


class Grave(Form):
    code = TextField(most=40)


@pytest.fixture
def desk(real_database):
    """An app with two pages of its own at the desk, and a browser in front of it."""
    app = real_database.app

    def refund():
        form = Grave(request.form)
        said = ("done", 200) if access.confirm(form) else ("; ".join(form.code.errors), 422)
        return *said, {"Content-Type": "text/plain"}

    refunding = access.allowed(Ability.REFUND)(refund)
    app.add_url_rule("/staff/-refund", "staff.-refund", refunding, methods=["GET", "POST"])
    app.add_url_rule("/staff/-open", "staff.-open", lambda: "open to nobody")
    make.the_newsroom()
    return app.test_client()


def test_each_role_does_what_is_written_for_it(desk):
    for role in Role:
        as_staff(desk, role)
        allowed = Ability.REFUND in ABILITIES[role]
        assert (desk.get("/staff/-refund").status_code == 200) is allowed, role
        assert desk.get("/staff/-open").status_code == 403  # a page that names no ability
    assert noted(Tag.ACCESS_REFUSED) == sum(Ability.REFUND not in ABILITIES[role] for role in Role)


def test_the_way_to_a_page_of_the_desk(desk):
    assert desk.get("/staff/-refund?a=1").location == "/sign-in?next=/staff/-refund?a%3D1"
    person = as_member(desk, staff(Role.TREASURER))
    assert desk.get("/staff/-refund").location == "/staff/factor?next=/staff/-refund"
    desk.set_cookie(
        "staff", cookie(desk, "member"), domain="127.0.0.1"
    )  # a member's token is none for the desk
    assert desk.get("/staff/-refund").status_code == 303
    roles.revoke(person, by=None)
    db.session.commit()
    assert desk.get("/staff/-refund").status_code == 403


def test_grave_actions_ask_for_the_factor_again(desk):
    person = as_staff(desk)
    assert desk.post("/staff/-refund").text == "done"  # it was shown at the door a moment ago
    forget_confirmation(desk, person)
    assert desk.post("/staff/-refund").status_code == 422
    assert desk.post("/staff/-refund", data={"code": "000000"}).status_code == 422
    typed = code()
    assert desk.post("/staff/-refund", data={"code": typed}).text == "done"
    assert noted(Tag.SESSION_CONFIRMED) == 1
    assert desk.post("/staff/-refund").text == "done"
    wait(601)
    assert desk.post("/staff/-refund", data={"code": typed}).status_code == 422


def test_a_form_that_was_open_for_too_long_asks_for_a_code_and_counts_none(desk):
    as_staff(desk)
    wait(601)
    for _ in range(roles.MOST_WRONG + 1):
        answer = desk.post("/staff/-refund")  # it was drawn before, without a field for the code
        assert answer.status_code == 422
        assert "ten minutes" in answer.text
    assert desk.post("/staff/-refund", data={"code": code()}).text == "done"
    assert noted(Tag.SIGNIN_REFUSED) == 0


def test_being_seen_keeps_the_desk_open_until_the_day_is_over(desk):
    as_staff(desk)
    for _ in range(14):
        assert desk.get("/staff/-refund").status_code in (200, 422)
        wait(50 * 60)
    wait(30 * 60)
    assert desk.get("/staff/-refund").location == "/staff/factor?next=/staff/-refund"


def test_every_page_of_the_desk_names_its_ability(app):
    behind = {name for name, guard in app.extensions["pressfund.guards"].items() if guard.needs == "staff"}
    pages = [rule.endpoint for rule in app.url_map.iter_rules() if rule.endpoint.split(".")[0] in behind]
    assert [page for page in pages if not hasattr(app.view_functions[page], "ability")] == []


def test_the_abilities_as_they_are_written_down():
    assert ABILITIES[Role.ADMIN] == set(Ability)
    assert (
        ABILITIES[Role.AUDITOR]
        & {Ability.WRITE, Ability.GRANT, Ability.REFUND, Ability.EXPORT, Ability.EVENTS}
        == set()
    )
    assert all(Ability.SEE in ABILITIES[role] for role in Role)
    assert {role for role in Role if Ability.ROLES in ABILITIES[role]} == {Role.ADMIN}
