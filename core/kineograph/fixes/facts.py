# SPDX-License-Identifier: Apache-2.0
"""What is known about one error: ``words`` for sentences and ``values`` for the arguments of fixes.

Facts come from the error's details, from the request and from what the client knows. A fact that is missing is left
out: sentences and fixes that need it are then not used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kineograph.errors import ErrorCode, KineographError
from kineograph.fixes import facts_request, facts_service, inference, wording
from kineograph.fixes.retry import MAX_TRIES


@dataclass
class Facts:
    """``words``: fact to text. ``values``: fact to what it is."""

    words: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def put(self, name: str, value: Any, text: str | None = None) -> None:
        """Note a fact; None is no fact."""
        if value is not None:
            self.values[name] = value
            self.words[name] = wording.number(value) if text is None else text


@dataclass(frozen=True)
class Source:
    """Where facts are taken from. ``path`` is the place in the request that the error names, ``ref`` the client's."""

    error: KineographError
    details: Mapping[str, Any]
    request: Mapping[str, Any]
    path: tuple[Any, ...]
    ref: Any
    context: Mapping[str, Any]

    def item(self, *path: Any) -> Any:
        """What stands in the request at ``path``, or None."""
        return wording.item_at(self.request, path)

    def number(self, name: str) -> float | None:
        """A detail that is a finite number: other services send infinity too."""
        value = self.details.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max:
            return value
        return None

    def names(self, name: str) -> list[str]:
        """A detail that is a list of names."""
        value = self.details.get(name)
        return [v for v in value if isinstance(v, str)] if isinstance(value, (list, tuple)) else []

    def text(self, name: str) -> str | None:
        """A detail that is a text."""
        value = self.details.get(name)
        return value if isinstance(value, str) and value else None


Gatherer = Callable[[Source, Facts], None]
_GATHERERS: Mapping[str, Gatherer] = {**facts_request.GATHERERS, **facts_service.GATHERERS}


def gather(error: KineographError, context: Mapping[str, Any]) -> Facts:
    """Every fact about ``error``."""
    source = _source(error, context)
    facts = Facts()
    _general(source, facts)
    _place(source, facts)
    _models(source, facts)
    gatherer = _GATHERERS.get(str(error.code))
    if gatherer is not None:
        gatherer(source, facts)
    return facts


def _source(error: KineographError, context: Mapping[str, Any]) -> Source:
    request = context.get("request")
    request = request if isinstance(request, Mapping) else {}
    details = _completed(error, request, context)
    where = details.get("where")
    where = where if isinstance(where, Mapping) else {}
    path = where.get("path")
    parts = tuple(path) if isinstance(path, (list, tuple)) else _official_path(details)
    if len(parts) > 1 and parts[0] == "requests":  # one item of a batch
        inner = wording.item_at(request, parts[:2])
        request = inner if isinstance(inner, Mapping) else {}
        parts = parts[2:]
    parts = parts or inference.place_of(str(error.code), details, request)
    ref = where.get("ref")
    if ref is None:
        ref = ref_at(parts, context.get("refs"))
    return Source(error, details, request, parts, ref, context)


def _completed(error: KineographError, request: Mapping[str, Any], context: Mapping[str, Any]) -> Mapping[str, Any]:
    """The details, with what the request and the model's capabilities tell where a server says little."""
    details, capabilities = error.details, context.get("capabilities")
    if error.code is ErrorCode.INVALID_OPTIONS and not details:
        return inference.over_limit(request, capabilities)
    if error.code is ErrorCode.RETARGETING_UNSUPPORTED and "missing" not in details:
        return {**inference.rig_difference(request, capabilities), **details}
    return details


def _official_path(details: Mapping[str, Any]) -> tuple[Any, ...]:
    """From records of a schema library, where a foreign server names the place only there."""
    records = details.get("errors")
    first = records[0] if isinstance(records, (list, tuple)) and records else None
    loc = first.get("loc") if isinstance(first, Mapping) else None
    if not isinstance(loc, (list, tuple)):
        return ()
    parts = [p for p in loc if p != "body"]
    if len(parts) > 2 and parts[0] in ("segments", "constraints"):
        del parts[2]  # the name of the variant, which is no part of the path
    return tuple(parts)


def ref_at(path: Sequence[Any], refs: Any) -> Any:
    """The client's reference to the thing at ``path``: refs mirror the request, or are named by path."""
    if not isinstance(refs, Mapping) or not path:
        return None
    for size in range(len(path), 0, -1):
        for mark in ("/", "."):
            if (found := refs.get(mark.join(map(str, path[:size])))) is not None and not isinstance(
                found, (list, dict)
            ):
                return found
    node: Any = refs
    for part in path[:2]:
        below = wording.item_at(node, [part])
        node = below if below is not None else wording.item_at(node, [str(part)])
    return node if node is not None and not isinstance(node, (list, tuple)) else None


def _general(source: Source, facts: Facts) -> None:
    error, details, context = source.error, source.details, source.context
    if "got" in details:
        facts.put("got", details["got"])
    if details.get("allowed") is not None:
        facts.put("allowed", details["allowed"])
    message = error.message.strip()
    if message:
        facts.put("message", message)
        facts.put("message_low", message[:1].lower() + message[1:])
    wait_s = error.retry_after_s
    if wait_s is not None:
        facts.put("wait", wait_s, wording.seconds(wait_s))
    for name in ("attempt", "ahead"):
        if isinstance(context.get(name), int):
            facts.put(name, context[name])
    facts.put("tries", MAX_TRIES)
    if source.names("suggestions"):
        facts.put("suggestion", source.names("suggestions")[0])
    character = wording.ref_name(context.get("character"))
    if character:
        facts.put("character", character, f"'{character}'")
        facts.words["Character"] = facts.words["character"]
    for name in ("reason", "foreign_code"):
        facts.put(name, source.text(name))
    facts.put("ref", source.text("ref") or (error.request_id or "")[:8] or None)


def _place(source: Source, facts: Facts) -> None:
    place = wording.place(source.path, source.ref, source.request)
    facts.words["at"] = f" at {place}" if place is not None and len(source.path) > 1 else ""
    if place is not None:
        facts.put("place", place)
        facts.put("Place", wording.capital(place))
    if source.path:
        facts.put("path", list(source.path))
    if source.ref is not None:
        facts.put("ref_raw", source.ref)
    if source.path[:1] == ("constraints",) and len(source.path) > 1 and isinstance(source.path[1], int):
        facts.put("constraint", source.path[1])


def _models(source: Source, facts: Facts) -> None:
    """The model at hand, and another one that could do it: suggested by the daemon, or on offer to the client."""
    model = source.text("model") or source.item("model")
    if isinstance(model, str) and model:
        facts.put("model", model)
    offered = source.names("available_models") or _texts(source.context.get("models"))
    if "available_models" in source.details or source.context.get("models") is not None:
        facts.put("models" if offered else "no_models", offered)
    wrong = (model, source.details.get("got") if str(source.error.code) == "unknown_model" else None)
    other = next((m for m in [*_model_suggestions(source), *offered] if m not in wrong), None)
    facts.put("other_model", other)
    local = [m for m in _texts(source.context.get("local_models")) if m != model]
    facts.put("local_model", local[0] if local else None)


def _texts(value: Any) -> list[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(value, Iterable) else []


_NAMES_NO_MODEL = frozenset({"unknown_joint", "prompt_not_in_pack", "invalid_parameters"})


def _model_suggestions(source: Source) -> list[str]:
    if str(source.error.code) in _NAMES_NO_MODEL:
        return []
    if source.path[:2] == ("options", "model_options"):
        return []
    return source.names("suggestions")
