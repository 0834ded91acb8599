"""Who may enter, and what every answer says about itself: one guard per audience, deny by default.

A blueprint without a guard answers 404. A guard says whether its pages stand in every language, whether they may
carry a cookie, how they may be kept, and how large a request may be. Headers follow from it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask, Request, Response, abort, current_app, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin

from membership.config import Settings
from membership.db import writing
from membership.web import locales, pagecache, squeeze
from membership.web.style import Stylesheet

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

FORM_BYTES = 64 * 1024
HOOK_BYTES = 1024 * 1024
DEMO_MODES = ("demo", "test")
NOT_FRAMED = ("Content-Security-Policy", "Cross-Origin-Opener-Policy")
SHARED_SECOND = "public, max-age=1, stale-while-revalidate=30"


@dataclass(frozen=True, slots=True)
class Guard:
    """What holds for all pages of one audience."""

    cache: str
    localised: bool = True
    cookies: bool = False
    most_bytes: int = FORM_BYTES
    demo_only: bool = False
    framed: bool = False
    """Whether other sites may frame it; such a page brings a policy of its own."""
    needs: str = ""
    """The kind of session without which nobody enters: member or staff."""


GUARDS = {
    "readers": Guard(SHARED_SECOND),  # the same for everybody
    "givers": Guard("private, no-cache", cookies=True),  # a form with tokens; Back finds what was typed
    "givers-own": Guard("no-store", cookies=True),  # what only the browser that gave may see
    "leavers": Guard("no-store", cookies=True),  # addresses that hold a token
    "signers": Guard("no-store", cookies=True),  # on their way in
    "members": Guard("no-store", cookies=True, needs="member"),
    "staff": Guard("no-store", cookies=True, needs="staff"),
    "embeds": Guard("public, max-age=60, stale-while-revalidate=600", framed=True),
    "demo-readers": Guard(SHARED_SECOND, demo_only=True),
    "demo": Guard("no-store", demo_only=True),
    "assets": Guard("public, max-age=31536000, immutable", localised=False),
    "machines": Guard("no-store", localised=False),
    "hooks": Guard("no-store", localised=False, most_bytes=HOOK_BYTES),
}
NOBODY = Guard("no-store")  # addresses that lead nowhere


class Session(SecureCookieSessionInterface):
    """Signed cookies, and none at all on pages that are the same for everybody."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Whoever brings no cookie at all costs no key: Stripe, and most readers of a shared page."""
        return (
            super().open_session(app, request) if "HTTP_COOKIE" in request.environ else self.session_class()
        )

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Cookie-free pages get neither a cookie nor `Vary: Cookie`, whatever has looked at the session.

        Private pages lose `Vary: Cookie` too: no shared cache keeps them, and in the browser's own it would throw
        the form away when the gift changes the cookie, so that Back showed another form with another attempt.
        """
        here = guard()
        if here.cookies:
            super().save_session(app, session, response)
            if here.cache.startswith("private"):
                response.vary.discard("cookie")  # werkzeug removes by the small name


class Writing:
    """WSGI: whoever posts is going to write, so SQLite takes its lock at once instead of failing later."""

    def __init__(self, app: "WSGIApplication") -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return self.app(environ, start_response)
        with writing():
            return self.app(environ, start_response)


def guard() -> Guard:
    """The guard of the page that was asked for."""
    posted: dict[str, Guard] = current_app.extensions["pressfund.guards"]
    return posted.get(request.blueprint or "", NOBODY)


def admit() -> None:
    """Before every request: is there a guard, is the language served here, is the body small enough?"""
    if not request.path.isprintable() or b"%00" in request.query_string:
        abort(404)  # PostgreSQL, for one, cannot even look for a NUL
    if request.endpoint is None:
        return  # the router's own 404 or 405
    posted: dict[str, Guard] = current_app.extensions["pressfund.guards"]
    here = posted.get(request.blueprint or "")
    if here is None or (not here.localised and locales.LOCALE in request.environ):
        abort(404)
    if here.demo_only and current_app.config["SETTINGS"].mode not in DEMO_MODES:
        abort(404)
    if request.method not in ("GET", "HEAD"):
        request.max_content_length = here.most_bytes
        if (request.content_length or 0) > here.most_bytes:
            abort(413)
        if here.cookies:
            told = (
                request.form
            )  # all of it is here before a transaction begins: a slow sender holds up nobody
            if here.needs and any("\0" in value for value in told.values()):
                abort(400)  # the account and the desk look for what a form names


def dress(response: Response) -> Response:
    """After every request: the headers of this audience."""
    here = guard()
    headers = response.headers
    usual = current_app.extensions["pressfund.headers"]
    is_framed = here.framed and "Content-Security-Policy" in headers
    headers.extend([pair for pair in usual if not is_framed or pair[0] not in NOT_FRAMED])
    if "Cache-Control" not in headers:
        headers["Cache-Control"] = here.cache if response.status_code < 400 else "no-store"
    if here.cache.startswith("public") and response.status_code == 200:
        request.environ[pagecache.SHARED] = True
    else:
        squeeze.squeeze(response)
    return response


def payment_origins(settings: Settings) -> tuple[str, ...]:
    """The only places where a reader is sent to pay. The pretend Stripe counts where it may exist."""
    real = ("https://checkout.stripe.com", "https://billing.stripe.com")
    if settings.stripe_api_base and settings.mode in DEMO_MODES:
        parts = urlsplit(settings.stripe_api_base)
        return (*real, f"{parts.scheme}://{parts.netloc}")
    return real


def is_payment_page(url: str, settings: Settings) -> bool:
    """Whether this address is one of theirs: nobody is redirected anywhere else."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" in payment_origins(settings)


def headers_of(settings: Settings, stylesheet: Stylesheet) -> list[tuple[str, str]]:
    """What every answer carries."""
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self' {stylesheet.allowed}; img-src 'self' data:; "
        f"connect-src 'self'; form-action 'self' {' '.join(payment_origins(settings))}; "
        "base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
    )
    headers = [
        ("Content-Security-Policy", policy),
        ("Referrer-Policy", "same-origin"),
        ("X-Content-Type-Options", "nosniff"),
        ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
    ]
    if settings.is_https:
        headers.append(("Strict-Transport-Security", "max-age=31536000"))
    return headers


def cookies_of(settings: Settings) -> dict[str, Any]:
    """`__Host-` and Secure only where readers come over https: plain http clients never send such cookies back."""
    return {
        "SESSION_COOKIE_NAME": "__Host-session" if settings.is_https else "session",
        "SESSION_COOKIE_SECURE": settings.is_https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_PATH": "/",
    }


def network_of(asked: Request) -> str:
    """The neighbourhood an address belongs to: /24, or /64 for IPv6."""
    from ipaddress import ip_address, ip_network

    try:
        address = ip_address(asked.remote_addr or "")
    except ValueError:
        return "unknown"
    return str(ip_network(f"{address}/{24 if address.version == 4 else 64}", strict=False))
