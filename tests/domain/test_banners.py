"""Drives: which one runs, and a count that never shows one person."""

from datetime import UTC, date, datetime, timedelta

import pytest

from membership.db import db
from membership.domain import banners, memberships
from tests import make

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
TEXTS = {"en": {"title": "Fifty members", "story": "For one more reporter."}}


def drive(slug="spring", begins_on=date(2026, 3, 1), ends_on=date(2026, 3, 31), goal=50):
    return banners.describe(slug, goal=goal, begins_on=begins_on, ends_on=ends_on, texts=TEXTS)


def test_the_drive_that_began_last_is_the_current_one(app):
    drive("long", date(2026, 1, 1), date(2026, 12, 31))
    drive()
    days = {day: banners.current(datetime(2026, *day, tzinfo=UTC)) for day in ((3, 1), (3, 31), (4, 1))}
    assert {day: found.slug for day, found in days.items()} == {
        (3, 1): "spring",
        (3, 31): "spring",
        (4, 1): "long",
    }
    assert banners.current(datetime(2027, 1, 1, tzinfo=UTC)) is None
    banners.forget_others(["spring"])
    assert banners.current(datetime(2026, 4, 1, tzinfo=UTC)) is None


@pytest.mark.settings(TIMEZONE="Asia/Tbilisi")
def test_a_drive_begins_and_ends_with_the_newsrooms_day(app):
    spring = drive()
    hours = [(2, 28, 19), (2, 28, 20), (3, 31, 19), (3, 31, 20)]
    moments = [datetime(2026, *hour, tzinfo=UTC) for hour in hours]
    assert [spring.is_running(moment) for moment in moments] == [False, True, True, False]
    assert [spring.days_left(moment) for moment in moments[1:]] == [30, 0, 0]


def test_said_again_a_drive_keeps_its_count(app):
    drive().shown_members = 30
    assert (drive(goal=60).shown_members, drive(goal=60).percent) == (30, 50)


@pytest.mark.parametrize(
    ("shown", "members", "then"),
    [
        (None, 9, 0),
        (None, 10, 10),
        (10, 19, 10),
        (10, 20, 20),
        (20, 19, 20),  # one who leaves is not seen
        (20, 11, 20),
        (20, 10, 10),  # ten who left are
        (20, 3, 0),
        (0, 0, 0),
    ],
)
def test_the_count_moves_by_ten_people(app, monkeypatch, shown, members, then):
    made = drive()
    made.shown_members = shown
    monkeypatch.setattr(banners, "count_members", lambda: members)
    assert banners.count(NOON) == 1
    assert made.shown_members == then


def test_it_is_counted_once_a_day_and_only_while_it_runs(app, monkeypatch):
    made, over = drive(), drive("winter", date(2026, 1, 1), date(2026, 2, 1))
    monkeypatch.setattr(banners, "count_members", lambda: 25)
    counts = [banners.count(NOON + timedelta(hours=hours)) for hours in (0, 1, 23, 24)]
    assert counts == [1, 0, 0, 1]
    assert (made.shown_members, over.shown_members) == (20, None)


def test_whoever_has_a_membership_that_goes_on_counts_once(app):
    plan = make.plan()
    grant = {
        "kind": memberships.Kind.COMPLIMENTARY,
        "until": NOON + timedelta(days=900),
        "by": None,
        "reason": ".",
    }
    for email in ("ana@example.org", "ana@example.org", "bea@example.org", "cira@example.org"):
        made = memberships.grant(make.person(email), plan, **grant, settings=make.settings(), now=NOON)
    assert banners.count_members() == 3
    made.status = memberships.MembershipStatus.ENDED
    db.session.flush()
    assert banners.count_members() == 2
