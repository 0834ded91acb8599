"""Journeys in Chromium: our app, the pretend Stripe and a worker, each as a reader meets them, over loopback.

`live` is the whole house, `page` a browser tab that fails its test on a script error or a foreign request,
`axe(page)` what is wrong with a page for those who use it with other senses. CHROMIUM names another binary.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Error, Page, sync_playwright
from werkzeug.serving import BaseWSGIServer, make_server

from membership import clock, mail
from membership.app import create_app
from membership.billing import inbox
from membership.db import db
from membership.sandbox import Sandbox
from tests import databases as builder

HERE = Path(__file__).parent
PHONE = {"width": 390, "height": 844}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium(missing: Callable[[str], None]) -> Iterator[Browser]:
    """CHROMIUM, else Debian's, else Playwright's own."""
    found = os.environ.get("CHROMIUM") or (
        "/usr/bin/chromium" if Path("/usr/bin/chromium").exists() else None
    )
    stay = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", stay])
        except Error as error:
            missing(f"no Chromium: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A tab of a phone. What its scripts throw, and what it asks of strangers, fails the test."""
    faults: list[str] = []
    context = chromium.new_context(viewport=PHONE, locale="en-GB", color_scheme="light")
    context.set_default_timeout(10_000)
    tab = context.new_page()
    tab.on("pageerror", lambda error: faults.append(f"a script failed: {error}"))
    tab.on(
        "console", lambda line: faults.append(f"{line.type}: {line.text}") if line.type == "error" else None
    )
    tab.on(
        "request",
        lambda asked: faults.append(f"asks a stranger: {asked.url}") if is_foreign(asked.url) else None,
    )
    yield tab
    context.close()
    assert [fault for fault in faults if "the server responded with a status of 4" not in fault] == []


def is_foreign(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname not in {"127.0.0.1", "localhost"}


@pytest.fixture
def axe() -> Callable[[Page], list[str]]:
    """What axe finds on the page: rule, help and where, one line each; none is right."""

    def look(page: Page) -> list[str]:
        found = Axe().run(page).response["violations"]
        return [
            f"{fault['id']}: {fault['help']} {[node['target'] for node in fault['nodes']]}" for fault in found
        ]

    return look


@dataclass
class Live:
    """The house as it runs: `url` is ours, `stripe` the pretend Stripe with its pages at `stripe_url`."""

    app: Flask
    url: str
    stripe: Sandbox
    stripe_url: str


@contextmanager
def serving(wsgi: Callable, server: BaseWSGIServer) -> Iterator[None]:
    server.app = wsgi
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def working(app: Flask) -> Iterator[None]:
    """A worker, as `flask work` is one, until the test is over."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.1):
            with app.app_context():
                inbox.work()
                mail.deliver()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def live(request: pytest.FixtureRequest, databases: builder.Databases, mail_server) -> Iterator[Live]:
    """Everything at once on a database of its own, with its context pushed so that `make` works here too."""
    kind = "postgresql" if request.config.getoption("--db") == "postgresql" else "sqlite"
    ours, theirs = (make_server(host, 0, None, threaded=True) for host in ("127.0.0.1", "localhost"))
    url, stripe_url = f"http://127.0.0.1:{ours.port}", f"http://localhost:{theirs.port}"
    database_url = databases.fresh(kind)
    more = {"BASE_URL": url, "STRIPE_API_BASE": stripe_url, "MAIL_URL": mail_server.url}
    app = create_app(builder.settings(database_url, **more))
    sandbox = Sandbox(
        public_url=stripe_url,
        webhook_url=f"{url}/hooks/stripe",
        webhook_secret=builder.ENVIRONMENT["STRIPE_WEBHOOK_SECRET"],
        api_key=builder.ENVIRONMENT["STRIPE_SECRET_KEY"],
        background=True,
    )
    clock.use(lambda: datetime.fromtimestamp(sandbox.now(), UTC))
    with app.app_context(), serving(app, ours), serving(sandbox.wsgi, theirs), working(app):
        yield Live(app, url, sandbox, stripe_url)
        db.session.remove()
        sandbox.close()
    clock.use(None)
    for engine in db._app_engines[app].values():
        engine.dispose()
    databases.drop(database_url)
