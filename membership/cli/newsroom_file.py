"""The newsroom's data file (TOML): read as a whole, every gap named at once, nothing guessed.

membership/cli/demo_newsroom.toml is the model. Keys that are not known here are gaps too, so that a typing error never
passes for an absence.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

from babel import Locale

from membership.config import Settings
from membership.domain.newsroom import PAGES
from membership.errors import DomainError
from membership.money import Money, parse

LEGAL = ("imprint", "privacy", "terms", "contact")
INTERVALS = ("once", "month", "year")
WORDS = ("title", "summary", "story", "stranded")
LATER = ("plan", "perk")
T = TypeVar("T")
COUNTRIES = frozenset(
    code for code in map(str, Locale("en").territories) if len(code) == 2 and code.isalpha()
)


class NewsroomFileError(Exception):
    """What the file lacks, one sentence a gap, all of them at once."""

    def __init__(self, path: Path, gaps: Sequence[str]) -> None:
        super().__init__(f"{path} is not complete:\n" + "\n".join(f"  - {gap}" for gap in gaps))
        self.gaps = list(gaps)


class _Wrong(Exception):
    """A value that cannot be taken, and why."""


@dataclass(frozen=True, slots=True)
class RulePart:
    """How a fundraiser's money is divided: weights by outlet slug."""

    shares: dict[str, int]
    host_share_bp: int
    fee_bearer: str
    agreed_on: date


@dataclass(frozen=True, slots=True)
class NewsroomFile:
    """A whole file: the arguments of `describe` for each noun, by slug; `later` says what no verb takes yet."""

    newsroom: dict[str, Any]
    outlets: dict[str, dict[str, Any]]
    fundraisers: dict[str, dict[str, Any]]
    rules: dict[str, RulePart]
    later: list[str]


def read(path: Path, settings: Settings) -> NewsroomFile:
    """Read and check everything; raises NewsroomFileError with every gap."""
    gaps: list[str] = []
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NewsroomFileError(path, [f"the file cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NewsroomFileError(path, [f"the file is not TOML: {error}"]) from None
    top = _Table(data, "", gaps, settings)
    outlets = dict(_outlet(one) for one in top.tables("outlet"))
    parts = [_fundraiser(one, outlets) for one in top.tables("fundraiser")]
    later = [name for name in LATER if top.data.pop(name, None) is not None]
    whole = NewsroomFile(
        newsroom=_newsroom(top.table("newsroom")),
        outlets=outlets,
        fundraisers={slug: described for slug, described, _ in parts},
        rules={slug: rule for slug, _, rule in parts},
        later=later,
    )
    top.leftovers()
    if gaps:
        raise NewsroomFileError(path, gaps)
    return whole


class _Table:
    """One table of the file: takes values out one by one, remembers what is missing, wrong or left over."""

    def __init__(self, data: dict[str, Any], where: str, gaps: list[str], settings: Settings) -> None:
        self.data = data
        self.where = where
        self.gaps = gaps
        self.settings = settings
        self.children: list[_Table] = []

    def gap(self, key: str, what: str) -> None:
        self.gaps.append(f"{self.where}{key} {what}")

    def take(self, key: str, of: Callable[[Any], T], otherwise: Any, *, needed: bool = True) -> T:
        """A value through its check; a gap where it is missing or refused, and `otherwise` stands in."""
        if key not in self.data:
            if needed:
                self.gap(key, "is missing")
            return otherwise
        try:
            return of(self.data.pop(key))
        except (_Wrong, DomainError) as error:
            self.gap(key, f"is wrong: {error}")
            return otherwise

    def text(self, key: str, otherwise: str | None = None) -> str:
        return self.take(key, _text, otherwise or "", needed=otherwise is None)

    def table(self, key: str) -> "_Table":
        """A table inside this one; where it is missing, all that it should hold is."""
        return self.child(self.take(key, _mapping, {}, needed=False), f"{self.where}{key}.")

    def tables(self, key: str) -> list["_Table"]:
        found = self.take(key, _mappings, [], needed=False)
        slugs = [one["slug"] for one in found if "slug" in one]
        for twice in sorted({str(slug) for slug in slugs if slugs.count(slug) > 1}):
            self.gap(key, f"has {twice!r} twice")
        return [
            self.child(one, f"{self.where}{key}[{one.get('slug') or at}].") for at, one in enumerate(found, 1)
        ]

    def child(self, data: dict[str, Any], where: str) -> "_Table":
        made = _Table(data, where, self.gaps, self.settings)
        self.children.append(made)
        return made

    def texts(self, key: str, *, needed: bool = True) -> dict[str, str]:
        """A text per locale; the first locale of the site is never missing."""
        table = self.table(key)
        first = self.settings.locales[0]
        if first not in table.data and (needed or table.data):
            table.gap(first, f"is missing: {first} is the first of LOCALES")
        return {locale: table.text(locale) for locale in sorted(table.data, key=lambda one: one != first)}

    def amount(self, key: str, currency: str) -> Money:
        return self.take(key, lambda value: parse(_major(value), currency), Money(0, currency))

    def leftovers(self) -> None:
        for child in self.children:
            child.leftovers()
        for key in self.data:
            self.gap(key, "is not known here")


def _newsroom(table: _Table) -> dict[str, Any]:
    account = table.table("bank")
    pages = table.table("pages")
    first = table.settings.locales[0]
    per_locale = {locale: pages.table(locale) for locale in dict.fromkeys((first, *pages.data))}
    written: dict[str, dict[str, str]] = {page: {} for page in PAGES}
    for locale, texts in per_locale.items():
        for page in PAGES[:-1]:
            if page in texts.data or (locale == first and page in LEGAL):
                written[page][locale] = texts.text(page)
    written["joining"] = table.texts("joining_opens", needed=False)
    return {
        "name": table.text("name"),
        "donee": table.text("donee"),
        "bank_account": {
            "holder": account.text("holder"),
            "iban": account.take("iban", _iban, ""),
            "bic": account.text("bic"),
            "bank": account.text("bank"),
        },
        "pages": {page: texts for page, texts in written.items() if texts},
    }


def _outlet(table: _Table) -> tuple[str, dict[str, Any]]:
    return table.take("slug", _slug, ""), {
        "name": table.text("name"),
        "latin_name": table.take("latin_name", _latin, ""),
        "country": table.take("country", _country, ""),
        "languages": table.take("languages", _words, []),
        "link": table.text("link", ""),
        "about": table.texts("about", needed=False),
        "appears": table.take("appears", _one_of("nothing", "banded", "exact"), "nothing", needed=False),
    }


def _fundraiser(table: _Table, outlets: Mapping[str, Any]) -> tuple[str, dict[str, Any], RulePart]:
    currency = table.settings.ledger_currency
    table.take("currency", _one_of(currency), currency, needed=False)
    slug, rule = table.take("slug", _slug, ""), _rule(table.table("rule"), outlets)
    causes = [
        (c.take("slug", _slug, ""), c.amount("planned", currency), c.texts("title"))
        for c in table.tables("cause")
    ]
    notices = {n.take("country", _country, ""): _notice(n) for n in table.tables("notice")}
    described = {
        "status": table.take("status", _one_of("draft", "open", "closed"), "draft"),
        "opens_on": table.take("opens_on", _day, date.min),
        "closes_on": table.take("closes_on", _day, None, needed=False),
        "goal": table.amount("goal", currency),
        "texts": _words_of(table.table("texts")),
        "causes": causes,
        "suggestions": _suggestions(table.table("suggested")),
        "risk_notices": notices,
        "refused_countries": table.take("refused_countries", _countries, [], needed=False),
        "ends_running": table.take("running_ends_when_closed", _flag, otherwise=False, needed=False),
    }
    return slug, described, rule


def _words_of(table: _Table) -> dict[str, dict[str, str]]:
    first = table.settings.locales[0]
    spoken = dict.fromkeys((first, *table.data))
    written = {}
    for locale in spoken:
        words = table.table(locale)
        written[locale] = {name: words.text(name) for name in WORDS}
    return written


def _notice(table: _Table) -> dict[str, str]:
    first = table.settings.locales[0]
    return {locale: table.text(locale) for locale in dict.fromkeys((first, *table.data))}


def _suggestions(table: _Table) -> dict[str, dict[str, list[str]]]:
    """Currency -> interval -> amounts in major units, each inside the limits of its currency."""
    for currency in table.settings.currencies:
        if currency not in table.data:
            table.gap(currency, "is missing: CURRENCIES lists it")
    found = {}
    for currency in list(table.data):
        if currency not in table.settings.currencies:
            table.gap(currency, "is not one of CURRENCIES")
            del table.data[currency]
            continue
        intervals = table.table(currency)
        check = _amounts(table.settings, currency)
        found[currency] = {interval: intervals.take(interval, check, []) for interval in INTERVALS}
    return found


def _rule(table: _Table, outlets: Mapping[str, Any]) -> RulePart:
    shares = table.take("shares", _weights, {})
    for slug in shares:
        if slug not in outlets:
            table.gap(f"shares.{slug}", "is no outlet of this file")
    return RulePart(
        shares=shares,
        host_share_bp=table.take("host_share_bp", _basis_points, 0, needed=False),
        fee_bearer=table.take("fee_bearer", _one_of("shares", "host"), "shares"),
        agreed_on=table.take("agreed_on", _day, date.min),
    )


def _amounts(settings: Settings, currency: str) -> Callable[[Any], list[str]]:
    def check(value: Any) -> list[str]:
        smallest, largest = settings.amount_min[currency], settings.amount_max[currency]
        texts = [_major(one) for one in _list(value)]
        for text in texts:
            if not smallest <= parse(text, currency) <= largest:
                raise _Wrong(f"{text} is outside AMOUNT_MIN and AMOUNT_MAX of {currency}")
        return texts

    return check


def _one_of(*words: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in words:
            raise _Wrong(f"{value!r}; it is {' or '.join(words)}")
        return str(value)

    return check


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Wrong("a text is needed")
    return value.strip()


def _slug(value: Any) -> str:
    text = _text(value)
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text):
        raise _Wrong(f"{text!r}; small Latin letters, digits and single hyphens")
    return text


def _latin(value: Any) -> str:
    text = _text(value)
    if not text.isascii():
        raise _Wrong("banks take the plain Latin letters only")
    return text


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise _Wrong("a list is needed")
    return value


def _words(value: Any) -> list[str]:
    return [_text(one) for one in _list(value)]


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Wrong("a table is needed")
    return dict(value)


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [_mapping(one) for one in _list(value)]


def _major(value: Any) -> str:
    """An amount in major units: text, or a whole number. A TOML float is not exact, so it is refused."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _Wrong(f'{value!r}; write amounts as text ("10.50") or whole numbers')
    return str(value)


def _day(value: Any) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise _Wrong(f"{value!r}; a day such as 2026-12-31 is needed")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(f"{value!r}; it is true or false")
    return value


def _country(value: Any) -> str:
    if value not in COUNTRIES:
        raise _Wrong(f"{value!r} is no ISO 3166 code of a country")
    return str(value)


def _countries(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise _Wrong("a list is needed")
    return [_country(one) for one in value]


def _weights(value: Any) -> dict[str, int]:
    weights = _mapping(value)
    if not weights or any(isinstance(w, bool) or not isinstance(w, int) or w <= 0 for w in weights.values()):
        raise _Wrong("each outlet needs a whole weight above zero")
    return weights


def _basis_points(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10_000:
        raise _Wrong(f"{value!r}; it is a whole number from 0 to 10000")
    return value


def _iban(value: Any) -> str:
    """An IBAN whose check digits are right, without its blanks."""
    text = "".join(_text(value).split()).upper()
    if not (15 <= len(text) <= 34 and text.isascii() and text.isalnum() and text[2:4].isdigit()):
        raise _Wrong("an IBAN is needed")
    if int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 != 1:
        raise _Wrong("the check digits of this IBAN do not fit")
    return text
