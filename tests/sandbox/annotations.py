"""Holds plain JSON against the SDK's own classes: keys, types, and what may not be missing."""

import decimal
import importlib
import inspect
import re
import sys
import typing

import stripe
import typing_extensions

SKIP = {"OBJECT_NAME", "last_response"}


class Names(dict):
    """What a name in a module's annotations means: its own, what its type checker imports, or the SDK's."""

    def __init__(self, module):
        super().__init__()
        self._module = module
        self._source = inspect.getsource(module)

    def __missing__(self, name):
        if hasattr(self._module, name):
            return getattr(self._module, name)
        for path, names in re.findall(
            r"^ +from (stripe\S*) import (\([^)]*\)|[^(\n]*)$", self._source, re.MULTILINE
        ):
            for one in names.strip("()").split(","):
                original, _, alias = one.strip().partition(" as ")
                if (alias or original) == name:
                    return getattr(importlib.import_module(path), original)
        if hasattr(typing, name):
            return getattr(typing, name)
        if hasattr(stripe, name):
            return getattr(stripe, name)
        raise KeyError(name)


_HINTS = {}


def hints(cls):
    if cls not in _HINTS:
        module = sys.modules[cls.__module__]
        own = {name for base in cls.__mro__ for name in vars(base).get("__annotations__", {})}
        every = typing.get_type_hints(cls, None, Names(module))
        _HINTS[cls] = {
            name: hint
            for name, hint in every.items()
            if name in own and name not in SKIP and not name.startswith("_")
        }
    return _HINTS[cls]


def _optional(hint):
    return type(None) in typing.get_args(hint)


def problems(value, cls, where=""):
    """Every way in which this JSON is not what the class says."""
    if value.get("deleted"):
        return []
    known = hints(cls)
    out = [f"{where}.{key}: not in {cls.__qualname__}" for key in value if key not in known]
    out += [
        f"{where}.{key}: missing" for key, hint in known.items() if key not in value and not _optional(hint)
    ]
    for key, item in value.items():
        if key in known:
            out += _fits(item, known[key], f"{where}.{key}")
    return out


def _fits(value, hint, where):
    options = typing.get_args(hint) if typing.get_origin(hint) is typing.Union else (hint,)
    if value is None:
        return (
            [] if {type(None), typing.Any} & set(options) else [f"{where}: null, which {hint} does not allow"]
        )
    found = [_fit_one(value, option, where) for option in options if option is not type(None)]
    if any(not one for one in found):
        return []
    return min(found, key=len)


def _fit_one(value, hint, where):
    origin = typing.get_origin(hint)
    if origin is list and isinstance(value, list):
        return _each(value, hint, where)
    if inspect.isclass(origin) and issubclass(origin, stripe.ListObject) and isinstance(value, dict):
        return problems_of_list(value, hint, where)
    if (
        inspect.isclass(origin) and origin is not list and isinstance(value, dict)
    ):  # UntypedStripeObject: a free hash
        inner = typing.get_args(hint)[0]
        return [one for key, item in value.items() for one in _fits(item, inner, f"{where}.{key}")]
    if inspect.isclass(hint) and issubclass(hint, stripe.StripeObject) and isinstance(value, dict):
        return problems(value, hint, where)
    return [] if _is(value, hint, origin) else [f"{where}: {value!r} is no {hint}"]


def _is(value, hint, origin):
    """A plain value of that type; whole numbers are no booleans and strings no numbers."""
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if hint is decimal.Decimal:
        return isinstance(value, str) and bool(re.fullmatch(r"-?[0-9.]+", value))
    if hint is float:
        return type(value) in {int, float}
    return hint is typing.Any or type(value) is hint


def _each(values, hint, where):
    inner = typing.get_args(hint)[0]
    return [one for index, item in enumerate(values) for one in _fits(item, inner, f"{where}[{index}]")]


def problems_of_list(value, hint, where):
    if value.get("object") != "list":
        return [f"{where}: no list"]
    strange = [
        f"{where}.{key}: not in a list" for key in value if key not in {"object", "data", "has_more", "url"}
    ]
    return _each(value["data"], hint, where) + strange


def parameters(typed_dict):
    """A *Params TypedDict as {name: hint}."""
    module = sys.modules[typed_dict.__module__]
    every = typing.get_type_hints(typed_dict, None, Names(module))
    inherited = getattr(stripe, "RequestOptions", None)
    skipped = set(getattr(inherited, "__annotations__", {}))
    return {name: hint for name, hint in every.items() if name not in skipped}


def typed_dicts(hint):
    """The TypedDicts inside a hint."""
    if typing_extensions.is_typeddict(hint):
        return [hint]
    return [one for part in typing.get_args(hint) for one in typed_dicts(part)]
