"""Telling the application: every event signed anew for each try, tried again until somebody says 2xx.

Promises no order and no exact number: by default each event comes twice and shuffled. The modes (duplicate,
shuffle, delay, drop, hold) are decided when an event is made; what waits survives a restart.
"""

import hashlib
import hmac
import http.client
import json
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from membership.sandbox import endpoints, shapes
from membership.sandbox.account import Account
from membership.sandbox.store import Object

MODES = ("duplicate", "shuffle", "delay", "drop", "hold")
DEFAULT_MODES = ["duplicate", "shuffle"]
_WINDOW = 3.0  # seconds within which order is shuffled and the second copy comes
_RETRY_AFTER = (2, 4, 8, 15, 30, 60, 300, 1800, 7200, 18_000, 36_000, 36_000, 36_000, 36_000, 36_000)

Sender = Callable[[str, bytes, dict[str, str]], int]


class Delivery(NamedTuple):
    """One try that is due."""

    ident: int
    event_id: str
    attempts: int
    endpoint: str | None  # None is the application this sandbox was started for


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """A real POST to a loopback address: five seconds, no redirects."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=5)
    try:
        connection.request("POST", parts.path or "/", body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def signature(secret: str, moment: int, body: bytes) -> str:
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


class Webhooks:
    def __init__(self, account: Account, sender: Sender) -> None:
        self._account = account
        self._sender = sender
        self.wake: Callable[[], None] = lambda: None
        columns = [row[1] for row in account.store.run("PRAGMA table_info(deliveries)")]
        if "endpoint" not in columns:
            account.store.run("ALTER TABLE deliveries ADD COLUMN endpoint TEXT")
        endpoints.settle_in(account)
        # a killed process may have left some on their way
        account.store.run("UPDATE deliveries SET state = 'pending' WHERE state = 'sending'")

    @property
    def modes(self) -> list[str]:
        found: list[str] = self._account.store.setting("webhook_modes", DEFAULT_MODES)
        return found

    def announce(self, event: Object) -> None:
        """Plans the deliveries of a new event, in the transaction that made it."""
        for endpoint in endpoints.asking(self._account, event["type"]):
            self._plan(event, endpoint)
        self.wake()

    def _plan(self, event: Object, endpoint: str | None) -> None:
        modes, rng = self.modes, self._account.rng
        state = "dropped" if "drop" in modes else "held" if "hold" in modes else "pending"
        due = float(self._account.now())
        if "delay" in modes:
            due += rng.uniform(10, 40)
        for copy in range(2 if "duplicate" in modes else 1):
            moment = (
                due
                + (rng.uniform(0, _WINDOW) if "shuffle" in modes else 0)
                + copy * rng.uniform(0.2, _WINDOW)
            )
            self._account.store.run(
                "INSERT INTO deliveries (event_id, due, state, endpoint) VALUES (?, ?, ?, ?)",
                (event["id"], moment, state, endpoint),
            )

    def release(self) -> int:
        """Lets go of what was held; how many deliveries."""
        store = self._account.store
        with store.transaction():
            held = store.run("SELECT count(*) FROM deliveries WHERE state = 'held'")[0][0]
            store.run(
                "UPDATE deliveries SET state = 'pending', due = ? WHERE state = 'held'",
                (float(self._account.now()),),
            )
        self.wake()
        return int(held)

    def take(self, *, soon: bool) -> Delivery | None:
        """Claims the next delivery that is due; `soon` counts first tries within the shuffling window too."""
        store, now = self._account.store, self._account.now()
        with store.transaction():
            rows = store.run(
                "SELECT id, event_id, attempts, endpoint FROM deliveries WHERE state = 'pending' "
                "AND (due <= ? OR (attempts = 0 AND due <= ?)) ORDER BY due, id LIMIT 1",
                (now, now + 2 * _WINDOW if soon else now),
            )
            if not rows:
                return None
            store.run("UPDATE deliveries SET state = 'sending' WHERE id = ?", (rows[0][0],))
            return Delivery(*rows[0])

    def send(self, delivery: Delivery) -> bool:
        """One try; a receiver that does not say 2xx in time is tried again later."""
        account = self._account
        address = endpoints.address(account, delivery.endpoint)
        if address is None:  # taken away while this one was on its way
            self._note(delivery, 0)
            return False
        event = account.store.get(delivery.event_id) or {}
        body = json.dumps(shapes.public(event), indent=2, ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Accept": "*/*; q=0.5, application/xml",
            "Stripe-Signature": signature(address.secret, account.now(), body),
        }
        status = 0
        try:
            status = self._sender(address.url, body, headers)
        except (OSError, http.client.HTTPException):
            status = 0
        finally:
            self._note(delivery, status)
        return 200 <= status < 300

    def _note(self, delivery: Delivery, status: int) -> None:
        store = self._account.store
        tried = delivery.attempts + 1
        if 200 <= status < 300:
            state, due = "delivered", 0.0
        elif tried > len(_RETRY_AFTER):
            state, due = "failed", 0.0
        else:
            state, due = "pending", float(self._account.now() + _RETRY_AFTER[tried - 1])
        with store.transaction():
            store.run(
                "UPDATE deliveries SET state = ?, due = ?, attempts = ?, last_status = ? WHERE id = ?",
                (state, due, tried, status, delivery.ident),
            )
            if state == "delivered":
                endpoints.recount(self._account, delivery.event_id)

    def deliver(self, *, soon: bool = False) -> int:
        """Sends everything due, one after another, until nothing is; how many tries that took."""
        tries = 0
        while delivery := self.take(soon=soon):
            self.send(delivery)
            tries += 1
        return tries
