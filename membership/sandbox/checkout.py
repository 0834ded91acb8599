"""What happens when the payer presses the button on a hosted page.

Customer, subscription and invoice come into being only after the payment went through; a failed try leaves
the session open, so that another card may be tried.
"""

import re
from dataclasses import dataclass

from membership.sandbox import (
    card_fields,
    collecting,
    customers,
    payment_methods,
    payments,
    session_shape,
    sessions,
    subscriptions,
)
from membership.sandbox.account import Account, step
from membership.sandbox.card_fields import FormProblem
from membership.sandbox.cards import Card, Decline, account_of, card_of
from membership.sandbox.parameters import EMAIL
from membership.sandbox.store import Object


@dataclass(frozen=True)
class Form:
    """The payer's page as it was sent; names are kept exactly as typed."""

    email: str = ""
    name: str = ""
    card_number: str = ""
    exp: str = ""
    cvc: str = ""
    iban: str = ""


@dataclass(frozen=True)
class Outcome:
    """paid | authenticate | declined | closed, and why it was declined."""

    state: str
    decline: Decline | None = None


def fixed_email(account: Account, session: Object) -> str | None:
    """The address the payer cannot change, if there is one."""
    if session["customer_email"]:
        return str(session["customer_email"])
    if session["customer"]:
        return account.get("customer", session["customer"]).get("email")
    return None


def pay(account: Account, session: Object, form: Form) -> Outcome:
    if session["status"] == "open" and (
        account.now() >= session["expires_at"] or _payer_is_gone(account, session)
    ):
        sessions.close(account, session)
    if session["status"] != "open":
        return Outcome("closed")
    email = fixed_email(account, session) or form.email.strip()
    expires = _check(account, form, email, session)
    means = account_of(form.iban) if form.iban.strip() else card_of(form.card_number)
    method = payment_methods.make(account, means, email=email, name=form.name, expires=expires)
    account.change(session, None, _payer={"email": email, "name": form.name})
    intent = _intent(account, session)
    if isinstance(means, Card) and means.authenticate != "never":
        url = f"{account.settings.public_url}/pay/{session['id']}/3ds"
        payments.ask_authentication(account, intent, method, url)
        return Outcome("authenticate")
    return _take(account, session, intent, method)


def _payer_is_gone(account: Account, session: Object) -> bool:
    """Whether the session's customer was deleted while its page stood open."""
    return bool(session["customer"]) and "deleted" in account.get("customer", session["customer"])


def authenticate(account: Account, session: Object, *, approved: bool) -> Outcome:
    """The payer's bank has answered."""
    if session["status"] != "open" or not session["_intent"] or _payer_is_gone(account, session):
        return Outcome("closed")
    intent = account.get("payment_intent", session["_intent"])
    if intent["status"] != "requires_action":
        return Outcome("closed")
    if not approved:
        payments.fail_authentication(account, intent)
        error = intent["last_payment_error"]
        return Outcome("declined", Decline(error["code"], None, error["message"]))
    method = account.get("payment_method", intent["payment_method"])
    return _take(account, session, intent, method, authenticated=True)


def _check(account: Account, form: Form, email: str, session: Object) -> tuple[int, int] | None:
    if not re.fullmatch(EMAIL.pattern or "", email) or len(email) > 512:
        raise FormProblem("email", "Your email is incomplete.")
    if not form.name.strip():
        raise FormProblem("name", "Please provide your name.")
    if form.iban.strip():
        if "sepa_debit" not in session["payment_method_types"]:
            raise FormProblem("iban", "Bank debits are not offered here.")
        return None
    if "card" not in session["payment_method_types"]:
        raise FormProblem("card_number", "Cards are not offered here.")
    return card_fields.check(account, form.card_number, form.exp, form.cvc)


def _intent(account: Account, session: Object) -> Object:
    """The session's one PaymentIntent; failed tries stay on it."""
    if session["_intent"]:
        return account.get("payment_intent", session["_intent"])
    recurring = session["mode"] == "subscription"
    data = {"description": "Subscription creation"} if recurring else dict(session["_intent_data"])
    if recurring:
        data["statement_descriptor"] = subscriptions.descriptor_of(
            account, session["_line_items"][0]["price"]
        )
    intent = payments.intend(
        account,
        amount=session["amount_total"],
        currency=session["currency"],
        method_types=session["payment_method_types"],
        data={**data, "customer": session["customer"], "_session": session["id"]},
        keep=recurring,
    )
    # a subscription's session never shows its PaymentIntent
    account.change(session, None, _intent=intent["id"], payment_intent=None if recurring else intent["id"])
    return intent


def _take(
    account: Account, session: Object, intent: Object, method: Object, *, authenticated: bool = False
) -> Outcome:
    means = payment_methods.means_of(method)
    refused = isinstance(means, Card) and means.decline is not None
    if not refused:
        customer = _customer(account, session)
        if customer:
            keep = session["mode"] == "subscription" or intent["setup_future_usage"]
            if keep:
                payment_methods.attach(account, method, customer)
            account.change(intent, None, customer=customer)
    decline = payments.charge(account, intent, method, authenticated=authenticated)
    if decline:
        return Outcome("declined", decline)
    _complete(account, session, intent, method)
    return Outcome("paid")


def _customer(account: Account, session: Object) -> str | None:
    """The customer of a payment that is going through: the given one, a new one, or none for a guest."""
    payer = session["_payer"]
    if session["customer"]:
        customer = account.get("customer", session["customer"])
        values = {"name": payer["name"]} if session["_customer_update"].get("name") == "auto" else {}
        if not customer["email"]:
            values["email"] = payer["email"]
        if values:
            account.change(customer, "customer.updated", **values)
        return str(session["customer"])
    if session["customer_creation"] != "always":
        return None
    locale = session["locale"]
    locales = [locale] if locale and locale != "auto" else []
    made = customers.make(account, email=payer["email"], name=payer["name"], preferred_locales=locales)
    return str(made["id"])


def _complete(account: Account, session: Object, intent: Object, method: Object) -> None:
    payer = session["_payer"]
    values: Object = {
        "status": "complete",
        "payment_status": "paid" if intent["status"] == "succeeded" else "unpaid",
        "url": None,
        "customer": intent["customer"],
        "customer_details": session_shape.details(
            payer["email"], payer["name"], method["billing_details"]["address"]["country"]
        ),
    }
    if session["mode"] == "subscription":
        begun = subscriptions.begin(account, session, intent, method)
        values |= {"subscription": begun["id"], "invoice": begun["latest_invoice"]}
    account.change(session, "checkout.session.completed", **values)


@step("debit")
def debit(account: Account, *, payment_intent: str, outcome: str) -> None:
    """A bank debit succeeds or fails, days later at Stripe, seconds later here."""
    decided = payments.finish_debit(account, payment_intent, outcome)
    if decided is None:
        return
    intent, decline = decided
    if intent["_session"]:
        session = account.get("checkout.session", intent["_session"])
        if decline:
            account.change(session, "checkout.session.async_payment_failed")
        else:
            account.change(session, "checkout.session.async_payment_succeeded", payment_status="paid")
    if intent["_invoice"]:
        collecting.payment_decided(account, intent["_invoice"], decline)
