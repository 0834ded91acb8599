"""The language of a page stands in its address: `/...` in the first locale, `/ka/...` in the others.

A middleware moves the prefix from PATH_INFO to SCRIPT_NAME, so every `url_for` keeps the reader's language.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from babel import Locale
from flask import current_app, has_request_context, request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

LOCALE = "pressfund.locale"
ROOT = "pressfund.root"


class LocalePrefix:
    """WSGI: `/ka/give` becomes `/give` in Georgian; `/ka` goes to `/ka/`."""

    def __init__(self, app: "WSGIApplication", locales: Iterable[str]) -> None:
        self.app = app
        self.others = frozenset(list(locales)[1:])

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        root = environ[ROOT] = environ.get("SCRIPT_NAME", "")
        first, slash, rest = environ.get("PATH_INFO", "")[1:].partition("/")
        if first in self.others:
            if not slash:
                start_response(
                    "308 Permanent Redirect", [("Location", f"{root}/{first}/"), ("Content-Length", "0")]
                )
                return [b""]
            environ[LOCALE] = first
            environ["SCRIPT_NAME"] = f"{root}/{first}"
            environ["PATH_INFO"] = f"/{rest}"
        return self.app(environ, start_response)


@dataclass(frozen=True, slots=True)
class Tongue:
    """This page in one of our languages: `path` for a link, `url` in full."""

    code: str
    name: str
    path: str
    url: str
    is_here: bool


def known() -> tuple[str, ...]:
    """Our locales; the first one has no prefix."""
    locales: tuple[str, ...] = current_app.config["SETTINGS"].locales
    return locales


def chosen() -> str | None:
    """The locale that the address names; None outside a request."""
    if not has_request_context():
        return None
    return request.environ.get(LOCALE) or known()[0]


def locale() -> str:
    """The locale of the page being made."""
    return chosen() or known()[0]


@cache
def name_of(code: str) -> str:
    """A language in its own words."""
    name = Locale.parse(code).get_display_name() or code
    return name[0].upper() + name[1:] if name[0].isascii() else name


def prefix_of(code: str) -> str:
    """What stands before an address in this locale."""
    return "" if code == known()[0] else f"/{code}"


def tongues(query: str = "") -> list[Tongue]:
    """This page in each of our languages; an act's page is the one it stands on, where there is none the front page.

    `query` ("?currency=GEL") is carried along by the links. It must be of our own making: pages are shared.
    """
    here, base = locale(), current_app.config["SETTINGS"].base_url.rstrip("/")
    root = request.environ.get(ROOT, "")
    path = quote(_page())
    return [
        Tongue(
            code,
            name_of(code),
            f"{root}{prefix_of(code)}{path}{query}",
            f"{base}{prefix_of(code)}{path}",
            code == here,
        )
        for code in known()
    ]


def _page() -> str:
    """The address that shows this page again: what only takes a form belongs to the page above it."""
    rule = request.url_rule
    if rule is None:
        return "/"
    above = request.path.rpartition("/")[0] or "/"
    return request.path if "GET" in (rule.methods or ()) else above


def external(path: str) -> str:
    """A path of ours in full. The host comes from the settings, never from the request."""
    base: str = current_app.config["SETTINGS"].base_url
    return base.rstrip("/") + path
