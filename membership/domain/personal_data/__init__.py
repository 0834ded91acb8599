"""Everything we hold about a person: shown, exported, erased.

Three files, one subject: `holding` gathers the rows of one person, `history` puts them in one line by time, `erasing`
says for every column that points to a person, or names one, what becomes of it.
"""

from membership.domain.personal_data.erasing import EMPTIED, GONE, KEPT, erase, hindrance
from membership.domain.personal_data.history import Fact, history_of
from membership.domain.personal_data.holding import (
    Holding,
    Paid,
    Similar,
    Verdict,
    customers_of,
    export,
    holding_of,
    identity_of,
    payments_of,
    reason_of,
    similar_ones,
)

__all__ = [
    "EMPTIED",
    "GONE",
    "KEPT",
    "Fact",
    "Holding",
    "Paid",
    "Similar",
    "Verdict",
    "customers_of",
    "erase",
    "export",
    "hindrance",
    "history_of",
    "holding_of",
    "identity_of",
    "payments_of",
    "reason_of",
    "similar_ones",
]
