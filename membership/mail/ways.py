"""How a message leaves, by MAIL_URL: smtp://, smtps://, console: or file:. The only file that speaks SMTP.

What goes wrong is told by class and code only: no address, no name, nothing a server wrote back.
"""

import hashlib
import json
import os
import smtplib
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from membership.config import Settings

SECONDS = 20  # how long one answer of a mail server may take
FOLDER = "mail"


class NotSent(Exception):
    """The message did not leave. `for_good`: this recipient will never take it. `is_down`: nor would any other now."""

    def __init__(
        self, error: BaseException, code: int | None = None, *, for_good: bool, is_down: bool
    ) -> None:
        super().__init__(f"{type(error).__name__} {code}" if code else type(error).__name__)
        self.for_good = for_good
        self.is_down = is_down


class Way(Protocol):
    """Where messages go."""

    def send(self, message: EmailMessage) -> None:
        """Hand one message over; raises NotSent."""


@contextmanager
def way(settings: Settings) -> Iterator[Way]:
    """The way that MAIL_URL names, open for one batch."""
    url = urlsplit(settings.mail_url)
    if url.scheme in ("smtp", "smtps"):
        server = _Server(url)
        try:
            yield server
        finally:
            server.close()
    elif url.scheme == "file":
        yield _Folder(folder(settings))
    elif url.scheme == "console":
        yield _Console()
    else:
        raise ValueError("MAIL_URL must begin with smtp://, smtps://, console: or file:")


class _Server:
    """One connection for the batch, made when the first message needs it and made again when it broke."""

    def __init__(self, url: SplitResult) -> None:
        self.url = url
        self.connection: smtplib.SMTP | None = None

    def send(self, message: EmailMessage) -> None:
        try:
            self._hand_over(message)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise NotSent(error, max(codes), for_good=min(codes) >= 500, is_down=False) from None
        except smtplib.SMTPNotSupportedError as error:
            raise NotSent(error, for_good=True, is_down=False) from None
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPSenderRefused) as error:
            raise NotSent(error, error.smtp_code, for_good=False, is_down=True) from None
        except smtplib.SMTPResponseException as error:
            raise NotSent(error, error.smtp_code, for_good=False, is_down=self.connection is None) from None
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise NotSent(error, for_good=False, is_down=True) from None

    def _hand_over(self, message: EmailMessage) -> None:
        if self.connection is not None:
            with suppress(smtplib.SMTPServerDisconnected):
                self.connection.send_message(message)
                return
            self.close()  # it slept too long between two messages: once more on a new one
        self.connection = self._connect()
        self.connection.send_message(message)

    def _connect(self) -> smtplib.SMTP:
        host, secure = self.url.hostname or "localhost", ssl.create_default_context()
        if self.url.scheme == "smtps":
            made: smtplib.SMTP = smtplib.SMTP_SSL(host, self.url.port or 465, timeout=SECONDS, context=secure)
        else:
            made = smtplib.SMTP(host, self.url.port or 25, timeout=SECONDS)
        try:
            if parse_qs(self.url.query).get("starttls") == ["1"]:
                made.starttls(context=secure)
            if self.url.username:
                made.login(unquote(self.url.username), unquote(self.url.password or ""))
        except BaseException:
            made.close()
            raise
        return made

    def close(self) -> None:
        if self.connection is not None:
            with suppress(OSError, smtplib.SMTPException):
                self.connection.quit()
            self.connection = None


class _Console:
    """Prints what would be sent: for a terminal, never for a log that is kept."""

    def send(self, message: EmailMessage) -> None:
        kept = _kept(message)
        sys.stdout.write(f"To: {kept['to']}\nSubject: {kept['subject']}\n\n{kept['text']}\n")
        sys.stdout.flush()


class _Folder:
    """One JSON file a message, named by its Message-ID: a message that is sent again replaces itself."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def send(self, message: EmailMessage) -> None:
        name = hashlib.sha256(message["Message-ID"].encode()).hexdigest()[:32]
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            half = self.path / f".{name}.{os.getpid()}"
            half.touch(mode=0o600)
            half.write_text(json.dumps(_kept(message), ensure_ascii=False), encoding="utf-8")
            half.replace(self.path / f"{name}.json")
        except OSError as error:
            raise NotSent(error, error.errno, for_good=False, is_down=True) from None


def _kept(message: EmailMessage) -> dict[str, Any]:
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    return {
        "to": str(message["To"]),
        "subject": str(message["Subject"]),
        "text": text.get_content() if text else "",
        "html": html.get_content() if html else "",
        "at": parsedate_to_datetime(message["Date"]).isoformat(),
        "message_id": str(message["Message-ID"]),
    }


def folder(settings: Settings) -> Path:
    """Where file: keeps messages; file:/path names another place than instance/mail."""
    named = urlsplit(settings.mail_url).path
    return Path(unquote(named)) if named else settings.instance_path / FOLDER


def kept(settings: Settings) -> list[dict[str, Any]]:
    """What file: has kept, newest first."""
    if not settings.mail_url.startswith("file:"):
        return []
    found = []
    for path in folder(settings).glob("[!.]*.json"):
        with suppress(OSError):
            found.append((path.stat().st_mtime_ns, json.loads(path.read_text(encoding="utf-8"))))
    return [told for _, told in sorted(found, key=lambda one: (one[1]["at"], one[0]), reverse=True)]
