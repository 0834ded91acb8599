"""Idempotency keys as Stripe keeps them: the first reply to a key is the reply, for a day of sandbox time.

The reply is stored in the transaction that did the work, so a killed process has either both or neither.
Refusals before anything ran, and requests that met another one in flight, are not stored.
"""

import json
import threading
from typing import Any, NamedTuple

from membership.sandbox.account import Account
from membership.sandbox.clock import DAY
from membership.sandbox.errors import ApiError

LONGEST = 255


class Reply(NamedTuple):
    """What was answered the first time."""

    status: int
    body: str
    request_id: str


def canonical(params: dict[str, Any]) -> str:
    return json.dumps(params, sort_keys=True, ensure_ascii=False)


class Keys:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._flying: set[str] = set()
        self._guard = threading.Lock()

    def take_off(self, key: str) -> None:
        """Marks the key as in flight, or refuses because it is."""
        if len(key) > LONGEST:
            raise ApiError(
                400,
                f"Idempotency keys can only be up to {LONGEST} characters; yours is {len(key)}.",
                kind="idempotency_error",
            )
        with self._guard:
            if key in self._flying:
                raise ApiError(
                    409,
                    f"There is currently another in-progress request using this Idempotent Key (that probably means you "
                    f"submitted twice, and the other request is still going through): {key}. Please try again later.",
                    kind="idempotency_error",
                    code="idempotency_key_in_use",
                )
            self._flying.add(key)

    def land(self, key: str) -> None:
        with self._guard:
            self._flying.discard(key)

    def find(self, key: str, method: str, path: str, params: str) -> Reply | None:
        """The stored reply; refuses the key of another request."""
        account = self._account
        rows = account.store.run(
            "SELECT method, path, params, status, body, request_id FROM replies "
            "WHERE account = ? AND key = ? AND created > ?",
            (account.settings.account_id, key, account.now() - DAY),
        )
        if not rows:
            return None
        if rows[0][:3] != (method, path, params):
            what = "the same parameters" if rows[0][:2] == (method, path) else "the same endpoint"
            raise ApiError(
                400,
                f"Keys for idempotent requests can only be used with {what} they were first used with. Try using a "
                f"key other than '{key}' if you meant to execute a different request.",
                kind="idempotency_error",
            )
        return Reply(*rows[0][3:])

    def keep(self, key: str, method: str, path: str, params: str, reply: Reply) -> None:
        account = self._account
        account.store.run("DELETE FROM replies WHERE created <= ?", (account.now() - DAY,))
        account.store.run(
            "INSERT OR IGNORE INTO replies (account, key, method, path, params, status, body, request_id, created) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (account.settings.account_id, key, method, path, params, *reply, account.now()),
        )
