"""The app with a bare route in it, and beside it the barest Flask app there can be: the floors, on the same server.

`/bench/hello` goes through all of the app's own layers. `/bare/...` is another Flask app without any of them: hello,
and a hook that verifies, parses and stores with the driver's own statements.
"""

import json
import os
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import stripe
from flask import Blueprint, Flask, request
from sqlalchemy import make_url

from membership.app import create_app
from membership.web.guards import GUARDS

HELLO = "hello\n"
# The two statements of the hook, as the inbox sends them.
EVENT = """INSERT INTO stripe_events (event_id, livemode, account, type, object_type, object_id, api_version, created,
 received_at, source, sealed_payload, deliveries) VALUES (?, ?, '', ?, ?, ?, ?, ?, ?, 'webhook', ?, 1)
 ON CONFLICT (event_id) DO UPDATE SET deliveries = stripe_events.deliveries + 1"""
OBJECT = """INSERT INTO stripe_objects (object_type, object_id, dirty_seq, clean_seq, not_before, attempts, dead)
 VALUES (?, ?, 1, 0, ?, 0, false) ON CONFLICT (object_type, object_id) DO UPDATE SET
 dirty_seq = stripe_objects.dirty_seq + 1, not_before = excluded.not_before, dead = false, attempts = 0"""

own = threading.local()


def _sqlite(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=15000"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _store(url: str) -> Callable[[tuple[Any, ...], tuple[Any, ...]], None]:
    """Both statements and one commit, on a connection that this thread keeps."""
    parsed = make_url(url)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    address = parsed.database if is_sqlite else parsed.set(drivername="postgresql")
    mark = "?" if is_sqlite else "%s"
    begin = "BEGIN IMMEDIATE" if is_sqlite else "BEGIN"
    event, changed = EVENT.replace("?", mark), OBJECT.replace("?", mark)

    def store(first: tuple[Any, ...], second: tuple[Any, ...]) -> None:
        connection = getattr(own, "connection", None)
        if connection is None:
            open_ = _sqlite if is_sqlite else lambda at: psycopg.connect(at, autocommit=True)
            text = address if is_sqlite else address.render_as_string(hide_password=False)
            connection = own.connection = open_(text)
        connection.execute(begin)
        connection.execute(event, first)
        connection.execute(changed, second)
        connection.execute("COMMIT")

    return store


def bare(url: str, secret: str) -> Flask:
    """The floor of the hook and of hello: no layer of ours."""
    app = Flask("bare", static_folder=None)
    store = _store(url)
    naive = url.startswith("sqlite")

    @app.get("/bare/hello")
    def hello() -> str:
        return HELLO

    @app.post("/bare/hook")
    def hook() -> tuple[str, int]:
        body = request.get_data(cache=False)
        stripe.WebhookSignature.verify_header(body, request.headers["Stripe-Signature"], secret, 300)
        said = json.loads(body)
        what, now = said["data"]["object"], datetime.now(UTC)
        when: Any = now.replace(tzinfo=None).isoformat(" ") if naive else now
        store(
            (said["id"], said["livemode"], said["type"], what["object"], what["id"], said["api_version"], said["created"],
             when, body),
            (what["object"], what["id"], when),
        )  # fmt: skip
        return "", 200

    return app


def with_hello(app: Flask) -> Flask:
    """A bare route added to the app; its guard is the one of what machines ask for."""
    blueprint = Blueprint("bench", __name__)

    @blueprint.get("/bench/hello")
    def hello() -> str:
        return HELLO

    app.extensions["pressfund.guards"]["bench"] = GUARDS["machines"]
    app.register_blueprint(blueprint)
    return app


def _served() -> Callable[..., Any]:
    ours = with_hello(create_app())
    floor = bare(os.environ["DATABASE_URL"], os.environ["STRIPE_WEBHOOK_SECRET"])

    def serve(environ: dict[str, Any], start_response: Any) -> Any:
        chosen = floor if environ["PATH_INFO"].startswith("/bare/") else ours
        return chosen(environ, start_response)

    return serve


app = _served()
