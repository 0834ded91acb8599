"""Announced bank transfers: a reference to write on the transfer, so that what arrives can be matched later."""

import secrets
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock
from membership.config import Settings
from membership.db import Base, db
from membership.domain import newsroom, outbox, people
from membership.domain.fundraisers import Fundraiser
from membership.errors import N_, Conflict, Invalid
from membership.money import Money

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # no 0, O, 1, I: people copy it by hand


class Transfer(Base):
    """A transfer somebody said they will make."""

    __tablename__ = "transfers"

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"), index=True)
    fundraiser_id: Mapped[int] = mapped_column(ForeignKey("fundraisers.id"), index=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    announced_at: Mapped[datetime]

    @property
    def amount(self) -> Money:
        """What was announced."""
        return Money(self.amount_minor, self.currency)


def announce(
    fundraiser: Fundraiser,
    *,
    email: str,
    name: str,
    amount: Money,
    locale: str,
    settings: Settings,
    now: datetime | None = None,
) -> Transfer:
    """Write a transfer down, mail its reference and account to the donor, and tell staff."""
    now = now or clock.now()
    if not fundraiser.is_open(now):
        raise Conflict(N_("This fundraiser is closed and takes no gifts any more."))
    if amount.minor <= 0:
        raise Invalid(N_("Please write an amount above zero."), field="amount")
    person = people.register(email, name=name, locale=locale, now=now)
    transfer = Transfer(
        reference="PF-" + "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(3)),
        person_id=person.id,
        fundraiser_id=fundraiser.id,
        amount_minor=amount.minor,
        currency=amount.currency,
        announced_at=now,
    )
    db.session.add(transfer)
    db.session.flush()
    _tell(transfer, fundraiser, email=email, name=name, locale=locale, settings=settings, now=now)
    return transfer


def _tell(
    transfer: Transfer,
    fundraiser: Fundraiser,
    *,
    email: str,
    name: str,
    locale: str,
    settings: Settings,
    now: datetime,
) -> None:
    context: dict[str, object] = {
        "amount": {"minor": transfer.amount_minor, "currency": transfer.currency},
        "reference": transfer.reference,
        "fundraiser_title": fundraiser.words(locale).title,
        "newsroom": settings.newsroom_name,
        "statement": settings.statement_descriptor,
    }
    account = newsroom.get_newsroom().bank_account
    outbox.queue(
        key=f"transfer:{transfer.reference}",
        template="transfer-announced",
        to=email,
        locale=locale,
        context=context | {"name": name or None, "account": dict(account)},
        now=now,
    )
    outbox.queue(
        key=f"transfer-staff:{transfer.reference}",
        template="transfer-announced-staff",
        to=settings.staff_mail,
        locale=settings.locales[0],
        context=context | {"fundraiser_title": fundraiser.words(settings.locales[0]).title},
        now=now,
    )
