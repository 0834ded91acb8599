"""A sandbox on the workbench: the real SDK in front of it, a browser on its pages, its webhooks kept."""

import json

import requests
import stripe
from werkzeug.test import Client

from membership.sandbox import Sandbox
from tests.wsgi_adapter import WSGIAdapter

stripe.enable_telemetry = False

KEY = "sk_test_bench"
SECRET = "whsec_bench"
VISA = "4242424242424242"
SUCCESS_URL = "http://127.0.0.1:8000/thanks/x?s={CHECKOUT_SESSION_ID}"


class Bench:
    def __init__(self, **settings):
        self.inbox = []  # (body, headers) of each webhook, as it came
        self.says = lambda _event: 200
        settings = {"sender": self._receive, "seed": 7, **settings}
        self.sandbox = Sandbox(api_key=KEY, webhook_secret=SECRET, **settings)
        self.browser = Client(self.sandbox.wsgi)
        self.api = self.client()
        self.v1 = self.api.v1

    def client(self, key=KEY, retries=2):
        session = requests.Session()
        session.mount("http://", WSGIAdapter(self.sandbox.wsgi))
        return stripe.StripeClient(
            key,
            base_addresses={"api": "http://stripe.test"},
            http_client=stripe.RequestsClient(session=session),
            max_network_retries=retries,
        )

    def raw(self, method, path, headers=None, **kwargs):
        headers = {"Authorization": f"Bearer {KEY}", **(headers or {})}
        return self.browser.open(path, method=method, headers=headers, **kwargs)

    def control(self, name, body=None, status=200):
        answer = (
            self.browser.get(f"/_control/{name}")
            if body is None
            else self.browser.post(f"/_control/{name}", json=body)
        )
        assert answer.status_code == status, answer.text
        return answer.json

    def _receive(self, _url, body, headers):
        self.inbox.append((body, headers))
        return self.says(json.loads(body))

    # what people do

    def price(self, amount=2000, currency="eur", interval=None, count=1):
        data = {"currency": currency, "unit_amount": amount, "product_data": {"name": "Gift"}}
        if interval:
            data["recurring"] = {"interval": interval, "interval_count": count}
        return {"price_data": data, "quantity": 1}

    def open(self, amount=2000, currency="eur", interval=None, **more):
        params = {
            "mode": "subscription" if interval else "payment",
            "success_url": SUCCESS_URL,
            "cancel_url": "http://127.0.0.1:8000/give",
            "line_items": [self.price(amount, currency, interval)],
            **more,
        }
        return self.v1.checkout.sessions.create(params)

    def pay(self, session, card=VISA, email="nino@example.ge", name="ნინო", **more):
        form = {"email": email, "name": name, "card_number": card, "exp": "12/39", "cvc": "123", **more}
        return self.browser.post(f"/pay/{session.id}", data=form)

    def answer_bank(self, session, outcome):
        return self.browser.post(f"/pay/{session.id}/3ds", data={"outcome": outcome})

    def paid(self, card=VISA, expand=("payment_intent.latest_charge", "subscription"), **how):
        """A session opened and paid; settled."""
        session = self.open(**how)
        assert self.pay(session, card).status_code == 303
        self.sandbox.settle()
        return self.again(session, *expand)

    def again(self, session, *expand):
        return self.v1.checkout.sessions.retrieve(session.id, {"expand": list(expand)})

    def charge_of(self, session, *expand):
        intent = self.again(session, "payment_intent").payment_intent
        return self.v1.charges.retrieve(intent.latest_charge, {"expand": list(expand)})

    def member(self, **how):
        """A running subscription, settled."""
        session = self.paid(**{"amount": 500, "interval": "month", **how})
        return self.v1.subscriptions.retrieve(session.subscription.id)

    def events(self, *kinds):
        """Types of all that happened, oldest first; only these kinds when given."""
        params = {"limit": 100, **({"types": list(kinds)} if kinds else {})}
        found = list(self.v1.events.list(params).auto_paging_iter())
        return [event.type for event in reversed(found)]

    def last_event(self, kind):
        return self.v1.events.list({"type": kind, "limit": 1}).data[0]
