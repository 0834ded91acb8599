"""Memberships by themselves: who is told where they stand, and whom nothing is given to any more."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from membership import clock
from membership.db import db, writing
from membership.domain import memberships, people
from membership.domain.memberships import Kind, Membership, MembershipStatus
from membership.domain.payments.fetched import Standing as Fetched
from membership.domain.payments.first import Status
from tests import make
from tests.records import history_of

UNTIL_THE_OTHER_WAITS = 0.3


@pytest.fixture
def pair(real_database) -> tuple[int, int]:
    """Ana's two memberships."""
    ana, tamar, plan = make.person(), make.person("tamar@example.org"), make.plan()
    until = clock.now() + timedelta(days=30)
    given = [
        memberships.grant(
            ana, plan, kind=Kind.GIFT, until=until, by=tamar, reason="", settings=make.settings()
        )
        for _ in range(2)
    ]
    ids = (given[0].id, given[1].id)
    db.session.commit()
    return ids


def ended(number: int) -> Fetched:
    return Fetched(
        subscription_id=f"sub_{number}", customer_id=None, status="canceled", period_end=None, is_paused=False,
        resumes_at=None, ended_at=None, failed=False, to=None, name=None,
    )  # fmt: skip


def follow(membership_id: int) -> memberships.Membership:
    membership = memberships.lock_membership(membership_id)
    memberships.follow(membership, ended(membership_id), settings=make.settings(), now=clock.now())
    return membership


def test_what_is_late_or_rests_hides_no_other_subscription_that_is_overdue(app):
    now, plan = clock.now(), make.plan()

    def row(number: int, status: MembershipStatus, overdue: timedelta, **more: object) -> dict[str, object]:
        names = dict.fromkeys(("reference", "attempt", "leave_token", "stripe_subscription_id"), f"{number}")
        told = {"content": "", "plan_id": plan.id, "kind": Kind.PAID, "asked": Status.SETTLED, "locale": "en"}
        return {**names, **told, "joined_at": now, "status": status, "paid_until": now - overdue, **more}

    late = [row(number, MembershipStatus.PAST_DUE, timedelta(days=20)) for number in range(600)]
    month, ago = timedelta(days=30), timedelta(days=9)
    others = [
        row(1001, MembershipStatus.PAUSED, ago, resumes_at=now + month),
        row(1002, MembershipStatus.PAUSED, ago, resumes_at=now - timedelta(days=2)),
        row(1003, MembershipStatus.PAUSED, ago, resumes_at=None),
        row(1004, MembershipStatus.ACTIVE, ago, resumes_at=None),
    ]
    for rows in (late, others):
        db.session.execute(insert(Membership), rows)
    found = memberships.overdue_subscriptions(now - timedelta(days=1))
    assert (len(found), set(found[600:])) == (603, {"1002", "1003", "1004"})


def test_two_that_end_at_once_leave_nobody_a_member(real_database, pair):
    is_told = threading.Event()

    def one():
        with writing():
            follow(pair[0])
            is_told.set()
            time.sleep(UNTIL_THE_OTHER_WAITS)
            db.session.commit()

    def other():
        is_told.wait(60)
        with writing():
            follow(pair[1])
            db.session.commit()

    assert real_database.together(one, other) == [None, None]
    db.session.expire_all()
    ana = people.find_by_email("ana@example.org")
    assert ana.standing is people.Standing.ENDED


def test_two_that_end_at_once_do_not_wait_for_each_other(real_database, pair):
    """The first looks whether the second one is still one too many, while a worker has it in hand."""
    with writing():
        memberships.membership_of(pair[1]).doubled_at = clock.now()
        db.session.commit()
    is_held = threading.Event()

    def holder():
        with writing():
            memberships.lock_membership(pair[1])
            is_held.set()
            time.sleep(UNTIL_THE_OTHER_WAITS)
            follow(pair[1])
            db.session.commit()

    def one():
        is_held.wait(60)
        with writing():
            follow(pair[0])
            db.session.commit()

    assert real_database.together(holder, one) == [None, None]
    db.session.expire_all()
    assert [memberships.membership_of(one).status for one in pair] == [MembershipStatus.ENDED] * 2


@pytest.mark.settings(TIMEZONE="Asia/Tbilisi")
def test_the_log_has_the_days_of_the_newsroom(app):
    """A membership given until the last moment of a day there ends on the day before by UTC."""
    ana, tamar = make.person(), make.person("tamar@example.org")
    told = {"by": tamar, "reason": "", "settings": make.settings()}
    night = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)  # the first of April in Tbilisi
    now = night - timedelta(days=9)
    given = memberships.grant(ana, make.plan(), kind=Kind.GIFT, until=night, now=now, **told)
    memberships.extend(given, days=1, now=now, **told)
    (granted,) = history_of("person", ana.reference)
    (extended,) = history_of("membership", given.reference)
    assert (granted.details["until"], extended.details["until"]) == ("2026-04-01", "2026-04-02")
