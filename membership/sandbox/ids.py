"""Ids that look like Stripe's: right prefix, realistic length, never the same twice."""

import secrets
import string

_LETTERS = string.ascii_letters + string.digits

# prefix -> (what follows it at once, how many random characters)
_SHAPES = {
    "cus": ("", 14),
    "prod": ("", 14),
    "si": ("", 14),
    "req": ("", 14),
    "cs_test": ("a1", 56),
    "pi": ("3", 23),
    "ch": ("3", 23),
    "py": ("3", 23),
    "re": ("3", 23),
    "pyr": ("1", 23),
    "txn": ("3", 23),
    "issfr": ("1", 23),
}


def new_id(prefix: str) -> str:
    lead, length = _SHAPES.get(prefix, ("1", 23))
    return f"{prefix}_{lead}{random_text(length)}"


def random_text(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))
