"""Allocations: the published rule by which a fundraiser's money is set aside, and its exact use.

A *rule* is a version of the terms of one fundraiser: a weight for each outlet, a host share in basis points
taken before the weights, and who bears the card fee. It takes effect when every partner has agreed; the
version in force when money settles is the one that divides it, and an old one keeps its tallies.

A *share* remembers what it was given under its rule, in minor units of the ledger's currency. Dividing locks
the rule's row, so over any number of amounts no share is a whole unit away from its exact due. What a refund
takes back is taken from the recorded postings (ledger.portion_to_reverse), never from these tallies.
"""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from fractions import Fraction

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, UniqueConstraint, bindparam, select
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock
from membership.db import Base, db, str_enum
from membership.domain import audit, ledger
from membership.errors import N_, Invalid, NotFound
from membership.money import divide

WHOLE = 10_000  # basis points
_HEAVIEST = 10**12


class FeeBearer(StrEnum):
    """Who bears what the card costs: the shares together, or the host's own costs."""

    SHARES = "shares"
    HOST = "host"


class Rule(Base):
    """One version of a fundraiser's terms. In force from `in_force_at`, None while partners have yet to agree."""

    __tablename__ = "allocation_rules"
    __table_args__ = (
        UniqueConstraint("fundraiser_id", "version"),
        CheckConstraint("host_share_bp BETWEEN 0 AND 10000", name="host_share"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    fundraiser_id: Mapped[int] = mapped_column(ForeignKey("fundraisers.id"))
    fundraiser_slug: Mapped[str] = mapped_column(String(80))
    version: Mapped[int]
    host_share_bp: Mapped[int]
    fee_bearer: Mapped[FeeBearer] = mapped_column(str_enum(FeeBearer))
    proposed_at: Mapped[datetime]
    agreed_on: Mapped[date | None]
    in_force_at: Mapped[datetime | None]


class Share(Base):
    """One party's part of a rule: an outlet's, or the host's when `outlet_id` is None.

    `weight` counts among the weights of the rule, after the host share; the host's is 0 unless it takes part
    among the outlets as well. `agreed_on` stays None for the host, which proposed the rule.
    """

    __tablename__ = "allocation_shares"
    __table_args__ = (
        UniqueConstraint("rule_id", "account"),
        CheckConstraint("weight >= 0", name="weight"),
        CheckConstraint("given_minor >= 0", name="given"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    rule_id: Mapped[int] = mapped_column(ForeignKey("allocation_rules.id"))
    outlet_id: Mapped[int | None] = mapped_column(ForeignKey("outlets.id"), index=True)
    account: Mapped[str] = mapped_column(String(200))
    weight: Mapped[int] = mapped_column(BigInteger)
    given_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    agreed_on: Mapped[date | None]


# --- verbs -------------------------------------------------------------------------------------------------


def propose(
    fundraiser_id: int,
    *,
    fundraiser_slug: str,
    shares: Sequence[tuple[int | None, str, int]],
    host_share_bp: int = 0,
    fee_bearer: FeeBearer | str = FeeBearer.SHARES,
    by: audit.Actor | None = None,
    now: datetime | None = None,
) -> Rule:
    """Propose the next version. `shares` are (outlet id, outlet slug, weight); id None is the host itself.

    The newest version is returned when it says just this already. Raises Invalid for terms that divide
    nothing, name a party twice or weigh less than nothing.
    """
    terms = _terms(fundraiser_slug, shares, host_share_bp)
    bearer = FeeBearer(fee_bearer)
    last = _newest(fundraiser_id)
    if last is not None and _same(last, terms, host_share_bp, bearer):
        return last
    rule = Rule(
        fundraiser_id=fundraiser_id,
        fundraiser_slug=fundraiser_slug,
        version=1 if last is None else last.version + 1,
        host_share_bp=host_share_bp,
        fee_bearer=bearer,
        proposed_at=now or clock.now(),
    )
    db.session.add(rule)
    db.session.flush()
    db.session.add_all(
        Share(rule_id=rule.id, account=account, outlet_id=outlet_id, weight=weight)
        for account, (outlet_id, weight) in terms.items()
    )
    db.session.flush()
    _record(audit.Tag.RULE_PROPOSED, rule, by=by, now=now)
    return rule


def _terms(
    fundraiser_slug: str, shares: Sequence[tuple[int | None, str, int]], host_share_bp: int
) -> dict[str, tuple[int | None, int]]:
    """Account -> (outlet id, weight), checked; the host stands last."""
    host_account = f"host-share:{fundraiser_slug}"
    terms: dict[str, tuple[int | None, int]] = {}
    for outlet_id, slug, weight in shares:
        account = host_account if outlet_id is None else f"share:{fundraiser_slug}:{slug}"
        ledger.kind_of(account)
        if account in terms:
            raise Invalid(N_("A rule names each outlet once."), field="shares")
        if not 0 < weight <= _HEAVIEST:
            raise Invalid(N_("Each weight is a whole number above zero."), field="shares")
        terms[account] = (outlet_id, weight)
    if not 0 <= host_share_bp <= WHOLE:
        raise Invalid(N_("The host's share is between 0 and 100 percent."), field="host_share_bp")
    if not terms and host_share_bp != WHOLE:
        raise Invalid(N_("A rule needs somebody to share with."), field="shares")
    if host_share_bp:
        terms[host_account] = terms.pop(host_account, (None, 0))
    return terms


def _same(
    rule: Rule, terms: dict[str, tuple[int | None, int]], host_share_bp: int, bearer: FeeBearer
) -> bool:
    known = {share.account: (share.outlet_id, share.weight) for share in shares_of(rule)}
    return (known, rule.host_share_bp, rule.fee_bearer) == (terms, host_share_bp, bearer)


def agree(
    rule: Rule,
    *,
    on: date,
    outlet_id: int | None = None,
    by: audit.Actor | None = None,
    now: datetime | None = None,
) -> Rule:
    """Note that an outlet agreed on a day (None: that all partners did); with the last one it is in force.

    Saying it twice keeps the first day. Raises NotFound for an outlet that has no share in the rule.
    """
    rule = _locked(rule)
    partners = [share for share in shares_of(rule) if share.outlet_id is not None]
    meant = [share for share in partners if outlet_id in (None, share.outlet_id)]
    if outlet_id is not None and not meant:
        raise NotFound(N_("This outlet has no share in the rule."))
    fresh = [share for share in meant if share.agreed_on is None]
    for share in fresh:
        share.agreed_on = on
    if rule.in_force_at is None and all(share.agreed_on for share in partners):
        rule.in_force_at = now or clock.now()
        rule.agreed_on = max((share.agreed_on for share in partners if share.agreed_on), default=on)
    elif not fresh:
        return rule
    db.session.flush()
    _record(audit.Tag.RULE_AGREED, rule, by=by, now=now, outlets=[share.outlet_id for share in fresh])
    return rule


def _record(
    tag: audit.Tag, rule: Rule, *, by: audit.Actor | None, now: datetime | None, **more: object
) -> None:
    audit.record(
        tag,
        subject_type="fundraiser",
        subject_id=rule.fundraiser_slug,
        by=by,
        details={"version": rule.version, **more},
        now=now,
    )


def allocate(rule: Rule, amount_minor: int, *, is_locked: bool = False) -> dict[str, int]:
    """Divide an amount by the rule: account code -> minor units, which sum to it; nothing is left out but zeros.

    Locks the rule until the transaction ends (unless `lock_rule_in_force` has) and adds to the tallies, so allocate
    each amount once, in the transaction that posts it. On SQLite call it inside `writing()`.
    """
    rule = rule if is_locked else _locked(rule)
    shares = shares_of(rule)
    given = [share.given_minor for share in shares]
    parts = divide(amount_minor, _weights(rule, shares), given)
    for share, part in zip(shares, parts, strict=True):
        share.given_minor += part
    db.session.flush()
    return {share.account: part for share, part in zip(shares, parts, strict=True) if part}


def _locked(rule: Rule) -> Rule:
    """The rule as it stands now, its row locked where the database locks rows."""
    found = select(Rule).where(Rule.id == rule.id)
    return db.session.scalars(found.with_for_update().execution_options(populate_existing=True)).one()


def _weights(rule: Rule, shares: Sequence[Share]) -> list[int]:
    """One weight each, exact: the host share is set against the sum of the weights it comes before."""
    total = sum(share.weight for share in shares) or 1
    outlets = [share.weight * (WHOLE - rule.host_share_bp) for share in shares]
    host = rule.host_share_bp * total
    return [
        weight + (host if share.outlet_id is None else 0)
        for share, weight in zip(shares, outlets, strict=True)
    ]


# --- questions ---------------------------------------------------------------------------------------------


# Built once: every gift asks these.
_IN_FORCE = (
    select(Rule)
    .where(Rule.fundraiser_id == bindparam("fundraiser"), Rule.in_force_at <= bindparam("at"))
    .order_by(Rule.version.desc())
    .limit(1)
)
_IN_FORCE_LOCKED = _IN_FORCE.with_for_update().execution_options(populate_existing=True)
_SHARES = (
    select(Share)
    .where(Share.rule_id == bindparam("rule"))
    .order_by(Share.id)
    .execution_options(populate_existing=True)
)


def find_rule_in_force(fundraiser_id: int, now: datetime | None = None) -> Rule | None:
    """The newest version in force at this moment; None before any is."""
    return db.session.scalar(_IN_FORCE, {"fundraiser": fundraiser_id, "at": now or clock.now()})


def lock_rule_in_force(fundraiser_id: int, now: datetime | None = None) -> Rule | None:
    """The same, its row locked until the transaction ends: what is allocated next follows one upon the other."""
    return db.session.scalar(_IN_FORCE_LOCKED, {"fundraiser": fundraiser_id, "at": now or clock.now()})


def _newest(fundraiser_id: int) -> Rule | None:
    found = select(Rule).where(Rule.fundraiser_id == fundraiser_id)
    return db.session.scalar(found.order_by(Rule.version.desc()).limit(1))


def shares_of(rule: Rule) -> list[Share]:
    """The rule's shares, as the database has them now, in the order they were proposed."""
    return list(db.session.scalars(_SHARES, {"rule": rule.id}))


def fractions_of(rule: Rule) -> dict[int | None, Fraction]:
    """What part of each amount goes to whom, exactly: outlet id (None: the host) -> fraction; they sum to 1."""
    shares = shares_of(rule)
    weights = _weights(rule, shares)
    total = sum(weights)
    return {
        share.outlet_id: Fraction(weight, total)
        for share, weight in zip(shares, weights, strict=True)
        if weight
    }


def held_account(rule: Rule) -> str:
    """Where a gift waits until staff accept it."""
    return f"held:{rule.fundraiser_slug}"
