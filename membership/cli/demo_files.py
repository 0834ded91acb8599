"""What the demo keeps in its instance folder: settings and keys of its own, a migrated database, sample data.

Made at the first start and kept by every later one; nothing here is fit for real money.
"""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import pyotp
from flask import current_app

from membership import vault
from membership.cli import newsroom, newsroom_file
from membership.config import ROOT, environment
from membership.db import db, writing
from membership.domain import people, roles
from membership.domain.newsroom import find_newsroom

SETTINGS = "demo.env"
PORT = 8000
ABOUT = "demo.json"
DATA = Path(__file__).with_name("demo_newsroom.toml")


def settings(instance: Path, port: int) -> dict[str, str]:
    """The demo's settings for this port. Its keys are made once; the file is for its owner's eyes only."""
    path = instance / SETTINGS
    kept = _read(path)
    made = {"SECRET_KEY": f"demo-{secrets.token_urlsafe(32)}", **vault.new_keys()}
    keys = {name: kept.get(name) or value for name, value in made.items()}
    if any(name.startswith("VAULT_") and name not in kept for name in made):  # a pair belongs together
        keys |= {name: value for name, value in made.items() if name.startswith("VAULT_")}
    wanted = keys | {
        "MODE": "demo",
        "BASE_URL": f"http://127.0.0.1:{port}",
        "TIMEZONE": "Asia/Tbilisi",
        "DATABASE_URL": f"sqlite:///{instance / 'demo.sqlite'}",
        "STRIPE_API_BASE": f"http://localhost:{port + 1}",
        "STRIPE_SECRET_KEY": kept.get("STRIPE_SECRET_KEY") or f"sk_test_demo{secrets.token_hex(12)}",
        "STRIPE_WEBHOOK_SECRET": kept.get("STRIPE_WEBHOOK_SECRET") or f"whsec_demo{secrets.token_hex(16)}",
        "STATEMENT_DESCRIPTOR": "HIGHLAND FUND",
        "MAIL_URL": "file:",
        "MAIL_FROM": "Highland Dispatch <gifts@highland-dispatch.example>",
        "STAFF_MAIL": "desk@highland-dispatch.example",
        "LEDGER_CURRENCY": "EUR",
        "CURRENCIES": "EUR,USD,GBP,GEL",
        "LOCALES": "en,ka",
        "NEWSROOM_NAME": "Highland Dispatch",
        "POLL_SECONDS": "15",
        "METRICS_TOKEN": kept.get("METRICS_TOKEN") or secrets.token_urlsafe(16),
    }
    _write(path, "".join(f"{name}='{value}'\n" for name, value in wanted.items()))
    return wanted


def about(instance: Path, wanted: Mapping[str, str]) -> None:
    """instance/demo.json: where the demo stands and who its sample staff are."""
    told = {
        "base_url": wanted["BASE_URL"],
        "sandbox_url": wanted["STRIPE_API_BASE"],
        "staff": sample_staff(instance) or _new_staff(),
    }
    _write(instance / ABOUT, json.dumps(told, indent=2) + "\n")


def sample_staff(instance: Path) -> list[dict[str, str]]:
    """The sample staff of this demo, with the secrets of their second factors; none before the first start."""
    path = instance / ABOUT
    found: list[dict[str, str]] = json.loads(path.read_text("utf-8"))["staff"] if path.exists() else []
    return found


def _new_staff() -> list[dict[str, str]]:
    """One of each role, known by an address of the newsroom."""
    return [
        {
            "email": f"{role.value}@highland-dispatch.example",
            "role": role.value,
            "totp_secret": pyotp.random_base32(),
        }
        for role in roles.Role
    ]


def database() -> None:
    """A database of the newest version, with the sample newsroom when it has none yet. Alembic loads only here."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    command.upgrade(config, "head")
    if find_newsroom() is None:
        newsroom.described(newsroom_file.read(DATA, current_app.config["SETTINGS"]))
    _employ(sample_staff(current_app.config["SETTINGS"].instance_path))
    db.session.remove()
    db.engine.dispose()


def _employ(sample: list[dict[str, str]]) -> None:
    """Give the sample staff their roles, once: what an administrator changes stays changed."""
    with writing():
        for one in sample:
            person = people.register(one["email"], locale=current_app.config["SETTINGS"].locales[0])
            if not roles.has_been_staff(person.id):
                roles.take_secret(roles.grant(person, roles.Role(one["role"]), by=None), one["totp_secret"])
        db.session.commit()


def prepare(environ: Mapping[str, str]) -> None:
    """Before the first app of a demo: give it settings and keys, unless it has them or was told of others."""
    merged = environment(environ)
    if merged.get("MODE", "demo") == "demo" and not merged.get("SECRET_KEY"):
        port = environ.get("PORT", "")
        settings(instance_of(environ), int(port) if port.isdecimal() else PORT)


def instance_of(environ: Mapping[str, str]) -> Path:
    """Where this checkout keeps what it makes."""
    return Path(environment(environ)["INSTANCE_PATH"]).resolve()


def _read(path: Path) -> dict[str, str]:
    from dotenv import dotenv_values

    return {name: value for name, value in dotenv_values(path).items() if value}


def _write(path: Path, text: str) -> None:
    """Whole or not at all, readable by its owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    half.touch(mode=0o600)
    half.write_text(text, encoding="utf-8")
    half.replace(path)
