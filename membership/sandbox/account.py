"""The pretend Stripe account: its objects, its clock, its events and what it will do later.

Every noun's verbs take the Account first. `add` and `change` keep an object and tell the world about it in
the same transaction; `later` notes a step that runs when its moment comes, also after a restart.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from membership.sandbox import shapes
from membership.sandbox.clock import Clock
from membership.sandbox.errors import missing_object
from membership.sandbox.ids import new_id
from membership.sandbox.store import Object, Store

API_VERSION = "2026-10-28.endive"

# kind -> what Stripe calls it in "No such ..."
_NOUNS = {
    "checkout.session": "checkout.session",
    "payment_method": "PaymentMethod",
    "radar.early_fraud_warning": "early_fraud_warning",
}


@dataclass(frozen=True)
class Settings:
    """Where this account lives and whom it tells."""

    public_url: str
    webhook_url: str
    webhook_secret: str
    api_key: str
    account_id: str = "acct_1Pressfund0Sandbox"
    name: str = "Pressfund sandbox"
    descriptor: str = "PRESSFUND"


@dataclass
class Cause:
    """The request that makes something happen; empty for the payer's page and for time passing."""

    request_id: str | None = None
    key: str | None = None


Step = Callable[..., None]
STEPS: dict[str, Step] = {}


def step(name: str) -> Callable[[Step], Step]:
    """Registers what `later(..., name, ...)` will call."""

    def keep(function: Step) -> Step:
        STEPS[name] = function
        return function

    return keep


class Account:
    def __init__(self, store: Store, clock: Clock, settings: Settings, rng: random.Random) -> None:
        self.store = store
        self.clock = clock
        self.settings = settings
        self.rng = rng
        self.cause = Cause()
        self.announce: Callable[[Object], None] = lambda _event: None

    def now(self) -> int:
        return self.clock.now()

    # objects

    def get(self, kind: str, ident: str, param: str = "id") -> Object:
        obj = self.store.get(ident)
        if obj is None or obj["object"] != kind:
            raise missing_object(_NOUNS.get(kind, kind), ident, param)
        return obj

    def add(self, obj: Object, event: str | None = None) -> Object:
        self.store.put(obj)
        if event:
            self.emit(event, obj)
        return obj

    def change(self, obj: Object, event: str | None = None, **values: Any) -> Object:
        """Sets values on the object as it is stored now, and says what they were before.

        Without an event nothing is told: another event will show the new state.
        """
        fresh = self.store.get(obj["id"]) or obj
        new = {**fresh, **values}
        self.store.put(new)
        obj.clear()
        obj.update(new)
        previous = shapes.changed(fresh, new)
        if event and (previous or not event.endswith("updated")):
            self.emit(event, new, previous if event.endswith(".updated") else None)
        return obj

    # events

    def emit(self, kind: str, obj: Object, previous: Object | None = None) -> Object:
        data: Object = {"object": shapes.public(obj)}
        if previous is not None:
            data["previous_attributes"] = previous
        event = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now(),
            "data": data,
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": self.cause.request_id, "idempotency_key": self.cause.key},
            "type": kind,
            "_delivered": False,
        }
        self.store.put(event)
        self.announce(event)
        return event

    # what comes later

    def later(self, due: int, name: str, **args: Any) -> None:
        self.store.run("INSERT INTO steps (due, name, args) VALUES (?, ?, ?)", (due, name, json.dumps(args)))

    def next_due(self) -> int | None:
        rows = self.store.run("SELECT min(due) FROM steps")
        return rows[0][0]

    def run_next_step(self, until: int) -> bool:
        """Runs the earliest step due by then, in a transaction of its own; False when there is none."""
        with self.store.transaction():
            rows = self.store.run(
                "SELECT id, name, args FROM steps WHERE due <= ? ORDER BY due, id LIMIT 1", (until,)
            )
            if not rows:
                return False
            ident, name, args = rows[0]
            self.store.run("DELETE FROM steps WHERE id = ?", (ident,))
            self.cause = Cause()
            STEPS[name](self, **json.loads(args))
            return True
