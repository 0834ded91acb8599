"""Plans, prices and perks: said again they change nothing, and what was sold stays."""

import threading
import time
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from membership import clock
from membership.db import db, writing
from membership.domain import plans
from membership.domain.people import Person
from membership.domain.plans import Perk, PerkCode, Price
from membership.errors import Conflict, NotFound
from tests import make
from tests.records import history_of


def count(table):
    return db.session.scalar(select(func.count()).select_from(table))


def test_a_plan_said_again_is_the_same_plan(app):
    plan = make.plan("reader", prices={"month": "5", "year": "50"}, perks=("letters",))
    said_at, later = plan.described_at, clock.now() + timedelta(days=1)
    again = make.plan("reader", prices={"month": "5", "year": "50"}, perks=("letters",), now=later)
    assert (again.id, again.described_at) == (plan.id, said_at)
    assert (
        make.plan("reader", prices={"month": "5", "year": "50"}, name="Friend", now=later).described_at
        == later
    )
    assert again.words("ka").name == "Friend-ka"
    assert again.words("hy").locale == "en"


def test_prices_stand_by_month_before_by_year_and_one_that_vanished_is_closed_not_lost(app):
    plan = make.plan("reader", prices={"year": "50", "month": "5"})
    by_month, sold = plans.prices_of(plan, "EUR")
    assert (by_month.interval, sold.interval) == ("month", "year")
    make.plan("reader", prices={"month": "6"})
    (by_month,) = plans.prices_by_plan("EUR")[plan.id].values()
    assert (by_month.interval, by_month.amount, by_month.a_year) == ("month", make.EUR("6"), make.EUR("72"))
    assert sold.a_year == make.EUR("50")
    assert (db.session.get(Price, sold.id).amount, count(Price)) == (make.EUR("50"), 2)
    make.plan("reader", prices={"month": "6", "year": "60"})
    assert plans.prices_by_plan("EUR")[plan.id]["year"].id == sold.id


def test_a_plan_nobody_names_any_more_is_closed_with_its_perks(app):
    make.plan("patron", position=2, perks=("letters",))
    make.plan("reader", position=1)
    assert [p.slug for p in plans.open_plans()] == ["reader", "patron"]
    plans.close_others(["reader"])
    assert [p.slug for p in plans.open_plans()] == ["reader"]
    assert [p.slug for p in plans.all_plans()] == ["reader", "patron"]
    assert [p.slug for p in plans.perks_of(plans.get_plan("patron").id)] == ["letters"]


def test_perks_are_told_by_plan_and_plans_by_perk(app):
    small, large = (
        make.plan("reader", perks=("letters",)),
        make.plan("patron", perks=("letters", "visit"), position=2),
    )
    told = {plan: [perk.slug for perk in perks] for plan, perks in plans.perks_by_plan().items()}
    assert told == {small.id: ["letters"], large.id: ["letters", "visit"]}
    assert [p.slug for p in plans.plans_with(plans.get_perk("letters"))] == ["reader", "patron"]
    make.plan("patron", perks=("visit",), position=2)
    assert [p.slug for p in plans.plans_with(plans.get_perk("letters"))] == ["reader"]


def test_what_is_not_there_is_refused(app):
    for missing in (
        lambda: plans.get_plan("none"),
        lambda: plans.get_perk("none"),
        lambda: plans.describe_plan(
            "other", status="open", position=1, texts={"en": {}}, prices={}, perks=["none"]
        ),
        lambda: plans.file_path(make.perk("letters"), make.settings().instance_path),
    ):
        with pytest.raises(NotFound):
            missing()


def test_a_file_is_kept_under_its_digest_once(app, tmp_path):
    (tmp_path / "map.pdf").write_bytes(b"%PDF-1.4 a map")
    kept = plans.keep_file(tmp_path / "map.pdf", tmp_path / "instance")
    assert plans.keep_file(tmp_path / "map.pdf", tmp_path / "instance") == kept
    assert (kept.name, kept.type, kept.size) == ("map.pdf", "application/pdf", 14)
    perk = make.perk("map", kind="file", file=kept)
    assert plans.file_path(perk, tmp_path / "instance").read_bytes() == b"%PDF-1.4 a map"
    assert [p.name for p in (tmp_path / "instance" / "perks").iterdir()] == [kept.digest]
    with pytest.raises(NotFound):
        plans.file_path(perk, tmp_path / "elsewhere")


# Codes


def test_one_code_for_each_member_until_none_is_left(app):
    perk = make.perk("ticket", kind="code", codes=("A-1", "A-2"))
    ana, bea, cira = (make.person(f"{name}@example.org") for name in ("ana", "bea", "cira"))
    assert plans.find_code(perk, ana) is None
    first = plans.take_code(perk, ana)
    assert plans.take_code(perk, ana) == plans.find_code(perk, ana) == first
    assert {first, plans.take_code(perk, bea)} == {"A-1", "A-2"}
    assert plans.codes_left(perk) == 0
    with pytest.raises(Conflict, match="All codes are taken"):
        plans.take_code(perk, cira)
    taken = history_of("perk", "ticket")
    assert [(r.tag, r.by_id) for r in taken] == [("perk.taken", ana.id), ("perk.taken", bea.id)]
    assert first not in repr([(r.details, r.reason) for r in taken])


def test_codes_are_kept_locked_and_restocked_without_touching_what_was_taken(app):
    perk, ana = make.perk("ticket", kind="code", codes=("evening-1", "evening-2")), make.person()
    mine = plans.take_code(perk, ana)
    assert all(b"evening" not in row.locked_code for row in db.session.scalars(select(PerkCode)))
    plans.stock(perk, ("B-1", "B-2", "B-3"))
    plans.stock(perk, ("B-1", "B-2", "B-3"))
    assert (plans.take_code(perk, ana), plans.codes_left(perk), count(PerkCode)) == (mine, 3, 4)


def test_a_code_whose_owner_is_forgotten_is_given_to_nobody_else(app):
    perk, ana = make.perk("ticket", kind="code", codes=("A-1",)), make.person()
    plans.take_code(perk, ana)
    plans.forget_codes(ana)
    db.session.expire_all()
    assert plans.find_code(perk, ana) is None
    with pytest.raises(Conflict):
        plans.take_code(perk, make.person("bea@example.org"))


def test_a_code_that_is_taken_while_the_perk_is_restocked_stays_its_takers(real_database):
    perk, ana = make.perk("ticket", kind="code", codes=("A-1",)), make.person()
    ids = perk.id, ana.id
    db.session.commit()
    is_taken = threading.Event()

    def take():
        with writing():
            code = plans.take_code(db.session.get_one(Perk, ids[0]), db.session.get_one(Person, ids[1]))
            is_taken.set()
            time.sleep(0.3)  # until the other one wants to delete it
            db.session.commit()
        return code

    def restock():
        is_taken.wait(60)
        with writing():
            plans.stock(db.session.get_one(Perk, ids[0]), ("B-1",))
            db.session.commit()

    assert real_database.together(take, restock) == ["A-1", None]
    db.session.expire_all()
    assert plans.find_code(perk, ana) == "A-1"


def test_two_at_once_never_get_the_same_code(real_database):
    perk = make.perk("ticket", kind="code", codes=("A-1", "A-2"))
    ids = [make.person(f"{name}@example.org").id for name in ("ana", "bea")]
    db.session.commit()

    def take(person_id):
        def press():
            with writing():
                code = plans.take_code(plans.get_perk("ticket"), db.session.get_one(Person, person_id))
                db.session.commit()
            return code

        return press

    mine, again, other = real_database.together(take(ids[0]), take(ids[0]), take(ids[1]))
    assert mine == again
    assert {mine, other} == {"A-1", "A-2"}
    assert plans.codes_left(perk) == 0
