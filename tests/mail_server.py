"""A mail server on a free loopback port that keeps what it receives."""

import email.policy
import socket
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.controller import Controller


class MailServer:
    """`received` is the list of parsed messages, `refuse` a reply to give instead of taking one ("451 later")."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.received: list[EmailMessage] = []
        self.refuse: str | None = None
        self.url = f"smtp://127.0.0.1:{port}"
        self.controller = Controller(self, hostname="127.0.0.1", port=port)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refuse:
            return self.refuse
        message = message_from_bytes(envelope.content, EmailMessage, policy=email.policy.default)
        message["X-Envelope-To"] = ", ".join(envelope.rcpt_tos)
        self.received.append(message)
        return "250 OK"

    def __enter__(self) -> Self:
        self.controller.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.controller.stop()
