"""The form that announces a bank transfer."""

from flask_babel import gettext
from wtforms import Form

from membership.web.forms.fields import EmailField, MoneyField, TextField, refuse


class TransferForm(Form):
    """How much will come, and where the reference is mailed."""

    amount = MoneyField(most=40)
    email = EmailField(most=254)
    name = TextField(most=120)

    currency: str = "EUR"

    def validate(self, extra_validators: None = None) -> bool:
        """All fields, and that there is an amount."""
        passed = super().validate(extra_validators)
        if self.amount.money is None and not self.amount.errors:
            refuse(self.amount, gettext("Please write an amount."))
            return False
        return passed
