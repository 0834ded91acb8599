"""Withdrawing from a new membership without signing in, and leaving one: mailed links, pages with one button."""

import pytest
from sqlalchemy import func, select

from membership.billing import checkout
from membership.db import db
from membership.domain.memberships import MembershipStatus
from membership.domain.outbox import Email
from membership.web import brakes
from tests import make
from tests.journeys.donor import control, settle, state
from tests.journeys.joiner import days
from tests.journeys.member import Member, links
from tests.web.visitor import beside, text, title, tokens, value


@pytest.fixture
def ana(app, stripe):
    make.fundraiser()
    make.plan("friend", perks=("letters",))
    db.session.commit()
    member = Member(app, stripe)
    member.joins()
    member.ours = app.test_client()  # what follows needs neither this browser nor a sign-in
    return member


def ask(client, path, email):
    return client.post(path, data=tokens(client, path) | {"email": email}, follow_redirects=True)


def mails() -> int:
    return db.session.scalar(select(func.count()).select_from(Email))


def way(ana, what="leave"):
    return f"/{what}/{ana.membership.leave_token}"


@pytest.mark.parametrize(("email", "more"), [("ana@example.org", 1), ("stranger@example.org", 0)])
@pytest.mark.parametrize(("path", "said"), [("/withdraw", "If a membership began under this address"),
                                            ("/leave", "is on its way")])  # fmt: skip
def test_the_same_answer_whether_we_know_the_address(ana, path, said, email, more):
    before = mails()
    assert ask(ana.ours, path, email).request.path == path
    assert said in text(ana.ours)
    assert mails() == before, "who it is, the worker finds out"
    settle(ana.stripe)
    assert mails() == before + more


def test_an_odd_address_a_missing_token_and_too_many_tries(ana, monkeypatch):
    assert ask(ana.ours, "/withdraw", "nobody").status_code == 422
    assert beside(ana.ours, "email")
    assert title(ana.ours).startswith("Error:")
    assert ana.ours.post("/withdraw", data={"email": "ana@example.org"}).status_code == 422
    assert value(ana.ours, "email") == "ana@example.org"
    monkeypatch.setattr(brakes, "PER_BROWSER", 0)
    assert ask(ana.ours, "/withdraw", "ana@example.org").status_code == 429


def test_withdrawing_by_the_mailed_link(ana, stripe, mailbox):
    ask(ana.ours, "/withdraw", ana.email)
    settle(stripe)
    link = links(mailbox, "withdraw")[-1]
    for _ in range(2):
        said = ana.opens(link)
    assert "Withdraw from Friend" in said
    assert "€5" in said
    for secret in ("Ana", "ana@example.org", "4242"):
        assert secret not in said
    assert state(stripe)["refunded"] == 0
    assert "You have withdrawn" in ana.follows(ana.sends(link))
    assert ana.sends(link).status_code == 303  # pressed twice
    settle(stripe)
    assert state(stripe)["refunded"] == 500
    assert state(stripe)["refunds"] == 1
    assert ana.membership.status is MembershipStatus.ENDED
    assert "You have withdrawn" in ana.opens(link)


def test_after_fourteen_days_it_is_said_kindly_and_leaving_offered(ana, stripe):
    stripe.advance(days=15)
    settle(stripe)
    before = mails()
    ask(ana.ours, "/withdraw", ana.email)
    settle(stripe)
    assert mails() == before
    assert "The fourteen days are over" in ana.opens(way(ana, "withdraw"))
    assert any(a.get("href") == way(ana) for a in ana.ours.page.iter("a"))
    ana.opens(way(ana))
    ana.sends(way(ana, "withdraw"))
    settle(stripe)
    assert state(stripe)["refunds"] == 0
    assert ana.membership.is_live


def test_one_mail_for_a_gift_and_a_membership(ana, stripe, mailbox):
    ana.gives(interval="month")
    settle(stripe)
    mailbox.clear()
    ask(ana.ours, "/ka/leave", ana.email)
    settle(stripe)
    assert len(mailbox) == 1
    found = links(mailbox, "leave")
    assert len(found) == 2
    assert all(link.startswith("/ka/leave/") for link in found)


def test_leaving_without_signing_in_and_taking_it_back(ana, stripe):
    link = way(ana)
    for _ in range(3):
        assert "Leave or pause this membership" in ana.opens(link)
    assert ana.membership.ends_at is None
    assert "You have left" in ana.follows(ana.sends(link, action="stop", reason="Moving"))
    assert ana.membership.ends_at == ana.membership.paid_until
    assert [b.get("value") for b in ana.ours.page.iter("button")] == ["undo"]
    assert "You stay a member" in ana.follows(ana.sends(link, action="undo"))
    settle(stripe)
    assert state(stripe)["subscriptions_live"] == 1
    ana.sends(link, action="stop")
    days(stripe, 32)
    assert "This membership has ended" in ana.opens(link)
    assert not list(ana.ours.page.iter("form"))
    assert ana.sends(link, action="undo").status_code == 303
    assert ana.membership.status is MembershipStatus.ENDED


def test_a_rest_of_two_months(ana, stripe):
    link = way(ana)
    ana.opens(link)
    assert ana.sends(link, action="pause", months="12").status_code == 422
    assert ana.sends(link, action="refund").status_code == 422
    assert ana.ours.post(link, data={"action": "stop"}).status_code == 422
    assert "Your membership is paused" in ana.follows(ana.sends(link, action="pause", months="2"))
    assert ana.membership.status is MembershipStatus.PAUSED
    assert [b.get("value") for b in ana.ours.page.iter("button")] == ["stop"]


def test_stripe_down_is_noted_and_asked_again(ana, stripe):
    control(stripe, "faults", next=9, kind="429", path="/v1/subscriptions")
    assert "We have noted it" in ana.follows(ana.presses(way(ana), action="stop"))
    control(stripe, "faults", next=0, kind="429", path="/v1/subscriptions")
    stripe.advance(seconds=60)
    checkout.resume_calls()
    settle(stripe)
    assert ana.membership.ends_at is not None


def test_links_to_nothing(ana):
    for path in ("/withdraw/nothing", "/withdraw/nothing/more"):
        assert ana.ours.get(path).status_code == 404
        assert ana.ours.post(path).status_code == 404
