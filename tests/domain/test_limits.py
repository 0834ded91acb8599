"""Tries are counted across processes, and who tried is forgotten."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from membership.db import db, writing
from membership.domain import limits
from membership.domain.limits import Count

in_app = pytest.mark.usefixtures("app")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def hit(key="203.0.113.7", *, now=NOON, kind="sign-in", most=3, per=HOUR):
    return limits.hit(kind, key, most=most, per=per, now=now)


@in_app
def test_so_many_and_no_more():
    assert [hit() for _ in range(5)] == [True, True, True, False, False]
    assert db.session.scalars(select(Count.count)).all() == [5]


@in_app
def test_each_kind_key_and_window_counts_for_itself(at):
    assert [hit(most=1) for _ in range(2)] == [True, False]
    assert hit("203.0.113.8", most=1)
    assert hit(kind="give", most=1)
    assert not hit(now=NOON + timedelta(minutes=59), most=1)
    assert hit(now=NOON + HOUR, most=1)
    at(NOON + 2 * HOUR)
    assert limits.hit("sign-in", "203.0.113.7", most=1, per=HOUR)


@in_app
def test_asking_counts_nothing():
    ask = {"most": 2, "per": HOUR, "now": NOON}
    answers = []
    for _ in range(3):
        answers += [
            limits.allowed("sign-in", "a", **ask),
            limits.allowed("sign-in", "a", **ask),
            hit("a", most=2),
        ]
    assert answers == [True, True, True, True, True, True, False, False, False]


@in_app
@pytest.mark.parametrize("later", [timedelta(0), timedelta(seconds=1), HOUR])
def test_once_is_once_on_both_sides_of_a_windows_edge(later):
    edge = NOON - timedelta(seconds=1)
    first, again = (limits.once("press", "a", per=HOUR, now=edge + step) for step in (timedelta(0), later))
    assert (first, again) == (True, False)
    limits.sweep(edge + later)
    assert not limits.once("press", "a", per=HOUR, now=edge + later)
    assert limits.once("press", "b", per=HOUR, now=edge + later)


def test_once_reaches_half_a_day_at_the_longest():
    with pytest.raises(ValueError, match="half a day"):
        limits.once("press", "a", per=timedelta(hours=13), now=NOON)


@in_app
def test_keys_are_hashed_under_a_daily_key(monkeypatch):
    for day in range(3):
        hit("nino@example.org", now=NOON + day * DAY)
    rows = db.session.scalars(select(Count)).all()
    assert len({row.key_hash for row in rows}) == 3
    assert all(len(row.key_hash) == 64 and "nino" not in row.key_hash for row in rows)
    before = {row.key_hash for row in rows}
    monkeypatch.setattr(limits._Secret, "value", b"another secret")
    assert hit("nino@example.org", most=1)
    assert not before.issuperset(db.session.scalars(select(Count.key_hash)).all())


@in_app
def test_after_a_day_nothing_is_left():
    hit("a")
    hit("b", now=NOON + HOUR)
    assert limits.sweep(NOON + DAY) == 0
    assert limits.sweep(NOON + DAY + timedelta(seconds=1)) == 1
    assert limits.sweep(NOON + 3 * DAY) == 1
    assert db.session.scalars(select(Count)).all() == []


@pytest.mark.parametrize("per", [timedelta(0), -HOUR, timedelta(days=2)])
def test_windows_are_a_day_at_the_longest(per, monkeypatch):
    monkeypatch.setattr(limits._Secret, "value", b"a secret")
    with pytest.raises(ValueError, match="a day at the longest"):
        hit(per=per)


def test_without_a_secret_nothing_is_counted(monkeypatch):
    monkeypatch.setattr(limits._Secret, "value", None)
    with pytest.raises(RuntimeError, match="no secret"):
        hit()


def test_tries_at_the_same_moment_are_all_counted(real_database):
    def work():
        with writing():
            answer = hit(most=4)
            db.session.commit()
            return answer

    answers = real_database.together(*[work] * 8)
    assert sorted(answers) == [False] * 4 + [True] * 4
