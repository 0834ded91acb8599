"""Journeys in Chromium through the real demo: its web server, its pretend Stripe, its worker, its webhooks.

`demo` is the house as `flask demo` starts it, once per run; `visit()` gives a reader with a browser of their own, whose
test fails when a page's script fails, a page breaks its own policy or asks a stranger. CHROMIUM names another binary.
"""

import os
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, sync_playwright

from tests.browser.demo import Demo
from tests.browser.visitor import Visitor

HERE = Path(__file__).parent
STAY = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    STAY,
)

Visit = Callable[..., Visitor]


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
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        except Error as error:
            missing(f"no Chromium: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, missing: Callable[[str], None]) -> Iterator[Demo]:
    """The demo of this run. Readers are told apart by their addresses."""
    if not Path("/proc/self/environ").exists():
        missing("no /proc to find the demo's processes in")
    started = Demo(tmp_path_factory.mktemp("demo"))
    try:
        started.start()
        yield started
    finally:
        left = started.stop()
    assert left == [], "stopping the demo left processes behind"


@pytest.fixture
def email(request: pytest.FixtureRequest) -> str:
    """An address that no other test has."""
    return f"{re.sub('[^a-z0-9]+', '-', request.node.name.lower())[:30].strip('-')}-{uuid.uuid4().hex[:8]}@example.org"


@pytest.fixture
def visit(chromium: Browser, demo: Demo, email: str) -> Iterator[Visit]:
    """visit() or visit(js=False, color_scheme="dark", viewport=...): a reader, closed and asked for faults at the end."""
    visitors: list[Visitor] = []

    def one(**more: object) -> Visitor:
        visitors.append(Visitor(chromium, demo, **({"email": email} | more)))
        return visitors[-1]

    yield one
    for visitor in visitors:
        visitor.context.close()
    assert [fault for visitor in visitors for fault in visitor.faults] == []


@pytest.fixture(params=[True, False], ids=["script", "no-script"])
def js(request: pytest.FixtureRequest) -> bool:
    """With JavaScript, and without."""
    return request.param
