"""What the bench stands on: settings, a migrated database per kind with the sample newsroom, a durable PostgreSQL."""

import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask
from sqlalchemy import make_url

from membership import vault
from membership.app import create_app
from membership.cli import newsroom_file
from membership.cli.demo_files import DATA
from membership.cli.newsroom import described
from membership.config import Settings
from membership.db import db
from membership.domain import fundraisers
from tests import databases, postgres_server

KINDS = databases.KINDS
SLUG = "small-newsrooms"
PLAN = "reader"
WEBHOOK_SECRET = "whsec_bench"
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}


class World:
    """Everything that is made for a run and gone after it."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="pressfund-bench-")
        self.path = Path(self.folder.name)
        self.own: postgres_server.PostgresServer | None = None
        self.databases = databases.Databases(self.path, self.postgres)
        self.keys = vault.new_keys() | {"SECRET_KEY": secrets.token_urlsafe(32)}
        self.stocked: dict[str, str] = {}

    def postgres(self) -> str:
        """TEST_DATABASE_URL, else a server of our own that keeps what it has said it has stored."""
        given = os.environ.get("TEST_DATABASE_URL")
        if given:
            return given
        if self.own is None:
            postgres_server.QUICK.update(DURABLE)  # tests need no durability; what is measured here does
            self.own = postgres_server.PostgresServer()
        return self.own.url

    def environment(self, url: str, **more: str) -> dict[str, str]:
        """Settings as in production, for addresses that nobody ever calls."""
        return self.keys | {
            "MODE": "production",
            "DATABASE_URL": url,
            "BASE_URL": "https://give.newsroom.example",
            "CURRENCIES": "EUR,USD,GBP,GEL",
            "LOCALES": "en,ka",
            "NEWSROOM_NAME": "Highland Dispatch",
            "STRIPE_SECRET_KEY": "sk_live_bench",
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "STATEMENT_DESCRIPTOR": "HIGHLAND FUND",
            "MAIL_URL": "smtp://127.0.0.1:9",
            "MAIL_FROM": "gifts@newsroom.example",
            "INSTANCE_PATH": str(self.path),
            **more,
        }

    def app(self, url: str) -> Flask:
        """The app in this process."""
        return create_app(Settings.from_environment(self.environment(url)))

    def stock(self, kind: str) -> str:
        """A database with the sample newsroom; nobody writes to it."""
        if kind not in self.stocked:
            url = self.databases.fresh(kind)
            app = self.app(url)
            with app.app_context():
                described(newsroom_file.read(DATA, app.config["SETTINGS"]))
            close(app)
            self.stocked[kind] = url
        return self.stocked[kind]

    def fresh(self, kind: str) -> str:
        """A copy of it."""
        return self.databases.empty(kind, self.stock(kind))

    def story_words(self, locales: tuple[str, ...]) -> dict[str, int]:
        """How long the sample fundraiser's story is."""
        app = self.app(self.stock("sqlite"))
        with app.app_context():
            fundraiser = fundraisers.get_fundraiser(SLUG)
            words = {code: len(fundraiser.words(code).story.split()) for code in locales}
        close(app)
        return words

    def postgres_says(self) -> dict[str, Any]:
        """The server's version, and whether what it acknowledges is durable."""
        address = make_url(self.postgres()).set(drivername="postgresql")
        names = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method")
        with psycopg.connect(address.render_as_string(hide_password=False)) as connection:
            return {name: connection.execute(f"SHOW {name}").fetchone()[0] for name in names}

    def close(self) -> None:
        self.databases.close()
        if self.own is not None:
            self.own.stop()
        self.folder.cleanup()


def close(app: Flask) -> None:
    """Let go of the app's database."""
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
