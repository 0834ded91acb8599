"""A renewal that waits for a bank: a debit that is under way, a payment that its holder has to confirm."""

import pytest

from membership import clock
from membership.billing import account, checkout, inbox, poll
from membership.billing.checkout import Outcome
from membership.domain import ledger, memberships, payments, plans, reports
from membership.domain.memberships import MembershipStatus
from membership.domain.payments import PaymentStatus
from membership.domain.payments.first import Status
from membership.domain.roles import Ability
from membership.errors import Conflict
from membership.web.standing import Standing
from tests.journeys.donor import SECURE, SEPA_FAILING, SEPA_SLOW, control, settle, state
from tests.journeys.joiner import days
from tests.journeys.test_members_late import pays_by_hand
from tests.make import EUR


def renews(ana, stripe) -> None:
    """Its period ends, and what is due is asked for."""
    due = ana.membership.paid_until - clock.now()
    stripe.advance(seconds=int(due.total_seconds()) + 3 * 3600)
    settle(stripe)


def debit_is_under_way(ana, stripe, mailbox) -> None:
    ana.pays(ana.asks(), card="", iban=SEPA_SLOW)
    days(stripe, 8)
    renews(ana, stripe)
    assert ana.membership.status is MembershipStatus.ACTIVE
    assert ana.membership.paid_until < clock.now()
    mailbox.clear()


def words(mail) -> str:
    return mail.get_body(("plain",)).get_content()


def all_is_said(stripe) -> None:
    for _ in range(3):
        stripe.advance(seconds=60)
        checkout.resume_calls()
        settle(stripe)


def test_a_debit_under_way_buys_its_period_for_whoever_leaves(ana, stripe, mailbox):
    debit_is_under_way(ana, stripe, mailbox)
    until = ana.membership.next_at
    assert Standing.of(ana.membership).pays_until == until
    assert checkout.leave(ana.membership) is Outcome.AGREED
    settle(stripe)
    assert (ana.membership.is_live, ana.membership.ends_at) == (True, until)
    assert "A payment on its way" in words(mailbox[-1])
    days(stripe, 8)
    mine = ana.membership
    assert (mine.paid_until, mine.ends_at) == (until, until)
    assert memberships.is_open(mine, grace_days=0, now=clock.now())
    assert (state(stripe)["charged"], state(stripe)["refunded"]) == (1000, 0)


def test_the_account_names_the_debit_under_way_as_the_mail_does(ana, stripe, mailbox, reads):
    debit_is_under_way(ana, stripe, mailbox)
    assert "A payment on its way€5" in reads("/account")
    assert checkout.leave(ana.membership) is Outcome.AGREED
    settle(stripe)
    assert "A payment on its way: €5" in words(mailbox[-1])
    said = reads("/account")
    assert "nothing more is charged" in said
    assert "A payment on its way€5" in said
    days(stripe, 8)
    assert "A payment on its way" not in reads("/account")


def test_a_debit_for_a_change_is_named_to_whoever_leaves_as_well(ana, stripe, mailbox, reads):
    ana.pays(ana.asks(), card="", iban=SEPA_SLOW)
    days(stripe, 8)
    wish = {"plan": plans.get_plan("patron"), "amount": EUR("15.00"), "interval": "month"}
    shown = checkout.preview(ana.membership, **wish)
    told = wish | {"proration_at": shown.proration_at}
    assert checkout.change(ana.membership, **told) is Outcome.AGREED
    settle(stripe)
    assert checkout.leave(ana.membership) is Outcome.AGREED
    settle(stripe)
    assert "A payment on its way" in words(mailbox[-1])
    for path in ("/account", f"/leave/{ana.membership.leave_token}"):
        assert "A payment on its way" in reads(path)


def test_a_debit_that_fails_after_its_member_left_is_not_asked_for_again(ana, stripe, mailbox):
    debit_is_under_way(ana, stripe, mailbox)
    assert checkout.leave(ana.membership) is Outcome.AGREED
    settle(stripe)
    control(stripe, "sepa", payment_intent=newest_charge().payment_intent, outcome="fail")
    settle(stripe)
    all_is_said(stripe)
    mine = ana.membership
    assert (mine.status, mine.ended_by) == (MembershipStatus.ENDED, "member")
    assert [one["Subject"] for one in mailbox if "did not go through" in one["Subject"]] == []
    assert (state(stripe)["charged"], state(stripe)["subscriptions_live"]) == (500, 0)
    (bill,) = account.here().gateway._client.v1.invoices.list({"limit": 1}).data
    assert bill.status == "void"


def test_nothing_rests_while_a_debit_is_under_way_that_would_be_tried_again(ana, stripe, mailbox, reads):
    debit_is_under_way(ana, stripe, mailbox)
    with pytest.raises(Conflict, match="Once the payment that is due has gone through"):
        checkout.skip(ana.membership, months=1)
    for path in ("/account", f"/leave/{ana.membership.leave_token}"):
        assert "Once the payment that is due has gone through, you can also pause." in reads(path)
        assert "Pause" not in reads(path)
    days(stripe, 8)
    assert "Pause" in reads("/account")


def test_whoever_leaves_while_late_reads_of_the_debit_that_is_tried_again(ana, stripe, mailbox, reads):
    debit_is_under_way(ana, stripe, mailbox)
    control(stripe, "sepa", payment_intent=newest_charge().payment_intent, outcome="fail")
    settle(stripe)
    stripe.advance(seconds=3 * 24 * 3600 + 600)
    settle(stripe)
    assert ana.membership.status is MembershipStatus.PAST_DUE
    assert "A payment on its way€5" in reads("/account")
    for path in ("/account/leave", f"/leave/{ana.membership.leave_token}"):
        assert "A payment is still on its way: €5. Should it arrive after you have left" in reads(path)
    assert checkout.leave(ana.membership) is Outcome.AGREED
    control(stripe, "sepa", payment_intent=newest_charge().payment_intent, outcome="succeed")
    all_is_said(stripe)
    assert (state(stripe)["charged"], state(stripe)["refunded"]) == (1000, 500)


def test_a_debit_that_comes_after_staff_ended_it_at_once_goes_back(ana, stripe, mailbox):
    debit_is_under_way(ana, stripe, mailbox)
    assert checkout.end_now(ana.membership) is Outcome.AGREED
    settle(stripe)
    control(stripe, "sepa", payment_intent=newest_charge().payment_intent, outcome="succeed")
    settle(stripe)
    all_is_said(stripe)
    mine = ana.membership
    assert (mine.status, mine.ended_by) == (MembershipStatus.ENDED, "staff")
    assert (state(stripe)["charged"], state(stripe)["refunded"]) == (1000, 500)
    assert ledger.balance("membership") == -500
    assert [one["Subject"] for one in mailbox if "receipt" in one["Subject"].lower()] == []
    assert [one["Subject"] for one in mailbox].count("About your refund") == 1
    assert reports.desk.matters(frozenset(Ability), now=clock.now()) == []


def test_a_renewal_that_its_bank_wants_confirmed_waits_for_its_member(ana, stripe, mailbox):
    ana.joins()
    control(stripe, "card", subscription=ana.membership.stripe_subscription_id, card_number=SECURE)
    mailbox.clear()
    renews(ana, stripe)
    days(stripe, 8)
    mine = ana.membership
    assert (mine.status, mine.ended_by, mine.late_attempts) == (MembershipStatus.PAST_DUE, None, 1)
    (told,) = mailbox
    bill = account.here().gateway.invoice(mine.late_invoice_id)
    assert (bill.again_at, bill.needs_action) == (None, True)
    assert bill.pay_url in words(told)
    assert "again" not in words(told)  # neither by us, nor is anybody to join again
    assert pays_by_hand(ana).status_code == 303
    settle(stripe)
    assert (ana.membership.status, ana.membership.late_attempts) == (MembershipStatus.ACTIVE, 0)
    assert "in order again" in mailbox[-1]["Subject"]


def newest_charge():
    (charge,) = account.here().gateway._client.v1.charges.list({"limit": 1}).data
    return charge


def test_a_first_debit_that_fails_ends_what_it_was_to_begin(ana, stripe, mailbox):
    """Stripe tries such a debit again days later, when its reader may long have joined in another way."""
    ana.pays(ana.asks(), card="", iban=SEPA_FAILING)
    settle(stripe)
    all_is_said(stripe)
    mine = ana.membership
    assert (mine.status, mine.asked) == (MembershipStatus.PENDING, Status.FAILED)
    assert (state(stripe)["subscriptions_live"], state(stripe)["charges"]) == (0, 0)
    (told,) = mailbox
    assert "nothing was charged" in words(told)
    assert "/join/friend" in words(told)


def test_an_older_first_debit_that_failed_does_not_disturb_the_payment_page_after_it(ana, stripe, mailbox):
    ana.pays(ana.asks(attempt="one-showing"), card="", iban=SEPA_FAILING)
    settle(stripe)
    first = checkout.latest_session(ana.membership)
    url = ana.asks(attempt="one-showing")
    inbox.mark_dirty([("checkout.session", first)], now=clock.now())
    all_is_said(stripe)
    assert ana.membership.asked is Status.PLEDGED
    ana.pays(url)
    all_is_said(stripe)
    *failed, paid = payments.payments_of(membership_id=ana.membership.id)  # none, if its end was seen first
    assert {one.status for one in failed} <= {PaymentStatus.FAILED}
    assert paid.status is PaymentStatus.SUCCEEDED
    assert (ana.membership.status, paid.apart) == (MembershipStatus.ACTIVE, None)
    assert (state(stripe)["subscriptions_live"], state(stripe)["charges"]) == (1, 1)


def test_a_renewal_that_nobody_confirms_ends_with_the_days_of_grace(ana, stripe, mailbox):
    """Else a second payment would wait beside it, for a time in which nothing was open."""
    ana.joins()
    control(stripe, "card", subscription=ana.membership.stripe_subscription_id, card_number=SECURE)
    renews(ana, stripe)
    mailbox.clear()
    days(stripe, 13)
    poll.sweep()
    settle(stripe)
    assert (ana.membership.status, mailbox) == (MembershipStatus.PAST_DUE, [])
    days(stripe, 2)
    poll.sweep()
    settle(stripe)
    all_is_said(stripe)
    mine = ana.membership
    assert (mine.status, mine.ended_by) == (MembershipStatus.ENDED, "failed")
    (told,) = mailbox
    assert "could not be made in the last weeks" in words(told)
    assert state(stripe)["subscriptions_live"] == 0
    assert {one.status for one in account.here().gateway._client.v1.invoices.list().data} == {"paid", "void"}


def waits_to_be_confirmed(ana, stripe, mailbox) -> None:
    """One mail says so, with the way to confirm it and no day that is over; then it goes on."""
    poll.sweep()
    settle(stripe)
    assert (ana.membership.status, ana.membership.ended_by) == (MembershipStatus.PAST_DUE, None)
    (told,) = mailbox
    assert account.here().gateway.invoice(ana.membership.late_invoice_id).pay_url in words(told)
    assert "Open for you until" not in words(told)
    assert pays_by_hand(ana).status_code == 303
    settle(stripe)
    assert (ana.membership.status, ana.membership.late_attempts) == (MembershipStatus.ACTIVE, 0)


def test_after_a_rest_too_there_are_days_in_which_to_confirm_a_payment(ana, stripe, mailbox):
    ana.joins()
    control(stripe, "card", subscription=ana.membership.stripe_subscription_id, card_number=SECURE)
    assert checkout.skip(ana.membership, months=1) is Outcome.AGREED
    settle(stripe)
    mailbox.clear()
    stripe.advance(days=63)
    settle(stripe)
    waits_to_be_confirmed(ana, stripe, mailbox)


@pytest.mark.settings(GRACE_DAYS="0")
def test_without_days_of_grace_there_is_still_time_to_confirm_a_payment(ana, stripe, mailbox):
    ana.joins()
    control(stripe, "card", subscription=ana.membership.stripe_subscription_id, card_number=SECURE)
    mailbox.clear()
    renews(ana, stripe)
    waits_to_be_confirmed(ana, stripe, mailbox)


def changes_by_debit(ana, stripe, plan: str, amount: str, interval: str) -> None:
    ana.pays(ana.asks(), card="", iban=SEPA_SLOW)
    days(stripe, 8)
    wish = {"plan": plans.get_plan(plan), "amount": EUR(amount), "interval": interval}
    shown = checkout.preview(ana.membership, **wish)
    checkout.change(ana.membership, **wish, proration_at=shown.proration_at)
    settle(stripe)


def debit_fails(stripe) -> None:
    control(stripe, "sepa", payment_intent=newest_charge().payment_intent, outcome="fail")
    settle(stripe)
    all_is_said(stripe)


def leaves(ana, stripe) -> None:
    assert checkout.leave(ana.membership) is Outcome.AGREED
    settle(stripe)
    all_is_said(stripe)


def goes_on_to_what_is_paid(ana, stripe) -> None:
    mine = ana.membership
    assert (mine.ends_at, mine.late_attempts) == (mine.paid_until, 0)
    assert memberships.is_open(mine, grace_days=0, now=clock.now())
    days(stripe, 23)
    all_is_said(stripe)
    assert (ana.membership.status, ana.membership.ended_by) == (MembershipStatus.ENDED, "member")
    assert (state(stripe)["charged"], state(stripe)["subscriptions_live"]) == (500, 0)


def test_a_debit_for_a_change_that_fails_takes_nothing_from_whoever_has_left(ana, stripe, mailbox):
    changes_by_debit(ana, stripe, "patron", "15.00", "month")
    leaves(ana, stripe)
    debit_fails(stripe)
    goes_on_to_what_is_paid(ana, stripe)  # as the mail said


def test_whoever_leaves_once_a_debit_for_a_change_has_failed_keeps_what_is_paid(ana, stripe, mailbox, reads):
    changes_by_debit(ana, stripe, "patron", "15.00", "month")
    debit_fails(stripe)
    assert ana.membership.status is MembershipStatus.PAST_DUE
    for path in ("/account/leave", f"/leave/{ana.membership.leave_token}"):
        assert "verything stays open until" in reads(path)
        assert "ends at once" not in reads(path)
    leaves(ana, stripe)
    goes_on_to_what_is_paid(ana, stripe)


def test_a_debit_for_a_change_that_is_tried_again_goes_back_to_whoever_left(ana, stripe, mailbox, reads):
    changes_by_debit(ana, stripe, "patron", "15.00", "month")
    debit_fails(stripe)
    stripe.advance(seconds=3 * 24 * 3600 + 600)
    settle(stripe)
    for path in ("/account/leave", f"/leave/{ana.membership.leave_token}"):
        assert "Should it arrive after you have left, it goes back to you." in reads(path)
    leaves(ana, stripe)
    control(stripe, "sepa", payment_intent=newest_charge().payment_intent, outcome="succeed")
    all_is_said(stripe)
    mine, there = ana.membership, state(stripe)
    assert there["charged"] - there["refunded"] == 500
    assert (mine.is_live, mine.ends_at) == (True, mine.paid_until)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_year_that_was_never_paid_does_not_run_on_for_whoever_leaves(ana, stripe, mailbox, when):
    changes_by_debit(ana, stripe, "friend", "50.00", "year")
    for step in (leaves, debit_fails) if when == "before" else (debit_fails, leaves):
        step(*((ana, stripe) if step is leaves else (stripe,)))
    assert (ana.membership.status, ana.membership.ended_by) == (MembershipStatus.ENDED, "member")
    assert (state(stripe)["charged"], state(stripe)["subscriptions_live"]) == (500, 0)
