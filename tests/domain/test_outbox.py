"""One mail per fact, held by one worker at a time, forgotten once sent."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from membership import vault
from membership.db import db, writing
from membership.domain import outbox
from membership.domain.outbox import Email
from membership.errors import Conflict, NotFound

in_app = pytest.mark.usefixtures("app")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def queue(key="receipt:ch_1", **changes):
    facts = {
        "template": "donation-receipt",
        "to": "nino@example.org",
        "locale": "ka",
        "context": {"name": "ნინო"},
    }
    return outbox.queue(key=key, **facts | {"now": NOON} | changes)


def stored(key="receipt:ch_1"):
    return db.session.get(Email, key)


@in_app
def test_a_mail_is_queued_once():
    assert queue()
    assert not queue(to="other@example.org")
    assert vault.unlock(stored().sealed) == {"to": "nino@example.org", "context": {"name": "ნინო"}}
    assert db.session.scalar(select(func.count()).select_from(Email)) == 1
    assert not queue("receipt:ch_2", to="")


@in_app
def test_nothing_in_the_clear_names_a_person():
    queue()
    row = db.session.execute(select(Email.__table__)).one()
    assert not any("nino" in str(value) or "ნინო" in str(value) for value in row)


@in_app
def test_a_claimed_mail_is_sent_and_forgotten(at):
    queue()
    email = outbox.claim(NOON, "mine")
    assert (email.template, email.locale, email.attempts, email.lease_token) == (
        "donation-receipt",
        "ka",
        1,
        "mine",
    )
    assert outbox.claim(NOON + MINUTE, "other") is None
    moment = at(NOON + MINUTE)
    assert outbox.sent(email, token="mine")
    assert (stored().sent_at, stored().sealed, stored().lease_token) == (moment, None, None)
    assert outbox.claim(NOON + timedelta(days=9), "mine") is None
    assert not queue()
    assert not outbox.sent(email, token="mine")


@in_app
def test_the_longest_waiting_goes_first_and_none_before_its_time():
    queue("b", now=NOON)
    queue("a", now=NOON - MINUTE)
    queue("later", not_before=NOON + 5 * MINUTE)
    assert [outbox.claim(NOON, "mine").dedupe_key for _ in range(2)] == ["a", "b"]
    assert outbox.claim(NOON, "mine") is None
    later = NOON + 5 * MINUTE
    assert [outbox.claim(later, "mine").dedupe_key for _ in range(3)] == ["a", "b", "later"]


@in_app
def test_an_expired_lease_passes_on_and_the_late_worker_changes_nothing():
    queue()
    outbox.claim(NOON, "slow")
    email = outbox.claim(NOON + 4 * MINUTE, "quick")
    assert email.attempts == 2
    assert not outbox.sent("receipt:ch_1", token="slow")
    assert not outbox.failed("receipt:ch_1", "SMTPServerDisconnected", token="slow")
    assert stored().lease_token == "quick"
    assert outbox.sent("receipt:ch_1", token="quick", now=NOON)


@in_app
def test_a_failing_mail_is_tried_ever_later_and_then_given_up():
    queue()
    now, waits = NOON, []
    while (email := outbox.claim(now, "mine")) is not None:
        assert outbox.failed(email, "SMTPDataError 451", token="mine", now=now)
        waits.append((stored().not_before - now) // MINUTE)
        now = stored().not_before
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]
    assert (stored().dead, stored().attempts, stored().last_error) == (True, 12, "SMTPDataError 451")
    assert outbox.dead_ones() == [stored()]


@in_app
def test_what_failed_for_good_is_not_tried_again():
    queue()
    assert outbox.failed(outbox.claim(NOON, "mine"), "x" * 999, token="mine", for_good=True, now=NOON)
    assert stored().dead
    assert len(stored().last_error) == 200
    assert outbox.claim(NOON + timedelta(days=1), "mine") is None


@in_app
def test_a_mail_that_kills_its_workers_is_given_up_too():
    queue()
    now, tries = NOON, 0
    while outbox.claim(now, "mine") is not None:
        now, tries = now + 4 * MINUTE, tries + 1
    assert tries == 12
    assert stored().dead


@in_app
def test_staff_may_queue_a_dead_mail_again(at):
    queue()
    outbox.failed(outbox.claim(NOON, "mine"), "SMTPDataError 550", token="mine", for_good=True, now=NOON)
    at(NOON + MINUTE)
    outbox.requeue("receipt:ch_1")
    email = outbox.claim(NOON + MINUTE, "mine")
    assert email.attempts == 1
    outbox.sent(email, token="mine")
    with pytest.raises(Conflict, match="was sent"):
        outbox.requeue("receipt:ch_1")
    with pytest.raises(NotFound):
        outbox.requeue("receipt:ch_9")


@in_app
def test_what_a_dead_mail_held_is_forgotten_after_a_month():
    queue()
    outbox.failed(outbox.claim(NOON, "mine"), "SMTPDataError 550", token="mine", for_good=True, now=NOON)
    assert outbox.sweep(NOON + timedelta(days=29)) == 0
    assert outbox.sweep(NOON + timedelta(days=31)) == 1
    assert stored().sealed is None


def test_the_message_id_comes_from_the_key_alone():
    one = outbox.message_id("receipt:ch_1", "newsroom.example")
    assert one == outbox.message_id(Email(dedupe_key="receipt:ch_1"), "newsroom.example")
    assert one != outbox.message_id("receipt:ch_2", "newsroom.example")
    assert one.startswith("<")
    assert one.endswith("@newsroom.example>")


def test_workers_side_by_side_take_different_mails(real_database):
    for n in range(4):
        queue(f"receipt:ch_{n}")
    db.session.commit()

    def work(token):
        with writing():
            email = outbox.claim(NOON, token)
            key = email and email.dedupe_key
            db.session.commit()
            return key

    calls = [lambda token=token: work(token) for token in "abcdef"]
    taken = real_database.together(*calls)
    assert sorted(key for key in taken if key) == [f"receipt:ch_{n}" for n in range(4)]


def test_the_same_fact_told_at_the_same_moment_is_one_mail(real_database):
    def work():
        with writing():
            made = queue()
            db.session.commit()
            return made

    assert sorted(real_database.together(*[work] * 4)) == [False, False, False, True]


@in_app
def test_a_mail_that_was_queued_again_is_one_mail_however_often_that_is_pressed():
    queue()
    outbox.failed(outbox.claim(NOON, "mine"), "SMTPDataError 550", token="mine", for_good=True, now=NOON)
    outbox.requeue("receipt:ch_1", now=NOON)
    assert outbox.claim(NOON, "mine") is not None
    assert outbox.requeue("receipt:ch_1", now=NOON) is stored()
    assert outbox.claim(NOON, "another") is None, "whoever holds it is sending it"
    assert outbox.sent("receipt:ch_1", token="mine")


@in_app
def test_nothing_is_written_to_an_address_that_mail_came_back_from():
    key = vault.email_key("Nino@Example.org")
    queue("receipt:1", now=NOON - MINUTE)
    assert outbox.bounced(key, "5.1.1", NOON)
    assert not outbox.bounced(key, "5.2.1", NOON + MINUTE)
    assert queue("receipt:2", to=" NINO@example.ORG ", now=NOON - MINUTE), "the same work for every address"
    assert queue("receipt:3", to="ana@example.org")
    assert outbox.claim(NOON, "mine").dedupe_key == "receipt:3"
    assert outbox.claim(NOON, "mine") is None
    for one in (stored("receipt:1"), stored("receipt:2")):
        assert (one.dead, one.sealed, one.last_error) == (True, None, "bounced")
    assert outbox.dead_ones() == [], "staff read it beside the person"
    outbox.forget_bounce(key)
    queue("receipt:4")
    assert outbox.claim(NOON, "mine").dedupe_key == "receipt:4"


@in_app
def test_a_dead_mail_is_not_queued_again_while_its_address_takes_none():
    queue()
    outbox.failed(outbox.claim(NOON, "mine"), "SMTPDataError 550", token="mine", for_good=True, now=NOON)
    outbox.bounced(vault.email_key("nino@example.org"), "5.1.1", NOON)
    with pytest.raises(Conflict, match="Correct the address first"):
        outbox.requeue("receipt:ch_1")
    outbox.follow_address(stored().recipient_key, vault.email_key("n@example.org"), to="n@example.org")
    assert not outbox.requeue("receipt:ch_1").dead


@in_app
def test_a_mail_is_found_by_its_message_id():
    queue("receipt:0")
    queue("receipt:1")
    found = outbox.find_by_message_id(outbox.message_id("receipt:1", "example.org"))
    assert found is stored("receipt:1")
    assert outbox.find_by_message_id("<somebody-elses@example.org>") is None
    assert outbox.find_by_message_id(f"<{'0' * 40}@example.org>") is None


@in_app
def test_what_is_no_address_is_queued_for_nobody_in_particular():
    assert queue(to="ana@example.org\nBcc: other@example.org")
    assert stored().recipient_key is None
