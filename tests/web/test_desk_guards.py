"""What the desk refuses and what it writes down, act by act: each of these lines has somebody who relies on it."""

import pytest

from membership.db import db
from membership.domain import audit, payments, people
from tests import make
from tests.journeys.donor import Donor, settle
from tests.web.desk import Desk
from tests.web.visitor import beside


@pytest.fixture
def paid(app, stripe):
    """Ana gave €20 through the pages: her payment, and money at the pretend Stripe."""
    make.fundraiser()
    Donor(app, stripe).gives()
    settle(stripe)
    (payment,) = db.session.query(payments.Payment)
    return payment


@pytest.fixture
def giver(paid):
    return people.person_of(paid.person_id)


def done(kind, reference):
    """What is on record about one thing: the tag, by whom, and why."""
    db.session.expire_all()
    return [(record.tag, record.by_id, record.reason) for record in audit.history_of(kind, reference)]


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
