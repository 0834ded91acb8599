"""How a recurring gift goes on: it renews, fails, is paused, ends; and how its donor leaves.

Stripe's subscription is the truth: `follow` makes the row agree with what was fetched, and mails once per fact.
"""

from datetime import datetime, timedelta

from sqlalchemy import or_, select, update

from membership import clock, vault
from membership.config import Settings
from membership.db import db
from membership.domain import audit, fundraisers, outbox, payments
from membership.domain.donations.gifts import (
    GOING,
    Donation,
    Interval,
    Schedule,
    move,
    tell_given,
)
from membership.domain.fundraisers import Fundraiser, FundraiserStatus
from membership.domain.payments import PaymentStatus
from membership.domain.payments.fetched import ENDED, LATE, Standing

ANNOUNCED_BEFORE = timedelta(days=14)


def follow(donation: Donation, standing: Standing, *, settings: Settings, now: datetime) -> None:
    """Make a recurring gift agree with its subscription; an end is mailed once.

    An older subscription of the same gift, whose first payment failed, changes nothing once another has taken its
    place. One that ended or failed before anything was paid never ran; where its charge is only not known here yet,
    that one leads here again.
    """
    if donation.stripe_subscription_id not in (None, standing.subscription_id):
        return
    if donation.settled_at is None and standing.status in (*ENDED, *LATE):
        if standing.status in ENDED and donation.stripe_subscription_id == standing.subscription_id:
            move(donation, "fail")
        donation.schedule = Schedule.NONE
        return
    donation.stripe_subscription_id = standing.subscription_id
    donation.stripe_customer_id = standing.customer_id or donation.stripe_customer_id
    donation.resumes_at = standing.resumes_at if standing.is_paused else None
    donation.next_on = standing.period_end
    if standing.status in ENDED:
        donation.schedule = Schedule.ENDED
        donation.next_on = None
        _ended(donation, standing, settings, now)
    elif standing.is_paused or standing.status == "paused":
        donation.schedule = Schedule.PAUSED
    else:
        donation.schedule = Schedule.PAST_DUE if standing.status in LATE else Schedule.RUNNING


def _ended(donation: Donation, standing: Standing, settings: Settings, now: datetime) -> None:
    donation.ended_at = donation.ended_at or standing.ended_at or now
    donation.ended_by = donation.ended_by or ("failed" if standing.failed else "staff")
    tell_given(donation)
    if not standing.to:
        return
    if donation.ended_by == "failed":
        _mail_failed(
            donation, standing.subscription_id, to=standing.to, name=standing.name, settings=settings, now=now
        )
        return
    outbox.queue(
        key=f"gift-stopped:{standing.subscription_id}",
        template="gift-stopped",
        to=standing.to,
        locale=donation.locale,
        context={
            **_again(donation, standing.name, settings),
            "stopped_on": donation.ended_at.astimezone(settings.timezone).date().isoformat(),
            "reason": donation.ended_by,
        },
        now=now,
    )


def tell_failed(
    donation: Donation,
    *,
    session_id: str,
    to: str | None,
    name: str | None,
    settings: Settings,
    now: datetime,
) -> None:
    """Mail whoever was told that the gift is on its way: its payment failed."""
    if to:
        _mail_failed(donation, session_id, to=to, name=name, settings=settings, now=now)


def _mail_failed(
    donation: Donation, of: str, *, to: str, name: str | None, settings: Settings, now: datetime
) -> None:
    outbox.queue(
        key=f"gift-failed:{of}",
        template="gift-failed",
        to=to,
        locale=donation.locale,
        context=_again(donation, name, settings),
        now=now,
    )


def _again(donation: Donation, name: str | None, settings: Settings) -> dict[str, object]:
    """A gift that has come to nothing, and where it can be begun anew."""
    return {**_gift(donation, settings), "name": name, "give_url": settings.link("/give", donation.locale)}


def _gift(donation: Donation, settings: Settings) -> dict[str, object]:
    fundraiser = fundraisers.fundraiser_of(donation.fundraiser_id)
    return {
        "amount": {"minor": donation.charged_minor, "currency": donation.currency},
        "interval": donation.interval.value,
        "fundraiser_title": fundraiser.words(donation.locale).title,
        "newsroom": settings.newsroom_name,
    }


def stop_asked(donation: Donation, *, by: str) -> None:
    """Note who ends a gift (donor, country, closed, staff) before Stripe is asked."""
    if donation.ended_by is None:
        donation.ended_by = by
        audit.record(
            audit.Tag.DONATION_STOPPED,
            subject_type="donation",
            subject_id=donation.reference,
            details={"by": by},
        )


def may_pause(donation: Donation) -> bool:
    """Whether it can rest: it goes on, and no payment of it is under way or tried again, which no pause would stop."""
    if donation.schedule not in (Schedule.RUNNING, Schedule.PAUSED):
        return False
    return all(one.status is not PaymentStatus.PENDING for one in payments.payments_of(donation.id))


def note_reason(donation: Donation, reason: str) -> None:
    """Keep why somebody leaves, sealed: people write about themselves."""
    if reason:
        donation.sealed_reason = vault.seal({"reason": reason})


def way_out(donation: Donation, locale: str, *, settings: Settings) -> dict[str, object]:
    """A running gift and the link that stops it, as a mail tells it."""
    return {**_gift(donation, settings), "url": settings.link(f"/leave/{donation.leave_token}", locale)}


def speak(person_id: int, locale: str) -> None:
    """Write to a giver in this language from now on."""
    db.session.execute(update(Donation).where(Donation.person_id == person_id).values(locale=locale))


def due_announcements(now: datetime) -> list[Donation]:
    """Yearly gifts that renew within 14 days and were not announced yet."""
    found = select(Donation).where(
        Donation.interval == Interval.YEAR,
        Donation.schedule == Schedule.RUNNING,
        Donation.next_on <= now + ANNOUNCED_BEFORE,
        Donation.next_on > now,
        or_(Donation.announced_for.is_(None), Donation.announced_for < Donation.next_on),
    )
    return list(db.session.scalars(found.order_by(Donation.next_on).limit(200)))


def announce(donation: Donation, *, to: str, name: str | None, settings: Settings, now: datetime) -> None:
    """Mail that a yearly gift renews soon, with the way to stop; once per renewal."""
    if donation.next_on is None:
        return
    renews_on = donation.next_on.astimezone(settings.timezone).date().isoformat()
    outbox.queue(
        key=f"gift-renews-soon:{donation.id}:{renews_on}",
        template="gift-renews-soon",
        to=to,
        locale=donation.locale,
        context={
            **_gift(donation, settings),
            "name": name,
            "renews_on": renews_on,
            "leave_url": settings.link(f"/leave/{donation.leave_token}", donation.locale),
        },
        now=now,
    )
    donation.announced_for = donation.next_on


def overdue_subscriptions(before: datetime) -> list[str]:
    """Subscriptions whose next payment was due by then without anything having been heard.

    One that rests is not due until its day has come; all others are, however many are late, as with memberships.
    """
    is_due = or_(
        Donation.schedule != Schedule.PAUSED, Donation.resumes_at.is_(None), Donation.resumes_at < before
    )
    found = select(Donation.stripe_subscription_id).where(
        Donation.schedule.in_(GOING), Donation.next_on < before, is_due
    )
    return [one for one in db.session.scalars(found.order_by(Donation.next_on)) if one]


def running_past_end(now: datetime) -> list[Donation]:
    """Gifts that still run although their fundraiser has closed and said that they end with it.

    Those of which Stripe was not asked yet come first: the others are asked about again anyway.
    """
    over = (Fundraiser.status == FundraiserStatus.CLOSED) | (Fundraiser.closes_on < clock.day(now))
    found = select(Donation).join(Fundraiser, Fundraiser.id == Donation.fundraiser_id)
    found = found.where(Donation.schedule.in_(GOING), Fundraiser.ends_running, over)
    return list(db.session.scalars(found.order_by(Donation.ended_by.is_not(None), Donation.id).limit(200)))
