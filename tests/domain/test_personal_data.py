"""What we hold about a person: all of it is exported, and all that names them is erased."""

import json
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import LargeBinary, event, func, select

from membership import clock, vault
from membership.db import Base, db, writing
from membership.domain import (
    corrections,
    donations,
    memberships,
    notes,
    outbox,
    payments,
    people,
    personal_data,
    plans,
    roles,
    signins,
    transfers,
)
from membership.domain.donations import Interval, Schedule
from membership.domain.memberships import Kind
from membership.domain.outbox import Email
from membership.domain.personal_data.holding import Verdict
from membership.errors import Conflict
from tests import make, signed_in
from tests.make import EUR
from tests.records import history_of


@pytest.fixture
def ana(app):
    return make.person()


@pytest.fixture
def tamar(app):
    return make.person("tamar@example.org", "Tamar")


@pytest.fixture
def full(ana, tamar):
    """Ana with one of everything."""
    now = clock.now()
    given = make.donation(booked=True, message="For Ana's sister")
    donations.note_reason(given, "Moved to Batumi")
    plan = make.plan()
    member = memberships.grant(
        ana, plan, kind=Kind.GIFT, until=now + timedelta(days=365), by=tamar, reason="", to="ana@example.org",
        name="Ana", settings=make.settings(), now=now,
    )  # fmt: skip
    plans.take_code(make.perk("voucher", kind="code", codes=("CODE-7",)), ana, now=now)
    notes.write(ana, "Rang about her card", by=tamar)
    notes.label(ana, "diaspora", by=tamar)
    signins.start(ana, kind=signins.SessionKind.MEMBER, device="Firefox, Linux")
    corrections.propose(
        ana, "nino@example.net", by=tamar, old_email="ana@example.org", settings=make.settings()
    )
    db.session.flush()
    member.status, member.ended_at = memberships.MembershipStatus.ENDED, now
    return ana


def test_every_column_that_points_to_a_person_or_is_sealed_has_its_fate():
    emptied = {
        f"{table.__tablename__}.{name}" for table, names in personal_data.EMPTIED.items() for name in names
    }
    gone = {f"{table.__tablename__}.{name}" for table, names in personal_data.GONE.items() for name in names}
    told = emptied | gone | set(personal_data.KEPT)
    columns = [column for table in Base.metadata.sorted_tables for column in table.columns]
    asked = {
        f"{column.table.name}.{column.name}"
        for column in columns
        if any(key.column.table.name == "people" for key in column.foreign_keys)
        or isinstance(column.type, LargeBinary)
        or column.name.endswith(("email_key", "recipient_key"))
    }
    assert asked - told == set()
    everything = {f"{column.table.name}.{column.name}" for column in columns}
    assert told - everything == set()


def test_an_export_says_all_of_it_and_none_of_our_keys(full):
    told = personal_data.export(full)
    text = json.dumps(told, ensure_ascii=False)
    said = (
        "ana@example.org",
        "Ana's sister",
        "Batumi",
        "CODE-7",
        "Rang about",
        "diaspora",
        "Firefox",
        "nino@example.net",
    )
    assert [one for one in said if one not in text] == []
    assert [len(told[part]) for part in ("gifts", "payments", "memberships", "notes", "sessions")] == [1] * 5
    assert {mail["template"] for mail in told["mails"]} >= {"donation-receipt", "email-correction"}
    assert full.email_key not in text
    assert "token" not in text


def test_an_export_opens_no_door(full):
    roles.take_secret(roles.grant(full, roles.Role.VIEWER, by=None), signed_in.SECRET)
    asked = signins.ask("ana@example.org", nonce="a browser's", locale="en")  # the worker has not sent it yet
    other = make.donation(email="ana@example.org", settled=True)
    text = json.dumps(personal_data.export(full))
    mine = memberships.memberships_of(full.id)[0]
    keys = (asked.token_hash, other.leave_token, mine.leave_token, signed_in.SECRET)
    for kept in (*vault.unlock(asked.locked).values(), *keys):
        assert kept == "ana@example.org" or kept not in text
    (told,) = personal_data.export(full)["sign_ins"]
    assert told == {
        "asked_at": asked.asked_at.isoformat(),
        "used_at": None,
        "expires_at": asked.expires_at.isoformat(),
    }


def test_erasing_leaves_money_and_no_name(full, tamar):
    key = full.email_key
    personal_data.erase(full, by=tamar, reason="asked by letter")
    told = personal_data.export(full)
    assert (told["person"]["email"], told["person"]["erased_at"] is not None) == (None, True)
    assert {fact.kind for fact in personal_data.history_of(full)[0]} == {
        "joined",
        "ended",
        "payment",
        "record",
    }
    kept = [part for part in told if told[part] and part not in ("person", "made_at", "records")]
    assert sorted(kept) == ["gifts", "memberships", "payments"]
    text = json.dumps(told)
    for said in ("sister", "Batumi", "CODE-7", "Rang", "diaspora", "Firefox", "nino", "ana@"):
        assert said not in text
    assert db.session.scalar(select(func.count()).select_from(Email).where(Email.recipient_key == key)) == 0
    assert all(mail.sealed is None for mail in db.session.query(Email) if mail.dead)
    last = history_of("person", full.reference)[-1]
    assert (last.tag, last.by_id, last.reason) == ("person.erased", tamar.id, "asked by letter")
    with pytest.raises(Conflict):
        personal_data.erase(full, by=tamar)


def test_nobody_is_erased_while_something_runs(ana, tamar):
    given = make.donation(interval=Interval.MONTH, settled=True)
    with pytest.raises(Conflict, match="gift"):
        personal_data.erase(ana, by=tamar)
    given.schedule = Schedule.ENDED
    refund = payments.ask_refund(payments.payments_of(given.id)[0], EUR("5"), by=tamar, needs_second=True)
    with pytest.raises(Conflict, match="refund"):
        personal_data.erase(ana, by=tamar)
    payments.withdraw_refund(refund, by=tamar)
    roles.grant(ana, roles.Role.VIEWER, by=None)
    with pytest.raises(Conflict, match="role"):
        personal_data.erase(ana, by=tamar)
    roles.revoke(ana, by=None)
    personal_data.erase(ana, by=tamar)
    assert ana.email_key is None


def test_nobody_is_erased_while_a_payment_page_may_be_open(ana, tamar):
    pledged, plan = make.donation(), make.plan()
    price = plans.prices_by_plan("EUR")[plan.id]["month"]
    join = memberships.Join("an attempt", plan, price, EUR("5"), "ana@example.org", "en")
    joined = memberships.join(join, settings=make.settings())
    for _ in range(2):
        with pytest.raises(Conflict, match="payment page"):
            personal_data.erase(ana, by=tamar)
        pledged.pledged_at -= timedelta(hours=1)
    personal_data.erase(ana, by=tamar, now=joined.joined_at + timedelta(hours=1))


def test_erasing_waits_for_whoever_follows_a_payment(real_database):
    """Both lock the membership first and its person last, so neither stands in the other's way."""
    ana, tamar = make.person(), make.person("tamar@example.org")
    held = memberships.grant(
        ana, make.plan(), kind=Kind.GIFT, until=clock.now() + timedelta(days=9), by=tamar, reason="",
        settings=make.settings(),
    )  # fmt: skip
    held.status, ids = memberships.MembershipStatus.ENDED, (ana.id, tamar.id, held.id)
    db.session.commit()
    is_locked = threading.Event()

    def follow():
        with writing():
            membership = memberships.lock_membership(ids[2])
            is_locked.set()
            time.sleep(0.3)  # until the other one waits as well
            people.gave(membership.person_id, people.Given.ONCE)
            db.session.commit()

    def erase():
        is_locked.wait(60)
        with writing():
            personal_data.erase(people.person_of(ids[0]), by=people.person_of(ids[1]))
            db.session.commit()

    assert real_database.together(follow, erase) == [None, None]
    db.session.expire_all()
    assert people.person_of(ids[0]).erased_at is not None


A_YEAR = timedelta(days=365)


def announced(email, now):
    told = {"attempt": email, "name": "", "amount": EUR("20"), "locale": "en", "settings": make.settings()}
    return transfers.announce(make.fundraiser(), email=email, now=now, **told)


def joined(email, now):
    plan = make.plan()
    price = plans.prices_by_plan("EUR")[plan.id]["month"]
    join = memberships.Join(email, plan, price, EUR("5"), email, "en")
    return memberships.join(join, settings=make.settings(), now=now)


def pledged(email, now):
    made = make.donation(email=email)
    made.pledged_at = now
    return made


@contextmanager
def before_people_are_read(app, heard):
    """`heard` is called with the id of everybody who is about to be read, and locked, by their row."""

    def hear(_connection, _cursor, statement, parameters, *_rest):
        if "FROM people" in statement and "WHERE people.id = " in statement:
            heard(next(iter(parameters.values() if isinstance(parameters, dict) else parameters)))

    engine = db._app_engines[app][None]
    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", hear)


@pytest.mark.parametrize(
    ("begin", "purge"),
    [
        (pledged, donations.purge_stale),
        (joined, memberships.purge_unpaid),
        (announced, transfers.purge_stale),
    ],
)
def test_those_of_whom_nothing_came_are_forgotten_in_the_order_of_their_ids(app, at, begin, purge):
    """Whoever is known longest came last: two that forget many at once would wait for each other."""
    now = at("2027-03-01 12:00")
    ids = [make.person(f"{name}@example.org").id for name in ("ana", "nino", "tamar")]
    for days, name in enumerate(("tamar", "nino", "ana", "nino")):
        begin(f"{name}@example.org", now - A_YEAR + timedelta(days=days))
    db.session.commit()
    asked = []
    with before_people_are_read(app, asked.append):
        assert purge() == len({"tamar", "nino", "ana"}) + (begin is pledged)
    assert list(dict.fromkeys(asked)) == ids
    assert all(people.person_of(one).erased_at == now for one in ids)


def test_erasing_waits_for_whoever_forgets_a_transfer(real_database):
    """Both lock the transfer first and its person last."""
    now = clock.now()
    transfer = announced("ana@example.org", now - A_YEAR)
    ids = (transfer.person_id, make.person("tamar@example.org").id, transfer.id)
    db.session.commit()
    is_held = threading.Event()

    def forget():
        mine = threading.get_ident()

        def wait(_person_id):
            if threading.get_ident() == mine:
                is_held.set()
                time.sleep(0.3)  # until the other one waits as well

        with before_people_are_read(real_database.app, wait), writing():
            transfers.purge_stale(now)
            db.session.commit()

    def erase():
        is_held.wait(60)
        with writing():
            personal_data.erase(people.person_of(ids[0]), by=people.person_of(ids[1]))
            db.session.commit()

    first, second = real_database.together(forget, erase)
    assert (first, str(second)) == (None, "This person has been erased already.")
    db.session.expire_all()
    assert db.session.get_one(transfers.Transfer, ids[2]).person_id is None


def test_nothing_is_written_about_somebody_who_was_erased_meanwhile(real_database):
    """Whoever read the person before finds out when it is their turn."""
    ids, plan_id = [make.person(f"{name}@example.org").id for name in ("ana", "tamar")], make.plan().id
    db.session.commit()
    is_erased, settings = threading.Event(), make.settings()

    def erase(ana, tamar):
        personal_data.erase(ana, by=tamar)
        is_erased.set()
        time.sleep(0.3)  # until the others have read the person and wait

    def grant(ana, tamar):
        memberships.grant(
            ana, plans.plan_of(plan_id), kind=Kind.GIFT, until=clock.now() + timedelta(days=9), by=tamar,
            reason="", to="ana@example.org", settings=settings,
        )  # fmt: skip

    def propose(ana, tamar):
        corrections.propose(ana, "a@example.net", by=tamar, old_email="ana@example.org", settings=settings)

    def done(act):
        if act is not erase:
            is_erased.wait(60)
        with writing():
            act(*[people.person_of(one) for one in ids])
            db.session.commit()

    first, *others = real_database.together(*[partial(done, act) for act in (erase, grant, propose)])
    assert first is None
    assert [str(one) for one in others] == ["This person has been erased."] * 2
    assert people.person_of(ids[0]).locked_contact is None
    assert db.session.scalar(select(func.count()).select_from(Email)) == 0


def test_a_history_is_one_line_by_time_in_pages(full):
    whole, more = personal_data.history_of(full, most=100)
    assert not more
    kinds = {fact.kind for fact in whole}
    assert kinds == {"joined", "ended", "payment", "mail", "note", "record"}
    seen, before = [], None
    while True:
        page, more = personal_data.history_of(full, before=before, most=3)
        seen += page
        if not more:
            break
        before = page[-1].at
    assert [(fact.kind, fact.at) for fact in seen] == [(fact.kind, fact.at) for fact in whole]


def test_equal_payments_are_told_apart(ana):
    monthly = make.donation(interval=Interval.MONTH, amount=EUR("10"))
    for number in (1, 2):
        make.payment(monthly, invoice_id=f"in_{number}")
    (group,) = personal_data.similar_ones(personal_data.payments_of(ana))
    assert (group.verdict, len(group.payments)) == (Verdict.PERIODS, 2)
    make.donation(settled=True, amount=EUR("10"))
    (group,) = personal_data.similar_ones(personal_data.payments_of(ana))
    assert group.verdict is Verdict.CLOSE
    group.payments[0].payment.paid_at -= timedelta(hours=5)
    (group,) = personal_data.similar_ones(personal_data.payments_of(ana))
    assert group.verdict is Verdict.DIFFERENT
    make.payment(monthly, invoice_id="in_2")
    (group,) = personal_data.similar_ones(personal_data.payments_of(ana))
    assert group.verdict is Verdict.TWICE


def test_a_server_without_the_key_exports_what_it_can_read(full):
    settings = make.settings()
    told = settings.vault_public_key, None, settings.email_key, settings.outbox_keys
    vault.configure(vault.Keys(*told))
    try:
        export = personal_data.export(full)
    finally:
        vault.configure(vault.Keys(told[0], settings.vault_private_key, *told[2:]))
    assert (export["person"]["email"], export["person"]["sealed"]) == (None, True)
    assert export["notes"][0]["text"] is None
    assert outbox.dead_ones() == []
