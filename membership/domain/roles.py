"""Staff: who has which role, what a role may do, and the second factor that opens the desk.

A factor is a TOTP secret (RFC 6238) set up through an enrolment link, with recovery codes beside it. A code is taken
once, and five wrong ones in a quarter of an hour close the door until that is over.
"""

import hashlib
import hmac
import secrets
from base64 import b32encode
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import pyotp
from sqlalchemy import BigInteger, ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock, vault
from membership.db import Base, db, str_enum
from membership.domain import audit, limits
from membership.domain.people import Person
from membership.errors import N_, Conflict, Invalid, NotAllowed, NotFound

STEP = 30  # seconds for which an authenticator app shows one code
ENROL_WITHIN = timedelta(days=3)
MOST_WRONG = 5
WRONG_WITHIN = timedelta(minutes=15)
RECOVERY_CODES = 10
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""What a person may have to read and type: without 0 and O, 1 and I."""


class Role(StrEnum):
    """What somebody of the staff is there for."""

    VIEWER = "viewer"
    SUPPORT = "support"
    TREASURER = "treasurer"
    ADMIN = "admin"
    AUDITOR = "auditor"


class Ability(StrEnum):
    """One thing that can be done at the desk. Each staff page names the one it needs."""

    SEE = "see"  # lists, figures, one person's page
    WRITE = "write"  # notes, labels, send again, propose another address
    GRANT = "grant"  # give, extend and cancel memberships
    REFUND = "refund"
    REVIEW = "review"  # accept or refuse what is held
    EXPORT = "export"
    SEE_EVENTS = "see-events"  # what Stripe reported and what went wrong
    EVENTS = "events"  # try again what went wrong
    AUDIT = "audit"  # read the log
    PERSONAL_DATA = "personal-data"  # export and erase what we hold about somebody
    SETUP = "setup"
    ROLES = "roles"


ABILITIES: dict[Role, frozenset[Ability]] = {
    Role.VIEWER: frozenset({Ability.SEE}),
    Role.SUPPORT: frozenset({Ability.SEE, Ability.WRITE, Ability.GRANT}),
    Role.TREASURER: frozenset(
        {Ability.SEE, Ability.REFUND, Ability.REVIEW, Ability.EXPORT, Ability.SEE_EVENTS}
    ),
    Role.AUDITOR: frozenset({Ability.SEE, Ability.SEE_EVENTS, Ability.AUDIT}),
    Role.ADMIN: frozenset(Ability),
}


class StaffMember(Base):
    """A person with a role. The secret of the second factor is under the outbox key, recovery codes are hashes."""

    __tablename__ = "staff_members"

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    role: Mapped[Role] = mapped_column(str_enum(Role))
    granted_at: Mapped[datetime]
    granted_by_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    revoked_at: Mapped[datetime | None]
    locked_secret: Mapped[bytes | None]
    last_counter: Mapped[int | None] = mapped_column(BigInteger)
    """The time step of the last code that was taken: none is taken twice."""
    recovery_hashes: Mapped[list[Any]]
    enrolled_at: Mapped[datetime | None]
    enrol_hash: Mapped[str | None] = mapped_column(unique=True)
    enrol_until: Mapped[datetime | None]


# --- roles -------------------------------------------------------------------------------------------------


def grant(person: Person, role: Role, *, by: Person | None, now: datetime | None = None) -> StaffMember:
    """Give a role, or another one. Desk sessions begun before are no longer taken: see `opens_desk`."""
    now = now or clock.now()
    member = _locked(person.id)
    if member is None:
        member = StaffMember(person_id=person.id, recovery_hashes=[])
        db.session.add(member)
    elif member.revoked_at is None and member.role is role:
        return member
    was = member.role.value if member.role and member.revoked_at is None else None
    if member.revoked_at is not None:
        _forget_factor(member)
    member.role, member.granted_at, member.revoked_at = role, now, None
    member.granted_by_id = None if by is None else by.id
    _record(audit.Tag.ROLE_GRANTED, person, by, now, role=role.value, was=was)
    return member


def revoke(person: Person, *, by: Person | None, now: datetime | None = None) -> StaffMember:
    """Take the role and the second factor away. NotFound when there is none."""
    now = now or clock.now()
    member = _locked(person.id)
    if member is None or member.revoked_at is not None:
        raise NotFound(N_("This person has no role."))
    member.revoked_at = now
    _forget_factor(member)
    _record(audit.Tag.ROLE_REVOKED, person, by, now, role=member.role.value)
    return member


def find_staff(person_id: int) -> StaffMember | None:
    """This person as staff; None without a role."""
    member = db.session.get(StaffMember, person_id)
    return member if member is not None and member.revoked_at is None else None


def has_been_staff(person_id: int) -> bool:
    """Whether this person has or ever had a role."""
    return db.session.get(StaffMember, person_id) is not None


def role_of(person_id: int) -> Role | None:
    """The role this person has now."""
    member = find_staff(person_id)
    return member.role if member else None


def may(role: Role | None, ability: Ability) -> bool:
    """Whether this role includes that."""
    return role is not None and ability in ABILITIES[role]


def staff() -> list[StaffMember]:
    """Everybody with a role, oldest first."""
    found = select(StaffMember).where(StaffMember.revoked_at.is_(None))
    return list(db.session.scalars(found.order_by(StaffMember.granted_at, StaffMember.person_id)))


def opens_desk(person_id: int, begun_at: datetime) -> bool:
    """Whether a desk session begun then still counts: the role and the factor stand as they stood."""
    member = find_staff(person_id)
    if member is None or member.enrolled_at is None:
        return False
    return member.granted_at <= begun_at and member.enrolled_at <= begun_at


# --- the second factor -------------------------------------------------------------------------------------


def invite(member: StaffMember, *, now: datetime | None = None) -> str:
    """The token of a fresh enrolment link; an older link is dead."""
    token = secrets.token_urlsafe(32)
    member.enrol_hash, member.enrol_until = _hash(token), (now or clock.now()) + ENROL_WITHIN
    db.session.flush()
    return token


def reset(person: Person, *, by: Person | None, now: datetime | None = None) -> str:
    """Forget the second factor (a lost telephone) and give the token of a link to set up another."""
    now = now or clock.now()
    member = _locked(person.id)
    if member is None or member.revoked_at is not None:
        raise NotFound(N_("This person has no role."))
    _forget_factor(member)
    _record(audit.Tag.FACTOR_RESET, person, by, now)
    return invite(member, now=now)


def find_invited(token: str, *, now: datetime | None = None) -> StaffMember | None:
    """Whom an enrolment link is for; None when it is used, over or not ours."""
    found = select(StaffMember).where(
        StaffMember.enrol_hash == _hash(token), StaffMember.revoked_at.is_(None)
    )
    member = db.session.scalar(found)
    if member is None or member.enrol_until is None or member.enrol_until <= (now or clock.now()):
        return None
    return member


def secret_of(token: str) -> str:
    """The secret that an enrolment link sets up: the same at every look, kept only once it is confirmed."""
    return b32encode(bytes.fromhex(vault.fingerprint(f"second factor {token}"))[:20]).decode()


def enrol(token: str, person: Person, code: str, *, now: datetime, at: datetime) -> list[str]:
    """Set up the second factor once the app shows the right code; gives the recovery codes, this once.

    `at` is the time on the telephone's clock. NotFound for a link that is not theirs, Invalid for a wrong code.
    """
    member = find_invited(token, now=now)
    if member is None or member.person_id != person.id:
        raise NotFound(N_("This link is used or over."))
    member = _locked(person.id)
    if member is None or member.enrol_hash != _hash(token):
        raise Conflict(N_("This link was used a moment ago."))
    secret = secret_of(token)
    counter = _counter(secret, _digits(code), None, at)
    _count_wrong(member, person, ok=counter is not None, now=now)
    codes = [_new_recovery_code() for _ in range(RECOVERY_CODES)]
    member.locked_secret, member.last_counter = vault.lock({"secret": secret}), counter
    member.enrolled_at = now
    member.recovery_hashes = [_recovery_hash(member, one) for one in codes]
    member.enrol_hash, member.enrol_until = None, None
    _record(audit.Tag.FACTOR_ENROLLED, person, person, now)
    return codes


def take_secret(member: StaffMember, secret: str, *, now: datetime | None = None) -> StaffMember:
    """Set up a second factor whose secret is known already: sample staff, whose secrets stand in a file."""
    member.locked_secret, member.last_counter = vault.lock({"secret": secret}), None
    member.enrolled_at = now or clock.now()
    db.session.flush()
    return member


def check_code(person: Person, code: str, *, now: datetime, at: datetime) -> int | None:
    """Take a code of the authenticator app or a recovery code, each once. `at` is the time on the telephone's clock.

    Gives how many recovery codes are left where one was taken. Invalid for a wrong one; NotAllowed after five, or
    when there is no factor. Commit either way: tries count.
    """
    member = _locked(person.id)
    if member is None or member.revoked_at is not None or member.locked_secret is None:
        raise NotAllowed(N_("Your second factor is not set up yet. Ask an administrator for the link."))
    typed = _digits(code)
    if typed.isdecimal() and len(typed) == 6:
        secret = vault.unlock(member.locked_secret)["secret"]
        counter = _counter(secret, typed, member.last_counter, at)
        _count_wrong(member, person, ok=counter is not None, now=now)
        member.last_counter = counter
        db.session.flush()
        return None
    spent = _recovery_hash(member, typed)
    left = [one for one in member.recovery_hashes if not hmac.compare_digest(one, spent)]
    _count_wrong(member, person, ok=len(left) < len(member.recovery_hashes), now=now)
    member.recovery_hashes = left
    _record(audit.Tag.FACTOR_RECOVERED, person, person, now, left=len(left))
    return len(left)


def recovery_codes_left(person_id: int) -> int | None:
    """How many recovery codes somebody of the staff still has; None for whoever has no second factor."""
    member = find_staff(person_id)
    return len(member.recovery_hashes) if member is not None and member.enrolled_at is not None else None


def _count_wrong(member: StaffMember, person: Person, *, ok: bool, now: datetime) -> None:
    """Refuse a wrong code, and every code after five wrong ones; whoever is asked holds the row's lock."""
    told = ("factor-wrong", str(member.person_id))
    if not limits.allowed(*told, most=MOST_WRONG, per=WRONG_WITHIN, now=now):
        raise NotAllowed(N_("There were five wrong codes. Please wait a quarter of an hour and try again."))
    if ok:
        return
    limits.hit(*told, most=MOST_WRONG, per=WRONG_WITHIN, now=now)
    if not limits.allowed(*told, most=MOST_WRONG, per=WRONG_WITHIN, now=now):
        _record(audit.Tag.SIGNIN_REFUSED, person, None, now, factor="second", wrong=MOST_WRONG)
    raise Invalid(
        N_("This code is not right. Wait for the next one in your app, or use a recovery code."), field="code"
    )


def _counter(secret: str, typed: str, last: int | None, at: datetime) -> int | None:
    """The time step that shows this code, one step early or late; None when none does or it was taken before."""
    here = int(at.timestamp()) // STEP
    totp = pyotp.TOTP(secret)
    for counter in (here - 1, here, here + 1):
        if (last is None or counter > last) and hmac.compare_digest(totp.generate_otp(counter), typed):
            return counter
    return None


def _digits(typed: str) -> str:
    """A code as it is compared: capitals, without the blanks and hyphens that group it."""
    return "".join(letter for letter in typed.upper() if letter.isascii() and letter.isalnum())


def _new_recovery_code() -> str:
    letters = "".join(secrets.choice(LETTERS) for _ in range(12))
    return "-".join(letters[place : place + 4] for place in (0, 4, 8))


def _recovery_hash(member: StaffMember, code: str) -> str:
    return vault.fingerprint(f"recovery code {member.person_id} {_digits(code)}")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _locked(person_id: int) -> StaffMember | None:
    """The row, held until the transaction ends: two codes at once are looked at one after the other."""
    return db.session.get(StaffMember, person_id, with_for_update=True, populate_existing=True)


def _forget_factor(member: StaffMember) -> None:
    member.locked_secret, member.last_counter, member.enrolled_at = None, None, None
    member.recovery_hashes, member.enrol_hash, member.enrol_until = [], None, None


def _record(tag: audit.Tag, person: Person, by: Person | None, now: datetime, **details: object) -> None:
    audit.record(tag, subject_type="person", subject_id=person.reference, by=by, details=details, now=now)
