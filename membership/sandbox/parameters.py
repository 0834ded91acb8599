"""Declared parameters: what each call takes, and the refusal Stripe gives for everything else.

A call's parameters are a `Shape` of named fields. Reading one returns plain Python values or raises the
400 Stripe would send: unknown, missing, wrong type, too long, not one of the allowed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from membership.sandbox.errors import ApiError, invalid

_BRACKETS = re.compile(r"\[([^\]]*)\]")


def decode(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Form pairs as nested dictionaries: a[b][0][c]=1, a[]=1. Lists stay dictionaries keyed by position."""
    out: dict[str, Any] = {}
    for name, value in pairs:
        head, bracket, rest = name.partition("[")
        keys = [head, *_BRACKETS.findall(bracket + rest)] if bracket else [head]
        place = out
        for key in keys[:-1]:
            step = key or str(len(place))
            if not isinstance(place.setdefault(step, {}), dict):
                raise invalid(f"Invalid object: {name}", name)
            place = place[step]
        last = keys[-1] or str(len(place))
        if isinstance(place.get(last), dict):
            raise invalid(f"Invalid object: {name}", name)
        place[last] = value
    return out


@dataclass(frozen=True, kw_only=True)
class Param:
    """One parameter; `clears` ones may be sent empty, which unsets the value."""

    required: bool = False
    clears: bool = False

    def read(self, raw: Any, name: str) -> Any:
        if raw == "":
            if self.clears:
                return None
            raise invalid(
                f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a "
                f"parameter; however '{name}' cannot be unset. You should remove '{name}' from your request or "
                "supply a non-empty value.",
                name,
                "parameter_invalid_empty",
            )
        return self.parse(raw, name)

    def parse(self, raw: Any, name: str) -> Any:
        raise NotImplementedError


def _scalar(raw: Any, name: str, what: str) -> str:
    if not isinstance(raw, str):
        raise invalid(
            f"Invalid {what}: {raw!r}", name, f"parameter_invalid_{what}" if what != "boolean" else None
        )
    return raw


@dataclass(frozen=True, kw_only=True)
class Text(Param):
    most: int = 5000
    least: int = 1
    pattern: str | None = None
    says: str = "has a wrong form"

    def parse(self, raw: Any, name: str) -> str:
        text = _scalar(raw, name, "string")
        if not text.strip():
            raise invalid(f"'{name}' must not be blank", name, "parameter_invalid_string_blank")
        if not self.least <= len(text) <= self.most:
            raise invalid(
                f"Invalid string: {text[:20]}...{text[-3:]}; must be between {self.least} and {self.most} characters",
                name,
            )
        if self.pattern and not re.fullmatch(self.pattern, text):
            raise invalid(f"Invalid {name}: {self.says}", name)
        return text


@dataclass(frozen=True, kw_only=True)
class Whole(Param):
    least: int = 0
    most: int = 10**15

    def parse(self, raw: Any, name: str) -> int:
        text = _scalar(raw, name, "integer")
        if not re.fullmatch(r"-?[0-9]{1,18}", text):
            raise invalid(f"Invalid integer: {text}", name, "parameter_invalid_integer")
        value = int(text)
        if value < self.least:
            raise invalid(
                f"Invalid integer: {value} must be greater than or equal to {self.least}",
                name,
                "parameter_invalid_integer",
            )
        if value > self.most:
            raise invalid(
                f"Invalid integer: {value} must be less than or equal to {self.most}",
                name,
                "parameter_invalid_integer",
            )
        return value


@dataclass(frozen=True, kw_only=True)
class Flag(Param):
    only: bool | None = None  # a feature this sandbox knows in one position alone

    def parse(self, raw: Any, name: str) -> bool:
        text = _scalar(raw, name, "boolean")
        if text not in {"true", "false"}:
            raise invalid(f"Invalid boolean: {text}", name)
        value = text == "true"
        if self.only is not None and value != self.only:
            raise invalid(f"The pretend Stripe only knows {name}={str(self.only).lower()}", name)
        return value


@dataclass(frozen=True, kw_only=True)
class Choice(Param):
    of: tuple[str, ...]

    def parse(self, raw: Any, name: str) -> str:
        text = _scalar(raw, name, "string")
        if text not in self.of:
            listed = ", ".join(self.of[:-1]) + f", or {self.of[-1]}" if len(self.of) > 1 else self.of[0]
            raise invalid(f"Invalid {name}: must be one of {listed}", name)
        return text


@dataclass(frozen=True, kw_only=True)
class Bag(Param):
    """Metadata: at most 50 keys of 40 characters, values of 500; an empty value removes its key."""

    clears: bool = True

    def parse(self, raw: Any, name: str) -> dict[str, str]:
        if not isinstance(raw, dict):
            raise invalid(f"Invalid hash: {raw!r}", name, "parameter_invalid_hash")
        for key, value in raw.items():
            if not isinstance(value, str):
                raise invalid("Metadata values must be strings", f"{name}[{key}]")
            if len(key) > 40:
                raise invalid(f"Metadata keys can be up to 40 characters, and '{key}' is {len(key)}", name)
            if len(value) > 500:
                raise invalid(
                    f"Metadata values must have at most 500 characters, but you passed in a value with {len(value)} "
                    f"characters. Invalid value: {value[:20]}...",
                    f"{name}[{key}]",
                )
        if len(raw) > 50:
            raise invalid(f"You can have up to 50 metadata keys, and you passed {len(raw)}", name)
        return dict(raw)


@dataclass(frozen=True, kw_only=True)
class Shape(Param):
    fields: Mapping[str, Param] = field(default_factory=dict)
    gone: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # removed by Stripe: code and sentence

    def parse(self, raw: Any, name: str) -> dict[str, Any]:
        if not isinstance(raw, dict):
            raise invalid(f"Invalid object: {raw!r}", name, "parameter_invalid_object")
        out: dict[str, Any] = {}
        for key, value in raw.items():
            full = f"{name}[{key}]" if name else key
            if key in self.gone:
                code, sentence = self.gone[key]
                raise invalid(sentence, full, code)
            if key not in self.fields:
                raise invalid(f"Received unknown parameter: {full}", full, "parameter_unknown")
            out[key] = self.fields[key].read(value, full)
        for key, param in self.fields.items():
            if param.required and key not in raw:
                full = f"{name}[{key}]" if name else key
                raise invalid(f"Missing required param: {full}.", full, "parameter_missing")
        return out


@dataclass(frozen=True, kw_only=True)
class Items(Param):
    of: Param
    most: int = 100

    def parse(self, raw: Any, name: str) -> list[Any]:
        if not isinstance(raw, dict) or not all(key.isascii() and key.isdigit() for key in raw):
            raise invalid(f"Invalid array: {raw!r}", name, "parameter_invalid_array")
        if len(raw) > self.most:
            raise invalid(f"Array {name} exceeded maximum {self.most} allowed elements", name)
        return [self.of.read(raw[key], f"{name}[{key}]") for key in sorted(raw, key=int)]


@dataclass(frozen=True, kw_only=True)
class Span(Param):
    """A moment, or gt/gte/lt/lte moments; read as (operator, value) pairs."""

    def parse(self, raw: Any, name: str) -> list[tuple[str, int]]:
        moment = Whole()
        if isinstance(raw, str):
            return [("=", moment.read(raw, name))]
        bounds = Shape(fields=dict.fromkeys(("gt", "gte", "lt", "lte"), moment)).parse(raw, name)
        signs = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
        return [(signs[key], value) for key, value in bounds.items()]


@dataclass(frozen=True, kw_only=True)
class Descriptor(Param):
    r"""What a bank statement shows: 5 to 22 characters with a letter, without < > \\ ' " *."""

    least: int = 5

    def parse(self, raw: Any, name: str) -> str:
        text = _scalar(raw, name, "string")
        if not self.least <= len(text) <= 22:
            raise invalid(f"The statement descriptor must be between {self.least} and 22 characters.", name)
        if re.search(r"[<>\\'\"*]", text) or not text.isascii() or not text.isprintable():
            raise invalid(
                "The statement descriptor must not contain any of <, >, \\, ', \", *, or non-ASCII.", name
            )
        if not re.search(r"[A-Za-z]", text):
            raise invalid("The statement descriptor must contain at least one letter.", name)
        return text


EXPAND = Items(of=Text(), most=20)
ID = Text(most=255)
URL = Text(pattern=r"https?://\S+", says="not a valid URL; it must include an explicit scheme")
EMAIL = Text(most=512, pattern=r"[^@\s]+@[^@\s]+\.[^@\s.]+", says="invalid email address")


def takes(gone: Mapping[str, tuple[str, str]] | None = None, /, **fields: Param) -> Shape:
    """The parameters of one call; every call also takes `expand`."""
    return Shape(fields={"expand": EXPAND, **fields}, gone=gone or {})


def merge_metadata(old: dict[str, str], new: dict[str, str] | None) -> dict[str, str]:
    """Metadata is merged: empty values remove their key, an empty bag removes all."""
    if new is None:
        return {}
    merged = {**old, **new}
    kept = {key: value for key, value in merged.items() if value != ""}
    if len(kept) > 50:
        raise ApiError(
            400, f"You can have up to 50 metadata keys, and this would make {len(kept)}", param="metadata"
        )
    return kept
