"""Convergence of a gift, against the same SQL as raw statements in one transaction.

What Stripe would answer is prepared, so no fetch is measured. The SQL is listened to once on a copy of the database,
then said again by the driver alone on another copy, gift by gift, each in one transaction: same rows, same order.
"""

import sqlite3
import statistics
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from flask import Flask
from sqlalchemy import event, make_url, select

from bench.figures import LEAST_ROUNDS, Row, against
from bench.world import SLUG, World, close
from membership import clock
from membership.billing import checkout, facts, inbox
from membership.billing.converge import CONVERGENCES, Convergence, Key
from membership.db import db, writing
from membership.domain import donations, fundraisers, ledger
from membership.money import Money

Plain = dict[str, Any]
Pair = tuple[tuple[float, float], tuple[float, float]]
Said = list[tuple[str, Any, bool]]
"""Statement, parameters, and whether they are many rows of them."""
LONGEST = 8  # seconds for the rounds of one row
NAMES = {"sqlite": "SQLite FULL", "postgresql": "PostgreSQL"}


@dataclass(frozen=True, slots=True)
class Gift:
    """A pledged gift that is paid at Stripe, and what Stripe says of its objects."""

    keys: tuple[Key, ...]
    facts: dict[Key, Any]


def _plain(number: int, attempt: str, amount: int) -> tuple[Plain, Plain, Plain]:
    """Session, payment intent and charge as Stripe tells them, in the fields that we read."""
    now = int(time.time())
    session = {"id": f"cs_{number}", "status": "complete", "payment_status": "paid", "url": None, "expires_at": now + 2000,
               "metadata": {"attempt": attempt}, "payment_intent": f"pi_{number}"}  # fmt: skip
    intent = {"id": f"pi_{number}", "status": "succeeded", "latest_charge": f"ch_{number}",
              "metadata": {"attempt": attempt}}  # fmt: skip
    fee = amount * 15 // 1000 + 25
    balance = {"id": f"txn_{number}", "type": "charge", "currency": "eur", "amount": amount, "fee": fee, "net": amount - fee,
               "created": now, "available_on": now + 86400, "source": f"ch_{number}"}  # fmt: skip
    charge = {"id": f"ch_{number}", "status": "succeeded", "amount": amount, "currency": "eur", "created": now,
              "payment_intent": f"pi_{number}", "metadata": {"attempt": attempt}, "balance_transaction": balance,
              "payment_method_details": {"type": "card", "card": {"country": "DE"}},
              "customer": {"id": f"cus_{number}", "email": f"reader{number}@example.org", "name": "Nino"}}  # fmt: skip
    return session, intent, charge


def _prepare(world: World, kind: str, count: int) -> tuple[str, list[Gift]]:
    """A database with so many pledged gifts, each with its open Checkout."""
    url = world.fresh(kind)
    app = world.app(url)
    with app.app_context(), writing():
        fundraiser = fundraisers.get_fundraiser(SLUG)
        gifts = [_pledged(app, fundraiser, number) for number in range(count)]
        db.session.commit()
    close(app)
    return url, gifts


def _pledged(app: Flask, fundraiser: fundraisers.Fundraiser, number: int) -> Gift:
    pledge = donations.Pledge(attempt=str(uuid.uuid4()), amount=Money(2000, "EUR"), interval=donations.Interval.ONCE,
                              email=f"reader{number}@example.org", locale="en", name="Nino")  # fmt: skip
    given = donations.pledge(fundraiser, pledge, settings=app.config["SETTINGS"])
    db.session.add(checkout.Checkout(donation_id=given.id, number=1, state=checkout.CheckoutState.OPEN, key=f"key-{number}",
                                     stripe_session_id=f"cs_{number}",
                                     expires_at=clock.now() + timedelta(hours=1)))  # fmt: skip
    session, intent, charge = _plain(number, given.attempt, given.charged_minor)
    keys: tuple[Key, ...] = (
        ("checkout.session", session["id"]), ("payment_intent", intent["id"]), ("charge", charge["id"])
    )  # fmt: skip
    told = (facts.session(session), facts.intent(intent), facts.charge(charge))
    return Gift(keys, dict(zip(keys, told, strict=True)))


class Stub:
    """Stripe's answers, known beforehand. Where only the applying counts, everything begins anew at a fetch."""

    def __init__(self, gifts: list[Gift], *, whole: bool) -> None:
        self.known = {key: told for gift in gifts for key, told in gift.facts.items()}
        self.whole = whole
        self.begun = (0.0, 0.0)
        self.said: Said = []
        self.commits = 0

    def begin(self) -> None:
        self.said, self.commits = [], 0
        self.begun = time.perf_counter(), time.process_time()

    def taken(self) -> tuple[float, float]:
        """Milliseconds by the clock, and of this process's work."""
        wall, work = time.perf_counter(), time.process_time()
        return (wall - self.begun[0]) * 1000, (work - self.begun[1]) * 1000

    def fetches(self, kind: str) -> Callable[[Any, str], Any]:
        def fetch(_gateway: Any, object_id: str) -> Any:
            if not self.whole:
                self.begin()
            return self.known[kind, object_id]

        return fetch

    @contextmanager
    def answering(self) -> Iterator[None]:
        real = dict(CONVERGENCES)
        try:
            for kind, one in real.items():
                CONVERGENCES[kind] = Convergence(self.fetches(kind), one.apply)
            yield
        finally:
            CONVERGENCES.update(real)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Keep what is said to the database."""

        def hear(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
            if not statement.startswith("BEGIN"):
                self.said.append((statement, parameters, many))

        def count(_connection: Any) -> None:
            self.commits += 1

        engine = db.engine
        event.listen(engine, "before_cursor_execute", hear)
        event.listen(engine, "commit", count)
        try:
            yield
        finally:
            event.remove(engine, "before_cursor_execute", hear)
            event.remove(engine, "commit", count)


def _mark(gift: Gift, *, whole: bool) -> None:
    """What the hook does when the event comes in."""
    with writing():
        inbox.mark_dirty([gift.keys[0] if whole else gift.keys[-1]], now=clock.now())
        db.session.commit()


def _work(stub: Stub, gift: Gift) -> tuple[float, float]:
    """What the worker does then."""
    wanted = len(gift.keys) if stub.whole else 1
    stub.begin()
    worked = inbox.work(wanted)
    taken = stub.taken()
    if worked != wanted:
        raise RuntimeError(f"{worked} objects were converged where {wanted} were due")
    return taken


def _listen(app: Flask, stub: Stub, gifts: list[Gift]) -> tuple[list[Said], int]:
    """What is said to the database for each gift, and how often it is told to commit."""
    heard: list[Said] = []
    with app.app_context():
        for gift in gifts:
            _mark(gift, whole=stub.whole)
            with stub.listening():
                _work(stub, gift)
            heard.append(stub.said)
            if failed := db.session.scalar(
                select(inbox.StripeObject.last_error).where(inbox.StripeObject.attempts > 0)
            ):
                raise RuntimeError(f"an object could not be converged: {failed}")
        if ledger.check() or fundraisers.totals_off():
            raise RuntimeError("the books do not hold")
    return heard, stub.commits


class Raw:
    """The driver alone: a gift's statements in one transaction."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            self.connection: Any = sqlite3.connect(str(parsed.database), isolation_level=None)
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                self.connection.execute(f"PRAGMA {pragma}")
            self.begin = "BEGIN IMMEDIATE"
        else:
            address = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
            self.connection, self.begin = psycopg.connect(address, autocommit=True), "BEGIN"

    def say(self, stub: Stub, statements: Said) -> tuple[float, float]:
        stub.begin()
        cursor = self.connection.cursor()
        cursor.execute(self.begin)
        for statement, parameters, many in statements:
            (cursor.executemany if many else cursor.execute)(statement, parameters)
            if cursor.description:
                cursor.fetchall()
        cursor.execute("COMMIT")
        return stub.taken()

    def money(self) -> int:
        """What the shares hold: the same as after our own convergence, or something else was said."""
        question = "SELECT sum(given_minor) FROM allocation_shares"
        return self.connection.execute(question).fetchone()[0]


def measure(world: World, rounds: int, each: int, kinds: tuple[str, ...]) -> list[Row]:
    """For each database: applying the charge that settles and books a gift, and all the worker does for the gift."""
    return [_row(world, kind, rounds, each, whole=whole) for kind in kinds for whole in (False, True)]


def _row(world: World, kind: str, rounds: int, each: int, *, whole: bool) -> Row:
    url, gifts = _prepare(world, kind, each * (rounds + 1))
    apps = {name: world.app(world.databases.empty(kind, url)) for name in ("ours", "heard")}
    raw, stub = Raw(world.databases.empty(kind, url)), Stub(gifts, whole=whole)
    try:
        with stub.answering():
            heard, commits = _listen(apps["heard"], stub, gifts)
            pairs = list(_pairs(apps["ours"], raw, stub, zip(gifts, heard, strict=True), each))
        with apps["ours"].app_context():
            given = db.session.execute(db.text("SELECT sum(given_minor) FROM allocation_shares")).scalar()
        if given != raw.money():
            raise RuntimeError("the raw statements did something else")
    finally:
        raw.connection.close()
        for app in apps.values():
            close(app)
    name = "gift whole, with leases" if whole else "gift, its charge applied"
    count = statistics.median(len(one) for one in heard)
    return _figures(f"converge {name}, {NAMES[kind]}", pairs[each:], each,
                    says=f"{count:.0f} statements, {commits} commits (floor 1)", statements=[said[0] for said in heard[-1]])  # fmt: skip


def _pairs(app: Flask, raw: Raw, stub: Stub, gifts: Iterable[tuple[Gift, Said]], each: int) -> Iterator[Pair]:
    """Gift by gift: ours, then the floor; on a machine that is too busy, fewer gifts."""
    least = each * (LEAST_ROUNDS + 1)
    with app.app_context():
        until = time.monotonic() + LONGEST
        for number, (gift, said) in enumerate(gifts):
            if number >= least and time.monotonic() > until and not number % each:
                return
            _mark(gift, whole=stub.whole)
            yield _work(stub, gift), raw.say(stub, said)


def _figures(name: str, pairs: list[Pair], each: int, *, says: str, statements: list[str]) -> Row:
    """Medians of so many gifts each are the rounds."""

    def rounds(side: int, measure: int) -> list[float]:
        values = [pair[side][measure] for pair in pairs]
        return [statistics.median(values[n : n + each]) for n in range(0, len(values), each)]

    work = against("", rounds(0, 1), rounds(1, 1), "ms", None, fewer_is_better=True)
    says = f"by CPU {work.ratio:.2f} ({work.figure:.1f} ms, floor {work.floor:.2f} ms); {says}"
    return against(name, rounds(0, 0), rounds(1, 0), "ms", 0.3, fewer_is_better=True, says=says, cpu=work.rounds,
                   statements=statements)  # fmt: skip
