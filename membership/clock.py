"""The one clock. Nobody else reads the time: verbs take `now=` and fall back on this.

In demo and tests it adds the pretend Stripe's offset, so advancing the sandbox's month moves ours.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, tzinfo

Source = Callable[[], datetime]


def _system() -> datetime:
    return datetime.now(UTC)


class _Clock:
    source: Source = staticmethod(_system)
    zone: tzinfo = UTC


def now() -> datetime:
    """The present moment: aware, UTC."""
    return _Clock.source()


def outside() -> datetime:
    """The time on other people's clocks: an authenticator app knows nothing of a month that the demo skipped."""
    return _system()


def day(moment: datetime | None = None) -> date:
    """The day of a moment, or today, where the newsroom is: what staff mean when they write a day down."""
    return (moment or now()).astimezone(_Clock.zone).date()


def live_in(zone: tzinfo) -> None:
    """Where the newsroom is."""
    _Clock.zone = zone


def use(source: Source | None) -> None:
    """Read the time from `source` from now on; None: from the system again."""
    _Clock.source = staticmethod(source or _system)
