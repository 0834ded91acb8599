"""How far a new newsroom has come: what was done once, read off the rows it left."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from membership.db import db
from membership.domain import newsroom, roles
from membership.domain.audit import Record, Tag
from membership.domain.memberships import Kind, Membership
from membership.domain.outbox import Email
from membership.domain.payments import Payment, PaymentStatus
from membership.domain.reports import desk
from membership.domain.roles import Role


@dataclass(frozen=True, slots=True)
class Ready:
    """What is there already. `pages` are the legal pages that are still empty, `codes` the perks that have none left."""

    mail: bool
    gift: bool
    member: bool
    admins: int
    pages: tuple[str, ...]
    codes: tuple[str, ...]
    backup: datetime | None
    """When a copy was last restored and checked."""
    domain: Record | None
    """When DNS was last asked about the domain we write from, and what it said."""


def ready(domain: str) -> Ready:
    """All of it; each is one look-up."""
    verified = _last(Tag.BACKUP_VERIFIED)
    paid = select(Payment.id).where(Payment.status == PaymentStatus.SUCCEEDED)
    joined = select(Membership.id).where(Membership.kind == Kind.PAID, Membership.started_at.is_not(None))
    return Ready(
        mail=_any(select(Email.dedupe_key).where(Email.sent_at.is_not(None))),
        gift=_any(paid.where(Payment.donation_id.is_not(None))),
        member=_any(joined),
        admins=sum(one.role is Role.ADMIN and one.enrolled_at is not None for one in roles.staff()),
        pages=newsroom.empty_pages(),
        codes=desk.used_up(),
        backup=verified.at if verified else None,
        domain=_last(Tag.DOMAIN_CHECKED, domain),
    )


def _any(found: Select[Any]) -> bool:
    return db.session.scalar(found.limit(1)) is not None


def _last(tag: Tag, subject: str | None = None) -> Record | None:
    found = select(Record).where(Record.tag == tag.value).order_by(Record.id.desc()).limit(1)
    return db.session.scalar(found if subject is None else found.where(Record.subject_id == subject))
