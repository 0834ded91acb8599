"""Fundraisers: what the public sees of a sum moves in batches that isolate nobody."""

from datetime import UTC, date, datetime, timedelta

import pytest

from membership import clock
from membership.db import db
from membership.domain import donations, fundraisers, outlets
from membership.errors import NotFound
from tests import make
from tests.make import EUR


@pytest.fixture
def fundraiser(app, at):
    at("2026-03-01 10:00")
    return make.fundraiser(weights=(3, 2))


def gifts(fundraiser, number, *, people=None, minor=2000, start=0):
    for place in range(number):
        person = make.person(f"p{start + place % (people or number)}@example.org")
        fundraisers.move(
            fundraiser.id,
            source=f"gift-{start}-{place}",
            amount_minor=minor,
            person_id=person.id,
            is_gift=True,
            at=clock.now(),
        )
    db.session.expire_all()


def shown(fundraiser):
    return fundraisers.progress(fundraiser).raised


def test_nothing_is_shown_before_ten_gifts_of_ten_people_and_a_day(fundraiser, at):
    gifts(fundraiser, 9)
    at("2026-03-03 10:00")
    assert fundraisers.publish_due() == []
    assert shown(fundraiser) is None
    gifts(fundraiser, 1, start=100, minor=100_000)
    assert len(fundraisers.publish_due()) == 1
    assert shown(fundraiser) == EUR("1000")


def test_ten_gifts_of_nine_people_are_not_enough(fundraiser, at):
    gifts(fundraiser, 12, people=9)
    at("2026-03-09 10:00")
    assert fundraisers.publish_due() == []


def test_ten_gifts_within_a_day_wait(fundraiser, at):
    gifts(fundraiser, 30)
    at("2026-03-02 09:59")
    assert fundraisers.publish_due() == []
    at("2026-03-02 10:01")
    assert len(fundraisers.publish_due()) == 1


def test_the_next_batch_needs_as_much_again(fundraiser, at):
    gifts(fundraiser, 10, minor=1_000_000)
    at("2026-03-03 10:00")
    first = fundraisers.publish_due()[0]
    gifts(fundraiser, 9, start=50, minor=1_000_000)
    at("2026-03-20 10:00")
    assert fundraisers.publish_due() == []
    assert shown(fundraiser).minor == 10_000_000
    gifts(fundraiser, 1, start=90, minor=1_000_000)
    at("2026-03-22 10:00")
    second = fundraisers.publish_due()[0]
    assert (second.raised_minor - first.raised_minor, second.gifts) == (10_000_000, 20)


def test_refunds_move_with_a_batch_and_never_alone(fundraiser, at):
    gifts(fundraiser, 10, minor=1_000_000)
    at("2026-03-03 10:00")
    fundraisers.publish_due()
    fundraisers.move(
        fundraiser.id, source="refund", amount_minor=-5_000_000, person_id=None, is_gift=False, at=clock.now()
    )
    at("2026-03-30 10:00")
    assert fundraisers.publish_due() == []
    assert shown(fundraiser).minor == 10_000_000
    assert fundraisers.totals_off() == []


def test_a_movement_counts_once(fundraiser):
    gifts(fundraiser, 3)
    gifts(fundraiser, 3)
    assert fundraiser.raised_minor == 6000


def test_what_is_shown_is_rounded_down(fundraiser, at):
    gifts(fundraiser, 10, minor=123_457)
    at("2026-03-03 10:00")
    fundraisers.publish_due()
    assert shown(fundraiser).minor == 1_200_000
    assert fundraisers.progress(fundraiser).percent == 16


def test_a_wrong_total_is_found(fundraiser):
    gifts(fundraiser, 3)
    fundraiser.raised_minor += 1
    db.session.flush()
    assert len(fundraisers.totals_off()) == 1


def test_a_lone_hidden_outlet_takes_another_in(app):
    row = make.fundraiser(partners=4, weights=(4, 3, 2, 1))
    outlets.find_outlet("outlet-0").appears = outlets.Appears.NOTHING
    db.session.flush()
    rows = fundraisers.shares_shown(row)
    assert [one.others for one in rows] == [0, 0, 2]
    assert sum(one.percent for one in rows) == 100
    assert rows[-1].percent == 50


def test_drafts_are_not_there(app):
    make.fundraiser("draft", status="draft")
    with pytest.raises(NotFound):
        fundraisers.get_fundraiser("draft")
    assert fundraisers.current() is None


def test_the_newest_open_one_is_current(app):
    first = make.fundraiser("first")
    second = make.fundraiser("second")
    assert fundraisers.current() is second
    second.closes_on = (clock.now() - timedelta(days=2)).date()
    db.session.flush()
    assert fundraisers.current() is first


@pytest.mark.settings(TIMEZONE="Asia/Tbilisi")
def test_a_fundraiser_opens_and_closes_with_the_newsrooms_day(app, at):
    at("2026-03-10")
    row = make.fundraiser(closes_on=date(2026, 3, 31), ends_running=True)
    row.opens_on = date(2026, 3, 1)
    gift = make.donation(row, interval=donations.Interval.MONTH)
    gift.schedule = donations.Schedule.RUNNING
    db.session.flush()
    before, first = datetime(2026, 2, 28, 19, 59, tzinfo=UTC), datetime(2026, 2, 28, 20, tzinfo=UTC)
    last, after = datetime(2026, 3, 31, 19, 59, tzinfo=UTC), datetime(2026, 3, 31, 20, tzinfo=UTC)
    assert [row.is_open(moment) for moment in (before, first, last, after)] == [False, True, True, False]
    assert [fundraisers.progress(row, moment).days_left for moment in (first, last)] == [30, 0]
    assert [donations.running_past_end(moment) for moment in (last, after)] == [[], [gift]]
    db.session.add(
        fundraisers.Publication(fundraiser_id=row.id, published_at=after, raised_minor=5_000_00, gifts=10)
    )
    assert fundraisers.progress(row, after).as_of == date(2026, 4, 1)


def test_words_fall_back_to_the_first_language(fundraiser):
    assert fundraiser.words("ka").locale == "ka"
    assert fundraiser.words("hy").locale == "en"
