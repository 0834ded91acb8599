"""Fundraisers: what money is asked for, in which words, and how far it has come.

Two files, one noun: `asked` is what staff say, `raised` what readers gave.
"""

from membership.domain.fundraisers.asked import (
    Cause,
    Fundraiser,
    FundraiserStatus,
    Notice,
    ShownCause,
    ShownShare,
    Words,
    causes_of,
    current,
    describe,
    find_fundraiser,
    fundraiser_of,
    fundraisers_by_id,
    get_fundraiser,
    notices,
    open_ones,
    shares_shown,
    suggested,
)
from membership.domain.fundraisers.raised import (
    Movement,
    Progress,
    Publication,
    move,
    progress,
    publish_due,
    totals_off,
)

__all__ = [
    "Cause",
    "Fundraiser",
    "FundraiserStatus",
    "Movement",
    "Notice",
    "Progress",
    "Publication",
    "ShownCause",
    "ShownShare",
    "Words",
    "causes_of",
    "current",
    "describe",
    "find_fundraiser",
    "fundraiser_of",
    "fundraisers_by_id",
    "get_fundraiser",
    "move",
    "notices",
    "open_ones",
    "progress",
    "publish_due",
    "shares_shown",
    "suggested",
    "totals_off",
]
