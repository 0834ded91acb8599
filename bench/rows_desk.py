"""The desk's list of people on PostgreSQL: at 10,000 against the driver's own statements, at 1,000,000 against 10,000.

People, memberships and payments are made by the database itself, as a newsroom has them after years: most gave, a
tenth are members, few are late. The large run asks for what hurts: pages far back, filters that many or few meet, days
long ago.
"""

import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from flask import Flask
from sqlalchemy import event, make_url

from bench.figures import Row, against, rounds
from bench.world import World, close
from membership import vault
from membership.db import db
from membership.domain import reports
from membership.domain.people import Given, Standing
from membership.domain.reports.paging import Place
from membership.domain.reports.people import Filter

SMALL, LARGE = 10_000, 1_000_000
LEAST_LEFT = 1 / 1.5  # of the speed at 10,000: at most one and a half times its time
EACH = 5  # times a round; the quickest counts: what else the machine does weighs least on it
LONGEST = 60

PEOPLE = """INSERT INTO people (reference, email_key, sealed_identity, locale, created_at, stripe_customer_id, standing,
 plan_id, kind, member_since, given, bounced_at)
SELECT 'p' || n, md5(n::text) || md5((-n)::text), %(sealed)s,
 CASE WHEN n %% 7 = 0 THEN 'ka' ELSE 'en' END, since, 'cus_' || n,
 CASE WHEN n %% 10 > 1 THEN 'none' WHEN n %% 100 = 10 THEN 'past_due' WHEN n %% 100 = 20 THEN 'paused'
  WHEN n %% 100 IN (30, 31, 40, 41) THEN 'ended' ELSE 'active' END,
 CASE WHEN n %% 10 > 1 THEN NULL ELSE (SELECT id FROM plans ORDER BY position OFFSET n %% 3 LIMIT 1) END,
 CASE WHEN n %% 10 > 1 THEN NULL WHEN n %% 50 = 1 THEN 'complimentary' ELSE 'paid' END,
 CASE WHEN n %% 10 > 1 THEN NULL ELSE since END,
 CASE WHEN n %% 10 > 6 THEN 'nothing' WHEN n %% 20 = 2 THEN 'running' ELSE 'once' END,
 CASE WHEN n %% 100 = 5 THEN now() END
FROM (SELECT n, timestamptz '2020-01-01' + n * (interval '6 years' / %(many)s) AS since
 FROM generate_series(1, %(many)s) n) numbers"""
MEMBERSHIPS = """INSERT INTO memberships (reference, attempt, content, leave_token, person_id, plan_id, kind, status, asked,
 opened, interval, amount_minor, currency, locale, joined_at, started_at, paid_until, next_at, late_attempts, credit_minor)
SELECT 'm' || id, 'm' || id, '', 'm' || id, id, plan_id, kind, standing, 'settled', true, 'month', 500, 'EUR', locale,
 member_since, member_since, now(), now(), 0, 0 FROM people WHERE plan_id IS NOT NULL"""
PAYMENTS = """INSERT INTO payments (reference, person_id, membership_id, stripe_charge_id, amount_minor, currency, status,
 paid_at, held, settled_currency, settled_minor, fee_minor, net_minor)
SELECT 'y' || p.id || '-' || n, p.id, m.id, 'ch_' || p.id || '-' || n, 500, 'EUR', 'succeeded', p.created_at, false, 'EUR',
 500, 33, 467 FROM people p LEFT JOIN memberships m ON m.person_id = p.id,
 generate_series(1, CASE WHEN m.id IS NULL THEN 1 ELSE 4 END) n WHERE p.given <> 'nothing' OR m.id IS NOT NULL"""


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that staff ask for; `deep` is how far down the list, as a part of it."""

    name: str
    filter: Filter
    deep: float = 0.0


OLD = datetime(2021, 3, 1, tzinfo=UTC)
ASKED = (
    Asked("first page", Filter()),
    Asked("a page far back", Filter(), 0.7),
    Asked("past due", Filter(standings=(Standing.PAST_DUE,))),
    Asked("past due or paused, far back", Filter(standings=(Standing.PAST_DUE, Standing.PAUSED)), 0.7),
    Asked("of one plan", Filter(plan_id=1)),
    Asked("joined early", Filter(joined_from=OLD.replace(year=2020), joined_before=OLD)),
    Asked("give regularly, far back", Filter(given=Given.RUNNING), 0.7),
    Asked("given by staff", Filter(kind="complimentary")),
    Asked("of one language", Filter(locale="ka")),
    Asked("mail comes back", Filter(bounced=True)),
)


def stocked(world: World, many: int) -> tuple[Flask, str]:
    """An app on a database with so many people."""
    url = world.fresh("postgresql")
    app = world.app(url)
    told = {"many": many, "sealed": vault.seal({"email": "reader@example.org", "name": "ნინო ბერიძე"})}
    with psycopg.connect(_address(url), autocommit=True) as connection:
        connection.execute(PEOPLE, told)
        connection.execute(MEMBERSHIPS)
        connection.execute(PAYMENTS)
        connection.execute("VACUUM ANALYZE")
    return app, url


def measure(world: World, most: int) -> list[Row]:
    """The first page at 10,000, with its count and all that stands beside; the floor says the same statements."""
    app, url = stocked(world, SMALL)
    page = _asks(ASKED[0], SMALL)
    with app.app_context(), psycopg.connect(_address(url), autocommit=True) as connection:
        with _heard() as said:
            page()
        ours, floors = [], []
        for _ in rounds(most, LONGEST):
            ours.append(_quickest(page))
            floors.append(_quickest(lambda: _say(connection, said)))
        db.session.rollback()
    close(app)
    row = against(f"people list, {SMALL:,}", ours, floors, "ms", None, fewer_is_better=True)
    row.says = f"{len(said)} statements, 50 names opened; the floor says them by the driver alone"
    return [row]


def measure_large(world: World, most: int) -> list[Row]:
    """Each thing asked for at 1,000,000 people beside the same at 10,000, round by round."""
    small, _ = stocked(world, SMALL)
    large, _ = stocked(world, LARGE)
    found = []
    for asked in ASKED:
        times: dict[int, list[float]] = {SMALL: [], LARGE: []}
        for _ in rounds(most, LONGEST):
            for app, many in ((small, SMALL), (large, LARGE)):
                with app.app_context():
                    times[many].append(_quickest(_asks(asked, many)))
                    db.session.rollback()
        row = against(
            f"people at {LARGE:,}: {asked.name}",
            times[LARGE],
            times[SMALL],
            "ms",
            LEAST_LEFT,
            fewer_is_better=True,
        )
        row.says = f"{1 / (row.ratio or 1):.2f} times what it takes at {SMALL:,}; at most 1.5"
        found.append(row)
    close(small)
    close(large)
    return found


def _asks(asked: Asked, many: int) -> Callable[[], Any]:
    """The page and its count, as the desk asks for them."""
    place = Place(below=str(int(many * (1 - asked.deep)))) if asked.deep else Place()

    def page() -> None:
        shown = reports.people.page_of(asked.filter, place)
        if len(shown.rows) < 50 or not reports.people.count(asked.filter):
            raise RuntimeError(f"{asked.name}: the page is not full, so another one is measured")

    return page


def _quickest(what: Callable[[], Any]) -> float:
    """Milliseconds, the quickest of several."""
    taken = []
    for _ in range(EACH):
        begun = time.perf_counter()
        what()
        taken.append((time.perf_counter() - begun) * 1000)
    return min(taken)


@contextmanager
def _heard() -> Any:
    said: list[tuple[str, Any]] = []

    def hear(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        said.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        event.remove(db.engine, "before_cursor_execute", hear)


def _say(connection: psycopg.Connection[Any], said: list[tuple[str, Any]]) -> None:
    for statement, parameters in said:
        connection.execute(statement, parameters).fetchall()


def _address(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
