"""The short code of a person, for the telephone and the desk: P-7K2M9Q. Only staff see it.

It is the row's number, scattered: neighbours look nothing alike, so a slip of the tongue seldom hits somebody else.
Its letters leave out 0, O, 1 and I. It opens nothing: addresses that work without a sign-in carry the reference.
"""

import re

LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_ALL = 32**6
_FACTOR = 387_420_489  # odd, so it can be undone among the powers of two
_BACK = pow(_FACTOR, -1, _ALL)
_SHIFT = 515_377_520
_SHAPE = re.compile(rf"(?:P-?)?([{LETTERS}]{{6}})", re.IGNORECASE)


def code_of(person_id: int) -> str:
    """The code of this row."""
    number, letters = (person_id * _FACTOR + _SHIFT) % _ALL, ""
    for _ in range(6):
        number, place = divmod(number, 32)
        letters = LETTERS[place] + letters
    return f"P-{letters}"


def id_of(code: str) -> int | None:
    """The row that a code speaks of, if it has the shape of one."""
    found = _SHAPE.fullmatch(code.strip())
    if found is None:
        return None
    number = 0
    for letter in found[1].upper():
        number = number * 32 + LETTERS.index(letter)
    return (number - _SHIFT) * _BACK % _ALL
