"""What the gift form shows: amounts to choose from, currencies, the fee, notices, and what went wrong."""

from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlencode

from flask import request, url_for
from flask_babel import gettext

from membership.billing import checkout
from membership.domain import fundraisers, newsroom
from membership.domain.fundraisers import Fundraiser, Notice
from membership.errors import DomainError
from membership.money import CURRENCIES, Money, parse
from membership.web import locales, view
from membership.web.appeal import Appeal
from membership.web.forms.give import INTERVALS, GiveForm

FEE_SCALE = 10**8  # the fee's rate is told to the browser in this many parts


@dataclass(frozen=True, slots=True)
class Choice:
    """Currency and interval as the address (or the posted form) chooses them: only values of ours."""

    currency: str
    interval: str
    usual: str
    is_known: bool = True

    @classmethod
    def of(cls, fundraiser: Fundraiser) -> "Choice":
        """What is unknown falls back on the fundraiser's own currency, and on once."""
        offered, usual = view.settings().currencies, fundraiser.default_currency
        currency = request.values.get("currency") or usual
        interval = request.values.get("interval", "once")
        return cls(
            currency if currency in offered else usual,
            interval if interval in INTERVALS else "once",
            usual,
            is_known=currency in offered,
        )

    @property
    def query(self) -> str:
        """The same choice as a query string, for links to this page in another language."""
        chosen = {"currency": self.currency} if self.currency != self.usual else {}
        chosen |= {"interval": self.interval} if self.interval != "once" else {}
        return f"?{urlencode(chosen)}" if chosen else ""


@dataclass(frozen=True, slots=True)
class Sum:
    """A suggested amount as a card."""

    value: str
    amount: Money
    is_chosen: bool


@dataclass(frozen=True)
class GiftPage:
    """The gift form and all around it."""

    appeal: Appeal
    choice: Choice
    form: GiveForm
    sums: list[Sum]
    says: str = ""
    general: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        appeal: Appeal,
        choice: Choice,
        form: GiveForm,
        *,
        says: str = "",
        general: list[str] | None = None,
    ) -> "GiftPage":
        """Decide which amount is chosen; one that no card shows moves into the field for one's own."""
        suggested = fundraisers.suggested(appeal.fundraiser, choice.currency, choice.interval)
        values = [view.plain(amount) for amount in suggested]
        chosen = _same(form.amount.data or "", suggested, choice.currency)
        if form.amount.data and not chosen and not form.other_amount.data:
            form.other_amount.data = form.amount.data
        if not form.was_sent and not form.other_amount.data and not chosen and values:
            chosen = values[len(values) // 2]
        sums = [Sum(v, a, v == chosen) for v, a in zip(values, suggested, strict=True)]
        return cls(appeal, choice, form, sums, says, general or [])

    @property
    def has_errors(self) -> bool:
        """Whether the title says so."""
        return bool(self.general or self.form.errors or self.says in ("again", "limit", "unreachable"))

    @cached_property
    def currencies(self) -> list[tuple[str, str]]:
        """The other currencies: (name, address)."""
        usual, here = view.settings().currencies, self.choice
        kept = here.interval if here.interval != "once" else None
        return [
            (view.currency_name(c), url_for("give.form", slug=self.appeal.slug, currency=c, interval=kept))
            for c in usual
            if c != here.currency
        ]

    @cached_property
    def basis(self) -> Money | None:
        """The amount that the fee is told for without JavaScript: the chosen one."""
        chosen = next((one.amount for one in self.sums if one.is_chosen), None)
        own = self.form.other_amount.money
        return own if own is not None else chosen

    @cached_property
    def fee(self) -> Money | None:
        """What covering the card fee adds to it."""
        if self.basis is None:
            return None
        return view.settings().fee_formula.gross_up(self.basis) - self.basis

    @cached_property
    def fee_terms(self) -> dict[str, int]:
        """The fee formula in numbers, so that the browser can follow another amount."""
        formula, currency = view.settings().fee_formula, self.choice.currency
        fixed = formula.fee(Money(0, currency)).minor
        kind = CURRENCIES[currency]
        return {
            "fixed": fixed,
            "rate": formula.fee(Money(FEE_SCALE, currency)).minor - fixed,
            "step": kind.multiple_of,
            "unit": 10**kind.exponent,
        }

    @property
    def sample(self) -> str:
        """How a sum is written in this language and currency: 1,234,567.89 with its sign."""
        return sample(self.choice.currency)

    @property
    def statement(self) -> str:
        """What the donor's bank will usually write."""
        return view.settings().statement_descriptor

    @property
    def comes_next(self) -> str:
        """Which page follows, and in which language: Stripe's does not speak all of ours."""
        return comes_next()

    @cached_property
    def takes_transfers(self) -> bool:
        """Whether the newsroom has said where a transfer goes."""
        found = newsroom.find_newsroom()
        return bool(found and found.bank_account)

    @cached_property
    def notices(self) -> list[Notice]:
        """What giving can mean, by country."""
        return fundraisers.notices(self.appeal.fundraiser, locales.locale())

    @cached_property
    def countries(self) -> list[tuple[str, str]]:
        """The countries that matter here, by name; nobody is asked for another."""
        codes = {notice.country for notice in self.notices} | set(self.appeal.fundraiser.refused_countries)
        return sorted(((code, view.country_name(code)) for code in codes), key=lambda pair: pair[1])


def sample(currency: str) -> str:
    """How a sum is written in this language and currency: 1,234,567.89 with its sign."""
    places = CURRENCIES[currency].exponent
    return view.money(Money(int("1234567890"[: 7 + places]), currency))


def comes_next() -> str:
    """Which page follows, and in which language: Stripe's does not speak all of ours."""
    if checkout.STRIPE_LOCALES.get(locales.locale(), "en") == "en":
        return gettext("Next: Stripe's payment page, in English.")
    return gettext("Next: Stripe's payment page, in this language.")


def _same(typed: str, suggested: list[Money], currency: str) -> str:
    """The suggested amount that was sent, however it was written; empty when none was."""
    try:
        amount = parse(typed, currency)
    except DomainError:
        return ""
    return view.plain(amount) if amount in suggested else ""
