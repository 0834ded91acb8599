"""SetupIntents: a card made ready for later without taking money, asked of its bank where the bank wants that.

Only hosted pages make them; a card that is refused is attached to nobody.
"""

from membership.sandbox import payment_methods, shapes
from membership.sandbox.account import Account
from membership.sandbox.cards import AUTHENTICATION_FAILED, Card, Decline
from membership.sandbox.ids import new_id, random_text
from membership.sandbox.listing import Page, listed, matching, pages
from membership.sandbox.parameters import ID
from membership.sandbox.store import Object

LIST = pages(customer=ID, payment_method=ID)
_FAILED = Decline("setup_intent_authentication_failure", None, AUTHENTICATION_FAILED.message)

# what every new SetupIntent has in common
_NEW: Object = {
    "object": "setup_intent",
    "application": None,
    "automatic_payment_methods": None,
    "cancellation_reason": None,
    "customer_account": None,
    "description": None,
    "excluded_payment_method_types": None,
    "flow_directions": None,
    "last_setup_error": None,
    "latest_attempt": None,
    "livemode": False,
    "mandate": None,
    "metadata": {},
    "next_action": None,
    "on_behalf_of": None,
    "payment_method": None,
    "payment_method_configuration_details": None,
    "payment_method_options": {
        "card": {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
    },
    "payment_method_types": ["card"],
    "single_use_mandate": None,
    "status": "requires_payment_method",
    "usage": "off_session",
}


def intend(account: Account, customer: str) -> Object:
    ident = new_id("seti")
    return account.add(
        shapes.filled(
            _NEW,
            id=ident,
            client_secret=f"{ident}_secret_{random_text(25)}",
            created=account.now(),
            customer=customer,
        ),
        "setup_intent.created",
    )


def confirm(account: Account, intent: Object, method: Object, url: str) -> Decline | None:
    """Sets the method up, or leaves the intent asking the payer's bank at that url; why it was declined, if it was."""
    means = payment_methods.means_of(method)
    if isinstance(means, Card) and means.authenticate != "never":
        action = {"redirect_to_url": {"return_url": None, "url": url}, "type": "redirect_to_url"}
        account.change(
            intent,
            "setup_intent.requires_action",
            status="requires_action",
            payment_method=method["id"],
            next_action=action,
            last_setup_error=None,
        )
        return None
    return _finish(account, intent, method)


def authenticated(account: Account, intent: Object, *, approved: bool) -> Decline | None:
    """The payer's bank has answered."""
    method = account.get("payment_method", intent["payment_method"])
    return _finish(account, intent, method) if approved else _refuse(account, intent, method, _FAILED)


def _finish(account: Account, intent: Object, method: Object) -> Decline | None:
    decline = payment_methods.refusal(method)
    if decline:
        return _refuse(account, intent, method, decline)
    payment_methods.attach(account, method, intent["customer"])
    account.change(
        intent,
        "setup_intent.succeeded",
        status="succeeded",
        payment_method=method["id"],
        next_action=None,
        last_setup_error=None,
    )
    return None


def _refuse(account: Account, intent: Object, method: Object, decline: Decline) -> Decline:
    error: Object = {
        "code": decline.code,
        "doc_url": f"https://docs.stripe.com/error-codes#{decline.code.replace('_', '-')}",
        "message": decline.message,
        "payment_method": shapes.public(method),
        "type": "card_error",
    }
    if decline.decline_code:
        error["decline_code"] = decline.decline_code
    account.change(
        intent,
        "setup_intent.setup_failed",
        status="requires_payment_method",
        payment_method=None,
        next_action=None,
        last_setup_error=error,
    )
    return decline


def retrieve(account: Account, _params: Object, ident: str) -> Object:
    return account.get("setup_intent", ident, "intent")


def catalogue_of(account: Account, params: Object) -> Page:
    wheres = matching(params, customer="customer", payment_method="payment_method")
    return listed(account, "setup_intent", "/v1/setup_intents", params, *wheres)
