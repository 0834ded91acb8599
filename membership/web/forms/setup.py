"""The form of the setup page: the name of the DKIM key."""

import re

from wtforms import Form

from membership.web.forms.fields import TextField

SELECTOR = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\.[A-Za-z0-9][A-Za-z0-9_-]{0,62})?")


class DomainForm(Form):
    """Which key the mail provider signs with."""

    selector = TextField(most=130)

    def name(self) -> str | None:
        """The selector, or None for what is none."""
        text = str(self.selector.data or "").strip()
        return text if SELECTOR.fullmatch(text) else None
