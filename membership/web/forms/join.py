"""The form that joins: shapes only. Whether a plan may be joined for so much is the domain's to judge."""

from flask_babel import gettext
from wtforms import Form

from membership.web.forms.fields import ChoiceField, EmailField, MoneyField, TextField, refuse


class JoinForm(Form):
    """What somebody fills in. `currency` and `offered` come from the plan and are set before validation."""

    price = ChoiceField()
    other_amount = MoneyField(most=40)
    email = EmailField(most=254)
    name = TextField(most=120)

    currency: str = "EUR"
    offered: tuple[str, ...] = ()

    def validate(self, extra_validators: None = None) -> bool:
        """All fields; nothing is chosen for anybody, so how often it is paid must be."""
        self.price.choices = (*self.offered, "")
        passed = super().validate(extra_validators)
        if not self.price.data and not self.price.errors:
            refuse(self.price, gettext("Please choose how you would like to pay: every month or every year."))
            return False
        return passed
