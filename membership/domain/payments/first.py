"""How far the first payment of a gift or a membership has come: one table of moves for both."""

from collections.abc import Mapping
from enum import StrEnum


class Status(StrEnum):
    """How far the first payment has come."""

    PLEDGED = "pledged"
    PROCESSING = "processing"
    SETTLED = "settled"
    FAILED = "failed"
    EXPIRED = "expired"


MOVES: Mapping[str, tuple[frozenset[Status], Status]] = {
    "wait": (
        frozenset({Status.PLEDGED, Status.EXPIRED, Status.FAILED, Status.PROCESSING}),
        Status.PROCESSING,
    ),
    "settle": (frozenset(Status), Status.SETTLED),
    "fail": (frozenset({Status.PLEDGED, Status.PROCESSING, Status.FAILED}), Status.FAILED),
    "expire": (frozenset({Status.PLEDGED, Status.EXPIRED}), Status.EXPIRED),
    "pledge": (frozenset({Status.PLEDGED, Status.EXPIRED, Status.FAILED}), Status.PLEDGED),
}
"""Which verb leads where: what it may start from, and where it ends. What is settled stays settled."""


def after(status: Status, verb: str) -> Status | None:
    """Where the verb leads from here; None when the payment is already past it."""
    allowed, target = MOVES[verb]
    return target if status in allowed else None
