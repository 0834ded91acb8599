"""The three card fields of every hosted page, and what is wrong with them before any bank is asked."""

import re
from datetime import UTC, datetime

from membership.sandbox.account import Account


class FormProblem(ValueError):
    """A field the payer must mend: its name and a sentence."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def check(account: Account, number: str, exp: str, cvc: str) -> tuple[int, int]:
    """The month and year the card expires."""
    if not number.strip():
        raise FormProblem("card_number", "Your card number is incomplete.")
    expires = _expiry(account, exp)
    length = 4 if number.strip().startswith("3") else 3
    if not re.fullmatch(rf"[0-9]{{{length}}}", cvc.strip()):
        raise FormProblem("cvc", "Your card's security code is incomplete.")
    return expires


def _expiry(account: Account, typed: str) -> tuple[int, int]:
    found = re.fullmatch(r"\s*([0-9]{1,2})\s*[/-]?\s*((?:20)?[0-9]{2})\s*", typed)
    if not found or not 1 <= int(found[1]) <= 12:
        raise FormProblem("exp", "Your card's expiration date is incomplete.")
    month, year = int(found[1]), 2000 + int(found[2]) % 100
    today = datetime.fromtimestamp(account.now(), UTC)
    if (year, month) < (today.year, today.month):
        raise FormProblem("exp", "Your card's expiration year is in the past.")
    return month, year
