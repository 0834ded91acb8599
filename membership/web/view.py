"""What templates may say: money, dates, percent, staff's Markdown, links and the reader's language."""

from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from urllib.parse import quote

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time
from babel.numbers import format_percent
from flask import Flask, current_app
from flask_babel import gettext
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markupsafe import Markup
from wtforms import Field

from membership import money as money_
from membership.config import Settings
from membership.errors import N_, DomainError
from membership.mail.letter import grouped
from membership.money import Money
from membership.web import assets, locales
from membership.web.squeeze import MARK
from membership.web.style import Stylesheet

DAYS_FIRST = {"en": "en_GB"}  # "20 November", as our readers write it
SHORT_NAMES = {"EUR": N_("euros"), "USD": N_("dollars"), "GBP": N_("pounds"), "GEL": N_("lari")}
ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
    "<circle cx='8' cy='9' r='6.5' fill='#9b1b38'/><path d='M5.5 3l1-2.5L8 2l1.5-1.5 1 2.5z' fill='#9b1b38'/></svg>"
)


def settings() -> Settings:
    """The settings of the running app."""
    found: Settings = current_app.config["SETTINGS"]
    return found


def money(amount: Money) -> str:
    """An amount as the reader's locale writes it."""
    return money_.format(amount, locales.locale())


def figure(amount: Money) -> str:
    """An amount in a column of them: each with its decimals."""
    return money_.format(amount, locales.locale(), aligned=True)


def currency_name(currency: str) -> str:
    """The name of a currency in the reader's language: "euros"; short for those that are most at home here."""
    short = SHORT_NAMES.get(currency)
    return gettext(short) if short else money_.name(currency, locales.locale())


def plain(amount: Money) -> str:
    """An amount as a form sends it: 20 or 7.50."""
    whole = amount.major.to_integral_value()
    return f"{whole:f}" if whole == amount.major else f"{amount.major:f}"


def strong(text: str) -> Markup:
    """A figure that stands out within its sentence."""
    return Markup("<b>{}</b>").format(text)


def day(value: date) -> str:
    """20 November."""
    local = value.astimezone(settings().timezone).date() if isinstance(value, datetime) else value
    return _unbroken(format_skeleton("MMMMd", local, locale=_days_first()))


def full_day(value: date) -> str:
    """20 November 2026."""
    local = value.astimezone(settings().timezone).date() if isinstance(value, datetime) else value
    return _unbroken(format_date(local, "long", locale=_days_first()))


def moment(written: str) -> str:
    """20 November 2026, 14:05, from an ISO text."""
    value = datetime.fromisoformat(written)
    local = value.astimezone(settings().timezone)
    return f"{full_day(value)}, {format_time(local, 'short', locale=_days_first())}"


def _unbroken(text: str) -> str:
    """The day stays on one line with its month."""
    return text.replace(" ", "\xa0", 1)


def _days_first() -> str:
    code = locales.locale()
    return DAYS_FIRST.get(code, code)


def percent(value: Decimal) -> str:
    """24% of a whole of 100; one decimal where it is needed."""
    return format_percent(value / 100, "#,##0.#%", locale=locales.locale())


def country_name(code: str) -> str:
    """A country in the reader's language."""
    return Locale.parse(locales.locale()).territories.get(code, code)


def sentence(error: DomainError) -> str:
    """What a refusal says, in the reader's language, amounts written as the locale does."""
    values = {k: money(v) if isinstance(v, Money) else v for k, v in error.values.items()}
    text = gettext(error.sentence)
    return text % values if values else text


def _markdown() -> MarkdownIt:
    """Staff's Markdown: no HTML, no pictures; headings begin below the page's own."""
    reader = MarkdownIt("commonmark", {"html": False, "typographer": False}).disable("image")

    def lower(state: StateCore) -> None:
        for token in state.tokens:
            if token.type in ("heading_open", "heading_close"):
                token.tag = f"h{min(6, max(2, int(token.tag[1])))}"

    reader.core.ruler.push("lower", lower)
    return reader


_reader = _markdown()


@lru_cache(maxsize=128)
def markdown(text: str) -> Markup:
    """Markdown as HTML; the library refuses javascript: and the like in links."""
    return Markup(_reader.render(text))  # noqa: S704 - HTML in the text is escaped by the reader


def errors_of(*fields: Field) -> list[tuple[str, str]]:
    """(field id, sentence) of every field that has something wrong, in the page's order."""
    return [(field.id, sentence) for field in fields for sentence in field.errors]


def register(app: Flask, stylesheet: Stylesheet) -> None:
    """Make these known to every template."""
    app.jinja_env.filters.update(
        money=money,
        figure=figure,
        day=day,
        full_day=full_day,
        moment=moment,
        groups=grouped,
        percent=percent,
        markdown=markdown,
        plain=plain,
        country=country_name,
    )
    app.jinja_env.globals.update(
        newsroom_name=app.config["SETTINGS"].newsroom_name,
        stylesheet=Markup(stylesheet.text),  # noqa: S704 - our own file
        icon=f"data:image/svg+xml,{quote(ICON)}",
        locale=locales.locale,
        tongues=locales.tongues,
        external=locales.external,
        currency_name=currency_name,
        script=assets.address,
        tokens_here=Markup(MARK),  # noqa: S704 - a comment of ours
        errors_of=errors_of,
        strong=strong,
    )
