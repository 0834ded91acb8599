"""People: donors, members and staff. What names a person is kept only sealed; look-ups go by a keyed hash.

A guest donor is a Person never verified: paying with somebody's address gives no access to anything of theirs,
and never changes what we hold about them.
"""

import secrets
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, select, text
from sqlalchemy.orm import Mapped, mapped_column

from membership import clock, vault
from membership.db import Base, db, insert_once, str_enum
from membership.domain import audit, outbox
from membership.errors import N_, Conflict, NotFound


class Standing(StrEnum):
    """Where somebody stands as a member: the best of all memberships."""

    NONE = "none"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    PAUSED = "paused"
    ENDED = "ended"


class Given(StrEnum):
    """Whether somebody has given to a fundraiser; a running gift counts most."""

    NOTHING = "nothing"
    ONCE = "once"
    RUNNING = "running"


class Person(Base):
    """Somebody with an address. The sealed identity is {"email", "name"} and opens only with the newsroom's key."""

    __tablename__ = "people"
    __table_args__ = (
        Index("ix_people_standing", "standing", "id"),
        Index("ix_people_plan", "plan_id", "standing", "id"),
        Index("ix_people_kind", "kind", "id"),
        Index("ix_people_member_since", "member_since", "id"),
        Index("ix_people_given", "given", "id"),
        Index("ix_people_locale", "locale", "id"),
        Index("ix_people_bounced", "id", sqlite_where=text("bounced_at IS NOT NULL"),
              postgresql_where=text("bounced_at IS NOT NULL")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    email_key: Mapped[str | None] = mapped_column(unique=True)
    sealed_identity: Mapped[bytes | None]
    locale: Mapped[str]
    created_at: Mapped[datetime]
    verified_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]
    locked_contact: Mapped[bytes | None]
    """{"email", "name"} under the outbox key, only for a member whom Stripe does not know, while the membership runs."""
    stripe_customer_id: Mapped[str | None] = mapped_column(index=True)
    """The Stripe customer that paid last."""
    standing: Mapped[Standing] = mapped_column(str_enum(Standing), default=Standing.NONE)
    """As a member. This and the next four are kept by the verbs of memberships and donations: lists are drawn from them."""
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("plans.id"))
    kind: Mapped[str | None]
    member_since: Mapped[datetime | None]
    given: Mapped[Given] = mapped_column(str_enum(Given), default=Given.NOTHING)
    bounced_at: Mapped[datetime | None]
    """When mail to this address came back for good; None once it is corrected, or mail arrives again."""


def new_reference() -> str:
    """A public id: 128 random bits, safe in addresses."""
    return secrets.token_urlsafe(16)


def find_by_email(email: str) -> Person | None:
    """The person of this address, if we know one. Raises Invalid for what is no address."""
    return db.session.scalar(select(Person).where(Person.email_key == vault.email_key(email)))


def register(email: str, *, name: str | None = None, locale: str, now: datetime | None = None) -> Person:
    """The person of this address, made when new; an existing one is left as it is."""
    insert_once(
        Person,
        email_key=vault.email_key(email),
        reference=new_reference(),
        sealed_identity=vault.seal({"email": vault.clean_email(email), "name": name or ""}),
        locale=locale,
        created_at=now or clock.now(),
        standing=Standing.NONE,
        given=Given.NOTHING,
    )
    person = find_by_email(email)
    assert person is not None
    return person


def stand(
    person_id: int | None,
    standing: Standing,
    *,
    plan_id: int | None,
    kind: str | None,
    since: datetime | None,
) -> None:
    """Note where somebody stands as a member: lists of people are drawn from it."""
    if (person := db.session.get(Person, person_id)) is not None:
        person.standing, person.plan_id, person.kind, person.member_since = standing, plan_id, kind, since


def gave(person_id: int | None, given: Given, *, stripe_customer_id: str | None = None) -> None:
    """Note whether somebody has given, whether a gift of theirs runs, and which Stripe customer paid, if one did."""
    if (person := db.session.get(Person, person_id)) is not None:
        person.given = given
        person.stripe_customer_id = stripe_customer_id or person.stripe_customer_id


def paid_as(person_id: int | None, stripe_customer_id: str | None) -> None:
    """Note which Stripe customer paid last for this person."""
    person = db.session.get(Person, person_id) if stripe_customer_id else None
    if person is not None:
        person.stripe_customer_id = stripe_customer_id


def get_person(reference: str) -> Person:
    """The person of this public reference; NotFound when there is none."""
    person = db.session.scalar(select(Person).where(Person.reference == reference))
    if person is None:
        raise NotFound(N_("There is no such person."))
    return person


def person_of(person_id: int) -> Person:
    """The person of this row."""
    return db.session.get_one(Person, person_id)


def lock_person(person_id: int) -> Person:
    """This person as they are now, locked; whoever locks memberships of theirs too has done that before.

    Rows that point to a person, as payments do, are added meanwhile: their address may not change under this lock.
    """
    fresh = select(Person).where(Person.id == person_id).with_for_update(key_share=True)
    return db.session.scalars(fresh.execution_options(populate_existing=True)).one()


def lock_unless_erased(person_id: int) -> Person:
    """This person, locked with their address. Raises Conflict for one who has been erased, be it a moment ago."""
    person = db.session.get_one(Person, person_id, with_for_update=True, populate_existing=True)
    if person.erased_at is not None:
        raise Conflict(N_("This person has been erased."))
    return person


def note_bounced(email_key: str, now: datetime | None = None) -> Person | None:
    """Note that mail to this address came back for good; the person of it, if we know one."""
    person = db.session.scalar(select(Person).where(Person.email_key == email_key))
    if person is not None:
        person.bounced_at = person.bounced_at or now or clock.now()
    return person


def note_arriving(person: Person, *, by: audit.Actor, now: datetime | None = None) -> None:
    """One of the staff says that mail arrives at this address again: it is written to as before."""
    db.session.refresh(person, with_for_update=True)
    if person.bounced_at is None:
        raise Conflict(N_("Mail to this address has not come back."))
    outbox.forget_bounce(person.email_key)
    person.bounced_at = None
    audit.record(audit.Tag.BOUNCE_LIFTED, subject_type="person", subject_id=person.reference, by=by, now=now)


def was_gone(person_id: int | None, *, at: datetime) -> bool:
    """Whether there was nobody any more at that moment: forgotten, or erased before."""
    person = db.session.get(Person, person_id) if person_id is not None else None
    return person is None or (person.erased_at is not None and person.erased_at < at)


def forget_alone(person_ids: Iterable[int | None], *, now: datetime | None = None) -> None:
    """Erase those of these guests whom no row of any table needs any more; whoever has signed in stays.

    They are locked in the order of their ids, so that two who forget many at once do not wait for each other.
    """
    for person_id in sorted({one for one in person_ids if one is not None}):
        _forget_if_alone(person_id, now=now)


def _forget_if_alone(person_id: int | None, *, now: datetime | None = None) -> None:
    """Erase a guest whom no row of any table needs any more; whoever has signed in stays."""
    person = db.session.get(Person, person_id, with_for_update=True, populate_existing=True)
    if person is not None and person.verified_at is None and not _is_needed(person.id):
        forget(person, now=now)


def _is_needed(person_id: int) -> bool:
    """Whether any row of any table points at this person."""
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if any(key.column.table.name == Person.__tablename__ for key in column.foreign_keys):
                pointing = select(column).where(column == person_id).limit(1)
                if db.session.scalar(pointing) is not None:
                    return True
    return False


def forget(person: Person, *, now: datetime | None = None) -> None:
    """Erase what names a person; rows that money hangs on stay, nameless."""
    person.email_key, person.sealed_identity, person.erased_at = None, None, now or clock.now()
    person.locked_contact, person.stripe_customer_id = None, None
