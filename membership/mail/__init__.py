"""Mail: renders what the outbox holds and sends it; the only room that does. It never decides who gets mail.

Each message is leased, sent with no transaction open, noted and committed by itself. A crash between the mail server's
yes and our note repeats that one message, with the same Message-ID; none is lost.
"""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from flask import current_app

from membership import clock, vault
from membership.config import Settings
from membership.db import db, writing
from membership.domain import outbox
from membership.mail import ways
from membership.mail.letter import message, render

__all__ = ["deliver", "kept"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Leased:
    """What a message needs, read out of its row, so that sending holds no transaction."""

    key: str
    token: str
    template: str
    locale: str
    sealed: bytes
    message_id: str


def deliver(
    limit: int = 50, now: datetime | None = None, *, until: Callable[[], bool] = lambda: False
) -> int:
    """Send what is due, at most `limit` messages, and say how many left; `until` ends it after the current one."""
    settings: Settings = current_app.config["SETTINGS"]
    left = 0
    with ways.way(settings) as way:
        for _ in range(limit):
            if until():
                break
            at = now or clock.now()
            leased = _lease(settings, at)
            if leased is None:
                break
            sent, go_on = _send(leased, way, settings, at)
            left += sent
            if not go_on:
                break
    return left


def _lease(settings: Settings, now: datetime) -> _Leased | None:
    """Take the next row that is due for ourselves, commit, and read what it says; None when nothing is due."""
    token = secrets.token_hex(16)
    with writing():
        email = outbox.claim(now, token)
        leased = (
            None
            if email is None
            else _Leased(
                key=email.dedupe_key,
                token=token,
                template=email.template,
                locale=email.locale,
                sealed=email.sealed or b"",
                message_id=outbox.message_id(email, parseaddr(settings.mail_from)[1].rpartition("@")[2]),
            )
        )
        db.session.commit()
    return leased


def _send(leased: _Leased, way: ways.Way, settings: Settings, now: datetime) -> tuple[bool, bool]:
    """Send one message with no transaction open and note how it went: (it left, others may go on)."""
    try:
        told = vault.unlock(leased.sealed)
        letter = render(leased.template, leased.locale, told["context"], settings)
        way.send(
            message(letter, to=told["to"], sender=settings.mail_from, message_id=leased.message_id, at=now)
        )
    except ways.NotSent as error:
        _note(leased, now, error=str(error), for_good=error.for_good)
        return False, not error.is_down
    except Exception as error:  # noqa: BLE001 - one mail that cannot be made must not stop the others
        _note(leased, now, error=type(error).__name__)
        return False, True
    _note(leased, now)
    return True, True


def _note(leased: _Leased, now: datetime, *, error: str | None = None, for_good: bool = False) -> None:
    """Write down how it went; nothing changes when the lease has passed to another worker."""
    with writing():
        if error is None:
            outbox.sent(leased.key, token=leased.token, now=now)
        else:
            outbox.failed(leased.key, error, token=leased.token, for_good=for_good, now=now)
        db.session.commit()
    if error is not None:
        log.warning("a mail was not sent", extra={"template": leased.template, "error": error})


def kept() -> list[dict[str, Any]]:
    """The messages that MAIL_URL=file: keeps, newest first: to, subject, text, html, at, message_id. Else none."""
    return ways.kept(current_app.config["SETTINGS"])
