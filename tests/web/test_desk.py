"""The desk's lists as staff use them: what each role finds, searching without a trace, files without formulas."""

import csv
import io
import re
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from sqlalchemy import select

from membership import clock
from membership.billing.calls import Call, CallState
from membership.billing.inbox import StripeObject
from membership.db import db
from membership.domain import audit, corrections, memberships, notes, outbox, payments, people, plans, reports
from membership.domain.audit import Record, Tag
from membership.domain.donations import Donation, Review
from membership.domain.memberships import Kind, MembershipStatus
from membership.domain.payments import Payment, RefundStatus
from membership.domain.reports.people import Filter
from membership.web.staff.export import as_csv, as_xlsx, plain
from tests import make, signed_in
from tests.journeys.donor import Donor, settle, state
from tests.queries import counted
from tests.records import history_of
from tests.web.visitor import text

PAGES = ("/staff/", "/staff/people", "/staff/payments", "/staff/review", "/staff/events", "/staff/audit")
MOST_QUERIES = 30
EVIL = (
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "＝1",
    "ნინო",
    "a=b",
    "",
    "'x",
    "A\uffffna",
    "\ufdd0=1",
    "\U0001fffe",
)


def the_plan():
    return plans.describe_plan(
        "reader",
        status="open",
        position=1,
        texts={"en": {"name": "Reader", "summary": ".", "story": "."}},
        prices={("month", "EUR"): make.EUR("5")},
        perks=[],
    )


def crowd(number=24):
    """Members and donors, each with something beside them."""
    tier, by = the_plan(), make.person("giver@example.org", "Giver")
    make.fundraiser()
    for n in range(number):
        one = make.person(f"reader{n}@example.org", f"Reader {n}")
        if n % 3 == 0:
            memberships.grant(one, tier, kind=Kind.COMPLIMENTARY, until=clock.now() + timedelta(days=30), by=by,
                              reason="thanks", settings=make.settings())  # fmt: skip
        if n % 4 == 0:
            make.donation(booked=True, email=f"reader{n}@example.org")
        if n % 5 == 0:
            db.session.add(notes.Label(person_id=one.id, text="student"))
    for payment in db.session.scalars(select(Payment)):
        payment.person_id = payment.person_id or db.session.get(Donation, payment.donation_id).person_id
    db.session.commit()


def hidden(client, path="/staff/people"):
    assert client.get(path).status_code == 200
    return {"csrf_token": client.field("csrf_token")}


def names(client):
    """Whom the list shows, by code."""
    return re.findall(
        r"P-[2-9A-Z]{6}", " ".join("".join(row.itertext()) for row in client.page.iter("tbody"))
    )


# --- pages -------------------------------------------------------------------------------------------------


def test_no_page_asks_the_database_often(app, client):
    crowd()
    make.donation(settled=True, amount=make.EUR("1500"), email="rich@example.org")
    for slug in "abcd":
        given = make.donation(make.fundraiser(slug), booked=True, email="reader0@example.org")
    one, (paid,) = (
        f"/staff/people/{people.person_of(given.person_id).reference}",
        payments.payments_of(given.id),
    )
    lists = "/staff/people?status=trouble&plan=reader&since=2020-01-01", "/ka/staff/people"
    signed_in.as_staff(client)
    for path in (*PAGES, *lists, one, f"{one}?do=refund&of={paid.reference}"):
        with counted(app) as said:
            assert client.get(path).status_code == 200
        assert len(said) <= MOST_QUERIES, (path, len(said))


def test_the_desk_says_what_waits_and_leads_there(client):
    make.donation(settled=True, amount=make.EUR("1500"))
    nino = make.donation(settled=True, email="nino@example.org")
    (paid,) = payments.payments_of(nino.id)
    payments.ask_refund(paid, make.EUR("5")).status = RefundStatus.FAILED
    signed_in.as_staff(client, "treasurer")
    client.get("/staff/")
    assert "One gift waits to be accepted" in text(client)
    assert "One refund failed and the money is still here" in text(client)
    ways = [a.get("href") for a in client.page.iter("a") if a.get("class") == "do"]
    assert ways == ["/staff/review", "/staff/refunds"]
    signed_in.as_staff(client, "viewer")
    client.get("/staff/")
    assert "Nothing needs a person today" in text(client)
    assert [a.get("href") for a in client.page.iter("a") if a.get("href") in PAGES] == [
        "/staff/", "/staff/", "/staff/people", "/staff/payments",
    ]  # fmt: skip


def member(email, *, ended_by=None, days_ago=1, **more):
    """A paid membership as Stripe left it; it began forty days ago."""
    now, owner = clock.now(), make.person(email)
    told = {"kind": Kind.COMPLIMENTARY, "until": now + timedelta(days=30), "by": owner, "reason": "x"}
    held = memberships.grant(owner, the_plan(), settings=make.settings(), **told)
    is_now = {"kind": Kind.PAID, "amount_minor": 500, "currency": "EUR", "interval": "month", "ends_at": None}
    is_now |= {"started_at": now - timedelta(days=40)}
    if ended_by:
        is_now |= {"status": MembershipStatus.ENDED, "ended_by": ended_by}
        is_now |= {"ended_at": now - timedelta(days=days_ago)}
    for name, value in (is_now | more).items():
        setattr(held, name, value)
    memberships.standing.tell(owner.id)
    return owner


def test_every_figure_of_the_desk_leads_to_the_people_it_counts(client):
    member("stays@example.org")
    member("rests@example.org", status=MembershipStatus.PAUSED)
    member("leaves@example.org", ends_at=clock.now() + timedelta(days=9))
    member("new@example.org", started_at=clock.now() - timedelta(days=2))
    member("new@example.org", started_at=clock.now() - timedelta(days=1))  # and has two
    member("left@example.org", ended_by="member")
    member("left-long-ago@example.org", ended_by="member", days_ago=39)
    member("second@example.org", ended_by="double")
    member("back@example.org", ended_by="member")
    member("back@example.org")
    member("lari@example.org", currency="GEL", amount_minor=700)
    member("dollars@example.org", currency="USD")
    signed_in.as_staff(client, "viewer")
    client.get("/staff/")
    found = [
        (one.findtext("dt"), one.find("dd/a").text, one.find("dd/a").get("href"))
        for one in client.page.find(".//dl[@class='figures']")
    ]
    assert [(name, said) for name, said, _ in found] == [
        ("members now", "7"), ("a month, recurring", "€20"), ("a month, recurring", "₾7"), ("a month, recurring", "$5"),
        ("joined in 30 days", "1"), ("left in 30 days", "1"),
    ]  # fmt: skip
    shown = []
    for _, _, path in found:
        client.get(path)
        shown.append(len(names(client)))
    assert shown == [7, 5, 5, 5, 1, 1]


@pytest.mark.settings(STRIPE_API_BASE="", STRIPE_SECRET_KEY="sk_test_1")
def test_a_charge_leads_to_stripe_s_dashboard(client):
    (paid,) = payments.payments_of(make.donation(settled=True).id)
    signed_in.as_staff(client, "viewer")
    known = {"/staff/payments": paid.stripe_charge_id}
    known[f"/staff/people/{make.person().reference}"] = paid.stripe_payment_intent_id
    for path, stripes in known.items():
        client.get(path)
        assert f"https://dashboard.stripe.com/test/payments/{stripes}" in [
            a.get("href") for a in client.page.iter("a")
        ]


def test_lost_members_are_all_listed_until_somebody_notes_something(client):
    lost = [member(f"lost{n}@example.org", ended_by="failed", days_ago=n + 1) for n in range(5)]
    member("long-ago@example.org", ended_by="failed", days_ago=15)
    member("lost0@example.org")  # has joined again
    support = signed_in.as_staff(client, "support")
    notes.write(lost[1], "Wrote to them.", by=support, now=clock.now() - timedelta(days=3))  # before the end
    notes.write(lost[2], "Wrote to them.", by=support, now=clock.now())
    db.session.commit()
    client.get("/staff/")
    assert "3 members were lost in the last two weeks" in text(client)
    (way,) = [a.get("href") for a in client.page.iter("a") if a.get("class") == "do"]
    client.get(way)
    assert names(client) == [reports.code_of(one.id) for one in (lost[4], lost[3], lost[1])]


def test_each_matter_of_members_counts_the_people_of_its_list(client):
    now, settings = clock.now(), make.settings()
    support, ids = signed_in.as_staff(client, "support"), {}
    is_now = {"double": {"doubled_at": now}, "late": {"status": MembershipStatus.PAST_DUE, "paid_until": now}}
    for kind, more in is_now.items():
        ids[kind] = [member(f"{kind}{n}@example.org", **more).id for n in range(4)]
        member(f"{kind}1@example.org")  # has another one, all is well with it
        member(f"{kind}2@example.org", **more)  # has two
    moving = [make.person(f"address{n}@example.org") for n in range(5)]
    for days, one in zip((8, 8, 8, 8, 6), moving, strict=True):
        told = {"old_email": "x@example.org", "settings": settings, "now": now - timedelta(days=days)}
        corrections.propose(one, f"new{one.id}@example.org", by=people.person_of(support.id), **told)
    ids["address"] = [one.id for one in moving[:4]]
    db.session.commit()
    client.get("/staff/")
    assert (
        re.findall(r"(\w+) (?:people|members\W*|proposed addresses) (?:pay|payments|have)", text(client))
        == ["4"] * 3
    )
    ways = [a.get("href") for a in client.page.iter("a") if a.get("class") == "do"]
    shown = []
    for way in ways:
        client.get(way)
        shown.append(names(client))
    assert shown == [[reports.code_of(one) for one in reversed(of)] for of in ids.values()]


def test_what_only_an_administrator_can_mend_stands_at_their_desk(client):
    make.plan(perks=(make.perk("evening", kind="code").slug,))
    lost = {"object_type": "charge", "object_id": "ch_1", "dirty_seq": 2, "clean_seq": 1}
    db.session.add(StripeObject(**lost, attempts=12, dead=True, not_before=clock.now()))
    outbox.queue(key="k", template="donation-receipt", to="a@example.org", locale="en", context={})
    db.session.get(outbox.Email, "k").dead = True
    for role in ("treasurer", "auditor"):
        signed_in.as_staff(client, role)
        client.get("/staff/")
        assert "Nothing needs a person today" in text(client), role
    signed_in.as_staff(client, "admin")
    client.get("/staff/")
    ways = [a.get("href") for a in client.page.iter("a") if a.get("class") == "do"]
    assert ways == ["/staff/events", "/staff/setup", "/staff/events"]
    client.get("/staff/setup")
    assert "Used up: evening." in text(client)


@pytest.mark.parametrize(
    ("role", "closed"),
    [
        ("viewer", {"/staff/review", "/staff/events", "/staff/audit"}),
        ("support", {"/staff/review", "/staff/events", "/staff/audit"}),
        ("treasurer", {"/staff/audit"}),
        ("auditor", {"/staff/review"}),
        ("admin", set()),
    ],
)
def test_each_role_finds_its_own_pages(client, role, closed):
    signed_in.as_staff(client, role)
    assert {path for path in PAGES if client.get(path).status_code == 403} == closed


def test_a_filter_stays_in_the_address_from_page_to_page(client):
    for n in range(53):
        make.person(f"reader{n}@example.org")
    signed_in.as_staff(client)
    first = client.get("/staff/people?status=none&lang=en&odd=1&plan=nobody")
    assert first.status_code == 200
    shown = names(client)
    assert len(shown) == 50
    older = next(a.get("href") for a in client.page.iter("a") if a.get("rel") == "next")
    assert "status=none" in older
    assert "lang=en" in older
    assert "odd" not in older + "plan"
    client.get(older)
    assert names(client)
    assert not set(names(client)) & set(shown)
    back = next(a.get("href") for a in client.page.iter("a") if a.get("rel") == "prev")
    client.get(back)
    assert names(client) == shown


# --- searching ---------------------------------------------------------------------------------------------


def look_for(client, words, **more):
    return client.post("/staff/people", data=hidden(client) | {"q": words} | more)


def test_an_address_leads_to_its_person_and_stands_nowhere(client):
    person = make.person()
    me = signed_in.as_staff(client, "support")
    answer = look_for(client, " ANA@example.org")
    assert (answer.status_code, answer.location) == (303, f"/staff/people/{person.reference}")
    (record,) = history_of("people", "address")
    assert (record.tag, record.by_id, record.details) == ("people.searched", me.id, {"found": 1, "looked": 1})


def test_what_is_not_found_is_said_and_what_was_typed_is_kept(client):
    signed_in.as_staff(client)
    for words, said in (
        ("nobody@example.org", "Nobody here has this address"),
        ("ch_unknown", "Nothing of ours carries"),
        ("P-222222", "Nobody here has this code"),
    ):
        assert look_for(client, words).status_code == 200
        assert said in text(client)
        assert client.field("q") == words
    assert look_for(client, "not an@address").status_code == 422
    assert look_for(client, "  ").status_code == 422


def test_names_are_looked_through_five_hundred_at_a_time(client):
    for n in range(502):
        make.person(f"p{n}@example.org", "Nino Beridze" if n in (1, 400) else "")
    signed_in.as_staff(client)
    assert look_for(client, "beridze").status_code == 200
    assert len(names(client)) == 1
    assert "1 found so far" in text(client)
    more = {name: client.field(name) for name in ("below", "looked", "found")}
    odd = more | {"below": "-99999999999999999999999999", "looked": "9" * 5000}
    assert look_for(client, "beridze", **odd).status_code == 200
    assert look_for(client, "beridze", **more).status_code == 200
    assert len(names(client)) == 2
    assert "beridze" not in str(
        [(r.subject_id, r.details, r.reason) for r in db.session.scalars(select(Record))]
    )


def test_without_the_page_s_own_token_nobody_is_looked_for(client):
    make.person()
    signed_in.as_staff(client)
    assert client.post("/staff/people", data={"q": "ana@example.org"}).status_code == 422
    assert history_of("people", "address") == []


# --- files -------------------------------------------------------------------------------------------------


def take(client, kind="csv", **more):
    return client.post("/staff/people/export", data=hidden(client) | {"format": kind} | more)


def rows_of(answer):
    if "csv" in answer.content_type:
        assert answer.data.startswith(b"\xef\xbb\xbf")
        return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))
    sheet = load_workbook(io.BytesIO(answer.data)).active
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "inlineStr"}
    return [[cell or "" for cell in row] for row in sheet.iter_rows(values_only=True)]


def test_a_file_holds_what_the_pages_show(app, client):
    crowd(54)
    me = signed_in.as_staff(client, "treasurer")
    wanted = [row.who.code for batch in reports.people.batches(Filter(locale="en"), size=7) for row in batch]
    files = [rows_of(take(client, kind, lang="en")) for kind in ("csv", "xlsx")]
    assert files[0] == files[1]
    head, *rows = files[0]
    assert [row[1] for row in rows] == wanted
    shown, path = [], "/staff/people?lang=en"
    while path:
        client.get(path)
        shown += names(client)
        path = next((a.get("href") for a in client.page.iter("a") if a.get("rel") == "next"), None)
    assert shown == wanted
    ana = next(row for row in rows if row[0] == "Reader 0")
    assert ana[head.index("Paid in all")] == "20.00 EUR"
    assert ana[head.index("Labels")] == "student"
    records = [r for kind in ("csv", "xlsx") for r in history_of("people", kind)]
    assert [(r.tag, r.by_id, r.details) for r in records] == [
        ("people.exported", me.id, {"lang": "en", "people": len(wanted)})
    ] * 2


def test_a_file_asks_for_the_second_factor_again(client):
    make.person()
    me = signed_in.as_staff(client, "treasurer")
    signed_in.forget_confirmation(client, me)
    wrong = take(client, code="000000")
    assert wrong.status_code == 422
    assert history_of("people", "csv") == []
    assert take(client).status_code == 422
    assert take(client, code=signed_in.code()).status_code == 200


def test_who_may_not_export_finds_no_file(client):
    signed_in.as_staff(client, "support")
    assert take(client).status_code == 403
    client.get("/staff/people")
    assert "Export" not in text(client)


@settings(max_examples=25)
@given(st.lists(st.one_of(st.sampled_from(EVIL), st.text(max_size=12)), min_size=1, max_size=12))
def test_no_formula_survives(cells):
    written = [plain(cell) for cell in cells]
    (row,) = csv.reader(io.StringIO(b"".join(as_csv(iter([written]))).decode("utf-8-sig"), newline=""))
    sheet = load_workbook(io.BytesIO(b"".join(as_xlsx(iter([written]))))).active
    (cells_there,) = sheet.iter_rows(max_col=len(written))
    assert row == written
    for cell, there in zip(row, cells_there, strict=True):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))
        assert not cell.lstrip().startswith(("=", "+", "-", "@"))
        assert there.data_type != "f"


def test_ordinary_words_stay_as_they_are():
    assert [plain(words) for words in ("ნინო", "Anna-Maria", "a=b", "20.00 EUR", "")] == [
        "ნინო", "Anna-Maria", "a=b", "20.00 EUR", "",
    ]  # fmt: skip


# --- deciding and trying again -----------------------------------------------------------------------------


def held_gift(app, stripe, **fields):
    make.fundraiser(weights=(3, 2))
    db.session.commit()
    Donor(app, stripe).gives(amount="", other_amount="1500", **fields)
    settle(stripe)
    return db.session.scalars(select(Donation)).one()


def decide(client, gift, **fields):
    return client.post(f"/staff/review/{gift.reference}", data=hidden(client, "/staff/review") | fields)


def test_a_held_gift_is_accepted_once(app, stripe, client):
    gift = held_gift(app, stripe)
    me = signed_in.as_staff(client, "treasurer")
    assert decide(client, gift, action="accept").status_code == 303
    client.get("/staff/review")
    assert "The gift is accepted" in text(client)
    assert decide(client, gift, action="accept").status_code == 409
    db.session.expire_all()
    assert gift.review is Review.ACCEPTED
    assert [(r.tag, r.by_id) for r in history_of("donation", gift.reference)] == [
        ("donation.accepted", me.id)
    ]


def test_a_held_gift_is_given_back_with_a_code(app, stripe, client):
    gift = held_gift(app, stripe, interval="month")
    me = signed_in.as_staff(client, "treasurer")
    signed_in.forget_confirmation(client, me)
    assert decide(client, gift, action="refund").status_code == 422
    assert decide(client, gift, action="refund", code="123").status_code == 422
    assert state(stripe)["refunded"] == 0
    assert decide(client, gift, action="refund", code=signed_in.code()).status_code == 303
    settle(stripe)
    assert (state(stripe)["refunded"], state(stripe)["subscriptions_live"]) == (150_000, 0)
    records = history_of("donation", gift.reference)
    assert ("donation.refused", me.id) in [(r.tag, r.by_id) for r in records]


def test_what_is_stuck_is_tried_again_and_on_record(client):
    now = clock.now()
    lost = {"object_type": "charge", "object_id": "ch_1", "dirty_seq": 2, "clean_seq": 1, "not_before": now}
    db.session.add(StripeObject(**lost, attempts=12, dead=True, last_error="404 resource_missing"))
    db.session.add(
        Call(
            idem_key="refund:1",
            operation="refunds.create",
            created_at=now,
            tried_at=now,
            state=CallState.STALE,
        )
    )
    outbox.queue(key="receipt:ch_1", template="donation-receipt", to="a@example.org", locale="en", context={})
    db.session.get(outbox.Email, "receipt:ch_1").dead = True
    me = signed_in.as_staff(client)

    def again(**fields):
        return client.post("/staff/events", data=hidden(client, "/staff/events") | fields)

    client.get("/staff/events")
    assert "404 resource_missing" in text(client)
    assert again(what="object", object="charge ch_1").status_code == 303
    assert again(what="mail", mail="receipt:ch_1").status_code == 303
    assert again(what="call", call="refund:1", reason="refunded in the dashboard").status_code == 303
    assert again(what="object", object="charge ch_2").status_code == 409
    assert again(what="mail", mail="nothing").status_code == 409
    assert again().status_code == 409
    db.session.expire_all()
    assert not db.session.get(StripeObject, ("charge", "ch_1")).dead
    assert not db.session.get(outbox.Email, "receipt:ch_1").dead
    client.get("/staff/events")
    assert "every request was answered, and no mail was given up" in text(client)
    done = db.session.scalars(select(Record).where(Record.by_id == me.id).order_by(Record.id)).all()
    assert [row.tag for row in done if row.tag != Tag.SESSION_STARTED] == [
        "event.replayed", "email.requeued", "call.settled",
    ]  # fmt: skip


def test_whoever_only_reads_events_finds_no_button(client):
    signed_in.as_staff(client, "auditor")
    token = hidden(client, "/staff/events")
    assert client.post("/staff/events", data=token | {"what": "object"}).status_code == 403


def test_the_log_leads_from_a_person_to_what_they_did(client):
    ana = make.person()
    signed_in.as_staff(client, "auditor")
    audit.record(Tag.PERSON_NOTED, subject_type="person", subject_id=ana.reference, reason="asked by phone")
    client.get(f"/staff/audit?person={ana.reference}")
    assert "asked by phone" in text(client)
    assert "session.started" not in "".join("".join(row.itertext()) for row in client.page.iter("tbody"))
