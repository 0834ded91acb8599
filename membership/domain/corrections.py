"""Correcting somebody's e-mail address: proposed by one of the staff, ripe after 7 days, done by another one.

Whoever reads mail at an address has the account, so a correction is a way to take one: the old address is told and
can stop it, and no one person can do it alone. When it is done, the new address is told, too.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, ForeignKey, Index, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock, vault
from membership.config import Settings
from membership.db import Base, db, str_enum
from membership.domain import audit, outbox, people, signins
from membership.domain.people import Person, new_reference
from membership.errors import N_, Conflict, Invalid, NotAllowed

RIPENS = timedelta(days=7)
TAKEN = N_("This address is in use already, so it cannot become this person's.")


class CorrectionStatus(StrEnum):
    """What became of the proposal."""

    PROPOSED = "proposed"
    DONE = "done"
    CANCELLED = "cancelled"


class Correction(Base):
    """One proposal. The new address is under the outbox key until it is decided, then forgotten."""

    __tablename__ = "corrections"
    __table_args__ = (
        Index("uq_corrections_open", "person_id", unique=True, sqlite_where=text("status = 'proposed'"),
              postgresql_where=text("status = 'proposed'")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    new_email_key: Mapped[str]
    locked_email: Mapped[bytes | None]
    cancel_hash: Mapped[str] = mapped_column(unique=True)
    """The token in the notice to the old address: whoever reads mail there can stop it."""
    status: Mapped[CorrectionStatus] = mapped_column(str_enum(CorrectionStatus))
    proposed_by_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    proposed_at: Mapped[datetime]
    ripe_at: Mapped[datetime]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    decided_at: Mapped[datetime | None]


# --- verbs -------------------------------------------------------------------------------------------------


def propose(
    person: Person,
    new_email: str,
    *,
    by: Person,
    old_email: str,
    settings: Settings,
    now: datetime | None = None,
) -> Correction:
    """Propose another address, and write to the old one with a way to stop it.

    Proposing the same address again gives the same row; another one waits until that is decided.
    """
    now = now or clock.now()
    new_key, clean = vault.email_key(new_email), vault.clean_email(new_email)
    waiting = _may_propose(person, new_key)
    if waiting is not None:
        return waiting
    token = secrets.token_urlsafe(24)
    correction = Correction(
        reference=new_reference(),
        person_id=person.id,
        new_email_key=new_key,
        locked_email=vault.lock({"email": clean}),
        cancel_hash=_hash(token),
        status=CorrectionStatus.PROPOSED,
        proposed_by_id=by.id,
        proposed_at=now,
        ripe_at=now + RIPENS,
    )
    db.session.add(correction)
    db.session.flush()
    cancel_url = settings.link(f"/account/keep-email/{token}", person.locale)
    _tell_owner(
        person, correction, to=old_email, clean=clean, cancel_url=cancel_url, settings=settings, now=now
    )
    _audited(audit.Tag.EMAIL_PROPOSED, person, correction, by, now)
    return correction


def _may_propose(person: Person, new_key: str) -> Correction | None:
    """The same proposal, if it waits already; raises what stands against another one."""
    person = people.lock_unless_erased(person.id)
    if new_key == person.email_key:
        raise Invalid(N_("This is the address we have already."), field="email")
    _refuse_if_taken(new_key)
    waiting = open_of(person)
    if waiting is not None and waiting.new_email_key != new_key:
        raise Conflict(N_("Another correction is waiting. Decide that one first."))
    return waiting


def _tell_owner(
    person: Person,
    correction: Correction,
    *,
    to: str,
    clean: str,
    cancel_url: str,
    settings: Settings,
    now: datetime,
) -> None:
    outbox.queue(
        key=f"email-correction:{correction.reference}",
        template="email-correction",
        to=to,
        locale=person.locale,
        context={
            "masked_new": vault.mask(clean),
            "by_newsroom": True,
            "ripe_on": correction.ripe_at.astimezone(settings.timezone).date().isoformat(),
            "cancel_url": cancel_url,
        },
        now=now,
    )


def approve(
    correction: Correction,
    *,
    by: Person,
    name: str | None = None,
    settings: Settings,
    now: datetime | None = None,
) -> str:
    """Another person agrees, a week later: the person has the new address, and is told so there.

    Returns it, for Stripe's customers.

    `name` is what to seal with it where this server cannot open the identity itself.
    """
    now = now or clock.now()
    person = people.lock_unless_erased(correction.person_id)
    correction = _waiting(correction)
    if by.id == correction.proposed_by_id:
        raise NotAllowed(N_("You proposed this correction yourself: somebody else must agree to it."))
    if now < correction.ripe_at:
        raise Conflict(N_("The week in which its owner may object is not over yet."))
    old_key = person.email_key
    _take(person, correction.new_email_key)
    email = str(vault.unlock(correction.locked_email or b"")["email"])
    for one in (old_key, correction.new_email_key):  # two of the staff vouch for the new one
        outbox.forget_bounce(one)
    if old_key is not None:
        outbox.follow_address(old_key, correction.new_email_key, to=email)
    person.bounced_at = None
    person.sealed_identity = vault.seal({"email": email, "name": _name(person, name)})
    if person.locked_contact is not None:
        person.locked_contact = vault.lock(vault.unlock(person.locked_contact) | {"email": email})
    _decide(correction, CorrectionStatus.DONE, by, now)
    signins.end_all(person, by=by, now=now)
    _audited(audit.Tag.EMAIL_CORRECTED, person, correction, by, now)
    _tell_new_address(person, correction, to=email, settings=settings, now=now)
    return email


def _tell_new_address(
    person: Person, correction: Correction, *, to: str, settings: Settings, now: datetime
) -> None:
    outbox.queue(
        key=f"email-corrected:{correction.reference}",
        template="email-corrected",
        to=to,
        locale=person.locale,
        context={
            "corrected_on": now.astimezone(settings.timezone).date().isoformat(),
            "sign_in_url": settings.link("/sign-in", person.locale),
        },
        now=now,
    )


def keep(correction: Correction, *, by: Person | None, now: datetime | None = None) -> Correction:
    """The address stays as it is: staff took the proposal back, or the owner of the old address said so (`by` None)."""
    now = now or clock.now()
    person = people.lock_unless_erased(correction.person_id)
    correction = _waiting(correction)
    _decide(correction, CorrectionStatus.CANCELLED, by, now)
    _audited(audit.Tag.EMAIL_KEPT, person, correction, by, now)
    return correction


def _take(person: Person, email_key: str) -> None:
    """The address is this person's; unless somebody has it, be it since a moment ago."""
    _refuse_if_taken(email_key)
    try:
        with db.session.begin_nested():
            person.email_key = email_key
    except IntegrityError as error:
        raise Conflict(TAKEN) from error


def _refuse_if_taken(email_key: str) -> None:
    """Nobody learns whose address it is: staff find that out where it is on record."""
    if db.session.scalar(select(Person.id).where(Person.email_key == email_key)) is not None:
        raise Conflict(TAKEN)


def _waiting(correction: Correction) -> Correction:
    """The proposal as it is now, if nobody has decided it yet."""
    db.session.refresh(correction, with_for_update=True)
    if correction.status is not CorrectionStatus.PROPOSED:
        raise Conflict(N_("This correction has been decided already."))
    return correction


def _name(person: Person, otherwise: str | None) -> str:
    """The name as it was sealed; where the key is not here, what the caller knows."""
    try:
        return str(vault.open_sealed(person.sealed_identity or b"").get("name", ""))
    except (vault.NoPrivateKey, vault.WrongKey):
        return otherwise or ""


def _decide(correction: Correction, status: CorrectionStatus, by: Person | None, now: datetime) -> None:
    correction.status, correction.decided_by_id, correction.decided_at = status, by.id if by else None, now
    correction.locked_email = None
    db.session.flush()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _audited(
    tag: audit.Tag, person: Person, correction: Correction, by: Person | None, now: datetime
) -> None:
    details = {"correction": correction.reference}
    audit.record(tag, subject_type="person", subject_id=person.reference, by=by, details=details, now=now)


# --- questions ---------------------------------------------------------------------------------------------


def open_of(person: Person) -> Correction | None:
    """The proposal that waits for this person."""
    found = select(Correction).where(
        Correction.person_id == person.id, Correction.status == CorrectionStatus.PROPOSED
    )
    return db.session.scalar(found)


def find_by_token(token: str) -> Correction | None:
    """The proposal that the link in the notice to the old address speaks of."""
    return db.session.scalar(select(Correction).where(Correction.cancel_hash == _hash(token)))


def is_ripe(now: datetime) -> ColumnElement[bool]:
    """Proposals that may be decided now."""
    return (Correction.status == CorrectionStatus.PROPOSED) & (Correction.ripe_at <= now)


def masked(correction: Correction) -> str:
    """The new address as its owner would know it; empty once it is decided."""
    return vault.mask(proposed(correction)) if correction.locked_email else ""


def proposed(correction: Correction) -> str:
    """The new address, for whoever decides; empty once it is decided."""
    return str(vault.unlock(correction.locked_email)["email"]) if correction.locked_email else ""
