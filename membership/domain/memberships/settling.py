"""When a membership's money arrives or goes back: it begins, it is covered, it is receipted, it is booked.

A membership's money is the newsroom's income: no rule divides it, and it is not part of what a fundraiser raised.
"""

from datetime import datetime, time, timedelta

from membership import vault
from membership.config import Settings
from membership.domain import newsroom, outbox, payments, people, plans
from membership.domain.memberships import doubling, standing
from membership.domain.memberships.joining import (
    Membership,
    MembershipStatus,
    is_given_back,
    lock_membership,
    move,
)
from membership.domain.memberships.opening import under_way, withdraw_until
from membership.domain.payments import Payment, PaymentStatus, Period, Refund, Settlement
from membership.domain.payments.arriving import OTHER_CURRENCY, Arrival
from membership.domain.payments.first import Status

WITHDRAW_WITHIN = timedelta(days=14)
OTHER_SUBSCRIPTION = "other-subscription"
AFTER_END = "after-end"
"""Why a payment went back: it came when its membership had ended."""


def arrived(membership: Membership, arrival: Arrival, *, settings: Settings, now: datetime) -> Payment | None:
    """Record a charge. The first success begins the membership; each new one is receipted once."""
    if arrival.status is PaymentStatus.FAILED:
        known = payments.find_by_charge(arrival.charge_id)
        if known is None and membership.asked is Status.PROCESSING:
            move(membership, "fail")
        if known is None or known.status is PaymentStatus.FAILED:
            return known  # another payment may be asked for by now
    payment, newly = payments.arrive(
        arrival,
        person_id=membership.person_id,
        membership_id=membership.id,
        plan_id=arrival.plan_id or membership.plan_id,
        interval=arrival.interval or membership.interval,
        apart=_apart(membership, arrival),
    )
    if (
        newly
        and payment.apart is None
        and why_unwanted(membership, payment, ended_at=arrival.ended_at) is None
    ):
        _paid(membership, payment, arrival, settings, now)
    elif arrival.status is PaymentStatus.PENDING:
        move(membership, "wait")
    elif arrival.status is PaymentStatus.FAILED and membership.started_at is None:
        move(membership, "fail")
    return payment


def why_unwanted(membership: Membership, payment: Payment, *, ended_at: datetime | None = None) -> str | None:
    """Why a payment goes back at once, if it does: what it was for is given back or has ended, or its person is erased.

    `ended_at` is when its subscription ended, as was found with the payment: our row may not know it yet.
    """
    if payments.refunds_of(payment):
        return None
    if is_given_back(membership):
        return membership.ended_by or "withdrawn"
    if people.was_gone(membership.person_id, at=payment.paid_at):
        return "erased"
    ended_at = membership.ended_at or ended_at
    is_over = ended_at is not None and payment.paid_at > ended_at
    is_too_late = is_over or is_let_go(membership, payment.stripe_invoice_id)
    return AFTER_END if is_too_late and payment.apart is None else None


def is_let_go(membership: Membership, invoice_id: str | None) -> bool:
    """Whether an invoice was not paid, as far as we knew, when it was asked to end at once: nobody wants its money."""
    is_late = membership.late_attempts > 0 and membership.late_invoice_id == invoice_id
    return is_late and membership.ended_by is not None


def let_go(membership: Membership, unseen: str | None = None) -> None:
    """It is asked to end at once: a debit that is under way counts as not paid, and goes back should it come.

    So does `unseen`, an invoice whose payment we have not seen, be it that an older one was late.
    """
    waits = under_way(membership)
    invoice_id = (waits.stripe_invoice_id if waits else None) or unseen
    if invoice_id and not (waits and membership.late_attempts):
        membership.late_invoice_id = invoice_id
        membership.late_attempts = max(membership.late_attempts, 1)


def _apart(membership: Membership, arrival: Arrival) -> str | None:
    """Why a charge is set apart for staff: it is another subscription's; None for the usual one."""
    ours, theirs = membership.stripe_subscription_id, arrival.subscription_id
    return OTHER_SUBSCRIPTION if ours and theirs and ours != theirs else None


def _paid(
    membership: Membership, payment: Payment, arrival: Arrival, settings: Settings, now: datetime
) -> None:
    move(membership, "settle")
    membership.stripe_customer_id = arrival.customer_id or membership.stripe_customer_id
    people.paid_as(membership.person_id, arrival.customer_id)
    typed = vault.unlock(membership.keepsake)["name"] if membership.keepsake else ""
    membership.keepsake = None
    is_recovered = arrival.invoice_id is not None and membership.late_invoice_id == arrival.invoice_id
    covered(membership, arrival.covers, invoice_id=arrival.invoice_id)
    if is_recovered:
        membership.late_invoice_id = None
    is_first = membership.started_at is None
    if is_first:
        _begin(membership, arrival, settings, now)
    if not arrival.to:
        return
    name = typed or arrival.name
    if is_first:
        welcome(membership, to=arrival.to, name=name, next_at=arrival.next_at, settings=settings, now=now)
    _queue_receipt(
        membership, payment, arrival, name=name, is_recovered=is_recovered, settings=settings, now=now
    )


def covered(membership: Membership, period: Period | None, *, invoice_id: str | None) -> None:
    """An invoice was paid: the period it pays for is covered, and it is late no more.

    What the newest one pays for counts, in whatever order they are seen: whoever changes from a year to a month has
    paid for the month, and has credit for the rest of the year. One that ends at once covers nothing. Which one was late is known until its charge is here, before or after the invoice: its receipt says that all is well.
    """
    if is_let_go(membership, invoice_id):
        return
    known = _paid_for(membership)
    if period is not None and (known is None or period > known):
        membership.paid_from, membership.paid_until = period.start, period.end
    if membership.late_invoice_id == invoice_id:
        membership.late_attempts = 0


def _paid_for(membership: Membership) -> Period | None:
    if membership.paid_from is None or membership.paid_until is None:
        return None
    return Period(membership.paid_from, membership.paid_until)


def _begin(membership: Membership, arrival: Arrival, settings: Settings, now: datetime) -> None:
    membership.started_at = arrival.paid_at
    last_day = arrival.paid_at.astimezone(settings.timezone).date() + WITHDRAW_WITHIN
    membership.withdrawable_until = datetime.combine(last_day, time.max, settings.timezone)
    if membership.status is MembershipStatus.PENDING:
        membership.status = MembershipStatus.ACTIVE
        membership.next_at = arrival.next_at
    standing.tell(membership.person_id)
    doubling.notice(membership, to=arrival.to, settings=settings, now=now)


def welcome(
    membership: Membership,
    *,
    to: str,
    name: str | None,
    next_at: datetime | None,
    settings: Settings,
    now: datetime,
) -> None:
    """Mail what has begun, what it opens and how it is left; once."""
    locale, amount = membership.locale, membership.amount
    until = withdraw_until(membership)
    leave = settings.link(f"/leave/{membership.leave_token}", locale)
    outbox.queue(
        key=f"welcome:{membership.reference}",
        template="membership-welcome",
        to=to,
        locale=locale,
        context={
            "name": name,
            "plan": standing.plan_name(membership, locale),
            "inside": [perk.words(locale).title for perk in plans.perks_of(membership.plan_id)],
            "account_url": settings.link("/account", locale),
            "withdraw_url": settings.link(f"/withdraw/{membership.leave_token}", locale) if until else None,
            "withdraw_until": standing.day(until, settings) if until else None,
            "leave_url": leave if amount else None,
            "interval": membership.interval,
            "next_on": standing.day(next_at, settings) if next_at else None,
            "amount": standing.told(amount) if amount else None,
            "ends_on": standing.day(membership.ends_at, settings) if membership.ends_at else None,
        },
        now=now,
    )


def _queue_receipt(
    membership: Membership,
    payment: Payment,
    arrival: Arrival,
    *,
    name: str | None,
    is_recovered: bool,
    settings: Settings,
    now: datetime,
) -> None:
    outbox.queue(
        key=f"receipt:{payment.stripe_charge_id}",
        template="payment-recovered" if is_recovered else "membership-receipt",
        to=arrival.to or "",
        locale=membership.locale,
        context=receipt(
            membership,
            payment,
            name=name,
            covers=arrival.covers,
            next_at=arrival.next_at,
            settings=settings,
        ),
        now=now,
    )


def receipt(
    membership: Membership,
    payment: Payment,
    *,
    name: str | None,
    settings: Settings,
    covers: Period | None = None,
    next_at: datetime | None = None,
) -> dict[str, object]:
    """What a receipt of a membership says: what was bought then, whatever it is by now."""
    host, locale = newsroom.find_newsroom(), membership.locale
    return {
        "name": name,
        "plan": plans.plan_of(payment.plan_id or membership.plan_id).words(locale).name,
        "amount": standing.told(payment.amount),
        "interval": payment.interval,
        "reference": payment.reference,
        "paid_on": standing.day(payment.paid_at, settings),
        "covers_until": standing.day(covers.end, settings) if covers else None,
        "next_on": standing.day(next_at, settings) if next_at else None,
        "host": host.donee if host else settings.newsroom_name,
        "statement": settings.statement_descriptor,
        "account_url": settings.link("/account", locale),
        "leave_url": settings.link(f"/leave/{membership.leave_token}", locale),
        "tax_note": True,
    }


# --- the books ---------------------------------------------------------------------------------------------


def book(payment: Payment, settlement: Settlement, *, settings: Settings) -> None:
    """Post a payment's money, once its balance transaction is known: membership income, and the fee."""
    if payment.net_minor is not None:
        return
    if settlement.currency != settings.ledger_currency:
        payment.apart = OTHER_CURRENCY
        return
    payments.book(payment, settlement, {"membership": settlement.amount}, fee_on="host")


def book_refund(payment: Payment, refund: Refund, settlement: Settlement) -> None:
    """Post a refund once its balance transaction is known."""
    lock_membership(payment.membership_id or 0)
    payments.book_refund(payment, refund, settlement)


def undo_refund(
    payment: Payment,
    refund: Refund,
    settlement: Settlement,
    *,
    now: datetime | None = None,  # noqa: ARG001 - as a gift's, which goes on to the shares
) -> None:
    """Post that a refund failed after it had succeeded: the income stands again."""
    payments.undo_refund(payment, refund, settlement)
