"""A form on its way to the reader and back: whose it is, when it was shown, and whether somebody really pressed.

Every form carries a CSRF token; one that starts a payment also carries a signed attempt (a random id and the
moment it was shown). The same attempt posted twice is one gift. A missing or stale token, a form sent faster than
a person can, or a filled trap is never refused outright: the form comes back and asks to be pressed again.
"""

import uuid
from dataclasses import dataclass

from flask import current_app, request, session
from flask_wtf.csrf import generate_csrf, validate_csrf
from itsdangerous import BadData, URLSafeSerializer
from markupsafe import Markup
from wtforms import ValidationError

from membership import clock

FASTEST = 2.0  # seconds; nobody fills a form faster
TRAP = "homepage"  # a field that people do not see


@dataclass(frozen=True, slots=True)
class Attempt:
    """One showing of a form: its id, when it was shown, and the signed text that travels."""

    id: str
    shown_at: float
    text: str


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.secret_key), salt="attempt")


def fresh(attempt_id: str | None = None) -> Attempt:
    """A new attempt, or a known one shown again now."""
    known, shown_at = attempt_id or uuid.uuid4().hex, clock.now().timestamp()
    text = _signer().dumps([known, round(shown_at, 1)])
    return Attempt(known, shown_at, text.decode() if isinstance(text, bytes) else text)


def read(text: str) -> Attempt | None:
    """The attempt behind the text; None when it was not signed by us."""
    try:
        known, shown_at = _signer().loads(text)
        return Attempt(str(known), float(shown_at), text)
    except (BadData, ValueError, TypeError):
        return None


def is_pressed(attempt: Attempt | None = None) -> bool:
    """Whether this form was sent from our page by a person, so far as a form can know."""
    if request.headers.get("Sec-Fetch-Site") == "cross-site" or request.form.get(TRAP):
        return False
    if attempt is not None and clock.now().timestamp() - attempt.shown_at < FASTEST:
        return False
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError:
        return False
    return True


def tokens(attempt: Attempt | None = None) -> Markup:
    """The hidden fields that belong to this visitor alone."""
    fields = [("csrf_token", generate_csrf())]
    if attempt is not None:
        fields.append(("attempt", attempt.text))
    return Markup("").join(
        Markup('<input type="hidden" name="{}" value="{}">').format(name, value) for name, value in fields
    )


def browser() -> str:
    """What tells this browser from others, for limits: the secret behind its CSRF tokens."""
    return str(session.get("csrf_token", ""))
