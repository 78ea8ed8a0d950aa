# SPDX-License-Identifier: Apache-2.0
"""From a message's class to its map and back, every field checked at the door.

The same few shapes of maps come thousands of times: what has to be looked at in one is found out once a shape (its keys
and the types of its values), and the rest of it is taken as it is.
"""

from __future__ import annotations

import contextlib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar, Union

from kineograph.errors import ErrorCode, RequestError

M = TypeVar("M")


def to_body(message: Any) -> dict[str, Any]:
    """The wire map of a message; fields at their default stay in, so that other languages need no defaults."""
    layout = _layouts.get(type(message)) or _layout(type(message))
    out = dict(zip(layout.names, layout.values_of(message), strict=True))
    for name in layout.nested:
        value = out[name]
        if type(value) not in _FLAT and hasattr(value, "__dataclass_fields__"):
            out[name] = to_body(value)
    return out


def from_body(cls: type[M], body: Mapping[str, Any]) -> M:
    """A message from its map. Unknown fields are ignored (a newer peer); missing and wrongly typed ones refuse.

    Raises ``schema_validation`` naming the field, what it got and what it takes.
    """
    shape = (cls, *body, *map(type, body.values()))
    plan = _plans.get(shape) or _plan(cls, body, shape)
    values = {**plan.defaults, **body} if plan.is_exact else _known(plan.defaults, body)
    try:
        for name, make in plan.made:
            values[name] = make()
        for name, members in plan.enums:
            values[name] = members[values[name]]
        for name in plan.floats:
            if values[name] != values[name]:  # NaN differs from itself
                raise KeyError(name)
        for name, check in plan.checks:
            values[name] = check(values[name], name)
    except (KeyError, RequestError):
        _refuse(cls, body)
        raise
    return built(cls, values)


def built(cls: type[M], values: dict[str, Any]) -> M:
    """A message of values that fit, every field named: what its ``__init__`` would make of them, in one step."""
    message = object.__new__(cls)
    message.__dict__.update(values)
    return message


_Check = Callable[[Any, str], Any]
_NAMES = {
    "str": "text",
    "dict": "map",
    "list": "list",
    "tuple": "list",
    "bytes": "byte string",
    "ndarray": "number array",
}
"""What the protocol calls them; a peer need not know Python. By name: help on messages does without numpy."""
_FLAT = frozenset({str, int, float, bool, bytes, dict, list, types.NoneType})


class _Layout(NamedTuple):
    """Of a class: its fields, how to take their values, and which of them may hold messages."""

    names: tuple[str, ...]
    values_of: Callable[[Any], tuple[Any, ...]]
    nested: tuple[str, ...]


class _Field(NamedTuple):
    """Of a field: the types that fit as they are, the texts of an enumeration, the check for everything else."""

    fit: frozenset[type[Any]]
    members: dict[str, Any]
    check: _Check
    default: Any
    make: Any

    @property
    def is_required(self) -> bool:
        return self.default is MISSING and self.make is MISSING


class _Plan(NamedTuple):
    """What is left to do for a map of one shape. ``is_exact``: it has no unknown keys."""

    is_exact: bool
    defaults: dict[str, Any]
    made: tuple[tuple[str, Callable[[], Any]], ...]
    enums: tuple[tuple[str, dict[str, Any]], ...]
    floats: tuple[str, ...]
    checks: tuple[tuple[str, _Check], ...]


_MOST_PLANS = 512
_MOST_KEYS = 64
"""Peers decide what shapes come: no more of them are remembered than honest ones need."""
_layouts: dict[type[Any], _Layout] = {}
_specs: dict[type[Any], dict[str, _Field]] = {}
_plans: dict[tuple[Any, ...], _Plan] = {}


def _layout(cls: type[Any]) -> _Layout:
    names = tuple(f.name for f in fields(cls))
    hints = typing.get_type_hints(cls)
    take = attrgetter(*names) if len(names) > 1 else lambda message: tuple(getattr(message, name) for name in names)
    _layouts[cls] = _Layout(names, take, tuple(name for name in names if _may_hold_messages(hints[name])))
    return _layouts[cls]


def _may_hold_messages(hint: Any) -> bool:
    if typing.get_origin(hint) in (Union, types.UnionType):
        return any(map(_may_hold_messages, typing.get_args(hint)))
    return hint is Any or hasattr(hint, "__dataclass_fields__")


def _spec(cls: type[Any]) -> dict[str, _Field]:
    if cls not in _specs:
        hints = typing.get_type_hints(cls)
        _specs[cls] = {
            f.name: _Field(
                _fit(hints[f.name]), _members(hints[f.name]), _checker(hints[f.name]), f.default, f.default_factory
            )
            for f in fields(cls)
        }
    return _specs[cls]


def _plan(cls: type[Any], body: Mapping[str, Any], shape: tuple[Any, ...]) -> _Plan:
    spec = _spec(cls)
    enums, floats, checks = [], [], []
    for name, field in spec.items():
        if name not in body:
            if field.is_required:
                _refuse(cls, body)
            continue
        kind = type(body[name])
        if kind is str and field.members:
            enums.append((name, field.members))
        elif kind is float and float in field.fit:
            floats.append(name)
        elif kind not in field.fit and field.check is not _anything:
            checks.append((name, field.check))
    plan = _Plan(
        is_exact=all(name in spec for name in body),
        defaults={name: f.default for name, f in spec.items() if f.default is not MISSING or name in body},
        made=tuple((name, f.make) for name, f in spec.items() if f.make is not MISSING and name not in body),
        enums=tuple(enums),
        floats=tuple(floats),
        checks=tuple(checks),
    )
    if len(body) <= _MOST_KEYS:
        if len(_plans) >= _MOST_PLANS:
            _plans.clear()
        _plans[shape] = plan
    return plan


def _known(defaults: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    return {**defaults, **{name: value for name, value in body.items() if name in defaults}}


def _refuse(cls: type[Any], body: Mapping[str, Any]) -> None:
    """Raise what is wrong with the first field that does not fit."""
    for name, field in _spec(cls).items():
        if name in body:
            field.check(body[name], name)
        elif field.is_required:
            raise RequestError(
                ErrorCode.SCHEMA_VALIDATION, f"the field {name!r} is missing", {"where": {"path": [name]}, "got": None}
            )


def _fit(hint: Any) -> frozenset[type[Any]]:
    """The types whose every value fits a field, so that its check need not be called; but for a float that is NaN."""
    if typing.get_origin(hint) in (Union, types.UnionType):
        return frozenset().union(*map(_fit, typing.get_args(hint)))
    kind = typing.get_origin(hint) or hint
    return frozenset({kind}) if kind in (str, int, float, bool, dict, types.NoneType) else frozenset()


def _type_name(hint: Any) -> str:
    """A field's type as the protocol writes it."""
    kind = typing.get_origin(hint) or hint
    if kind is list:
        return f"list of {_type_name(typing.get_args(hint)[0])}"
    return _NAMES.get(kind.__name__) or str(kind.__name__)


def _members(hint: Any) -> dict[str, Any]:
    return {str(x): x for x in hint} if isinstance(hint, type) and issubclass(hint, StrEnum) else {}


def _anything(value: Any, name: str) -> Any:
    return value


def _checker(hint: Any) -> _Check:
    """The check for one field's type: takes the value and the field's name, returns the value as that type."""
    origin = typing.get_origin(hint)
    if hint is Any:
        return _anything
    if origin in (Union, types.UnionType):
        (inner,) = (a for a in typing.get_args(hint) if a is not type(None))
        check = _checker(inner)
        return lambda value, name: None if value is None else check(value, name)
    if origin is list:
        return _list_of(typing.get_args(hint)[0], hint)
    if origin is dict:
        return _instance(dict, hint)
    if issubclass(hint, StrEnum):
        return _enum(hint)
    if hasattr(hint, "__dataclass_fields__"):
        return _message(hint)
    return _number if hint is float else _instance(hint, hint)


def _list_of(item: Any, hint: Any) -> _Check:
    check, fit, members = _checker(item), _fit(item) - {float}, _members(item)

    def coerce(value: Any, name: str) -> Any:
        if not isinstance(value, (list, tuple)):
            raise _wrong(name, value, _type_name(hint))
        if fit.issuperset(map(type, value)):
            return [*value]
        if members:
            with contextlib.suppress(KeyError, TypeError):
                return [*map(members.__getitem__, value)]
        out = []
        for i, v in enumerate(value):
            try:
                out.append(check(v, name))
            except RequestError as e:
                details = {**e.details, "where": {"path": [name, i]}}
                raise RequestError(e.code, e.message.replace(repr(name), repr(f"{name}[{i}]"), 1), details) from None
        return out

    return coerce


def _enum(hint: type[StrEnum]) -> _Check:
    members = _members(hint)

    def coerce(value: Any, name: str) -> Any:
        try:
            return members[value]
        except (KeyError, TypeError):
            raise _wrong(name, value, list(members)) from None

    return coerce


def _message(hint: type[Any]) -> _Check:
    def coerce(value: Any, name: str) -> Any:
        if not isinstance(value, dict):
            raise _wrong(name, value, "map")
        return from_body(hint, value)

    return coerce


def _number(value: Any, name: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value:  # NaN differs from itself
        raise _wrong(name, value, "float")
    try:
        return float(value)
    except OverflowError:
        raise _wrong(name, str(value), "float") from None


def _instance(kind: type[Any], hint: Any) -> _Check:
    shown = _type_name(hint)

    def coerce(value: Any, name: str) -> Any:
        # True is an int to Python, and to nobody else.
        if not isinstance(value, kind) or (value is True or value is False) is not (kind is bool):
            raise _wrong(name, value, shown)
        return value

    return coerce


def _wrong(name: str, value: Any, allowed: Any) -> RequestError:
    is_plain = value is None or isinstance(value, (str, int, float, bool))
    got = value if is_plain else f"a {_NAMES.get(type(value).__name__) or type(value).__name__}"
    if isinstance(got, str):
        got = got[:200]
    shown = "nil" if got is None else str(got).lower() if isinstance(got, bool) else repr(got) if is_plain else got
    return RequestError(
        ErrorCode.SCHEMA_VALIDATION,
        f"the field {name!r} is {shown}, it takes {allowed}",
        {"where": {"path": [name]}, "got": got, "allowed": allowed},
    )
