"""A reader with a browser of their own: from the article to the payment page and back, with or without JavaScript."""

import re
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Error, Page, Request, expect

from tests.browser.demo import SLUG, Demo, eventually

GOOD = "4242 4242 4242 4242"
DECLINED = "4000 0000 0000 0002"
SECURE = "4000 0027 6000 3184"
SEPA = "AT61 1904 3002 3457 3201"
PAYING = re.compile(r"/pay/cs_test_\w+$")
BANK = re.compile(r"/pay/cs_test_\w+/3ds$")
THANKS = re.compile(r"/thanks/")
PHONE = {"width": 360, "height": 844}
PATIENCE = 60_000  # ms; a busy machine decides nothing
expect.set_options(timeout=PATIENCE)

Press = Callable[["Visitor"], None]


def click(visitor: "Visitor") -> None:
    visitor.button.click()


def double_click(visitor: "Visitor") -> None:
    visitor.button.dblclick(no_wait_after=True)


def submit_twice(visitor: "Visitor") -> None:
    """Faster than any finger: two submissions in one turn of the page."""
    visitor.tab.evaluate(
        "() => { const f = document.querySelector('form.gift'); f.requestSubmit(); f.requestSubmit(); }"
    )


class Visitor:
    """`faults` are what a page should never do: scripts that fail, refused by its own policy, requests to strangers."""

    def __init__(self, browser: Browser, demo: Demo, email: str, *, js: bool = True, **more: object) -> None:
        self.demo, self.email, self.js = demo, email, js
        still = {"color_scheme": "light", "reduced_motion": "reduce"}  # no colours on their way to others
        options = {"viewport": PHONE, "locale": "en-GB"} | still | more
        self.context = browser.new_context(java_script_enabled=js, **options)
        self.context.set_default_timeout(PATIENCE)
        self.faults: list[str] = []
        self.requests: list[str] = []
        self.context.on("console", lambda line: self._hear(line.type, line.text))
        self.context.on("weberror", lambda error: self.faults.append(f"a script failed: {error.error}"))
        self.context.on("request", self._see)
        self.tab: Page = self.context.new_page()

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error" and "the server responded with a status of" not in text:
            self.faults.append(text)

    def _see(self, request: Request) -> None:
        self.requests.append(request.url)
        parts = urlsplit(request.url)
        is_known = f"{parts.scheme}://{parts.netloc}" in (self.demo.url, self.demo.stripe_url)
        if parts.scheme not in {"about", "blob", "data"} and not is_known:
            self.faults.append(f"asks a stranger: {request.url}")

    # our pages

    def opens(self, path: str) -> Page:
        self.tab.goto(self.demo.url + path)
        return self.tab

    def reads(self, prefix: str = "") -> None:
        """From the article by its line to the fundraiser, and on to the form."""
        self.opens(f"{prefix}/demo/article")
        self.tab.locator(f".ask a[href='{prefix}/fundraisers/{SLUG}']").click()
        self.tab.wait_for_url(f"**{prefix}/fundraisers/{SLUG}")
        self.tab.locator(f"a.go[href='{prefix}/fundraisers/{SLUG}/give']").click()
        self.tab.wait_for_url(f"**{prefix}/fundraisers/{SLUG}/give")

    @property
    def button(self):
        return self.tab.locator("form.gift button.go").first

    def fills(self, *, interval: str = "once", amount: str = "20", name: str = "Ana") -> None:
        chosen = self.tab.locator(f"input[name=interval][value={interval}]").get_attribute("id")
        self.tab.locator(f"label[for={chosen}]").click()
        self.tab.locator(f"input[name=amount][value='{amount}']").check()
        self.tab.locator("#email").fill(self.email)
        self.tab.locator("#name").fill(name)

    def presses(self, how: Press = click) -> None:
        """Press the button, once the form has been looked at for as long as a person does."""
        self.demo.time_passes(seconds=4)
        how(self)

    # the pretend Stripe's pages

    def is_at_stripe(self) -> None:
        self.tab.wait_for_url(PAYING)

    def types_card(self, card: str = GOOD) -> None:
        for name, text in (("name", "Ana"), ("card_number", card), ("exp", "12/34"), ("cvc", "123")):
            self.tab.locator(f"#{name}").fill(text)

    def finishes(self, last: str = "form button") -> None:
        self.tab.locator(last).click()

    def finishes_and_is_gone(self, last: str = "form button") -> str:
        """Press the last button at the pretend Stripe and close the browser: our thanks page is never asked for.

        The reference stands in the address it would have gone to.
        """
        session = self.context.new_cdp_session(self.tab)
        stopped: list[str] = []
        session.on("Fetch.requestPaused", lambda paused: stopped.append(paused["request"]["url"]))
        session.send("Fetch.enable", {"patterns": [{"urlPattern": "*/thanks/*"}]})
        self.tab.locator(last).click(no_wait_after=True)
        assert eventually(lambda: self.tab.wait_for_timeout(20) or stopped), "paying did not lead back to us"
        self.context.close()
        return reference_of(stopped[0])

    # back

    def is_thanked(self, status: str = "paid") -> str:
        """The reference of the gift whose thanks page says this, sooner or later: looking again is what it offers."""
        self.tab.wait_for_url(THANKS)
        reference = reference_of(self.tab.url)

        def look() -> bool:
            said = self.tab.locator("main").get_attribute("data-status")
            if said == "processing" != status:
                with suppress(Error):  # the page may just be looking again by itself
                    self.tab.reload()
            return said == status

        assert eventually(look), f"not {status}: {self.tab.locator('main').inner_text()}"
        return reference


def reference_of(url: str) -> str:
    return urlsplit(url).path.rsplit("/", 1)[1]


# what is done at the pretend Stripe, up to the last button, which is returned


def pays(visitor: Visitor, card: str = GOOD) -> str:
    visitor.is_at_stripe()
    visitor.types_card(card)
    return "form button"


def is_declined_then_pays(visitor: Visitor) -> str:
    visitor.finishes(pays(visitor, DECLINED))
    expect(visitor.tab.locator("[role=alert]")).to_be_visible()
    assert visitor.demo.state(visitor.email)["charges"] == 0
    return pays(visitor)


def asks_the_bank(visitor: Visitor) -> str:
    visitor.finishes(pays(visitor, SECURE))
    visitor.tab.wait_for_url(BANK)
    return "button[value=approve]"
