"""A payment that comes late: mended by another way, or after the membership has ended."""

from urllib.parse import urlsplit

import pytest

from membership import clock
from membership.billing import account, checkout, inbox
from membership.billing.checkout import CardOutcome, Outcome
from membership.domain import ledger, memberships, reports
from membership.domain.memberships import MembershipStatus
from membership.domain.roles import Ability
from tests.journeys.donor import GOOD, SECURE, control, origin, settle, state
from tests.journeys.joiner import Joiner


def becomes_late(ana, stripe) -> None:
    ana.joins()
    ana.card_fails_from_now_on()
    stripe.advance(days=32)
    settle(stripe)
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


def test_leaving_while_late_voids_what_was_late_at_once(ana, stripe):
    becomes_late(ana, stripe)
    late = ana.membership.late_invoice_id
    assert checkout.leave(ana.membership) is Outcome.AGREED
    assert account.here().gateway.invoice(late).status == "void"
    settle(stripe)
    mine = ana.membership
    assert (mine.status, mine.ended_by, mine.late_invoice_id) == (MembershipStatus.ENDED, "member", None)


def test_whoever_left_meanwhile_pays_nothing_with_the_new_card(ana, stripe):
    becomes_late(ana, stripe)
    ana.gives_card()
    control(stripe, "faults", next=2, kind="429", path="/v1/subscriptions")  # looked at, then ended
    assert checkout.leave(ana.membership) is Outcome.WAITING
    assert checkout.adopt_card(ana.membership) is CardOutcome.UNCHANGED
    settle(stripe)  # the customer, who has another card, is looked at too
    stripe.advance(seconds=60)
    checkout.resume_calls()
    settle(stripe)
    assert (ana.membership.status, state(stripe)["charges"]) == (MembershipStatus.ENDED, 1)


def one_late_and_one_paid_unseen(ana, stripe) -> tuple[str, str]:
    """A renewal that waits for its bank, and the one after it, paid while our webhook heard nothing: both invoices."""
    ana.joins()
    sub = ana.membership.stripe_subscription_id
    control(stripe, "card", subscription=sub, card_number=SECURE)
    stripe.advance(days=32)
    settle(stripe)
    older = ana.membership.late_invoice_id
    control(stripe, "card", subscription=sub, card_number=GOOD)
    control(stripe, "webhooks", modes=["drop"])
    stripe.advance(days=31)
    control(stripe, "webhooks", modes=[])
    (newest,) = account.here().gateway._client.v1.invoices.list({"limit": 1}).data
    return older, newest.id


def comes_too_late(ana, stripe, mailbox, *, first=("charge", "invoice", "subscription"), bill=None):
    """What was paid is seen in this order; it goes back once, and is thanked for by nobody."""
    mailbox.clear()
    sub, bill = ana.membership.stripe_subscription_id, bill or ana.membership.late_invoice_id
    (charge,) = account.here().gateway._client.v1.charges.list({"limit": 1}).data
    seen = {"charge": charge.id, "invoice": bill, "subscription": sub}
    for kind in first:
        inbox.look_at([(kind, seen[kind])])
    for _ in range(3):
        settle(stripe)
        stripe.advance(seconds=60)
        checkout.resume_calls()
    settle(stripe)
    mine, told = ana.membership, [(one["Subject"], one.get_body(("plain",)).get_content()) for one in mailbox]
    there = state(stripe)
    assert mine.status is MembershipStatus.ENDED
    assert (there["charged"], there["refunded"], there["subscriptions_live"]) == (1000, 500, 0)
    assert not memberships.is_open(mine, grace_days=0, now=clock.now())
    assert [words for subject, words in told if subject == "About your refund" and "had ended" in words] != []
    assert len([subject for subject, _ in told if subject == "About your refund"]) == 1
    assert not any("in order again" in subject or "receipt" in subject.lower() for subject, _ in told)
    assert ledger.balance("membership") == -500
    assert reports.desk.matters(frozenset(Ability), now=clock.now()) == []


@pytest.mark.parametrize(
    "first",
    [
        ("charge", "invoice", "subscription"),
        ("invoice", "subscription", "charge"),
        ("subscription", "charge", "invoice"),
    ],
)
def test_what_was_paid_a_moment_before_its_member_left_goes_back(ana, stripe, mailbox, first):
    becomes_late(ana, stripe)
    assert pays_by_hand(ana).status_code == 303
    # it was late, as far as we knew: the page said that it ends at once
    assert checkout.leave(ana.membership) is Outcome.AGREED
    comes_too_late(ana, stripe, mailbox, first=first)


def test_what_was_paid_goes_back_too_when_only_its_subscription_has_been_seen(ana, stripe, mailbox):
    becomes_late(ana, stripe)
    assert ana.changes_card("5555555555554444") is CardOutcome.PAID
    sub, bill = ana.membership.stripe_subscription_id, ana.membership.late_invoice_id
    inbox.look_at([("subscription", sub)])
    assert checkout.leave(ana.membership) is Outcome.AGREED
    comes_too_late(ana, stripe, mailbox, bill=bill)


def test_a_renewal_that_was_paid_unseen_goes_back_when_its_member_leaves_at_once(ana, stripe, mailbox):
    ana.joins()
    control(stripe, "webhooks", modes=["drop"])
    stripe.advance(days=32)
    control(stripe, "webhooks", modes=[])
    sub = ana.membership.stripe_subscription_id
    (bill,) = account.here().gateway._client.v1.invoices.list({"subscription": sub, "limit": 1}).data
    assert (bill.status, ana.membership.late_invoice_id) == ("paid", None)
    assert checkout.leave(ana.membership) is Outcome.AGREED
    comes_too_late(ana, stripe, mailbox, bill=bill.id)


def test_a_later_renewal_that_was_paid_unseen_goes_back_where_an_older_one_was_late(ana, stripe, mailbox):
    older, newest = one_late_and_one_paid_unseen(ana, stripe)
    assert checkout.leave(ana.membership) is Outcome.AGREED
    comes_too_late(ana, stripe, mailbox, bill=newest)
    assert account.here().gateway.invoice(older).status == "void"


def test_what_is_paid_after_the_end_goes_back(ana, stripe, mailbox):
    becomes_late(ana, stripe)
    control(stripe, "webhooks", modes=["drop"])
    account.here().gateway._client.v1.subscriptions.cancel(ana.membership.stripe_subscription_id)
    stripe.advance(seconds=5)
    assert pays_by_hand(ana).status_code == 303
    control(stripe, "webhooks", modes=[])
    comes_too_late(ana, stripe, mailbox)


@pytest.mark.parametrize("then", ["unpaid", "past_due"])
def test_a_membership_ends_with_its_last_try_whatever_stripe_is_set_to(ana, stripe, mailbox, then):
    control(stripe, "retries", then=then)
    becomes_late(ana, stripe)
    late = ana.membership.late_invoice_id
    mailbox.clear()
    for _ in range(3):
        stripe.advance(days=3)
        settle(stripe)
    assert "So the membership ends" in mailbox[-1].get_body(("plain",)).get_content()
    again = Joiner(stripe, email=ana.email)
    assert again.joins().doubled_at is None  # the mail says how, and nobody is told that there are two
    stripe.advance(seconds=60)
    checkout.resume_calls()
    settle(stripe)
    stripe.advance(seconds=60)
    checkout.resume_calls()
    mine = ana.membership
    assert (mine.status, mine.ended_by) == (MembershipStatus.ENDED, "failed")
    assert account.here().gateway.invoice(late).status == "void"
    assert state(stripe)["subscriptions_live"] == 1
    assert not any("ended" in one["Subject"] for one in mailbox)


@pytest.mark.parametrize("first", [True, False], ids=["the paid one first", "the older one first"])
def test_an_older_renewal_is_not_asked_for_once_a_later_time_is_paid(ana, stripe, mailbox, first):
    """Stripe goes by the newest invoice alone, and leaves the older one open; nothing was open in its time."""
    older, newest = one_late_and_one_paid_unseen(ana, stripe)
    seen = [("invoice", newest), ("invoice", older)]
    inbox.look_at(seen if first else seen[::-1])
    mailbox.clear()
    for _ in range(2):
        settle(stripe)
        stripe.advance(seconds=60)
        checkout.resume_calls()
    mine = ana.membership
    assert account.here().gateway.invoice(older).status == "void"
    assert (mine.status, mine.late_invoice_id, mine.late_attempts) == (MembershipStatus.ACTIVE, None, 0)
    assert mine.paid_until == mine.next_at
    assert not any("did not go through" in one["Subject"] for one in mailbox)
    assert (state(stripe)["charged"], state(stripe)["refunded"]) == (1000, 0)


def test_a_payment_by_hand_after_the_last_try_keeps_the_membership_if_stripe_has_it_first(ana, stripe):
    control(stripe, "retries", then="unpaid")
    becomes_late(ana, stripe)
    control(stripe, "webhooks", modes=["drop"])
    stripe.advance(days=8)
    assert pays_by_hand(ana).status_code == 303
    control(stripe, "webhooks", modes=[])
    inbox.look_at([("invoice", ana.membership.late_invoice_id)])
    settle(stripe)
    assert (ana.membership.status, ana.membership.ended_by) == (MembershipStatus.ACTIVE, None)
    assert state(stripe)["refunded"] == 0
