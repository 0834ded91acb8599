"""A sign-in that was asked for: a link and a code, for ten minutes, used once.

Asking does the very same work whoever asks: one row. Whether there is somebody to write to is found out afterwards,
by the worker, so neither an answer nor its time tells who is known here.
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from sqlalchemy import CursorResult, ForeignKey, Index, delete, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock, vault
from membership.config import Settings
from membership.db import Base, db
from membership.domain import audit, outbox, roles
from membership.domain.people import Person
from membership.errors import N_, Invalid, NotAllowed, NotFound

LASTS = timedelta(minutes=10)
MOST_TRIES = 5
CODE_LETTERS = 8
KEPT = timedelta(days=1)
BATCH = 50

UNKNOWN = N_("Perhaps it was cut in two by the mail program. Copy all of it, or ask for a new one.")
USED = N_("This was used already: a link and its code let you in once.")
OVER = N_(
    "This is over: a link and its code are good for ten minutes, and only the newest ones you asked for."
)
DEAD = N_("This code was tried five times and is dead now. The link in the mail still works.")
WRONG = N_("This is not the code from the newest mail. Is a letter missing?")
FIFTH = N_("This was the fifth wrong code, so it is dead now. The link in the mail still works.")
ELSEWHERE = N_("This link was asked for in another browser. Please confirm that you want to sign in here.")


class SignIn(Base):
    """One asking. Known and unknown addresses make the same row; the worker finds out whether there is somebody to write to.

    `locked` holds address, token and code under the outbox key until the mail is queued, then only what is shown of
    the address.
    """

    __tablename__ = "sign_ins"
    __table_args__ = (
        Index("ix_sign_ins_unsent", "asked_at", sqlite_where=text("sent_at IS NULL"), postgresql_where=text("sent_at IS NULL")),
        Index("ix_sign_ins_email_key", "email_key", "asked_at"),
        Index("ix_sign_ins_expires_at", "expires_at"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    nonce_hash: Mapped[str] = mapped_column(index=True)
    """The browser that asked: the code works only there, the link asks first anywhere else."""
    code_hash: Mapped[str]
    tries: Mapped[int]
    email_key: Mapped[str]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"), index=True)
    locked: Mapped[bytes | None]
    locale: Mapped[str]
    next_path: Mapped[str]
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]


# --- asking ------------------------------------------------------------------------------------------------


def ask(email: str, *, nonce: str, locale: str, next_path: str = "", now: datetime | None = None) -> SignIn:
    """Write down that this address wants to sign in; what this browser asked for before is over.

    Raises Invalid for what is no address. Nothing here depends on whether we know it.
    """
    now = now or clock.now()
    address, token = vault.clean_email(email), secrets.token_urlsafe(32)
    code = "".join(secrets.choice(roles.LETTERS) for _ in range(CODE_LETTERS))
    before = update(SignIn).where(SignIn.nonce_hash == _hash(nonce), SignIn.expires_at > now)
    db.session.execute(before.values(expires_at=now).execution_options(synchronize_session=False))
    asked = SignIn(
        token_hash=_hash(token),
        nonce_hash=_hash(nonce),
        code_hash=_code_hash(_hash(token), code),
        tries=0,
        email_key=vault.email_key(address),
        locked=vault.lock({"email": address, "token": token, "code": code}),
        locale=locale,
        next_path=next_path,
        asked_at=now,
        expires_at=now + LASTS,
    )
    db.session.add(asked)
    db.session.flush()
    return asked


def is_waiting() -> bool:
    """Whether somebody waits for a mail."""
    return db.session.scalar(select(SignIn.id).where(SignIn.sent_at.is_(None)).limit(1)) is not None


def dispatch(settings: Settings, now: datetime | None = None) -> int:
    """Find out who asked, queue a mail for those we know, and forget link and code; how many mails."""
    now = now or clock.now()
    waiting = select(SignIn).where(SignIn.sent_at.is_(None)).order_by(SignIn.asked_at).limit(BATCH)
    asked = db.session.scalars(waiting.with_for_update(skip_locked=True)).all()
    return sum(_dispatch(one, settings, now) for one in asked)


def _dispatch(asked: SignIn, settings: Settings, now: datetime) -> bool:
    try:
        told = vault.unlock(asked.locked or b"")
    except vault.WrongKey:  # locked with a key that is gone: whoever it was asks again
        asked.sent_at, asked.locked = now, None
        return False
    person = db.session.scalar(select(Person).where(Person.email_key == asked.email_key))
    asked.sent_at, asked.locked = now, vault.lock({"masked": vault.mask(told["email"])})
    if person is None or now >= asked.expires_at:
        return False
    asked.person_id = person.id
    return outbox.queue(
        key=f"signin:{asked.id}:{asked.token_hash[:12]}",  # a row's number may come again once old rows are gone
        template="sign-in",
        to=told["email"],
        locale=asked.locale,
        context={
            "link": settings.link(f"/sign-in/{told['token']}", asked.locale),
            "code": grouped(told["code"]),
            "minutes": int(LASTS.total_seconds() // 60),
            "is_staff": roles.role_of(person.id) is not None,
        },
        now=now,
    )


def masked(asked: SignIn) -> str:
    """What may be shown of the address: its owner knows it by that."""
    told = vault.unlock(asked.locked) if asked.locked else {}
    return str(told.get("masked") or vault.mask(told.get("email", "")))


def grouped(code: str) -> str:
    """A code as it is read: two groups."""
    half = len(code) // 2
    return f"{code[:half]}-{code[half:]}"


# --- using -------------------------------------------------------------------------------------------------


def find_link(token: str, *, now: datetime | None = None) -> SignIn:
    """What a link belongs to. NotFound when it is not ours, NotAllowed when it is used or over. Changes nothing."""
    asked = db.session.scalar(select(SignIn).where(SignIn.token_hash == _hash(token)))
    if asked is None or asked.person_id is None:
        raise NotFound(UNKNOWN)
    _must_be_open(asked, now or clock.now())
    return asked


def is_same_browser(asked: SignIn, nonce: str) -> bool:
    """Whether this browser asked for it."""
    return bool(nonce) and hmac.compare_digest(asked.nonce_hash, _hash(nonce))


def consume_link(token: str, *, nonce: str, confirmed: bool, now: datetime | None = None) -> SignIn:
    """Use a link up: the row, whose person may come in. In another browser that has to be confirmed first."""
    now = now or clock.now()
    asked = find_link(token, now=now)
    if not confirmed and not is_same_browser(asked, nonce):
        raise Invalid(ELSEWHERE, field="confirmed")
    return _use(asked, now)


def try_code(nonce: str, code: str, *, now: datetime | None = None) -> SignIn:
    """Use the code that this browser asked for last: the row, whose person may come in.

    Invalid for a wrong one, NotAllowed when it is used, over or was tried five times. Commit either way: tries count.
    """
    now = now or clock.now()
    newest = select(SignIn).where(SignIn.nonce_hash == _hash(nonce)).order_by(SignIn.id.desc()).limit(1)
    asked = db.session.scalar(newest)
    if asked is None:
        raise NotAllowed(OVER)
    _must_be_open(asked, now)
    tries = db.session.scalar(
        update(SignIn)
        .where(SignIn.id == asked.id, SignIn.tries < MOST_TRIES)
        .values(tries=SignIn.tries + 1)
        .returning(SignIn.tries)
        .execution_options(synchronize_session=False)
    )
    if tries is None:
        raise NotAllowed(DEAD)
    right = hmac.compare_digest(asked.code_hash, _code_hash(asked.token_hash, _typed(code)))
    if right and asked.person_id is not None:
        return _use(asked, now)
    if tries < MOST_TRIES:
        raise Invalid(WRONG, field="code")
    whose = db.session.scalar(select(Person.reference).where(Person.id == asked.person_id))  # of nobody too
    audit.record(
        audit.Tag.SIGNIN_REFUSED,
        subject_type="person" if whose else "sign-in",
        subject_id=whose or asked.id,
        details={"factor": "code", "wrong": MOST_TRIES},
        now=now,
    )
    raise Invalid(FIFTH, field="code")


def _must_be_open(asked: SignIn, now: datetime) -> None:
    if asked.used_at is not None:
        raise NotAllowed(USED)
    if asked.expires_at <= now:
        raise NotAllowed(OVER)


def _use(asked: SignIn, now: datetime) -> SignIn:
    """One of those who come at the same moment gets in, and only while the address is still theirs."""
    taken: CursorResult[tuple[()]] = db.session.execute(  # type: ignore[assignment]  # an UPDATE gives a cursor
        update(SignIn)
        .where(SignIn.id == asked.id, SignIn.used_at.is_(None), SignIn.expires_at > now)
        .values(used_at=now, locked=None)
        .execution_options(synchronize_session=False)
    )
    if taken.rowcount != 1:
        raise NotAllowed(USED)
    db.session.refresh(asked)
    person = db.session.get(Person, asked.person_id)
    if person is None or person.email_key != asked.email_key:
        raise NotAllowed(OVER)
    person.verified_at = person.verified_at or now
    db.session.flush()
    return asked


def sweep(now: datetime | None = None) -> int:
    """Forget what was asked more than a day ago; how many."""
    old = delete(SignIn).where(SignIn.expires_at < (now or clock.now()) - KEPT)
    gone: CursorResult[tuple[()]] = db.session.execute(old)  # type: ignore[assignment]  # a DELETE gives a cursor
    return gone.rowcount


def _typed(code: str) -> str:
    """A code as people type it: small letters, blanks and hyphens do not matter."""
    return "".join(letter for letter in code.upper() if letter.isascii() and letter.isalnum())


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _code_hash(token_hash: str, code: str) -> str:
    """Keyed, since a code is short enough to be guessed from a bare hash."""
    return vault.fingerprint(f"sign-in code {token_hash} {code}")
