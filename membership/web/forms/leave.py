"""The forms that stop or pause a gift or a membership."""

from collections.abc import Sequence

from wtforms import Form

from membership.web.forms.fields import ChoiceField, EmailField, TextField

ACTIONS = ("stop", "pause")
MONTHS = ("1", "2", "3")


class AskForm(Form):
    """Where the link that stops it is mailed."""

    email = EmailField(most=254)


class LeaveForm(Form):
    """Which button was pressed, and why, if somebody wishes to say."""

    action = ChoiceField()
    reason = TextField(most=500, lines=True)

    actions: Sequence[str] = ACTIONS

    def validate(self, extra_validators: None = None) -> bool:
        """Only the buttons of the page."""
        self.action.choices = self.actions
        return super().validate(extra_validators)


class LeaveMembershipForm(LeaveForm):
    """The same for a membership: it may also rest for some months, or leaving be taken back."""

    months = ChoiceField()

    actions = ("stop", "pause", "undo")

    def validate(self, extra_validators: None = None) -> bool:
        """One, two or three months; one where nobody said."""
        self.months.data = self.months.data or MONTHS[0]
        self.months.choices = MONTHS
        return super().validate(extra_validators)
