"""A reader who gives, through our pages and the pretend Stripe's, without JavaScript."""

from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.test import Client, TestResponse

from membership import mail
from membership.billing import inbox
from membership.db import db
from membership.domain import leaving
from tests import make
from tests.reader import Reader

GOOD = "4242424242424242"
DECLINED = "4000000000000002"
SECURE = "4000002760003184"
SEPA_GOOD = "AT611904300234573201"
SEPA_FAILING = "AT861904300235473202"
SEPA_SLOW = "AT321904300235473204"
FORM = "/fundraisers/small-newsrooms/give"


class Donor:
    """One reader with one browser: `stripe` is the sandbox, `app` ours."""

    def __init__(self, app: Flask, stripe: Any, *, email: str = "ana@example.org", name: str = "Ana") -> None:
        self.app, self.stripe = app, stripe
        self.email, self.name = email, name
        self.ours: Reader = app.test_client()
        self.theirs = Client(stripe.wsgi)
        self.form: dict[str, str] = {}

    def open_form(self, path: str = FORM) -> TestResponse:
        """Look at the form for as long as a person does."""
        page = self.ours.get(path)
        if page.status_code == 200:
            self.form = {name: self.ours.field(name) for name in ("csrf_token", "attempt")}
        self.stripe.advance(seconds=5)
        return page

    def press(self, path: str = FORM, **fields: str) -> TestResponse:
        """Fill in and press the button."""
        told = {"amount": "20", "interval": "once", "currency": "EUR", "email": self.email, "name": self.name}
        return self.ours.post(path, data=self.form | told | fields)

    def start(self, path: str = FORM, **fields: str) -> str:
        """Open the form and press: the payment page's address."""
        self.open_form(path)
        answer = self.press(path, **fields)
        assert answer.status_code == 303, answer.text
        return answer.location

    def pay(self, url: str, card: str = GOOD, **fields: str) -> TestResponse:
        """Fill in the payment page."""
        told = {"email": self.email, "name": self.name, "card_number": card, "exp": "12/34", "cvc": "123"}
        return self.theirs.post(urlsplit(url).path, base_url=origin(url), data=told | fields)

    def thanks(self, answer: TestResponse) -> TestResponse:
        """Follow the way back from the payment page."""
        assert answer.status_code == 303, answer.text
        return self.ours.get(path_of(answer.location))

    def gives(self, card: str = GOOD, path: str = FORM, **fields: str) -> TestResponse:
        """The whole way, as far as the thanks page."""
        return self.thanks(self.pay(self.start(path, **fields), card))

    def status(self, reference: str) -> str | None:
        """What the thanks page says to this browser."""
        self.ours.get(f"/thanks/{reference}")
        assert self.ours.page is not None
        return next(self.ours.page.iter("main")).get("data-status")


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def reference_of(url: str) -> str:
    return urlsplit(url).path.rsplit("/", 1)[1]


def settle(stripe: Any, *, rounds: int = 6) -> None:
    """Let time pass at Stripe and in our worker until nothing is left to do."""
    for _ in range(rounds):
        stripe.settle()
        if not inbox.work():
            break
        stripe.advance(seconds=2)
    while inbox.work():
        pass
    leaving.dispatch(make.settings())
    db.session.commit()
    mail.deliver()


def control(stripe: Any, what: str, **told: object) -> dict[str, Any]:
    """Turn a knob of the pretend Stripe."""
    answer = Client(stripe.wsgi).post(f"/_control/{what}", json=told)
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})


def state(stripe: Any, email: str = "ana@example.org") -> dict[str, int]:
    """What the pretend Stripe has of one reader."""
    return dict(Client(stripe.wsgi).get(f"/_control/state?email={email}").json or {})
