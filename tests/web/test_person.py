"""One person at the desk: what the page says, each act and what refuses it, who may do it, what is on record."""

import json
from contextlib import contextmanager
from datetime import timedelta

import pytest

from membership import clock, vault
from membership.db import db
from membership.domain import (
    corrections,
    donations,
    memberships,
    notes,
    payments,
    people,
    reports,
    roles,
    signins,
)
from membership.domain.donations import Interval, Schedule
from membership.domain.memberships import Kind
from membership.domain.outbox import Email
from membership.domain.payments import RefundStatus
from tests import make, signed_in
from tests.journeys.donor import Donor, settle, state
from tests.make import EUR
from tests.records import history_of
from tests.web.desk import Desk, path, tags
from tests.web.visitor import beside, text, title

WEEK = timedelta(days=7)


@contextmanager
def without_private_key():
    """This server cannot open what is sealed, as in most newsrooms."""
    told = make.settings()
    vault.configure(vault.Keys(told.vault_public_key, None, told.email_key, told.outbox_keys))
    try:
        yield
    finally:
        vault.configure(
            vault.Keys(told.vault_public_key, told.vault_private_key, told.email_key, told.outbox_keys)
        )


@pytest.fixture
def ana(app):
    return make.person()


# --- the page ----------------------------------------------------------------------------------------------


def test_the_page_says_who_what_was_paid_and_what_happened_and_the_opening_is_on_record(app, giver, paid):
    desk = Desk(app)
    said = desk.opens(giver)
    for words in (
        "Ana",
        "ana@example.org",
        reports.code_of(giver.id),
        "€20",
        "Receipt of a gift",
        "Keep small",
    ):
        assert words in said
    assert giver.reference not in said
    desk.opens(giver, do="refund", of=paid.reference)
    (opened,) = [one for one in history_of("person", giver.reference) if one.tag == "person.revealed"]
    assert opened.by_id == desk.me.id
    assert desk.browser.get("/staff/people/nobody").status_code == 404


def test_without_the_key_there_are_codes_and_no_names(app, giver):
    desk = Desk(app)
    with without_private_key():
        said = desk.opens(giver)
    assert "name sealed" in said
    assert "ana@example.org" not in said


def test_charged_twice_is_answered_at_a_glance(app, ana):
    monthly = make.donation(interval=Interval.MONTH)
    make.payment(monthly, invoice_id="in_1")
    desk = Desk(app)
    assert "No two payments of the same amount" in desk.opens(ana)
    make.payment(monthly, invoice_id="in_2")
    said = desk.opens(ana)
    assert "Not charged twice: 2 payments of €20, one for each period" in said
    assert "same amount" not in said
    make.payment(monthly, invoice_id="in_2")
    said = desk.opens(ana)
    assert "Looks like a double charge: 3 payments of €20" in said
    assert "same amount" in said


def test_a_long_history_goes_on_with_earlier(app, ana):
    desk = Desk(app)
    for number in range(45):
        notes.write(ana, f"note {number:02}", by=desk.me, now=clock.now() + timedelta(minutes=number))
    assert "note 44" in desk.opens(ana)
    desk.opens(ana, before="0001-01-01T00:00:00+14:00")
    desk.opens(ana)
    (link,) = [a.get("href") for a in desk.browser.page.iter("a") if "before=" in a.get("href", "")]
    desk.browser.get(link)
    assert "note 01" in text(desk.browser)
    assert "note 44" not in text(desk.browser)


# --- money -------------------------------------------------------------------------------------------------


def test_a_part_goes_back_then_the_rest_and_no_more(app, stripe, giver, paid):
    desk = Desk(app, "treasurer")
    said = desk.does(giver, "refund", paid.reference, amount="5", reason="too much")
    assert "€5 goes back" in said
    assert "€15" in said
    said = desk.does(giver, "refund", paid.reference)  # all that remains is filled in
    settle(stripe)
    assert state(stripe)["refunded"] == 2000
    db.session.expire_all()
    assert [one.status for one in payments.refunds_of(paid)] == [RefundStatus.SUCCEEDED] * 2
    desk.opens(giver, do="refund", of=paid.reference)
    answer = desk.posts(giver, "refund", of=paid.reference, seen="0", amount="1")
    assert answer.status_code == 422
    assert "more than what remains" in beside(desk.browser, "amount")
    assert tags("payment", paid.reference) == ["payment.refunded"] * 2 + ["refund.refused"]


def test_one_press_of_one_page_refunds_once_and_a_second_tab_is_told(app, stripe, giver, paid):
    desk = Desk(app, "treasurer")
    desk.opens(giver, do="refund", of=paid.reference)
    fields = {"of": paid.reference, "seen": "2000", "amount": "5"}
    hidden = {name: desk.browser.field(name) for name in ("csrf_token", "attempt")}
    for _ in range(2):  # a double click
        assert desk.browser.post(f"{path(giver)}/refund", data=hidden | fields).status_code == 303
    fields["amount"] = "7"  # found again with Back, filled in otherwise
    assert desk.browser.post(f"{path(giver)}/refund", data=hidden | fields).status_code == 303
    assert "nothing more is given back" in desk.opens(giver, do="refund", of=paid.reference)
    fields["amount"] = "0"
    assert desk.posts(giver, "refund", **fields).status_code == 422
    assert "above zero" in beside(desk.browser, "amount")
    fields["amount"] = "5"
    answer = desk.posts(giver, "refund", **fields)  # another tab, opened before
    assert answer.status_code == 409
    assert "has changed since you opened the page" in text(desk.browser)
    assert title(desk.browser).startswith("Error:")
    settle(stripe)
    assert state(stripe)["refunded"] == 500
    assert tags("payment", paid.reference) == ["payment.refunded", "refund.refused"]


def test_a_form_that_was_refused_half_way_is_never_said_to_have_been_done(app, stripe, paid, giver):
    """Asking Stripe for the address ends a transaction, so the count of the press stays although a rule said no."""
    giver.bounced_at = clock.now()
    desk = Desk(app, "support")
    with without_private_key():
        desk.opens(giver)
        hidden = {name: desk.browser.field(name) for name in ("csrf_token", "attempt")}
        assert desk.posts(giver, "send").status_code == 409
        assert desk.browser.post(f"{path(giver)}/send", data=hidden).status_code == 303
        said = desk.opens(giver)
    assert "nothing more was done" in said
    assert "for then was done" not in said


@pytest.mark.settings(REVIEW_ABOVE="EUR:10,USD:10,GBP:10,GEL:30")
def test_above_the_limit_somebody_else_agrees_first(app, stripe, ana):
    fundraiser = make.fundraiser()
    given = make.donation(fundraiser, amount=EUR("9"))
    paid = make.payment(given)
    given2 = make.donation(fundraiser, amount=EUR("9"))  # 18 within twelve months is held, 9 is not
    held = make.payment(given2)
    tamar, giorgi = Desk(app, "treasurer"), Desk(app, "admin")
    assert "Review" in tamar.opens(ana)
    assert f"of={held.reference}" not in "".join(
        a.get("href", "") for a in tamar.browser.page.iter("a") if "do=refund" in a.get("href", "")
    )
    refund = payments.ask_refund(paid, EUR("9"), by=tamar.me, needs_second=True)
    said = tamar.opens(ana)
    assert "somebody else must agree" in said
    answer = tamar.posts(ana, "decide", of=refund.reference, action="approve")
    assert answer.status_code == 403
    assert "proposed this refund yourself" in text(tamar.browser)
    giorgi.opens(ana)
    assert giorgi.posts(ana, "decide", of=refund.reference, action="withdraw").status_code == 303
    assert "taken back" in giorgi.opens(ana)
    assert tags("payment", paid.reference) == ["refund.proposed", "refund.withdrawn"]


@pytest.mark.settings(REVIEW_ABOVE="EUR:20,USD:20,GBP:20,GEL:60")
def test_a_second_person_lets_stripe_refund(app, stripe, giver, paid):
    tamar, giorgi = Desk(app, "treasurer"), Desk(app, "admin")
    payments.ask_refund(paid, EUR("1"), by=tamar.me)  # with what goes back now it is above
    db.session.commit()
    refund = payments.ask_refund(paid, EUR("19"), by=tamar.me, needs_second=True)
    assert refund.status is RefundStatus.PROPOSED
    giorgi.opens(giver)
    assert giorgi.posts(giver, "decide", of=refund.reference, action="approve").status_code == 303
    assert "€19 goes back" in giorgi.opens(giver)
    settle(stripe)
    assert state(stripe)["refunded"] == 1900


def test_a_grave_act_asks_for_the_second_factor(app, giver, paid):
    desk = Desk(app, "treasurer")
    signed_in.forget_confirmation(desk.browser, desk.me)
    desk.opens(giver, do="refund", of=paid.reference)
    answer = desk.posts(giver, "refund", of=paid.reference, seen="2000", amount="5", code="000000")
    assert answer.status_code == 422
    assert beside(desk.browser, "code")
    assert desk.browser.field("amount") == "5"
    assert payments.refunds_of(paid) == []


def test_a_gift_is_stopped_at_stripe(app, stripe):
    make.fundraiser()
    Donor(app, stripe).gives(interval="month")
    settle(stripe)
    (gift,) = db.session.query(donations.Donation)
    giver = people.person_of(gift.person_id)
    said = Desk(app, "support").does(giver, "stop", gift.reference, reason="asked on the telephone")
    assert "nothing more is charged" in said
    db.session.expire_all()
    assert gift.schedule is Schedule.ENDED
    assert state(stripe)["subscriptions_live"] == 0


# --- memberships -------------------------------------------------------------------------------------------


def test_a_membership_is_given_extended_and_ended(app, ana):
    make.plan()
    desk = Desk(app, "support")
    for odd in ("9999-12-31", "0001-01-01"):
        desk.opens(ana, do="grant")
        told = {"plan": "reader", "kind": "gift", "until": odd}
        assert desk.posts(ana, "grant", **told).status_code == 422, odd
        assert "within ten years" in beside(desk.browser, "until")
    until = (clock.now() + timedelta(days=30)).date()
    said = desk.does(
        ana, "grant", plan="reader", kind="complimentary", until=until.isoformat(), reason="press"
    )
    assert "A welcome is on its way" in said
    (held,) = memberships.memberships_of(ana.id)
    assert (held.kind, held.ends_at.date()) == (Kind.COMPLIMENTARY, until)
    was = memberships.open_until(held, grace_days=7)
    desk.does(ana, "extend", held.reference, days="10")
    db.session.expire_all()
    assert memberships.open_until(held, grace_days=7) == was + timedelta(days=10)
    desk.opens(ana, do="extend", of=held.reference)
    assert desk.posts(ana, "extend", of=held.reference, days="9999").status_code == 422
    assert "from 1 to 366" in beside(desk.browser, "days")
    said = desk.does(ana, "end", held.reference, action="now")
    assert "The membership is ended, and the days that were given beyond it with it." in said
    assert "perks closed" in said
    db.session.expire_all()
    assert (held.is_live, memberships.open_until(held, grace_days=7)) == (False, None)
    assert [record.by_id for record in history_of("membership", held.reference)] == [desk.me.id] * 2


def test_whoever_gives_a_membership_has_seen_what_runs(app, ana):
    make.plan()
    desk, tab = Desk(app, "support"), Desk(app, "admin")
    until = (clock.now() + timedelta(days=30)).date().isoformat()
    told = {"plan": "reader", "kind": "complimentary", "until": until}
    tab.opens(ana, do="grant")
    desk.does(ana, "grant", **told)
    assert tab.posts(ana, "grant", beside=tab.browser.field("beside"), **told).status_code == 409
    assert "has changed since you opened this form" in text(tab.browser)
    assert "Reader runs already, until" in text(tab.browser)
    assert len(memberships.memberships_of(ana.id)) == 1
    assert db.session.query(Email).filter_by(template="membership-welcome").count() == 1
    assert tab.posts(ana, "grant", beside=tab.browser.field("beside"), **told).status_code == 303
    assert len(memberships.memberships_of(ana.id)) == 2


def test_what_ends_by_itself_is_only_ended_sooner(app, ana):
    desk = Desk(app, "support")
    told = {"by": desk.me, "reason": "", "settings": make.settings()}
    held = memberships.grant(ana, make.plan(), kind=Kind.GIFT, until=clock.now() + WEEK, **told)
    db.session.commit()
    desk.opens(ana, do="end", of=held.reference)
    assert [b.get("value") for b in desk.browser.page.iter("button") if b.get("name") == "action"] == ["now"]
    assert desk.posts(ana, "end", of=held.reference, action="period").status_code == 409
    assert "It ends on" in text(desk.browser)
    assert "already. You can only end it sooner." in text(desk.browser)
    assert tags("membership", held.reference) == []


def a_double(ana, by):
    held = memberships.grant(
        ana, make.plan(), kind=Kind.GIFT, until=clock.now() + WEEK, by=by, reason="", settings=make.settings()
    )
    held.doubled_at = clock.now()
    db.session.commit()
    return held


def test_a_second_membership_is_kept(app, ana):
    desk = Desk(app, "support")
    held = a_double(ana, desk.me)
    assert "End it and refund" not in desk.opens(ana), "it is a refund, and support may not"
    assert "Both memberships stay" in desk.does(ana, "keep", held.reference)
    desk.opens(ana)
    assert desk.posts(ana, "keep", of=held.reference).status_code == 409


def test_ending_a_second_membership_is_a_refund_and_asks_for_the_second_factor(app, ana):
    desk = Desk(app, "treasurer")
    held = a_double(ana, desk.me)
    assert "Keep both" not in desk.opens(ana)
    signed_in.forget_confirmation(desk.browser, desk.me)
    desk.opens(ana, do="double", of=held.reference)
    assert desk.posts(ana, "double", of=held.reference).status_code == 422
    assert beside(desk.browser, "code")
    db.session.expire_all()
    assert held.is_live
    code = {"code": signed_in.code()}
    assert "everything paid for it goes back" in desk.does(ana, "double", held.reference, **code)
    db.session.expire_all()
    assert (held.is_live, held.ended_by) == (False, "double")


# --- words, mails, addresses -------------------------------------------------------------------------------


def test_notes_and_labels(app, ana):
    desk = Desk(app, "support")
    assert "Rang about her card" in desk.does(ana, "note", text="Rang about her card")
    assert "diaspora" in desk.does(ana, "label", label="diaspora")
    desk.does(ana, "label", label="diaspora", action="off")
    assert notes.labels_of(ana) == []
    assert desk.posts(ana, "label", label="ana@example.org").status_code == 422
    assert "not an address" in beside(desk.browser, "label")
    desk.opens(ana)
    hidden = {name: desk.browser.field(name) for name in ("csrf_token", "attempt")}
    for _ in range(2):
        desk.browser.post(f"{path(ana)}/note", data=hidden | {"text": "once"})
    assert [note.text for note in notes.notes_of(ana)] == ["once", "Rang about her card"]


def test_a_receipt_and_a_link_go_again_but_not_without_end(app, giver, paid):
    desk = Desk(app, "support")
    assert "on its way again" in desk.does(giver, "send", paid.reference)
    mails = db.session.query(Email).filter(Email.dedupe_key.like("receipt:%:again:%")).all()
    assert [vault.unlock(mail.sealed)["to"] for mail in mails] == ["ana@example.org"]
    assert "ten minutes" in desk.does(giver, "send")
    signins.dispatch(make.settings(), clock.now())
    assert db.session.query(Email).filter_by(template="sign-in").count() == 1
    for _ in range(3):
        desk.does(giver, "send")
    desk.opens(giver, do="send")
    assert desk.posts(giver, "send").status_code == 409
    assert tags("payment", paid.reference) == ["receipt.resent"]


def test_an_address_is_corrected_here_and_at_stripe(app, stripe, giver, paid, at):
    tamar, giorgi = Desk(app, "support"), Desk(app, "treasurer")
    tamar.does(giver, "address", email="nino@example.net")
    correction = corrections.open_of(giver)
    assert "nino@example.net" not in giorgi.opens(giver), "whoever decides nothing reads no address"
    now = clock.now()
    assert tamar.posts(giver, "correct", of=correction.reference, action="approve").status_code == 403
    at(now + WEEK)
    giorgi = Desk(app, "admin", email="giorgi@highland-dispatch.example")
    assert "nino@example.net" in giorgi.opens(giver), "nobody agrees to what they cannot read"
    assert giorgi.posts(giver, "correct", of=correction.reference, action="approve").status_code == 303
    assert "here and at Stripe" in giorgi.opens(giver)
    db.session.expire_all()
    assert people.find_by_email("nino@example.net").id == giver.id
    assert state(stripe, "nino@example.net")["customers"] == 1


def test_a_payment_page_opened_under_the_old_address_closes_with_the_correction(app, stripe, giver, paid):
    Desk(app, "support").does(giver, "address", email="nino@example.net")
    correction = corrections.open_of(giver)
    stripe.advance(days=8)
    again = Donor(app, stripe)
    url = again.start()
    desk = Desk(app, "admin", email="giorgi@highland-dispatch.example")
    assert "here and at Stripe" in desk.does(giver, "correct", correction.reference, action="approve")
    again.pay(url)
    settle(stripe)
    assert (state(stripe)["customers"], state(stripe, "nino@example.net")["customers"]) == (0, 1)


def test_the_address_of_a_colleague_is_corrected_by_who_gives_roles(app, ana, at):
    tamar, nana = Desk(app, "support"), Desk(app, "admin")
    roles.grant(ana, roles.Role.ADMIN, by=None)
    assert "Correct the address" not in tamar.opens(ana)
    tamar.opens(ana, do="address")
    assert tamar.posts(ana, "address", email="tamar@example.net").status_code == 403
    assert "has a role here" in text(tamar.browser)
    assert corrections.open_of(ana) is None
    nana.does(ana, "address", email="ana@example.net")
    proposed = corrections.open_of(ana)
    at(clock.now() + WEEK)
    tamar = Desk(app, "support", email="giorgi@highland-dispatch.example")
    assert "Approve the new address" not in tamar.opens(ana)
    assert tamar.posts(ana, "correct", of=proposed.reference, action="approve").status_code == 403
    assert corrections.open_of(ana) is not None
    assert tamar.does(ana, "correct", proposed.reference, action="withdraw")


# --- personal data -----------------------------------------------------------------------------------------


def test_an_export_is_a_file_and_on_record(app, giver, paid):
    desk = Desk(app)
    desk.opens(giver, do="export")
    answer = desk.posts(giver, "export")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{reports.code_of(giver.id)}.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    told = json.loads(answer.data)
    assert (told["person"]["email"], len(told["payments"])) == ("ana@example.org", 1)
    assert "person.exported" in tags("person", giver.reference)


def test_erasing_needs_the_code_and_reaches_stripe(app, stripe, giver, paid):
    desk = Desk(app)
    desk.opens(giver, do="erase")
    assert desk.posts(giver, "erase", short="P-234567").status_code == 422
    assert "not the short code" in beside(desk.browser, "short")
    said = desk.does(giver, "erase", short=reports.code_of(giver.id).lower())
    assert "erased, here and at Stripe" in said
    db.session.expire_all()
    assert (giver.email_key, giver.sealed_identity) == (None, None)
    assert state(stripe)["customers"] == 0
    settle(stripe)
    assert "€20" in desk.opens(giver)


# --- who may what ------------------------------------------------------------------------------------------

ACTS = {
    "note": "write", "label": "write", "send": "write", "arrives": "write", "address": "write", "correct": "write",
    "refund": "refund", "decide": "refund", "export": "personal", "erase": "personal",
    "extend": "grant", "grant": "grant", "end": "grant", "keep": "grant", "double": "refund", "stop": "grant",
}  # fmt: skip
MAY = {
    "viewer": set(),
    "support": {"write", "grant"},
    "treasurer": {"refund"},
    "auditor": set(),
    "admin": {"write", "grant", "refund", "personal"},
}


@pytest.mark.parametrize("role", MAY)
def test_each_role_presses_what_is_its_own(app, ana, role):
    desk = Desk(app, role)
    desk.opens(ana)
    refused = {act for act in ACTS if desk.browser.post(f"{path(ana)}/{act}").status_code == 403}
    assert refused == {act for act, ability in ACTS.items() if ability not in MAY[role]}
    desk.opens(ana)  # and the page offers nothing else
    forms = {form.get("action", "").rsplit("/", 1)[-1] for form in desk.browser.page.iter("form")} & set(ACTS)
    links = {
        a.get("href", "").partition("do=")[2].partition("&")[0].partition("#")[0]
        for a in desk.browser.page.iter("a")
    }
    offered = forms | (links & set(ACTS))
    assert {ACTS[act] for act in offered} <= MAY[role]


def test_nobody_else_sees_the_page(app, ana, client):
    assert client.get(path(ana)).status_code == 303
    signed_in.as_member(client, ana)
    assert client.get(path(ana)).status_code == 403


def test_what_belongs_to_somebody_else_is_not_touched(app, ana):
    given = make.donation(email="nino@example.org", settled=True)
    (theirs,) = payments.payments_of(given.id)
    desk = Desk(app)
    desk.opens(ana)
    answer = desk.posts(ana, "refund", of=theirs.reference, seen="2000", amount="5")
    assert answer.status_code == 404
    assert payments.refunds_of(theirs) == []
    assert "access.refused" in tags("person", ana.reference)


def test_a_form_without_its_tokens_does_nothing_but_shows_the_page_which_is_on_record(app, ana):
    desk = Desk(app)
    answer = desk.browser.post(f"{path(ana)}/note", data={"text": "Planted"})
    assert answer.status_code == 422
    assert notes.notes_of(ana) == []
    assert "ana@example.org" in text(desk.browser)
    assert tags("person", ana.reference) == ["person.revealed"]
    ways = [a.get("href") for a in desk.browser.page.iter("a") if a.get("hreflang")]
    assert ways == [f"/ka{path(ana)}"], "the language switch leads to the page, not to the act"
