"""The test client: a reader who looks at every page. Broken HTML fails the test that met it.

Each request runs in a context of its own, as in a server: what the test left uncommitted is committed first, and a
view that forgets to commit leaves nothing behind.
"""

import contextvars
import gzip
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
from flask import has_app_context
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from membership.db import db

NEEDS_LABEL = {"input", "select", "textarea"}
NO_LABEL = {"hidden", "submit", "button", "reset", "image"}


class Reader(FlaskClient):
    """A browser without JavaScript. `client.page` is the last HTML page, parsed."""

    page: Element | None = None

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        kwargs.setdefault("buffered", True)
        if args and isinstance(args[0], str):
            kwargs.setdefault("base_url", self.application.config["SETTINGS"].base_url)
        if has_app_context():
            db.session.commit()
        if self.preserve_context:
            response = super().open(*args, **kwargs)
        else:
            response = contextvars.Context().run(super().open, *args, **kwargs)
        self.page = None
        if response.mimetype == "text/html" and response.data and response.status_code != 304:
            self.page = read(text_of(response), framed="/embed/" in response.request.path)
        return response

    def field(self, name: str) -> str:
        """The value the last page's form carries for a field (csrf_token, attempt ...)."""
        assert self.page is not None, "no page was opened"
        for control in self.page.iter("input"):
            if control.get("name") == name:
                return control.get("value", "")
        raise AssertionError(f"the page has no field {name!r}")


def text_of(response: TestResponse) -> str:
    """The page as it was before it was squeezed for the way."""
    squeezed = response.headers.get("Content-Encoding") == "gzip"
    return (gzip.decompress(response.data) if squeezed else response.data).decode()


def read(text: str, *, framed: bool = False) -> Element:
    """Parse a page as strictly as the standard says and look at what every page owes its reader."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    page = parser.parse(text)
    faults = [f"line {place[0]}: {code} {detail}" for place, code, detail in parser.errors]
    faults += page_faults(page, framed=framed) + control_faults(page)
    assert not faults, "\n".join(["the page is not fit to be read:", *faults])
    return page


def page_faults(page: Element, *, framed: bool) -> list[str]:
    faults = []
    if not page.get("lang"):
        faults.append("<html> has no lang")
    if not (page.findtext("head/title") or "").strip():
        faults.append("no <title>")
    headings = list(page.iter("h1"))
    if len(headings) != 1 and not (framed and not headings):  # an embed lives under its host page's heading
        faults.append(f"{len(headings)} <h1> instead of one")
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    faults += [f"two elements have the id {name!r}" for name in sorted({i for i in ids if ids.count(i) > 1})]
    faults += ["an image has no alt" for image in page.iter("img") if image.get("alt") is None]
    for element in page.iter():
        for attribute in ("aria-describedby", "aria-labelledby", "aria-controls", "for"):
            names = (element.get(attribute) or "").split()
            faults += [f"{attribute}={name!r} points nowhere" for name in names if name not in ids]
    return faults


def control_faults(page: Element) -> list[str]:
    """Every control that a reader fills in has a label; every button and link says what it does."""
    labelled = {label.get("for") for label in page.iter("label") if words(label)}
    inside = {id(child) for label in page.iter("label") if words(label) for child in label.iter()}
    faults = []
    for element in page.iter():
        if element.tag in NEEDS_LABEL and element.get("type", "text") not in NO_LABEL:
            named = element.get("id") in labelled or id(element) in inside
            if not (named or element.get("aria-label") or element.get("aria-labelledby")):
                faults.append(f"<{element.tag} name={element.get('name')!r}> has no label")
        if element.tag in {"button", "a"} and not (words(element) or element.get("aria-label")):
            faults.append(f"a <{element.tag}> without words: {dict(element.attrib)}")
    return faults


def words(element: Element) -> str:
    text = "".join(element.itertext()).strip()
    return text or " ".join(image.get("alt", "") for image in element.iter("img")).strip()
