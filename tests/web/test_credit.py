"""What members and staff read of credit: the sum, and what becomes of it."""

import pytest

from membership.billing import checkout
from membership.db import db
from membership.domain import payments, people
from tests import make, signed_in
from tests.journeys.donor import settle
from tests.journeys.member import Member
from tests.web.visitor import text

WHAT_IS_LEFT = "Your credit of €245 is what is left of an earlier payment. When the membership has ended it goes back to you"


@pytest.fixture
def ana(app, stripe, mailbox):
    """Signed in, and still without credit: patron by the year."""
    make.the_newsroom()
    make.plan("friend", perks=("letters",))
    make.plan("patron", prices={"month": "25", "year": "250"}, perks=("letters",))
    db.session.commit()
    member = Member(app, stripe)
    member.joins(plan="patron", price="year-EUR")
    member.signs_in(mailbox)
    return member


def pays_less(ana):
    """To friend by the month, through the pages."""
    ana.opens("/account/plan")
    ana.sends("/account/plan", price="friend-month", other_amount="")
    preview = text(ana.ours)
    ana.sends("/account/plan", agreed=ana.ours.field("agreed"))
    settle(ana.stripe)
    return preview


def ends(ana):
    for _ in range(2):
        ana.stripe.advance(days=16)
        settle(ana.stripe)


def staff_reads(app, ana, path=None):
    desk = app.test_client()
    signed_in.as_staff(desk, "treasurer")
    desk.get(path or f"/staff/people/{people.find_by_email(ana.email).reference}")
    return text(desk)


def test_a_member_reads_what_becomes_of_credit_from_the_change_to_the_end(app, ana, mailbox):
    assert "If you leave before it is used up, what is left of it goes back to you." in pays_less(ana)
    assert "Credit at Stripe: €245" in staff_reads(app, ana)
    for path in ("/account/leave", f"/leave/{ana.membership.leave_token}"):
        assert WHAT_IS_LEFT in ana.opens(path)
    ana.presses("/account/leave")
    for path in ("/account", f"/leave/{ana.membership.leave_token}"):
        assert WHAT_IS_LEFT in ana.opens(path)
    ends(ana)
    ana.signs_in(mailbox)
    assert "Your credit of €245 goes back to you; you need not do anything." in ana.opens("/account")
    for _ in range(3):
        ana.stripe.advance(seconds=60)
        checkout.resume_calls()
        settle(ana.stripe)
    for path in ("/account", f"/leave/{ana.membership.leave_token}"):
        assert "Your credit of €245 has been given back, the way it was paid." in ana.opens(path)
    said = staff_reads(app, ana)
    assert "Credit at Stripe" not in said
    assert "credit that was left" in said


def test_whoever_has_no_credit_reads_nothing_of_it(app, ana):
    for path in ("/account/leave", "/account", f"/leave/{ana.membership.leave_token}"):
        assert "credit" not in ana.opens(path)
    assert "Credit at Stripe" not in staff_reads(app, ana)


def test_credit_that_no_payment_gives_back_leads_staff_to_its_member(app, ana, stripe):
    pays_less(ana)
    (paid,) = payments.payments_of(membership_id=ana.membership.id)
    checkout.refund(payments.ask_refund(paid, make.EUR("250")))
    checkout.end_now(ana.membership)
    settle(stripe)
    stripe.advance(seconds=3700)
    said = staff_reads(app, ana, "/staff/")
    assert "Credit left over" in said
    assert "€245" in said
    listed = staff_reads(app, ana, "/staff/people?course=credit")
    assert "Ana" in listed
    assert "Otherwise see whether it is still due, transfer it if so" in staff_reads(app, ana)
