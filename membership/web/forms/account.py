"""The forms of the account: plan and amount, a pause, a reason, a language."""

from collections.abc import Sequence

from wtforms import Form

from membership.money import Money
from membership.web import locales
from membership.web.forms.fields import ChoiceField, MoneyField, TextField
from membership.web.forms.leave import MONTHS


class PlanForm(Form):
    """Which plan, how often, how much. `prices` is what is offered: supporter-month -> its least amount."""

    price = ChoiceField(most=120)
    other_amount = MoneyField(most=40)

    currency: str = "EUR"
    prices: Sequence[str] = ()

    def validate(self, extra_validators: None = None) -> bool:
        """One of the prices that were shown, and an amount where one was written."""
        self.price.choices = self.prices
        return super().validate(extra_validators)

    @property
    def own(self) -> Money | None:
        """The amount that was written, if any."""
        return self.other_amount.money if self.other_amount.data else None


class ReasonForm(Form):
    """Why, if somebody wishes to say."""

    reason = TextField(most=500, lines=True)


class PauseForm(Form):
    """For how many months nothing shall be charged."""

    months = ChoiceField()

    def validate(self, extra_validators: None = None) -> bool:
        """One, two or three."""
        self.months.choices = MONTHS
        return super().validate(extra_validators)


class LanguageForm(Form):
    """The language of our mails."""

    language = ChoiceField()

    def validate(self, extra_validators: None = None) -> bool:
        """Only one that we speak."""
        self.language.choices = locales.known()
        return super().validate(extra_validators)
