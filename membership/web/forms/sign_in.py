"""The forms that sign somebody in."""

from wtforms import Form

from membership.web.forms.fields import EmailField, TextField


class EmailForm(Form):
    """Where the link and the code are mailed."""

    email = EmailField(most=254)


class CodeForm(Form):
    """A code from the mail, from an authenticator app, or a recovery code: as leniently as people type."""

    code = TextField(most=40)
