"""From an outbox row to a message: the templates of its name, in its reader's language.

Text and HTML come from templates/email/<name>/; nothing in a context can make a header, a line of its own or markup.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from babel import Locale
from babel.dates import format_date, format_skeleton
from flask import current_app
from flask_babel import force_locale
from jinja2 import Environment

from membership.config import Settings
from membership.mail.contexts import CONTEXTS
from membership.money import Money
from membership.money import format as format_money

POLICY = SMTP.clone(cte_type="7bit", max_line_length=78)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Marks that turn the direction of whatever follows: no name needs one, and our own words follow."""
DATES = {"en": "en_GB"}
"""Days are written as newspapers here write them: 3 December 2026."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail, rendered: what its reader will see."""

    subject: str
    text: str
    html: str


def render(template: str, locale: str, context: Mapping[str, Any], settings: Settings) -> Letter:
    """Render one mail in this language. KeyError for a template that does not exist."""
    told = {key: context[key] for key in CONTEXTS[template].__annotations__ if key in context}
    env = _environment()
    known = {
        "newsroom": settings.newsroom_name,
        "contact_url": settings.link("/contact", locale),
        "lang": locale,
    }
    values = known | _shown(told, locale)
    with force_locale(locale):
        subject = " ".join(env.get_template(f"email/{template}/subject.txt").render(values).split())
        values["subject"] = subject
        text = env.get_template(f"email/{template}/body.txt").render(values)
        html = env.get_template(f"email/{template}/body.html").render(values)
    return Letter(subject, _tidy(text), _tidy(html))


def message(letter: Letter, *, to: str, sender: str, message_id: str, at: datetime) -> EmailMessage:
    """The message as it travels: text first, HTML beside it, everything UTF-8 inside plain ASCII lines."""
    made = EmailMessage(policy=POLICY)
    made["From"] = sender
    made["To"] = to
    made["Subject"] = letter.subject
    made["Date"] = format_datetime(at)
    made["Message-ID"] = message_id
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(letter.text, charset="utf-8", cte=_encoding(letter.text))
    made.add_alternative(letter.html, subtype="html", charset="utf-8", cte=_encoding(letter.html))
    return made


def _encoding(text: str) -> str:
    """Readable on the wire while it is mostly ASCII, compact when it is not."""
    return "quoted-printable" if len(text.encode()) < len(text) * 1.2 else "base64"


def _environment() -> Environment:
    """The app's templates with a mail's own whitespace rules; made once an app."""
    found = current_app.extensions.get("mail_templates")
    if found is None:
        found = current_app.jinja_env.overlay(trim_blocks=True, lstrip_blocks=True)
        current_app.extensions["mail_templates"] = found
    made: Environment = found
    return made


def _shown(context: Mapping[str, Any], locale: str) -> dict[str, Any]:
    """Amounts and days as this language writes them; every text on one line, otherwise as it was typed."""
    shown: dict[str, Any] = {key: _value(key, value, locale) for key, value in context.items()}
    if context.get("covers_fee"):
        amount, charged = _money(context["amount"]), _money(context["charged"])
        if charged.currency == amount.currency and charged.minor > amount.minor:
            shown["fee"] = format_money(charged - amount, locale)
    for key, value in context.items():
        if key.endswith("_on") and value:
            day = date.fromisoformat(value)
            shown[key.removesuffix("_on") + "_day"] = format_skeleton("MMMMd", day, locale=_dates(locale))
    return shown


def _value(key: str, value: Any, locale: str) -> Any:
    if isinstance(value, str):
        if key.endswith(("_on", "_until")) or key == "until":
            return format_date(date.fromisoformat(value), "long", locale=_dates(locale))
        text = TURNS.sub("", CONTROL.sub(" ", value)).strip()
        return grouped(text) if key == "iban" else text
    if isinstance(value, Mapping):
        if value.keys() == {"minor", "currency"}:
            return format_money(_money(value), locale)
        return _shown(value, locale)
    if isinstance(value, list):
        return [_value("", one, locale) for one in value]
    return value


def grouped(iban: str) -> str:
    """An account number in groups of four, as it is read aloud and copied."""
    bare = "".join(iban.split())
    return " ".join(bare[at : at + 4] for at in range(0, len(bare), 4))


def _money(amount: Mapping[str, Any]) -> Money:
    return Money(amount["minor"], amount["currency"])


def _dates(locale: str) -> Locale:
    return Locale.parse(DATES.get(locale, locale))


def _tidy(text: str) -> str:
    """Templates may breathe; mails have no trailing blanks and never two empty lines."""
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"
