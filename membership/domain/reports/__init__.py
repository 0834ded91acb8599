"""What staff look at: lists, figures, searches. Read-only; whoever changes something does it through the noun's verbs.

`people` and `payments` are lists with filters, `records` the audit log, `desk` what needs a person today, `names` and
`finding` how somebody is found.
"""

from membership.domain.reports import desk, finding, names, paging, payments, people, records
from membership.domain.reports.codes import code_of, id_of
from membership.domain.reports.names import Named, named
from membership.domain.reports.paging import Page, Place

__all__ = [
    "Named",
    "Page",
    "Place",
    "code_of",
    "desk",
    "finding",
    "id_of",
    "named",
    "names",
    "paging",
    "payments",
    "people",
    "records",
]
