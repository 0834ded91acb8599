"""Refunds that failed and are made good: what the books say then, who must agree, what is dealt with and what is not."""

import uuid

import pytest
from sqlalchemy import event

from membership import clock
from membership.db import db
from membership.domain import (
    donations,
    fundraisers,
    ledger,
    memberships,
    payments,
    people,
    personal_data,
    reports,
    returns,
    roles,
)
from membership.domain.payments import RefundStatus, Settlement
from membership.errors import Conflict, Invalid, NotAllowed
from membership.money import Money, parse
from tests import make
from tests.make import EUR
from tests.records import history_of


@pytest.fixture
def paid(app):
    return payments.payments_of(make.donation(booked=True).id)[0]


@pytest.fixture
def tamar(app):
    return make.person("tamar@example.org", "Tamar")


def moved(amount):
    """A balance transaction without a fee."""
    told = {"id": f"txn_{uuid.uuid4().hex}", "currency": "EUR", "created": clock.now()}
    return Settlement(amount=amount, fee=0, net=amount, **told)


def failed(paid, amount, *, is_put_back=True):
    """A refund that Stripe made, and that the card did not take."""
    refund = payments.ask_refund(paid, amount)
    refund.stripe_refund_id = f"re_{uuid.uuid4().hex}"
    settled = amount.minor * paid.settled_minor // paid.amount_minor
    donations.book_refund(paid, refund, moved(-settled))
    refund.status = RefundStatus.FAILED
    if is_put_back:
        donations.undo_refund(paid, refund, moved(settled))
    return refund


def waiting():
    found = reports.desk.matters(roles.ABILITIES[roles.Role.TREASURER], now=clock.now())
    return {matter.kind: matter.count for matter in found}


def by_bank(refund, by, **more):
    return returns.by_bank(refund, reference="FT26-1182", by=by, settings=make.settings(), **more)


def balances():
    """What each account holds, those of the shares and of the fees together; those at zero are left out."""
    codes = ("stripe", "bank", "fees", "lost-fees", "exchange", "share", "host-share", "held")
    held = {code: sum(ledger.balances(code).values()) for code in codes}
    return {code: amount for code, amount in held.items() if amount}


def test_a_transfer_takes_from_the_shares_what_a_refund_takes_and_leaves_the_bank(paid, tamar):
    fundraiser = fundraisers.find_fundraiser("small-newsrooms")
    refund = failed(paid, EUR("20"))
    assert waiting() == {"unreturned": 1}
    assert fundraiser.raised_minor == 2000
    made = by_bank(refund, tamar)
    assert (made.status, made.instead_of_id, made.bank_reference) == (
        RefundStatus.SUCCEEDED,
        refund.id,
        "FT26-1182",
    )
    assert balances() == {"stripe": 1945, "bank": -2000, "lost-fees": 55}, (
        "the fee was the shares', so is its loss"
    )
    assert (fundraiser.raised_minor, fundraisers.totals_off()) == (0, [])
    assert (payments.refunded(paid), payments.remaining(paid), waiting()) == (EUR("20"), EUR("0"), {})
    record = history_of("payment", paid.reference)[-1]
    assert (record.tag, record.by_id, record.reason) == ("refund.transferred", tamar.id, "FT26-1182")


def test_what_is_dealt_with_is_not_dealt_with_again(paid, tamar):
    refund = failed(paid, EUR("5"))
    with pytest.raises(Invalid, match="tells the transfer"):
        returns.by_bank(refund, reference="  ", by=tamar, settings=make.settings())
    returns.again(refund, by=tamar)
    for verb in (by_bank, lambda one, by: returns.again(one, by=by)):
        with pytest.raises(Conflict, match="dealt with"):
            verb(refund, tamar)
    with pytest.raises(Conflict, match="not failed"):
        by_bank(payments.refunds_of(paid)[-1], tamar)
    assert [one.amount_minor for one in payments.refunds_of(paid)] == [500, 500]


def test_nothing_is_transferred_before_stripe_has_put_the_money_back(paid, tamar):
    refund = failed(paid, EUR("5"), is_put_back=False)
    with pytest.raises(Conflict, match="not put this money back"):
        by_bank(refund, tamar)
    donations.undo_refund(paid, refund, moved(500))
    assert by_bank(refund, tamar).status is RefundStatus.SUCCEEDED


def test_one_made_good_leaves_the_others_waiting(paid, tamar):
    first, second = failed(paid, EUR("8")), failed(paid, EUR("3"))
    by_bank(first, tamar)
    assert [one.id for one, _ in payments.unreturned_refunds()] == [second.id]
    again = returns.again(second, by=tamar)
    assert payments.unreturned_refunds() == []
    again.status = RefundStatus.FAILED
    assert [one.id for one, _ in payments.unreturned_refunds()] == [again.id]
    by_bank(again, tamar)
    assert (payments.remaining(paid), waiting()) == (EUR("9"), {})


def test_nobody_is_erased_while_money_is_here_that_was_to_go_back_to_them(paid, tamar):
    ana = people.person_of(paid.person_id)
    refund = failed(paid, EUR("5"))
    with pytest.raises(Conflict, match="failed"):
        personal_data.erase(ana, by=tamar)
    by_bank(refund, tamar)
    personal_data.erase(ana, by=tamar)
    assert ana.email_key is None


@pytest.mark.settings(REVIEW_ABOVE="EUR:20,USD:20,GBP:20,GEL:60")
def test_a_large_transfer_counts_once_somebody_else_agrees(app, tamar):
    giorgi = make.person("giorgi@example.org", "Giorgi")
    given = make.donation(amount=EUR("25"), booked=True)
    donations.accept(given, by=tamar)
    (paid,) = payments.payments_of(given.id)
    refund = failed(paid, EUR("25"))
    made = by_bank(refund, tamar)
    assert (made.status, ledger.balance("bank")) == (RefundStatus.PROPOSED, 0)
    assert waiting() == {"refund": 1}
    with pytest.raises(NotAllowed):
        returns.approve(made, by=tamar)
    payments.withdraw_refund(made, by=giorgi)
    assert waiting() == {"unreturned": 1}
    returns.approve(by_bank(refund, tamar), by=giorgi)
    assert (waiting(), ledger.balance("bank")) == ({}, -2500)


def test_a_gift_in_another_currency_says_what_left_the_bank_and_two_people_say_so(app, tamar):
    given = make.donation(settled=True, amount=parse("20", "USD"))
    (paid,) = payments.payments_of(given.id)
    donations.book(
        paid, make.settlement(paid, amount=1800, fee=50), settings=make.settings(), now=clock.now()
    )
    refund = failed(paid, parse("20", "USD"))
    for wrong in (None, parse("18", "USD"), Money(0, "EUR")):
        with pytest.raises(Invalid, match="left the bank"):
            by_bank(refund, tamar, left=wrong)
    made = by_bank(refund, tamar, left=EUR("18.40"))
    assert (made.status, ledger.balance("bank")) == (RefundStatus.PROPOSED, 0)
    assert returns.left_bank(made, paid) == EUR("18.40")
    returns.approve(made, by=make.person("giorgi@example.org", "Giorgi"))
    assert (ledger.balance("bank"), ledger.balance("exchange"), ledger.balance("lost-fees")) == (
        -1840,
        40,
        50,
    )
    assert sum(ledger.balances("share").values()) == 0


def test_a_held_gift_of_which_a_part_was_transferred_is_accepted_for_the_rest(app, tamar):
    given = make.donation(booked=True, amount=EUR("1500"))
    (paid,) = payments.payments_of(given.id)
    by_bank(failed(paid, EUR("500")), tamar)
    fundraiser = fundraisers.fundraiser_of(given.fundraiser_id)
    assert fundraiser.raised_minor == 0
    donations.accept(given, by=tamar)
    assert (fundraiser.raised_minor, sum(ledger.balances("held").values())) == (100000, 0)


@pytest.mark.parametrize(
    ("which", "index"),
    [
        (payments.proposed_refunds, "ix_refunds_proposed"),
        (payments.unreturned_refunds, "ix_refunds_failed"),
        (lambda: memberships.left_over(clock.now()), "ix_memberships_credit"),
    ],
)
def test_what_waits_is_found_along_its_own_index(app, database, which, index):
    heard, connection = [], db.session.connection()
    event.listen(connection, "before_cursor_execute", lambda *told: heard.append(told[2:4]))
    which()
    statement, told = heard[-1]
    if database == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # so small a table is read as a whole
    explain = {"postgresql": "EXPLAIN", "sqlite": "EXPLAIN QUERY PLAN"}[database]
    plan = connection.exec_driver_sql(f"{explain} {statement}", told).all()
    assert index in str(plan)
