# SPDX-License-Identifier: Apache-2.0
"""From a message's class to its map and back, every field checked at the door."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from enum import StrEnum
from typing import Any, TypeVar, Union

from kineograph.errors import ErrorCode, RequestError

M = TypeVar("M")


def to_body(message: Any) -> dict[str, Any]:
    """The wire map of a message; fields at their default stay in, so that other languages need no defaults."""
    out = {}
    for name, _, _, _ in _spec(type(message)):
        value = getattr(message, name)
        out[name] = to_body(value) if hasattr(value, "__dataclass_fields__") else value
    return out


def from_body(cls: type[M], body: Mapping[str, Any]) -> M:
    """A message from its map. Unknown fields are ignored (a newer peer); missing and wrongly typed ones refuse.

    Raises ``schema_validation`` naming the field, what it got and what it takes.
    """
    kwargs = {}
    for name, fit, coerce, required in _spec(cls):
        if name in body:
            value = body[name]
            kwargs[name] = value if type(value) in fit else coerce(value, name)
        elif required:
            raise RequestError(
                ErrorCode.SCHEMA_VALIDATION, f"the field {name!r} is missing", {"where": {"path": [name]}, "got": None}
            )
    return cls(**kwargs)


_Coerce = Callable[[Any, str], Any]
_Spec = tuple[tuple[str, frozenset[type[Any]], _Coerce, bool], ...]
_specs: dict[type[Any], _Spec] = {}
"""Field name, types that fit as they are, check, required: made once a class, for a status is read thousands of times.
"""


def _spec(cls: type[Any]) -> _Spec:
    if cls not in _specs:
        hints = typing.get_type_hints(cls)
        _specs[cls] = tuple(
            (
                f.name,
                _fit(hints[f.name]),
                _coercer(hints[f.name]),
                f.default is MISSING and f.default_factory is MISSING,
            )
            for f in fields(cls)
        )
    return _specs[cls]


def _fit(hint: Any) -> frozenset[type[Any]]:
    """The types whose every value fits a field, so that its check need not be called. A float may be NaN."""
    if typing.get_origin(hint) in (Union, types.UnionType):
        return frozenset().union(*map(_fit, typing.get_args(hint)))
    kind = typing.get_origin(hint) or hint
    return frozenset({kind}) if kind in (str, int, bool, dict, types.NoneType) else frozenset()


def _coercer(hint: Any) -> _Coerce:
    """The check for one field's type: takes the value and the field's name, returns the value as that type."""
    origin = typing.get_origin(hint)
    if hint is Any:
        return lambda value, name: value
    if origin in (Union, types.UnionType):
        (inner,) = (a for a in typing.get_args(hint) if a is not type(None))
        check = _coercer(inner)
        return lambda value, name: None if value is None else check(value, name)
    if origin is list:
        return _list_of(_coercer(typing.get_args(hint)[0]), hint)
    if origin is dict:
        return _instance(dict, hint)
    if issubclass(hint, StrEnum):
        return _enum(hint)
    if hasattr(hint, "__dataclass_fields__"):
        return _message(hint)
    return _number if hint is float else _instance(hint, hint)


def _list_of(check: _Coerce, hint: Any) -> _Coerce:
    def coerce(value: Any, name: str) -> Any:
        if not isinstance(value, (list, tuple)):
            raise _wrong(name, value, str(hint))
        return [check(v, f"{name}[{i}]") for i, v in enumerate(value)]

    return coerce


def _enum(hint: type[StrEnum]) -> _Coerce:
    members = {str(x): x for x in hint}

    def coerce(value: Any, name: str) -> Any:
        try:
            return members[value]
        except (KeyError, TypeError):
            raise _wrong(name, value, list(members)) from None

    return coerce


def _message(hint: type[Any]) -> _Coerce:
    def coerce(value: Any, name: str) -> Any:
        if not isinstance(value, dict):
            raise _wrong(name, value, hint.__name__)
        return from_body(hint, value)

    return coerce


def _number(value: Any, name: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value:  # NaN differs from itself
        raise _wrong(name, value, "float")
    try:
        return float(value)
    except OverflowError:
        raise _wrong(name, str(value), "float") from None


def _instance(kind: type[Any], hint: Any) -> _Coerce:
    shown = getattr(hint, "__name__", str(hint))

    def coerce(value: Any, name: str) -> Any:
        # True is an int to Python, and to nobody else.
        if not isinstance(value, kind) or (value is True or value is False) is not (kind is bool):
            raise _wrong(name, value, shown)
        return value

    return coerce


def _wrong(name: str, value: Any, allowed: Any) -> RequestError:
    got = value if isinstance(value, (str, int, float, bool, type(None))) else type(value).__name__
    if isinstance(got, str):
        got = got[:200]
    return RequestError(
        ErrorCode.SCHEMA_VALIDATION,
        f"the field {name!r} is {got!r}, it takes {allowed}",
        {"where": {"path": [name]}, "got": got, "allowed": allowed},
    )
