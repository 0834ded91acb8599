"""The gift form: shapes only. Limits, currencies and countries are the domain's to judge."""

from babel import Locale
from flask_babel import gettext
from wtforms import Form

from membership.money import Money
from membership.web.forms.fields import ChoiceField, EmailField, MoneyField, TextField, TickField, refuse

INTERVALS = ("once", "month", "year")


def is_country(code: str) -> bool:
    """Whether two letters name a country or territory; ZZ is CLDR's word for none."""
    code = code.upper()
    return len(code) == 2 and code.isalpha() and code != "ZZ" and code in Locale("en").territories


class GiveForm(Form):
    """What a donor fills in. `currency` comes from the address and is set before validation."""

    interval = ChoiceField()
    amount = MoneyField(most=20)
    other_amount = MoneyField(most=40)
    covers_fee = TickField()
    country = TextField(most=2)
    email = EmailField(most=254)
    name = TextField(most=120)
    shown = TickField()
    message = TextField(most=500, lines=True)

    currency: str = "EUR"
    was_sent = False
    """Whether somebody has sent it: nothing is chosen for them then."""

    @property
    def money(self) -> Money | None:
        """The amount that counts: one's own when it was written, else the chosen one."""
        return self.other_amount.money if self.other_amount.data else self.amount.money

    def validate(self, extra_validators: None = None) -> bool:
        """All fields, and that there is an amount at all."""
        self.interval.choices = INTERVALS
        if self.other_amount.data:
            self.amount.data = ""
        passed = super().validate(extra_validators)
        if self.country.data and not is_country(self.country.data):
            refuse(self.country, gettext("Please choose from the list."))
            passed = False
        if self.money is None and not (self.amount.errors or self.other_amount.errors):
            refuse(self.other_amount, gettext("Please choose an amount or write your own."))
            return False
        return passed
