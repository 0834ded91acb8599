"""What the form that joins shows: the plan, its prices to choose from, currencies, and what went wrong."""

from dataclasses import dataclass, field
from functools import cached_property

from flask import request, url_for

from membership.domain import plans
from membership.domain.plans import Plan, Price
from membership.money import CURRENCIES
from membership.web import giftpage, offer, view
from membership.web.forms.join import JoinForm
from membership.web.offer import Renewals, Tier


def value_of(price: Price) -> str:
    """How the form names a price: month-EUR."""
    return f"{price.interval}-{price.currency}"


@dataclass(frozen=True, slots=True)
class Terms:
    """A plan in the currency that the address (or the posted form) chooses: only values of ours."""

    plan: Plan
    currency: str
    usual: str
    prices: dict[str, Price]
    """By their names in the form."""
    is_known: bool

    @classmethod
    def of(cls, plan: Plan, asked: str = "") -> "Terms":
        """What is unknown falls back on the first currency. A posted price names its currency itself."""
        offered = [c for c in view.settings().currencies if plans.prices_of(plan, c)]
        usual = offered[0] if offered else view.settings().currencies[0]
        named = request.form.get("price", "").partition("-")[2]
        wanted = named if named in offered else asked or request.values.get("currency", "")
        currency = wanted if wanted in offered else usual
        prices = {value_of(price): price for price in plans.prices_of(plan, currency)}
        return cls(plan, currency, usual, prices, is_known=wanted in (*offered, ""))

    @property
    def seen(self) -> str:
        """The prices as the form shows them: one that has changed meanwhile is shown again before anybody pays it."""
        return " ".join(f"{value}:{price.amount_minor}" for value, price in self.prices.items())

    @property
    def query(self) -> str:
        """The same choice as a query string, for links to this page in another language."""
        return f"?currency={self.currency}" if self.currency != self.usual else ""


@dataclass(frozen=True)
class JoinPage:
    """The form and all around it."""

    terms: Terms
    form: JoinForm
    says: str = ""
    general: list[str] = field(default_factory=list)

    @property
    def has_errors(self) -> bool:
        """Whether the title says so."""
        return bool(self.general or self.form.errors or self.says in ("again", "limit", "unreachable"))

    @cached_property
    def tier(self) -> Tier:
        """The plan with what it opens."""
        return offer.tier_of(self.terms.plan, self.terms.currency)

    @cached_property
    def renewals(self) -> Renewals:
        """When it is paid again."""
        return offer.renewals()

    @cached_property
    def currencies(self) -> list[tuple[str, str]]:
        """The other currencies: (name, address)."""
        slug = self.terms.plan.slug
        return [
            (view.currency_name(c), url_for("join.form", slug=slug, currency=c))
            for c in view.settings().currencies
            if c != self.terms.currency and plans.prices_of(self.terms.plan, c)
        ]

    @property
    def unit(self) -> int:
        """How many minor units make a major one, so that the browser can follow another amount."""
        return 10 ** CURRENCIES[self.terms.currency].exponent

    @property
    def sample(self) -> str:
        """How a sum is written in this language and currency."""
        return giftpage.sample(self.terms.currency)

    @property
    def statement(self) -> str:
        """What the bank will usually write."""
        return view.settings().statement_descriptor

    @property
    def comes_next(self) -> str:
        """Which page follows."""
        return giftpage.comes_next()
