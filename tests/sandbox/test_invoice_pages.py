"""The hosted page of an invoice: what it says, and paying an open one with a card that is not kept."""

import pytest

from tests.sandbox.portal import path_of
from tests.sandbox.test_pages import fields, page

VISA, SECURE = "4242424242424242", "4000002760003184"


def owing(bench):
    """A member whose renewal failed: the open invoice and its page."""
    member = bench.member()
    bench.control("card", {"subscription": member.id, "card_number": "4000000000000341"})
    bench.sandbox.advance(days=31)
    member = bench.v1.subscriptions.retrieve(member.id)
    bill = bench.v1.invoices.retrieve(member.latest_invoice)
    assert (member.status, bill.status) == ("past_due", "open")
    return member, bill, path_of(bill.hosted_invoice_url)


def pay(bench, path, card):
    return bench.browser.post(path, data={"card_number": card, "exp": "12/39", "cvc": "123"})


def paid_with(bench, member, bill):
    """The invoice is paid, the member runs on, and no card was kept for it."""
    assert bench.v1.invoices.retrieve(bill.id).status == "paid"
    after = bench.v1.subscriptions.retrieve(member.id)
    assert (after.status, after.default_payment_method) == ("active", member.default_payment_method)
    kept = bench.v1.payment_methods.list({"customer": member.customer}).data
    return {one.card.last4 for one in kept}


def test_an_open_invoice_is_paid_with_a_card_that_is_not_kept(bench):
    member, bill, path = owing(bench)
    shown = bench.browser.get(path)
    assert list(fields(page(shown))) == ["card_number", "exp", "cvc"]
    assert "€5.00" in shown.text
    assert bill.number in shown.text
    answer = pay(bench, path, VISA)
    assert (answer.status_code, answer.location) == (303, path)
    assert paid_with(bench, member, bill) == {"4242", "0341"}  # the first one's own and the failing one
    assert "has been paid" in bench.browser.get(path).text
    before = bench.control("state")["charges"]
    assert pay(bench, path, VISA).status_code == 200
    assert bench.control("state")["charges"] == before


def test_a_declined_card_leaves_it_open(bench):
    member, bill, path = owing(bench)
    answer = pay(bench, path, "4000000000009995")
    assert answer.status_code == 402
    assert "insufficient funds" in answer.text
    page(answer)
    assert bench.browser.post(path, data={"card_number": VISA, "exp": "", "cvc": "123"}).status_code == 422
    still = bench.v1.invoices.retrieve(bill.id)
    assert (still.status, still.attempt_count, still.next_payment_attempt) == (
        "open",
        bill.attempt_count,
        bill.next_payment_attempt,
    )
    assert bench.v1.subscriptions.retrieve(member.id).status == "past_due"


@pytest.mark.parametrize("outcome", ["approve", "fail"])
def test_a_card_with_3d_secure_asks_the_bank(bench, outcome):
    member, bill, path = owing(bench)
    answer = pay(bench, path, SECURE)
    assert answer.location == f"{path}/bank"
    page(bench.browser.get(f"{path}/bank"))
    assert bench.v1.invoices.retrieve(bill.id).status == "open"
    answer = bench.browser.post(f"{path}/bank", data={"outcome": outcome})
    if outcome == "approve":
        assert answer.status_code == 303
        assert "3184" not in paid_with(bench, member, bill)
    else:
        assert answer.status_code == 402
        assert bench.v1.invoices.retrieve(bill.id).status == "open"
        assert pay(bench, path, VISA).status_code == 303


def test_the_address_cannot_be_guessed(bench):
    _, bill, path = owing(bench)
    for wrong in (
        f"/invoice/{bill.id}",
        f"/invoice/{bill.id}_",
        f"{path}x",
        f"/invoice/{bill.id}_{'a' * 24}",
    ):
        assert bench.browser.get(wrong).status_code == 404
        assert pay(bench, wrong, VISA).status_code == 404
    assert bench.v1.invoices.retrieve(bill.id).status == "open"
