"""The shapes of single values: each takes what stands in the file and gives it back fit for a verb, or says what is wrong."""

import re
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

from babel import Locale

from membership.config import Settings
from membership.money import Money, parse

COUNTRIES = frozenset(
    code for code in map(str, Locale("en").territories) if len(code) == 2 and code.isalpha()
)


class Wrong(Exception):
    """A value that cannot be taken, and why."""


def amounts(settings: Settings, currency: str) -> Callable[[Any], list[str]]:
    def check(value: Any) -> list[str]:
        smallest, largest = settings.amount_min[currency], settings.amount_max[currency]
        texts = [major(one) for one in filled_list(value)]
        for text in texts:
            if not smallest <= parse(text, currency) <= largest:
                raise Wrong(f"{text} is outside AMOUNT_MIN and AMOUNT_MAX of {currency}")
        return texts

    return check


def price(settings: Settings, currency: str) -> Callable[[Any], Money]:
    """One amount, inside the limits of its currency."""

    def check(value: Any) -> Money:
        (text,) = amounts(settings, currency)([value])
        return parse(text, currency)

    return check


def one_of(*words: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in words:
            raise Wrong(f"{value!r}; it is {' or '.join(words)}")
        return str(value)

    return check


def written(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Wrong("a text is needed")
    if "\0" in value:
        raise Wrong("a zero character (\\u0000) stands in it")
    return value.strip()


def slug(value: Any) -> str:
    text = written(value)
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text):
        raise Wrong(f"{text!r}; small Latin letters, digits and single hyphens")
    return text


def different(value: Any) -> list[str]:
    """Texts of which none stands there twice."""
    found = words(value)
    twice = sorted({one for one in found if found.count(one) > 1})
    if twice:
        raise Wrong(f"{twice[0]!r} stands there twice")
    return found


def whole(value: Any) -> int:
    """A whole number above zero."""
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise Wrong(f"{value!r}; a whole number above zero is needed")
    return value


def address(value: Any) -> str:
    """A link that a browser opens safely."""
    text = written(value)
    if not re.fullmatch(r"https://[^\s/]+\.[^\s/]+(/\S*)?", text):
        raise Wrong(f"{text!r}; an address that begins with https:// is needed")
    return text


def colour(value: Any) -> str:
    """#rrggbb."""
    text = written(value)
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise Wrong(f"{text!r}; a colour such as #9b1b38 is needed")
    return text.lower()


def contrast(one: str, other: str) -> float:
    """How far two colours stand apart, as WCAG counts it: 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour_: str) -> float:
    parts = [int(colour_[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def file_in(folder: Path) -> Callable[[Any], Path]:
    """A file that can be read, named from this folder."""

    def check(value: Any) -> Path:
        path = folder / written(value)
        try:
            path.open("rb").close()
        except OSError as error:
            raise Wrong(f"{path} cannot be read: {error.strerror}") from None
        return path

    return check


def latin(value: Any) -> str:
    text = written(value)
    if not text.isascii():
        raise Wrong("banks take the plain Latin letters only")
    return text


def filled_list(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise Wrong("a list is needed")
    return value


def words(value: Any) -> list[str]:
    return [written(one) for one in filled_list(value)]


def mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Wrong("a table is needed")
    return dict(value)


def mappings(value: Any) -> list[dict[str, Any]]:
    return [mapping(one) for one in filled_list(value)]


def major(value: Any) -> str:
    """An amount in major units: text, or a whole number. A TOML float is not exact, so it is refused."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Wrong(f'{value!r}; write amounts as text ("10.50") or whole numbers')
    return str(value)


def day(value: Any) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise Wrong(f"{value!r}; a day such as 2026-12-31 is needed")
    return value


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Wrong(f"{value!r}; it is true or false")
    return value


def country(value: Any) -> str:
    if value not in COUNTRIES:
        raise Wrong(f"{value!r} is no ISO 3166 code of a country")
    return str(value)


def countries(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise Wrong("a list is needed")
    return [country(one) for one in value]


def weights(value: Any) -> dict[str, int]:
    weights = mapping(value)
    if not weights or any(isinstance(w, bool) or not isinstance(w, int) or w <= 0 for w in weights.values()):
        raise Wrong("each outlet needs a whole weight above zero")
    return weights


def basis_points(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10_000:
        raise Wrong(f"{value!r}; it is a whole number from 0 to 10000")
    return value


def iban(value: Any) -> str:
    """An IBAN whose check digits are right, without its blanks."""
    text = "".join(written(value).split()).upper()
    if not (15 <= len(text) <= 34 and text.isascii() and text.isalnum() and text[2:4].isdigit()):
        raise Wrong("an IBAN is needed")
    if int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 != 1:
        raise Wrong("the check digits of this IBAN do not fit")
    return text
