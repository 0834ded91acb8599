"""Pictures of every page and mail, to be looked at: PICTURES=folder pytest tests/browser/pictures.py

Not collected by itself. Each page at 360, 768 and 1280 px, light and dark, in English and in Georgian; -k members, desk,
mails or gifts takes only some.
"""

import os
from pathlib import Path

import pytest
from flask import current_app

from membership.mail import letter
from tests.browser import desk, members, walks
from tests.browser.visitor import Visitor
from tests.letters import MAILS

WIDTHS = (360, 768, 1280)
SCHEMES = ("light", "dark")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = Path(os.environ.get("PICTURES") or tmp_path)
    made.mkdir(parents=True, exist_ok=True)
    return made


class Camera:
    """Takes each page in every width and colour scheme; one that scrolls sideways is a fault of the visit."""

    def __init__(self, visitor: Visitor, folder: Path, mark: str = "") -> None:
        self.visitor, self.folder, self.mark = visitor, folder, mark

    def __call__(self, name: str) -> None:
        tab = self.visitor.tab
        for scheme in SCHEMES:
            tab.emulate_media(color_scheme=scheme)
            for width in WIDTHS:
                tab.set_viewport_size({"width": width, "height": 900})
                if (wide := tab.evaluate("() => document.documentElement.scrollWidth")) > width:
                    self.visitor.faults.append(f"{name}{self.mark}: {wide} px wide at {width}")
                path = self.folder / f"{name}{self.mark}-{width}-{scheme}.png"
                tab.screenshot(path=path, full_page=True)
        tab.emulate_media(color_scheme="light")
        tab.set_viewport_size({"width": 360, "height": 900})
        assert path.stat().st_size > 0


each = pytest.mark.parametrize(("prefix", "mark"), [("", ""), ("/ka", "-ka")], ids=["en", "ka"])


@each
def test_pictures_of_gifts(visit, folder, prefix, mark):
    def pictured(walk, **more):
        one = visit(email=f"{walk.__name__}{mark}@example.org")
        return walk(one, Camera(one, folder, mark), prefix=prefix, **more)

    for walk in (
        walks.reading,
        walks.erring,
        walks.transferring,
        walks.waiting,
        walks.expiring,
        walks.leaving,
    ):
        pictured(walk)
    pictured(walks.other_browser, reference=pictured(walks.giving))


@each
def test_pictures_of_members(visit, folder, prefix, mark):
    def one(name):
        return visit(email=f"{name}{mark}@example.org")

    def pictured(visitor, *walks_):
        for walk in walks_:
            walk(visitor, Camera(visitor, folder, mark), prefix=prefix)

    pictured(one("patron"), members.joining, members.signing_in, members.perks)
    pictured(one("debit"), members.debited)
    pictured(one("late"), members.mending, members.leaving)
    friend = one("friend")
    members.joins(friend, prefix=prefix, name="Nino Kvaratskhelia")
    members.signs_in(friend, f"{prefix}/account")
    pictured(friend, members.account)
    phone, other = one("friend"), one("friend")
    members.elsewhere(phone, other, Camera(other, folder, mark), f"{prefix}/account/perks/{members.LETTER}")
    pictured(friend, members.without_signing_in)


@each
def test_pictures_of_the_desk(visit, demo, folder, prefix, mark):
    nino = visit(email=f"twice{mark}@example.org")
    members.joins(nino, prefix=prefix, name="ნინო კვარაცხელია-ჩიქოვანი")
    desk.gives(nino, "10", "ნინო კვარაცხელია-ჩიქოვანი")
    desk.gives(visit(email=f"held{mark}@example.org"), "1500", "Giorgi")
    late = visit(email=f"unpaid{mark}@example.org")
    members.joins(late, prefix=prefix)
    members.card_fails(late)
    admin = visit(email=desk.sample(demo, "admin")["email"])
    for walk in (desk.door, desk.lists):
        walk(admin, Camera(admin, folder, mark), prefix)
    desk.person(admin, Camera(admin, folder, mark), nino.email, prefix)
    viewer = visit(email=desk.sample(demo, "viewer")["email"])
    desk.comes_in(viewer, "viewer", f"{prefix}/staff/")
    desk.refused(viewer, Camera(viewer, folder, mark))
    new = visit(email=f"new{mark}@example.org")
    desk.enrolling(new, Camera(new, folder, mark))


@pytest.mark.parametrize("locale", ["en", "ka"])
def test_pictures_of_mails(app, visit, folder, locale):
    """Each with everything it can say."""
    reader = visit()
    for template, told in MAILS.items():
        made = letter.render(template, locale, told, current_app.config["SETTINGS"])
        reader.tab.set_content(made.html)
        Camera(reader, folder, f"-{locale}")(f"mail-{template}")
