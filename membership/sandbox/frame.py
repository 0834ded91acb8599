"""What all hosted pages are: plain HTML with a content policy of their own, never kept, telling no other site."""

import base64
import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from membership.sandbox import currencies
from membership.sandbox.store import Object

_FOLDER = Path(__file__).parent / "templates"
_TEMPLATES = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
_STYLE = (_FOLDER / "style.css").read_text()
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def day(moment: int) -> str:
    on = datetime.fromtimestamp(moment, UTC)
    return f"{on.day} {on:%B %Y}"


def every(recurring: Object) -> str:
    """How often a price is paid."""
    count, interval = recurring["interval_count"], recurring["interval"]
    return f"every {interval}" if count == 1 else f"every {count} {interval}s"


_TEMPLATES.filters["day"] = day
_TEMPLATES.filters["every"] = every
_TEMPLATES.globals["money"] = currencies.shown


def page(
    template: str, status: int, *, shop: str, onward: Iterable[str | None] = (), **values: object
) -> Response:
    """A page; `onward` are the addresses its forms may lead to in the end."""
    body = _TEMPLATES.get_template(template).render(style=_STYLE, shop=shop, **values)
    response = Response(body, status, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _policy(onward)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _policy(onward: Iterable[str | None]) -> str:
    """Forms go here and on to those addresses: all must be named, or browsers stop the redirect."""
    targets = ["'self'"]
    for url in onward:
        parts = urlsplit(url or "")
        origin = f"{parts.scheme}://{parts.netloc}"
        if url and origin not in targets:
            targets.append(origin)
    return (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; form-action {' '.join(targets)}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


def see(url: str) -> Response:
    response = redirect(url, 303)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return Response.force_type(response)


def nowhere(shop: str) -> Response:
    sentence = "This link leads nowhere. Please go back and try again."
    return page("sentence.html", 404, shop=shop, title="There is nothing here", sentence=sentence, back=None)
