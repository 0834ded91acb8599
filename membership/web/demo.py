"""Demo and tests only: an article of an outlet with both calls, and the mails that were sent."""

from flask import Blueprint, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from membership import mail
from membership.domain import banners, fundraisers
from membership.web import locales

bp = Blueprint("demo", __name__, url_prefix="/demo")
mails = Blueprint("mails", __name__, url_prefix="/demo")


@bp.get("/article")
def article() -> str:
    """A banner above the story leads to joining, a line below it to the fundraiser."""
    current = fundraisers.current()
    words = current.words(locales.locale()) if current else None
    line = banners.line(locales.locale())
    return render_template("demo/article.html", fundraiser=current, words=words, line=line)


@mails.get("/mailbox")
def mailbox() -> ResponseReturnValue:
    """Every mail that went out, newest first; `?format=json` for machines."""
    kept = mail.kept()
    if request.args.get("format") == "json":
        return jsonify(kept)
    return render_template("demo/mailbox.html", mails=kept)
