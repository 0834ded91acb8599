"""The ways out that somebody asks for by mail: of running gifts and of memberships, in one message.

Whoever asks learns nothing from us: the same answer, whether the address is known or not.
"""

from datetime import datetime

from membership import clock
from membership.config import Settings
from membership.domain import donations, memberships, outbox, people, plans
from membership.domain.memberships import Kind, Membership

TEN_MINUTES = 600


def ask_to_leave(email: str, locale: str, *, settings: Settings, now: datetime | None = None) -> None:
    """Mail the links that stop what runs under this address, if anything does."""
    now = now or clock.now()
    gifts = [donations.way_out(one, locale, settings=settings) for one in donations.running_of(email)]
    held = [_way_out(one, locale, settings) for one in _paid_by(email)]
    if gifts or held:
        _mail("leave", email, locale, {"links": gifts, "memberships": held}, now)


def ask_to_withdraw(email: str, locale: str, *, settings: Settings, now: datetime | None = None) -> None:
    """Mail the links that undo memberships of the last fourteen days, if there are any."""
    now = now or clock.now()
    fresh = [one for one in _paid_by(email) if memberships.may_withdraw(one, now)]
    if fresh:
        _mail("withdraw", email, locale, {"links": [_way_back(one, locale, settings) for one in fresh]}, now)


def _paid_by(email: str) -> list[Membership]:
    """The memberships that go on and are paid under this address."""
    person = people.find_by_email(email)
    return [one for one in memberships.live_of(person.id) if one.kind is Kind.PAID] if person else []


def _way_out(membership: Membership, locale: str, settings: Settings) -> dict[str, object]:
    ends_at = membership.ends_at
    return {
        "url": settings.link(f"/leave/{membership.leave_token}", locale),
        "plan": plans.plan_of(membership.plan_id).words(locale).name,
        "amount": _amount(membership),
        "interval": membership.interval,
        "ends_on": _day(ends_at, settings) if ends_at else None,
    }


def _way_back(membership: Membership, locale: str, settings: Settings) -> dict[str, object]:
    until, began = memberships.withdraw_until(membership), membership.started_at
    return {
        "url": settings.link(f"/withdraw/{membership.leave_token}", locale),
        "plan": plans.plan_of(membership.plan_id).words(locale).name,
        "amount": _amount(membership),
        "joined_on": _day(began, settings) if began else None,
        "until": _day(until, settings) if until else None,
    }


def _amount(membership: Membership) -> dict[str, object] | None:
    amount = membership.amount
    return {"minor": amount.minor, "currency": amount.currency} if amount else None


def _day(moment: datetime, settings: Settings) -> str:
    return moment.astimezone(settings.timezone).date().isoformat()


def _mail(what: str, email: str, locale: str, context: dict[str, object], now: datetime) -> None:
    person = people.find_by_email(email)
    assert person is not None
    outbox.queue(
        key=f"{what}:{person.reference}:{int(now.timestamp()) // TEN_MINUTES}",  # at most one in ten minutes
        template="leave-confirmation" if what == "leave" else "withdraw-link",
        to=email,
        locale=locale,
        context=context,
        now=now,
    )
