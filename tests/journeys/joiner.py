"""Somebody who joins: through the verbs up to the payment page, then through the pretend Stripe's own pages."""

import uuid
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select
from werkzeug.test import Client, TestResponse

from membership.billing import checkout
from membership.db import db
from membership.domain import memberships, plans
from membership.domain.memberships import Join, Membership
from tests import make
from tests.journeys.donor import GOOD, control, origin, settle


class Joiner:
    """One reader: `stripe` is the sandbox. Several may have one address."""

    def __init__(self, stripe: Any, *, email: str = "ana@example.org", name: str = "Ana") -> None:
        self.stripe, self.email, self.name = stripe, email, name
        self.theirs = Client(stripe.wsgi)
        self.reference = ""

    def asks(
        self, plan: str = "friend", interval: str = "month", amount: str | None = None, **more: str
    ) -> str:
        """Press the form's button: the payment page's address."""
        found = plans.get_plan(plan)
        price = plans.prices_by_plan("EUR")[found.id][interval]
        told = Join(
            attempt=more.get("attempt") or uuid.uuid4().hex,
            plan=found,
            price=price,
            amount=make.EUR(amount) if amount else price.amount,
            email=self.email,
            locale=more.get("locale", "en"),
            name=self.name,
        )
        begun = checkout.join(told)
        self.reference = begun.reference
        return begun.url or ""

    def pays(self, url: str, card: str = GOOD, **more: str) -> TestResponse:
        told = {
            "email": self.email,
            "name": self.name,
            "card_number": card,
            "exp": "12/34",
            "cvc": "123",
        } | more
        return self.theirs.post(urlsplit(url).path, base_url=origin(url), data=told)

    def joins(self, card: str = GOOD, **how: str) -> Membership:
        """The whole way, until nothing is left to do."""
        answer = self.pays(self.asks(**how), card)
        assert answer.status_code == 303, answer.text
        settle(self.stripe)
        return self.membership

    @property
    def membership(self) -> Membership:
        """As it is now."""
        db.session.expire_all()
        return memberships.get_membership(self.reference)

    def card_fails_from_now_on(self) -> None:
        subscription = self.membership.stripe_subscription_id
        control(self.stripe, "card", subscription=subscription, card_number="4000000000000341")

    def changes_card(self, card: str = GOOD) -> Any:
        """Open the portal, give it a card, come back."""
        self.gives_card(card)
        return checkout.adopt_card(self.membership)

    def gives_card(self, card: str = GOOD) -> None:
        """As far as Stripe's page."""
        url = checkout.portal(self.membership, return_path="/account/card/done")
        told = {"card_number": card, "exp": "12/34", "cvc": "123"}
        answer = self.theirs.post(urlsplit(url).path, base_url=origin(url), data=told)
        assert answer.status_code == 303, answer.text


def days(stripe: Any, number: int) -> None:
    """So many days pass, one by one, with our worker at work."""
    for _ in range(number):
        stripe.advance(days=1)
        settle(stripe)


def all_of_them() -> list[Membership]:
    db.session.expire_all()
    return list(db.session.scalars(select(Membership).order_by(Membership.id)))
