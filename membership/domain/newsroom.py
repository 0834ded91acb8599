"""The newsroom that hosts the fund: its name, its bank account, and the texts that staff provide.

One row. Texts are Markdown per locale; a text that is missing in a locale is shown in the first one.
"""

from typing import Any

from sqlalchemy import CheckConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from membership.db import Base, db
from membership.errors import N_, NotFound

LEGAL = ("imprint", "privacy", "terms", "contact")
PAGES = (*LEGAL, "about", "joining")


class Newsroom(Base):
    """The host: gifts are given to it, and it sets shares aside."""

    __tablename__ = "newsroom"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    donee: Mapped[str]
    bank_account: Mapped[dict[str, Any]]
    """The host's own published account: holder, iban, bic, bank."""
    pages: Mapped[dict[str, Any]]
    """page -> locale -> Markdown"""
    banner: Mapped[dict[str, Any]]
    """locale -> the line that the embedded banner says"""
    colours: Mapped[dict[str, Any]]
    """accent, paper and ink of the embedded banner, as #rrggbb"""

    def page(self, name: str, locale: str) -> str | None:
        """A text in this locale, else in any; None when staff have not written it."""
        texts: dict[str, str] = self.pages.get(name) or {}
        return texts.get(locale) or next(iter(texts.values()), None)


def find_newsroom() -> Newsroom | None:
    """The newsroom, once it was described."""
    return db.session.get(Newsroom, 1)


def get_newsroom() -> Newsroom:
    """The newsroom; NotFound until `flask newsroom load` has run."""
    found = find_newsroom()
    if found is None:
        raise NotFound(N_("The newsroom is not described yet: run flask newsroom load."))
    return found


def empty_pages() -> tuple[str, ...]:
    """The legal pages that nobody has written in any language."""
    host = find_newsroom()
    return tuple(page for page in LEGAL if host is None or not any((host.pages.get(page) or {}).values()))


def describe(
    *,
    name: str,
    donee: str,
    bank_account: dict[str, str],
    pages: dict[str, dict[str, str]],
    banner: dict[str, str] | None = None,
    colours: dict[str, str] | None = None,
) -> Newsroom:
    """Say what the newsroom is; saying it again replaces it."""
    newsroom = db.session.scalar(select(Newsroom).with_for_update()) or Newsroom(id=1)
    newsroom.name, newsroom.donee = name, donee
    newsroom.banner, newsroom.colours = dict(banner or {}), dict(colours or {})
    newsroom.bank_account, newsroom.pages = dict(bank_account), {k: dict(v) for k, v in pages.items()}
    db.session.add(newsroom)
    db.session.flush()
    return newsroom
