"""What is logged carries no key of Stripe's, whoever writes it and wherever it goes.

It is done to the record itself: a filter on a logger does not see what its children write, and which handlers there
will be is for the server to say.
"""

import logging
import re
from typing import Any

_KEY = re.compile(r"((?:[sr]k_(?:live|test)|whsec)_)[\w*+/=]+")
_FORMATTER = logging.Formatter()


class Record(logging.LogRecord):
    """One record, with keys and webhook secrets cut off in its words and in the error that comes with it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.exc_info:
            self.exc_text = _hidden(_FORMATTER.formatException(self.exc_info))

    def getMessage(self) -> str:  # noqa: N802 - the name that formatters ask for
        """The words, with what was to be put into them."""
        return _hidden(super().getMessage())


def hide_keys() -> None:
    """From now on, for the whole process; safe to say twice."""
    logging.setLogRecordFactory(Record)


def _hidden(text: str) -> str:
    return _KEY.sub(r"\1...", text)
