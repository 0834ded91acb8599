"""Work that is done one by one, each in transactions of its own: one that fails does not hide those behind it."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from membership.db import db

log = logging.getLogger(__name__)

One = TypeVar("One", int, str)
Done = TypeVar("Done")


def each(what: str, ones: Iterable[One], do: Callable[[One], Done]) -> list[Done]:
    """Do it for each, named by an id or a key; what came of those that did not fail."""
    done = []
    for one in ones:
        try:
            done.append(do(one))
        except Exception as error:  # noqa: BLE001 - whatever it is, the others have their turn
            db.session.rollback()
            log.error("%s %s failed: %s", what, one, type(error).__name__)  # noqa: TRY400 - its words may name a person
    return done
