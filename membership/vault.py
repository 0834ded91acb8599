"""What names a person is sealed here and opened here, nowhere else; and e-mail addresses get their keys.

Three kinds of secret, each with its own key (32 bytes, written as base64url text in the settings):
- a *sealed box* under the newsroom's public key holds identities for good; only the private key opens it,
  and a server may run without one (`NoPrivateKey` then);
- a *locked box* under the outbox key holds what the server itself must read again soon (a mail's recipient,
  a call's parameters). Several keys may be given: the first locks, all open;
- the *e-mail key* turns a normalised address into the hash by which a person is found.

Boxes hold a JSON object, padded to a multiple of 128 bytes so that their length tells little. What cannot be
opened raises `WrongKey`. Nothing here is logged, and no error repeats what it was given.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
import unicodedata
from dataclasses import dataclass
from typing import Any

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from nacl.bindings import sodium_pad, sodium_unpad
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.secret import SecretBox

from membership.errors import N_, DomainError, Invalid

_BLOCK = 128
_KEY_BYTES = 32


class NoPrivateKey(DomainError):
    """This server holds no private key, so sealed identities stay sealed here."""


class WrongKey(DomainError):
    """None of our keys opens the box, or the box is damaged."""


class BadKey(DomainError, ValueError):
    """A key in the settings is not a key, or two keys do not belong together."""


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """All the vault's keys: raw bytes, or their base64url text."""

    public: bytes | str
    private: bytes | str | None
    email_key: bytes | str
    outbox_keys: tuple[bytes | str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class _Opened:
    seal: SealedBox[PublicKey]
    unseal: SealedBox[PrivateKey] | None
    email_key: bytes
    locks: tuple[SecretBox, ...]


class _Vault:
    opened: _Opened | None = None


def configure(keys: Keys | None) -> None:
    """Use these keys from now on (None: none). Raises BadKey when they are no keys or no pair."""
    _Vault.opened = None if keys is None else _open(keys)


def _open(keys: Keys) -> _Opened:
    public = PublicKey(_key(keys.public, "VAULT_PUBLIC_KEY"))
    private = PrivateKey(_key(keys.private, "VAULT_PRIVATE_KEY")) if keys.private else None
    if private is not None and private.public_key != public:
        raise BadKey(N_("VAULT_PRIVATE_KEY does not open what VAULT_PUBLIC_KEY seals."))
    if not keys.outbox_keys:
        raise BadKey(N_("%(name)s is not a key; flask keys new prints fresh ones."), name="OUTBOX_KEY")
    return _Opened(
        seal=SealedBox(public),
        unseal=SealedBox(private) if private is not None else None,
        email_key=_key(keys.email_key, "EMAIL_KEY"),
        locks=tuple(SecretBox(_key(key, "OUTBOX_KEY")) for key in keys.outbox_keys),
    )


def _key(value: bytes | str, name: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)) if isinstance(value, str) else value
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != _KEY_BYTES:
        raise BadKey(N_("%(name)s is not a key; flask keys new prints fresh ones."), name=name)
    return raw


def _opened() -> _Opened:
    if _Vault.opened is None:
        raise RuntimeError("the vault has no keys yet: call vault.configure first")
    return _Vault.opened


def new_keys() -> dict[str, str]:
    """Fresh keys by the names of their settings."""
    private = PrivateKey.generate()
    return {
        "VAULT_PUBLIC_KEY": _text(bytes(private.public_key)),
        "VAULT_PRIVATE_KEY": _text(bytes(private)),
        "EMAIL_KEY": _text(secrets.token_bytes(_KEY_BYTES)),
        "OUTBOX_KEY": _text(secrets.token_bytes(_KEY_BYTES)),
    }


def _text(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode().rstrip("=")


# --- boxes -------------------------------------------------------------------------------------------------


def seal(data: dict[str, Any]) -> bytes:
    """Seal for the holder of the private key."""
    return seal_text(_text_of(data))


def seal_text(text: bytes) -> bytes:
    """Seal an object that is JSON already, as it stands."""
    return bytes(_opened().seal.encrypt(_padded(text)))


def open_sealed(blob: bytes) -> dict[str, Any]:
    """What was sealed. Raises NoPrivateKey, or WrongKey."""
    unseal = _opened().unseal
    if unseal is None:
        raise NoPrivateKey(N_("This server does not hold the key that opens sealed names and addresses."))
    try:
        return _unpacked(unseal.decrypt(blob))
    except (CryptoError, ValueError, TypeError):
        raise WrongKey(
            N_("This was sealed with another key than VAULT_PUBLIC_KEY, or it is damaged.")
        ) from None


def lock(data: dict[str, Any]) -> bytes:
    """Lock with the first outbox key."""
    return bytes(_opened().locks[0].encrypt(_padded(_text_of(data))))


def unlock(blob: bytes) -> dict[str, Any]:
    """What was locked, by whichever outbox key locked it. Raises WrongKey."""
    for box in _opened().locks:
        try:
            return _unpacked(box.decrypt(blob))
        except (CryptoError, ValueError, TypeError):
            continue
    raise WrongKey(N_("None of the keys in OUTBOX_KEY opens this, or it is damaged."))


def _text_of(data: dict[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _padded(text: bytes) -> bytes:
    return bytes(sodium_pad(text, _BLOCK))


def _unpacked(padded: bytes) -> dict[str, Any]:
    data = json.loads(sodium_unpad(padded, _BLOCK))
    if not isinstance(data, dict):
        raise TypeError("a box holds an object")
    return data


# --- e-mail addresses --------------------------------------------------------------------------------------

# Demonstrations and tests write to .test, .example and .localhost; taking names off this list is the
# library's own way to allow them.
SPECIAL_USE_DOMAIN_NAMES.clear()

# Spaces, line breaks, controls, invisible marks: dropped at the ends, refused inside.
_BLANK = re.compile(r"[\s\x00-\x20\x7f-\xa0\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]+")
_BLANK_ENDS = re.compile(rf"^{_BLANK.pattern}|{_BLANK.pattern}$")


def clean_email(text: str) -> str:
    """The address as it was typed, fit to be written to: trimmed, NFKC, its domain in ASCII (punycode).

    The part before the @ keeps its case. Special domains (.test, .example, .localhost) are addresses too;
    whether a domain takes mail is not asked. Raises Invalid(field="email") with a sentence.
    """
    text = unicodedata.normalize("NFKC", _BLANK_ENDS.sub("", text))
    if not text:
        raise _refused(N_("Please write your e-mail address."))
    local, at, _domain = text.rpartition("@")
    if not at:
        raise _refused(N_("An e-mail address has an @ in it, for example name@example.org."))
    if not local.isascii():
        raise _refused(
            N_("Please give an address with Latin letters before the @: we cannot write to others yet.")
        )
    if len(text) > 254 or len(local) > 64:
        raise _refused(N_("This e-mail address is too long."))
    if _BLANK.search(text) or '"' in text:
        raise _refused(N_("An e-mail address has no spaces or quotation marks in it."))
    try:
        valid = validate_email(
            text,
            allow_smtputf8=False,
            check_deliverability=False,
            globally_deliverable=False,  # or .test and .localhost are refused; what else it asks, we ask below
        )
    except EmailNotValidError:
        raise _misspelt() from None
    domain = valid.ascii_domain
    if "." not in domain or not domain[-1].isalpha():
        raise _misspelt()
    return f"{valid.local_part}@{domain}"


def normalise_email(text: str) -> str:
    """The address for comparing: as `clean_email`, casefolded. Raises Invalid with a sentence."""
    return clean_email(text).casefold()


def email_key(email: str) -> str:
    """The hash by which an address is found again (64 hex digits). Raises Invalid like `normalise_email`."""
    normalised = normalise_email(email).encode()
    return hmac.new(_opened().email_key, normalised, hashlib.sha256).hexdigest()


def fingerprint(text: str) -> str:
    """A keyed hash by which the same text is known again and from which none can be guessed without our key."""
    key = hmac.new(_opened().email_key, b"fingerprint", hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def mask(email: str) -> str:
    """An address its owner recognises and nobody else learns: nino@example.org is n…@e…e.org."""
    local, _, domain = email.rpartition("@")
    host, dot, top = domain.rpartition(".")
    if not dot:
        host, top = top, ""
    ends = f"{host[0]}…{host[-1]}" if len(host) > 2 else "…"
    return f"{local[:1]}…@{ends}{dot}{top}"


def _refused(sentence: str) -> Invalid:
    return Invalid(sentence, field="email")


def _misspelt() -> Invalid:
    return _refused(N_("This does not look like an e-mail address. Is there a letter too many or too few?"))
