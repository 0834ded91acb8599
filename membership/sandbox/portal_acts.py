"""What a customer does in the portal: another card, an end, staying after all, another price, a pause, details.

As at Stripe a new card becomes the customer's default for invoices and nothing else: a subscription with a method
of its own keeps it, and open invoices stay open.
"""

from membership.sandbox import (
    card_fields,
    method_calls,
    pausing,
    payment_methods,
    portal,
    setup_intents,
    subscriptions,
)
from membership.sandbox.account import Account, step
from membership.sandbox.cards import Decline, card_of
from membership.sandbox.clock import period_end
from membership.sandbox.store import Object

DETAILS = ("email", "name", "phone")


def page_of(session: Object) -> str:
    """Where the session's pages live."""
    return f"/portal/{session['id']}_{session['_secret']}"


# the card


def offer_card(account: Account, session: Object, number: str, exp: str, cvc: str) -> Decline | None:
    """Sets a card up for later; its bank may want to be asked first. Why it was declined, if it was."""
    expires = card_fields.check(account, number, exp, cvc)
    means = card_of(number)
    customer = account.get("customer", session["customer"])
    method = payment_methods.make(
        account, means, email=customer["email"], name=customer["name"], expires=expires
    )
    intent = _setup(account, session)
    url = f"{account.settings.public_url}{page_of(session)}/bank"
    decline = setup_intents.confirm(account, intent, method, url)
    _prefer(account, intent)
    return decline


def _setup(account: Account, session: Object) -> Object:
    """The session's one SetupIntent; failed tries stay on it, the next card after a success gets another."""
    intent = account.store.get(session["_setup"] or "")
    if intent is None or intent["status"] == "succeeded":
        intent = setup_intents.intend(account, session["customer"])
        account.change(session, None, _setup=intent["id"])
    return intent


def asked_bank(account: Account, session: Object) -> Object | None:
    """The SetupIntent that waits for the payer's bank, if one does."""
    intent = account.store.get(session["_setup"] or "")
    return intent if intent and intent["status"] == "requires_action" else None


def hear_bank(account: Account, intent: Object, *, approved: bool) -> Decline | None:
    decline = setup_intents.authenticated(account, intent, approved=approved)
    _prefer(account, intent)
    return decline


def _prefer(account: Account, intent: Object) -> None:
    if intent["status"] == "succeeded":
        customer = account.get("customer", intent["customer"])
        method_calls.prefer(account, customer, intent["payment_method"])


# the subscription


def cancel(account: Account, configuration: Object, subscription: Object, said: Object) -> None:
    """At once or with the period. Flexible ones get the moment alone, without the flag, as Stripe's portal does it."""
    if configuration["features"]["subscription_cancel"]["mode"] == "immediately":
        subscriptions.cancel(account, {"cancellation_details": said}, subscription["id"])
        return
    flexible = subscription["billing_mode"]["type"] == "flexible"
    when = {"cancel_at": "max_period_end"} if flexible else {"cancel_at_period_end": True}
    subscriptions.update(account, {**when, "cancellation_details": said}, subscription["id"])


def keep(account: Account, subscription: Object) -> None:
    """Undoes an end that was asked for."""
    unsaid = {"comment": None, "feedback": None}
    asked = {"cancel_at_period_end": False, "cancellation_details": unsaid}
    subscriptions.update(account, asked, subscription["id"])


def change_plan(account: Account, configuration: Object, subscription: Object, price: str) -> None:
    feature = configuration["features"]["subscription_update"]
    portal.check_changeable(subscription)
    item = subscription["items"]["data"][0]
    asked = {
        "items": [{"id": item["id"], "price": price, "quantity": item["quantity"]}],
        "payment_behavior": "error_if_incomplete",
        "proration_behavior": feature["proration_behavior"],
    }
    subscriptions.update(account, asked, subscription["id"])


def pause(account: Account, configuration: Object, subscription: Object, choice: str) -> None:
    """For one of the configuration's times, after which it goes on by itself, or until the member says so."""
    options = configuration["features"]["subscription_pause"]["duration"]["interval_options"]
    pausing.pause(account, {}, subscription["id"])
    if options:
        chosen = options[int(choice)]
        until = period_end(account.now(), chosen["interval"], chosen["interval_count"])
        account.later(until, "portal_resume", subscription=subscription["id"], paused_at=account.now())


@step("portal_resume")
def go_on(account: Account, *, subscription: str, paused_at: int) -> None:
    """The time of a pause is over, if it is still that pause and nobody is coming back from it already."""
    found = account.get("subscription", subscription)
    if found["status"] != "paused" or found["_resumption"]:
        return
    if found["status_details"]["paused"]["transitioned_at"] == paused_at:
        resume(account, found)


def resume(account: Account, subscription: Object) -> None:
    """What is due for coming back is taken at once from the card on file; unpaid, the pause goes on."""
    pausing.resume(account, {"payment_behavior": "resume_on_payment_success"}, subscription["id"])


# the customer


def change_details(account: Account, session: Object, given: dict[str, str]) -> None:
    customer = account.get("customer", session["customer"])
    account.change(customer, "customer.updated", **{name: text or None for name, text in given.items()})
