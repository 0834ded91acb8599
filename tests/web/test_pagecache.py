"""The page cache by itself, in front of the smallest app there is."""

import gzip

import pytest
from werkzeug.test import Client

from membership.web.pagecache import LARGEST, MOST_PAGES, SHARED, PageCache


class Drawing:
    """An app that counts how often it is asked."""

    def __init__(self, *, shared=True, status="200 OK", headers=(), body=b"page" * 300):
        self.shared, self.status, self.headers, self.body = shared, status, list(headers), body
        self.asked = 0

    def __call__(self, environ, start_response):
        self.asked += 1
        if self.shared:
            environ[SHARED] = True
        start_response(self.status, [("Content-Type", "text/html"), *self.headers])
        return [self.body, str(self.asked).encode()]


def test_a_second_visitor_costs_nothing():
    drawing = Drawing()
    client = Client(PageCache(drawing, 60))
    assert client.get("/").data == client.get("/?utm_source=x&fbclid=1").data
    assert drawing.asked == 1


def test_addresses_and_languages_are_kept_apart():
    drawing = Drawing()
    client = Client(PageCache(drawing, 60))
    pages = {
        client.get("/a").data,
        client.get("/b").data,
        client.get("/a", environ_overrides={"SCRIPT_NAME": "/ka"}).data,
    }
    assert len(pages) == 3


def test_a_page_grows_old():
    drawing = Drawing()
    cache = PageCache(drawing, 60)
    client = Client(cache)
    client.get("/")
    next(iter(cache.pages.values())).until = 0.0
    assert client.get("/").data.endswith(b"2")
    assert client.get("/").data.endswith(b"2")
    assert drawing.asked == 2


def test_while_one_visitor_fetches_the_others_get_the_old_page():
    cache = PageCache(None, 60)
    inner = []

    def slow(environ, start_response):
        if cache.pages:
            inner.append(Client(cache).get("/").data)
        return Drawing()(environ, start_response)

    cache.app = slow
    client = Client(cache)
    client.get("/")
    next(iter(cache.pages.values())).until = 0.0
    client.get("/")
    assert len(inner) == 1


@pytest.mark.parametrize(
    "drawing",
    [
        Drawing(shared=False),
        Drawing(status="404 NOT FOUND"),
        Drawing(status="302 FOUND"),
        Drawing(headers=[("Set-Cookie", "a=b")]),
        Drawing(body=b"x" * (LARGEST + 1)),
    ],
    ids=["not shared", "404", "302", "a cookie", "too large"],
)
def test_what_is_never_kept(drawing):
    cache = PageCache(drawing, 60)
    client = Client(cache)
    client.get("/")
    client.get("/")
    assert drawing.asked == 2
    assert cache.pages == {}


def test_a_page_that_fails_forgets_the_old_one():
    drawing = Drawing()
    cache = PageCache(drawing, 60)
    client = Client(cache)
    client.get("/")
    next(iter(cache.pages.values())).until = 0.0
    drawing.status = "500 INTERNAL SERVER ERROR"
    assert client.get("/").status_code == 500
    assert cache.pages == {}


def test_posting_passes_by():
    drawing = Drawing()
    client = Client(PageCache(drawing, 60))
    client.get("/")
    client.post("/")
    assert drawing.asked == 2


def test_only_so_many_pages():
    cache = PageCache(Drawing(), 60)
    client = Client(cache)
    for n in range(MOST_PAGES + 10):
        client.get(f"/{n}")
    assert len(cache.pages) == MOST_PAGES
    assert ("", "/0") not in cache.pages


@pytest.mark.parametrize("seconds", [0, 60])
def test_gzip_etag_and_head(seconds):
    client = Client(PageCache(Drawing(), seconds))
    squeezed = client.get("/", headers={"Accept-Encoding": "gzip"})
    assert squeezed.headers["Content-Encoding"] == "gzip"
    assert squeezed.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(squeezed.data).startswith(b"page")
    head = client.head("/")
    assert head.data == b""
    assert int(head.headers["Content-Length"]) == 1201
    assert "Content-Encoding" not in head.headers


def test_each_form_has_its_own_etag():
    client = Client(PageCache(Drawing(), 60))
    plain, squeezed = client.get("/"), client.get("/", headers={"Accept-Encoding": "gzip"})
    assert plain.headers["ETag"] != squeezed.headers["ETag"]
    again = client.get("/", headers={"If-None-Match": plain.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert "Content-Length" not in again.headers
    other = client.get("/", headers={"Accept-Encoding": "gzip", "If-None-Match": plain.headers["ETag"]})
    assert other.status_code == 200


def test_a_head_for_a_private_page_has_no_body():
    assert Client(PageCache(Drawing(shared=False), 60)).head("/").data == b""
