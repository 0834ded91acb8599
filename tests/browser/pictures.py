"""Pictures of every page and mail, to be looked at: PICTURES=folder pytest tests/browser/pictures.py

Not collected by itself. Each page at 360, 768 and 1280 px, light and dark; in English, and what differs in Georgian.
"""

import os
from pathlib import Path

import pytest

from tests.browser import walks
from tests.browser.visitor import Visitor

WIDTHS = (360, 768, 1280)
SCHEMES = ("light", "dark")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = Path(os.environ.get("PICTURES") or tmp_path)
    made.mkdir(parents=True, exist_ok=True)
    return made


class Camera:
    """Takes each page in every width and colour scheme."""

    def __init__(self, visitor: Visitor, folder: Path, mark: str = "") -> None:
        self.visitor, self.folder, self.mark = visitor, folder, mark

    def __call__(self, name: str) -> None:
        tab = self.visitor.tab
        for scheme in SCHEMES:
            tab.emulate_media(color_scheme=scheme)
            for width in WIDTHS:
                tab.set_viewport_size({"width": width, "height": 900})
                path = self.folder / f"{name}{self.mark}-{width}-{scheme}.png"
                tab.screenshot(path=path, full_page=True)
        tab.emulate_media(color_scheme="light")
        tab.set_viewport_size({"width": 360, "height": 900})
        assert path.stat().st_size > 0


@pytest.mark.parametrize(("prefix", "mark"), [("", ""), ("/ka", "-ka")], ids=["en", "ka"])
def test_pictures_of_pages(visit, demo, folder, prefix, mark):
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


def test_pictures_of_mails(visit, demo, folder):
    """Those that the other pictures left behind."""
    tab = visit()
    for number, mail in enumerate(demo.mails()):
        tab.tab.set_content(mail["html"])
        Camera(tab, folder)(f"mail-{number}-{mail['to'].partition('@')[0]}")
