"""What everybody sees is drawn once a second at most, however many ask.

A WSGI middleware in front of the app. It keeps pages that a cookie-free view made (status 200, marked in the
environment by `guards`), plain and gzipped, and answers again without entering Flask. Query strings mean nothing
on these pages, so they are not part of the key; only `?currency=` with a currency of ours does. Views ask
`currency_asked` for it, never the query itself, so no page can be kept under a wrong key. When a page is a second
old, one visitor waits for a fresh one and the others still get the old. The seconds are of the process, not of the
calendar: nothing here is a date.
"""

import gzip
import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

SHARED = "pressfund.shared"  # set by guards on pages that are the same for everybody
CURRENCY = "pressfund.currency"  # set here: the one that the address names, if it is one of ours
MOST_PAGES = 512
LARGEST = 256 * 1024
OF_THE_BODY = ("vary", "content-length", "etag", "content-encoding")

Headers = list[tuple[str, str]]
Key = tuple[str, str, str]


@dataclass(slots=True)
class Form:
    """One way the page can leave: plain or gzipped, ready to send."""

    body: bytes
    etag: str
    headers: Headers


@dataclass(slots=True)
class Page:
    """A page and until when it counts as fresh."""

    plain: Form
    squeezed: Form
    until: float


@dataclass(slots=True)
class _Caught:
    """What the app answered."""

    status: str = ""
    headers: Headers = field(default_factory=list)

    def start(self, status: str, headers: Headers, exc_info: Any = None) -> Any:
        if exc_info:
            raise exc_info[1].with_traceback(exc_info[2])
        self.status, self.headers = status, headers
        return _no_write


def _no_write(_data: bytes) -> None:
    raise RuntimeError("write() is not served here")


class PageCache:
    """WSGI: shared pages from memory, everything else from the app."""

    def __init__(self, app: "WSGIApplication", seconds: float, currencies: Iterable[str] = ()) -> None:
        self.app = app
        self.seconds = seconds
        self.queries = {f"currency={code}": code for code in currencies}
        self.pages: dict[Key, Page] = {}

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        if method not in ("GET", "HEAD"):
            return self.app(environ, start_response)
        currency = environ[CURRENCY] = self.queries.get(environ.get("QUERY_STRING", ""), "")
        key = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", ""), currency
        page = self.pages.get(key)
        if page is not None:
            now = time.monotonic()
            if now < page.until:
                return _answer(page, environ, start_response)
            page.until = (
                now + self.seconds
            )  # this visitor fetches a fresh one; the next ones get the old meanwhile
        return self._ask(key, environ, start_response)

    def clear(self) -> None:
        """Forget every page."""
        self.pages.clear()

    def _ask(self, key: Key, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        head = environ["REQUEST_METHOD"] == "HEAD"
        environ["REQUEST_METHOD"] = "GET"  # a page is drawn whole, whoever asks first
        caught = _Caught()
        answer = self.app(environ, caught.start)
        environ["REQUEST_METHOD"] = "HEAD" if head else "GET"
        if not environ.get(SHARED) or not _may_be_kept(caught):
            self.pages.pop(key, None)
            start_response(caught.status, caught.headers)
            return _nothing_of(answer) if head else answer
        page = _page(_joined(answer), caught.headers, time.monotonic() + self.seconds)
        if self.seconds and len(page.plain.body) <= LARGEST:
            self._keep(key, page)
        return _answer(page, environ, start_response)

    def _keep(self, key: Key, page: Page) -> None:
        while len(self.pages) >= MOST_PAGES and key not in self.pages:
            self.pages.pop(next(iter(self.pages)), None)
        self.pages[key] = page


def currency_asked(environ: Mapping[str, Any]) -> str:
    """The currency in this page's address; empty when it names none of ours, or more than a currency."""
    return str(environ.get(CURRENCY, ""))


def _may_be_kept(caught: _Caught) -> bool:
    return caught.status.startswith("200") and all(name.lower() != "set-cookie" for name, _ in caught.headers)


def _nothing_of(answer: Iterable[bytes]) -> Iterable[bytes]:
    _joined(answer)
    return []


def _joined(answer: Iterable[bytes]) -> bytes:
    try:
        return b"".join(answer)
    finally:
        close = getattr(answer, "close", None)
        if close:
            close()


def _page(body: bytes, headers: Headers, until: float) -> Page:
    kept = [(n, v) for n, v in headers if n.lower() not in OF_THE_BODY]
    kept.append(("Vary", "Accept-Encoding"))
    name = hashlib.sha256(body).hexdigest()[:20]
    squeezed = gzip.compress(body, 9, mtime=0)
    return Page(_form(body, f'"{name}"', kept, None), _form(squeezed, f'"{name}-gz"', kept, "gzip"), until)


def _form(body: bytes, etag: str, headers: Headers, encoding: str | None) -> Form:
    own = [*headers, ("ETag", etag), ("Content-Length", str(len(body)))]
    if encoding:
        own.append(("Content-Encoding", encoding))
    return Form(body, etag, own)


@lru_cache(maxsize=64)
def takes_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header takes gzip; browsers send few different ones."""
    accepted = parse_accept_header(header, Accept)
    return accepted["gzip"] > 0


def _answer(page: Page, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
    form = page.squeezed if takes_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")) else page.plain
    known = environ.get("HTTP_IF_NONE_MATCH")
    if known and (form.etag in known or known.strip() == "*"):
        start_response("304 Not Modified", [h for h in form.headers if not h[0].startswith("Content-")])
        return []
    start_response("200 OK", form.headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [form.body]
