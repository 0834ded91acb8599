"""A pretend Stripe: API, hosted pages, events and a clock, as a WSGI app of its own.

It imports nothing of ours and not the Stripe SDK, and it is harder than Stripe, never kinder: unknown
parameters are refused, fees come late, webhooks come twice and out of order. It refuses live keys and any
address off this machine.

    sandbox = Sandbox(api_key="sk_test_x", webhook_secret="whsec_x", sender=deliver_into_my_app)
    sandbox.wsgi            # what a server or a test client calls
    sandbox.settle()        # run what is a moment away, deliver every webhook
    sandbox.advance(days=31)    # renewals that fall due on the way are charged
"""

import random
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from werkzeug.wrappers import Request, Response

from membership.sandbox import earlier, invoices
from membership.sandbox.account import Account, Settings
from membership.sandbox.api import Api
from membership.sandbox.clock import DAY, HOUR, Clock
from membership.sandbox.control import Control
from membership.sandbox.errors import ReplyDropped
from membership.sandbox.pages import Pages
from membership.sandbox.runner import Runner
from membership.sandbox.store import Store
from membership.sandbox.webhooks import Sender, Webhooks, post

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ["ReplyDropped", "Sandbox"]

_SOON = 2  # seconds: what `settle` runs without moving the clock
_DRAFTS = 2 * HOUR  # how much further whole days go for the drafts they opened


def _on_loopback(url: str, name: str) -> str:
    if urlsplit(url).hostname not in {"localhost", "127.0.0.1", "::1"} or urlsplit(url).scheme != "http":
        raise ValueError(
            f"The pretend Stripe stays on this machine: {name} must be http on localhost, not {url}."
        )
    return url.rstrip("/")


class Sandbox:
    """One pretend Stripe account and everything around it."""

    def __init__(
        self,
        store: str = ":memory:",
        *,
        public_url: str = "http://localhost:8001",
        webhook_url: str = "http://127.0.0.1:8000/hooks/stripe",
        webhook_secret: str = "whsec_sandbox",  # noqa: S107 - a secret of the sandbox alone
        api_key: str = "sk_test_sandbox",
        sender: Sender | None = None,
        background: bool = False,
        seed: int | None = None,
    ) -> None:
        if not api_key.startswith(("sk_test_", "rk_test_")):
            raise ValueError("The pretend Stripe takes a test key (sk_test_...) and never a live one.")
        settings = Settings(
            public_url=_on_loopback(public_url, "public_url"),
            webhook_url=_on_loopback(webhook_url, "webhook_url"),
            webhook_secret=webhook_secret,
            api_key=api_key,
        )
        self._store = Store(str(store))
        clock = Clock(self._store.setting("offset", 0))
        # shuffles webhooks and nothing else; ids never come from here
        self.account = Account(self._store, clock, settings, random.Random(seed))  # noqa: S311 - see above
        if self._store.setting("opened_at", None) is None:
            self._store.set("opened_at", clock.now())
        earlier.catch_up(self.account)
        self.webhooks = Webhooks(self.account, sender or post)
        self.account.announce = self.webhooks.announce
        self._api = Api(self.account)
        self._pages = Pages(self.account)
        self._control = Control(self.account, self.webhooks, self.advance)
        self._runner = Runner(self.account, self.webhooks) if background else None

    # time

    def now(self) -> int:
        return self.account.now()

    def advance(self, *, seconds: int = 0, days: int = 0) -> None:
        """Moves the clock, doing on the way whatever falls due, each thing at its own moment.

        Seconds are exact. Whole days are what a person means by them: a renewal that fell due on the way is charged
        too, although its draft waits for an hour, so the clock goes on until it is (at most two hours).
        """
        account, store = self.account, self._store
        with store.lock:
            start = account.now()
        target = start + seconds + days * DAY
        last = target + _DRAFTS if days else target
        try:
            while True:
                self._run_until(target)
                drafts = invoices.finalized_within(account, target, last, opened_since=start)
                if drafts is None:
                    break
                target = drafts
        finally:
            with store.lock:
                account.clock.stand_at(target)
                account.clock.run_on()
                store.set("offset", account.clock.offset)
        self.webhooks.wake()

    def _run_until(self, target: int) -> None:
        account, store = self.account, self._store
        while True:
            with store.lock:
                due = account.next_due()
                if due is None or due > target:
                    break
                account.clock.stand_at(due)
                account.run_next_step(until=max(due, account.now()))
                store.set("offset", account.clock.offset)

    def settle(self) -> None:
        """Runs what is due or a moment away and delivers every webhook that can be, until all is quiet."""
        busy = True
        while busy:
            busy = False
            while self.account.run_next_step(until=self.now() + _SOON):
                busy = True
            busy = self.webhooks.deliver(soon=True) > 0 or busy

    def deliver(self) -> None:
        """Delivers what is due now; nothing else happens."""
        self.webhooks.deliver(soon=True)

    def close(self) -> None:
        if self._runner:
            self._runner.stop()
        self._store.close()

    # answering

    def wsgi(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        if request.path.startswith("/v1/"):
            response = self._api.answer(request)
        elif request.path.startswith("/_control/"):
            response = self._control.answer(request)
        elif request.path == "/healthz":
            response = Response(f"ok {int(time.time())}\n", content_type="text/plain")
        else:
            response = self._pages.answer(request)
        return response(environ, start_response)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
