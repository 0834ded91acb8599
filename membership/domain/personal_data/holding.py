"""The rows of one person, gathered for the desk and for whoever asks what we hold about them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from sqlalchemy import LargeBinary, or_, select

from membership import clock, vault
from membership.db import db
from membership.domain import audit, notes, roles, signins
from membership.domain.corrections import Correction
from membership.domain.donations import Donation, Interval
from membership.domain.memberships import Membership
from membership.domain.outbox import Email
from membership.domain.payments import Payment, PaymentStatus, Refund
from membership.domain.payments.refunds import COUNTED, SENT, RefundStatus
from membership.domain.people import Person
from membership.domain.plans import Perk, PerkCode
from membership.domain.signins import Session, SignIn
from membership.domain.transfers import Transfer
from membership.money import Money

LOOKED_BACK = timedelta(days=90)
CLOSE = timedelta(hours=1)
"""Two things of one price within so short a time may have been meant as one."""
MOST = 500


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment with what went back of it, and what it was for."""

    payment: Payment
    refunds: tuple[Refund, ...]
    gift: Donation | None
    membership: Membership | None

    @property
    def refunded(self) -> Money:
        """What was given back or is on its way."""
        return self._sum(SENT)

    @property
    def remains(self) -> Money:
        """What could still be given back."""
        return self.payment.amount - self._sum(COUNTED)

    def _sum(self, statuses: tuple[RefundStatus, ...]) -> Money:
        back = sum(one.amount_minor for one in self.refunds if one.status in statuses)
        return Money(back, self.payment.currency)

    def amount_of(self, refund: Refund) -> Money:
        """What one refund gives back."""
        return Money(refund.amount_minor, self.payment.currency)

    @property
    def is_refundable(self) -> bool:
        """Whether anything of it can be given back."""
        return self.payment.status is PaymentStatus.SUCCEEDED and self.remains.minor > 0


class Verdict(StrEnum):
    """What payments of one amount are to each other."""

    TWICE = "twice"
    CLOSE = "close"
    DIFFERENT = "different"
    PERIODS = "periods"


@dataclass(frozen=True, slots=True)
class Similar:
    """Payments of one amount within the last 90 days, newest first."""

    amount: Money
    payments: tuple[Paid, ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Holding:
    """What there is of one person; lists are newest first."""

    person: Person
    memberships: list[Membership]
    gifts: list[Donation]
    payments: list[Paid]
    transfers: list[Transfer]
    sessions: list[Session]
    labels: list[str]


def holding_of(person: Person, *, now: datetime | None = None) -> Holding:
    """Everything the desk shows of a person, but the line of what happened."""
    gifts = _rows(Donation, Donation.person_id == person.id, Donation.id)
    mine = _rows(Membership, Membership.person_id == person.id, Membership.id)
    return Holding(
        person=person,
        memberships=mine,
        gifts=gifts,
        payments=_paid(person, gifts, mine),
        transfers=_rows(Transfer, Transfer.person_id == person.id, Transfer.id),
        sessions=signins.sessions_of(person, now=now),
        labels=notes.labels_of(person),
    )


def _rows(table: Any, mine: Any, order: Any) -> list[Any]:
    return list(db.session.scalars(select(table).where(mine).order_by(order.desc()).limit(MOST)))


def payments_of(person: Person) -> list[Paid]:
    """What this person paid, newest first."""
    gifts = _rows(Donation, Donation.person_id == person.id, Donation.id)
    return _paid(person, gifts, _rows(Membership, Membership.person_id == person.id, Membership.id))


def _paid(person: Person, gifts: list[Donation], mine: list[Membership]) -> list[Paid]:
    found = select(Payment).where(Payment.person_id == person.id)
    rows = list(db.session.scalars(found.order_by(Payment.paid_at.desc(), Payment.id.desc()).limit(MOST)))
    back: dict[int, list[Refund]] = {}
    refunds = select(Refund).join(Payment, Payment.id == Refund.payment_id)
    for refund in db.session.scalars(refunds.where(Payment.person_id == person.id).order_by(Refund.id)):
        back.setdefault(refund.payment_id, []).append(refund)
    gift_of = {one.id: one for one in gifts}
    membership_of = {one.id: one for one in mine}
    return [
        Paid(
            row,
            tuple(back.get(row.id, ())),
            gift_of.get(row.donation_id or 0),
            membership_of.get(row.membership_id or 0),
        )
        for row in rows
    ]


def similar_ones(paid: Iterable[Paid], *, now: datetime | None = None) -> list[Similar]:
    """Payments of the last 90 days that have an equal beside them: was somebody charged twice?"""
    since = (now or clock.now()) - LOOKED_BACK
    groups: dict[Money, list[Paid]] = {}
    for one in paid:
        if one.payment.status is PaymentStatus.SUCCEEDED and one.payment.paid_at >= since:
            groups.setdefault(one.payment.amount, []).append(one)
    return [Similar(amount, tuple(ones), _verdict(ones)) for amount, ones in groups.items() if len(ones) > 1]


def _verdict(ones: list[Paid]) -> Verdict:
    subjects: dict[tuple[int | None, int | None], list[Paid]] = {}
    for one in ones:
        subjects.setdefault((one.payment.donation_id, one.payment.membership_id), []).append(one)
    if (None, None) in subjects or any(_is_twice(same) for same in subjects.values()):
        return Verdict.TWICE
    if len(subjects) == 1:
        return Verdict.PERIODS
    by_time = sorted((one.payment for one in ones), key=lambda payment: payment.paid_at)
    is_close = any(
        later.paid_at - earlier.paid_at < CLOSE
        and (earlier.donation_id, earlier.membership_id) != (later.donation_id, later.membership_id)
        for earlier, later in pairwise(by_time)
    )
    return Verdict.CLOSE if is_close else Verdict.DIFFERENT


def _is_twice(same: list[Paid]) -> bool:
    """Several payments of one gift or membership that are not one a period."""
    if len(same) == 1:
        return False
    gift = same[0].gift
    if gift is not None and gift.interval is Interval.ONCE:
        return True
    invoices = {one.payment.stripe_invoice_id for one in same}
    return None in invoices or len(invoices) < len(same)


def identity_of(person: Person) -> tuple[str, str] | None:
    """(e-mail, name), where this server can open them."""
    if person.sealed_identity is None:
        return None
    try:
        told = vault.open_sealed(person.sealed_identity)
    except (vault.NoPrivateKey, vault.WrongKey):
        return None
    return str(told.get("email") or ""), str(told.get("name") or "")


def reason_of(left: Donation | Membership) -> str:
    """What somebody wrote on leaving or pausing; nothing where they wrote nothing, or it stays sealed here."""
    if left.sealed_reason is None:
        return ""
    try:
        return str(vault.open_sealed(left.sealed_reason).get("reason") or "")
    except (vault.NoPrivateKey, vault.WrongKey):
        return ""


def customers_of(person: Person) -> list[str]:
    """Every Stripe customer that is this person: each gift may have made one of its own."""
    known = [person.stripe_customer_id]
    for table in (Donation, Membership):
        found = select(table.stripe_customer_id).where(table.person_id == person.id).distinct()
        known += list(db.session.scalars(found))
    return sorted({one for one in known if one})


# --- export ------------------------------------------------------------------------------------------------


def export(person: Person, *, now: datetime | None = None) -> dict[str, Any]:
    """Everything we hold about a person, ready for JSON. What stays sealed here is said to be."""
    held, identity = holding_of(person, now=now), identity_of(person)
    role = roles.role_of(person.id)
    return {
        "made_at": _plain(now or clock.now()),
        "person": {
            "email": identity[0] if identity else None,
            "name": identity[1] if identity else None,
            "sealed": identity is None and person.sealed_identity is not None,
            "stripe_customers": customers_of(person),
            "role": role.value if role else None,
            **_columns(person, "id", "email_key", "sealed_identity", "locked_contact", "plan_id"),
        },
        "memberships": [_row(one) for one in held.memberships],
        "gifts": [_row(one) for one in held.gifts],
        "payments": [
            _row(one.payment) | {"refunds": [_row(refund) for refund in one.refunds]} for one in held.payments
        ],
        "transfers": [_row(one) for one in held.transfers],
        "sessions": [_row(one) for one in _rows(Session, Session.person_id == person.id, Session.id)],
        "sign_ins": [_sign_in(one) for one in _sign_ins(person)],
        "mails": [
            {"template": one.template, "queued_at": _plain(one.queued_at), "sent_at": _plain(one.sent_at)}
            for one in mails_of(person)
        ],
        "corrections": [
            _row(one) for one in _rows(Correction, Correction.person_id == person.id, Correction.id)
        ],
        "codes": _codes(person),
        "labels": held.labels,
        "notes": [{"at": _plain(note.at), "text": note.text} for note in notes.notes_of(person)],
        "records": [
            {"at": _plain(one.at), "what": one.tag, "reason": one.reason, "details": one.details}
            for one in records_of(person, held)
        ],
    }


_OURS = ("token", "hash", "_key", "content", "attempt", "person_id", "by_id", "request")
"""Parts of names of columns that are our own keys and say nothing about anybody."""

OPENED = ("sealed_message", "sealed_reason", "keepsake", "locked_email")
"""What somebody wrote, or is known by. Nothing else is opened: it might let whoever has the file in."""


def _row(row: Any) -> dict[str, Any]:
    """A row as plain values, with what its person wrote opened where that can be."""
    return _columns(row, "id")


def _columns(row: Any, *without: str) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for column in row.__table__.columns:
        name, value = column.key, getattr(row, column.key)
        if name in without or any(part in name for part in _OURS):
            continue
        if name in OPENED and isinstance(value, bytes):
            told[name] = _opened(value)
        elif not isinstance(column.type, LargeBinary):
            told[name] = _plain(value)
    return told


def _opened(box: bytes) -> Any:
    for open_ in (vault.open_sealed, vault.unlock):
        try:
            return open_(box)
        except (vault.NoPrivateKey, vault.WrongKey):
            continue
    return "sealed"


def _sign_in(asked: SignIn) -> dict[str, Any]:
    """When a link was asked for and used: its token and code open the account."""
    return {name: _plain(getattr(asked, name)) for name in ("asked_at", "used_at", "expires_at")}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, (datetime, date)) else value


def _sign_ins(person: Person) -> list[SignIn]:
    mine = SignIn.person_id == person.id
    if person.email_key is not None:
        mine = or_(mine, SignIn.email_key == person.email_key)
    return _rows(SignIn, mine, SignIn.id)


def mails_of(person: Person) -> list[Email]:
    """Mails to this person's address, newest first."""
    if person.email_key is None:
        return []
    return _rows(Email, Email.recipient_key == person.email_key, Email.queued_at)


def _codes(person: Person) -> list[dict[str, Any]]:
    found = select(PerkCode, Perk.slug).join(Perk, Perk.id == PerkCode.perk_id)
    rows = db.session.execute(found.where(PerkCode.person_id == person.id))
    return [
        {"perk": slug, "taken_at": _plain(code.taken_at), **dict(vault.unlock(code.locked_code))}
        for code, slug in rows
    ]


def subjects_of(person: Person, held: Holding) -> dict[str, list[str]]:
    """What records about this person are filed under."""
    return {
        "person": [person.reference],
        "membership": [one.reference for one in held.memberships],
        "donation": [one.reference for one in held.gifts],
        "payment": [one.payment.reference for one in held.payments],
    }


def records_of(person: Person, held: Holding) -> list[audit.Record]:
    """The audit log's lines about this person and what is theirs, newest first."""
    return _rows(audit.Record, about(subjects_of(person, held)), audit.Record.id)


def about(subjects: dict[str, list[str]]) -> Any:
    """The condition of a record about one of these."""
    return or_(
        *(
            (audit.Record.subject_type == kind) & audit.Record.subject_id.in_(references)
            for kind, references in subjects.items()
        )
    )
