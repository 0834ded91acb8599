"""When a gift's money arrives: it is paid, or held for review, receipted, booked, refunded.

Paid and receipted when the charge succeeded; booked when its balance transaction is known. Both may come in any
order and any number of times.
"""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, select

from membership import clock, vault
from membership.config import Settings
from membership.db import core
from membership.domain import allocations, audit, fundraisers, newsroom, outbox, payments
from membership.domain.audit import Actor
from membership.domain.donations.gifts import (
    Donation,
    Review,
    Schedule,
    lock_donation,
    move,
    tell_given,
)
from membership.domain.fundraisers import Fundraiser
from membership.domain.payments import Payment, PaymentStatus, Refund, Settlement
from membership.domain.payments.arriving import OTHER_CURRENCY, Arrival
from membership.domain.payments.first import Status
from membership.domain.payments.refunds import BACK_IN_OTHER_CURRENCY
from membership.errors import N_, Conflict

NO_PLEDGE = "no-pledge"
OTHER_AMOUNT = "other-amount"
NO_RULE = "no-rule"
TWICE = "twice"
ROLLING = timedelta(days=365)


def arrived(
    donation: Donation | None, arrival: Arrival, *, settings: Settings, now: datetime
) -> Payment | None:
    """Record a charge. A new success settles the gift and queues its one receipt; None for a charge that failed."""
    if arrival.status is PaymentStatus.FAILED:
        known = payments.find_by_charge(arrival.charge_id)
        if known is None and donation is not None and donation.status is Status.PROCESSING:
            move(donation, "fail")
        if known is None or known.status is PaymentStatus.FAILED:
            return known  # another payment may be asked for by now
    fundraiser = fundraisers.fundraiser_of(donation.fundraiser_id) if donation else None
    apart = _apart(donation, arrival)
    held = (
        fundraiser is not None
        and apart is None
        and _needs_review(donation, fundraiser, arrival, settings, now)
    )
    payment, newly = payments.arrive(
        arrival,
        person_id=donation.person_id if donation else None,
        donation_id=donation.id if donation else None,
        held=held,
        apart=apart,
    )
    if donation is None or fundraiser is None:
        return payment
    if newly:
        _paid(donation, payment, arrival, settings)
    elif arrival.status is PaymentStatus.PENDING:
        move(donation, "wait")
    elif arrival.status is PaymentStatus.FAILED and donation.settled_at is None:
        move(donation, "fail")
    return payment


def _apart(donation: Donation | None, arrival: Arrival) -> str | None:
    """Why this charge is set apart for staff; None for the usual one."""
    if donation is None:
        return NO_PLEDGE
    if arrival.amount != donation.charged:
        return OTHER_AMOUNT
    if not donation.is_recurring and payments.is_paid_by_another(donation.id, arrival.charge_id):
        return TWICE
    return None


def _paid(donation: Donation, payment: Payment, arrival: Arrival, settings: Settings) -> None:
    move(donation, "settle")
    donation.settled_at = donation.settled_at or arrival.paid_at
    donation.card_country = arrival.card_country or donation.card_country
    donation.stripe_customer_id = arrival.customer_id or donation.stripe_customer_id
    if donation.is_recurring and donation.schedule is Schedule.NONE:
        # its subscription may be seen later; its donor may leave from now on
        donation.schedule = Schedule.RUNNING
    if payment.held and donation.review is Review.NONE:
        donation.review = Review.HELD
    typed = vault.unlock(donation.keepsake)["name"] if donation.keepsake else ""
    donation.keepsake = None
    tell_given(donation, paid_as=arrival.customer_id)  # last: it writes the gift, which is changed just once
    if arrival.to:
        _queue_receipt(donation, payment, arrival, typed=typed, settings=settings)


# What a person paid lately but for one charge; built once, as every gift asks it.
_PAID_SINCE = select(func.coalesce(func.sum(Payment.amount_minor), 0)).where(
    Payment.donation_id.in_(select(Donation.id).where(Donation.person_id == bindparam("person"))),
    Payment.currency == bindparam("currency"),
    Payment.status == PaymentStatus.SUCCEEDED,
    Payment.paid_at > bindparam("since"),
    Payment.stripe_charge_id != bindparam("charge"),
)


def _needs_review(
    donation: Donation | None, fundraiser: Fundraiser, arrival: Arrival, settings: Settings, now: datetime
) -> bool:
    """Above the limit, alone or with the person's last twelve months; or a card of a refused country."""
    if donation is None or donation.review is not Review.NONE:
        return donation is not None and donation.review is not Review.ACCEPTED
    if (arrival.card_country or "") in fundraiser.refused_countries:
        return True
    limit = settings.review_above.get(arrival.amount.currency)
    if limit is None or arrival.amount > limit or donation.person_id is None:
        return limit is None or arrival.amount > limit
    asked = {"person": donation.person_id, "currency": arrival.amount.currency, "since": now - ROLLING}
    total = arrival.amount.minor + int(core().scalar(_PAID_SINCE, asked | {"charge": arrival.charge_id}) or 0)
    return total > limit.minor


def _queue_receipt(
    donation: Donation, payment: Payment, arrival: Arrival, *, typed: str, settings: Settings
) -> None:
    outbox.queue(
        key=f"receipt:{payment.stripe_charge_id}",
        template="donation-receipt",
        to=arrival.to or "",
        locale=donation.locale,
        context=receipt(
            donation, payment, name=arrival.name, typed=typed, next_at=arrival.next_at, settings=settings
        ),
    )


def receipt(
    donation: Donation,
    payment: Payment,
    *,
    name: str | None,
    typed: str = "",
    next_at: datetime | None = None,
    settings: Settings,
) -> dict[str, object]:
    """What a receipt of a gift says. `typed` is the name as its giver wrote it, while we know that one."""
    fundraiser, host = fundraisers.fundraiser_of(donation.fundraiser_id), newsroom.find_newsroom()
    path = f"/leave/{donation.leave_token}"
    return {
        "name": typed or name,
        "paid_by": name if typed and name != typed else None,
        "amount": {"minor": donation.amount_minor, "currency": donation.currency},
        "charged": {"minor": payment.amount_minor, "currency": payment.currency},
        "covers_fee": donation.covers_fee,
        "interval": donation.interval.value,
        "fundraiser_title": fundraiser.words(donation.locale).title,
        "fundraiser_url": settings.link(f"/fundraisers/{fundraiser.slug}", donation.locale),
        "newsroom": settings.newsroom_name,
        "host": host.donee if host else settings.newsroom_name,
        "reference": donation.reference,
        "paid_on": _day(payment.paid_at, settings),
        "statement": settings.statement_descriptor,
        "leave_url": settings.link(path, donation.locale) if donation.is_recurring else None,
        "next_on": _day(next_at, settings) if next_at else None,
        "tax_note": True,
    }


def _day(moment: datetime, settings: Settings) -> str:
    return moment.astimezone(settings.timezone).date().isoformat()


def book(
    payment: Payment,
    settlement: Settlement,
    *,
    donation: Donation | None = None,
    settings: Settings,
    now: datetime,
) -> None:
    """Post a payment's money, once its balance transaction is known, and let "raised" follow.

    `donation` is the payment's, where the caller has locked it already.
    """
    if payment.net_minor is not None:
        return
    if settlement.currency != settings.ledger_currency:
        payment.apart = OTHER_CURRENCY
        return
    if donation is None and payment.donation_id:
        donation = lock_donation(payment.donation_id)
    rule = allocations.lock_rule_in_force(donation.fundraiser_id, now) if donation else None
    if donation is not None and rule is None:
        payment.apart = payment.apart or NO_RULE
    if donation is None or rule is None or payment.apart:
        payments.book(payment, settlement, {"set-apart": max(settlement.net, 0)}, fee_on="shares")
        return
    shared = max(settlement.net, 0) if rule.fee_bearer == "shares" else settlement.amount
    if payment.held:
        held = allocations.held_account(rule)
        payments.book(payment, settlement, {held: shared}, fee_on=rule.fee_bearer)
        return
    shares = allocations.allocate(rule, shared, is_locked=True)
    payments.book(payment, settlement, shares, fee_on=rule.fee_bearer)
    _raise(donation, f"bt:{settlement.id}", settlement.amount, at=settlement.created)


def _raise(donation: Donation, source: str, amount: int, *, at: datetime) -> None:
    """Let the sum raised move; `at` is when the public may count it from, at the earliest."""
    fundraisers.move(
        donation.fundraiser_id,
        source=source,
        amount_minor=amount,
        person_id=donation.person_id,
        is_gift=amount > 0,
        at=at,
    )


def accept(donation: Donation, *, by: Actor | None = None, now: datetime | None = None) -> None:
    """Staff have looked at a held gift and take it: its money moves to the shares."""
    now = now or clock.now()
    donation = lock_donation(donation.id)
    if donation.review is not Review.HELD:
        raise Conflict(N_("This gift is not held."))
    donation.review = Review.ACCEPTED
    for payment in payments.payments_of(donation.id):
        if payment.held:
            payment.held = False
            _share(donation, payment, f"accept:{payment.id}", now)
            if gross := payments.settled_standing(payment):
                _raise(donation, f"accept:{payment.id}", gross, at=now)
    audit.record(
        audit.Tag.DONATION_ACCEPTED, subject_type="donation", subject_id=donation.reference, by=by, now=now
    )


def _share(donation: Donation, payment: Payment, source: str, now: datetime) -> None:
    """Move what stands of a payment outside the shares (held, or set apart for want of a rule) to the shares."""
    standing = {
        c: a for c, a in payments.standing(payment).items() if a and c.startswith(("held:", "set-apart"))
    }
    rule = allocations.lock_rule_in_force(donation.fundraiser_id, now)
    if rule is None:
        raise Conflict(N_("No rule is in force, so there is nothing to share by."))
    if payment.apart == NO_RULE:
        payment.apart = None
    if standing:
        shares = allocations.allocate(rule, sum(standing.values()), is_locked=True)
        payments.accept(payment, shares, standing=standing, source=source, now=now)


def refuse(donation: Donation, *, by: Actor | None = None, now: datetime | None = None) -> list[Refund]:
    """Staff do not take a held gift: everything paid for it shall go back. Returns the refunds to ask Stripe for."""
    donation = lock_donation(donation.id)
    if donation.review not in (Review.HELD, Review.REFUSED):
        raise Conflict(N_("This gift is not held."))
    donation.review = Review.REFUSED
    asked = []
    for payment in payments.payments_of(donation.id):
        left = payment.amount - payments.refunded(payment)
        if payment.status is PaymentStatus.SUCCEEDED and left.minor > 0:
            asked.append(payments.ask_refund(payment, left, reason="refused", by=by, now=now))
    audit.record(
        audit.Tag.DONATION_REFUSED, subject_type="donation", subject_id=donation.reference, by=by, now=now
    )
    return asked


def book_refund(payment: Payment, refund: Refund, settlement: Settlement) -> None:
    """Post a refund once its balance transaction is known; "raised" goes back by what Stripe, or the bank, took."""
    if payments.book_refund(payment, refund, settlement) and payment.donation_id and not _uncounted(payment):
        donation = lock_donation(payment.donation_id)
        _raise(donation, settlement.source, settlement.amount, at=settlement.created)


def undo_refund(
    payment: Payment, refund: Refund, settlement: Settlement, *, now: datetime | None = None
) -> None:
    """Post that a refund failed after it had succeeded; the money is raised again.

    What comes back to the held account of a gift that was accepted meanwhile goes on to the shares.
    """
    if payments.undo_refund(payment, refund, settlement) and payment.donation_id and not _uncounted(payment):
        donation = lock_donation(payment.donation_id)
        _share(donation, payment, f"accept:{payment.id}:{settlement.id}", now or clock.now())
        fundraisers.move(
            donation.fundraiser_id,
            source=f"bt:{settlement.id}",
            amount_minor=settlement.amount,
            person_id=donation.person_id,
            is_gift=False,
            at=settlement.created,
        )


def _uncounted(payment: Payment) -> bool:
    return payment.held or payment.apart not in (None, BACK_IN_OTHER_CURRENCY)
