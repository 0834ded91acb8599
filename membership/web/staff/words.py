"""How the desk says things: standings, plans, money, days. The same words stand on the page and in the file."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from babel.dates import format_date, format_time
from babel.numbers import format_decimal
from flask_babel import gettext

from membership.domain import plans
from membership.domain.memberships import MembershipStatus
from membership.domain.people import Given, Standing
from membership.domain.reports.people import Listed
from membership.errors import N_
from membership.web import locales, view

STANDINGS = {
    Standing.NONE: ("", N_("Not a member")),
    Standing.ACTIVE: ("well", N_("Active")),
    Standing.PAST_DUE: ("late", N_("Past due")),
    Standing.PAUSED: ("rest", N_("Paused")),
    Standing.ENDED: ("over", N_("Ended")),
}
KINDS = {
    "paid": N_("paid"),
    "complimentary": N_("complimentary"),
    "gift": N_("a gift"),
    "offline": N_("paid otherwise"),
}
GIVEN = {Given.NOTHING: "", Given.ONCE: N_("gave"), Given.RUNNING: N_("gives regularly")}
EVERY = {"month": N_("monthly"), "year": N_("yearly")}
ENDED_BY = {
    "member": N_("left"),
    "withdrawn": N_("withdrew"),
    "failed": N_("payments failed"),
    "double": N_("was a second one"),
    "replaced": N_("a newer one took its place"),
    "staff": N_("ended by staff"),
    "over": N_("ran out"),
}


def short_day(value: datetime | None) -> str:
    """14 Jan 2026."""
    if value is None:
        return ""
    code = locales.locale()
    local = value.astimezone(view.settings().timezone)
    return format_date(local.date(), "medium", locale=view.DAYS_FIRST.get(code, code)).replace(" ", "\xa0")


def short_moment(value: datetime | None) -> str:
    """14 Jan 2026, 14:05."""
    if value is None:
        return ""
    code = locales.locale()
    local = value.astimezone(view.settings().timezone)
    return f"{short_day(value)}, {format_time(local, 'short', locale=view.DAYS_FIRST.get(code, code))}"


def number(value: int) -> str:
    """1,234 as the page's language writes it."""
    return format_decimal(value, locale=locales.locale())


def bought(plan: str, interval: str | None) -> str:
    """Supporter, monthly: what a payment of a membership was for."""
    every = EVERY.get(interval or "")
    return f"{plan}, {gettext(every)}" if plan and every else plan


@dataclass(frozen=True, slots=True)
class Offered:
    """A plan as the desk's lists name it."""

    id: int
    slug: str
    name: str


def offered() -> list[Offered]:
    """All plans, open or closed, in the page's language: one query."""
    return [Offered(plan.id, plan.slug, plan.words(locales.locale()).name) for plan in plans.all_plans()]


@dataclass(frozen=True)
class Said:
    """One person of the list, in words."""

    row: Listed
    plans: dict[int, str]

    @property
    def tone(self) -> str:
        """The colour beside the standing."""
        return STANDINGS[self.row.standing][0]

    @cached_property
    def standing(self) -> str:
        """Past due, 2nd try."""
        words = gettext(STANDINGS[self.row.standing][1])
        held = self.row.beside.membership
        if self.row.standing is Standing.PAST_DUE and held is not None and held.late_attempts:
            return gettext("%(standing)s, try %(number)s", standing=words, number=held.late_attempts)
        return words

    @cached_property
    def plan(self) -> str:
        """Supporter, monthly."""
        name = self.plans.get(self.row.plan_id or 0, "")
        held = self.row.beside.membership
        if not name:
            return ""
        kind = gettext(KINDS[self.row.kind]) if self.row.kind in KINDS and self.row.kind != "paid" else ""
        every = gettext(EVERY[held.interval]) if held is not None and held.interval in EVERY else ""
        return ", ".join(part for part in (name, every, kind) if part)

    @cached_property
    def gifts(self) -> str:
        """Whether gifts come."""
        words = GIVEN[self.row.given]
        return gettext(words) if words else ""

    @cached_property
    def next(self) -> str:
        """What happens to the membership by itself."""
        held = self.row.beside.membership
        if held is None:
            return ""
        if held.status is MembershipStatus.ENDED:
            words = ENDED_BY.get(held.ended_by or "")
            return gettext(words) if words else ""
        if held.ends_at is not None:
            return gettext("Ends %(day)s", day=short_day(held.ends_at))
        if held.status is MembershipStatus.PAUSED:
            return gettext("Resumes %(day)s", day=short_day(held.resumes_at)) if held.resumes_at else ""
        if held.status is MembershipStatus.PAST_DUE:
            return (
                gettext("Was paid until %(day)s", day=short_day(held.paid_until)) if held.paid_until else ""
            )
        return gettext("Renews %(day)s", day=short_day(held.next_at)) if held.next_at else ""

    @property
    def last_paid(self) -> str:
        """The day of the last payment."""
        return short_day(self.row.beside.last_paid_at)

    @property
    def joined(self) -> str:
        """The day of joining."""
        return short_day(self.row.member_since)
