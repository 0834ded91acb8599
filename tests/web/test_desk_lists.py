"""The desk's lists, line by line: every matter that needs a person, every filter of people, what a search leaves."""

from datetime import timedelta

import pytest

from membership import clock, vault
from membership.billing.calls import Call, CallState
from membership.billing.inbox import StripeObject
from membership.db import db
from membership.domain import corrections, donations, memberships, outbox, payments, people, reports
from membership.domain.memberships import Kind, MembershipStatus
from membership.domain.payments import RefundStatus
from tests import make, signed_in
from tests.make import EUR
from tests.records import history_of


def holds(email, plan=None, kind=Kind.OFFLINE, **more):
    """Somebody with a membership, and what became of it."""
    owner, until = make.person(email), clock.now() + timedelta(days=90)
    told = {"kind": kind, "until": until, "by": owner, "reason": "", "settings": make.settings()}
    held = memberships.grant(owner, plan or make.plan(), **told)
    for name, value in more.items():
        setattr(held, name, value)
    memberships.standing.tell(owner.id)
    return owner


def paid(email):
    (payment,) = payments.payments_of(make.donation(settled=True, email=email).id)
    return payment


# --- what needs a person -----------------------------------------------------------------------------------


@pytest.fixture
def matters(app):
    """One of each."""
    now, staff = clock.now(), signed_in.staff("treasurer", email="other@highland-dispatch.example")
    make.donation(settled=True, amount=EUR("1500"), email="rich@example.org")
    payments.ask_refund(paid("proposed@example.org"), EUR("5"), by=staff, needs_second=True)
    payments.ask_refund(paid("failed@example.org"), EUR("5")).status = RefundStatus.FAILED
    charge = make.arrival(make.donation(email="apart@example.org"))
    donations.arrived(None, charge, settings=make.settings(), now=now)
    holds("double@example.org", doubled_at=now)
    holds("late@example.org", status=MembershipStatus.PAST_DUE, paid_until=now)
    holds("lost@example.org", status=MembershipStatus.ENDED, ended_by="failed", ended_at=now)
    moved = make.person("moved@example.org")
    told = {"old_email": "moved@example.org", "settings": make.settings()}
    corrections.propose(moved, "new@example.org", by=staff, now=now - timedelta(days=8), **told)
    holds("bounced@example.org")
    people.note_bounced(vault.email_key("bounced@example.org"))
    outbox.queue(key="x:1", template="sign-in", to="a@example.org", locale="en", context={})
    db.session.get(outbox.Email, "x:1").dead = True
    make.plan("club", perks=(make.perk("evening", kind="code").slug,))
    lost = {"object_type": "charge", "object_id": "ch_1", "dirty_seq": 2, "clean_seq": 1, "not_before": now}
    db.session.add(StripeObject(**lost, attempts=12, dead=True))
    call = {"idem_key": "refund:1", "operation": "refunds.create", "created_at": now, "tried_at": now}
    db.session.add(Call(**call, state=CallState.STALE))
    db.session.commit()


MONEY = {
    "Gifts held": "/staff/review",
    "Refunds proposed": "/staff/refunds",
    "Refunds failed": "/staff/refunds",
    "Payments set apart": "/staff/payments?state=apart",
}
MEMBERS = {
    "Double memberships": "/staff/people?course=double",
    "Payments failing": "/staff/people?course=late",
    "Members lost": "/staff/people?course=lost",
    "Addresses to correct": "/staff/people?mail=address",
    "Mail comes back": "/staff/people?mail=bounced",
}
MACHINE = {
    "Mails not sent": "/staff/events",
    "Codes used up": "/staff/setup",
    "Stripe not followed": "/staff/events",
    "Requests to Stripe without an outcome": "/staff/events",
}
SEEN = {
    "viewer": {},
    "support": MEMBERS,
    "treasurer": MONEY,
    "auditor": {},
    "admin": MONEY | MEMBERS | MACHINE,
}


@pytest.mark.parametrize("role", SEEN)
def test_everything_that_needs_a_person_stands_at_the_desk_of_whoever_can_mend_it(client, matters, role):
    signed_in.as_staff(client, role)
    client.get("/staff/")
    found = {
        item.findtext("h2"): item.findall("a")[-1].get("href")
        for item in client.page.iter("li")
        if item.find("h2") is not None
    }
    assert list(found.items()) == list(SEEN[role].items())


# --- filters of people -------------------------------------------------------------------------------------


@pytest.fixture
def crowd(app, at):
    """Six people, each alone in something."""
    at("2026-03-10 12:00")
    make.fundraiser()
    given = {
        "gives@example.org": make.donation(booked=True, email="gives@example.org", interval="month"),
        "gave@example.org": make.donation(booked=True, email="gave@example.org"),
    }
    assert [one.is_recurring for one in given.values()] == [True, False]
    holds("club@example.org", plan=make.plan("club"))
    at("2026-03-20 12:00")
    holds("guest@example.org", kind=Kind.COMPLIMENTARY)
    holds("rests@example.org", status=MembershipStatus.PAUSED)
    people.register("nino@example.org", locale="ka").bounced_at = clock.now()
    db.session.commit()


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({"status": "paused"}, {"rests"}),
        ({"status": "member"}, {"club", "guest", "rests"}),
        ({"status": "member", "plan": "club"}, {"club"}),
        ({"kind": "complimentary"}, {"guest"}),
        ({"since": "2026-03-20"}, {"guest", "rests"}),
        ({"until": "2026-03-19"}, {"club"}),
        ({"given": "regularly"}, {"gives"}),
        ({"given": "once"}, {"gave"}),
        ({"lang": "ka"}, {"nino"}),
        ({"mail": "bounced"}, {"nino"}),
    ],
)
def test_each_filter_shows_whom_it_asks_for(client, crowd, asked, shown):
    signed_in.as_staff(client)
    assert client.get("/staff/people", query_string=asked).status_code == 200
    codes = {reports.code_of(people.find_by_email(f"{name}@example.org").id) for name in shown}
    rows = [row for row in client.page.iter("tr") if row.get("class") == "opens"]
    assert {one.text for row in rows for one in row.iter("span") if one.get("class") == "ref"} == codes
    told = {
        e.get("name"): e.get("value")
        for e in client.page.iter()
        if e.get("class") == "set" and e.tag == "input"
    }
    told |= {
        e.get("name"): next(o.get("value") for o in e if o.get("selected") is not None)
        for e in client.page.iter("select")
        if e.get("class") == "set"
    }
    assert told == asked, "and the sentence above says it"


# --- searching ---------------------------------------------------------------------------------------------


def test_every_step_through_the_names_is_on_record_and_says_not_for_whom(client):
    ana = make.person(name="Ana Beridze")
    me = signed_in.as_staff(client, "support")
    client.get("/staff/people")
    told = {"csrf_token": client.field("csrf_token"), "q": "beridze"}
    assert client.post("/staff/people", data=told).status_code == 200
    assert reports.code_of(ana.id) in "".join(client.page.itertext())
    (record,) = history_of("people", "name")
    assert (record.tag, record.by_id, record.reason) == ("people.searched", me.id, "")
    assert record.details == {"found": 1, "looked": 2}
