"""The ways out that somebody asks for by mail: of running gifts and of memberships, in one message.

Asking does the very same work whoever asks, as asking for a sign-in does: one row. Whether anything runs under the
address is found out afterwards, by the worker, so neither an answer nor its time tells who gives or is a member.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock, vault
from membership.config import Settings
from membership.db import Base, db, str_enum
from membership.domain import donations, memberships, outbox, people, plans
from membership.domain.memberships import Kind, Membership

TEN_MINUTES = 600
BATCH = 50


class Way(StrEnum):
    """Out of what runs, at its end; or out of what has just begun, with the money back."""

    LEAVE = "leave"
    WITHDRAW = "withdraw"


TEMPLATES = {Way.LEAVE: "leave-confirmation", Way.WITHDRAW: "withdraw-link"}


class LinkAsked(Base):
    """One asking, which stands here until the worker has looked; `locked` is {"email"} under the outbox key."""

    __tablename__ = "links_asked"

    id: Mapped[int] = mapped_column(primary_key=True)
    way: Mapped[Way] = mapped_column(str_enum(Way))
    locked: Mapped[bytes]
    locale: Mapped[str]
    asked_at: Mapped[datetime]


def ask(way: Way, email: str, *, locale: str, now: datetime | None = None) -> LinkAsked:
    """Write down that this address wants a way out. Raises Invalid for what is no address.

    Nothing here depends on whether we know it.
    """
    asked = LinkAsked(
        way=way,
        locked=vault.lock({"email": vault.clean_email(email)}),
        locale=locale,
        asked_at=now or clock.now(),
    )
    db.session.add(asked)
    db.session.flush()
    return asked


def is_waiting() -> bool:
    """Whether somebody waits for a link."""
    return db.session.scalar(select(LinkAsked.id).limit(1)) is not None


def dispatch(settings: Settings, now: datetime | None = None) -> int:
    """Find out who asked, queue the links of what they may end, and forget that they asked; how many mails.

    However late it is: a link that stops something never expires.
    """
    now = now or clock.now()
    waiting = select(LinkAsked).order_by(LinkAsked.id).limit(BATCH)
    asked = db.session.scalars(waiting.with_for_update(skip_locked=True)).all()
    queued = sum(_dispatch(one, settings, now) for one in asked)
    db.session.flush()
    return queued


def _dispatch(asked: LinkAsked, settings: Settings, now: datetime) -> bool:
    db.session.delete(asked)
    try:
        email = str(vault.unlock(asked.locked)["email"])
    except vault.WrongKey:  # locked with a key that is gone: whoever it was asks again
        return False
    person, context = people.find_by_email(email), _ways(asked, email, settings)
    if person is None or not any(context.values()):
        return False
    part = int(asked.asked_at.timestamp()) // TEN_MINUTES
    return outbox.queue(
        key=f"{asked.way}:{person.reference}:{part}",  # at most one in ten minutes
        template=TEMPLATES[asked.way],
        to=email,
        locale=asked.locale,
        context=context,
        now=now,
    )


def _ways(asked: LinkAsked, email: str, settings: Settings) -> dict[str, list[dict[str, object]]]:
    """The links: to whatever runs, or to the memberships that were fourteen days young when it was asked."""
    locale, paid = asked.locale, _paid_by(email)
    if asked.way is Way.WITHDRAW:
        fresh = [one for one in paid if memberships.may_withdraw(one, asked.asked_at)]
        return {"links": [_way_back(one, locale, settings) for one in fresh]}
    gifts = donations.running_of(email)
    return {
        "links": [donations.way_out(one, locale, settings=settings) for one in gifts],
        "memberships": [_way_out(one, locale, settings) for one in paid],
    }


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
