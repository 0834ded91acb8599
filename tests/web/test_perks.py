"""Perks: open to whoever's membership opens them, to nobody else, and to nobody longer."""

import pytest
from sqlalchemy import func, select

from membership.db import db
from membership.domain import people, plans
from membership.domain.audit import Record, Tag
from tests import make
from tests.journeys.donor import control
from tests.journeys.joiner import days
from tests.journeys.member import Member
from tests.signed_in import as_member
from tests.web.visitor import text

PDF = b"%PDF-1.7 a report of the month"


@pytest.fixture
def newsroom(app, stripe, tmp_path):
    make.the_newsroom()
    report = tmp_path / "ანგარიში 2026.pdf"
    report.write_bytes(PDF)
    kept = plans.keep_file(report, make.settings().instance_path)
    make.perk("report", kind="file", file=kept)
    make.perk("room", kind="link", link="https://room.example.org/door")
    make.perk("mug", kind="code", codes=("MUG-1",))
    make.plan("friend", perks=("letters", "report", "room", "mug"))
    make.plan("patron", prices={"month": "15"}, perks=("letters", "talks"), position=2)
    db.session.commit()


def member(app, stripe, email="ana@example.org", **how):
    one = Member(app, stripe, email=email)
    one.joins(**how)
    as_member(one.ours, people.find_by_email(email))
    return one


@pytest.fixture
def ana(app, stripe, newsroom):
    return member(app, stripe)


@pytest.fixture
def stranger(client, newsroom):
    as_member(client, make.person("eve@example.org"))
    return client


def test_a_page_opens_for_its_members(ana):
    said = ana.opens("/account/perks/letters")
    assert "Body of letters." in said
    assert any(one.text == "letters" for one in ana.ours.page.iter("strong"))
    assert "Body of letters.-ka" in ana.opens("/ka/account/perks/letters")
    assert ana.ours.get("/account/perks/nothing").status_code == 404


@pytest.mark.parametrize("slug", ["letters", "report", "room", "mug"])
def test_others_see_what_it_is_and_what_opens_it(stranger, slug):
    answer = stranger.get(f"/account/perks/{slug}")
    assert answer.status_code == 403
    said = text(stranger)
    assert f"Teaser of {slug}." in said
    assert "Body" not in said
    assert "room.example.org" not in answer.text
    assert "Friend €5 every month" in said
    assert any(a.get("href") == "/join/friend" for a in stranger.page.iter("a"))
    assert stranger.get(f"/account/perks/{slug}/file").status_code in (403, 404)
    assert stranger.post(f"/account/perks/{slug}").status_code == 403
    assert db.session.scalar(select(func.count(Record.id)).where(Record.tag == Tag.PERK_TAKEN)) == 0


def test_a_member_of_another_plan_is_led_to_a_change(ana):
    assert ana.ours.get("/account/perks/talks").status_code == 403
    assert "Patron €15 every month" in text(ana.ours)
    reference = ana.membership.reference
    assert any(a.get("href") == f"/account/plan?membership={reference}" for a in ana.ours.page.iter("a"))


def test_nobody_opens_anything_without_signing_in(client, newsroom):
    for path in ("/account/perks/letters", "/account/perks/report/file"):
        assert client.get(path).location == f"/sign-in?next={path}"


def test_a_file_comes_under_its_own_name_and_is_kept_nowhere(ana):
    assert "ანგარიში 2026.pdf" in ana.opens("/account/perks/report")
    answer = ana.ours.get("/account/perks/report/file")
    assert answer.data == PDF
    assert answer.mimetype == "application/pdf"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    said = answer.headers["Content-Disposition"]
    assert said.startswith("attachment;")
    assert "filename*=UTF-8''%E1%83%90" in said
    assert ana.ours.get("/account/perks/letters/file").status_code == 404


def test_a_lost_file_is_said_and_not_a_crash(ana):
    perk = plans.get_perk("report")
    perk.file_digest = "0" * 64
    assert ana.ours.get("/account/perks/report/file").status_code == 503


def test_a_link_is_shown(ana):
    ana.opens("/account/perks/room")
    assert any(a.get("href") == "https://room.example.org/door" for a in ana.ours.page.iter("a"))


def test_one_code_for_each_member_and_a_kind_word_when_none_is_left(app, ana, stripe):
    assert "MUG-1" not in ana.opens("/account/perks/mug")
    assert "MUG-1" in ana.follows(ana.sends("/account/perks/mug"))
    assert "MUG-1" in ana.follows(ana.sends("/account/perks/mug"))  # pressed twice
    assert db.session.scalar(select(func.count(Record.id)).where(Record.tag == Tag.PERK_TAKEN)) == 1
    other = member(app, stripe, email="eve@example.org")
    assert "All codes are taken just now." in other.opens("/account/perks/mug")
    other.opens("/account/language")
    assert other.sends("/account/perks/mug").status_code == 409
    assert "MUG-1" not in text(other.ours)
    assert "All codes are taken" in text(other.ours)


def test_a_code_needs_a_press(ana):
    assert ana.ours.post("/account/perks/mug").status_code == 422
    assert "MUG-1" not in ana.opens("/account/perks/mug")
    assert plans.codes_left(plans.get_perk("mug")) == 1


def test_what_is_late_stays_open_for_the_days_of_grace_and_no_longer(ana, stripe):
    control(
        stripe, "card", subscription=ana.membership.stripe_subscription_id, card_number="4000000000000341"
    )
    days(stripe, 33)
    as_member(ana.ours, people.find_by_email(ana.email))
    assert ana.ours.get("/account/perks/letters").status_code == 200
    stripe.advance(days=14)
    assert ana.ours.get("/account/perks/letters").status_code == 403
    assert "your last payment did not go through" in text(ana.ours)
