"""Pages with a visitor's own tokens in them: drawn from a template, kept for a second where all see the same."""

import time
from collections.abc import Callable
from typing import Any

from flask import Response, current_app, render_template

from membership.web import attempts
from membership.web.attempts import Attempt
from membership.web.squeeze import Sheet

MOST = 256
Key = tuple[str, ...]


class Rack:
    """Sheets that are the same for everybody but for the tokens. The seconds are the process's, as in pagecache."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.sheets: dict[Key, tuple[float, Sheet]] = {}

    def fetch(self, key: Key, draw: Callable[[], Sheet]) -> Sheet:
        """The sheet of this key, drawn again when it is older than that."""
        now = time.monotonic()
        kept = self.sheets.get(key)
        if kept is not None and now < kept[0]:
            return kept[1]
        sheet = draw()
        if self.seconds:
            while len(self.sheets) >= MOST and key not in self.sheets:
                self.sheets.pop(next(iter(self.sheets)), None)
            self.sheets[key] = (now + self.seconds, sheet)
        return sheet


def shared(key: Key, draw: Callable[[], Sheet]) -> Sheet:
    """A sheet that everybody sees; `key` holds values of ours only."""
    rack: Rack = current_app.extensions["pressfund.sheets"]
    return rack.fetch(key, draw)


def draw(template: str, **context: Any) -> Sheet:
    """A sheet from a template."""
    return Sheet(render_template(template, **context))


def page(template: str, status: int = 200, *, attempt: Attempt | None = None, **context: Any) -> Response:
    """One visitor's page: drawn now, with fresh tokens."""
    sheet = draw(template, **context)
    return sheet.response(attempts.tokens(attempt) if sheet.has_room else "", status)
