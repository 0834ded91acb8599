"""Refusals, each a sentence for a human. Web turns them into pages, commands into a line on stderr.

A sentence is an English message id; `%(name)s` places are filled from `values` after translation.
"""


def N_(sentence: str) -> str:  # noqa: N802 - the name gettext tools look for
    """Mark a sentence for the message catalogues; it is translated where it is shown."""
    return sentence


class DomainError(Exception):
    """A rule said no. `str(error)` is the English sentence with its values."""

    def __init__(self, sentence: str, *, field: str | None = None, **values: object) -> None:
        super().__init__(sentence % values if values else sentence)
        self.sentence = sentence
        self.field = field
        self.values = values


class NotFound(DomainError):
    """There is no such thing, or none that this person may know of."""


class NotAllowed(DomainError):
    """The person who acts may not do this."""


class Conflict(DomainError):
    """The thing is in a state that does not allow this, or somebody was faster."""


class Invalid(DomainError):
    """What was said cannot be taken; `field` names the form field it belongs to, where there is one."""
