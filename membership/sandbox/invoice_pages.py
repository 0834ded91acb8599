"""The hosted page of an invoice: what it is for, and a card to pay it with while it is open.

Whoever has the link may pay. The card is used once: it is attached to nobody, and no later invoice is paid with it.
"""

import re
from typing import Any

from werkzeug.wrappers import Request, Response

from membership.sandbox import card_fields, collecting, currencies, frame, invoices, payment_methods, payments
from membership.sandbox.account import Account
from membership.sandbox.card_fields import FormProblem
from membership.sandbox.cards import Decline, card_of
from membership.sandbox.errors import CardDeclined
from membership.sandbox.store import Object

_ADDRESS = re.compile(r"/invoice/(in_[A-Za-z0-9]+_[A-Za-z0-9]+)(/bank)?", re.ASCII)
_STATES = {
    "paid": "This invoice has been paid. Nothing more will be taken.",
    "void": "This invoice was cancelled. There is nothing to pay.",
    "uncollectible": "This invoice is no longer asked for. There is nothing to pay.",
}


class InvoicePages:
    def __init__(self, account: Account) -> None:
        self._account = account

    def answer(self, request: Request) -> Response:
        found = _ADDRESS.fullmatch(request.path)
        with self._account.store.lock:
            bill = invoices.of_page(self._account, found[1]) if found else None
            if found is None or bill is None or request.method not in {"GET", "HEAD", "POST"}:
                return frame.nowhere(self._account.settings.name)
            if bill["status"] != "open":
                return self._show(bill, 200)
            if found[2]:
                return self._bank(request, bill)
            return self._pay(request, bill) if request.method == "POST" else self._show(bill, 200)

    def _pay(self, request: Request, bill: Object) -> Response:
        number, exp, cvc = (request.form.get(name, "") for name in ("card_number", "exp", "cvc"))
        if self._intent(bill)["status"] == "processing":
            return self._show(bill, 200)
        try:
            expires = card_fields.check(self._account, number, exp, cvc)
            means = card_of(number)
        except FormProblem as problem:
            return self._show(bill, 422, str(problem), problem.field)
        except CardDeclined as declined:
            return self._show(bill, 402, declined.message)
        with self._account.store.transaction():
            method = payment_methods.make(
                self._account,
                means,
                email=bill["customer_email"],
                name=bill["customer_name"],
                expires=expires,
            )
            if means.authenticate != "never":
                url = f"{bill['hosted_invoice_url']}/bank"
                payments.ask_authentication(self._account, self._intent(bill), method, url)
                return frame.see(f"{self._path(bill)}/bank")
            decline = collecting.pay_invoice(self._account, bill, method)
        return self._after(bill, decline)

    def _bank(self, request: Request, bill: Object) -> Response:
        intent = self._intent(bill)
        if intent["status"] != "requires_action":
            return frame.see(self._path(bill))
        outcome = request.form.get("outcome", "") if request.method == "POST" else ""
        if outcome not in {"approve", "fail"}:
            total = currencies.shown(bill["amount_remaining"], bill["currency"])
            action = f"{self._path(bill)}/bank"
            return self._page("bank.html", 200, total=total, action=action)
        with self._account.store.transaction():
            if outcome == "fail":
                payments.fail_authentication(self._account, intent)
                return self._show(bill, 402, intent["last_payment_error"]["message"])
            method = self._account.get("payment_method", intent["payment_method"])
            decline = collecting.pay_invoice(self._account, bill, method, authenticated=True)
        return self._after(bill, decline)

    def _after(self, bill: Object, decline: Decline | None) -> Response:
        return self._show(bill, 402, decline.message) if decline else frame.see(self._path(bill))

    def _intent(self, bill: Object) -> Object:
        return self._account.get("payment_intent", bill["_intent"])

    def _path(self, bill: Object) -> str:
        return f"/invoice/{bill['id']}_{bill['_secret']}"

    def _show(
        self, bill: Object, status: int, problem: str | None = None, field: str = "card_number"
    ) -> Response:
        is_open = bill["status"] == "open"
        under_way = is_open and self._intent(bill)["status"] == "processing"
        state = _STATES.get(
            bill["status"], "Your payment is on its way." if under_way else "This is to be paid."
        )
        return self._page(
            "invoice.html",
            status,
            action=self._path(bill),
            bill=bill,
            field=field,
            payable=is_open and not under_way,
            problem=problem,
            state=state,
            total=currencies.shown(bill["amount_remaining" if is_open else "total"], bill["currency"]),
        )

    def _page(self, template: str, status: int, **values: Any) -> Response:
        return frame.page(template, status, shop=self._account.settings.name, **values)
