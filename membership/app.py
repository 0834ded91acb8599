"""create_app: the only place where the parts are joined."""

import contextlib
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import requests
from flask import Flask
from flask.cli import ScriptInfo

from membership import cli, clock, logs, vault, web
from membership.billing import account
from membership.cli import demo_files
from membership.config import ROOT, Settings, SettingsError, environment
from membership.db import check_schema, db
from membership.domain import limits, newsroom
from membership.vault import Keys

OFFSET_KEPT = 0.5
"""Seconds for which the pretend Stripe's clock is believed before it is asked again."""


def create_app(settings: Settings | None = None, *, stripe_session: requests.Session | None = None) -> Flask:
    """The app. Without settings they are read from the environment; `stripe_session` carries Stripe's requests."""
    logs.hide_keys()
    if settings is None:
        demo_files.prepare(os.environ)
        try:
            settings = Settings.from_environment(environment(os.environ), is_served=not _is_command())
        except SettingsError as gaps:
            if not _is_command():
                raise
            return _commands_without_settings(gaps)
    app = Flask("membership", template_folder=str(ROOT / "templates"), static_folder=None,
                instance_path=str(settings.instance_path.resolve()))  # fmt: skip
    app.config.update(
        SETTINGS=settings,
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=_engine_options(settings.database_url),
    )
    db.init_app(app)
    vault.configure(
        Keys(settings.vault_public_key, settings.vault_private_key, settings.email_key, settings.outbox_keys)
    )
    limits.configure(settings.secret_key.encode())
    clock.live_in(settings.timezone)
    account.join(app, settings, stripe_session)
    if settings.mode == "demo" and settings.stripe_api_base:
        clock.use(_pretend_clock(settings.stripe_api_base))
    web.register(app)
    cli.register(app)
    return app


def _is_command() -> bool:
    """Whether one of our commands runs. What serves may have a command line too (granian, `flask run`): it is none."""
    context = click.get_current_context(silent=True)
    return context is not None and context.find_object(ScriptInfo) is not None and context.info_name != "run"


def _commands_without_settings(gaps: SettingsError) -> Flask:
    """On the command line, settings with gaps still let new keys be made: they are what fills the gaps."""
    app = Flask("membership", static_folder=None)
    cli.register_without_settings(app, gaps)
    return app


def refuse_to_serve_unready(app: Flask) -> None:
    """In production the web server does not start on older tables, nor without imprint, privacy, terms and contact.

    Commands do: they are what makes the tables and fills the pages.
    """
    settings: Settings | None = app.config.get("SETTINGS")
    if settings is None or settings.mode != "production" or _is_command():
        return
    with app.app_context():
        check_schema()
        empty = newsroom.empty_pages()
    if empty:
        raise SettingsError([f"the page /{page} is empty: flask newsroom load fills it" for page in empty])


def _engine_options(url: str) -> dict[str, object]:
    """How many connections are kept (db.py tries those that lay unused); errors show no values."""
    options: dict[str, object] = {"hide_parameters": True}
    if url.startswith("postgresql"):
        return options | {"pool_size": 5, "max_overflow": 10}
    path = url.partition("///")[2]
    if path and ":memory:" not in path:
        with contextlib.suppress(OSError):  # the database itself says that it cannot be opened
            Path(path).parent.mkdir(parents=True, exist_ok=True)
    return options


def _pretend_clock(base: str) -> Callable[[], datetime]:
    """Our clock plus the pretend Stripe's offset, which is asked for now and then; the last one known holds."""
    session = requests.Session()
    known = {"offset": 0.0, "asked": 0.0}

    def read() -> datetime:
        real = datetime.now(UTC)
        if real.timestamp() - known["asked"] > OFFSET_KEPT:
            known["asked"] = real.timestamp()
            with contextlib.suppress(requests.RequestException, ValueError, KeyError):
                known["offset"] = float(session.get(f"{base}/_control/clock", timeout=1).json()["offset"])
        return real + timedelta(seconds=known["offset"])

    return read
