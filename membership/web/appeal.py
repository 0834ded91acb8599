"""What a page says about a fundraiser: its words, how far it came, what for, and how it is shared."""

from dataclasses import dataclass
from datetime import date

from membership.domain import allocations, fundraisers, newsroom
from membership.domain.fundraisers import Fundraiser, Progress, ShownCause, ShownShare, Words
from membership.web import view


@dataclass(frozen=True, slots=True)
class Appeal:
    """Everything a template needs; no query is left for it to make."""

    slug: str
    words: Words
    progress: Progress
    causes: list[ShownCause]
    shares: list[ShownShare]
    fundraiser: Fundraiser
    is_open: bool
    closes_on: date | None
    agreed_on: date | None
    donee: str


def of(fundraiser: Fundraiser, locale: str) -> Appeal:
    """The fundraiser as this language's readers see it now."""
    host = newsroom.find_newsroom()
    rule = allocations.find_rule_in_force(fundraiser.id)
    return Appeal(
        slug=fundraiser.slug,
        words=fundraiser.words(locale),
        progress=fundraisers.progress(fundraiser),
        causes=fundraisers.causes_of(fundraiser, locale),
        shares=fundraisers.shares_shown(fundraiser),
        fundraiser=fundraiser,
        is_open=fundraiser.is_open(),
        closes_on=fundraiser.closes_on,
        agreed_on=rule.agreed_on if rule else None,
        donee=host.donee if host else view.settings().newsroom_name,
    )
