"""A payment that comes late: mended by another way, or after the membership has ended."""

from urllib.parse import urlsplit

import pytest

from membership.billing import account
from membership.billing.checkout import CardOutcome
from membership.db import db
from membership.domain.memberships import MembershipStatus
from tests import make
from tests.journeys.donor import GOOD, origin, settle, state
from tests.journeys.joiner import Joiner, days


@pytest.fixture
def ana(app, stripe):
    make.the_newsroom()
    make.plan("friend", perks=("letters",))
    db.session.commit()
    return Joiner(stripe)


def becomes_late(ana, stripe) -> None:
    ana.joins()
    ana.card_fails_from_now_on()
    days(stripe, 32)
    assert ana.membership.status is MembershipStatus.PAST_DUE


def pays_by_hand(ana, card=GOOD):
    """On the page of Stripe that the mail leads to: the answer."""
    url = account.here().gateway.invoice(ana.membership.late_invoice_id).pay_url
    told = {"card_number": card, "exp": "12/34", "cvc": "123"}
    return ana.theirs.post(urlsplit(url).path, base_url=origin(url), data=told)


def test_a_new_card_is_not_declined_where_the_payment_was_made_another_way(ana, stripe):
    becomes_late(ana, stripe)
    assert pays_by_hand(ana).status_code == 303  # and its webhook has not come yet
    assert ana.changes_card("5555555555554444") is CardOutcome.PAID
    settle(stripe)
    assert (ana.membership.status, state(stripe)["charges"]) == (MembershipStatus.ACTIVE, 2)


def test_a_new_card_that_its_bank_declines_is_declined(ana, stripe):
    becomes_late(ana, stripe)
    assert ana.changes_card("4000000000000341") is CardOutcome.DECLINED
    assert state(stripe)["charges"] == 1
