"""The sandbox's clock and its calendar.

Real time plus an offset that only grows. While the clock is being advanced it stands still at each
step's own moment, so that everything made by a step carries that step's time.
"""

import calendar
import time
from datetime import UTC, datetime, timedelta

HOUR = 3600
DAY = 86_400


class Clock:
    def __init__(self, offset: int = 0) -> None:
        self.offset = offset
        self._standing: int | None = None

    def now(self) -> int:
        return self._standing if self._standing is not None else int(time.time()) + self.offset

    def stand_at(self, moment: int) -> None:
        """Stop at a moment, never an earlier one than now."""
        self._standing = max(moment, self.now())
        self.offset = self._standing - int(time.time())

    def run_on(self) -> None:
        """Go on from where it stood."""
        if self._standing is not None:
            self.offset = self._standing - int(time.time())
            self._standing = None


def period_end(anchor: int, interval: str, count: int) -> int:
    """The moment `count` intervals after the anchor; months clamp to their last day, as Stripe's do."""
    start = datetime.fromtimestamp(anchor, UTC)
    if interval == "day":
        return int((start + timedelta(days=count)).timestamp())
    if interval == "week":
        return int((start + timedelta(weeks=count)).timestamp())
    months = count * (12 if interval == "year" else 1)
    month_index = start.year * 12 + start.month - 1 + months
    year, month = divmod(month_index, 12)
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return int(start.replace(year=year, month=month + 1, day=day).timestamp())
