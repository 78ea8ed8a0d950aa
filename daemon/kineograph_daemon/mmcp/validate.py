# SPDX-License-Identifier: Apache-2.0
"""The door: one MMCP request, or a batch of them, checked in MMCP's own order. The first failure wins.

    size against the largest cap -> protocol major -> segment types of the named model -> schema and rulings ->
    the model -> what that model takes (``checks``) -> the model's own cap

Nothing here runs a model; what passes is the typed request that a backbone gets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from motionmcp.backbone import ModelSpec
from motionmcp.protocol import DEFAULT_LIMITS, PROTOCOL_MAJOR
from motionmcp.schemas import GenerateRequest

from kineograph.errors import ErrorCode, KineographError, from_envelope
from kineograph.wire import codec
from kineograph_daemon.mmcp import checks, checks_rig
from kineograph_daemon.mmcp.aliases import read_as
from kineograph_daemon.mmcp.checks_rig import Takers
from kineograph_daemon.mmcp.faults import fault, name_place, nearest, plain
from kineograph_daemon.mmcp.schema import parse

__all__ = ["ModelEntry", "check_batch", "check_request", "parse"]

_VERSION = re.compile(r"\d+\.\d+")


@dataclass(frozen=True)
class ModelEntry:
    """A model that this daemon hosts: what it takes, or why it cannot say so now. ``carried`` models move their own
    skeleton, and the daemon carries the motion to rigs whose limbs it can find."""

    spec: ModelSpec | None
    error: KineographError | None = None
    carried: bool = False

    def ready_spec(self) -> ModelSpec:
        """The spec. Raises the model's own error, or ``model_unavailable``, when there is none."""
        if self.spec is not None:
            return self.spec
        if self.error is not None:
            raise from_envelope(self.error.to_envelope())
        raise fault(ErrorCode.MODEL_UNAVAILABLE, "the model is not ready yet", ["model"])


def check_request(
    payload: Any, size_bytes: int, models: Mapping[str, ModelEntry], refs: Mapping[str, Any] | None = None
) -> GenerateRequest:
    """The checked request of ``payload``, which took ``size_bytes`` on the wire.

    Raises the first refusal, its ``where`` naming the client's own reference from ``refs`` (see ``name_place``).
    """
    try:
        _check_size(size_bytes, _largest_cap(models), payload)
        request, spec = _checked(payload, models)
        _check_size(size_bytes, spec.limits.max_request_bytes, payload)
    except KineographError as exc:
        raise name_place(exc, refs) from None
    return request


def check_batch(
    payload: Any, size_bytes: int, models: Mapping[str, ModelEntry], item_bytes: Sequence[int] = ()
) -> list[GenerateRequest | KineographError]:
    """One outcome an item, in order: the checked request, or its own refusal.

    ``item_bytes`` tells what each item takes, where it is known; else it is measured when need be.
    Raises only when the body is no batch: too large, no version, a version of another major, no list of requests,
    or more of them than the smallest limit of all models.
    """
    _check_size(size_bytes, _largest_cap(models), payload)
    version, items = _batch_parts(payload)
    limit = min((spec.limits.max_batch_size for spec in _specs(models)), default=int(DEFAULT_LIMITS["max_batch_size"]))
    if len(items) > limit:
        raise fault(
            ErrorCode.INVALID_OPTIONS,
            f"the batch has {len(items)} requests, the limit is {limit}",
            ["requests"],
            official={"max_batch_size": limit, "requests": len(items)},
            got=len(items),
            allowed=limit,
        )
    known: Sequence[int | None] = item_bytes if len(item_bytes) == len(items) else [None] * len(items)
    return [_batch_item(index, item, version, size_bytes, models, known[index]) for index, item in enumerate(items)]


def _batch_parts(payload: Any) -> tuple[str, Sequence[Any]]:
    if not isinstance(payload, dict) or not isinstance(payload.get("protocol_version"), str):
        got = payload.get("protocol_version") if isinstance(payload, dict) else payload
        raise fault(
            ErrorCode.SCHEMA_VALIDATION,
            "a batch needs a protocol_version",
            ["protocol_version"],
            got=got,
            allowed="1.x",
        )
    _check_version(payload["protocol_version"])
    items = payload.get("requests")
    if not isinstance(items, list) or not items:
        raise fault(
            ErrorCode.SCHEMA_VALIDATION,
            "requests must be a list with at least one request",
            ["requests"],
            got=items,
            allowed="a list of requests",
        )
    return payload["protocol_version"], items


def _batch_item(
    index: int, item: Any, version: str, batch_bytes: int, models: Mapping[str, ModelEntry], known_bytes: int | None
) -> GenerateRequest | KineographError:
    try:
        if not isinstance(item, dict):
            raise fault(ErrorCode.SCHEMA_VALIDATION, "a request must be an object", [], got=item, allowed="an object")
        request, spec = _checked({"protocol_version": version, **item}, models)
        cap = spec.limits.max_request_bytes
        if batch_bytes > cap:  # only then can one item be over it: measuring an item means packing it
            size_bytes = sum(map(len, codec.pack_body(item))) if known_bytes is None else known_bytes
            _check_size(size_bytes, cap, item)
    except KineographError as exc:
        where = exc.details.get("where")
        if isinstance(where, dict):
            where["path"] = ["requests", index, *where.get("path", [])]
        return exc
    return request


def _checked(payload: Any, models: Mapping[str, ModelEntry]) -> tuple[GenerateRequest, ModelSpec]:
    """The request and its model's spec; a name that the rig does not have is read as the rig's profile says."""
    request = _read(payload, models)
    try:
        return request, _check_for_model(request, models)
    except KineographError as refused:
        known = read_as(payload) if refused.code is ErrorCode.UNKNOWN_JOINT else None
        if known is None:
            raise
    request = _read(known.payload, models)
    return request, _check_for_model(request, models)


def _read(payload: Any, models: Mapping[str, ModelEntry]) -> GenerateRequest:
    version = payload.get("protocol_version") if isinstance(payload, dict) else None
    if isinstance(version, str) and _VERSION.fullmatch(version):
        _check_version(version)
    _check_segment_types(payload, models)
    return parse(payload)


def _check_version(version: str) -> None:
    # Only the major counts: 1.999 is a version of our major with additions that the schema will refuse or not.
    try:
        major = int(version.split(".", 1)[0])
    except ValueError:
        major = -1
    if major != PROTOCOL_MAJOR:
        raise fault(
            ErrorCode.VERSION_UNSUPPORTED,
            f"the request speaks MMCP {plain(version)}, this daemon {PROTOCOL_MAJOR}.x",
            ["protocol_version"],
            official={"supported_majors": [str(PROTOCOL_MAJOR)]},
            got=version,
            allowed=[f"{PROTOCOL_MAJOR}.x"],
        )


def _check_segment_types(payload: Any, models: Mapping[str, ModelEntry]) -> None:
    """From the raw payload, so that a video or a clip that the model cannot take is never parsed."""
    if not isinstance(payload, dict) or not isinstance(payload.get("model"), str):
        return
    entry, segments = models.get(payload["model"]), payload.get("segments")
    if entry is None:
        return
    spec = entry.ready_spec()
    if isinstance(segments, list):
        types = [segment.get("type") if isinstance(segment, dict) else None for segment in segments]
        checks.segment_types(types, spec, _takers(models))


def _check_for_model(request: GenerateRequest, models: Mapping[str, ModelEntry]) -> ModelSpec:
    entry = models.get(request.model)
    if entry is None:
        raise fault(
            ErrorCode.UNKNOWN_MODEL,
            f"there is no model {plain(request.model)!r} here",
            ["model"],
            official={"available_models": sorted(models)},
            got=request.model,
            allowed=sorted(models),
            suggestions=_nearest_models(request.model, models),
        )
    spec = entry.ready_spec()
    if entry.carried:
        checks_rig.carried(request.skeleton, spec, lambda: _any_rig(models))
    checks.against_spec(request, spec, _takers(models))
    return spec


def _any_rig(models: Mapping[str, ModelEntry]) -> list[str]:
    """Models that move any rig by themselves."""
    return [i for i, e in models.items() if e.spec is not None and e.spec.supports_retargeting and not e.carried]


def _takers(models: Mapping[str, ModelEntry]) -> Takers:
    """Which models have a trait: asked only once a refusal is certain, to say where to turn."""
    return lambda has: sorted(id_ for id_, entry in models.items() if entry.spec is not None and has(entry.spec))


def _specs(models: Mapping[str, ModelEntry]) -> list[ModelSpec]:
    return [entry.spec for entry in models.values() if entry.spec is not None]


def _nearest_models(name: str, models: Mapping[str, ModelEntry]) -> list[str]:
    """Models that may have been meant; what stands before the dash of a model's id is often left out."""
    tails = {model.partition("-")[2]: model for model in models if "-" in model}
    return list(dict.fromkeys([*nearest(name, models), *(tails[tail] for tail in nearest(name, tails))]))


def _largest_cap(models: Mapping[str, ModelEntry]) -> int:
    specs = _specs(models)
    if models and not specs:  # no model can answer: the first one says why
        next(iter(models.values())).ready_spec()
    return max((spec.limits.max_request_bytes for spec in specs), default=int(DEFAULT_LIMITS["max_request_bytes"]))


def _check_size(size_bytes: int, cap: int, payload: Any) -> None:
    if size_bytes <= cap:
        return
    parts = _part_sizes(payload)
    raise fault(
        ErrorCode.PAYLOAD_TOO_LARGE,
        f"the request has {size_bytes:,} bytes, the limit is {cap:,}",
        [max(parts, key=lambda name: parts[name])] if parts else [],
        official={"max_request_bytes": cap, "request_bytes": size_bytes},
        got=size_bytes,
        allowed=cap,
        parts=parts or None,
    )


def _part_sizes(payload: Any) -> dict[str, int]:
    """Bytes of each part of the request, so that the largest can be named."""
    if not isinstance(payload, dict):
        return {}
    try:
        return {str(key): sum(map(len, codec.pack_body({"": value}))) for key, value in payload.items()}
    except (TypeError, ValueError, OverflowError):
        return {}
