"""Mail that came back: reads delivery status notifications (RFC 3464) and notes the addresses that are no more.

A report counts when it says that nobody is there for good (`GONE`), about a mail that we sent to that very address. The
Message-ID of a mail cannot be guessed without our key, so whoever did not get the mail, or carry it, cannot forge a
report about it. A mailbox that is full, a server that is not found and the like may be well again tomorrow: the next
mail will tell. Refusals for what the mail is or whence it comes (5.1.7, 5.1.8, 5.2.3, 5.3.4, 5.6, 5.7) say nothing about
the address: they are counted, for they mean that our own server or name is in trouble.

Reading is done with the plain rules of the email package: the strict ones take minutes for one hostile header.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import Message
from email.parser import BytesHeaderParser
from enum import StrEnum
from typing import Any

from membership import clock, vault
from membership.db import db, writing
from membership.domain import audit, outbox, people
from membership.errors import Invalid
from membership.mail import mailboxes


class Told(StrEnum):
    """What a mail in the mailbox turned out to be."""

    GONE = "gone"
    """An address that is no more, noted now."""
    KNOWN = "known"
    """The same, noted before."""
    WAITING = "waiting"
    """It has arrived, or it or the next one may."""
    REFUSED = "refused"
    """Refused for the mail or its sender, not for the address."""
    FOREIGN = "foreign"
    """About no mail that we sent to that address."""
    MALFORMED = "malformed"
    OTHER = "other"
    """No report at all; left unread."""
    LARGE = "large"
    """Too large to be looked at; left unread."""


RETURNED = ("message/rfc822", "text/rfc822-headers")
LEFT = (Told.OTHER, Told.LARGE)
STATUS = re.compile(r"\s*5\.\d{1,3}\.\d{1,3}\b")
GONE = re.compile(r"5\.(1\.\d+|2\.[01]|0\.0)")
"""No such address or mailbox, a mailbox that is closed, and what says no more than that it failed for good."""
OURS = re.compile(r"5\.(1\.[78]|2\.3|3\.4|[67]\.\d+)")
"""About our address, our mail or our right to send it."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one report says: about which mail, and of each recipient its action, status and addresses."""

    message_id: str
    recipients: tuple[tuple[str, str, tuple[str, ...]], ...]


def read(url: str, now: datetime | None = None) -> Counter[Told]:
    """Read what is unread there and note it, one commit a report. Raises MailboxClosed."""
    told: Counter[Told] = Counter()
    with mailboxes.opened(url) as box:
        for key, body in box.unread():
            one = Told.LARGE if body is None else _heard(body, now or clock.now())
            told[one] += 1
            if one not in LEFT:
                box.done(key)
    return told


def _heard(body: bytes, now: datetime) -> Told:
    try:
        report = parse(body)
    except Exception:  # noqa: BLE001 - the email package fails in many ways on what was never a mail
        return Told.MALFORMED
    if report is None:
        return Told.OTHER
    with writing():
        told = note(report, now)
        db.session.commit()
    return told


def parse(body: bytes) -> Report | None:
    """The report in a mail, None when it is another mail. Raises when it is neither whole."""
    mail = message_from_bytes(body)
    kind = str(mail.get_param("report-type", "")).lower()
    if mail.get_content_type() != "multipart/report" or kind != "delivery-status":
        return None
    parts: Any = mail.get_payload()
    status = next(part for part in parts if part.get_content_type() == "message/delivery-status")
    returned = next(part for part in parts if part.get_content_type() in RETURNED)
    return Report(str(_headers(returned).get("Message-ID", "")), tuple(_recipients(status)))


def _headers(part: Any) -> Message:
    """The headers of what came back: of a whole mail, or alone."""
    if part.get_content_type() == RETURNED[0]:
        inner: Message = part.get_payload(0)
        return inner
    return BytesHeaderParser().parsebytes(part.get_payload(decode=True))


def _recipients(status: Any) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for block in status.get_payload()[1:]:  # the first block is about the report itself
        fields = [str(block.get(name, "")) for name in ("Final-Recipient", "Original-Recipient")]
        addresses = tuple(field.partition(";")[2].strip().strip("<>") for field in fields)
        yield str(block.get("Action", "")).strip().lower(), str(block.get("Status", "")), addresses


def note(report: Report, now: datetime) -> Told:
    """Note what a report says, if it is about one of our mails; the caller commits."""
    email = outbox.find_by_message_id(report.message_id)
    if email is None or email.recipient_key is None or not email.attempts:
        return Told.FOREIGN
    ours = [
        (action, STATUS.match(status))
        for action, status, addresses in report.recipients
        if any(_is(address, email.recipient_key) for address in addresses)
    ]
    if not ours:
        return Told.FOREIGN
    failed = [found for action, found in ours if action == "failed" and found]
    if not failed:
        return Told.WAITING
    statuses = [found.group().strip() for found in failed]
    gone = [one for one in statuses if GONE.fullmatch(one) and not OURS.fullmatch(one)]
    if gone:
        return _note_gone(email.recipient_key, gone[0], email, now)
    return Told.REFUSED if any(OURS.fullmatch(one) for one in statuses) else Told.WAITING


def _is(address: str, key: str) -> bool:
    try:
        return bool(address) and vault.email_key(address) == key
    except Invalid:
        return False


def _note_gone(key: str, status: str, email: outbox.Email, now: datetime) -> Told:
    if not outbox.bounced(key, status, now):
        return Told.KNOWN
    person = people.note_bounced(key, now)
    audit.record(
        audit.Tag.EMAIL_BOUNCED,
        subject_type="person" if person else "mail",
        subject_id=person.reference if person else email.dedupe_key[:100],
        details={"status": status, "mail": email.template},
        now=now,
    )
    return Told.GONE
