"""Stripe's test cards and IBANs, and what each of them does.

Any other number is refused, so that nobody's real card is ever typed into a pretend page and accepted.
"""

import re
from dataclasses import dataclass

from membership.sandbox.errors import CardDeclined


@dataclass(frozen=True)
class Decline:
    code: str
    decline_code: str | None
    message: str


def _declined(decline_code: str, message: str = "Your card was declined.") -> Decline:
    return Decline("card_declined", decline_code, message)


AUTHENTICATION_FAILED = Decline(
    "payment_intent_authentication_failure",
    None,
    "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
)
AUTHENTICATION_NEEDED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
NO_MEANS = Decline("missing", None, "This customer has no attached payment source or default payment method.")


@dataclass(frozen=True)
class Card:
    number: str
    brand: str = "visa"
    country: str = "US"
    decline: Decline | None = None
    attaches: bool = False  # may be kept for a customer, although every charge is declined
    authenticate: str = "never"  # never | unless_kept (once it is set up, later charges pass) | always
    dispute: str | None = None  # a dispute's reason, "inquiry" or "early_fraud_warning"
    refund: str = "succeeds"  # succeeds | pending | fails_later
    blocked: str | None = None  # Radar's word when the charge never reaches the bank

    @property
    def last4(self) -> str:
        return self.number[-4:]


@dataclass(frozen=True)
class Account:
    """A SEPA account; `outcome` succeed | fail | slow | disputed."""

    iban: str
    outcome: str

    @property
    def last4(self) -> str:
        return self.iban[-4:]


_CARDS = {
    card.number: card
    for card in (
        Card("4242424242424242"),
        Card("5555555555554444", brand="mastercard"),
        Card("378282246310005", brand="amex"),
        Card("4000000000000341", decline=_declined("generic_decline"), attaches=True),
        Card("4000002500003155", country="IE", authenticate="unless_kept"),
        Card("4000002760003184", country="DE", authenticate="always"),
        Card("4000008400001629", authenticate="always", decline=_declined("generic_decline")),
        Card("4000000000000002", decline=_declined("generic_decline")),
        Card(
            "4000000000009995", decline=_declined("insufficient_funds", "Your card has insufficient funds.")
        ),
        Card("4000000000009987", decline=_declined("lost_card")),
        Card("4000000000009979", decline=_declined("stolen_card")),
        Card("4000000000000069", decline=Decline("expired_card", "expired_card", "Your card has expired.")),
        Card(
            "4000000000000127",
            decline=Decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect."),
        ),
        Card(
            "4000000000000119",
            decline=Decline(
                "processing_error",
                "processing_error",
                "An error occurred while processing your card. Try again in a little bit.",
            ),
        ),
        Card(
            "4000000000006975",
            decline=_declined(
                "card_velocity_exceeded",
                "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
            ),
        ),
        Card("4000000000000259", dispute="fraudulent"),
        Card("4000000000002685", dispute="product_not_received"),
        Card("4000000000001976", dispute="inquiry"),
        Card("4000000000005423", dispute="early_fraud_warning"),
        Card("4000000000007726", refund="pending"),
        Card("4000000000005126", refund="fails_later"),
        Card("4100000000000019", decline=_declined("fraudulent"), blocked="highest_risk_level"),
        Card("4000000000004954", decline=_declined("fraudulent"), blocked="highest_risk_level"),
    )
}

_ACCOUNTS = {
    account.iban: account
    for account in (
        Account("AT611904300234573201", "succeed"),
        Account("AT861904300235473202", "fail"),
        Account("AT321904300235473204", "slow"),
        Account("AT591904300235473203", "disputed"),
    )
}


def _luhn_holds(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def card_of(typed: str) -> Card:
    digits = re.sub(r"[ -]", "", typed)
    if not re.fullmatch(r"[0-9]{12,19}", digits) or not _luhn_holds(digits):
        raise CardDeclined("incorrect_number", "Your card number is incorrect.")
    card = _CARDS.get(digits)
    if card is None:
        raise CardDeclined(
            "card_declined",
            "Your card was declined. Your request was in test mode, but used a non test card.",
            decline_code="test_mode_live_card",
        )
    return card


def account_of(typed: str) -> Account:
    iban = re.sub(r"\s", "", typed).upper()
    account = _ACCOUNTS.get(iban)
    if account is None:
        raise CardDeclined(
            "invalid_bank_account_iban", "The IBAN you provided is not one of Stripe's test accounts."
        )
    return account


def by_number(number: str) -> Card | Account:
    return _CARDS.get(number) or _ACCOUNTS[number]
