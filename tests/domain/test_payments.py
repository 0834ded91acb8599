"""Payments in the books: what a gift, a refund and a refund that failed do to every account, to the cent."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from membership import clock
from membership.db import db
from membership.domain import donations, fundraisers, ledger, payments
from membership.domain.payments import PaymentStatus, Settlement
from membership.errors import Conflict, Invalid
from membership.money import Money
from tests import make
from tests.make import EUR

SHARES = "share:small-newsrooms"


@pytest.fixture
def paid(app):
    """€20 among two outlets as three to two, booked."""
    made = make.donation(make.fundraiser(weights=(3, 2)), booked=True)
    return payments.payments_of(made.id)[0]


def back(paid, minor, *, settled=None, name=None):
    """A refund of this much that Stripe has made and booked."""
    name = name or f"re_{len(payments.refunds_of(paid))}"
    row = payments.refund_seen(
        paid, name, amount_minor=minor, status="succeeded", request=None, at=clock.now()
    )
    gone = -(minor if settled is None else settled)
    donations.book_refund(paid, row, Settlement(f"txn_{name}", "EUR", gone, 0, gone, clock.now()))
    return row


def fails(paid, row):
    amount = -ledger.postings_of(ledger.find_entry(f"bt:{row.booked_as}"))["stripe"]
    donations.undo_refund(
        paid, row, Settlement(f"txn_back_{row.stripe_refund_id}", "EUR", amount, 0, amount, clock.now())
    )


def raised() -> int:
    db.session.expire_all()
    return fundraisers.find_fundraiser("small-newsrooms").raised_minor


def test_a_gift_in_the_books(paid):
    assert ledger.postings_of(ledger.entries_of(paid.subject)[0]) == {
        "stripe": 1945,
        "fees": 55,
        "fees:shares": -55,
        f"{SHARES}:outlet-0": -1167,
        f"{SHARES}:outlet-1": -778,
    }
    assert raised() == 2000


def test_where_the_host_bears_the_fee_the_shares_get_the_gross(app):
    made = make.donation(make.fundraiser(weights=(3, 2), fee_bearer="host"), booked=True)
    entry = ledger.entries_of(payments.payments_of(made.id)[0].subject)[0]
    assert ledger.postings_of(entry) == {
        "stripe": 1945,
        "fees": 55,
        f"{SHARES}:outlet-0": -1200,
        f"{SHARES}:outlet-1": -800,
    }


def test_a_full_refund_takes_everything_back_and_the_lost_fee_has_its_own_account(paid):
    back(paid, 2000)
    assert ledger.balances(SHARES) == {f"{SHARES}:outlet-0": 0, f"{SHARES}:outlet-1": 0}
    assert ledger.balance("lost-fees") == 55
    assert ledger.balance("stripe") == -55
    assert raised() == 0


def test_the_same_refund_is_booked_once(paid):
    row = back(paid, 500)
    donations.book_refund(paid, row, Settlement(row.booked_as, "EUR", -500, 0, -500, clock.now()))
    assert len(ledger.entries_of(paid.subject)) == 2


def test_a_worse_rate_on_the_way_back_is_exchange_and_nobodys_share(app):
    made = make.donation(make.fundraiser(weights=(1, 1)), amount=Money(10000, "GEL"))
    row = make.payment(made)
    donations.book(row, make.settlement(row, amount=3300, fee=75), settings=make.settings(), now=clock.now())
    back(row, 10000, settled=3320)
    assert ledger.balance("exchange") == 20
    assert ledger.balance("lost-fees") == 75
    assert sum(ledger.balances(SHARES).values()) == 0
    assert ledger.balance("stripe") == 3225 - 3320


def test_a_refund_that_failed_after_all_leaves_the_books_as_they_were(paid):
    before = ledger.balances(SHARES)
    row = back(paid, 700)
    fails(paid, row)
    fails(paid, row)
    assert ledger.balances(SHARES) == before
    assert (ledger.balance("lost-fees"), ledger.balance("stripe"), raised()) == (0, 1945, 2000)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.tuples(st.integers(1, 900), st.booleans()), min_size=1, max_size=6))
def test_any_partial_refunds_some_failing_later_end_exact(app, parts):
    fundraiser = fundraisers.find_fundraiser("small-newsrooms") or make.fundraiser(weights=(3, 2))
    before = {code: ledger.balance(code) for code in ("stripe", "lost-fees", "fees", "fees:shares")}
    shared = ledger.balances(SHARES)
    made = make.donation(fundraiser, booked=True)
    paid = payments.payments_of(made.id)[0]
    given_out = {code: amount - shared.get(code, 0) for code, amount in ledger.balances(SHARES).items()}
    left, rows = 2000, []
    for number, (wanted, fails_later) in enumerate(parts):
        if minor := min(wanted, left):
            rows.append((back(paid, minor, name=f"re_{paid.id}_{number}"), fails_later))
            left -= minor
    for row, fails_later in rows:
        if fails_later:
            fails(paid, row)
            left += row.amount_minor
    if left:
        back(paid, left, name=f"re_{paid.id}_rest")
    assert {code: ledger.balances(SHARES)[code] - shared.get(code, 0) for code in given_out} == dict.fromkeys(
        given_out, 0
    )
    assert ledger.balance("stripe") - before["stripe"] == -55
    assert ledger.balance("lost-fees") - before["lost-fees"] == 55


def test_a_pending_payment_is_no_payment_yet(app):
    made = make.donation(make.fundraiser())
    row = make.payment(made, status=PaymentStatus.PENDING)
    assert made.status is donations.Status.PROCESSING
    with pytest.raises(Conflict):
        payments.ask_refund(row, EUR("1"))


def test_refunds_never_exceed_the_payment(paid):
    payments.ask_refund(paid, EUR("15"))
    for amount in ("5.01", "20"):
        with pytest.raises(Invalid):
            payments.ask_refund(paid, EUR(amount))
    with pytest.raises(Invalid):
        payments.ask_refund(paid, Money(0, "EUR"))
    payments.ask_refund(paid, EUR("5"))


def test_money_settled_in_another_currency_is_set_apart_and_not_in_the_books(app):
    made = make.donation(make.fundraiser())
    row = make.payment(made)
    donations.book(row, make.settlement(row, currency="USD"), settings=make.settings(), now=clock.now())
    assert row.apart == "other-currency"
    assert ledger.entries_of(row.subject) == []


def test_what_is_never_booked_is_not_waited_for(app):
    row = make.payment(make.donation(make.fundraiser()))
    asked = payments.ask_refund(row, EUR("5"))
    asked.stripe_refund_id, asked.status = "re_1", payments.RefundStatus.PENDING
    later = clock.now() + timedelta(days=1)
    assert (payments.unbooked_charges(later), payments.unbooked_refunds(later)) == (
        [row.stripe_charge_id],
        ["re_1"],
    )
    donations.book(row, make.settlement(row, currency="USD"), settings=make.settings(), now=clock.now())
    assert payments.unbooked_charges(later) == []
    assert payments.unbooked_refunds(later) == ["re_1"]  # whether it arrives is waited for still
    asked.status = payments.RefundStatus.SUCCEEDED
    assert payments.unbooked_refunds(later) == []
