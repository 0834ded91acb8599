"""Our few files for browsers. The address carries the file's hash, so it may be kept for ever."""

import hashlib
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, abort, request

from membership.web import locales, style

FOLDER = Path(__file__).parent / "static"
FILES = {"give.js": "text/javascript", "desk.js": "text/javascript", "staff.css": "text/css"}

bp = Blueprint("assets", __name__)


@cache
def _content(name: str) -> tuple[bytes, str]:
    body = (FOLDER / name).read_bytes()
    if name.endswith(".css"):
        body = style.small(body.decode()).encode()
    return body, hashlib.sha256(body).hexdigest()[:12]


def address(name: str) -> str:
    """Where this file is served, whatever the page's language."""
    return f"{request.environ.get(locales.ROOT, '')}/assets/{_content(name)[1]}/{name}"


@bp.get("/assets/<stamp>/<name>")
def asset(stamp: str, name: str) -> Response:
    """One of our files; an old hash leads nowhere."""
    if name not in FILES or stamp != _content(name)[1]:
        abort(404)
    return Response(_content(name)[0], mimetype=FILES[name])
