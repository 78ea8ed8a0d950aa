# SPDX-License-Identifier: Apache-2.0
"""What a client takes (``Accept``, ``Prefer``) and a motion in that form."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kineograph.errors import ErrorCode
from kineograph.wire.messages import ResultFormat
from kineograph_daemon.http.envelope import refusal

MEDIA_TYPE = {ResultFormat.GLTF: "model/gltf+json", ResultFormat.GLB: "model/gltf-binary"}
_TAKEN_AS = {
    "model/gltf+json": ResultFormat.GLTF,
    "application/json": ResultFormat.GLTF,
    "model/gltf-binary": ResultFormat.GLB,
    "model/*": ResultFormat.GLTF,
    "application/*": ResultFormat.GLTF,
    "*/*": ResultFormat.GLTF,
}
_ASIDE_BYTES = 256 * 1024


@dataclass(frozen=True)
class Preference:
    """``Prefer`` (RFC 7240): answer at once with 202, and how long to hold the answer before that."""

    respond_async: bool = False
    wait_s: float | None = None


def form_of(accept: str, *, only_json: bool = False) -> ResultFormat:
    """The form a client likes best. Raises 406 when it takes none that there is."""
    best: tuple[float, ResultFormat] | None = None
    for part in (accept or "*/*").lower().split(","):
        name, *parameters = (p.strip() for p in part.split(";"))
        form = _TAKEN_AS.get(name)
        weight = _weight(parameters)
        if form is None or weight <= 0.0 or (only_json and form is ResultFormat.GLB):
            continue
        if best is None or weight > best[0]:  # of equals the first named
            best = (weight, form)
    if best is None:
        allowed = ["application/json"] if only_json else [*MEDIA_TYPE.values(), "application/json"]
        raise refusal(
            406,
            ErrorCode.INVALID_PARAMETERS,
            f"there is no answer in the form {accept[:100]!r}",
            where={"path": ["Accept"]},
            got=accept[:200],
            allowed=allowed,
        )
    return best[1]


def preference_of(prefer: str) -> Preference:
    """What ``Prefer`` asks for; what is not understood is ignored, as its RFC wants."""
    respond_async, wait_s = False, None
    for part in prefer.lower().split(","):
        name, _, value = part.partition(";")[0].strip().partition("=")
        if name.strip() == "respond-async":
            respond_async = True
        elif name.strip() == "wait" and value.strip(' "').isdecimal():
            wait_s = float(value.strip(' "'))
    return Preference(respond_async, wait_s)


async def document(form: ResultFormat, result: dict[str, Any]) -> bytes:
    """A result as it came from the daemon, as the bytes of its form."""
    if form is ResultFormat.GLB:
        return bytes(np.ascontiguousarray(result["glb"], np.uint8).data)
    buffers = result.get("buffers") or [{}]
    large = len(buffers[0].get("uri", "")) > _ASIDE_BYTES
    return await asyncio.to_thread(_json, result) if large else _json(result)


def batch_document(parts: list[bytes]) -> bytes:
    """The body of a batch's answer from its items' bodies, each ``{"gltf": ...}`` or ``{"error": ...}``."""
    return b'{"results":[' + b",".join(parts) + b"]}"


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False, default=_plain).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                return 0.0
            return weight if math.isfinite(weight) else 0.0
    return 1.0
