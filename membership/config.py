"""Settings: read once from the environment, checked as a whole, frozen.

Every gap and every malformed value is named in one go, so nobody mends a deployment one error at a time.
Order of sources: the environment, then `.env`, then (demo only) `instance/demo.env`, which `flask demo` writes.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import localedata
from nacl.public import PrivateKey
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from membership.errors import DomainError
from membership.money import CURRENCIES, FeeFormula, Money, parse

ROOT = Path(__file__).resolve().parent.parent
MODES = ("demo", "production", "test")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
DEFAULTS = {
    "MODE": "demo",
    "BASE_URL": "http://127.0.0.1:8000",
    "TIMEZONE": "Asia/Tbilisi",
    "LEDGER_CURRENCY": "EUR",
    "CURRENCIES": "EUR",
    "FEE_FORMULA": "1.5%+0.25",
    "AMOUNT_MIN": "EUR:3,USD:3,GBP:3,GEL:8",
    "AMOUNT_MAX": "EUR:20000,USD:20000,GBP:20000,GEL:50000",
    "REVIEW_ABOVE": "EUR:1000,USD:1000,GBP:1000,GEL:3000",
    "GRACE_DAYS": "14",
    "LOCALES": "en,ka",
    "NEWSROOM_NAME": "Newsroom",
    "TRUSTED_PROXIES": "0",
    "POLL_SECONDS": "600",
}


NO_HOOK = "STRIPE_WEBHOOK_SECRET is missing"


class SettingsError(Exception):
    """What the settings lack, one sentence a gap, all of them at once."""

    def __init__(self, gaps: list[str]) -> None:
        super().__init__("The settings are not complete:\n" + "\n".join(f"  - {gap}" for gap in gaps))
        self.gaps = gaps


@dataclass(frozen=True, slots=True)
class Settings:
    """All that a deployment decides. Amounts per currency are Money; keys are raw bytes."""

    mode: str
    secret_key: str
    database_url: str
    base_url: str
    timezone: ZoneInfo
    stripe_secret_key: str
    stripe_webhook_secrets: tuple[str, ...]
    stripe_api_base: str | None
    statement_descriptor: str
    vault_public_key: bytes
    vault_private_key: bytes | None
    email_key: bytes
    outbox_keys: tuple[bytes, ...]
    mail_url: str
    mail_from: str
    staff_mail: str
    bounce_mailbox: str | None
    ledger_currency: str
    currencies: tuple[str, ...]
    fee_formula: FeeFormula
    amount_min: Mapping[str, Money]
    amount_max: Mapping[str, Money]
    review_above: Mapping[str, Money]
    grace_days: int
    metrics_token: str | None
    newsroom_name: str
    locales: tuple[str, ...]
    trusted_proxies: int
    poll_seconds: int
    instance_path: Path

    @property
    def is_https(self) -> bool:
        """Whether readers reach us over https: cookies are Secure then."""
        return self.base_url.startswith("https://")

    @property
    def is_live(self) -> bool:
        """Whether real money moves: events of the other mode are none of ours."""
        return self.mode == "production"

    def link(self, path: str, locale: str) -> str:
        """A reader page's full address in this language; the first locale has no prefix."""
        prefix = f"/{locale}" if locale in self.locales[1:] else ""
        return f"{self.base_url}{prefix}{path}"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, is_served: bool = True) -> "Settings":
        """Read and check everything; raises SettingsError with every gap.

        Commands do where the webhook's secret alone is missing: one of them makes the endpoint that it belongs to.
        """
        return _Reader(environ, is_served=is_served).settings()


def environment(environ: Mapping[str, str], root: Path = ROOT) -> dict[str, str]:
    """The environment over `.env` over the demo's own file; only names that are set count."""
    from dotenv import dotenv_values

    instance = Path(environ.get("INSTANCE_PATH") or root / "instance")
    merged: dict[str, str] = {"INSTANCE_PATH": str(instance)}
    own = {k: v for k, v in dotenv_values(root / ".env").items() if v}
    if (environ.get("MODE") or own.get("MODE") or "demo") == "demo":
        merged |= {k: v for k, v in dotenv_values(instance / "demo.env").items() if v}
    return merged | own | {k: v for k, v in environ.items() if v}


class _Reader:
    """Takes the values one by one and remembers every gap."""

    def __init__(self, environ: Mapping[str, str], *, is_served: bool) -> None:
        self.environ = environ
        self.is_served = is_served
        self.gaps: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        value = (self.environ.get(name) or DEFAULTS.get(name) or default or "").strip()
        if not value and default is None:
            self.gaps.append(f"{name} is missing")
        return value

    def read(self, name: str, of: Callable[[str], Any], otherwise: Any, default: str | None = None) -> Any:
        """A value through its parser; a malformed one is a gap and `otherwise` stands in."""
        text = self.text(name, default)
        if not text:
            return otherwise
        try:
            return of(text)
        except (ValueError, KeyError, DomainError, ZoneInfoNotFoundError) as error:
            self.gaps.append(f"{name} is malformed: {error}")
            return otherwise

    def optional(self, name: str) -> str | None:
        return (self.environ.get(name) or "").strip() or None

    def settings(self) -> Settings:
        mode = self.text("MODE")
        if mode not in MODES:
            self.gaps.append(f"MODE is {mode!r}: one of {', '.join(MODES)}")
        settings = self._read_all(mode, Path(self.environ.get("INSTANCE_PATH") or ROOT / "instance"))
        self._together(settings)
        if self.gaps and (self.is_served or self.gaps != [NO_HOOK]):
            raise SettingsError(self.gaps)
        return settings

    def _read_all(self, mode: str, instance: Path) -> Settings:
        currencies = self.read("CURRENCIES", _currencies, ("EUR",))
        mail_from = self.read("MAIL_FROM", _sender, "", _demo(mode, "noreply@newsroom.example"))
        return Settings(
            mode=mode,
            secret_key=self.text("SECRET_KEY"),
            database_url=self.read("DATABASE_URL", _database, "", f"sqlite:///{instance}/pressfund.sqlite"),
            base_url=self.read("BASE_URL", _origin, ""),
            timezone=self.read("TIMEZONE", ZoneInfo, ZoneInfo("UTC")),
            stripe_secret_key=self.text("STRIPE_SECRET_KEY"),
            stripe_webhook_secrets=self.read("STRIPE_WEBHOOK_SECRET", _words, ()),
            stripe_api_base=self.optional("STRIPE_API_BASE"),
            statement_descriptor=self.read(
                "STATEMENT_DESCRIPTOR", _descriptor, "", _demo(mode, "HIGHLAND FUND")
            ),
            vault_public_key=self.read("VAULT_PUBLIC_KEY", key_bytes, b""),
            vault_private_key=self.read("VAULT_PRIVATE_KEY", key_bytes, None, ""),
            email_key=self.read("EMAIL_KEY", key_bytes, b""),
            outbox_keys=self.read("OUTBOX_KEY", lambda text: tuple(map(key_bytes, _words(text))), ()),
            mail_url=self.read("MAIL_URL", _mail_way, "", _demo(mode, "file:")),
            mail_from=mail_from,
            staff_mail=self.read("STAFF_MAIL", _sender, "", mail_from),
            bounce_mailbox=self.read("BOUNCE_MAILBOX", mailbox_url, None, ""),
            ledger_currency=self.read("LEDGER_CURRENCY", _currency, "EUR"),
            currencies=currencies,
            fee_formula=self.read("FEE_FORMULA", FeeFormula.parse, FeeFormula.parse("0%+0")),
            amount_min=self._amounts("AMOUNT_MIN", currencies),
            amount_max=self._amounts("AMOUNT_MAX", currencies),
            review_above=self._amounts("REVIEW_ABOVE", currencies),
            grace_days=self.read("GRACE_DAYS", _whole, 14),
            metrics_token=self.optional("METRICS_TOKEN"),
            newsroom_name=self.text("NEWSROOM_NAME"),
            locales=self.read("LOCALES", _locales, ("en",)),
            trusted_proxies=self.read("TRUSTED_PROXIES", _whole, 0),
            poll_seconds=self.read("POLL_SECONDS", _whole, 600),
            instance_path=instance,
        )

    def _amounts(self, name: str, currencies: tuple[str, ...]) -> Mapping[str, Money]:
        amounts: dict[str, Money] = self.read(name, _amounts, {})
        for currency in currencies:
            if currency not in amounts:
                self.gaps.append(f"{name} says nothing of {currency}, which CURRENCIES lists")
        return amounts

    def _together(self, settings: Settings) -> None:
        """What only several settings together can get wrong."""
        key = settings.stripe_secret_key
        if settings.stripe_api_base:
            if settings.mode == "production":
                self.gaps.append("STRIPE_API_BASE is for demo and test only")
            elif urlsplit(settings.stripe_api_base).hostname not in LOOPBACK:
                self.gaps.append("STRIPE_API_BASE must be on this machine (a pretend Stripe)")
        if not _is_pair(settings.vault_private_key, settings.vault_public_key):
            self.gaps.append("VAULT_PRIVATE_KEY does not open what VAULT_PUBLIC_KEY seals: they are no pair")
        if settings.mode == "production":
            self._production(settings)
        elif key and not key.startswith(("sk_test_", "rk_test_")):
            self.gaps.append("STRIPE_SECRET_KEY must be a test key unless MODE=production")

    def _production(self, settings: Settings) -> None:
        if not settings.stripe_secret_key.startswith(("sk_live_", "rk_live_")):
            self.gaps.append("STRIPE_SECRET_KEY is not a live key")
        if not settings.is_https:
            self.gaps.append("BASE_URL must begin with https:// in production")
        if any("demo" in secret for secret in (settings.secret_key, *settings.stripe_webhook_secrets)):
            self.gaps.append(
                "SECRET_KEY or STRIPE_WEBHOOK_SECRET is a demo secret: make new ones with flask keys new"
            )
        if len(settings.secret_key) < 32:
            self.gaps.append("SECRET_KEY is shorter than 32 characters: make one with flask keys new")
        if settings.mail_url.startswith(("console:", "file:")):
            self.gaps.append("MAIL_URL must be smtp:// or smtps:// in production")


def key_bytes(text: str) -> bytes:
    """A 32-byte key from its base64url text."""
    try:
        key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("not base64url text") from error
    if len(key) != 32:
        raise ValueError("a key is 32 bytes in base64url; flask keys new makes them")
    return key


def mailbox_url(text: str) -> str:
    """The address of a mailbox. What is wrong with it is told without repeating it: it may hold a password."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("it is no address") from None
    if parts.scheme not in ("maildir", "mbox", "imap", "imaps"):
        raise ValueError("it begins with maildir:, mbox:, imap:// or imaps://")
    if parts.scheme.startswith("imap") and not (parts.hostname and parts.username and parts.password):
        raise ValueError("imaps://user:password@host/INBOX is needed, with % for special characters")
    if not parts.scheme.startswith("imap") and not parts.path.startswith("/"):
        raise ValueError("a full path is needed: maildir:/var/mail/bounces")
    return text


def _demo(mode: str, value: str) -> str | None:
    return None if mode == "production" else value


def _is_pair(private: bytes | None, public: bytes) -> bool:
    """Whether what one seals the other opens; true while one of them is not here."""
    return not private or not public or bytes(PrivateKey(private).public_key) == public


def _database(url: str) -> str:
    """PostgreSQL addresses mean psycopg, whatever their short form. What is wrong is told without the password."""
    for short in ("postgres://", "postgresql://"):
        if url.startswith(short):
            url = "postgresql+psycopg://" + url.removeprefix(short)
    if not url.startswith(("sqlite://", "postgresql+psycopg://")):
        raise ValueError("it begins with sqlite:/// or postgresql://")
    try:
        make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError("it is no address of a database") from None
    return url


def _mail_way(text: str) -> str:
    """How mail leaves; what is wrong is told without the password."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("it is no address") from None
    if parts.scheme not in ("smtp", "smtps", "console", "file"):
        raise ValueError("it begins with smtp://, smtps://, console: or file:")
    return text


def _sender(text: str) -> str:
    """`desk@example.org`, or `The desk <desk@example.org>`."""
    name, _, domain = parseaddr(text)[1].rpartition("@")
    if not name or not domain:
        raise ValueError("an address is needed, desk@example.org or The desk <desk@example.org>")
    return text


def _locales(text: str) -> tuple[str, ...]:
    for word in _words(text):
        if not localedata.exists(word):
            raise ValueError(f"{word} is not a language we know")
    return _words(text)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError("a whole number is needed")
    return int(text)


def _currency(text: str) -> str:
    if text not in CURRENCIES:
        raise ValueError(f"{text} is not a currency we know")
    return text


def _currencies(text: str) -> tuple[str, ...]:
    return tuple(_currency(word) for word in _words(text))


def _amounts(text: str) -> dict[str, Money]:
    """`EUR:3,GEL:8` in major units."""
    amounts = {}
    for word in _words(text):
        currency, _, amount = word.partition(":")
        amounts[_currency(currency)] = parse(amount, currency)
    return amounts


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError("an origin such as https://give.example.org is needed")
    return text.rstrip("/")


def _descriptor(text: str) -> str:
    """Stripe's rule: 5 to 22 Latin characters, at least one letter, no brackets, quotes, stars or backslashes."""
    if not (5 <= len(text) <= 22 and text.isascii() and any(c.isalpha() for c in text)) or set(text) & set(
        "<>\\'\"*"
    ):
        raise ValueError("5 to 22 Latin characters with a letter, without < > \\ ' \" *")
    return text
