"""The forms of the desk's lists."""

from wtforms import Form

from membership.web.forms.fields import ChoiceField, MoneyField, TextField

FORMATS = ("csv", "xlsx")
DECISIONS = ("accept", "refund")
REFUNDS = ("approve", "withdraw", "again", "bank")


class FindForm(Form):
    """Whatever staff have in hand: an address, a code, a reference, an id from Stripe, or a name."""

    q = TextField(most=254)


class ExportForm(Form):
    """All of a list as a file; the second factor is asked again."""

    format = ChoiceField()
    code = TextField(most=40)

    def validate(self, extra_validators: None = None) -> bool:
        """Only the two buttons of the page."""
        self.format.choices = FORMATS
        return super().validate(extra_validators)


class ReviewForm(Form):
    """A decision on a held gift; giving it back asks for the second factor again."""

    action = ChoiceField()
    code = TextField(most=40)

    def validate(self, extra_validators: None = None) -> bool:
        """Only the two buttons of the page."""
        self.action.choices = DECISIONS
        return super().validate(extra_validators)


class SettleForm(Form):
    """What becomes of a refund that waits. `note` and `left` tell a transfer: its reference, and what left the bank."""

    action = ChoiceField()
    note = TextField(most=120)
    left = MoneyField(most=40)
    code = TextField(most=40)

    currency: str = "EUR"

    def validate(self, extra_validators: None = None) -> bool:
        """Only the buttons of the page."""
        self.action.choices = REFUNDS
        return super().validate(extra_validators)
