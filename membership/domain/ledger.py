"""The ledger: double-entry, append-only, in the settlement currency.

An *account* is a text code ("stripe", "share:<fundraiser>:<outlet>"); its first word says what kind it is.
An *entry* has one source (a balance transaction, a bank line, a disbursement step), unique, so the same fact
cannot be posted twice. Its *postings* are minor units, debit positive and credit negative, none zero; they
sum to zero. Nothing is ever changed or deleted (triggers.py): what was wrong is reversed.

Memo and source must not name a person. Errors: Unbalanced and UnknownAccount (a fault of ours), Conflict (the
source is known with other postings), TooMuch (more would be taken back than was recorded).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    bindparam,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock, triggers
from membership.db import Base, core, db, insert_once, str_enum
from membership.errors import N_, Conflict, DomainError
from membership.money import currency_of, divide

_Id = BigInteger().with_variant(Integer, "sqlite")


class Kind(StrEnum):
    """What an account is; debits raise assets and expenses, credits raise liabilities and income."""

    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"
    EXPENSE = "expense"


# The first word of a code -> its kind, and the words that may follow.
_KINDS: dict[str, tuple[Kind, str]] = {
    "stripe": (Kind.ASSET, ""),
    "bank": (Kind.ASSET, ""),
    "fees": (Kind.EXPENSE, "(:shares)?"),  # fees:shares is what the shares bear of the fees, a credit
    "lost-fees": (Kind.EXPENSE, ""),
    "exchange": (Kind.EXPENSE, ""),
    "host-costs": (Kind.EXPENSE, ""),
    "membership": (Kind.INCOME, ""),
    "set-apart": (Kind.LIABILITY, ""),
    "held": (Kind.LIABILITY, ":SLUG"),
    "share": (Kind.LIABILITY, ":SLUG:SLUG"),
    "host-share": (Kind.INCOME, ":SLUG"),
}
_SLUG = "[a-z0-9][a-z0-9_-]*"


class Unbalanced(DomainError):
    """Postings that do not sum to zero, or fewer than two."""


class UnknownAccount(DomainError):
    """A code that stands for no account."""


class TooMuch(Conflict):
    """More would be taken back than was recorded."""


class Account(Base):
    """One heap of money, made when it is first posted to."""

    __tablename__ = "ledger_accounts"

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    code: Mapped[str] = mapped_column(String(200), unique=True)
    kind: Mapped[Kind] = mapped_column(str_enum(Kind))


class Entry(Base):
    """One fact about money. `subject` says what it belongs to ("payment:17"), for `entries_of`."""

    __tablename__ = "ledger_entries"

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    source: Mapped[str] = mapped_column(String(200), unique=True)
    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str | None] = mapped_column(String(200), index=True)
    happened_at: Mapped[datetime]
    posted_at: Mapped[datetime] = mapped_column(index=True)
    memo: Mapped[str] = mapped_column(String(400), default="")
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_entries.id"), index=True)


class Posting(Base):
    """What an entry does to one account: debit positive, credit negative."""

    __tablename__ = "ledger_postings"
    __table_args__ = (
        UniqueConstraint("entry_id", "account_id"),
        CheckConstraint("amount_minor <> 0", name="not_zero"),
        Index("ix_ledger_postings_balance", "account_id", "amount_minor"),  # balances are read from it alone
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    entry_id: Mapped[int] = mapped_column(ForeignKey("ledger_entries.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("ledger_accounts.id"))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))


for _model in (Account, Entry, Posting):
    triggers.guard(Base.metadata.tables[_model.__tablename__])


# --- verbs -------------------------------------------------------------------------------------------------


def post(
    *,
    source: str,
    kind: str,
    happened_at: datetime,
    postings: Mapping[str, int],
    currency: str,
    subject: str | None = None,
    memo: str = "",
    reverses: Entry | None = None,
    now: datetime | None = None,
) -> Entry:
    """Post one fact, once. `postings` maps account codes to minor units; zeros are left out.

    A source that is known with the same kind, postings and currency gives the entry that stands; with others
    it is a Conflict. Safe when two workers post the same source at once.
    """
    currency_of(currency)
    wanted = _balanced(postings, source)
    is_known = (
        core().scalar(_KNOWN, {"source": source}) is not None
    )  # SQLite's guard refuses even a vain insert
    made = not is_known and insert_once(
        Entry,
        source=source,
        kind=kind,
        subject=subject,
        happened_at=happened_at,
        posted_at=now or clock.now(),
        memo=memo,
        reverses_id=None if reverses is None else reverses.id,
    )
    entry = find_entry(source)
    assert entry is not None
    if made:
        _add_postings(entry, wanted, currency)
    elif (entry.kind, _recorded(entry)) != (kind, {code: (a, currency) for code, a in wanted.items()}):
        raise Conflict(N_("%(source)s is in the ledger already, with other figures."), source=source)
    return entry


def reverse(
    entry: Entry,
    *,
    source: str,
    happened_at: datetime,
    kind: str = "reversal",
    subject: str | None = None,
    memo: str = "",
    now: datetime | None = None,
) -> Entry:
    """Post the opposite of an entry, under a source of its own. `subject` is the entry's unless given."""
    recorded = _recorded(entry)
    return post(
        source=source,
        kind=kind,
        happened_at=happened_at,
        postings={code: -amount for code, (amount, _) in recorded.items()},
        currency=next(currency for _, currency in recorded.values()),
        subject=subject or entry.subject,
        memo=memo,
        reverses=entry,
        now=now,
    )


def portion_to_reverse(parts: Mapping[str, int], already: Mapping[str, int], amount: int) -> dict[str, int]:
    """How much of each recorded part to take back, for `amount` more than was taken back `already`.

    All are sizes, none negative. In proportion and exact over any number of steps: when everything is taken
    back, every part is back exactly, and none ever gives more than it received. Codes that give nothing are
    left out. Raises TooMuch.
    """
    codes = list(parts)
    back = [already.get(code, 0) for code in codes]
    if amount + sum(back) > sum(parts.values()):
        raise TooMuch(N_("More would be taken back than was recorded."))
    if amount == 0:
        return {}
    steps = divide(amount, [parts[code] for code in codes], back)
    return {code: step for code, step in zip(codes, steps, strict=True) if step}


def _balanced(postings: Mapping[str, int], source: str) -> dict[str, int]:
    """The postings that are not zero, to accounts that there are, summing to zero."""
    wanted = {code: amount for code, amount in postings.items() if amount}
    if sum(wanted.values()) != 0 or len(wanted) < 2:
        raise Unbalanced(N_("The postings of %(source)s do not balance."), source=source)
    for code in wanted:
        kind_of(code)
    return wanted


# Built once: every entry needs them.
_KNOWN = select(Entry.id).where(Entry.source == bindparam("source"))
_POSTINGS = insert(Base.metadata.tables[Posting.__tablename__])
_ACCOUNTS = select(Account.code, Account.id).where(Account.code.in_(bindparam("codes", expanding=True)))


def _add_postings(entry: Entry, wanted: dict[str, int], currency: str) -> None:
    ids = _account_ids(wanted)
    core().execute(
        _POSTINGS,
        [
            {"entry_id": entry.id, "account_id": ids[code], "amount_minor": amount, "currency": currency}
            for code, amount in wanted.items()
        ],
    )


def _account_ids(codes: Mapping[str, int]) -> dict[str, int]:
    """The accounts of these codes, made where they are new; always in one order, so that nobody deadlocks."""
    asked = {"codes": list(codes)}
    known = {row.code: row.id for row in core().execute(_ACCOUNTS, asked)}
    missing = sorted(set(codes) - set(known))
    for code in missing:
        insert_once(Account, code=code, kind=kind_of(code))
    return {row.code: row.id for row in core().execute(_ACCOUNTS, asked)} if missing else known


# --- questions ---------------------------------------------------------------------------------------------


def kind_of(code: str) -> Kind:
    """What kind of account a code stands for; raises UnknownAccount."""
    word = code.partition(":")[0]
    kind, rest = _KINDS.get(word, (None, ""))
    if kind is None or len(code) > 200 or not re.fullmatch(word + rest.replace("SLUG", _SLUG), code):
        raise UnknownAccount(N_("The ledger has no account “%(code)s”."), code=code)
    return kind


_BY_SOURCE = select(Entry).where(Entry.source == bindparam("source"))


def find_entry(source: str) -> Entry | None:
    """The entry of this source, if it was posted."""
    return db.session.scalar(_BY_SOURCE, {"source": source})


def entries_of(subject: str) -> list[Entry]:
    """All entries that belong to this subject, in the order they were posted."""
    return list(db.session.scalars(select(Entry).where(Entry.subject == subject).order_by(Entry.id)))


def postings_of(entry: Entry) -> dict[str, int]:
    """What an entry does to each account: debit positive, credit negative."""
    return {code: amount for code, (amount, _) in _recorded(entry).items()}


def _recorded(entry: Entry) -> dict[str, tuple[int, str]]:
    rows = db.session.execute(
        select(Account.code, Posting.amount_minor, Posting.currency)
        .join(Posting, Posting.account_id == Account.id)
        .where(Posting.entry_id == entry.id)
        .order_by(Posting.id)
    )
    return {code: (amount, currency) for code, amount, currency in rows}


def balance(code: str) -> int:
    """An account's balance in minor units, debit positive; 0 for one that was never posted to."""
    return balances(code).get(code, 0)


def balances(code: str) -> dict[str, int]:
    """The balances of an account and all below it: `balances("share:caucasus")` has every outlet's share."""
    found = (
        select(Account.code, func.sum(Posting.amount_minor))
        .join(Posting, Posting.account_id == Account.id)
        .where(or_(Account.code == code, Account.code.startswith(f"{code}:", autoescape=True)))
        .group_by(Account.code)
        .order_by(Account.code)
    )
    return {found_code: int(total) for found_code, total in db.session.execute(found)}


def check() -> list[str]:
    """Every breach of the ledger's own rules, one sentence each; none is right."""
    by_entry = select(
        Posting.entry_id, func.sum(Posting.amount_minor).label("total"), func.count().label("count")
    )
    sums = by_entry.group_by(Posting.entry_id).subquery()
    rows = db.session.execute(
        select(Entry.source, sums.c.total, func.coalesce(sums.c.count, 0))
        .outerjoin(sums, sums.c.entry_id == Entry.id)
        .where(or_(sums.c.total.is_(None), sums.c.total != 0, sums.c.count < 2))
        .order_by(Entry.id)
    )
    breaches = [f"entry {source} has {n} postings that sum to {total or 0}" for source, total, n in rows]
    currencies = list(db.session.scalars(select(Posting.currency).distinct().order_by(Posting.currency)))
    if len(currencies) > 1:
        breaches.append(f"the ledger holds more than one currency: {', '.join(currencies)}")
    for code, kind in db.session.execute(select(Account.code, Account.kind).order_by(Account.code)):
        if not _is_kind(code, kind):
            breaches.append(f"account {code} is kept as {kind}, which its code does not say")
    guarded = triggers.unguarded(db.session.connection(), "ledger_")
    return breaches + [f"{table} can be changed: its triggers are missing" for table in guarded]


def _is_kind(code: str, kind: Kind) -> bool:
    try:
        return kind_of(code) is kind
    except UnknownAccount:
        return False
