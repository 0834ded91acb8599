"""Work that is done one by one, each in transactions of its own: one that fails does not hide those behind it.

Where Stripe does not answer at all, each waits for as long as a time-out is: those behind have their turn later, so that
mails, which need no Stripe, go out meanwhile.
"""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from membership.billing.gateway import StripeUnavailable
from membership.db import db

log = logging.getLogger(__name__)

One = TypeVar("One", int, str)
Done = TypeVar("Done")

MOST_SILENT = 3
"""So many in a row without an answer of Stripe's, and the rest waits."""


def each(
    what: str,
    ones: Iterable[One],
    do: Callable[[One], Done],
    *,
    unanswered: Callable[[Done], bool] = lambda _: False,
) -> list[Done]:
    """Do it for each, named by an id or a key; what came of those that did not fail.

    `unanswered` tells of what came whether Stripe was silent; `do` may as well raise StripeUnavailable.
    """
    done: list[Done] = []
    silent = 0
    for one in ones:
        try:
            done.append(do(one))
            is_silent = unanswered(done[-1])
        except Exception as error:  # noqa: BLE001 - whatever it is, the others have their turn
            db.session.rollback()
            log.error("%s %s failed: %s", what, one, type(error).__name__)  # noqa: TRY400 - its words may name a person
            is_silent = isinstance(error, StripeUnavailable)
        silent = silent + 1 if is_silent else 0
        if silent == MOST_SILENT:
            break
    return done
