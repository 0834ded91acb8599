"""What a page says about joining: plans with their prices and what they open, the drive, and when one renews."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date

from flask import url_for

from membership import clock
from membership.domain import banners, plans
from membership.domain.banners import BannerLine, Drive
from membership.domain.memberships.settling import WITHDRAW_WITHIN
from membership.domain.plans import Perk, PerkWords, Plan, PlanWords, Price
from membership.money import Money
from membership.web import locales, view


@dataclass(frozen=True, slots=True)
class Inside:
    """Something that a plan opens; `is_new` when no plan before it does."""

    words: PerkWords
    is_new: bool


@dataclass(frozen=True, slots=True)
class Tier:
    """A plan in one currency."""

    slug: str
    words: PlanWords
    month: Price | None
    year: Price | None
    inside: list[Inside]

    @property
    def year_by_month(self) -> Money | None:
        """What a year costs that is paid month by month, where that is another sum than the yearly price."""
        if self.month is None or self.year is None or self.month.a_year == self.year.amount:
            return None
        return self.month.a_year


@dataclass(frozen=True, slots=True)
class Renewals:
    """When a membership that begins today is paid again, and until when it can be undone."""

    month: date
    year: date
    withdraw_until: date


@dataclass(frozen=True, slots=True)
class Offer:
    """All that can be joined, in one currency."""

    currency: str
    tiers: list[Tier]
    currencies: list[tuple[str, str]]
    """The other currencies: (name, address)."""
    drive: Drive | None
    line: BannerLine | None
    renewals: Renewals

    @property
    def query(self) -> str:
        """The same choice for this page in another language."""
        return f"?currency={self.currency}" if self.currency != view.settings().currencies[0] else ""


def of(currency: str, locale: str) -> Offer:
    """Everything that is open, as this language's readers see it; an unknown currency is the first one."""
    offered = view.settings().currencies
    currency = currency if currency in offered else offered[0]
    prices, opened = plans.prices_by_plan(currency), plans.perks_by_plan()
    seen: set[int] = set()
    tiers = []
    for plan in plans.open_plans():
        if prices.get(plan.id):
            tiers.append(_tier(plan, prices[plan.id], opened.get(plan.id, []), locale, seen))
            seen |= {perk.id for perk in opened.get(plan.id, [])}
    others = [(view.currency_name(c), url_for("public.join", currency=c)) for c in offered if c != currency]
    return Offer(currency, tiers, others, banners.current(), banners.line(locale), renewals())


def tier_of(plan: Plan, currency: str) -> Tier:
    """One plan by itself: all that it opens is new."""
    prices = {price.interval: price for price in plans.prices_of(plan, currency)}
    return _tier(plan, prices, plans.perks_of(plan.id), locales.locale(), set())


def _tier(plan: Plan, prices: dict[str, Price], opened: list[Perk], locale: str, seen: set[int]) -> Tier:
    inside = [Inside(perk.words(locale), perk.id not in seen) for perk in opened]
    inside.sort(key=lambda one: not one.is_new)
    return Tier(plan.slug, plan.words(locale), prices.get("month"), prices.get("year"), inside)


def renewals() -> Renewals:
    """From today, by the newsroom's calendar: the same day of the next month and year, or its last one."""
    today = clock.now().astimezone(view.settings().timezone).date()
    return Renewals(_later(today, 1), _later(today, 12), today + WITHDRAW_WITHIN)


def _later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
