"""The newsroom itself: name, bank account, texts, and how the embedded banner looks."""

from typing import Any

from membership.cli.newsroom_file import shapes
from membership.cli.newsroom_file.table import Table
from membership.domain.newsroom import LEGAL, PAGES

COLOURS = ("accent", "paper", "ink")
READABLE = 4.5  # what WCAG asks of text
VISIBLE = 3.0  # and of lines and bars


def newsroom(table: Table) -> dict[str, Any]:
    """The arguments of `newsroom.describe`."""
    account = table.table("bank")
    pages = table.table("pages")
    first = table.settings.locales[0]
    per_locale = {locale: pages.table(locale) for locale in dict.fromkeys((first, *pages.data))}
    written: dict[str, dict[str, str]] = {page: {} for page in PAGES}
    for locale, texts in per_locale.items():
        for page in PAGES[:-1]:
            if page in texts.data or (locale == first and page in LEGAL):
                written[page][locale] = texts.text(page)
    written["joining"] = table.texts("joining", needed=False)
    return {
        "name": table.text("name"),
        "donee": table.text("donee"),
        "bank_account": {
            "holder": account.text("holder"),
            "iban": account.take("iban", shapes.iban, ""),
            "bic": account.text("bic"),
            "bank": account.text("bank"),
        },
        "pages": {page: texts for page, texts in written.items() if texts},
        "banner": table.texts("banner", needed=False),
        "colours": _colours(table.table("colours")),
    }


def _colours(table: Table) -> dict[str, str]:
    """All three or none. Words must be readable and the accent visible on the paper."""
    if not table.data:
        return {}
    said = {name: table.take(name, shapes.colour, "") for name in COLOURS}
    for name, least in (("ink", READABLE), ("accent", VISIBLE)):
        if said[name] and said["paper"]:
            found = shapes.contrast(said[name], said["paper"])
            if found < least:
                table.gap(
                    name, f"is too close to paper: their contrast is {found:.1f}, at least {least} is needed"
                )
    return said
