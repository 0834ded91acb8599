"""One table of the file: it gives its values one by one, and remembers what is missing, wrong or left over."""

from collections.abc import Callable
from typing import Any, TypeVar

from membership.cli.newsroom_file import shapes
from membership.config import Settings
from membership.errors import DomainError
from membership.money import Money, parse

T = TypeVar("T")


class Table:
    """One table of the file: takes values out one by one, remembers what is missing, wrong or left over."""

    def __init__(self, data: dict[str, Any], where: str, gaps: list[str], settings: Settings) -> None:
        self.data = data
        self.where = where
        self.gaps = gaps
        self.settings = settings
        self.children: list[Table] = []

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
        except (shapes.Wrong, DomainError) as error:
            self.gap(key, f"is wrong: {error}")
            return otherwise

    def text(self, key: str, otherwise: str | None = None) -> str:
        return self.take(key, shapes.written, otherwise or "", needed=otherwise is None)

    def table(self, key: str) -> "Table":
        """A table inside this one; where it is missing, all that it should hold is."""
        return self.child(self.take(key, shapes.mapping, {}, needed=False), f"{self.where}{key}.")

    def tables(self, key: str) -> list["Table"]:
        found = self.take(key, shapes.mappings, [], needed=False)
        slugs = [one["slug"] for one in found if "slug" in one]
        for twice in sorted({str(slug) for slug in slugs if slugs.count(slug) > 1}):
            self.gap(key, f"has {twice!r} twice")
        return [
            self.child(one, f"{self.where}{key}[{one.get('slug') or at}].") for at, one in enumerate(found, 1)
        ]

    def child(self, data: dict[str, Any], where: str) -> "Table":
        made = Table(data, where, self.gaps, self.settings)
        self.children.append(made)
        return made

    def texts(self, key: str, *, needed: bool = True) -> dict[str, str]:
        """A text per locale; the first locale of the site is never missing."""
        table = self.table(key)
        first = self.settings.locales[0]
        if first not in table.data and (needed or table.data):
            table.gap(first, f"is missing: {first} is the first of LOCALES")
        return {locale: table.text(locale) for locale in sorted(table.data, key=lambda one: one != first)}

    def spoken(self, key: str, *names: str, spare: tuple[str, ...] = ()) -> dict[str, dict[str, str]]:
        """Several texts per locale, the first locale before the others; those in `spare` may be missing."""
        table = self.table(key)
        tables = {code: table.table(code) for code in dict.fromkeys((self.settings.locales[0], *table.data))}
        return {
            code: {name: words.text(name, "" if name in spare else None) for name in names}
            for code, words in tables.items()
        }

    def currencies(self, key: str) -> dict[str, "Table"]:
        """A table per currency: all of CURRENCIES and no others."""
        table = self.table(key)
        offered = self.settings.currencies
        for currency in offered:
            if currency not in table.data:
                table.gap(currency, "is missing: CURRENCIES lists it")
        for currency in [one for one in table.data if one not in offered]:
            table.gap(currency, "is not one of CURRENCIES")
            del table.data[currency]
        return {currency: table.table(currency) for currency in list(table.data)}

    def amount(self, key: str, currency: str) -> Money:
        return self.take(key, lambda value: parse(shapes.major(value), currency), Money(0, currency))

    def leftovers(self) -> None:
        for child in self.children:
            child.leftovers()
        for key in self.data:
            self.gap(key, "is not known here")
