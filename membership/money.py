"""Money: whole numbers of a currency's smallest unit, exact from end to end.

What lives here: our own table of currencies (Stripe's exponents, not ISO's, CLDR's or Babel's), `Money`,
reading an amount that a person typed, showing one in a locale, the card fee that a donor may cover, and the
fair division of an amount. All of it is pure: no database, no clock, never a float.

Units: `minor` is always Stripe's smallest unit (20.00 EUR is 2000, 5 ISK is 500, 1.500 KWD is 1500).
Errors: BadAmount (what a person typed), CurrencyMismatch and UnknownCurrency (a fault of ours), BadFormula.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache, total_ordering
from typing import NamedTuple

from babel import Locale
from babel.numbers import NumberPattern, get_currency_name, get_currency_symbol, parse_pattern

from membership.errors import N_, DomainError, Invalid


class Currency(NamedTuple):
    """How Stripe writes a currency: decimal places, and what every amount must be a multiple of."""

    exponent: int
    multiple_of: int = 1


_TWO_DECIMALS = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY
    COP CRC CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR JMD
    KES KGS KHR KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK
    NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD STD SZL THB TJS TOP
    TRY TTD TWD TZS UAH USD UYU UZS WST XCD YER ZAR ZMW
"""
_NO_DECIMALS = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"

CURRENCIES: dict[str, Currency] = {
    **dict.fromkeys(_TWO_DECIMALS.split(), Currency(2)),
    **dict.fromkeys(_NO_DECIMALS.split(), Currency(0)),
    **dict.fromkeys(("ISK", "UGX"), Currency(2, 100)),  # two decimals on the wire, whole units in life
    **dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), Currency(3, 10)),  # the last digit must be 0
}

# The least that Stripe charges, in major units; it counts in the settlement currency.
_MINIMA = """
    USD:0.50 EUR:0.50 GBP:0.30 CHF:0.50 CAD:0.50 AUD:0.50 NZD:0.50 SGD:0.50 BRL:0.50 INR:0.50 ZAR:0.50
    ILS:0.50 AED:2 BGN:1 CZK:15 DKK:2.50 HKD:4 HUF:175 JPY:50 KRW:50 MXN:10 MYR:2 NOK:3 PLN:2 RON:2 SEK:3 THB:10
"""

# Signs that mean one currency only; Babel knows the narrow ones just in their home locales.
_SIGNS = {"EUR": "€", "GEL": "₾", "AMD": "֏", "AZN": "₼", "UAH": "₴", "KZT": "₸", "TRY": "₺", "RUB": "₽"}

_LONGEST = 12  # digits before the separator: as many as a card charge can have


class CurrencyMismatch(DomainError):
    """Two currencies met in one sum or comparison."""


class UnknownCurrency(DomainError):
    """A currency that is not in the table."""


class BadAmount(Invalid):
    """What was typed is no amount; the sentence says what to write instead."""


class BadFormula(DomainError, ValueError):
    """A fee formula that cannot be read, or that says nothing of a currency."""


def currency_of(code: str) -> Currency:
    """The table's row for a currency; raises UnknownCurrency."""
    try:
        return CURRENCIES[code]
    except KeyError:
        raise UnknownCurrency(N_("We do not know the currency “%(currency)s”."), currency=code) from None


@total_ordering
@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one currency. Added, subtracted and compared only with its own kind."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"minor units are whole numbers, not {type(self.minor).__name__}")
        currency_of(self.currency)

    @classmethod
    def zero(cls, currency: str) -> "Money":
        """Nothing, in a currency."""
        return cls(0, currency)

    @property
    def major(self) -> Decimal:
        """The exact amount in the currency's main unit: 20.56 for 2056 minor EUR."""
        return Decimal(f"{self.minor}e-{CURRENCIES[self.currency].exponent}")

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __mul__(self, times: int) -> "Money":
        return Money(self.minor * times, self.currency)

    __rmul__ = __mul__

    def __bool__(self) -> bool:
        return self.minor != 0

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._same(other)

    def __str__(self) -> str:
        return f"{self.major:f} {self.currency}"

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise CurrencyMismatch(
                N_("%(one)s and %(other)s cannot be put together."), one=self.currency, other=other.currency
            )
        return other.minor


def stripe_minimum(currency: str) -> Money | None:
    """The least that Stripe charges when it settles in this currency; None where it names none."""
    currency_of(currency)
    return _minima().get(currency)


@lru_cache(maxsize=1)
def _minima() -> dict[str, Money]:
    pairs = (word.split(":") for word in _MINIMA.split())
    return {code: _from_major(Decimal(amount), code) for code, amount in pairs}


def _from_major(amount: Decimal, currency: str) -> Money:
    """The caller has checked the decimals, so nothing is cut off here."""
    return Money(int(amount * 10 ** CURRENCIES[currency].exponent), currency)


# --- reading -----------------------------------------------------------------------------------------------

_SHAPE = re.compile(r"([0-9]+)(?:([.,])([0-9]+))?")
_GROUPED = re.compile(r"[0-9]{1,3}(?:[.,'’_\s][0-9]{3})+(?:[.,][0-9]*)?")


def parse(text: str, currency: str) -> Money:
    """The amount a person typed in major units: "10", "10.50" or "10,50".

    The shape is checked before anything is converted, so thousands separators, signs, exponents, foreign
    digits and NaN are refused; a comma or point before exactly three digits is taken for a thousands
    separator wherever it could be one. Zero is an amount; limits are the caller's. Raises BadAmount.
    """
    kind = currency_of(currency)
    text = text.strip()
    if not text:
        raise BadAmount(N_("Please write an amount."))
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise _misshapen(text, kind)
    whole, separator, decimals = match.group(1), match.group(2), match.group(3) or ""
    if len(decimals) == 3 and (kind.exponent < 3 or separator == ","):
        raise _thousands()
    if len(decimals) > kind.exponent:
        raise _too_fine(kind)
    if len(whole.lstrip("0")) > _LONGEST:
        raise BadAmount(N_("This amount is too large."))
    money = Money(int(whole + decimals.ljust(kind.exponent, "0")), currency)
    if money.minor % kind.multiple_of:
        raise _too_fine(kind)
    return money


def _misshapen(text: str, kind: Currency) -> BadAmount:
    if text[0] in "+-−–" and _SHAPE.fullmatch(text[1:].strip()):
        return BadAmount(N_("Please write the amount without a plus or minus sign."))
    if _GROUPED.fullmatch(text):
        return _thousands()
    if _decimals(kind) == 0:
        return BadAmount(N_("Please write the amount in digits, for example 1000."))
    return BadAmount(N_("Please write the amount in digits, for example 10 or 10.50."))


def _thousands() -> BadAmount:
    return BadAmount(N_("Please write the amount without thousands separators, for example 1000 or 1000.50."))


def _too_fine(kind: Currency) -> BadAmount:
    if _decimals(kind) == 0:
        return BadAmount(N_("Please write a whole amount, without decimals."))
    return BadAmount(N_("Please write the amount with at most two decimals, for example 10.50."))


def _decimals(kind: Currency) -> int:
    """Decimals that may be other than zero."""
    return kind.exponent - len(str(kind.multiple_of)) + 1


# --- showing -----------------------------------------------------------------------------------------------


def format(money: Money, locale: Locale | str, *, aligned: bool = False) -> str:  # noqa: A001 - read as money.format
    """The amount as the locale writes it, with no decimals when it is whole: €20, 20 €, €20.56, ₾50.

    `aligned` keeps them, for a column of figures: €20.00 over €20.56.
    """
    spoken = _locale(str(locale))
    exponent = CURRENCIES[money.currency].exponent
    whole = not aligned and money.minor % 10**exponent == 0
    text: str = _pattern(str(locale), 0 if whole else exponent).apply(
        money.major, spoken, currency_digits=False
    )
    before, after = text.split("¤")
    symbol = _SIGNS.get(money.currency) or get_currency_symbol(money.currency, spoken)
    if after[:1].isdigit() and symbol[-1].isalpha():
        symbol += "\N{NO-BREAK SPACE}"
    if before[-1:].isdigit() and symbol[0].isalpha():
        symbol = "\N{NO-BREAK SPACE}" + symbol
    return before + symbol + after


def name(currency: str, locale: Locale | str) -> str:
    """The currency's name in the plural: "euros", "Georgian laris"."""
    currency_of(currency)
    return get_currency_name(currency, count=5, locale=_locale(str(locale)))


@lru_cache(maxsize=64)
def _locale(text: str) -> Locale:
    return Locale.parse(text.replace("-", "_"))


@lru_cache(maxsize=256)
def _pattern(locale: str, decimals: int) -> NumberPattern:
    """The locale's currency pattern with our number of decimals in place of Babel's."""
    theirs = _locale(locale).currency_formats["standard"].pattern
    ours = re.sub(r"0(?:\.0+)?(?=[^0#.]|$)", "0" + ("." + "0" * decimals if decimals else ""), theirs)
    return parse_pattern(ours)


# --- the card fee ------------------------------------------------------------------------------------------

_TERM = re.compile(
    r"(?:([A-Z]{3}):)?(?:([0-9]{1,2}(?:\.[0-9]{1,6})?)%)?(\+)?([0-9]{1,6}(?:\.[0-9]{1,6})?)?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class _Term:
    currency: str  # "" speaks of every currency that has no term of its own
    rate: Fraction
    fixed: Fraction  # major units of the charged currency


@dataclass(frozen=True, slots=True)
class FeeFormula:
    """What a card costs, a part of the amount and a fixed part, per currency or for all: "1.5%+0.25"."""

    terms: tuple[_Term, ...]

    @classmethod
    def parse(cls, text: str) -> "FeeFormula":
        """Read "1.5%+0.25", "2%", "0.30" or "EUR:1.5%+0.25,GEL:2.9%+1"; raises BadFormula."""
        terms = tuple(_term(part.strip()) for part in text.split(","))
        if len({term.currency for term in terms}) != len(terms):
            raise BadFormula(N_("The fee formula names a currency twice."))
        return cls(terms)

    def fee(self, gross: Money) -> Money:
        """The fee on an amount, rounded up to a minor unit."""
        rate, fixed = self._of(gross.currency)
        return Money(_ceil(gross.minor * rate + fixed), gross.currency)

    def gross_up(self, wanted: Money) -> Money:
        """The smallest amount that can be charged whose fee leaves at least `wanted`."""
        if wanted.minor < 0:
            raise ValueError("a fee is covered on amounts, not on debts")
        rate, fixed = self._of(wanted.currency)
        step = CURRENCIES[wanted.currency].multiple_of
        return Money(_ceil((wanted.minor + fixed) / (1 - rate) / step) * step, wanted.currency)

    def _of(self, currency: str) -> tuple[Fraction, Fraction]:
        """Rate, and fixed part in minor units."""
        scale = 10 ** currency_of(currency).exponent
        by_currency = {term.currency: term for term in self.terms}
        term = by_currency.get(currency) or by_currency.get("")
        if term is None:
            raise BadFormula(N_("The fee formula says nothing of %(currency)s."), currency=currency)
        return term.rate, term.fixed * scale


def _term(text: str) -> _Term:
    match = _TERM.fullmatch(text)
    currency, percent, plus, fixed = match.groups() if match else (None, None, None, None)
    joined = bool(plus) == bool(percent and fixed)
    if not joined or not (percent or fixed) or (currency and currency not in CURRENCIES):
        raise BadFormula(N_("“%(text)s” is no fee formula; write for example 1.5%%+0.25."), text=text)
    return _Term(currency or "", Fraction(percent or 0) / 100, Fraction(fixed or 0))


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


# --- dividing ----------------------------------------------------------------------------------------------


def divide(amount: int, weights: Sequence[int], given: Sequence[int]) -> list[int]:
    """Divide `amount` by `weights`, knowing what each share was `given` before; returns the increments.

    They are never negative and sum to `amount`. Each share first reaches the whole part of its exact
    cumulative due; the odd units go one each, among the shares still below their due, to those whose next
    whole unit falls due soonest. So over any sequence of amounts every share stays strictly within one unit
    of its exact due. Should `given` come from elsewhere, what each share lacks is made good in proportion.
    """
    total = sum(weights)
    if len(weights) != len(given) or min((amount, *weights, *given)) < 0 or total <= 0:
        raise ValueError("dividing needs an amount, weights and as many tallies, none negative, some weight")
    if amount == 0:
        return [0] * len(weights)
    reached = sum(given) + amount
    exact = [reached * weight for weight in weights]  # the due, times the sum of the weights
    new = [max(had, due // total) for had, due in zip(given, exact, strict=True)]
    odd = reached - sum(new)
    if odd < 0:
        lacking = [max(0, due - had * total) for had, due in zip(given, exact, strict=True)]
        return divide(amount, lacking, [0] * len(weights))
    below = [i for i, due in enumerate(exact) if new[i] * total < due]
    below.sort(key=lambda i: (Fraction(new[i] + 1, weights[i]), i))
    for i in below[:odd]:
        new[i] += 1
    return [now - had for now, had in zip(new, given, strict=True)]
