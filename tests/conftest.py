"""What every test may ask for: app, client, database, real_database, stripe, mailbox, at.

Isolation: one app and one migrated database per kind and process; each test has one connection in an outer
transaction that is rolled back. A commit inside ends a savepoint. `real_database` is for races and locks.
@pytest.mark.one_database("why once is enough") leaves PostgreSQL out when both are asked for.
After every test that had a database, the books must still hold: `ledger.check() == []`.
"""

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import hypothesis
import pytest
import requests
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from membership import clock
from membership.app import create_app
from membership.billing import account
from membership.db import db
from membership.domain import ledger
from membership.sandbox import Sandbox
from tests import databases as builder
from tests.mail_server import MailServer
from tests.postgres_server import PostgresServer
from tests.reader import Reader
from tests.wsgi_adapter import WSGIAdapter

CI = os.environ.get("CI") == "true"
LOOPBACK = ("127.0.0.1", "localhost", "::1")

# A session that is given a connection keeps to savepoints of its own; given an engine, this changes nothing.
db.session.session_factory.kw["join_transaction_mode"] = "create_savepoint"


# The run: which databases, which server, no network


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--db", choices=["sqlite", "postgresql", "both"], default="sqlite", help="which databases"
    )


hypothesis.settings.register_profile(
    "house",
    deadline=None,  # two cores that others share keep no time
    derandomize=CI,  # elsewhere each run looks at other examples
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    sys.addaudithook(_stay_home)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopped from outside, we still tidy up


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What was imported and collected stays until the end: the garbage collector need not walk it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _stay_home(event: str, args: tuple[Any, ...]) -> None:
    """No test reaches past this machine: the connection is refused before it is tried."""
    host = None
    if event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    elif event == "socket.getaddrinfo":
        host = args[0].decode() if isinstance(args[0], bytes) else args[0]
    if host and host not in LOOPBACK and host not in os.environ.get("TEST_DATABASE_URL", ""):
        raise ConnectionRefusedError(f"tests stay on this machine; this one wanted {host}")


PAGES_ON_ONE = {
    *("test_account", "test_embed", "test_give", "test_join", "test_leave", "test_pagecache", "test_pages"),
    *("test_perks", "test_public", "test_setup", "test_view", "test_withdraw"),
}
"""Forms and pages whose queries tests/domain, tests/billing and tests/journeys run on both databases; the others of
tests/web (lists, search, one person, sign-in, thanks, every address with every role) look at PostgreSQL too."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--db")
        kinds = builder.KINDS if chosen == "both" else (chosen,)
        if marker := metafunc.definition.get_closest_marker("one_database"):
            (_why,) = marker.args  # what runs once says why once is enough
        path = metafunc.definition.path
        if marker or (path.parent.name == "web" and path.stem in PAGES_ON_ONE):
            kinds = kinds[:1]
        metafunc.parametrize("database", kinds, indirect=True, scope="session")


class Server:
    """The PostgreSQL of this run: TEST_DATABASE_URL, else one of our own, started when first asked for."""

    def __init__(self, url: str | None) -> None:
        self.url = url or os.environ.get("TEST_DATABASE_URL")
        self.own: PostgresServer | None = None

    def __call__(self) -> str:
        if self.url is None:
            try:
                self.own = PostgresServer()
            except (OSError, RuntimeError) as error:
                leave_out(f"no PostgreSQL server: {error}")
            self.url = self.own.url
        return self.url

    def stop(self) -> None:
        if self.own:
            self.own.stop()


def leave_out(reason: str) -> None:
    """What cannot run says why; in CI nothing may be left out."""
    if CI:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def missing() -> Callable[[str], None]:
    """missing("no Chromium") skips with the reason, or fails in CI."""
    return leave_out


SERVER = pytest.StashKey[Server]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """With several processes (pytest-xdist) one server serves them all; the first process owns it."""
    if node.config.getoption("--db") != "sqlite":
        server = node.config.stash.setdefault(SERVER, Server(None))
        try:
            node.workerinput["postgres"] = server()
        except pytest.skip.Exception:
            node.workerinput["postgres"] = None  # each process says why


def pytest_unconfigure(config: pytest.Config) -> None:
    if SERVER in config.stash:
        config.stash[SERVER].stop()


@pytest.fixture(scope="session")
def databases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[builder.Databases]:
    given = getattr(request.config, "workerinput", {}).get("postgres")
    server = request.config.stash.setdefault(SERVER, Server(given))
    made = builder.Databases(tmp_path_factory.mktemp("databases"), server)
    yield made
    made.close()


@pytest.fixture(scope="session")
def database(request: pytest.FixtureRequest) -> str:
    """The kind this test runs on: "sqlite" or "postgresql"."""
    return request.param


# One app per kind, joined to the pretend Stripe and to a mail server of our own


class Switchboard:
    """Where the app's Stripe calls go: to the sandbox of the test that runs, and nowhere else."""

    def __init__(self) -> None:
        self.sandbox: Sandbox | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        assert self.sandbox is not None, "this test calls Stripe: let it ask for the `stripe` fixture"
        return self.sandbox.wsgi(environ, start_response)


@dataclass
class Apps:
    """Makes apps for tests; the one on the shared database of a kind is made once."""

    databases: builder.Databases
    switchboard: Switchboard
    mail_url: str

    def __post_init__(self) -> None:
        self.shared: dict[tuple[Any, ...], Flask] = {}
        self.urls: dict[str, str] = {}

    def on(self, url: str, *, patient: bool = False, **more: str) -> Flask:
        """A new app on this database; unless `patient` it takes Stripe's first answer, also when there is none."""
        calls = requests.Session()
        calls.mount(builder.ENVIRONMENT["STRIPE_API_BASE"], WSGIAdapter(self.switchboard))
        own = {"MAIL_URL": self.mail_url, "INSTANCE_PATH": str(self.databases.folder / "instance")}
        app = create_app(builder.settings(url, **(own | more)), stripe_session=calls)
        if not patient:
            account.join(app, app.config["SETTINGS"], calls, retries=0)
        app.test_client_class = Reader
        return app

    def on_shared(self, kind: str, more: dict[str, str], *, patient: bool = False) -> Flask:
        key = (kind, patient, *sorted(more.items()))
        if key not in self.shared:
            if kind not in self.urls:
                self.urls[kind] = self.databases.fresh(kind)
            self.shared[key] = self.on(self.urls[kind], patient=patient, **more)
        return self.shared[key]

    def close(self) -> None:
        for app in self.shared.values():
            close_engines(app)


def close_engines(app: Flask) -> None:
    for engine in db._app_engines[app].values():
        engine.dispose()


@pytest.fixture(scope="session")
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture(scope="session")
def apps(databases: builder.Databases, mail_server: MailServer) -> Iterator[Apps]:
    made = Apps(databases, Switchboard(), mail_server.url)
    yield made
    made.close()


@pytest.fixture
def app(database: str, apps: Apps, request: pytest.FixtureRequest) -> Iterator[Flask]:
    """The app in its context. @pytest.mark.settings(GRACE_DAYS="3") gives one with other settings.

    @pytest.mark.patient gives one that asks Stripe again after each failure, with the SDK's pauses, as in production.
    """
    marker = request.node.get_closest_marker("settings")
    patient = request.node.get_closest_marker("patient") is not None
    app = apps.on_shared(database, marker.kwargs if marker else {}, patient=patient)
    engines = db._app_engines[app]
    engine = engines[None]
    with engine.connect() as connection:
        outer = connection.begin()
        engines[None] = connection
        clock.live_in(app.config["SETTINGS"].timezone)
        try:
            with app.app_context():
                yield app
                check_books(request)
                db.session.remove()
        finally:
            engines[None] = engine
            clock.use(None)
            outer.rollback()


def check_books(request: pytest.FixtureRequest) -> None:
    """The ledger after the test, as the test left it; a refused statement is rolled back first."""
    if request.node.get_closest_marker("no_ledger_check"):
        return
    try:
        breaches = ledger.check()
    except SQLAlchemyError:
        db.session.rollback()
        breaches = ledger.check()
    assert breaches == []


@pytest.fixture
def client(app: Flask) -> Reader:
    """A browser without JavaScript that refuses broken pages; app.test_client() is another one."""
    return app.test_client()


# Real connections, for races and locks


@dataclass
class RealDatabase:
    """An app on a database of its own. `kind` is sqlite or postgresql."""

    app: Flask
    kind: str
    url: str

    def together(self, *calls: Callable[[], Any]) -> list[Any]:
        """Run the calls at the same moment, each in a thread, app context and connection of its own.

        Gives what each returned, or the exception it raised.
        """
        answers: list[Any] = [None] * len(calls)
        start = threading.Barrier(len(calls))

        def run(place: int, call: Callable[[], Any]) -> None:
            with self.app.app_context():
                start.wait(timeout=60)
                try:
                    answers[place] = call()
                except Exception as error:  # noqa: BLE001 - the test looks at it
                    answers[place] = error

        threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
            assert not thread.is_alive(), "a call is still waiting after a minute: a lock nobody lets go"
        return answers


@pytest.fixture
def real_database(database: str, apps: Apps, request: pytest.FixtureRequest) -> Iterator[RealDatabase]:
    """What is committed here stays, for this test: nothing is rolled back and every connection is real."""
    url = apps.databases.fresh(database)
    app = apps.on(url, patient=True)  # what meets here may be asked to wait, as in production
    with app.app_context():
        try:
            yield RealDatabase(app, database, url)
            check_books(request)
        finally:
            clock.use(None)
            db.session.remove()
            close_engines(app)
            apps.databases.drop(url)


# The world around: time, mail, Stripe


@pytest.fixture(autouse=True)
def _within_ten_minutes() -> None:
    """No test begins in the last seconds of ten minutes, when what limits.py counts begins anew."""
    left = 600 - time.time() % 600
    if left < 5:
        time.sleep(left)


@pytest.fixture
def at() -> Iterator[Callable[[datetime | str], datetime]]:
    """at("2026-03-01 10:00") or at(moment): our clock stands there until the next call."""

    def move(moment: datetime | str) -> datetime:
        if isinstance(moment, str):
            moment = datetime.fromisoformat(moment)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        clock.use(lambda: moment)
        return moment

    yield move
    clock.use(None)


@pytest.fixture
def mailbox(mail_server: MailServer) -> list[EmailMessage]:
    """The mails that arrived by SMTP during this test, oldest first, parsed."""
    mail_server.received.clear()
    return mail_server.received


@pytest.fixture
def stripe(request: pytest.FixtureRequest, database: str, apps: Apps) -> Iterator[Sandbox]:
    """The pretend Stripe, in process and empty. Webhooks go out in settle() and deliver(), not before.

    Our clock follows its clock. With `real_database` it belongs to that app, else to `app`.
    """
    real = "real_database" in request.fixturenames
    app = request.getfixturevalue("real_database").app if real else request.getfixturevalue("app")
    sandbox = Sandbox(
        public_url=builder.ENVIRONMENT["STRIPE_API_BASE"],
        webhook_url=builder.ENVIRONMENT["BASE_URL"] + "/hooks/stripe",
        webhook_secret=builder.ENVIRONMENT["STRIPE_WEBHOOK_SECRET"],
        api_key=builder.ENVIRONMENT["STRIPE_SECRET_KEY"],
        sender=lambda url, body, headers: app.test_client().post(url, data=body, headers=headers).status_code,
    )
    apps.switchboard.sandbox = sandbox
    clock.use(lambda: datetime.fromtimestamp(sandbox.now(), UTC))
    yield sandbox
    clock.use(None)
    apps.switchboard.sandbox = None
    sandbox.close()
