"""What the desk refuses and what it writes down, act by act: each of these lines has somebody who relies on it."""

from datetime import timedelta

import pytest

from membership import clock, vault
from membership.db import db
from membership.domain import (
    audit,
    corrections,
    donations,
    memberships,
    outbox,
    payments,
    people,
    reports,
    signins,
)
from membership.domain.memberships import Kind
from membership.domain.payments import RefundStatus
from membership.web.staff.person.page import ACTS
from tests import make, signed_in
from tests.journeys.donor import Donor, settle, state
from tests.journeys.joiner import Joiner
from tests.make import EUR
from tests.records import all_rows, history_of
from tests.web.desk import Desk
from tests.web.visitor import beside, text, title


def done(kind, reference):
    """What is on record about one thing: the tag, by whom, and why."""
    db.session.expire_all()
    return [(record.tag, record.by_id, record.reason) for record in history_of(kind, reference)]


def test_a_refund_says_why_on_record_and_no_address_gets_there(app, giver, paid):
    desk = Desk(app, "treasurer")
    desk.opens(giver, do="refund", of=paid.reference)
    told = {"of": paid.reference, "seen": "2000", "amount": "5"}
    assert desk.posts(giver, "refund", **told, reason="asked by ana@example.org").status_code == 422
    assert "leave e-mail addresses out" in beside(desk.browser, "reason")
    assert payments.refunds_of(paid) == []
    assert desk.posts(giver, "refund", **told, reason="asked on the telephone").status_code == 303
    assert done("payment", paid.reference) == [
        ("refund.refused", desk.me.id, ""),
        ("payment.refunded", desk.me.id, "asked on the telephone"),
    ]


# --- money of nobody we know -------------------------------------------------------------------------------


@pytest.fixture
def nobodys(app, stripe):
    """€20 that arrived at the pretend Stripe for no gift that we know."""
    make.fundraiser()
    donor = Donor(app, stripe)
    donor.pay(donor.start())
    (gift,) = db.session.query(donations.Donation)
    gift.attempt = "somebody-elses"
    for _ in range(2):
        db.session.commit()
        stripe.advance(seconds=3700)
        settle(stripe)
    (payment,) = db.session.query(payments.Payment)
    assert (payment.apart, payment.person_id) == ("no-pledge", None)
    return payment


def opens(browser, paid):
    """The list at one payment, its form on it."""
    answer = browser.get(f"/staff/payments?payment={paid.reference}")
    assert answer.status_code == 200


def gives_back(browser, paid, **fields):
    names = ("csrf_token", "attempt", "seen", "amount")
    return browser.post(
        f"/staff/payments/{paid.reference}", data={name: browser.field(name) for name in names} | fields
    )


def test_what_nobody_known_paid_is_given_back_where_it_stands(app, stripe, nobodys):
    desk = Desk(app, "treasurer")
    desk.browser.get("/staff/payments?state=apart")
    (way,) = [a.get("href") for a in desk.browser.page.iter("a") if a.text == "Refund"]
    signed_in.forget_confirmation(desk.browser, desk.me)
    desk.browser.get(way)
    assert gives_back(desk.browser, nobodys, code="").status_code == 422
    assert beside(desk.browser, "code")
    assert gives_back(desk.browser, nobodys, code=signed_in.code(), reason="x@example.org").status_code == 422
    assert beside(desk.browser, "reason")
    assert payments.refunds_of(nobodys) == []
    told = {"amount": "5", "reason": "sent by mistake"}
    press = {name: desk.browser.field(name) for name in ("csrf_token", "attempt", "seen")}
    for _ in range(2):  # a double click
        assert gives_back(desk.browser, nobodys, **told | press).status_code == 303
        opens(desk.browser, nobodys)
        assert "€5 goes back: Stripe has agreed" in text(desk.browser)
    assert gives_back(desk.browser, nobodys, seen="2000").status_code == 409
    assert "has changed since you opened the page" in text(desk.browser)
    assert title(desk.browser).startswith("Error:")
    opens(desk.browser, nobodys)
    assert gives_back(desk.browser, nobodys).status_code == 303, "all that remains is filled in"
    settle(stripe)
    assert state(stripe)["refunded"] == 2000
    opens(desk.browser, nobodys)
    assert "Give it back" not in text(desk.browser)
    assert done("payment", nobodys.reference) == [
        ("refund.refused", desk.me.id, ""),
        ("payment.refunded", desk.me.id, "sent by mistake"),
        ("refund.refused", desk.me.id, ""),
        ("payment.refunded", desk.me.id, ""),
    ]


@pytest.mark.settings(REVIEW_ABOVE="EUR:10,USD:10,GBP:10,GEL:30")
def test_much_of_nobody_s_money_takes_a_second_person(app, stripe, nobodys):
    tamar, giorgi = Desk(app, "treasurer"), Desk(app, "admin")
    opens(tamar.browser, nobodys)
    assert gives_back(tamar.browser, nobodys).status_code == 303
    opens(tamar.browser, nobodys)
    assert "The refund of €20 is proposed" in text(tamar.browser)
    (refund,) = payments.refunds_of(nobodys)
    assert refund.status is RefundStatus.PROPOSED
    giorgi.browser.get("/staff/refunds")
    told = {"csrf_token": giorgi.browser.field("csrf_token"), "action": "approve"}
    assert giorgi.browser.post(f"/staff/refunds/{refund.reference}", data=told).status_code == 303
    settle(stripe)
    assert state(stripe)["refunded"] == 2000


def test_what_somebody_paid_is_not_given_back_from_the_list(app, giver, paid):
    desk = Desk(app, "treasurer")
    opens(desk.browser, paid)
    assert "Give it back" not in text(desk.browser)
    hidden = dict.fromkeys(("csrf_token", "attempt"), "")
    assert desk.browser.post(f"/staff/payments/{paid.reference}", data=hidden).status_code == 404
    assert payments.remaining(paid) == EUR("20")


# --- writing to people -------------------------------------------------------------------------------------


def test_an_address_that_mail_came_back_from_is_written_to_again_when_staff_say_so(app):
    ana, key = make.person(), vault.email_key("ana@example.org")
    outbox.bounced(key, "5.1.1")
    people.note_bounced(key)
    desk = Desk(app, "support")
    assert "Mail to this address came back" in desk.opens(ana, do="send")
    assert desk.posts(ana, "send").status_code == 409
    assert "Mail to this address comes back" in text(desk.browser)
    assert db.session.query(signins.SignIn).count() == 0
    assert "is written to again" in desk.does(ana, "arrives")
    assert "came back on" not in desk.opens(ana)
    assert db.session.query(outbox.Bounce).count() == 0
    assert desk.posts(ana, "arrives").status_code == 409
    assert "ten minutes" in desk.does(ana, "send")
    assert db.session.query(signins.SignIn).count() == 1
    assert done("person", ana.reference)[1:] == [
        ("bounce.lifted", desk.me.id, ""),
        ("link.resent", desk.me.id, ""),
    ]


# --- leaving -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["gift", "link", "account"])
def test_what_somebody_wrote_on_leaving_is_read_at_the_desk(app, stripe, client, way):
    if way == "gift":
        make.fundraiser()
        Donor(app, stripe).gives(interval="month")
        settle(stripe)
        (left,) = db.session.query(donations.Donation)
    else:
        make.the_newsroom()
        make.plan("friend")
        left = Joiner(stripe).joins()
    ana = people.person_of(left.person_id)
    page = f"/leave/{left.leave_token}"
    if way == "account":
        signed_in.as_member(client, ana)
        page = "/account/leave"
    client.get(page)
    told = {"csrf_token": client.field("csrf_token"), "action": "stop", "reason": "Moved to Batumi"}
    assert client.post(page, data=told).status_code == 303
    assert "they wrote: “Moved to Batumi”" in Desk(app, "viewer").opens(ana)


# --- who did what ------------------------------------------------------------------------------------------


def test_the_log_of_a_person_has_what_was_done_to_anything_of_theirs(app):
    ana, desk = make.person(), Desk(app, "admin")
    for email in ("ana@example.org", "nino@example.org"):
        given = make.donation(settled=True, email=email)
        (of_gift,) = payments.payments_of(given.id)
        payments.ask_refund(of_gift, EUR("1"), by=desk.me, reason=f"refund, {email[:3]}")
        told = {"by": desk.me, "settings": make.settings()}
        month = clock.now() + timedelta(days=30)
        holder = people.person_of(given.person_id)
        held = memberships.grant(holder, make.plan(), kind=Kind.GIFT, until=month, reason="", **told)
        memberships.extend(held, days=3, reason=f"extension, {email[:3]}", **told)
        about = {"subject_type": "donation", "subject_id": given.reference, "reason": f"stop, {email[:3]}"}
        audit.record(audit.Tag.DONATION_STOPPED, **about)
    audit.record(audit.Tag.PERSON_NOTED, subject_type="person", subject_id="x", by=ana, reason="by her")
    db.session.commit()
    desk.browser.get(f"/staff/audit?person={ana.reference}")
    why = [
        "".join(cell.itertext()) for cell in desk.browser.page.iter("td") if cell.get("data-label") == "Why"
    ]
    assert [one for one in why if one] == ["by her", "stop, ana", "extension, ana", "refund, ana"]


# --- the second factor -------------------------------------------------------------------------------------

GRAVE = sorted(act for act, (form, _ability) in ACTS.items() if hasattr(form, "code"))


@pytest.fixture
def waiting(giver, paid):
    """Something of Ana's for every grave act: what its form says."""
    other, far = signed_in.staff("treasurer"), clock.now() + timedelta(days=90)
    refund = payments.ask_refund(paid, EUR("1"), by=other, needs_second=True)
    told = {"by": other, "settings": make.settings()}
    held = memberships.grant(giver, make.plan(), kind=Kind.GIFT, until=far, reason="", **told)
    held.doubled_at = clock.now()
    new = "nino@example.net"
    correction = corrections.propose(giver, new, old_email="ana@example.org", **told)
    db.session.commit()
    return {
        "refund": {"of": paid.reference, "seen": "1900", "amount": "5"},
        "decide": {"of": refund.reference, "action": "approve"},
        "double": {"of": held.reference},
        "address": {"email": new},
        "correct": {"of": correction.reference, "action": "withdraw"},
        "export": {},
        "erase": {},
    }


@pytest.mark.parametrize("act", GRAVE)
def test_every_grave_act_asks_for_the_second_factor_first(app, giver, waiting, act):
    whom = make.person("gone@example.org") if act == "erase" else giver  # in whose way nothing stands
    desk = Desk(app)
    signed_in.forget_confirmation(desk.browser, desk.me)
    desk.opens(whom)
    before = all_rows()
    told = waiting[act] | {"code": "000000", "short": reports.code_of(whom.id)}
    answer = desk.posts(whom, act, **told)
    assert answer.status_code == 422
    assert "Content-Disposition" not in answer.headers
    wrong = [one.get("name") for one in desk.browser.page.iter("input") if one.get("aria-invalid") == "true"]
    assert wrong == ["code"], "that of its own form alone"
    assert all_rows() == before


# --- what staff stop and end -------------------------------------------------------------------------------


def test_a_gift_that_staff_stop_says_who_did_and_why(app, stripe):
    make.fundraiser()
    Donor(app, stripe).gives(interval="month")
    settle(stripe)
    (gift,) = db.session.query(donations.Donation)
    desk = Desk(app, "support")
    desk.does(people.person_of(gift.person_id), "stop", gift.reference, reason="asked on the telephone")
    assert ("donation.stopped", desk.me.id, "asked on the telephone") in done("donation", gift.reference)


@pytest.mark.parametrize("action", ["period", "now"])
def test_a_membership_that_staff_end_says_who_did_and_why(app, stripe, action):
    make.the_newsroom()
    make.plan("friend")
    held, desk = Joiner(stripe).joins(), Desk(app, "support")
    ana = people.person_of(held.person_id)
    desk.does(ana, "end", held.reference, action=action, reason="asked on the telephone")
    assert ("membership.cancelled", desk.me.id, "asked on the telephone") in done(
        "membership", held.reference
    )
