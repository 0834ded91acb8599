"""The account: what goes on in plain words, and everything a member may do with it, one press each."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from membership import clock
from membership.db import db
from membership.domain import donations, memberships, payments, people, plans
from membership.domain.audit import Record, Tag
from membership.domain.memberships import Kind, Membership, MembershipStatus
from membership.domain.payments import Payment
from membership.web import brakes, view
from tests import make
from tests.journeys.donor import control, path_of, settle, state
from tests.journeys.joiner import Joiner, days
from tests.journeys.member import Member
from tests.queries import counted
from tests.reader import text_of
from tests.signed_in import as_member, as_staff
from tests.web.visitor import beside, text, title

PAGES = ("card", "plan", "leave", "withdraw")


@pytest.fixture
def newsroom(app, stripe):
    make.fundraiser()
    make.plan("friend", perks=("letters",))
    make.plan("patron", prices={"month": "15", "year": "150"}, perks=("letters", "talks"), position=2)
    db.session.commit()


@pytest.fixture
def ana(app, stripe, newsroom):
    """A member who joined just now and is signed in."""
    member = Member(app, stripe)
    member.joins()
    as_member(member.ours, people.find_by_email(member.email))
    return member


@pytest.fixture
def stranger(app, stripe, newsroom):
    """Somebody else who is signed in."""
    other = Member(app, stripe, email="eve@example.org", name="Eve")
    as_member(other.ours, make.person(other.email))
    return other


def refusals() -> int:
    found = select(func.count()).select_from(Record).where(Record.tag == Tag.ACCESS_REFUSED)
    return db.session.scalar(found)


def test_the_whole_way_from_joining_to_the_account(app, stripe, newsroom, mailbox):
    ana = Member(app, stripe)
    ana.joins()
    assert ana.ours.get("/account").status_code == 303
    said = ana.follows(ana.signs_in(mailbox))
    assert "Friend" in said
    assert "€5 every month" in said
    assert "Next payment" in said
    assert "Perk letters" in said
    assert "Perk talks" not in said
    assert "Withdraw and get everything back" in said


def test_nobody_comes_in_without_signing_in(client, newsroom):
    paths = ["/account", *(f"/account/{page}" for page in PAGES), "/account/receipts", "/account/gifts/x"]
    for path in paths:
        assert client.get(path).location == f"/sign-in?next={path}"
        assert client.post(path).status_code in (303, 405)


def test_somebody_without_a_membership_reads_what_joining_opens(stranger):
    said = stranger.opens("/account")
    assert "What joining opens" in said
    assert "Perk talks · Perk letters" in said
    for page in PAGES:
        assert stranger.ours.get(f"/account/{page}").location == "/account"


def test_leaving_and_coming_back(ana, stripe, mailbox):
    until = ana.membership.paid_until
    said = ana.follows(ana.presses("/account/leave", reason="Moving away"))
    assert "You have left" in said
    assert "Stay a member after all" in said
    assert ana.membership.ends_at == until
    assert "Everything stays open" in ana.opens("/account")
    assert ana.sends("/account/leave").status_code == 303  # pressed twice
    said = ana.follows(ana.sends("/account/return"))
    assert "You stay a member." in said
    assert ana.membership.ends_at is None
    settle(stripe)
    assert [one["Subject"] for one in mailbox].count("You have left") <= 1
    assert state(stripe)["subscriptions_live"] == 1


def test_whoever_has_left_reads_the_day_that_staff_gave(ana):
    ana.follows(ana.presses("/account/leave"))
    told = {"by": make.person("staff@example.org"), "reason": "thanks", "settings": make.settings()}
    until = memberships.extend(ana.membership, days=30, **told).extra_until
    db.session.commit()
    assert until > ana.membership.ends_at
    for path in ("/account", f"/leave/{ana.membership.leave_token}"):
        assert f"Everything stays open until {' '.join(view.full_day(until).split())}" in ana.opens(path)


def test_whoever_left_and_joined_again_is_not_asked_to_stay(ana, stripe):
    ana.presses("/account/leave")
    left = ana.membership
    Joiner(stripe).joins(plan="patron")
    assert left.is_live
    for path in ("/account", f"/leave/{left.leave_token}"):
        said = ana.opens(path)
        assert "You have left" in said
        assert "Stay a member after all" not in said


def test_whoever_has_left_is_told_at_once_that_the_plan_cannot_be_changed(ana):
    assert "/account/plan" in hrefs(ana, "/join/patron")
    ana.presses("/account/leave")
    ana.opens("/account")
    said = ana.follows(ana.ours.get("/account/plan"))
    assert "Plan and amount cannot be changed just now." in said
    assert "Stay a member after all" in said
    assert "As it stands" not in ana.opens("/account")
    found = hrefs(ana, "/join/patron")
    assert "/account" in found
    assert "/account/plan" not in found
    assert "whoever has left can stay after all" in text(ana.ours)


def hrefs(member, path):
    member.opens(path)
    return [a.get("href") for a in next(member.ours.page.iter("main")).iter("a")]


def test_a_button_without_a_token_does_nothing(ana):
    for path in ("leave", "pause", "return", "go-on", "keep", "withdraw", "card", "plan", "language"):
        answer = ana.ours.post(f"/account/{path}", data={"months": "1", "language": "ka"})
        assert answer.status_code == 422, path
        assert "Please press again." in text(ana.ours)
        assert title(ana.ours).startswith("Error:")
    assert ana.membership.ends_at is None
    assert ana.membership.status is MembershipStatus.ACTIVE


def test_two_tabs_and_the_older_one_comes_too_late(ana):
    ana.opens("/account/pause")
    told = {"membership": ana.membership.reference, "csrf_token": ana.ours.field("csrf_token")}
    ana.follows(ana.presses("/account/leave"))
    for page, more in (("pause", {"months": "1"}), ("plan", {"price": "patron-month"}), ("leave", {})):
        answer = ana.ours.post(f"/account/{page}", data=told | more)
        assert answer.status_code in (303, 409), page
    assert ana.membership.status is MembershipStatus.ACTIVE
    assert ana.membership.amount == make.EUR("5")


def test_its_pages_are_light_and_kept_nowhere(ana):
    for path in ("", "/card", "/plan", "/leave", "/pause", "/withdraw", "/receipts", "/gifts", "/sessions"):
        answer = ana.ours.get(f"/account{path}", headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200, path
        assert len(answer.data) < 14 * 1024
        assert answer.headers["Cache-Control"] == "no-store"
        assert "ana@example.org" not in text_of(answer)


def test_pausing_and_going_on(ana):
    assert ana.presses("/account/pause", months="4").status_code == 422
    assert beside_of(ana, "months")
    said = ana.follows(ana.presses("/account/pause", months="2"))
    assert "Paused: nothing is charged until" in said
    assert ana.membership.status is MembershipStatus.PAUSED
    said = ana.follows(ana.sends("/account/go-on"))
    assert "The pause is over." in said
    assert ana.membership.status is MembershipStatus.ACTIVE


def beside_of(member, name):
    return any(one.get("id") == f"{name}-wrong" for one in member.ours.page.iter())


def test_withdrawing_gives_everything_back(ana, stripe):
    assert "€5" in ana.opens("/account/withdraw")
    said = ana.follows(ana.sends("/account/withdraw"))
    assert "You have withdrawn." in said
    settle(stripe)
    assert state(stripe)["refunded"] == 500
    assert ana.membership.ended_by == "withdrawn"
    assert "€5 given back" in ana.opens("/account/receipts")
    assert ana.sends("/account/withdraw").status_code == 303
    assert state(stripe)["refunds"] == 1


def test_after_fourteen_days_leaving_is_offered_instead(ana, stripe):
    stripe.advance(days=15)
    assert "The fourteen days are over" in ana.opens("/account/withdraw")
    ana.opens("/account/pause")
    assert ana.sends("/account/withdraw").status_code == 409
    assert state(stripe)["refunds"] == 0


def test_another_plan_costs_what_was_shown(ana, stripe):
    ana.opens("/account/plan")
    assert ana.sends("/account/plan", price="friend-month").status_code == 422
    assert "This is what you have already." in text(ana.ours)
    assert ana.sends("/account/plan", price="patron-month", other_amount="12").status_code == 422
    assert "€15 or more" in beside(ana.ours, "other_amount")
    assert ana.sends("/account/plan", price="gold-month").status_code == 422
    stripe.advance(days=10)
    shown = ana.sends("/account/plan", price="patron-month")
    assert shown.status_code == 200, shown.text
    before, agreed, told = state(stripe)["charged"], ana.ours.field("agreed"), text(ana.ours)
    assert "€15 every month" in told
    first = ana.sends("/account/plan", agreed=agreed)
    assert "It is changed, just as it was shown." in ana.follows(first)
    paid = state(stripe)["charged"] - before
    assert f"Change it and pay €{paid / 100:.2f}" in told
    assert "€15 every month" in ana.opens("/account")
    ana.opens("/account/plan")
    assert ana.sends("/account/plan", agreed=agreed).status_code == 303  # pressed twice
    assert state(stripe)["charged"] - before == paid
    assert ana.membership.amount == make.EUR("15")


def test_a_declined_change_changes_nothing(ana, stripe):
    held = ana.membership
    control(stripe, "card", subscription=held.stripe_subscription_id, card_number="4000000000000341")
    ana.opens("/account/plan")
    ana.sends("/account/plan", price="patron-year")
    answer = ana.sends("/account/plan", agreed=ana.ours.field("agreed"))
    assert answer.status_code == 422
    assert "nothing has changed" in text(ana.ours)
    settle(stripe)
    assert ana.membership.amount == make.EUR("5")


def test_old_figures_and_closed_plans_are_not_agreed_to(ana, stripe):
    ana.opens("/account/plan")
    ana.sends("/account/plan", price="patron-month")
    agreed = ana.ours.field("agreed")
    stripe.advance(seconds=3600)
    assert "reckoned anew" in sent(ana, "/account/plan", agreed=agreed)
    fresh = ana.ours.field("agreed")
    assert fresh != agreed
    assert ana.sends("/account/plan", agreed=f"{fresh}x").status_code == 422
    make.plan("patron", prices={"month": "15"}, perks=("letters",), status="closed")
    db.session.commit()
    assert ana.sends("/account/plan", agreed=fresh).status_code == 409
    assert "not offered at that price any more" in text(ana.ours)
    settle(stripe)
    assert ana.membership.amount == make.EUR("5")


def sent(member, path, **fields):
    member.sends(path, **fields)
    return text(member.ours)


def test_a_plan_that_closed_can_still_be_changed_within(ana):
    make.plan("friend", perks=("letters",), status="closed")
    db.session.commit()
    assert "Friend" in ana.opens("/account/plan")
    ana.sends("/account/plan", price="friend-month", other_amount="0")
    assert "This plan costs €5 or more." in text(ana.ours)
    assert ana.sends("/account/plan", price="friend-month", other_amount="8").status_code == 200
    said = ana.follows(ana.sends("/account/plan", agreed=ana.ours.field("agreed")))
    assert "just as it was shown" in said
    assert ana.membership.amount == make.EUR("8")


def test_a_late_payment_is_mended_with_another_card(ana, stripe):
    held = ana.membership
    control(stripe, "card", subscription=held.stripe_subscription_id, card_number="4000000000000341")
    days(stripe, 33)
    as_member(ana.ours, people.find_by_email(ana.email))  # the old session is a month old
    said = ana.opens("/account")
    assert "The last payment did not go through." in said
    assert "Everything stays open until" in said
    assert "A payment is still waiting" in ana.opens("/account/card/done")
    answer = ana.presses("/account/card", membership=held.reference)
    assert answer.status_code == 303
    back = ana.writes_card(answer.location)
    said = ana.follows(back)
    assert "Paid, and all is well" in said
    assert ana.membership.paid_until > clock.now()  # before any event has come
    settle(stripe)
    assert ana.membership.status is MembershipStatus.ACTIVE
    assert "The card on file pays for this membership" in ana.opens("/account/card/done")  # looked at again


def test_the_way_back_from_the_page_for_cards_keeps_the_language(ana):
    answer = ana.presses("/ka/account/card", membership=ana.membership.reference)
    back = ana.writes_card(answer.location).location
    assert path_of(back).startswith("/ka/account/card/done?")
    assert ana.ours.get(path_of(back)).status_code == 200


def test_a_second_membership_is_kept_when_somebody_says_so(ana, stripe):
    other = Joiner(stripe)
    other.joins(plan="patron")
    said = ana.opens("/account")
    assert "This is a second membership on your address." in said
    reference = ana.membership.reference
    said = ana.follows(ana.sends("/account/keep", membership=reference))
    assert "You keep both memberships." in said
    days(stripe, 4)
    assert state(stripe)["subscriptions_live"] == 2
    said = ana.follows(ana.sends("/account/keep", membership=reference))
    assert "There was nothing to decide" in said


def test_what_staff_gave_costs_nothing_and_offers_no_card(stranger):
    by = make.person("staff@example.org")
    until = clock.now() + timedelta(days=365)
    told = {"kind": Kind.COMPLIMENTARY, "until": until, "by": by, "reason": "thanks"}
    ana = people.find_by_email(stranger.email)
    memberships.grant(ana, plans.get_plan("friend"), settings=make.settings(), **told)
    said = stranger.opens("/account")
    assert "With our compliments, until" in said
    assert "Change the card" not in said
    assert "Leave" not in said.replace("Leave this empty", "")


@pytest.fixture
def given(ana):
    """What staff gave Ana beside the membership she pays for: it is open longer."""
    told = {"kind": Kind.COMPLIMENTARY, "by": make.person("staff@example.org"), "reason": "thanks"}
    until = clock.now() + timedelta(days=365)
    plan, owner = plans.get_plan("patron"), people.find_by_email(ana.email)
    given = memberships.grant(owner, plan, until=until, settings=make.settings(), **told)
    db.session.commit()
    return given


def test_beside_what_staff_gave_the_paid_one_is_changed(ana, given):
    assert "You have Friend for €5 every month" in ana.opens("/account/plan")
    ana.opens("/account/card")
    for page in ("plan", "card"):
        assert ana.ours.get(f"/account/{page}?membership={given.reference}").location == "/account"
    ana.opens("/account/plan")
    answer = ana.sends("/account/plan", membership=given.reference, price="friend-month")
    assert answer.location == "/account"


def test_the_mail_about_a_late_payment_leads_to_the_card_that_failed(ana, given, stripe, mailbox):
    late = db.session.scalar(select(Membership).where(Membership.kind == Kind.PAID))
    other = Joiner(stripe)
    memberships.keep(other.joins(plan="patron"), by=None, now=clock.now())
    db.session.commit()
    control(stripe, "card", subscription=late.stripe_subscription_id, card_number="4000000000000341")
    days(stripe, 33)
    as_member(ana.ours, people.find_by_email(ana.email))  # the old session is a month old
    way = f"/account/card?membership={late.reference}"
    mails = [one.get_body(("plain",)).get_content() for one in mailbox]
    assert {way in mail for mail in mails if "/account/card" in mail} == {True}
    for path in (way, "/account/card"):
        assert "The payment that waits is then made with it at once" in ana.opens(path)
        assert ana.ours.field("membership") == late.reference


def test_receipts_list_print_and_go_out_again(ana, stripe, mailbox, monkeypatch):
    paid = db.session.scalar(select(Payment))
    ana.opens("/account/receipts")
    assert "€5" in text(ana.ours)
    said = ana.opens(f"/account/receipts/{paid.reference}")
    for word in ("Highland Fund e.V.", "Ana", "Friend", "€5", paid.reference, "It is not a tax receipt."):
        assert word in said
    before = len(mailbox)
    for _ in range(2):
        assert "on its way to your mailbox" in ana.follows(ana.sends(f"/account/receipts/{paid.reference}"))
    settle(stripe)
    assert len(mailbox) == before + 1
    assert mailbox[-1]["To"] == ana.email
    monkeypatch.setattr(brakes, "PER_EMAIL_MAILED", 2)
    assert ana.sends(f"/account/receipts/{paid.reference}").status_code == 429


def test_a_payment_goes_on_naming_the_plan_that_was_bought(ana, app):
    person, paid = people.find_by_email(ana.email), db.session.scalar(select(Payment))
    ana.membership.plan_id = plans.get_plan("patron").id
    db.session.commit()
    as_staff(desk := app.test_client())
    for browser, path, is_only in (
        (ana.ours, "/account/receipts", True),
        (ana.ours, f"/account/receipts/{paid.reference}", True),
        (desk, f"/staff/payments?payment={paid.reference}", True),
        (desk, f"/staff/people/{person.reference}", False),  # the membership itself stands there too
    ):
        assert browser.get(path).status_code == 200
        assert "Friend" in text(browser), path
        assert "Patron" not in text(browser) or not is_only, path


def test_a_receipt_stands_without_stripe(ana, stripe):
    paid = db.session.scalar(select(Payment))
    control(stripe, "faults", next=9, kind="429", path="/v1/customers")
    assert ana.ours.get(f"/account/receipts/{paid.reference}").status_code == 200
    assert "Friend" in text(ana.ours)
    control(stripe, "faults", next=0, kind="429", path="/v1/customers")


def test_fifty_receipts_a_page(stranger):
    given = make.donation(email=stranger.email)
    for _ in range(51):
        make.payment(given)
    assert stranger.opens("/account/receipts").count("Keep small newsrooms publishing") == 50
    older = next(a.get("href") for a in stranger.ours.page.iter("a") if "before=" in a.get("href", ""))
    assert stranger.opens(older).count("Keep small newsrooms publishing") == 1


def test_gifts_are_listed_and_stopped(app, stripe, newsroom):
    ana = Member(app, stripe)
    ana.gives(interval="month")
    settle(stripe)
    as_member(ana.ours, people.find_by_email(ana.email))
    assert "Your running gift" in ana.opens("/account")
    path = next(a.get("href") for a in ana.ours.page.iter("a") if "/gifts/" in a.get("href", ""))
    path = path.partition("#")[0]
    assert "€20 every month" in ana.opens("/account/gifts")
    assert "Pause it for three months" in ana.opens(path)
    assert "Nothing more will be charged." in ana.follows(ana.sends(path, action="stop"))
    settle(stripe)
    assert state(stripe)["subscriptions_live"] == 0
    assert not list(ana.ours.page.iter("form"))


def test_a_gift_whose_payment_failed_is_not_said_to_go_on(app, stripe, newsroom):
    ana = Member(app, stripe)
    ana.gives(interval="month")
    settle(stripe)
    person = people.find_by_email(ana.email)
    (gift,) = donations.gifts_of(person.id)
    control(stripe, "card", subscription=gift.stripe_subscription_id, card_number="4000000000000341")
    stripe.advance(days=32)
    settle(stripe)
    as_member(ana.ours, person)
    said = ana.opens(f"/account/gifts/{gift.reference}")
    assert "The last payment did not go through." in said
    assert "the next payment is on" not in said


@pytest.mark.parametrize("kind", ["receipts", "gifts", "membership"])
def test_what_is_anothers_is_not_there_and_on_record(ana, stranger, stripe, kind):
    ana.gives(interval="month")
    settle(stripe)
    person = people.find_by_email(ana.email)
    paid = payments.paid_by(person.id)[0]
    gift = payments.paid_by(person.id)
    theirs = {
        "receipts": [f"/account/receipts/{paid.reference}", f"/account/receipts?before={paid.reference}"],
        "gifts": [f"/account/gifts/{gift_of(gift)}"],
        "membership": [f"/account/{page}?membership={ana.membership.reference}" for page in PAGES],
    }[kind]
    for number, path in enumerate(theirs, start=1):
        assert stranger.ours.get(path).status_code == 404
        assert "Ana" not in stranger.ours.get("/nothing").text
        assert refusals() == number
    stranger.ours.get("/account/language")
    told = {"csrf_token": stranger.ours.field("csrf_token"), "membership": ana.membership.reference}
    for page in ("leave", "return", "withdraw", "keep"):
        assert stranger.ours.post(f"/account/{page}", data=told).status_code == 404
    assert ana.membership.ends_at is None
    assert stranger.ours.get("/account/receipts/nothing").status_code == 404


def gift_of(paid):
    return next(donations.gift_of(one.donation_id).reference for one in paid if one.donation_id)


def test_the_language_of_our_mails(ana, stripe):
    answer = ana.presses("/account/language", language="ka")
    assert answer.location == "/ka/account"
    assert ana.membership.locale == "ka"
    assert people.find_by_email(ana.email).locale == "ka"
    assert ana.presses("/account/language", language="xx").status_code == 422


def test_a_language_is_set_in_the_order_in_which_all_lock_what_is_somebody_s(ana, app):
    with counted(app) as said:
        ana.presses("/account/language", language="ka")
    changed = [re.match(r"UPDATE (donations|memberships|people)\b", statement) for statement in said]
    assert [one[1] for one in changed if one] == ["donations", "memberships", "people"]


def test_other_browsers_are_signed_out(ana, app, stranger):
    elsewhere = app.test_client()
    as_member(elsewhere, people.find_by_email(ana.email))
    assert elsewhere.get("/account").status_code == 200
    ana.opens("/account/sessions")
    theirs = next(b.get("value") for b in ana.ours.page.iter("button") if b.get("name") == "session")
    stranger.opens("/account/language")
    assert stranger.sends("/account/sessions", session=theirs).status_code == 404
    assert elsewhere.get("/account").status_code == 200
    ana.opens("/account/sessions")
    assert "Done." in ana.follows(ana.sends("/account/sessions", session="others"))
    assert elsewhere.get("/account").status_code == 303
    assert ana.ours.get("/account").status_code == 200


def test_after_the_end_the_way_back_is_joining(ana, stripe):
    ana.presses("/account/leave")
    days(stripe, 33)
    as_member(ana.ours, people.find_by_email(ana.email))  # the old session is a month old
    said = ana.opens("/account")
    assert "Your membership has ended" in said
    assert any(a.get("href") == "/join/friend" for a in ana.ours.page.iter("a"))
    assert "Perk letters" in said  # as what joining opens
    assert ana.ours.get("/account/perks/letters").status_code == 403


def test_stripe_out_of_reach_is_said_and_nothing_changes(ana, stripe):
    control(stripe, "faults", next=9, kind="429", path="/v1/billing_portal")
    answer = ana.presses("/account/card")
    assert answer.status_code == 503
    assert "Nothing was changed and nothing was charged." in text(ana.ours)
    control(stripe, "faults", next=9, kind="429", path="/v1/subscriptions")
    said = ana.follows(ana.presses("/account/leave"))
    assert "we ask it again by ourselves" in said
    assert "You have left" in said
    control(stripe, "faults", next=0, kind="429", path="/v1/subscriptions")


def test_however_much_somebody_paid_their_pages_ask_the_database_as_often(app, ana):
    """Another fundraiser, plan or kind of payment is asked for with the others of its kind."""
    other, giver = make.fundraiser("other", partners=1), {"email": ana.email}
    asked = []
    for more in (2, 22):
        for _ in range(more):
            for fundraiser in (None, other):
                make.donation(fundraiser, settled=True, **giver)
        db.session.commit()
        said = []
        for path in ("/account", "/account/receipts", "/account/gifts", "/account/perks/letters"):
            with counted(app) as statements:
                ana.opens(path)
            said.append(len(statements))
        asked.append(said)
    ana.opens("/account/receipts")
    assert text(ana.ours).count("Keep small newsrooms publishing") > 40
    assert asked[0] == asked[1]
    assert max(asked[1]) <= 30
