# SPDX-License-Identifier: Apache-2.0
"""A finished motion in the forms it is asked for: arrays, MMCP's glTF JSON, binary glTF.

Arrays are the wire's own form: numbers as raw frames, names and the report as msgpack. The glTF document is built by
the official SDK, so that it is MMCP's to the letter; the GLB is the same document with its buffer as a binary chunk.
"""

from __future__ import annotations

import base64
import json
import logging
import math
import struct
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from motionmcp import gltf as sdk_gltf
from motionmcp.backbone import ModelSpec
from motionmcp.schemas import GenerateRequest

from kineograph.errors import ErrorCode, InternalError
from kineograph_daemon.mmcp import trajectory

if TYPE_CHECKING:
    from kineograph_daemon.pipeline.types import JobResultData

_log = logging.getLogger(__name__)

GLB_MAGIC, GLB_VERSION = 0x46546C67, 2
_CHUNK_JSON, _CHUNK_BIN = 0x4E4F534A, 0x004E4942
_DATA_URI = "data:application/octet-stream;base64,"
_SAFE = frozenset({str, bool, type(None)})
"""Types whose every value travels as it is."""
_TEXT = frozenset({str})


def result_body(data: JobResultData, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The ``arrays`` form: the wire's result map. Keys of ``keyframes`` are joint indices as strings.

    B samples, T frames, J joints: ``rotations_xyzw`` (B, T, J, 4), ``root_m`` (B, T, 3), ``translations_m``
    (B, T, J, 3) or None, all float32; ``contacts`` joint name to (B, T) bool.
    """
    samples, frames = data.rotations_xyzw.shape[:2]
    return {
        "fps_hz": float(data.fps_hz),
        "joint_names": list(data.joint_names),
        "num_frames": int(frames),
        "num_samples": int(samples),
        "rotations_xyzw": _f32(data.rotations_xyzw),
        "root_m": _f32(data.root_m),
        "translations_m": None if data.translations_m is None else _f32(data.translations_m),
        "contacts": {str(name): np.ascontiguousarray(mask, np.bool_) for name, mask in data.contacts.items()},
        "keyframes": _keyframes_out(data.keyframes),
        "chunk_boundaries": wire_safe(data.chunk_boundaries),
        "canonical_to_request": wire_safe(data.canonical_to_request),
        "trajectories": data.trajectories,  # checked or made by us; walking their thousands of numbers again costs more
        "notes": wire_safe(data.notes),
        "report": _report(data),
        "provenance": dict(provenance),
    }


def _report(data: JobResultData) -> dict[str, Any]:
    if data.is_plain:
        return {**data.report, "options": wire_safe(data.report["options"])}
    safe: dict[str, Any] = wire_safe(data.report)
    return safe


def data_of(body: Mapping[str, Any]) -> JobResultData:
    """The motion in a stored ``arrays`` result: what ``result_body`` made, without its provenance."""
    from kineograph_daemon.pipeline.types import JobResultData

    return JobResultData(
        fps_hz=body["fps_hz"],
        joint_names=body["joint_names"],
        rotations_xyzw=body["rotations_xyzw"],
        root_m=body["root_m"],
        translations_m=body["translations_m"],
        contacts=body["contacts"],
        chunk_boundaries=body["chunk_boundaries"],
        canonical_to_request=body["canonical_to_request"],
        keyframes=_keyframes_in(body["keyframes"]),
        notes=body["notes"],
        trajectories=body["trajectories"],
        report=body["report"],
    )


def with_trajectories(request: GenerateRequest, data: JobResultData) -> list[dict[str, Any] | None]:
    """The travel of each sample as MMCP's ``trajectory``: the model's own, else computed; kept in ``data``.

    As in MMCP it is an addition, never a reason to lose a motion: what cannot be computed is None.
    """
    if data.trajectories is None:
        try:
            data.trajectories = trajectory.compute(
                request.skeleton.joints,
                data.joint_names,
                data.rotations_xyzw,
                data.root_m,
                data.fps_hz,
                loop=bool(request.options and request.options.loop),
                canonical_to_request=data.canonical_to_request,
            )
        except Exception:  # noqa: BLE001
            _log.exception("the trajectories could not be computed")
            data.trajectories = [None] * len(data.rotations_xyzw)
    return data.trajectories or []


def to_gltf(request: GenerateRequest, spec: ModelSpec, data: JobResultData) -> dict[str, Any]:
    """MMCP's answer: a glTF 2.0 document with an animation a sample, its buffer embedded as base64."""
    document: dict[str, Any] = sdk_gltf.build_gltf(
        skeleton=request.skeleton.model_dump(),
        joint_names=data.joint_names,
        rotations_quat=data.rotations_xyzw,
        root_translations=data.root_m,
        # a client of a model that never advertised moving joints does not expect the channels
        translations=data.translations_m if spec.supports_joint_translation else None,
        keyframes=data.keyframes,  # type: ignore[arg-type]  # a list is a sequence; dicts are invariant
        notes=wire_safe(data.notes),
        fps=float(data.fps_hz),
        model_id=spec.id,
        foot_contacts=data.contacts,
        chunk_boundaries=data.chunk_boundaries,
        canonical_to_request=data.canonical_to_request,
        trajectories=_listed(with_trajectories(request, data)),
    )
    return document


def to_glb(request: GenerateRequest, spec: ModelSpec, data: JobResultData) -> bytes:
    """The document of ``to_gltf`` as one binary file."""
    document = to_gltf(request, spec, data)
    buffer = document["buffers"][0]
    binary = base64.b64decode(buffer.pop("uri").removeprefix(_DATA_URI), validate=True)
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    chunks = _chunk(_CHUNK_JSON, text, b" ") + _chunk(_CHUNK_BIN, binary, b"\0")
    return struct.pack("<III", GLB_MAGIC, GLB_VERSION, 12 + len(chunks)) + chunks


def glb_body(file: bytes) -> dict[str, Any]:
    """The ``glb`` form as the wire's result map: the file's bytes as one raw frame."""
    return {"glb": np.frombuffer(file, np.uint8)}


def check(data: JobResultData) -> None:
    """The last look before a motion leaves: finite numbers, shapes that fit, joints that exist; or ``internal_error``.

    The pipeline has checked what the backbone gave; this holds for whatever was done to it since.
    """
    if not (math.isfinite(data.fps_hz) and data.fps_hz > 0):
        raise _unfit("fps_hz", f"the frame rate is {data.fps_hz!r}")
    shape = (*data.rotations_xyzw.shape[:2], len(data.joint_names))
    arrays = {
        "rotations_xyzw": (data.rotations_xyzw, (*shape, 4)),
        "root_m": (data.root_m, (*shape[:2], 3)),
        "translations_m": (data.translations_m, (*shape, 3)),
    }
    for name, (array, expected) in arrays.items():
        if array is None:
            continue
        if array.shape != expected:
            raise _unfit(name, f"{name} has shape {array.shape}, expected {expected}")
        if name not in data.are_finite and not np.isfinite(array).all():
            raise _unfit(name, f"{name} holds numbers that are not finite")
    for joint, mask in data.contacts.items():
        if joint not in data.joint_names or np.shape(mask) != shape[:2]:
            raise _unfit("contacts", f"the contacts of {joint!r} have shape {np.shape(mask)}, expected {shape[:2]}")
    if data.trajectories is not None and not (len(data.trajectories) == shape[0] and _is_finite(data.trajectories)):
        raise _unfit("trajectories", f"the trajectories are not {shape[0]} maps of finite numbers")


def _unfit(name: str, message: str) -> InternalError:
    return InternalError(ErrorCode.INTERNAL_ERROR, message, {"got": name, "reason": message})


def _is_finite(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_is_finite, value))
    if isinstance(value, (np.ndarray, np.number)):
        return bool(np.isfinite(value).all())
    return not isinstance(value, float) or math.isfinite(value)


def wire_safe(value: Any) -> Any:
    """``value`` as the wire and strict JSON take it: string keys, plain numbers, None for a number not finite.

    Arrays stay arrays; what has no wire form becomes its text. For what comes from backbones and goes to people.
    """
    kind = type(value)
    if kind in _SAFE:
        return value
    # Most of a report are texts in maps in lists: looked at one by one they would be most of what this costs.
    if kind is dict:
        if _SAFE.issuperset(map(type, value.values())) and _TEXT.issuperset(map(type, value)):
            return value
        if not _TEXT.issuperset(map(type, value)):
            return {str(k): wire_safe(item) for k, item in value.items()}
        out = dict(value)
        for k, item in value.items():
            if type(item) not in _SAFE:
                out[k] = wire_safe(item)
        return out
    if kind is list or kind is tuple:
        if kind is list and _SAFE.issuperset(map(type, value)):
            return value
        return [item if type(item) in _SAFE else wire_safe(item) for item in value]
    if (kind is int and -(2**63) <= value < 2**64) or (kind is float and math.isfinite(value)):
        return value
    if isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): wire_safe(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [wire_safe(item) for item in value]
    return _unusual(value)


def _unusual(value: Any) -> Any:
    if isinstance(value, np.generic):
        if isinstance(value, np.longdouble):
            return wire_safe(float(value))
        return str(value)[:500] if isinstance(value, np.clongdouble) else wire_safe(value.item())
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub" and value.dtype.itemsize <= 8:
        return value.astype(np.float32) if value.dtype == np.float16 else value
    if isinstance(value, np.ndarray):
        return wire_safe(value.tolist())
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray, memoryview)):
        return [wire_safe(item) for item in value]
    return str(value)[:500]


def _f32(array: Any) -> Any:
    return np.ascontiguousarray(array, np.float32)


def _listed(trajectories: list[dict[str, Any] | None]) -> list[dict[str, Any] | None]:
    return [
        None if t is None else {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in t.items()}
        for t in trajectories
    ]


def _keyframes_out(keyframes: Mapping[int, Any] | None) -> dict[str, Any] | None:
    # msgpack maps of the wire have string keys only
    return None if keyframes is None else {str(joint): wire_safe(tracks) for joint, tracks in keyframes.items()}


def _keyframes_in(keyframes: Mapping[str, Any] | None) -> dict[int, dict[str, list[int]]] | None:
    return None if keyframes is None else {int(joint): tracks for joint, tracks in keyframes.items()}


def _chunk(kind: int, data: bytes, pad: bytes) -> bytes:
    data += pad * (-len(data) % 4)
    return struct.pack("<II", len(data), kind) + data
