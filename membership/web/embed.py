"""What other sites put on their own pages: a banner in a frame, in the newsroom's words, language and colours.

No cookie, no script, nothing asked of anybody; drawn once and kept by the page cache. Any site may frame it, so it
carries its own policy: its one stylesheet and nothing else. Its links open in the whole window.
"""

from functools import cache
from pathlib import Path

from flask import Blueprint, Response, make_response, render_template
from markupsafe import Markup

from membership.domain import banners, fundraisers, plans
from membership.web import locales, style
from membership.web.style import Stylesheet

bp = Blueprint("embed", __name__, url_prefix="/embed")

SOURCE = Path(__file__).parent / "static" / "banner.css"


@bp.get("/banner")
def banner() -> Response:
    """The newsroom's line, the way to membership and to the current fundraiser, and how far the drive came."""
    sheet = _stylesheet(**banners.colours())
    here = locales.locale()
    current = fundraisers.current()
    html = render_template(
        "embed/banner.html",
        style=Markup(sheet.text),  # noqa: S704 - our own file, and colours of one checked shape
        line=banners.line(here),
        drive=banners.current(),
        is_joining=bool(plans.open_plans()),
        fundraiser=current,
    )
    response = make_response(html)
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src {sheet.allowed}; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors *"
    )
    return response


@cache
def _rules() -> str:
    return style.small(SOURCE.read_text(encoding="utf-8"))


def _stylesheet(*, accent: str, paper: str, ink: str) -> Stylesheet:
    return style.allow(f":root{{--accent:{accent};--paper:{paper};--ink:{ink}}}{_rules()}")
