"""What machines ask for: are we alive, are we ready, what may be crawled, whom to tell about a hole."""

from datetime import timedelta

from flask import Blueprint, Response, current_app

from membership import clock
from membership.db import SchemaBehind, check_schema
from membership.web import locales, view

bp = Blueprint("machines", __name__)

CLOSED_TO_CRAWLERS = ("/thanks/", "/leave", "/assets/")


def _plain(text: str, status: int = 200) -> Response:
    return Response(text, status, mimetype="text/plain")


@bp.get("/healthz")
def healthz() -> Response:
    """The process answers. Asks nothing of anybody."""
    return _plain("ok\n")


@bp.get("/readyz")
def readyz() -> Response:
    """The database answers too, and has the tables of this code."""
    try:
        check_schema()
    except SchemaBehind as behind:
        return _plain(f"not ready: {behind}\n", 503)
    except Exception:  # whatever is wrong, the answer is that we are not ready
        current_app.logger.exception("not ready")
        return _plain("not ready\n", 503)
    return _plain("ready\n")


@bp.get("/robots.txt")
def robots() -> Response:
    """Crawlers may read what everybody reads."""
    lines = [
        "User-agent: *",
        *(
            f"Disallow: {locales.prefix_of(code)}{path}"
            for code in locales.known()
            for path in CLOSED_TO_CRAWLERS
        ),
    ]
    return _plain("\n".join(lines) + "\n")


@bp.get("/.well-known/security.txt")
def security() -> Response:
    """Whom to tell about a hole (RFC 9116)."""
    settings = view.settings()
    expires = (clock.now() + timedelta(days=180)).strftime("%Y-%m-%dT00:00:00Z")
    return _plain(
        f"Contact: mailto:{settings.staff_mail}\n"
        f"Contact: {locales.external('/contact')}\n"
        f"Expires: {expires}\n"
        f"Preferred-Languages: {', '.join(settings.locales)}\n"
        f"Canonical: {locales.external('/.well-known/security.txt')}\n"
    )
