"""The hosted pages: pay, 3-D Secure, and what is said when there is nothing to pay. The portal and the invoice
have files of their own.

Plain forms without a script, under a content policy of their own. A page never says more than the session's
url gives: whoever has the link may pay, nobody learns who else did.
"""

import re

from werkzeug.wrappers import Request, Response

from membership.sandbox import checkout, currencies, frame, sessions
from membership.sandbox.account import Account
from membership.sandbox.card_fields import FormProblem
from membership.sandbox.cards import Decline
from membership.sandbox.checkout import Form, Outcome
from membership.sandbox.errors import CardDeclined
from membership.sandbox.frame import see
from membership.sandbox.invoice_pages import InvoicePages
from membership.sandbox.portal_pages import PortalPages
from membership.sandbox.store import Object

_FIELDS = ("email", "name", "card_number", "exp", "cvc", "iban")


class Pages:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._portal = PortalPages(account)
        self._invoices = InvoicePages(account)

    def answer(self, request: Request) -> Response:
        if request.path.startswith("/portal/"):
            return self._portal.answer(request)
        if request.path.startswith("/invoice/"):
            return self._invoices.answer(request)
        return self._answer_payer(request)

    def _answer_payer(self, request: Request) -> Response:
        found = re.fullmatch(
            r"/(pay|recover)/(cs_test_[A-Za-z0-9]+)(?:_([A-Za-z0-9]+))?(/3ds)?", request.path
        )
        if found is None or request.method not in {"GET", "HEAD", "POST"}:
            return frame.nowhere(self._account.settings.name)
        room, ident, ticket, secure = found.groups()
        session = self._account.store.get(ident)
        if session is None or (ticket and room == "pay") or (secure and room == "recover"):
            return frame.nowhere(self._account.settings.name)
        if room == "recover":
            return self._recover(session, request.path)
        posted = request.method == "POST"
        if secure:
            return self._answer_bank(request, session) if posted else self._show_bank(session)
        return self._pay(request, session) if posted else self._show(session)

    # paying

    def _pay(self, request: Request, session: Object) -> Response:
        # decoded as sent: a name in any script stays what was typed
        form = Form(**{name: request.form.get(name, "") for name in _FIELDS})
        try:
            with self._account.store.transaction():
                session = self._account.get("checkout.session", session["id"])
                outcome = checkout.pay(self._account, session, form)
        except FormProblem as problem:
            return self._form(422, session, form, str(problem), problem.field)
        except CardDeclined as declined:
            field = "iban" if form.iban.strip() else "card_number"
            return self._form(402, session, form, declined.message, field)
        return self._after(session, outcome, form)

    def _after(self, session: Object, outcome: Outcome, form: Form) -> Response:
        if outcome.state == "paid":
            return see(_success_url(session))
        if outcome.state == "authenticate":
            return see(f"{self._account.settings.public_url}/pay/{session['id']}/3ds")
        if outcome.decline:
            return self._form(402, session, form, _said(outcome.decline), "card_number")
        fresh = self._account.get("checkout.session", session["id"])
        if fresh["status"] == "complete":  # the button was pressed twice
            return see(_success_url(fresh))
        return self._show(fresh)

    def _show(self, session: Object) -> Response:
        if session["status"] == "complete":
            return self._sentence(
                200, "This has been paid", "You have already paid here. Nothing more will be taken.", session
            )
        if session["status"] == "expired" or self._account.now() >= session["expires_at"]:
            return self._sentence(
                410, "This page has expired", "Nothing was paid. Please go back and start again.", session
            )
        return self._form(200, session, Form(), None, None)

    def _form(
        self, status: int, session: Object, form: Form, problem: str | None, field: str | None
    ) -> Response:
        item = session["_line_items"][0]
        recurring = item["price"]["recurring"]
        fixed = checkout.fixed_email(self._account, session)
        return self._page(
            "pay.html",
            status,
            session,
            form=form,
            problem=problem,
            field=field,
            fixed_email=fixed,
            items=session["_line_items"],
            total=currencies.shown(session["amount_total"], session["currency"]),
            every=frame.every(recurring) if recurring else None,
            button=_button(session),
            action=f"/pay/{session['id']}",
            cancel_url=session["cancel_url"],
            methods=session["payment_method_types"],
            message=(session["custom_text"]["submit"] or {}).get("message"),
        )

    # 3-D Secure

    def _show_bank(self, session: Object) -> Response:
        if session["status"] != "open":
            return self._show(session)
        intent = self._account.store.get(session["_intent"] or "")
        if intent is None or intent["status"] != "requires_action":
            return see(f"{self._account.settings.public_url}/pay/{session['id']}")
        total = currencies.shown(session["amount_total"], session["currency"])
        return self._page("bank.html", 200, session, total=total, action=f"/pay/{session['id']}/3ds")

    def _answer_bank(self, request: Request, session: Object) -> Response:
        said = request.form.get("outcome", "")
        if said not in {"approve", "fail"}:
            return self._show_bank(session)
        with self._account.store.transaction():
            session = self._account.get("checkout.session", session["id"])
            outcome = checkout.authenticate(self._account, session, approved=said == "approve")
        payer = session["_payer"] or {"email": "", "name": ""}
        return self._after(session, outcome, Form(email=payer["email"], name=payer["name"]))

    def _recover(self, session: Object, path: str) -> Response:
        recovery = (session["after_expiration"] or {}).get("recovery") or {}
        url = recovery.get("url") or ""
        if not url.endswith(path) or self._account.now() >= recovery["expires_at"]:
            return self._sentence(
                410, "This link has expired", "Nothing was paid. Please start again.", session
            )
        with self._account.store.transaction():
            new = sessions.recover(self._account, session)
        return see(new["url"])

    # answering

    def _sentence(self, status: int, title: str, sentence: str, session: Object | None = None) -> Response:
        back = session["cancel_url"] if session else None
        return self._page("sentence.html", status, session, title=title, sentence=sentence, back=back)

    def _page(self, template: str, status: int, session: Object | None, **values: object) -> Response:
        shop = _shop(session) or self._account.settings.name
        onward = [session["success_url"]] if session else []
        return frame.page(template, status, shop=shop, onward=onward, **values)


def _shop(session: Object | None) -> str:
    """Whom the payer knows: "Gift to Highland Dispatch" is sold by Highland Dispatch."""
    items = session["_line_items"] if session else []
    return str(items[0]["description"]).removeprefix("Gift to ") if items else ""


def _success_url(session: Object) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _said(decline: Decline) -> str:
    return decline.message


def _button(session: Object) -> str:
    words = {"donate": "Donate", "book": "Book", "subscribe": "Subscribe"}
    plain = "Subscribe" if session["mode"] == "subscription" else "Pay"
    total = currencies.shown(session["amount_total"], session["currency"])
    return f"{words.get(session['submit_type'], plain)} {total}"
