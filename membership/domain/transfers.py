"""Announced bank transfers: a reference to write on the transfer, so that what arrives can be matched later."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock
from membership.config import Settings
from membership.db import Base, db, insert_once
from membership.domain import newsroom, outbox, people
from membership.domain.fundraisers import Fundraiser
from membership.errors import N_, Conflict, Invalid
from membership.money import Money

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # no 0, O, 1, I: people copy it by hand


LARGEST = 10_000_000
KEEP_UNMATCHED = timedelta(days=90)


class Transfer(Base):
    """A transfer somebody said they will make."""

    __tablename__ = "transfers"

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    attempt: Mapped[str] = mapped_column(unique=True)
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
    attempt: str,
    email: str,
    name: str,
    amount: Money,
    locale: str,
    settings: Settings,
    now: datetime | None = None,
) -> Transfer:
    """Write a transfer down, mail its reference and account to the donor, and tell staff; once per attempt."""
    now = now or clock.now()
    if not fundraiser.is_open(now):
        raise Conflict(N_("This fundraiser is closed and takes no gifts any more."))
    if amount < settings.amount_min.get(amount.currency, amount):
        smallest = settings.amount_min[amount.currency]
        raise Invalid(N_("The smallest gift is %(amount)s."), field="amount", amount=smallest)
    if amount.minor <= 0 or amount.major > LARGEST:
        raise Invalid(N_("Please write an amount up to ten million."), field="amount")
    person = people.register(email, name=name, locale=locale, now=now)
    made = insert_once(
        Transfer,
        attempt=attempt,
        reference="PF-" + "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(3)),
        person_id=person.id,
        fundraiser_id=fundraiser.id,
        amount_minor=amount.minor,
        currency=amount.currency,
        announced_at=now,
    )
    transfer = db.session.scalars(select(Transfer).where(Transfer.attempt == attempt)).one()
    if made:
        _tell(transfer, fundraiser, email=email, locale=locale, settings=settings, now=now)
    return transfer


def purge_stale(now: datetime | None = None) -> int:
    """Forget who announced a transfer that was not matched in 90 days. Returns how many were purged."""
    before = (now or clock.now()) - KEEP_UNMATCHED
    found = select(Transfer).where(Transfer.announced_at < before, Transfer.person_id.is_not(None))
    found = found.order_by(Transfer.id).limit(500).with_for_update(skip_locked=True)
    stale = list(db.session.scalars(found.execution_options(populate_existing=True)))
    givers = [transfer.person_id for transfer in stale]
    for transfer in stale:
        transfer.person_id = None
    db.session.flush()
    people.forget_alone(givers, now=now)
    return len(stale)


def _tell(
    transfer: Transfer,
    fundraiser: Fundraiser,
    *,
    email: str,
    locale: str,
    settings: Settings,
    now: datetime,
) -> None:
    """Nobody has paid yet, so nothing that was typed but the amount stands in these mails: anyone may name any address."""
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
        context=context | {"name": None, "account": dict(account)},
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
