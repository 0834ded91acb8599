"""The one stylesheet: made small once at start, put into every page, allowed by its own hash."""

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parent / "static" / "page.css"


@dataclass(frozen=True, slots=True)
class Stylesheet:
    """What stands between <style> and </style>, and the source expression that allows it."""

    text: str
    allowed: str


def small(css: str) -> str:
    """The same rules without comments and idle blanks."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    css = re.sub(r"\s+", " ", css)
    css = re.sub(r" ?([{};,>]) ?", r"\1", css)
    css = re.sub(r": ", ":", css)
    return css.replace(";}", "}").strip()


def load() -> Stylesheet:
    """Read and make small."""
    return allow(small(SOURCE.read_text(encoding="utf-8")))


def allow(text: str) -> Stylesheet:
    """With the hash of exactly these bytes."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Stylesheet(text, f"'sha256-{digest}'")
