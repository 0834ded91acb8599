"""The hook: events accepted and durable, against a bare Flask route with the same two statements and one commit."""

import sqlite3
from typing import Any

import psycopg
from sqlalchemy import make_url

from bench import events
from bench.figures import Row, against, rounds
from bench.load import Gun
from bench.servers import Server
from bench.world import WEBHOOK_SECRET, World

LONGEST = 45  # seconds for all rounds
OURS, FLOOR = "/hooks/stripe", "/bare/hook"
MOST_PER_SECOND = 4000  # so many are made ready before a shot; more were never stored in a second
NAMES = {"sqlite": "webhook intake, SQLite FULL", "postgresql": "webhook intake, PostgreSQL"}


class Hook:
    """A server on one database, and how many events it has said 200 to."""

    def __init__(self, kind: str, world: World, gun: Gun, template: str) -> None:
        self.kind, self.gun, self.template = kind, gun, template
        self.url = world.fresh(kind)
        self.server = Server("bench.floor:app", world.environment(self.url))
        self.sent = self.accepted = 0
        self.found: dict[str, list[dict[str, Any]]] = {OURS: [], FLOOR: []}

    def shoot(self, path: str, seconds: float) -> dict[str, Any]:
        """As many new events as it takes in this time."""
        count = max(int(MOST_PER_SECOND * seconds), 200)
        made = {"template": self.template, "path": path, "secret": WEBHOOK_SECRET, "first": self.sent, "count": count,
                "livemode": True}  # fmt: skip
        before = self.server.cpu_seconds()
        told = self.gun.shoot(self.server.port, seconds, events=made)
        told["cpu_us"] = (self.server.cpu_seconds() - before) * 1e6 / max(told["answers"], 1)
        self.sent += count
        self.accepted += told["answers"]
        return told

    def stored(self) -> int:
        """The events that really stand in the database."""
        url = make_url(self.url)
        question = "SELECT count(*) FROM stripe_events"
        if self.kind == "sqlite":
            return sqlite3.connect(str(url.database)).execute(question).fetchone()[0]
        address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address) as connection:
            return connection.execute(question).fetchone()[0]

    def row(self) -> Row:
        if self.stored() != self.accepted:
            raise RuntimeError(f"{self.kind}: {self.accepted} events accepted, {self.stored()} stored")

        def each(path: str, what: str) -> list[float]:
            return [told[what] for told in self.found[path]]

        work = against("", each(OURS, "cpu_us"), each(FLOOR, "cpu_us"), "us", None, fewer_is_better=True)
        says = f"by CPU {work.ratio:.2f} ({work.figure:.0f} us an event, floor {work.floor:.0f} us)"
        return against(NAMES[self.kind], each(OURS, "rate"), each(FLOOR, "rate"), "/s", 0.6, says=says, cpu=work.rounds,
                       waits_ms={"median": each(OURS, "median_ms"), "p99": each(OURS, "p99_ms")},
                       stored=self.accepted)  # fmt: skip


def measure(world: World, gun: Gun, most: int, seconds: float, kinds: tuple[str, ...]) -> list[Row]:
    """Both databases, both routes, round by round."""
    template = events.template()
    hooks = [Hook(kind, world, gun, template) for kind in kinds]
    try:
        for hook in hooks:
            hook.server.__enter__()
            for path in (FLOOR, OURS):
                hook.shoot(path, 0.15)
        for number in rounds(most, LONGEST):
            for hook in hooks:
                for path in (FLOOR, OURS) if number % 2 else (OURS, FLOOR):
                    hook.found[path].append(hook.shoot(path, seconds))
        return [hook.row() for hook in hooks]
    finally:
        for hook in hooks:
            hook.server.stop()
