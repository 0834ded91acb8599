"""The forms that stop or pause a gift."""

from wtforms import Form

from membership.web.forms.fields import ChoiceField, EmailField, TextField

ACTIONS = ("stop", "pause")


class AskForm(Form):
    """Where the link that stops a gift is mailed."""

    email = EmailField(most=254)


class LeaveForm(Form):
    """Which button was pressed, and why, if somebody wishes to say."""

    action = ChoiceField()
    reason = TextField(most=500, lines=True)

    def validate(self, extra_validators: None = None) -> bool:
        """Only the two buttons of the page."""
        self.action.choices = ACTIONS
        return super().validate(extra_validators)
