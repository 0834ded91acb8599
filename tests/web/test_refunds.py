"""Refunds that wait at the desk: failed ones made good, by a transfer or at Stripe, and a second person's word."""

import pytest

from membership import clock
from membership.billing import checkout
from membership.db import db
from membership.domain import donations, ledger, payments, people
from membership.domain.outbox import Email
from membership.domain.payments import RefundStatus
from membership.money import parse
from tests import make, signed_in
from tests.journeys.donor import Donor, control, settle, state
from tests.journeys.joiner import Joiner
from tests.make import EUR
from tests.queries import counted
from tests.web.visitor import beside, text

PAGE = "/staff/refunds"


def fails(stripe, paid):
    """€5 shall go back, Stripe agrees, and days later the card turns out to be closed: that refund."""
    checkout.refund(payments.ask_refund(paid, EUR("5")))
    settle(stripe)
    stripe.advance(days=1)
    settle(stripe)
    control(stripe, "refund_fail", refund=payments.refunds_of(paid)[-1].stripe_refund_id)
    settle(stripe)
    db.session.expire_all()
    return payments.refunds_of(paid)[-1]


@pytest.fixture
def paid(app, stripe):
    """Ana's gift of €20."""
    make.fundraiser()
    Donor(app, stripe).gives()
    settle(stripe)
    stripe.advance(days=1)
    settle(stripe)
    (payment,) = db.session.query(payments.Payment)
    return payment


def settles(client, refund, action, **fields):
    """Press a button of the page as it is now."""
    assert client.get(PAGE).status_code == 200
    told = {"csrf_token": client.field("csrf_token"), "action": action}
    return client.post(f"{PAGE}/{refund.reference}", data=told | fields)


def test_a_transfer_settles_what_failed_and_everybody_sees_it(app, stripe, client, paid):
    refund = fails(stripe, paid)
    giver, reader = people.person_of(paid.person_id), app.test_client()
    signed_in.as_member(reader, giver)
    reader.get(f"/account/receipts/{paid.reference}")
    assert "€5 did not arrive; we look at it" in text(reader)
    signed_in.as_staff(client, "treasurer")
    client.get("/staff/")
    assert "One refund failed and the money is still here" in text(client)
    client.get(f"/staff/people/{giver.reference}")
    assert "A refund failed, and the money is here still" in text(client)
    assert settles(client, refund, "bank").status_code == 422
    assert "what tells the transfer" in beside(client, "note")
    assert settles(client, refund, "bank", note="FT26-1182, ana@example.org").status_code == 422
    assert "leave e-mail addresses out" in text(client)
    assert ledger.balance("bank") == 0
    assert settles(client, refund, "bank", note="FT26-1182").status_code == 303
    client.get(PAGE)
    assert "€5 counts as returned by bank. Whoever paid is told. No refund waits" in text(client)
    client.get("/staff/")
    assert "Nothing needs a person today" in text(client)
    client.get(f"/staff/people/{giver.reference}")
    assert "returned by bank transfer: FT26-1182" in text(client)
    assert "A refund failed, and the money is here still" not in text(client)
    told = [mail.dedupe_key.rpartition(":")[2] for mail in db.session.query(Email).order_by(Email.queued_at)]
    assert told[-3:] == ["sent", "failed", "transferred"]
    assert (ledger.balance("bank"), ledger.balance("stripe")) == (-500, state(stripe)["balance"])
    reader.get(f"/account/receipts/{paid.reference}")
    assert "€5 did not arrive Given back on" in text(reader)
    assert "€5 by bank transfer" in text(reader)
    assert "we look at it" not in text(reader)
    assert settles(client, refund, "bank", note="FT26-1183").status_code == 409
    assert "dealt with this refund already" in text(client)


def test_another_try_at_stripe_settles_it_or_stands_there_itself(stripe, client, paid):
    first = fails(stripe, paid)
    me = signed_in.as_staff(client, "treasurer")
    signed_in.forget_confirmation(client, me)
    assert settles(client, first, "again", code="000000").status_code == 422
    (wrong,) = [e for e in client.page.iter("input") if e.get("aria-invalid") == "true"]
    assert wrong.get("id") == f"code-again-{first.id}"
    assert settles(client, first, "again", code=signed_in.code()).status_code == 303
    settle(stripe)
    db.session.expire_all()
    second = payments.refunds_of(paid)[-1]
    assert (second.status, second.instead_of_id) == (RefundStatus.SUCCEEDED, first.id)
    assert state(stripe)["refunded"] == 500
    client.get(PAGE)
    assert "No refund waits for anybody" in text(client)
    stripe.advance(days=1)
    settle(stripe)
    control(stripe, "refund_fail", refund=second.stripe_refund_id)
    settle(stripe)
    assert [one.id for one, _ in payments.unreturned_refunds()] == [second.id]


@pytest.mark.settings(REVIEW_ABOVE="EUR:4,USD:4,GBP:4,GEL:4")
def test_a_transfer_above_the_limit_waits_for_somebody_else(app, stripe, client, paid):
    donations.accept(donations.gift_of(paid.donation_id))
    refund = fails(stripe, paid)
    signed_in.as_staff(client, "treasurer")
    assert settles(client, refund, "bank", note="FT26-1182").status_code == 303
    made = payments.refunds_of(paid)[-1]
    client.get(PAGE)
    assert "The transfer of €5 is noted, and counts once somebody else agrees" in text(client)
    assert "You proposed it" in text(client)
    assert settles(client, made, "approve").status_code == 403
    assert ledger.balance("bank") == 0
    other = app.test_client()
    signed_in.as_staff(other, "admin")
    other.get(PAGE)
    assert "Returned by bank transfer: FT26-1182" in text(other)
    assert settles(other, made, "approve").status_code == 303
    assert ledger.balance("bank") == -500
    assert payments.remaining(paid) == EUR("15")


@pytest.mark.settings(REVIEW_ABOVE="EUR:4,USD:4,GBP:4,GEL:4")
def test_ending_a_dear_second_membership_leaves_its_refund_to_somebody_else(app, stripe, client):
    make.the_newsroom()
    make.plan("friend")
    Joiner(stripe).joins()
    double = Joiner(stripe).joins()
    page = f"/staff/people/{people.person_of(double.person_id).reference}"
    signed_in.as_staff(client, "treasurer")
    client.get(f"{page}?do=double&of={double.reference}")
    assert "Its refund is above the review limit" in text(client)
    assert "Nothing more is charged meanwhile" in text(client)
    hidden = {name: client.field(name) for name in ("csrf_token", "attempt")}
    assert client.post(f"{page}/double", data=hidden | {"of": double.reference}).status_code == 303
    settle(stripe)
    client.get(page)
    assert "ended, and nothing more is charged" in text(client)
    assert "You proposed it, so somebody else must agree" in text(client)
    assert (state(stripe)["subscriptions_live"], state(stripe)["refunded"]) == (1, 0)
    other = app.test_client()
    signed_in.as_staff(other, "admin")
    other.get(PAGE)
    assert "A second membership that has ended: nothing more is charged for it." in text(other)
    ((refund, _),) = payments.proposed_refunds()
    assert settles(other, refund, "approve").status_code == 303
    assert state(stripe)["refunded"] == 500


def test_what_is_only_proposed_is_nowhere_said_to_be_given_back(app, stripe, client, paid):
    payments.ask_refund(paid, EUR("20"), needs_second=True)
    giver, reader = people.person_of(paid.person_id), app.test_client()
    signed_in.as_staff(client, "treasurer")
    signed_in.as_member(reader, giver)
    for browser, path in (
        (client, "/staff/payments"),
        (client, f"/staff/people/{giver.reference}"),
        (reader, "/account/receipts"),
        (reader, f"/account/receipts/{paid.reference}"),
    ):
        browser.get(path)
        assert "€20" in text(browser)
        for said in ("€20 given back", "Given back €20", "Refunded", "goes back"):
            assert said not in text(browser)


def test_whoever_agrees_to_a_transfer_reads_what_left_the_bank(client):
    given = make.donation(settled=True, amount=parse("20", "USD"))
    (paid,) = payments.payments_of(given.id)
    donations.book(
        paid, make.settlement(paid, amount=1800, fee=50), settings=make.settings(), now=clock.now()
    )
    refund = payments.ask_refund(paid, parse("20", "USD"), needs_second=True)
    refund.bank_reference, refund.bank_minor = "FT26-1182", 1840
    db.session.commit()
    signed_in.as_staff(client, "treasurer")
    for path in (PAGE, f"/staff/people/{people.person_of(paid.person_id).reference}"):
        client.get(path)
        assert "FT26-1182 €18.40 left the bank account." in text(client)


def test_however_many_refunds_failed_the_page_asks_as_often(app, client):
    signed_in.as_staff(client, "treasurer")
    fundraiser = make.fundraiser()

    def asked(more: int) -> int:
        for _ in range(more):
            refund = payments.ask_refund(make.payment(make.donation(fundraiser)), EUR("5"))
            refund.status = RefundStatus.FAILED
        db.session.commit()
        with counted(app) as said:
            client.get(PAGE)
        assert text(client).count("It was transferred") == len(payments.unreturned_refunds())
        return len(said)

    assert asked(2) == asked(6) <= 30
