"""Fields that know the shape of what a person types, and say in a sentence what is wrong with it.

Templates read `data` and `errors` and write plain HTML; WTForms' own widgets are never drawn.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any

from flask_babel import gettext
from wtforms import Field, Form, ValidationError
from wtforms import fields as wtforms_fields

from membership import money, vault
from membership.errors import DomainError
from membership.money import Money
from membership.web import view


def is_unseen(letter: str) -> bool:
    """Whether this is no letter at all: a control mark, half a surrogate, or a noncharacter, which XML cannot hold."""
    code = ord(letter)
    is_noncharacter = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return is_noncharacter or unicodedata.category(letter) in ("Cc", "Cs")


class TextField(wtforms_fields.StringField):
    """Text as it was typed, tidied: NFC, no control characters, at most so many letters."""

    def __init__(self, *, most: int = 200, lines: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.most = most
        self.lines = lines

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """Names in every script stay as they are; only what cannot be seen goes."""
        text = unicodedata.normalize("NFC", valuelist[0] if valuelist else "").strip()
        kept = "\n" if self.lines else ""
        self.data = "".join(c for c in text if c in kept or not is_unseen(c))

    def pre_validate(self, form: Form) -> None:  # noqa: ARG002 - WTForms' signature
        """A sentence instead of a silent cut."""
        if len(self.data or "") > self.most:
            raise ValidationError(gettext("Please write at most %(most)s characters here.", most=self.most))


class EmailField(TextField):
    """An address that mail can be sent to, so far as its shape tells."""

    def pre_validate(self, form: Form) -> None:
        """The vault's own rule, so what passes here has a key there."""
        super().pre_validate(form)
        try:
            vault.normalise_email(self.data or "")
        except DomainError as error:
            raise ValidationError(view.sentence(error)) from error


class MoneyField(TextField):
    """An amount in major units, in the currency of the form; empty is allowed and is no amount."""

    money: Money | None = None

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """As it was typed: two cells of a table glued together must not become another amount."""
        text = (valuelist[0] if valuelist else "").strip()
        self.data = "".join(" " if is_unseen(c) else c for c in text)

    def pre_validate(self, form: Form) -> None:
        """Read it, or say how to write it."""
        super().pre_validate(form)
        if not self.data:
            return
        try:
            self.money = money.parse(self.data, form.currency)
        except DomainError as error:
            raise ValidationError(view.sentence(error)) from error


class TickField(wtforms_fields.BooleanField):
    """A box that is ticked or not."""


class ChoiceField(TextField):
    """One of a few words; anything else did not come from our form."""

    choices: Sequence[str] = ()

    def pre_validate(self, form: Form) -> None:
        """Only what was offered."""
        super().pre_validate(form)
        if self.data not in self.choices:
            raise ValidationError(gettext("Please choose one of these."))


def refuse(field: Field, sentence: str) -> None:
    """Write a sentence beside a field."""
    field.errors = [*field.errors, sentence]
