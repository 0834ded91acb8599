"""What everybody sees: the same for all, in every language, with no cookie."""

import re
from datetime import date

import pytest

from membership.domain import fundraisers
from tests import make
from tests.web.visitor import text

SHARED = (
    "/",
    "/fundraisers/small-newsrooms",
    "/join",
    "/imprint",
    "/privacy",
    "/terms",
    "/contact",
    "/demo/article",
)


@pytest.fixture(autouse=True)
def _open(app):
    return make.fundraiser(partners=5)


@pytest.mark.parametrize("prefix", ["", "/ka"])
@pytest.mark.parametrize("path", SHARED)
def test_no_cookie_and_nothing_that_varies_by_one(client, prefix, path):
    client.get("/fundraisers/small-newsrooms/give")  # this browser has a session
    answer = client.get(prefix + path)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert "Cookie" not in answer.headers["Vary"]
    assert "csrf_token" not in answer.text
    assert answer.headers["Cache-Control"] == "public, max-age=1, stale-while-revalidate=30"


@pytest.mark.parametrize("path", SHARED)
def test_an_unchanged_page_is_not_sent_again(client, path):
    first = client.get(path, headers={"Accept-Encoding": "gzip"})
    again = client.get(path, headers={"Accept-Encoding": "gzip", "If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    plain = client.get(path, headers={"If-None-Match": '"another"'})
    assert plain.status_code == 200


def test_the_fundraiser_has_no_form(client):
    client.get("/fundraisers/small-newsrooms")
    assert not list(client.page.iter("form"))


def test_the_first_sum_waits_for_ten_people(client):
    client.get("/fundraisers/small-newsrooms")
    assert "The first sum is published once ten people have given" in text(client)
    assert "Goal: €75,000" in text(client)


def test_a_published_sum_is_said_rounded(client, monkeypatch):
    shown = fundraisers.Progress(make.EUR("48000"), make.EUR("75000"), 64, date(2026, 11, 20), 23)
    monkeypatch.setattr(fundraisers, "progress", lambda _fundraiser: shown)
    client.get("/fundraisers/small-newsrooms")
    assert "About €48,000 of €75,000" in text(client)
    assert "as of 20 November · 23 days left" in text(client)
    bar = next(client.page.iter("progress"))
    assert (bar.get("value"), bar.get("max")) == ("64", "100")


def test_names_keep_their_own_language(client):
    client.get("/fundraisers/small-newsrooms")
    foreign = [
        (e.get("lang"), "".join(e.itertext()).strip()) for e in client.page.iter("th") if e.get("lang")
    ]
    assert ("ka", "ალაზნის ხმა") in foreign


def test_give_leads_to_the_form_of_the_open_one(client):
    answer = client.get("/give")
    assert (answer.status_code, answer.location) == (302, "/fundraisers/small-newsrooms/give")
    assert client.get("/ka/give").location == "/ka/fundraisers/small-newsrooms/give"
    assert "Set-Cookie" not in answer.headers


def test_give_says_when_none_is_open(client):
    fundraisers.find_fundraiser("small-newsrooms").status = fundraisers.FundraiserStatus.CLOSED
    assert client.get("/give").status_code == 200
    assert "No fundraiser is open just now" in text(client)
    assert client.get("/").status_code == 200
    assert client.get("/fundraisers/small-newsrooms").status_code == 200
    assert "This fundraiser takes no gifts now" in text(client)


def test_drafts_and_unknown_ones_are_not_there(client):
    make.fundraiser("draft", status="draft")
    assert client.get("/fundraisers/draft").status_code == 404
    assert client.get("/fundraisers/nothing").status_code == 404


@pytest.mark.parametrize("path", ["/", "/fundraisers/small-newsrooms", "/demo/article"])
def test_readers_are_led_to_joining_where_it_is_open(client, path):
    make.plan()
    client.get(path)
    main = next(client.page.iter("main"))
    assert "/join" in {a.get("href") for a in main.iter("a")}


def test_a_text_nobody_wrote_has_a_page(client):
    newsroom = make.the_newsroom()
    newsroom.pages = {}
    assert client.get("/imprint").status_code == 200
    assert "This text is not written yet." in text(client)


def test_every_language_knows_the_others(client):
    page = client.get("/ka/join").text
    links = dict(re.findall(r'<link rel="alternate" hreflang="([^"]+)" href="([^"]+)"', page))
    base = make.settings().base_url
    assert links == {"en": f"{base}/join", "ka": f"{base}/ka/join", "x-default": f"{base}/join"}
    assert client.page.get("lang") == "ka"
    switch = [a.get("href") for a in client.page.iter("a") if a.get("hreflang")]
    assert switch == ["/join"]


def test_the_language_never_comes_from_the_browser(client):
    client.get("/join", headers={"Accept-Language": "ka"})
    assert client.page.get("lang") == "en"


@pytest.mark.parametrize(
    "path", ["/ka/healthz", "/ka/robots.txt", "/ka/hooks/stripe", "/en/join", "/ka/ka/join", "/xx/"]
)
def test_what_no_language_has(client, path):
    assert client.get(path).status_code in (404, 405)


def test_a_bare_prefix_goes_to_the_front_page(client):
    answer = client.get("/ka")
    assert (answer.status_code, answer.location) == (308, "/ka/")


@pytest.mark.parametrize("prefix", ["", "/ka"])
def test_no_link_leads_nowhere(client, prefix):
    make.plan(currencies=("EUR", "GEL"))
    seen, waiting = (
        set(),
        [f"{prefix}/", f"{prefix}/demo/article", f"{prefix}/demo/mailbox", f"{prefix}/nothing"],
    )
    while waiting:
        path = waiting.pop()
        seen.add(path)
        answer = client.get(path)
        assert answer.status_code in ((404,) if path.endswith("/nothing") else (200, 302, 303)), path
        if client.page is None:
            links = [answer.location] if answer.location else []
        else:
            links = [a.get("href", "") for a in client.page.iter("a")]
        waiting += {link.partition("#")[0] for link in links if link.startswith("/")} - seen - set(waiting)
    assert len(seen) > 20
