"""The banner for other sites: any site may frame it, it asks for nothing, and it speaks as the newsroom does."""

import base64
import gzip
import hashlib
import re

import pytest

from membership import clock
from membership.domain import banners, plans
from tests import make

BANNER = "/embed/banner"


@pytest.fixture(autouse=True)
def _open(app):
    make.plan()
    make.fundraiser()
    house = make.the_newsroom()
    house.banner = {"en": "Read us, keep us", "ka": "გვიკითხეთ, შეგვინარჩუნეთ"}
    house.colours = {"accent": "#0a5f38", "paper": "#ffffff", "ink": "#101010"}


def links(client):
    return {a.get("href"): a.get("target") for a in client.page.iter("a")}


def style_of(answer):
    return re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)[1]


def test_any_site_may_frame_it_and_nothing_else_is_allowed(client):
    answer = client.get(BANNER)
    policy = answer.headers["Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(style_of(answer).encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert {"default-src 'none'", "frame-ancestors *", "form-action 'none'"} <= set(policy.split("; "))
    assert len(answer.headers.getlist("Content-Security-Policy")) == 1
    assert "X-Frame-Options" not in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "<script" not in answer.text
    assert " style=" not in answer.text


def test_no_cookie_and_it_may_be_kept(client):
    client.get("/join/reader")  # this browser has a session
    answer = client.get(BANNER, headers={"Accept-Encoding": "gzip"})
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Cache-Control"] == "public, max-age=60, stale-while-revalidate=600"
    assert len(answer.data) <= 4096
    assert "://" not in gzip.decompress(answer.data).decode()  # nothing is asked of anybody
    again = client.get(BANNER, headers={"Accept-Encoding": "gzip", "If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_other_pages_are_still_framed_by_nobody(client):
    for path in ("/", "/join", "/embed/nothing"):
        assert "frame-ancestors 'none'" in client.get(path).headers["Content-Security-Policy"]


@pytest.mark.parametrize(("prefix", "line"), [("", "Read us, keep us"), ("/ka", "გვიკითხეთ, შეგვინარჩუნეთ")])
def test_the_newsrooms_words_colours_and_links(client, prefix, line):
    answer = client.get(prefix + BANNER)
    assert line in "".join(client.page.itertext())
    assert client.page.get("lang") == (prefix[1:] or "en")
    assert "--accent:#0a5f38;--paper:#ffffff;--ink:#101010" in style_of(answer)
    assert links(client) == {
        f"{prefix}/join": "_top",
        f"{prefix}/fundraisers/small-newsrooms": "_top",
    }


def test_colours_that_are_none_never_reach_the_page(client):
    make.the_newsroom().colours = {"accent": "red;}</style>", "paper": "#ffffff"}
    answer = client.get(BANNER)
    assert f"--accent:{banners.COLOURS['accent']};--paper:#ffffff;" in style_of(answer)


def test_the_drive_is_shown_while_one_can_join(client):
    today = clock.day()
    texts = {"en": {"title": "Two hundred members", "story": "For one more reporter."}}
    banners.describe("spring", goal=200, begins_on=today, ends_on=today, texts=texts).shown_members = 120
    client.get(BANNER)
    said = " ".join("".join(client.page.itertext()).split())
    assert "About 120 of 200 members last day" in said
    plans.close_others([])
    client.get(BANNER)
    assert "120" not in "".join(client.page.itertext())
    assert "/join" not in links(client)
