"""A member's own page: how long it takes in one process, against hello in the same app, and how often it asks the database."""

import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from sqlalchemy import event

from bench.figures import Row, against, rounds
from bench.world import World, close
from membership import clock
from membership.config import Settings
from membership.db import db, writing
from membership.domain import memberships, plans, signins
from membership.domain.memberships import Kind
from membership.domain.signins import SessionKind
from tests import make

MOST_QUERIES = 30
EACH = 10
LONGEST = 20
PAGES = {"account": "/account", "receipts": "/account/receipts", "perk": "/account/perks/editors-letter"}


def measure(world: World, most: int) -> list[Row]:
    """On SQLite, for a member with two memberships, gifts and their payments."""
    app = world.app(world.fresh("sqlite"))
    client, settings = app.test_client(), app.config["SETTINGS"]
    origin = settings.base_url
    with app.app_context():
        _live(client, settings)

    def ask(path: str) -> Callable[[], None]:
        def get() -> None:
            answer = client.get(path, base_url=origin)
            assert answer.status_code == 200, f"{path} answered {answer.status_code}"

        return get

    asked = {name: ask(path) for name, path in PAGES.items()}
    queries = {name: _queries(app, get) for name, get in asked.items()}
    found: dict[str, list[float]] = {name: [] for name in ("floor", *asked)}
    for _ in rounds(most, LONGEST):
        for name, get in {"floor": ask("/healthz"), **asked}.items():
            found[name].append(_quickest(get))
    close(app)
    return [_row(name, found, queries[name]) for name in asked]


def _row(name: str, found: dict[str, list[float]], queries: int) -> Row:
    row = against(f"{name} page, signed in", found[name], found["floor"], "ms", None, fewer_is_better=True)
    row.says = f"{queries} queries, at most {MOST_QUERIES}"
    if queries > MOST_QUERIES:
        raise RuntimeError(f"the {name} page asks the database {queries} times")
    return row


def _live(client: Any, settings: Settings) -> None:
    """Somebody who has been here for a while, and is signed in."""
    with writing():
        now, person = clock.now(), make.person()
        for _ in range(5):
            make.donation(settled=True, booked=True)
        for slug in ("friend", "patron"):
            until = now + timedelta(days=90)
            memberships.grant(person, plans.get_plan(slug), kind=Kind.COMPLIMENTARY, until=until, by=person,
                              reason="", settings=settings, now=now)  # fmt: skip
        _session, token = signins.start(person, kind=SessionKind.MEMBER, now=now)
        db.session.commit()
    host = urlsplit(settings.base_url).hostname or ""
    client.set_cookie(f"__Host-{SessionKind.MEMBER}", token, domain=host, secure=True)


def _quickest(get: Callable[[], None]) -> float:
    spent = []
    for _ in range(EACH):
        since = time.perf_counter()
        get()
        spent.append((time.perf_counter() - since) * 1000)
    return min(spent)


def _queries(app: Flask, get: Callable[[], None]) -> int:
    get()
    with app.app_context():
        engine = db.engine
    with _counted(engine) as said:
        get()
    return len(said)


@contextmanager
def _counted(engine: Any) -> Any:
    said: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        said.append(statement)

    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", hear)
