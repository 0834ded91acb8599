"""Stripe's balance transactions as rows: outside the ledger, which posts one entry for each, and able to learn later
which payout carried them.
"""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from membership.billing.facts import BalanceFacts
from membership.db import Base, insert_once


class BalanceTransaction(Base):
    """One movement of Stripe's balance, in settlement minor units."""

    __tablename__ = "balance_transactions"
    __table_args__ = (CheckConstraint("net_minor = amount_minor - fee_minor", name="net"),)

    stripe_id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    source_id: Mapped[str | None] = mapped_column(index=True)
    currency: Mapped[str]
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    fee_minor: Mapped[int] = mapped_column(BigInteger)
    net_minor: Mapped[int] = mapped_column(BigInteger)
    exchange_rate: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(index=True)
    available_on: Mapped[datetime]
    payout_id: Mapped[str | None] = mapped_column(index=True)


def keep(balance: BalanceFacts) -> None:
    """Keep a balance transaction, once."""
    insert_once(
        BalanceTransaction,
        stripe_id=balance.id,
        type=balance.type,
        source_id=balance.source_id,
        currency=balance.currency,
        amount_minor=balance.amount,
        fee_minor=balance.fee,
        net_minor=balance.net,
        exchange_rate=balance.exchange_rate,
        created_at=balance.created,
        available_on=balance.available_on,
    )
