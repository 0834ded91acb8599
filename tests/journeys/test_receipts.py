"""A receipt says what was bought with its payment, and how often, whatever its member has by now."""

from datetime import date, timedelta

from membership import clock
from membership.billing import account, checkout, inbox, notices
from membership.billing.facts import Contact
from membership.db import db
from membership.domain import payments, people, plans
from membership.domain.outbox import Email
from membership.vault import unlock
from tests import make, signed_in
from tests.journeys.donor import control, settle
from tests.journeys.joiner import Joiner, days
from tests.web.visitor import text


def test_a_payment_keeps_its_plan_and_rhythm_when_its_member_changes(app, stripe):
    make.the_newsroom()
    make.plan("friend")
    make.plan("patron", prices={"month": "15", "year": "150"})
    ana = Joiner(stripe)
    mine = ana.joins()
    days(stripe, 1)
    how = {"plan": plans.get_plan("patron"), "amount": make.EUR("150"), "interval": "year"}
    shown = checkout.preview(mine, **how)
    checkout.change(mine, **how, proration_at=shown.proration_at)
    settle(stripe)
    first, second = payments.payments_of(membership_id=mine.id)
    assert [(plans.plan_of(one.plan_id).slug, one.interval) for one in (first, second)] == [
        ("friend", "month"),
        ("patron", "year"),
    ]
    seen_late = account.here().gateway.charge(first.stripe_charge_id)
    assert seen_late.interval == "month", "as its own price says, not the subscription of today"
    to = Contact(None, "ana@example.org", "Ana")
    assert notices.receipt_again(first, to, attempt="x", settings=make.settings(), now=first.paid_at)
    (mail,) = [one for one in db.session.query(Email) if one.dedupe_key.endswith("again:x")]
    told = unlock(mail.sealed)["context"]
    assert (told["plan"], told["interval"]) == ("Friend", "month")
    back = payments.ask_refund(first, make.EUR("1"))
    notices.refund(first, back, to, settings=make.settings(), now=first.paid_at)
    (mail,) = db.session.query(Email).filter_by(template="refund-notice")
    assert unlock(mail.sealed)["context"]["what"] == "Friend"
    owner, reader, desk = people.person_of(mine.person_id), app.test_client(), app.test_client()
    signed_in.as_member(reader, owner)
    for paid, says in ((first, "Friend How oftenevery month"), (second, "Patron How oftenevery year")):
        assert reader.get(f"/account/receipts/{paid.reference}").status_code == 200
        assert says in text(reader)
    signed_in.as_staff(desk, "viewer")
    for page in ("/staff/payments", f"/staff/people/{owner.reference}"):
        assert desk.get(page).status_code == 200
        assert "Friend, monthly" in text(desk)
        assert "Patron, yearly" in text(desk)


def test_what_is_not_known_of_an_old_payment_is_not_said(app, stripe):
    make.the_newsroom()
    make.plan("friend")
    mine = Joiner(stripe).joins()
    (paid,) = payments.payments_of(membership_id=mine.id)
    paid.interval = None
    reader = app.test_client()
    signed_in.as_member(reader, people.person_of(mine.person_id))
    reader.get(f"/account/receipts/{paid.reference}")
    assert "How often" not in text(reader)


def test_a_receipt_that_comes_late_tells_its_own_period(app, stripe):
    make.the_newsroom()
    make.plan("friend")
    Joiner(stripe).joins()
    control(stripe, "webhooks", modes=["drop"])
    stripe.advance(days=63)
    newest, older, _ = account.here().gateway._client.v1.charges.list({"limit": 3}).data
    until = []
    for charge in (newest, older):
        inbox.mark_dirty([("charge", charge.id)], now=clock.now())
        db.session.commit()
        while inbox.work():
            pass
        told = unlock(db.session.get_one(Email, f"receipt:{charge.id}").sealed)["context"]
        until.append(date.fromisoformat(told["covers_until"]))
    newer, older = until
    assert timedelta(days=28) <= newer - older <= timedelta(days=31)
