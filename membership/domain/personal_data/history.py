"""One person's history: payments, refunds, mails, sign-ins, notes and what staff did, in one line by time.

A fact carries its row and no words: the page finds those in its reader's language.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from membership.db import db
from membership.domain import audit, notes
from membership.domain.audit import Tag
from membership.domain.notes import Note
from membership.domain.outbox import Email
from membership.domain.people import Person
from membership.domain.personal_data.holding import Holding, about, holding_of, subjects_of

TOLD_ELSEWHERE = (
    Tag.PERSON_NOTED,
    Tag.PERSON_REVEALED,
    Tag.PAYMENT_REFUNDED,
    Tag.REFUND_PROPOSED,
    Tag.REFUND_TRANSFERRED,
)
"""Records of what stands in the line by itself, or is counted beside it."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened: joined, ended, payment, refund, mail, note or record."""

    at: datetime
    kind: str
    row: Any


def history_of(
    person: Person, *, held: Holding | None = None, before: datetime | None = None, most: int = 40
) -> tuple[list[Fact], bool]:
    """The newest facts before that moment, newest first, and whether there are earlier ones.

    `held` is what is held of this person, where the caller has gathered it already.
    """
    held = held or holding_of(person)
    facts = sorted(_facts(person, held, before, most + 1), key=lambda fact: fact.at, reverse=True)
    if len(facts) <= most:
        return facts, False
    last = facts[most - 1].at
    kept = [fact for fact in facts if fact.at >= last]  # what happened at one moment stands on one page
    return kept, len(kept) < len(facts)


def _facts(person: Person, held: Holding, before: datetime | None, most: int) -> Iterator[Fact]:
    yield from (fact for fact in _held(held) if before is None or fact.at < before)
    yield from _mails(person, before, most)
    yield from _notes(person, before, most)
    yield from _records(subjects_of(person, held), before, most)


def _held(held: Holding) -> Iterator[Fact]:
    """What the rows that are gathered already tell."""
    for membership in held.memberships:
        if membership.started_at is not None:
            yield Fact(membership.started_at, "joined", membership)
        if membership.ended_at is not None:
            yield Fact(membership.ended_at, "ended", membership)
    for paid in held.payments:
        yield Fact(paid.payment.paid_at, "payment", paid.payment)
        for refund in paid.refunds:
            yield Fact(refund.asked_at, "refund", (refund, paid.payment))


def _page(found: Any, at: Any, before: datetime | None, most: int) -> Any:
    return (found if before is None else found.where(at < before)).order_by(at.desc()).limit(most)


def _mails(person: Person, before: datetime | None, most: int) -> Iterator[Fact]:
    if person.email_key is None:  # else all mails to nobody in particular would be theirs
        return
    found = select(Email).where(Email.recipient_key == person.email_key)
    for email in db.session.scalars(_page(found, Email.queued_at, before, most)):
        yield Fact(email.queued_at, "mail", email)


def _notes(person: Person, before: datetime | None, most: int) -> Iterator[Fact]:
    found = _page(select(Note).where(Note.person_id == person.id), Note.at, before, most)
    for note in db.session.scalars(found):
        yield Fact(note.at, "note", notes.read(note))


def _records(subjects: dict[str, list[str]], before: datetime | None, most: int) -> Iterator[Fact]:
    found = select(audit.Record).where(
        about(subjects), audit.Record.tag.not_in([tag.value for tag in TOLD_ELSEWHERE])
    )
    for record in db.session.scalars(_page(found, audit.Record.at, before, most)):
        yield Fact(record.at, "record", record)
