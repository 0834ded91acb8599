"""The audit log: who did what to what, why and when. Append-only (triggers.py), written by the verbs.

Rows hold ids, references, amounts and a reason, never what names a person: subjects are named by reference,
people by id, and a reason or detail with an e-mail address in it is refused. Rows are written in the same
transaction as what they tell of, so neither stands without the other.

Rows are not chained by hashes: each would have to wait for the one before it, and all who act would stand in
one line. The triggers and the database's own backups hold the log instead.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import BigInteger, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock, triggers
from membership.db import Base, db
from membership.errors import N_, Invalid


class Tag(StrEnum):
    """What can be done: noun.past. A new one is a line here; the column takes any text."""

    DONATION_ACCEPTED = "donation.accepted"
    DONATION_REFUSED = "donation.refused"
    DONATION_REFUNDED = "donation.refunded"
    DONATION_STOPPED = "donation.stopped"
    DONATION_PAUSED = "donation.paused"
    DONATION_RESUMED = "donation.resumed"
    DONATIONS_STOPPED = "donations.stopped"
    PAYMENT_REFUNDED = "payment.refunded"
    PAYMENT_DISPUTED = "payment.disputed"
    PAYMENT_SET_APART = "payment.set-apart"
    PAYMENT_PLACED = "payment.placed"
    MEMBERSHIP_GRANTED = "membership.granted"
    MEMBERSHIP_CANCELLED = "membership.cancelled"
    MEMBERSHIP_WITHDRAWN = "membership.withdrawn"
    MEMBERSHIP_LEFT = "membership.left"
    MEMBERSHIP_RETURNED = "membership.returned"
    MEMBERSHIP_PAUSED = "membership.paused"
    MEMBERSHIP_RESUMED = "membership.resumed"
    MEMBERSHIP_CHANGED = "membership.changed"
    MEMBERSHIP_EXTENDED = "membership.extended"
    MEMBERSHIP_DOUBLED = "membership.doubled"
    MEMBERSHIP_KEPT = "membership.kept"
    PERK_TAKEN = "perk.taken"
    REFUND_PROPOSED = "refund.proposed"
    REFUND_APPROVED = "refund.approved"
    REFUND_WITHDRAWN = "refund.withdrawn"
    REFUND_REFUSED = "refund.refused"
    REFUND_TRANSFERRED = "refund.transferred"
    RECEIPT_RESENT = "receipt.resent"
    LINK_RESENT = "link.resent"
    SIGNIN_REFUSED = "signin.refused"
    ACCESS_REFUSED = "access.refused"
    SESSION_CONFIRMED = "session.confirmed"
    PEOPLE_SEARCHED = "people.searched"
    PEOPLE_EXPORTED = "people.exported"
    PERSON_NOTED = "person.noted"
    PERSON_LABELLED = "person.labelled"
    EMAIL_PROPOSED = "email.proposed"
    EMAIL_CORRECTED = "email.corrected"
    EMAIL_KEPT = "email.kept"
    EMAIL_BOUNCED = "email.bounced"
    BOUNCE_LIFTED = "bounce.lifted"
    DOMAIN_CHECKED = "domain.checked"
    BACKUP_VERIFIED = "backup.verified"
    ACCOUNT_PREPARED = "account.prepared"
    CALL_SETTLED = "call.settled"
    TRANSFER_ANNOUNCED = "transfer.announced"
    TRANSFER_RECEIVED = "transfer.received"
    RULE_PROPOSED = "rule.proposed"
    RULE_AGREED = "rule.agreed"
    FUNDRAISER_CHANGED = "fundraiser.changed"
    FUNDRAISER_OPENED = "fundraiser.opened"
    FUNDRAISER_CLOSED = "fundraiser.closed"
    OUTLET_CHANGED = "outlet.changed"
    NEWSROOM_CHANGED = "newsroom.changed"
    DISBURSEMENT_PROPOSED = "disbursement.proposed"
    DISBURSEMENT_APPROVED = "disbursement.approved"
    DISBURSEMENT_EXPORTED = "disbursement.exported"
    DISBURSEMENT_SENT = "disbursement.sent"
    DISBURSEMENT_CONFIRMED = "disbursement.confirmed"
    DISBURSEMENT_RETURNED = "disbursement.returned"
    PERSON_REVEALED = "person.revealed"
    PERSON_EXPORTED = "person.exported"
    PERSON_ERASED = "person.erased"
    ROLE_GRANTED = "role.granted"
    ROLE_REVOKED = "role.revoked"
    FACTOR_ENROLLED = "factor.enrolled"
    FACTOR_RECOVERED = "factor.recovered"
    FACTOR_RESET = "factor.reset"
    SESSION_STARTED = "session.started"
    SESSIONS_ENDED = "sessions.ended"
    EMAIL_REQUEUED = "email.requeued"
    EVENT_REPLAYED = "event.replayed"
    BOOKS_EXPORTED = "books.exported"
    DIFFERENCE_FOUND = "difference.found"


class Actor(Protocol):
    """Whoever acts: a person with an id."""

    @property
    def id(self) -> int: ...


class Record(Base):
    """One thing that was done. `by_id` is a person's id, None for the system."""

    __tablename__ = "audit_records"
    __table_args__ = (
        Index("ix_audit_records_subject", "subject_type", "subject_id", "id"),
        Index("ix_audit_records_tag", "tag", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    tag: Mapped[str] = mapped_column(String(60))
    subject_type: Mapped[str] = mapped_column(String(40))
    subject_id: Mapped[str] = mapped_column(String(100))
    by_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    reason: Mapped[str] = mapped_column(String(1000))
    details: Mapped[dict[str, Any]]


triggers.guard(Base.metadata.tables[Record.__tablename__])

_ADDRESS = re.compile(r"[^\s@]@[^\s@]")


def record(
    tag: Tag | str,
    *,
    subject_type: str,
    subject_id: str | int,
    by: Actor | None = None,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> Record:
    """Write down that something was done. Raises Invalid(field="reason") when the reason names an address."""
    reason = reason.strip()
    if len(reason) > 1000:
        raise Invalid(N_("Please keep the reason under 1000 characters."), field="reason")
    if _ADDRESS.search(reason):
        raise Invalid(N_("Please leave e-mail addresses out of the reason."), field="reason")
    if _ADDRESS.search(json.dumps(details or {}, ensure_ascii=False)):
        raise ValueError("details of the audit log hold ids and amounts, never an address")
    made = Record(
        at=now or clock.now(),
        tag=Tag(tag).value,
        subject_type=subject_type,
        subject_id=str(subject_id),
        by_id=None if by is None else by.id,
        reason=reason,
        details=dict(details or {}),
    )
    db.session.add(made)
    db.session.flush()
    return made


def check() -> list[str]:
    """Whether the log can still only grow; one sentence for each breach."""
    open_ = triggers.unguarded(db.session.connection(), "audit_")
    return [f"{table} can be changed: its triggers are missing" for table in open_]
