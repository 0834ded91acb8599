"""What everybody sees, the same for all: the front page, the fundraiser, joining, and the texts staff provide.

No cookie, no form, no token: these pages come from the page cache.
"""

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from membership.domain import banners, fundraisers, newsroom, plans
from membership.web import appeal, locales, offer, pagecache

bp = Blueprint("public", __name__)

LEGAL = ("imprint", "privacy", "terms", "contact")


def _text(name: str) -> str | None:
    """A text of the newsroom in the reader's language, if staff have written one."""
    found = newsroom.find_newsroom()
    return found.page(name, locales.locale()) if found else None


@bp.get("/")
def home() -> str:
    """The newsroom: its fundraiser, joining, what the money is for."""
    current, here = fundraisers.current(), locales.locale()
    shown = appeal.of(current, here) if current else None
    joining = {"is_joining": bool(plans.open_plans()), "line": banners.line(here), "drive": banners.current()}
    return render_template("public/home.html", appeal=shown, about=_text("about"), **joining)


@bp.get("/give")
def give() -> ResponseReturnValue:
    """To the form of the current fundraiser, or a page that says none is open."""
    current = fundraisers.current()
    if current is None:
        return render_template("public/none_open.html")
    return redirect(url_for("give.form", slug=current.slug), 302)


@bp.get("/fundraisers/<slug>")
def fundraiser(slug: str) -> str:
    """A fundraiser, open or closed."""
    found = fundraisers.get_fundraiser(slug)
    shown = appeal.of(found, locales.locale())
    return render_template("public/fundraiser.html", appeal=shown, is_joining=bool(plans.open_plans()))


@bp.get("/join")
def join() -> str:
    """All that can be joined, side by side; where nothing can, what helps instead."""
    shown = offer.of(pagecache.currency_asked(request.environ), locales.locale())
    template = "join/plans.html" if shown.tiers else "join/none_open.html"
    return render_template(template, offer=shown, text=_text("joining"), fundraiser=fundraisers.current())


@bp.get("/<any(imprint, privacy, terms, contact):name>")
def legal(name: str) -> str:
    """A text staff provide; where it is missing, a page that says so."""
    if name not in LEGAL:
        abort(404)
    return render_template("public/legal.html", name=name, text=_text(name))
