"""What every page owes: headers, a stylesheet its policy allows, little weight, an error page for every refusal."""

import base64
import gzip
import hashlib
import re

import pytest

from membership.db import db
from membership.web import BLUEPRINTS, assets, guards, public, refusals
from tests import make
from tests.web.visitor import FORM, text, tokens

PAGES = (
    "/",
    "/fundraisers/small-newsrooms",
    FORM,
    f"{FORM}?currency=GEL&interval=year",
    "/fundraisers/small-newsrooms/transfer",
    "/join",
    "/join/reader",
    "/imprint",
    "/leave",
    "/leave?sent=yes",
    "/withdraw",
    "/withdraw?sent=yes",
    "/demo/article",
    "/demo/mailbox",
    "/nothing",
)
ROUND_TRIP = 14 * 1024
STORY = " ".join(
    f"Sentence {n} of the story tells what one of {n * 37} readers saw in the valley." for n in range(25)
)


@pytest.fixture(autouse=True)
def _open(app):
    fundraiser = make.fundraiser(partners=5, refused=["BY", "RU"])
    texts = {code: {**words, "story": STORY} for code, words in fundraiser.texts.items()}
    fundraiser.texts = texts
    for position, slug in enumerate(("reader", "friend", "patron"), 1):
        words = {"name": slug.title(), "summary": STORY[:90], "story": STORY[:300]}
        perks = tuple(f"perk-{n}" for n in range(position + 1))
        make.plan(slug, position=position, texts={"en": words, "ka": words}, perks=perks)


def test_every_blueprint_has_a_guard(app):
    guarded = {blueprint.name: guard for blueprint, guard in BLUEPRINTS}
    assert set(app.blueprints) == set(guarded)
    assert set(guarded.values()) <= set(guards.GUARDS)


def test_a_page_without_a_guard_is_not_there(app, client):
    held = app.extensions["pressfund.guards"].pop("public")
    try:
        assert client.get("/join").status_code == 404
    finally:
        app.extensions["pressfund.guards"]["public"] = held


@pytest.mark.parametrize("path", PAGES)
def test_the_policy_allows_the_inlined_stylesheet_and_no_other(client, path):
    answer = client.get(path)
    policy = answer.headers["Content-Security-Policy"]
    styles = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert len(styles) == 1
    digest = base64.b64encode(hashlib.sha256(styles[0].encode()).digest()).decode()
    assert f"style-src 'self' 'sha256-{digest}'" in policy
    assert " style=" not in answer.text
    assert re.search(r"<script(?! src=)", answer.text) is None
    for part in (
        "default-src 'none'",
        "script-src 'self'",
        "base-uri 'none'",
        "object-src 'none'",
        "frame-ancestors 'none'",
    ):
        assert part in policy
    assert (
        "form-action 'self' https://checkout.stripe.com https://billing.stripe.com http://localhost:8001"
        in policy
    )


@pytest.mark.parametrize("path", PAGES)
def test_headers(client, path):
    headers = client.get(path).headers
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert "Strict-Transport-Security" not in headers


@pytest.mark.parametrize("prefix", ["", "/ka"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_into_one_round_trip(app, client, prefix, path):
    answer = client.get(prefix + path, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    page = gzip.decompress(answer.data).decode()
    scripts = re.findall(r'<script src="([^"]+)"', page)
    weight = len(answer.data) + sum(
        len(app.test_client().get(script, headers={"Accept-Encoding": "gzip"}).data) for script in scripts
    )
    assert weight <= ROUND_TRIP, f"{weight} bytes"
    asked = re.findall(r'(?:src|action|href)="(https?://[^"]+)"', page)
    assert {url for url in asked if not url.startswith(make.settings().base_url)} == set()


def test_a_page_with_tokens_is_the_same_gzipped_and_plain(app):
    one, other = app.test_client(), app.test_client()
    squeezed, plain = one.get(FORM, headers={"Accept-Encoding": "gzip"}), other.get(FORM)
    hidden = re.compile(r'name="(?:csrf_token|attempt)" value="[^"]+"')
    assert hidden.sub("", gzip.decompress(squeezed.data).decode()) == hidden.sub("", plain.text)
    assert len(hidden.findall(plain.text)) == 2


def test_tokens_are_never_compressed(client):
    answer = client.get(FORM, headers={"Accept-Encoding": "gzip"})
    token = re.search(r'name="csrf_token" value="([^"]+)"', gzip.decompress(answer.data).decode())[1]
    assert token.encode() in answer.data


def test_a_script_may_be_kept_for_ever_and_an_old_one_is_gone(app, client):
    with app.test_request_context():
        address = assets.address("give.js")
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.mimetype == "text/javascript"
    assert "immutable" in answer.headers["Cache-Control"]
    assert client.get("/assets/000000000000/give.js").status_code == 404
    assert client.get("/assets/000000000000/page.css").status_code == 404


# Refusals


def test_a_page_that_is_not_there(client):
    assert client.get("/ka/nothing").status_code == 404
    assert client.page.get("lang") == "ka"
    assert [a.get("href") for a in client.page.iter("a") if a.get("hreflang")] == ["/"]


def test_a_wrong_way_to_ask(client):
    answer = client.post("/join")
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert client.delete(FORM).status_code == 405


def test_too_much_at_once(client):
    told = tokens(client) | {"message": "x" * 70_000}
    assert client.post(FORM, data=told).status_code == 413
    assert "This is too much to send at once" in text(client)


def test_a_fault_of_ours_needs_no_database(app, client, monkeypatch):
    def broken(*_args):
        raise RuntimeError("the database is gone")

    monkeypatch.setattr(public, "_text", broken)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    assert client.get("/imprint").status_code == 500
    assert "Something went wrong on our side" in text(client)


def test_a_fault_in_the_page_about_faults(app, client, monkeypatch):
    def broken(*_args, **_more):
        raise RuntimeError("no template, no database, nothing")

    monkeypatch.setattr(public, "_text", broken)
    monkeypatch.setattr(refusals, "render_template", broken)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    assert client.get("/imprint").status_code == 500
    assert "Something went wrong on our side" in "".join(client.page.itertext())


@pytest.mark.parametrize("code", [400, 403, 404, 405, 409, 413, 418, 422, 429, 500, 502, 503])
def test_every_refusal_has_words(app, code):
    with app.test_request_context("/"):
        answer = refusals.page(code)
    assert answer.status_code == code
    assert "<h1>" in answer.get_data(as_text=True)


# Machines


def test_alive_and_ready(client):
    assert (client.get("/healthz").text, client.get("/readyz").text) == ("ok\n", "ready\n")


def test_not_ready_before_the_tables_are_there(apps, database):
    app = apps.on(apps.databases.empty(database))
    browser = app.test_client()
    assert browser.get("/readyz").status_code == 503
    assert browser.get("/healthz").status_code == 200
    with app.app_context():
        db.engine.dispose()


def test_crawlers_and_finders_of_holes(client):
    robots = client.get("/robots.txt")
    assert robots.mimetype == "text/plain"
    assert "Disallow: /thanks/" in robots.text
    assert "Disallow: /ka/leave" in robots.text
    security = client.get("/.well-known/security.txt").text
    assert "Contact: mailto:" in security
    assert re.search(r"^Expires: \d{4}-\d\d-\d\dT00:00:00Z$", security, re.MULTILINE)


# Other settings


@pytest.mark.settings(BASE_URL="https://give.example.org")
def test_over_https_cookies_are_for_this_host_alone(client):
    answer = client.get(FORM)
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=")
    for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_over_http_the_cookie_comes_back(client):
    cookie = client.get(FORM).headers["Set-Cookie"]
    assert cookie.startswith("session=")
    assert "Secure" not in cookie
    assert "HttpOnly" in cookie


@pytest.mark.settings(TRUSTED_PROXIES="1")
def test_behind_a_proxy_its_word_counts_once(app, client, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "membership.web.machines._plain", lambda *_a: seen.append(guards.request.remote_addr) or ""
    )
    client.get("/healthz", headers={"X-Forwarded-For": "198.51.100.9, 203.0.113.7"})
    assert seen == ["203.0.113.7"]
