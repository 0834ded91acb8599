"""A membership's life: begun, renewed, late, mended, left, paused, changed, doubled, withdrawn from."""

from datetime import timedelta

import pytest

from membership import clock
from membership.billing import account, calls, checkout, converge, inbox
from membership.billing.checkout import CardOutcome, Outcome
from membership.cli.work import Worker, timetable
from membership.db import db
from membership.domain import audit, ledger, memberships, payments, people, plans, reports
from membership.domain.memberships import Kind, MembershipStatus
from membership.domain.people import Standing
from membership.domain.roles import Ability
from membership.errors import Conflict, Invalid
from tests import make
from tests.journeys.donor import DECLINED, GOOD, control, settle, state
from tests.journeys.joiner import Joiner, all_of_them, days
from tests.web.desk import Desk


def subjects(mailbox):
    return [message["Subject"] for message in mailbox]


def is_open(membership) -> bool:
    return memberships.is_open(membership, grace_days=14, now=clock.now())


def test_joining_pays_once_opens_and_is_booked_as_income(ana, stripe, mailbox):
    mine = ana.joins()
    assert (mine.status, mine.kind, mine.amount) == (MembershipStatus.ACTIVE, Kind.PAID, make.EUR("5"))
    assert is_open(mine)
    assert state(stripe)["charges"] == 1
    assert ledger.balance("membership") == -500
    assert ledger.balance("stripe") + ledger.balance("fees") == 500
    who = people.find_by_email(ana.email)
    assert (who.standing, who.plan_id, who.verified_at) == (Standing.ACTIVE, mine.plan_id, None)
    assert len(mailbox) == 2


def test_the_same_press_finds_the_same_payment_page(ana, stripe):
    first = ana.asks(attempt="a" * 32)
    assert ana.asks(attempt="a" * 32) == first
    other = ana.asks(attempt="a" * 32, amount="9")
    assert other != first
    assert ana.pays(first).status_code != 303
    ana.pays(other)
    settle(stripe)
    assert ana.asks(attempt="a" * 32, amount="9") == ""
    assert state(stripe)["charged"] == 900


def test_a_plan_takes_more_but_never_less_and_nothing_when_closed(ana):
    with pytest.raises(Invalid, match="or more"):
        ana.asks(amount="4.99")
    plans.close_others(["patron"])
    with pytest.raises(Conflict, match="closed"):
        ana.asks()


def test_a_renewal_covers_the_next_period_and_is_receipted_once(ana, stripe, mailbox):
    before = ana.joins().paid_until
    days(stripe, 32)
    mine = ana.membership
    assert mine.paid_until > before + timedelta(days=27)
    assert state(stripe)["charges"] == 2
    assert len(mailbox) == 3
    assert ledger.balance("membership") == -1000


def test_a_late_membership_keeps_its_perks_for_the_days_of_grace(ana, stripe, mailbox):
    until = ana.joins().paid_until
    ana.card_fails_from_now_on()
    mailbox.clear()
    days(stripe, 32)
    mine = ana.membership
    assert (mine.status, mine.paid_until) == (MembershipStatus.PAST_DUE, until)
    assert memberships.open_until(mine, grace_days=14) == until + timedelta(days=14)
    assert is_open(mine)
    days(stripe, 20)
    mine = ana.membership
    assert (mine.status, mine.ended_by) == (MembershipStatus.ENDED, "failed")
    assert not is_open(mine)
    stripe.advance(seconds=60)
    checkout.resume_calls()
    bills = account.here().gateway._client.v1.invoices.list({"limit": 1}).data
    assert [bill.status for bill in bills] == ["void"]  # nobody can pay for what has ended
    assert [("last" in s.lower() or "payment" in s.lower()) for s in subjects(mailbox)] == [True, True, True]
    on_the_day = mine.ended_at + timedelta(hours=1)
    lost = [m for m in reports.desk.matters(frozenset(Ability), now=on_the_day) if m.kind == "failed"]
    assert [(m.count, m.first[0].word) for m in lost] == [(1, mine.reference)]


def test_another_card_pays_what_is_late_and_all_that_follows(ana, stripe, mailbox):
    ana.joins()
    ana.card_fails_from_now_on()
    days(stripe, 32)
    mailbox.clear()
    assert ana.changes_card() is CardOutcome.PAID
    settle(stripe)
    mine = ana.membership
    assert (mine.status, mine.late_invoice_id, mine.late_attempts) == (MembershipStatus.ACTIVE, None, 0)
    assert len(mailbox) == 1  # thanked once
    days(stripe, 31)
    assert state(stripe)["charges"] == 3


@pytest.mark.parametrize("first", ["invoice", "charge"])
def test_all_is_well_again_whichever_comes_first(ana, stripe, mailbox, first):
    ana.joins()
    ana.card_fails_from_now_on()
    days(stripe, 32)
    late = ana.membership.late_invoice_id
    assert ana.changes_card() is CardOutcome.PAID
    if first == "invoice":
        inbox.look_at([("invoice", late)])
        assert ana.membership.late_attempts == 0
    settle(stripe)
    assert [subject for subject in subjects(mailbox) if "in order again" in subject] == subjects(mailbox)[-1:]
    assert (ana.membership.late_invoice_id, ana.membership.late_attempts) == (None, 0)


def test_a_new_card_is_adopted_even_if_nobody_comes_back_from_the_portal(ana, stripe):
    mine = ana.joins()
    url = checkout.portal(mine, return_path="/account/card/done")
    ana.theirs.post(url.split("localhost:8001")[1], base_url="http://localhost:8001", data={
        "card_number": "5555555555554444", "exp": "12/34", "cvc": "123"})  # fmt: skip
    before = mine.stripe_method_id
    settle(stripe)
    stripe.advance(seconds=60)
    checkout.resume_calls()
    settle(stripe)
    assert ana.membership.stripe_method_id not in (None, before)


def test_leaving_ends_with_the_period_and_can_be_undone(ana, stripe, mailbox):
    mine = ana.joins()
    mailbox.clear()
    assert checkout.leave(mine) is Outcome.AGREED
    settle(stripe)
    mine = ana.membership
    assert (mine.status, mine.ends_at, mine.next_at) == (MembershipStatus.ACTIVE, mine.paid_until, None)
    assert checkout.come_back(mine) is Outcome.AGREED
    settle(stripe)
    assert ana.membership.ends_at is None
    stripe.advance(days=1)
    assert checkout.leave(ana.membership) is Outcome.AGREED
    days(stripe, 32)
    mine = ana.membership
    assert (mine.status, mine.ended_by) == (MembershipStatus.ENDED, "member")
    assert not is_open(mine)
    assert state(stripe)["charges"] == 1
    assert len(mailbox) == 3  # leaving, leaving after all, ended
    with pytest.raises(Conflict, match="join again"):
        checkout.come_back(mine)


def test_an_undo_that_comes_first_is_not_turned_back_by_a_late_leave(ana, stripe):
    mine = ana.joins()
    control(stripe, "faults", next=3, kind="drop_reply", path="/v1/subscriptions")
    checkout.leave(mine)
    control(stripe, "faults", next=0, kind="500", path="/v1/")
    assert checkout.come_back(ana.membership) is Outcome.AGREED
    stripe.advance(seconds=90)
    checkout.resume_calls()
    settle(stripe)
    assert ana.membership.ends_at is None


def test_resting_skips_a_month_and_goes_on(ana, stripe):
    mine = ana.joins()
    until = mine.paid_until
    assert checkout.skip(mine, months=1) is Outcome.AGREED
    settle(stripe)
    assert ana.membership.status is MembershipStatus.PAUSED
    assert is_open(ana.membership)
    days(stripe, 40)
    assert not is_open(ana.membership)
    assert state(stripe)["charges"] == 1
    days(stripe, 25)
    mine = ana.membership
    assert (mine.status, state(stripe)["charges"]) == (MembershipStatus.ACTIVE, 2)
    assert mine.paid_until > until


def test_a_change_costs_what_was_shown_and_a_decline_changes_nothing(ana, stripe):
    mine = ana.joins()
    stripe.advance(days=10)
    settle(stripe)
    patron = plans.get_plan("patron")
    shown = checkout.preview(mine, plan=patron, amount=make.EUR("15"), interval="month")
    assert 0 < shown.today.minor < 1000
    before = state(stripe)["charged"]
    how = {"plan": patron, "amount": make.EUR("15"), "interval": "month", "proration_at": shown.proration_at}
    assert checkout.change(mine, **how) is Outcome.AGREED
    assert checkout.change(ana.membership, **how) is Outcome.AGREED  # pressed twice
    settle(stripe)
    mine = ana.membership
    assert (mine.plan_id, mine.amount) == (patron.id, make.EUR("15"))
    assert state(stripe)["charged"] - before == shown.today.minor
    assert people.find_by_email(ana.email).plan_id == patron.id
    ana.card_fails_from_now_on()
    settle(stripe)
    again = checkout.preview(ana.membership, plan=patron, amount=make.EUR("60"), interval="month")
    with pytest.raises(checkout.Declined):
        checkout.change(ana.membership, plan=patron, amount=make.EUR("60"), interval="month",
                        proration_at=again.proration_at)  # fmt: skip
    settle(stripe)
    assert ana.membership.amount == make.EUR("15")


def test_paying_less_gives_credit_that_the_next_payment_uses(ana, stripe):
    mine = ana.joins(plan="patron")
    stripe.advance(days=3)
    shown = checkout.preview(mine, plan=plans.get_plan("friend"), amount=make.EUR("5"), interval="month")
    assert (shown.today.minor, shown.credit.minor > 0) == (0, True)
    checkout.change(mine, plan=plans.get_plan("friend"), amount=make.EUR("5"), interval="month",
                    proration_at=shown.proration_at)  # fmt: skip
    settle(stripe)
    assert ana.membership.credit == shown.credit
    back = checkout.preview(
        ana.membership, plan=plans.get_plan("patron"), amount=make.EUR("15"), interval="month"
    )
    assert back.today.minor <= 1  # the credit pays for it
    days(stripe, 32)
    mine = ana.membership
    assert state(stripe)["charged"] == 1500
    assert mine.status is MembershipStatus.ACTIVE
    assert is_open(mine)


def test_withdrawing_within_14_days_gives_everything_back(ana, stripe, mailbox):
    mine = ana.joins()
    days(stripe, 13)
    assert checkout.withdraw(mine) is Outcome.AGREED
    assert checkout.withdraw(ana.membership) is Outcome.AGREED
    settle(stripe)
    stripe.advance(days=1)
    settle(stripe)
    mine = ana.membership
    assert (mine.status, mine.ended_by) == (MembershipStatus.ENDED, "withdrawn")
    assert not is_open(mine)
    assert (state(stripe)["refunded"], state(stripe)["subscriptions_live"]) == (500, 0)
    assert ledger.balance("membership") == 0


def test_after_14_days_nobody_withdraws(ana, stripe):
    mine = ana.joins()
    stripe.advance(days=15)
    with pytest.raises(Conflict, match="14 days"):
        checkout.withdraw(mine)


def test_the_last_day_to_withdraw_is_a_whole_one(ana, stripe):
    mine, zone = ana.joins(), make.settings().timezone
    began = mine.started_at.astimezone(zone)
    end_of_day = (began + timedelta(days=14)).replace(hour=23, minute=59, second=0)
    assert memberships.may_withdraw(mine, end_of_day)
    assert not memberships.may_withdraw(mine, end_of_day + timedelta(minutes=2))


def test_a_second_membership_of_one_address_ends_unless_somebody_keeps_it(ana, stripe, mailbox):
    ana.joins()
    other = Joiner(stripe)
    second = other.joins(plan="patron")
    assert second.doubled_at is not None
    assert memberships.doubles() == [second]
    days(stripe, 2)
    assert checkout.end_doubles() == 0
    days(stripe, 2)
    assert checkout.end_doubles() == 1
    settle(stripe)
    stripe.advance(days=1)
    settle(stripe)
    first, second = all_of_them()
    assert (first.status, second.status) == (MembershipStatus.ACTIVE, MembershipStatus.ENDED)
    assert second.ended_by == "double"
    assert state(stripe)["refunded"] == 1500


def test_a_kept_second_membership_stays(ana, stripe):
    ana.joins()
    other = Joiner(stripe)
    memberships.keep(other.joins(plan="patron"), by=None)
    db.session.commit()
    days(stripe, 4)
    assert checkout.end_doubles() == 0
    assert [one.status for one in all_of_them()] == [MembershipStatus.ACTIVE] * 2


def test_a_declined_card_begins_nothing_and_is_forgotten_later(ana, stripe):
    ana.pays(ana.asks(), DECLINED)
    settle(stripe)
    assert ana.membership.status is MembershipStatus.PENDING
    stripe.advance(days=1)
    settle(stripe)
    stripe.advance(days=31)
    memberships.purge_unpaid()
    db.session.commit()
    assert people.find_by_email(ana.email) is None


def test_a_yearly_membership_is_announced_once(ana, stripe, mailbox):
    ana.joins(interval="year")
    stripe.advance(days=345)
    settle(stripe)
    assert converge.announce_renewals() == 0
    stripe.advance(days=8)
    settle(stripe)
    assert converge.announce_renewals() == 1
    assert converge.announce_renewals() == 0


def test_what_staff_give_runs_until_its_day(ana, stripe, mailbox, app):
    staff, reader = make.person("desk@example.org"), make.person("levan@example.org", "Levan")
    until = clock.now() + timedelta(days=30)
    mine = memberships.grant(
        reader, plans.get_plan("friend"), kind=Kind.COMPLIMENTARY, until=until, by=staff, reason="thanks",
        to="levan@example.org", name="Levan", settings=make.settings(),
    )  # fmt: skip
    db.session.commit()
    assert is_open(mine)
    memberships.extend(mine, days=10, by=staff, reason="more thanks", settings=make.settings())
    stripe.advance(days=31)
    memberships.lapse(mine, settings=make.settings())
    settle(stripe)
    assert mine.status is MembershipStatus.ENDED
    assert is_open(mine)  # the ten days more
    assert people.person_of(reader.id).locked_contact is None
    stripe.advance(days=10)
    assert not is_open(mine)
    assert len(mailbox) == 2


def test_what_is_ended_by_hand_ends_alone_and_the_worker_ends_what_is_over(ana, stripe):
    staff, plan, until = (
        make.person("desk@example.org"),
        plans.get_plan("friend"),
        clock.now() + timedelta(days=1),
    )
    over = [
        memberships.grant(
            make.person(f"{name}@example.org"), plan, kind=Kind.GIFT, until=until, by=staff, reason="",
            settings=make.settings(),
        ) for name in ("eka", "levan", "nino")
    ]  # fmt: skip
    people.person_of(over[0].person_id).locked_contact = b"not to be opened"
    db.session.commit()
    stripe.advance(days=2)
    assert checkout.end_now(over[2], by=staff) is Outcome.AGREED
    assert [one.status for one in over] == [MembershipStatus.ACTIVE] * 2 + [MembershipStatus.ENDED]
    (task,) = [one for one in timetable(make.settings()) if one.name == "end memberships given until a day"]
    Worker([task]).round()
    assert [(one.status, one.ended_by) for one in all_of_them()] == [
        (MembershipStatus.ACTIVE, None),  # it cannot be ended, and keeps nobody else
        (MembershipStatus.ENDED, "over"),
        (MembershipStatus.ENDED, "staff"),
    ]


def test_a_refund_from_stripes_dashboard_reverses_the_income(ana, stripe, mailbox):
    mine = ana.joins()
    mailbox.clear()
    paid = payments.payments_of(membership_id=mine.id)[0]
    account.here().gateway.perform(
        "refunds.create", {"charge": paid.stripe_charge_id, "amount": 200}, "dashboard"
    )
    settle(stripe)
    stripe.advance(seconds=10)
    settle(stripe)
    assert ledger.balance("membership") == -300
    assert is_open(ana.membership)
    assert len(mailbox) == 1


def test_a_second_membership_stays_when_the_first_has_gone(ana, stripe):
    first = ana.joins()
    other = Joiner(stripe)
    second = other.joins(plan="patron")
    assert second.doubled_at is not None
    checkout.withdraw(first)
    settle(stripe)
    assert other.membership.doubled_at is None
    days(stripe, 4)
    assert checkout.end_doubles() == 0
    assert (other.membership.status, state(stripe)["subscriptions_live"]) == (MembershipStatus.ACTIVE, 1)


def test_joining_again_replaces_a_membership_whose_payment_fails(ana, stripe):
    ana.joins()
    ana.card_fails_from_now_on()
    days(stripe, 32)
    other = Joiner(stripe)
    other.joins()
    days(stripe, 3)
    checkout.end_doubles()
    settle(stripe)
    first, second = all_of_them()
    assert (first.status, second.status) == (MembershipStatus.ENDED, MembershipStatus.ACTIVE)
    assert state(stripe)["refunded"] == 0


def test_a_charge_that_is_seen_after_a_withdrawal_goes_back_too(ana, stripe, mailbox):
    mine = ana.joins()
    shown = checkout.preview(mine, plan=plans.get_plan("patron"), amount=make.EUR("15"), interval="month")
    checkout.change(mine, plan=plans.get_plan("patron"), amount=make.EUR("15"), interval="month",
                    proration_at=shown.proration_at)  # fmt: skip
    checkout.withdraw(ana.membership)  # its webhook has not come yet
    mailbox.clear()
    for _ in range(3):
        settle(stripe)
        stripe.advance(seconds=60)
        checkout.resume_calls()
    settle(stripe)
    there = state(stripe)
    assert (there["charged"], there["refunded"]) == (500 + shown.today.minor, there["charged"])
    assert not any("receipt" in subject.lower() for subject in subjects(mailbox))
    assert ledger.balance("membership") == 0


def test_a_newer_change_replaces_one_that_stripe_has_not_heard(ana, stripe):
    mine, patron = ana.joins(), plans.get_plan("patron")
    sub = mine.stripe_subscription_id
    older = calls.record(f"change:{sub}:older", "subscriptions.update", {"id": sub, "metadata": {"a": "b"}})
    key = older.idem_key
    shown = checkout.preview(mine, plan=patron, amount=make.EUR("15"), interval="month")
    checkout.change(
        mine, plan=patron, amount=make.EUR("15"), interval="month", proration_at=shown.proration_at
    )
    assert calls.find_call(key).state is calls.CallState.SUPERSEDED
    stripe.advance(seconds=60)
    assert checkout.resume_calls() == 0


def test_what_was_undone_in_stripes_dashboard_can_be_left_again(ana, stripe):
    mine = ana.joins()
    checkout.leave(mine)
    settle(stripe)
    v1 = account.here().gateway._client.v1
    v1.subscriptions.update(mine.stripe_subscription_id, {"cancel_at_period_end": False})
    settle(stripe)
    assert (ana.membership.ends_at, ana.membership.ended_by) == (None, None)
    assert checkout.leave(ana.membership) is Outcome.AGREED


def test_nobody_comes_back_to_what_was_given_back(ana, stripe):
    mine = ana.joins()
    control(stripe, "faults", next=99, kind="429", path="/v1/")
    assert checkout.withdraw(mine) is Outcome.WAITING
    with pytest.raises(Conflict, match="join again"):
        checkout.come_back(ana.membership)


def test_an_amount_has_a_limit_when_it_is_changed_too(ana, stripe):
    with pytest.raises(Invalid, match="largest"):
        checkout.preview(
            ana.joins(), plan=plans.get_plan("patron"), amount=make.EUR("999999"), interval="month"
        )


def test_a_bill_that_was_fetched_just_before_it_was_paid_is_not_a_late_one(ana, stripe, mailbox):
    mine, v1 = ana.joins(), account.here().gateway._client.v1
    ana.card_fails_from_now_on()
    stripe.advance(days=32)
    bill = v1.invoices.list({"limit": 1}).data[0]
    found = account.here().gateway.invoice(bill.id)
    assert (found.status, found.attempts > 0) == ("open", True)
    control(stripe, "card", subscription=mine.stripe_subscription_id, card_number=GOOD)
    v1.invoices.pay(bill.id)
    settle(stripe)
    mailbox.clear()
    converge.CONVERGENCES["invoice"].apply(found, make.settings(), clock.now())
    db.session.commit()
    settle(stripe)
    assert (ana.membership.late_attempts, ana.membership.late_invoice_id, mailbox) == (0, None, [])


def test_a_change_is_refused_below_the_price_and_to_what_is_not_offered(ana, stripe):
    mine, patron = ana.joins(), plans.get_plan("patron")
    shown = checkout.preview(mine, plan=patron, amount=make.EUR("15"), interval="month")
    cheap = {"plan": patron, "amount": make.EUR("14.99"), "interval": "month"}
    with pytest.raises(Invalid, match="or more"):
        checkout.preview(mine, **cheap)
    with pytest.raises(Invalid, match="or more"):
        checkout.change(mine, **cheap, proration_at=shown.proration_at)
    plans.close_others(["friend"])
    with pytest.raises(Conflict, match="not offered"):
        checkout.change(
            mine, plan=patron, amount=make.EUR("15"), interval="month", proration_at=shown.proration_at
        )
    settle(stripe)
    assert (ana.membership.amount, state(stripe)["charged"]) == (make.EUR("5"), 500)


def test_a_debit_that_the_bank_has_not_answered_is_not_a_failed_one(ana, stripe, mailbox):
    ana.pays(ana.asks(), card="", iban="AT321904300235473204")
    days(stripe, 8)
    assert ana.membership.status is MembershipStatus.ACTIVE
    mailbox.clear()
    due = ana.membership.paid_until - clock.now()
    stripe.advance(seconds=int(due.total_seconds()) + 3 * 3600)
    settle(stripe)
    bill = account.here().gateway._client.v1.invoices.list({"limit": 1}).data[0]
    assert (bill.status, bill.attempt_count) == ("open", 1)
    inbox.mark_dirty([("invoice", bill.id)], now=clock.now())
    db.session.commit()
    settle(stripe)
    assert (ana.membership.late_attempts, mailbox) == (0, [])


def records(mine) -> list[tuple]:
    found = db.session.query(audit.Record).filter_by(subject_type="membership", subject_id=mine.reference)
    return [(one.tag, one.by_id, one.reason, one.details["by"]) for one in found.order_by(audit.Record.id)]


def test_staff_who_end_one_with_its_period_are_on_record_once(ana, stripe, app):
    mine, desk = ana.joins(), Desk(app, "support")
    person = people.person_of(mine.person_id)
    said = desk.does(person, "end", mine.reference, action="period", reason="asked by phone")
    assert "ends with the period" in said
    assert records(mine) == [("membership.cancelled", desk.me.id, "asked by phone", "staff")]
    assert (ana.membership.ended_by, ana.membership.ends_at) == ("staff", mine.paid_until)


def test_what_stripe_would_not_end_is_on_record_as_going_on(ana, stripe, app):
    mine, desk = ana.joins(), Desk(app, "support")
    control(stripe, "webhooks", modes=["drop"])
    account.here().gateway._client.v1.subscriptions.cancel(mine.stripe_subscription_id)
    person = people.person_of(mine.person_id)
    assert "Stripe will not do this" in desk.does(person, "end", mine.reference, action="period")
    assert [tag for tag, *_ in records(mine)] == ["membership.cancelled", "membership.returned"]
    assert ana.membership.ended_by is None
