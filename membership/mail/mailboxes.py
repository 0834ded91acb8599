"""The mailbox that mail comes back to: maildir:/path, mbox:/path, imap(s)://user:password@host/INBOX.

Only what nobody has read yet is shown, newest first. `done` marks a mail as read; what is not marked stays as it was,
for the people who may read the same mailbox. Errors say what went wrong by class alone: an address holds a password.
"""

import imaplib
import mailbox
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from membership.config import LOOPBACK
from membership.errors import N_, DomainError

LARGEST = 512 * 1024
"""Bytes of the largest mail that is looked at: a report carries one of our own mails at most."""
MOST = 2000
"""Unread mails looked at in one go."""
SECONDS = 20


class MailboxClosed(DomainError):
    """The mailbox cannot be opened or read."""


class Mailbox(Protocol):
    """What a mailbox must offer."""

    def unread(self) -> Iterator[tuple[str, bytes | None]]:
        """Each unread mail: its key, and its bytes; None where it is larger than `LARGEST`."""

    def done(self, key: str) -> None:
        """Mark one as read."""


@contextmanager
def opened(url: str) -> Iterator[Mailbox]:
    """The mailbox at this address, until the end of the block."""
    parts = urlsplit(url)
    try:
        if parts.scheme == "maildir":
            yield _Maildir(Path(unquote(parts.path)))
        elif parts.scheme == "mbox":
            with _mbox(Path(unquote(parts.path))) as box:
                yield box
        else:
            with _imap(parts) as server:
                yield server
    except (OSError, mailbox.Error, imaplib.IMAP4.error) as error:
        raise MailboxClosed(
            N_("The mailbox for returned mail cannot be read: %(error)s."), error=type(error).__name__
        ) from None


class _Maildir:
    """Mails lie in new/ and cur/; S among the flags after ":2," means that it was read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not (path / "new").is_dir() or not (path / "cur").is_dir():
            raise NotADirectoryError

    def unread(self) -> Iterator[tuple[str, bytes | None]]:
        found = [file for part in ("new", "cur") for file in (self.path / part).glob("[!.]*")]
        fresh = [file for file in found if "S" not in file.name.partition(":2,")[2]]
        for file in sorted(fresh, key=lambda one: one.name, reverse=True)[:MOST]:
            with suppress(FileNotFoundError), file.open("rb") as mail:  # its people may be moving it just now
                yield f"{file.parent.name}/{file.name}", _within(mail.read(LARGEST + 1))

    def done(self, key: str) -> None:
        file = self.path / key
        name, _, flags = file.name.partition(":2,")
        with suppress(FileNotFoundError):
            file.rename(self.path / "cur" / f"{name}:2,{''.join(sorted({*flags, 'S'}))}")


def _within(body: bytes) -> bytes | None:
    return body if len(body) <= LARGEST else None


class _Mbox:
    """One file; a Status header with R means that it was read."""

    def __init__(self, box: mailbox.mbox) -> None:
        self.box = box

    def unread(self) -> Iterator[tuple[str, bytes | None]]:
        for key in self.box.keys()[::-1][:MOST]:
            with self.box.get_file(key) as file:
                body = file.read(LARGEST + 1)
            if "R" not in str(BytesHeaderParser().parsebytes(body[:65536]).get("Status", "")):
                yield str(key), _within(body)

    def done(self, key: str) -> None:
        place: Any = int(key)  # a number, whatever its types say
        message = self.box.get_message(place)
        message.add_flag("R")
        self.box[place] = message


@contextmanager
def _mbox(path: Path) -> Iterator[_Mbox]:
    box = mailbox.mbox(path, create=False)
    box.lock()
    try:
        yield _Mbox(box)
        box.flush()
    finally:
        box.unlock()
        box.close()


class _Imap:
    """A folder on a mail server; mails are fetched without marking them."""

    def __init__(self, server: imaplib.IMAP4) -> None:
        self.server = server

    def unread(self) -> Iterator[tuple[str, bytes | None]]:
        _, found = self.server.uid("SEARCH", "UNSEEN")
        for uid in (found[0] or b"").split()[::-1][:MOST]:
            key = uid.decode("ascii")
            # one byte more than is looked at tells the large ones, whatever size the server says
            _, answer = self.server.uid("FETCH", key, f"(BODY.PEEK[]<0.{LARGEST + 1}>)")
            body = next((part[1] for part in answer if isinstance(part, tuple)), None)
            if body is not None:
                yield key, _within(body)

    def done(self, key: str) -> None:
        self.server.uid("STORE", key, "+FLAGS.SILENT", r"(\Seen)")


@contextmanager
def _imap(parts: SplitResult) -> Iterator[_Imap]:
    host, secure = parts.hostname or "", ssl.create_default_context()
    server: imaplib.IMAP4
    if parts.scheme == "imaps":
        server = imaplib.IMAP4_SSL(host, parts.port or 993, ssl_context=secure, timeout=SECONDS)
    else:
        server = imaplib.IMAP4(host, parts.port or 143, timeout=SECONDS)
    try:
        if parts.scheme == "imap" and host not in LOOPBACK:
            server.starttls(secure)  # refused by a server without it: no password goes in the clear
        server.login(unquote(parts.username or ""), unquote(parts.password or ""))
        folder = unquote(parts.path.strip("/")) or "INBOX"
        quoted = folder.replace("\\", "\\\\").replace('"', '\\"')
        if server.select(f'"{quoted}"')[0] != "OK":
            raise FileNotFoundError
        yield _Imap(server)
    finally:
        with suppress(OSError, imaplib.IMAP4.error):
            server.logout()
