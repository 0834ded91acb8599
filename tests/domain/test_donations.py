"""Donations: pledged before paid, settled once, held where staff must look, forgotten when nothing came of it."""

import threading
import time
from datetime import date, timedelta

import pytest
from sqlalchemy import func, insert, select

from membership import clock, vault
from membership.db import db, writing
from membership.domain import donations, fundraisers, leaving, ledger, outbox, payments, people
from membership.domain.donations import Donation, Interval, Review, Schedule, Standing, Status
from membership.domain.payments import PaymentStatus
from membership.domain.people import Given
from membership.errors import Conflict, Invalid
from membership.money import Money
from tests import make
from tests.make import EUR


@pytest.fixture
def fundraiser(app):
    return make.fundraiser(weights=(3, 2), refused=["BY"])


def mails(template: str) -> int:
    return db.session.scalar(
        select(func.count()).select_from(outbox.Email).where(outbox.Email.template == template)
    )


def pledged(fundraiser, **more):
    return donations.pledge(fundraiser, make.pledge(**more), settings=make.settings())


def test_the_same_attempt_is_the_same_row(fundraiser):
    told = make.pledge()
    first = donations.pledge(fundraiser, told, settings=make.settings())
    again = donations.pledge(fundraiser, told, settings=make.settings())
    assert first.id == again.id
    assert donations.is_same(first, told)


def test_other_content_replaces_what_was_not_paid(fundraiser):
    first = pledged(fundraiser, attempt="a", amount=EUR("20"))
    reference = first.reference
    told = make.pledge(attempt="a", amount=EUR("50"), email="other@example.org")
    again = donations.pledge(fundraiser, told, replaces=True, settings=make.settings())
    assert (again.id, again.reference, again.amount) == (first.id, reference, EUR("50"))


def test_other_content_never_changes_what_was_paid(fundraiser):
    first = pledged(fundraiser, attempt="a")
    make.payment(first)
    assert pledged(fundraiser, attempt="a", amount=EUR("50")).amount == EUR("20")


def test_covering_the_fee_asks_for_what_leaves_the_amount(fundraiser):
    made = pledged(fundraiser, covers_fee=True)
    assert (made.amount, made.charged) == (EUR("20"), EUR("20.56"))


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"amount": EUR("2.99")}, "amount"),
        ({"amount": EUR("20000.01")}, "amount"),
        ({"amount": Money(0, "EUR")}, "amount"),
        ({"amount": Money(100000, "JPY")}, "currency"),
        ({"country": "BY"}, "country"),
        ({"email": "no address"}, "email"),
        ({"email": "ნინო@example.org"}, "email"),
    ],
)
def test_what_cannot_be_taken_is_refused_at_its_field(fundraiser, told, field):
    with pytest.raises(Invalid) as refusal:
        pledged(fundraiser, **told)
    assert refusal.value.field == field
    assert db.session.scalar(select(func.count()).select_from(Donation)) == 0


def test_a_closed_fundraiser_takes_nothing(app):
    for row in (
        make.fundraiser("closed", status="closed"),
        make.fundraiser("over", closes_on=date(2021, 1, 1)),
    ):
        with pytest.raises(Conflict):
            pledged(row)


def test_names_are_in_no_column_in_the_clear(fundraiser):
    made = pledged(fundraiser, name="ნინო ბერიძე", message="for Nino", email="nino@example.org")
    make.payment(made, to="nino@example.org", name="ნინო ბერიძე")
    db.session.flush()
    for table in db.metadata.sorted_tables:
        for row in db.session.execute(select(table)):
            text = " ".join(v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in row)
            assert "ნინო" not in text, table.name
            assert "nino@example.org" not in text, table.name


def test_the_typed_name_is_kept_only_until_the_receipt(fundraiser):
    made = pledged(fundraiser, name="ნინო")
    assert vault.unlock(made.keepsake) == {"name": "ნინო"}
    make.payment(made, name="CARD HOLDER")
    assert made.keepsake is None
    receipt = vault.unlock(db.session.scalars(select(outbox.Email)).one().sealed)["context"]
    assert (receipt["name"], receipt["paid_by"]) == ("ნინო", "CARD HOLDER")


def test_somebody_elses_address_changes_nothing_of_theirs(fundraiser):
    person = make.person(email="ana@example.org", name="Ana")
    sealed = person.sealed_identity
    pledged(fundraiser, email="ANA@Example.org", name="Mallory")
    assert people.find_by_email("ana@example.org").sealed_identity == sealed


def test_a_receipt_is_queued_once_however_often_the_charge_is_seen(fundraiser):
    made = pledged(fundraiser)
    arrival = make.arrival(made)
    for _ in range(3):
        donations.arrived(made, arrival, settings=make.settings(), now=clock.now())
    assert mails("donation-receipt") == 1
    assert made.status is Status.SETTLED


def test_pending_then_failed_then_another_that_succeeds(fundraiser):
    made = pledged(fundraiser)
    first = make.arrival(made, status=PaymentStatus.PENDING)
    donations.arrived(made, first, settings=make.settings(), now=clock.now())
    assert made.status is Status.PROCESSING
    failed = make.arrival(made, charge_id=first.charge_id, status=PaymentStatus.FAILED)
    donations.arrived(made, failed, settings=make.settings(), now=clock.now())
    assert made.status is Status.FAILED
    make.payment(made)
    assert made.status is Status.SETTLED
    donations.arrived(made, failed, settings=make.settings(), now=clock.now())
    assert made.status is Status.SETTLED


def test_a_failed_charge_nobody_waited_for_leaves_no_row(fundraiser):
    made = pledged(fundraiser)
    arrival = make.arrival(made, status=PaymentStatus.FAILED)
    assert donations.arrived(made, arrival, settings=make.settings(), now=clock.now()) is None
    assert made.status is Status.PLEDGED


def test_gifts_within_twelve_months_are_looked_at_together(fundraiser):
    small = [pledged(fundraiser, amount=EUR("400")) for _ in range(3)]
    held = [make.payment(one).held for one in small]
    assert held == [False, False, True]


def test_gifts_of_more_than_a_year_ago_do_not_count(fundraiser):
    old = pledged(fundraiser, amount=EUR("900"))
    make.payment(old, paid_at=clock.now() - timedelta(days=400))
    assert make.payment(pledged(fundraiser, amount=EUR("900"))).held is False


def test_a_card_of_a_refused_country_is_held(fundraiser):
    assert make.payment(pledged(fundraiser), card_country="BY").held is True


@pytest.mark.parametrize("booked_first", [True, False])
def test_accepting_in_either_order_with_the_balance_transaction(fundraiser, booked_first):
    made = pledged(fundraiser, amount=EUR("1500"))
    paid = make.payment(made)
    settlement = make.settlement(paid)
    steps = [
        lambda: donations.book(paid, settlement, settings=make.settings(), now=clock.now()),
        lambda: donations.accept(made),
    ]
    for step in steps if booked_first else reversed(steps):
        step()
    assert ledger.balance("held:small-newsrooms") == 0
    assert sum(ledger.balances("share:small-newsrooms").values()) == -settlement.net
    db.session.expire_all()
    assert fundraiser.raised_minor == 150000
    assert made.review is Review.ACCEPTED
    with pytest.raises(Conflict):
        donations.accept(made)


def test_an_accepted_donor_is_not_held_again(fundraiser):
    made = pledged(fundraiser, amount=EUR("1500"), interval=Interval.MONTH)
    make.payment(made)
    donations.accept(made)
    assert make.payment(made).held is False


@pytest.mark.parametrize("refunded_first", [True, False])
def test_a_held_gift_part_refunded_and_then_accepted(fundraiser, refunded_first):
    made = pledged(fundraiser, amount=EUR("1500"))
    paid = make.payment(made)
    donations.book(paid, make.settlement(paid), settings=make.settings(), now=clock.now())
    seen = payments.refund_seen(
        paid, "re_1", amount_minor=50000, status="succeeded", request=None, at=clock.now()
    )
    steps = [
        lambda: donations.book_refund(
            paid, seen, payments.Settlement("txn_r", "EUR", -50000, 0, -50000, clock.now())
        ),
        lambda: donations.accept(made),
    ]
    for step in steps if refunded_first else reversed(steps):
        step()
    db.session.expire_all()
    assert ledger.balance("held:small-newsrooms") == 0
    assert fundraiser.raised_minor == 100000
    assert fundraisers.totals_off() == []
    assert -sum(ledger.balances("share:small-newsrooms").values()) == 147725 - 147725 * 50000 // 150000


def test_refusing_asks_everything_back_once(fundraiser):
    made = pledged(fundraiser, amount=EUR("1500"))
    make.payment(made)
    assert [r.amount_minor for r in donations.refuse(made)] == [150000]
    assert donations.refuse(made) == []
    assert made.review is Review.REFUSED


def standing(made, **more):
    told = {
        "subscription_id": "sub_1",
        "customer_id": "cus_1",
        "status": "active",
        "period_end": clock.now() + timedelta(days=30),
        "is_paused": False,
        "resumes_at": None,
        "ended_at": None,
        "failed": False,
        "to": "ana@example.org",
        "name": "Ana",
    }
    donations.follow(made, Standing(**(told | more)), settings=make.settings(), now=clock.now())


def test_a_schedule_follows_its_subscription_in_any_order(fundraiser):
    made = pledged(fundraiser, interval=Interval.MONTH)
    make.payment(made)
    for status, paused, schedule in (
        ("active", False, Schedule.RUNNING),
        ("past_due", False, Schedule.PAST_DUE),
        ("active", True, Schedule.PAUSED),
        ("active", False, Schedule.RUNNING),
        ("unheard_of", False, Schedule.RUNNING),
        ("canceled", False, Schedule.ENDED),
    ):
        standing(made, status=status, is_paused=paused)
        assert made.schedule is schedule
    assert mails("gift-stopped") == 1


def test_an_end_after_failed_payments_is_mailed_once_and_offers_to_start_again(fundraiser):
    made = pledged(fundraiser, interval=Interval.MONTH)
    make.payment(made)
    for _ in range(2):
        standing(made, status="canceled", failed=True)
    assert (mails("gift-failed"), mails("gift-stopped"), made.ended_by) == (1, 0, "failed")


def test_a_subscription_that_ended_unpaid_never_ran(fundraiser):
    made = pledged(fundraiser, interval=Interval.MONTH)
    standing(made, status="incomplete_expired", failed=True)
    assert made.status is Status.PLEDGED  # another one's: its Checkout has not told of any yet
    made.stripe_subscription_id = "sub_1"
    standing(made, status="incomplete_expired", failed=True)
    assert (made.status, made.schedule) == (Status.FAILED, Schedule.NONE)
    assert mails("gift-failed") == mails("gift-stopped") == 0


def test_an_older_subscription_changes_nothing_of_the_one_that_runs(fundraiser):
    made = pledged(fundraiser, interval=Interval.MONTH)
    make.payment(made)
    standing(made, subscription_id="sub_2")
    standing(made, subscription_id="sub_1", status="canceled", failed=True)
    assert (made.stripe_subscription_id, made.schedule) == ("sub_2", Schedule.RUNNING)
    assert mails("gift-failed") == 0


def test_a_second_charge_of_a_single_gift_is_set_apart(fundraiser):
    made = pledged(fundraiser)
    make.payment(made)
    assert make.payment(made).apart == "twice"
    assert mails("donation-receipt") == 2


def test_what_is_late_or_rests_hides_no_other_gift_that_is_overdue(fundraiser):
    now, charged = clock.now(), {"amount_minor": 500, "charged_minor": 500, "currency": "EUR"}

    def row(number: int, schedule: Schedule, overdue: timedelta, **more: object) -> dict[str, object]:
        names = dict.fromkeys(("reference", "attempt", "leave_token", "stripe_subscription_id"), f"{number}")
        told = dict.fromkeys(("content", "country", "source"), "") | {"covers_fee": False, "shown": False}
        told |= {
            "fundraiser_id": fundraiser.id,
            "interval": Interval.MONTH,
            "locale": "en",
            "pledged_at": now,
        }
        return {**names, **charged, **told, "schedule": schedule, "next_on": now - overdue, **more}

    late = [row(number, Schedule.PAST_DUE, timedelta(days=20)) for number in range(600)]
    month, ago = timedelta(days=30), timedelta(days=9)
    others = [
        row(1001, Schedule.PAUSED, ago, resumes_at=now + month),
        row(1002, Schedule.PAUSED, ago, resumes_at=now - timedelta(days=2)),
        row(1003, Schedule.PAUSED, ago, resumes_at=None),
        row(1004, Schedule.RUNNING, ago, resumes_at=None),
    ]
    for rows in (late, others):
        db.session.execute(insert(Donation), rows)
    found = donations.overdue_subscriptions(now - timedelta(days=1))
    assert (len(found), set(found[600:])) == (603, {"1002", "1003", "1004"})


def test_names_cannot_be_guessed_from_the_rows_alone(fundraiser):
    told = make.pledge(name="ნინო")
    made = donations.pledge(fundraiser, told, settings=make.settings())
    vault_keys = vault.new_keys()
    before = made.content
    vault.configure(
        vault.Keys(vault_keys["VAULT_PUBLIC_KEY"], None, vault_keys["EMAIL_KEY"], (vault_keys["OUTBOX_KEY"],))
    )
    try:
        assert donations.is_same(made, told) is False
    finally:
        s = make.settings()
        vault.configure(vault.Keys(s.vault_public_key, s.vault_private_key, s.email_key, s.outbox_keys))
    assert made.content == before


def test_a_gift_under_review_stays_under_review_until_staff_decide(fundraiser):
    made = pledged(fundraiser, interval=Interval.MONTH)
    assert make.payment(made, card_country="BY").held is True
    assert make.payment(made, card_country="DE").held is True


def test_a_refund_failing_after_acceptance_goes_on_to_the_shares(fundraiser):
    made = pledged(fundraiser, amount=EUR("1500"))
    paid = make.payment(made)
    donations.book(paid, make.settlement(paid), settings=make.settings(), now=clock.now())
    seen = payments.refund_seen(
        paid, "re_1", amount_minor=50000, status="succeeded", request=None, at=clock.now()
    )
    donations.book_refund(paid, seen, payments.Settlement("txn_r", "EUR", -50000, 0, -50000, clock.now()))
    donations.accept(made)
    donations.undo_refund(paid, seen, payments.Settlement("txn_b", "EUR", 50000, 0, 50000, clock.now()))
    assert ledger.balance("held:small-newsrooms") == 0
    assert -sum(ledger.balances("share:small-newsrooms").values()) == 147725
    db.session.expire_all()
    assert fundraiser.raised_minor == 150000


def test_a_fee_above_the_gift_is_the_hosts_cost(fundraiser):
    made = pledged(fundraiser, amount=EUR("3"))
    paid = make.payment(made)
    donations.book(paid, make.settlement(paid, fee=325), settings=make.settings(), now=clock.now())
    assert ledger.balance("host-costs") == 25
    assert ledger.balances("share:small-newsrooms") == {}


def test_who_asked_for_the_end_is_remembered_over_what_stripe_says(fundraiser):
    made = pledged(fundraiser, interval=Interval.MONTH)
    make.payment(made)
    donations.stop_asked(made, by="country")
    standing(made, status="canceled")
    assert made.ended_by == "country"


def test_pledges_that_never_settled_are_forgotten_after_a_month(fundraiser, at):
    at("2026-03-01 10:00")
    stale = pledged(fundraiser, email="one@example.org", name="One", message="hello")
    kept = pledged(fundraiser, email="two@example.org")
    make.payment(kept)
    both = pledged(fundraiser, email="two@example.org")
    at("2026-03-30 10:00")
    assert donations.purge_stale() == 0
    at("2026-04-01 10:00")
    assert donations.purge_stale() == 2
    assert (stale.person_id, stale.keepsake, stale.sealed_message) == (None, None, None)
    assert people.find_by_email("one@example.org") is None
    assert people.find_by_email("two@example.org") is not None
    assert kept.person_id is not None
    assert both.person_id is None


def test_leaving_mails_links_of_running_gifts_and_only_to_their_owner(fundraiser):
    made = pledged(fundraiser, interval=Interval.MONTH)
    standing(made)
    leaving.ask(leaving.Way.LEAVE, "nobody@example.org", locale="en")
    assert leaving.dispatch(make.settings()) == 0
    now = clock.now()
    for _ in range(2):
        leaving.ask(leaving.Way.LEAVE, "ana@example.org", locale="ka", now=now)
    assert leaving.dispatch(make.settings()) == 1
    mail = db.session.scalars(select(outbox.Email).where(outbox.Email.template == "leave-confirmation")).one()
    told = vault.unlock(mail.sealed)
    assert told["context"]["links"][0]["url"].endswith(f"/ka/leave/{made.leave_token}")


def test_why_somebody_leaves_is_sealed(fundraiser):
    made = pledged(fundraiser, interval=Interval.MONTH)
    donations.note_reason(made, "I lost my job")
    assert vault.open_sealed(made.sealed_reason) == {"reason": "I lost my job"}


UNTIL_THE_OTHER_WAITS = 0.3


@pytest.mark.parametrize(("other_status", "given"), [("canceled", Given.ONCE), ("active", Given.RUNNING)])
def test_of_two_gifts_that_change_at_once_the_second_finds_what_the_first_became(
    real_database, other_status, given
):
    """One ends; the other one ends as well, or begins just then."""
    make.fundraiser()
    gifts = [make.donation(interval=Interval.MONTH) for _ in range(2)]
    ids = [one.id for one in gifts]
    for one in gifts[: 2 if other_status == "canceled" else 1]:
        make.payment(one)
    db.session.commit()
    is_told = threading.Event()

    def one():
        with writing():
            change(ids[0], "canceled")
            is_told.set()
            time.sleep(UNTIL_THE_OTHER_WAITS)
            db.session.commit()

    def other():
        is_told.wait(60)
        with writing():
            change(ids[1], other_status)
            db.session.commit()

    def change(donation_id, status):
        gift = donations.lock_donation(donation_id)
        if status == "active":
            make.payment(gift)
        standing(gift, subscription_id=f"sub_{donation_id}", status=status)

    assert real_database.together(one, other) == [None, None]
    db.session.expire_all()
    assert people.find_by_email("ana@example.org").given is given
