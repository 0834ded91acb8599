"""The forms of one person's page at the desk: shapes only. Grave ones carry the second factor's `code`."""

from datetime import date

from flask_babel import gettext
from wtforms import Form

from membership.web.forms.fields import ChoiceField, EmailField, MoneyField, TextField, refuse

KINDS = ("complimentary", "gift", "offline")
DECISIONS = ("approve", "withdraw")
ENDS = ("period", "now")


class ActForm(Form):
    """What every act carries: which thing of the person's it is about, by its reference."""

    of = TextField(most=60)


class NoteForm(ActForm):
    """A note."""

    text = TextField(most=2000, lines=True)


class LabelForm(ActForm):
    """A label to put on; with `action` off, to take off."""

    label = TextField(most=40)
    action = TextField(most=10)


class RefundForm(ActForm):
    """How much goes back of the payment `of`; `seen` is what remained when the page was opened."""

    seen = TextField(most=20)
    amount = MoneyField(most=40)
    reason = TextField(most=300)
    code = TextField(most=40)

    currency: str = "EUR"

    def validate(self, extra_validators: None = None) -> bool:
        """All fields, and that there is an amount."""
        passed = super().validate(extra_validators)
        if self.amount.money is None and not self.amount.errors:
            refuse(self.amount, gettext("Please write an amount."))
            return False
        if self.amount.money is not None and self.amount.money.minor == 0:
            refuse(self.amount, gettext("Please write an amount above zero."))
            return False
        return passed


class DecideForm(ActForm):
    """A second person's word on what somebody proposed."""

    action = ChoiceField()
    code = TextField(most=40)

    def validate(self, extra_validators: None = None) -> bool:
        """Only the buttons of the page."""
        self.action.choices = DECISIONS
        return super().validate(extra_validators)


class ExtendForm(ActForm):
    """By how many days, and why."""

    days = TextField(most=4)
    reason = TextField(most=300)

    @property
    def number(self) -> int:
        """The days as a number; 0 where they are none, which the domain refuses."""
        text = self.days.data or ""
        return int(text) if text.isascii() and text.isdigit() else 0


class GrantForm(ActForm):
    """A membership without a payment through Stripe; `beside` is what ran when the page was opened."""

    beside = TextField(most=2000)
    plan = TextField(most=60)
    kind = ChoiceField()
    until = TextField(most=10)
    reason = TextField(most=300)

    day: date | None = None

    def validate(self, extra_validators: None = None) -> bool:
        """All fields, and that the day is one."""
        self.kind.choices = KINDS
        passed = super().validate(extra_validators)
        try:
            self.day = date.fromisoformat(self.until.data or "")
        except ValueError:
            refuse(self.until, gettext("Please choose a day."))
            return False
        return passed


class EndForm(ActForm):
    """When a membership ends, and why."""

    action = ChoiceField()
    reason = TextField(most=300)

    def validate(self, extra_validators: None = None) -> bool:
        """Only what the page offers."""
        self.action.choices = ENDS
        return super().validate(extra_validators)


class KeepForm(ActForm):
    """A second membership stays."""


class DoubleForm(ActForm):
    """A second membership ends, and what was paid for it goes back."""

    code = TextField(most=40)


class StopForm(ActForm):
    """Why a gift is stopped."""

    reason = TextField(most=300)


class SendForm(ActForm):
    """Send again: the receipt of the payment `of`, or without one a link to sign in."""


class ArriveForm(ActForm):
    """Mail arrives at the address again."""


class AddressForm(ActForm):
    """Another e-mail address."""

    email = EmailField(most=254)
    code = TextField(most=40)


class ExportForm(ActForm):
    """Everything we hold, as a file."""

    code = TextField(most=40)


class EraseForm(ActForm):
    """The person's short code, typed by hand, so that nobody is erased by a slip."""

    short = TextField(most=12)
    reason = TextField(most=300)
    code = TextField(most=40)
