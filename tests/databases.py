"""Databases for tests: built once by the real migrations, then copied. As a program: writes a new migration.

`Databases(folder, server)` keeps one migrated template per kind, sqlite and postgresql; `fresh(kind)` copies it.
"""

import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from flask import Flask
from sqlalchemy import make_url

from membership import vault
from membership.app import create_app
from membership.config import Settings
from membership.db import db

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("sqlite", "postgresql")
ENVIRONMENT = {
    "MODE": "test",
    "SECRET_KEY": "a secret of the tests, long enough to be one",
    "BASE_URL": "http://127.0.0.1:8000",
    "CURRENCIES": "EUR,USD,GBP,GEL",
    "STRIPE_SECRET_KEY": "sk_test_pressfund",
    "STRIPE_WEBHOOK_SECRET": "whsec_pressfund",
    "STRIPE_API_BASE": "http://localhost:8001",
    "METRICS_TOKEN": "a token of the tests",
    **vault.new_keys(),
}


def settings(database_url: str, **more: str) -> Settings:
    """Settings for tests, with whatever a test wants to differ: settings(url, GRACE_DAYS="3")."""
    return Settings.from_environment(ENVIRONMENT | {"DATABASE_URL": database_url} | more)


def alembic_config() -> Config:
    """Alembic without an alembic.ini: migrations/env.py finds the rest in the app."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    return config


@contextmanager
def app_at(url: str) -> Iterator[Flask]:
    """An app on this database, in its context, whose connections are closed afterwards."""
    app = create_app(settings(url))
    with app.app_context():
        try:
            yield app
        finally:
            db.session.remove()
            db.engine.dispose()


def upgrade(url: str, revision: str = "head") -> None:
    """What `flask db upgrade` does."""
    with app_at(url):
        command.upgrade(alembic_config(), revision)


def downgrade(url: str, revision: str = "base") -> None:
    """What `flask db downgrade` does."""
    with app_at(url):
        command.downgrade(alembic_config(), revision)


class Databases:
    """Templates and their copies. `server` is asked for a PostgreSQL server's address when one is needed."""

    def __init__(self, folder: Path, server: Callable[[], str]) -> None:
        self.folder = folder
        self.server = server
        self.templates: dict[str, str] = {}
        self.made: list[str] = []

    def template(self, kind: str) -> str:
        """The migrated database nobody writes to."""
        if kind not in self.templates:
            url = self.empty(kind)
            upgrade(url)
            self.templates[kind] = url
        return self.templates[kind]

    def empty(self, kind: str, template: str | None = None) -> str:
        """A new database without tables, or a copy of `template`."""
        name = f"pressfund_{uuid.uuid4().hex[:12]}"
        if kind == "sqlite":
            path = self.folder / f"{name}.sqlite"
            if template:
                shutil.copy(str(make_url(template).database), path)
            return f"sqlite:///{path}"
        url = make_url(self.server()).set(drivername="postgresql+psycopg", database=name)
        self._administer(
            f'CREATE DATABASE "{name}" TEMPLATE "{make_url(template).database if template else "template0"}"'
        )
        self.made.append(name)
        return url.render_as_string(hide_password=False)

    def fresh(self, kind: str) -> str:
        """A copy of the migrated database, for one test or one worker."""
        return self.empty(kind, self.template(kind))

    def drop(self, url: str) -> None:
        """Forget a copy early; `close()` forgets the rest."""
        name = str(make_url(url).database)
        if name in self.made:
            self._administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            self.made.remove(name)

    def close(self) -> None:
        for name in list(self.made):
            self._administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self.made.clear()

    def _administer(self, statement: str) -> None:
        address = make_url(self.server()).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement)


def main(message: str) -> None:
    """Compare the models with a database migrated to the newest version and write what differs."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/models.sqlite"
        upgrade(url)
        with app_at(url):
            command.revision(alembic_config(), message=message, autogenerate=True)


if __name__ == "__main__":
    main(sys.argv[1])
