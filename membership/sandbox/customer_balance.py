"""What a customer is owed or owes from before: the balance, and the transactions that moved it.

Below zero it is credit. An invoice that is closed uses it up, one that is voided gives it back; `customers` moves it
by hand.
"""

from membership.sandbox.account import Account
from membership.sandbox.ids import new_id
from membership.sandbox.store import Object

KIND = "customer_balance_transaction"


def move(
    account: Account, customer: Object, amount: int, currency: str, kind: str, **about: object
) -> Object:
    """So much more is owed, or less where it is below zero: the transaction that says so."""
    left = customer["balance"] + amount
    made = {
        "id": new_id("cbtxn"),
        "object": KIND,
        "amount": amount,
        "checkout_session": None,
        "created": account.now(),
        "credit_note": None,
        "currency": currency,
        "customer": customer["id"],
        "customer_account": None,
        "description": None,
        "ending_balance": left,
        "invoice": None,
        "livemode": False,
        "metadata": {},
        "type": kind,
        **about,
    }
    account.add(made)
    account.change(customer, "customer.updated", balance=left, currency=customer.get("currency") or currency)
    return made
