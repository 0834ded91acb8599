"""Lists, searches and figures of the desk: every page of a filter, nobody twice, nobody left out."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from membership import clock, vault
from membership.db import db
from membership.domain import audit, memberships, people, plans, reports
from membership.domain.audit import Tag
from membership.domain.memberships import Kind, MembershipStatus
from membership.domain.payments import RefundStatus, ask_refund
from membership.domain.people import Given, Person, Standing
from membership.domain.reports.paging import Place
from membership.domain.reports.payments import PaymentFilter, State
from membership.domain.reports.people import Filter
from membership.domain.roles import ABILITIES, Ability, Role
from membership.vault import Keys, NoPrivateKey
from tests import make

SINCE = datetime(2025, 1, 1, tzinfo=UTC)


def plan(slug="reader"):
    return plans.describe_plan(
        slug,
        status="open",
        position=1,
        texts={"en": {"name": slug.title(), "summary": ".", "story": "."}},
        prices={("month", "EUR"): make.EUR("5")},
        perks=[],
    )


def crowd(number, plan_ids):
    """People of every sort, in no order."""
    for n in range(number):
        one = make.person(f"reader{n}@example.org", f"Reader {n}")
        one.standing = list(Standing)[n % 5]
        one.plan_id = plan_ids[n % len(plan_ids)] if one.standing is not Standing.NONE else None
        one.kind = ("paid", "gift")[n % 2] if one.plan_id else None
        one.member_since = SINCE + timedelta(days=n * 37 % 11) if one.plan_id else None
        one.given = list(Given)[n % 3]
        one.locale = ("en", "ka")[n % 2]
        one.bounced_at = SINCE if n % 7 == 0 else None
    db.session.flush()


def fits(one, asked):
    return (
        (not asked.standings or one.standing in asked.standings)
        and asked.plan_id in (None, one.plan_id)
        and asked.kind in (None, one.kind)
        and asked.given in (None, one.given)
        and asked.locale in (None, one.locale)
        and (not asked.bounced or one.bounced_at is not None)
        and (asked.joined_from is None or (one.member_since or SINCE.replace(year=1)) >= asked.joined_from)
        and (
            asked.joined_before is None
            or (one.member_since is not None and one.member_since < asked.joined_before)
        )
    )


def walk(page_of, size):
    """All pages forth, and all pages back: both are the same rows."""
    forth, pages, place = [], [], Place()
    while True:
        page = page_of(place, size)
        forth += page.rows
        pages.append(page)
        if page.older is None:
            break
        assert len(page.rows) == size
        place = Place(below=page.older)
    back = list(pages[-1].rows)
    newer = pages[-1].newer
    while newer:
        page = page_of(Place(above=newer), size)
        back = page.rows + back
        newer = page.newer
    assert pages[0].newer is None
    assert back == forth
    return forth


days = st.none() | st.integers(0, 12).map(lambda n: SINCE + timedelta(days=n))


def test_every_page_of_every_filter(app):
    ids = [plan().id, plan("patron").id]
    crowd(41, ids)
    everybody = db.session.scalars(select(Person).order_by(Person.id.desc())).all()
    filters = st.builds(
        Filter,
        standings=st.lists(st.sampled_from(list(Standing)), unique=True, max_size=3).map(tuple),
        plan_id=st.none() | st.sampled_from(ids),
        kind=st.sampled_from([None, "paid", "gift"]),
        joined_from=days,
        joined_before=days,
        given=st.none() | st.sampled_from(list(Given)),
        locale=st.sampled_from([None, "en"]),
        bounced=st.booleans(),
    )

    @settings(max_examples=60)
    @given(filters, st.integers(1, 9))
    def holds(asked, size):
        wanted = [one for one in everybody if fits(one, asked)]
        if asked.by_joining:
            wanted.sort(key=lambda one: (one.member_since, one.id), reverse=True)
        shown = walk(lambda place, most: reports.people.page_of(asked, place, size=most), size)
        assert [row.who.id for row in shown] == [one.id for one in wanted]
        assert [row for batch in reports.people.batches(asked, size=size) for row in batch] == shown
        assert reports.people.count(asked) == len(wanted)

    holds()


def test_an_odd_place_is_the_top(app):
    crowd(3, [plan().id])
    first = reports.people.page_of(Filter())
    for odd in ("x", "1.2", "-1", "²", "9" * 30, "9" * 18, "%00"):
        assert reports.people.page_of(Filter(), Place(below=odd)) == first
        assert reports.people.page_of(Filter(joined_from=SINCE), Place(above=odd)).newer is None


def test_what_stands_beside_a_person(app):
    given_ = make.donation(booked=True)
    paid = reports.payments.page_of(PaymentFilter()).rows[0]
    assert (paid.amount, paid.fee, paid.settled) == (make.EUR("20"), make.EUR("0.55"), make.EUR("20"))
    assert paid.who.name == "Ana"
    payment = db.session.scalars(select(reports.payments.Payment)).one()
    payment.person_id = given_.person_id
    ask_refund(payment, make.EUR("5")).status = RefundStatus.SUCCEEDED
    ask_refund(payment, make.EUR("1")).status = RefundStatus.FAILED
    db.session.flush()
    row = reports.people.page_of(Filter()).rows[0]
    assert row.beside.paid == [make.EUR("15")]
    assert row.beside.last_paid_at == payment.paid_at
    states = {state: len(reports.payments.page_of(PaymentFilter(state=state)).rows) for state in State}
    assert states == {**dict.fromkeys(State, 0), State.REFUNDED: 1}


def test_the_membership_that_lives_is_shown_before_an_ended_one(app):
    person, tier, by = make.person(), plan(), make.person("staff@example.org")
    held, other = (
        memberships.grant(
            person,
            tier,
            kind=Kind.COMPLIMENTARY,
            until=clock.now() + timedelta(days=days),
            by=by,
            reason="thanks",
            settings=make.settings(),
        )
        for days in (30, 9)
    )
    other.status = MembershipStatus.ENDED
    db.session.flush()
    shown = reports.people.page_of(Filter(plan_id=tier.id)).rows[0].beside.membership
    assert (shown.status, shown.paid_until) == (MembershipStatus.ACTIVE, held.paid_until)


def test_codes_are_read_as_people_say_them():
    seen = {reports.code_of(n) for n in range(1, 5000)}
    assert len(seen) == 4999
    assert not any(letter in code[2:] for code in seen for letter in "01OI")
    code = reports.code_of(1234)
    for said in (code, code.lower(), code[2:], f" {code} ", code.replace("-", "")):
        assert reports.id_of(said) == 1234
    for odd in ("P-00000O", "P-1", "", "Nino", "P-ABCDEFG"):
        assert reports.id_of(odd) is None


def test_names_are_searched_step_by_step(app):
    for n, name in enumerate(("Leyla Məmmədova", "ნინო ბერიძე", "José Ñandú", "Leyla Kaya", "")):
        make.person(f"p{n}@example.org", name)
    search = reports.names.search
    first = search("leyla", step=3)
    assert [one.name for one in first.found] == ["Leyla Kaya"]
    second = search("leyla", below=first.next, step=3)
    assert [one.name for one in second.found] == ["Leyla Məmmədova"]
    assert (first.looked, second.looked, second.next) == (3, 2, None)
    assert [one.name for one in search("JOSE nandu").found] == ["José Ñandú"]
    assert [one.name for one in search("ბერ").found] == ["ნინო ბერიძე"]
    assert [one.name for one in search("p4@").found] == [""]
    assert search("  ").found == []


def test_without_the_private_key_names_stay_sealed(app):
    make.person()
    told = make.settings()
    vault.configure(Keys(told.vault_public_key, None, told.email_key, told.outbox_keys))
    try:
        assert reports.people.page_of(Filter()).rows[0].who.name is None
        with pytest.raises(NoPrivateKey):
            reports.names.search("ana")
    finally:
        vault.configure(Keys(told.vault_public_key, told.vault_private_key, told.email_key, told.outbox_keys))


def test_somebody_is_found_by_whatever_staff_have_in_hand(app):
    given_ = make.donation(settled=True)
    payment = db.session.scalars(select(reports.payments.Payment)).one()
    person = people.find_by_email("ana@example.org")
    payment.stripe_invoice_id, given_.stripe_subscription_id = "in_1", "sub_1"
    db.session.flush()
    refund = ask_refund(payment, make.EUR("5"))
    refund.stripe_refund_id = "re_1"
    db.session.flush()
    finding = reports.finding
    in_hand = (
        payment.stripe_charge_id,
        payment.stripe_payment_intent_id,
        "in_1",
        "sub_1",
        "re_1",
        given_.stripe_customer_id,
    )
    for one in in_hand:
        assert finding.by_stripe_id(one).person == person.reference, one
    for one in (person.reference, given_.reference, payment.reference, refund.reference):
        assert finding.by_reference(one).person == person.reference
    assert finding.by_email("ANA@example.org ").person == person.reference
    assert finding.by_code(reports.code_of(person.id)).person == person.reference
    assert finding.by_stripe_id("ch_nothing") is None
    assert finding.by_reference("") is None
    payment.person_id, given_.person_id = None, None
    db.session.flush()
    nobody = finding.by_stripe_id(payment.stripe_charge_id)
    assert (nobody.person, nobody.payment) == (None, payment.reference)


def test_the_log_is_read_by_tag_and_by_person(app):
    ana, ben = make.person(), make.person("ben@example.org", "Ben")
    for n in range(5):
        audit.record(
            Tag.PERSON_NOTED, subject_type="person", subject_id=ana.reference, by=ben if n % 2 else None
        )
        audit.record(Tag.PEOPLE_SEARCHED, subject_type="people", subject_id="name", by=ana)
    of = reports.records.page_of
    assert len(walk(lambda place, size: of(place=place, size=size), 3)) == len(of().rows)
    assert {row.tag for row in of(tag=Tag.PERSON_NOTED).rows} == {"person.noted"}
    assert len(of(person=ana.reference).rows) == 10, "what Ana did, and what was done to her"
    bens = of(person=ben.reference).rows
    assert [(row.by.name, row.about.name) for row in bens] == [("Ben", "Ana")] * 2


def test_the_desk_shows_each_role_what_it_can_do_something_about(app):
    make.donation(settled=True, amount=make.EUR("1500"))
    make.person().bounced_at = SINCE
    make.person().given = Given.RUNNING
    db.session.flush()

    def shown(role):
        return {one.kind for one in reports.desk.matters(ABILITIES[role], now=clock.now())}

    assert shown(Role.TREASURER) == {"held"}
    assert shown(Role.SUPPORT) == {"bounced"}
    assert shown(Role.VIEWER) == set()
    assert shown(Role.ADMIN) == {"held", "bounced"}
    (held,) = reports.desk.matters(frozenset({Ability.REVIEW}), now=clock.now())
    assert (held.count, held.first[0].amount, held.first[0].who.name) == (1, make.EUR("1500"), "Ana")


def test_a_refund_that_failed_waits_at_the_desk_until_as_much_is_tried_again(app):
    make.donation(settled=True)
    payment = db.session.scalars(select(reports.payments.Payment)).one()

    def refund(amount, status, at_stripe=True):
        one = ask_refund(payment, make.EUR(amount))
        one.status, one.stripe_refund_id = status, one.reference if at_stripe else None
        db.session.flush()
        return one

    def owed():
        found = reports.desk.matters(frozenset({Ability.REFUND}), now=clock.now())
        return [(one.kind, line.who.name, line.amount) for one in found for line in one.first]

    refund("9", RefundStatus.CANCELED, at_stripe=False)  # proposed and taken back
    assert owed() == []
    failed = refund("15", RefundStatus.SUCCEEDED)
    assert owed() == []
    failed.status = RefundStatus.FAILED  # as banks do, weeks later
    assert owed() == [("unreturned", "Ana", make.EUR("15"))]
    again = refund("15", RefundStatus.CANCELED)
    assert owed() == [("unreturned", "Ana", make.EUR("15"))], "the last try stands for all of them"
    parts = [refund(amount, RefundStatus.PENDING) for amount in ("10", "5")]
    assert owed() == []
    parts[0].status = RefundStatus.FAILED
    assert owed() == [("unreturned", "Ana", make.EUR("10"))]
    again.status = RefundStatus.SUCCEEDED
    assert owed() == [], "nothing remains that could go back"


def test_staff_notice_codes_that_are_used_up(app):
    make.perk("evening", kind="code", codes=("A1", "B2"))
    plan = make.plan(perks=("evening",))
    abilities = frozenset({Ability.SETUP})
    for reader in (make.person("a@example.org"), make.person("b@example.org")):
        assert reports.desk.matters(abilities, now=clock.now()) == []
        plans.take_code(plans.get_perk("evening"), reader)
    (matter,) = reports.desk.matters(abilities, now=clock.now())
    assert (matter.kind, matter.count, matter.first[0].word) == ("codes", 1, "evening")
    for email in ("a@example.org", "b@example.org"):
        plans.forget_codes(make.person(email))
    assert len(reports.desk.matters(abilities, now=clock.now())) == 1, "what the forgotten took stays taken"
    plans.close_others([])
    assert not plan.is_open
    assert reports.desk.matters(abilities, now=clock.now()) == []
