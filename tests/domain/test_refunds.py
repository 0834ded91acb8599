"""Refunds that staff ask for: what remains, who must agree, and what is on record."""

import pytest

from membership import clock
from membership.domain import payments, reports, roles
from membership.domain.payments import RefundStatus
from membership.errors import Conflict, Invalid, NotAllowed
from tests import make
from tests.make import EUR
from tests.records import history_of


@pytest.fixture
def paid(app):
    return payments.payments_of(make.donation(settled=True).id)[0]


@pytest.fixture
def tamar(app):
    return make.person("tamar@example.org", "Tamar")


def waiting():
    """What stands at the treasurer's desk: kind -> how often."""
    found = reports.desk.matters(roles.ABILITIES[roles.Role.TREASURER], now=clock.now())
    return {matter.kind: matter.count for matter in found}


def test_the_same_press_gives_the_same_refund(paid, tamar):
    first = payments.ask_refund(paid, EUR("5"), by=tamar, reference="press-1")
    assert payments.ask_refund(paid, EUR("5"), by=tamar, reference="press-1") is first
    assert payments.remaining(paid) == EUR("15")
    (record,) = history_of("payment", paid.reference)
    assert (record.tag, record.by_id, record.details["minor"]) == ("payment.refunded", tamar.id, 500)


def test_a_refund_above_the_review_limit_waits_for_another_person(paid, tamar):
    giorgi = make.person("giorgi@example.org", "Giorgi")
    refund = payments.ask_refund(paid, EUR("15"), by=tamar, needs_second=True)
    assert refund.status is RefundStatus.PROPOSED
    with pytest.raises(Invalid):  # what is proposed is kept aside
        payments.ask_refund(paid, EUR("10"), by=tamar)
    with pytest.raises(NotAllowed):
        payments.approve_refund(refund, by=tamar)
    payments.approve_refund(refund, by=giorgi)
    assert (refund.status, refund.asked_by_id, refund.approved_by_id) == (
        RefundStatus.ASKED,
        tamar.id,
        giorgi.id,
    )
    with pytest.raises(Conflict):
        payments.withdraw_refund(refund, by=giorgi)
    tags = [record.tag for record in history_of("payment", paid.reference)]
    assert tags == ["refund.proposed", "refund.approved"]


def test_a_proposal_taken_back_leaves_all_of_it(paid, tamar):
    refund = payments.ask_refund(paid, EUR("20"), by=tamar, needs_second=True)
    assert (payments.remaining(paid), waiting()) == (EUR("0"), {"refund": 1})
    payments.withdraw_refund(refund, by=tamar)
    assert (payments.remaining(paid), waiting()) == (EUR("20"), {})


def test_small_refunds_do_not_add_up_past_the_limit_unseen(app, tamar):
    limit = make.settings().review_above["EUR"]
    paid = payments.payments_of(make.donation(settled=True, amount=limit + limit).id)[0]
    assert not payments.needs_second(paid, limit, settings=make.settings())
    payments.ask_refund(paid, limit, by=tamar)
    assert payments.needs_second(paid, EUR("1"), settings=make.settings())
