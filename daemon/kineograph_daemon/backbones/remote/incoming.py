# SPDX-License-Identifier: Apache-2.0
"""A remote's answer, JSON glTF or GLB, as a ``MotionResult`` on the request's joints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from motionmcp.backbone import ModelSpec, MotionResult
from motionmcp.client import glb_to_gltf, parse_gltf_samples
from motionmcp.schemas import GenerateRequest
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.backbones.remote.address import Remote
from kineograph_daemon.backbones.remote.exchange import odd

Float32Array = NDArray[np.float32]


def document(data: bytes, media_type: str) -> dict[str, Any]:
    """The glTF document in an answer's body. Raises ValueError when there is none."""
    found: Any = glb_to_gltf(data) if data[:4] == b"glTF" or "binary" in media_type else json.loads(data)
    if not isinstance(found, dict):
        raise ValueError("the answer is no glTF document")
    return found


def motion(found: Mapping[str, Any], request: GenerateRequest, spec: ModelSpec, remote: Remote) -> MotionResult:
    """The motion in a glTF document. Raises ``internal_error`` for a document that holds none, or a broken one."""
    try:
        return _motion(found, request, spec)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as e:
        raise odd(remote, f"its answer is no motion: {type(e).__name__}: {str(e)[:200]}") from None


def _motion(found: Mapping[str, Any], request: GenerateRequest, spec: ModelSpec) -> MotionResult:
    samples: list[dict[str, Any]] = parse_gltf_samples(found)  # type: ignore[no-untyped-call]
    joints = [joint.name for joint in request.skeleton.joints]
    made = [_sample(sample, request, joints) for sample in samples]
    told = _told(found, len(samples))
    translations = np.stack([m[2] for m in made]) if spec.supports_joint_translation else None
    return MotionResult(
        rotations=np.stack([m[0] for m in made]),
        root_translations=np.stack([m[1] for m in made]),
        translations=translations,
        foot_contacts=_contacts(samples, told, joints),
        chunk_boundaries=_chunks(told),
        notes=[dict(note) for note in _extension(found).get("notes") or [] if isinstance(note, Mapping)],
    )


def _sample(
    sample: Mapping[str, Any], request: GenerateRequest, joints: list[str]
) -> tuple[Float32Array, Float32Array, Float32Array]:
    column = {name: i for i, name in enumerate(sample["joint_names"])}
    frames = int(sample["num_frames"])
    rotations = np.empty((frames, len(joints), 4), np.float32)
    offsets = np.empty((frames, len(joints), 3), np.float32)
    for j, joint in enumerate(request.skeleton.joints):
        i = column.get(joint.name)
        rotations[:, j] = joint.rest_rotation if i is None else quat.from_matrix(sample["local_rot_mats"][:, i])
        offsets[:, j] = joint.rest_translation if i is None else sample["local_translations"][:, i]
    missing = [name for name in joints if name not in column]
    if len(missing) == len(joints):
        raise ValueError("it moves none of the joints")
    root = next(j for j, joint in enumerate(request.skeleton.joints) if joint.parent is None)
    return rotations, offsets[:, root].copy(), offsets


def _extension(found: Mapping[str, Any]) -> Mapping[str, Any]:
    extensions = found.get("extensions")
    told = extensions.get("MMCP_motion") if isinstance(extensions, Mapping) else None
    return told if isinstance(told, Mapping) else {}


def _told(found: Mapping[str, Any], count: int) -> list[Mapping[str, Any]]:
    told = _extension(found).get("samples")
    if not isinstance(told, list) or len(told) != count:
        return [{}] * count
    return [s if isinstance(s, Mapping) else {} for s in told]


def _contacts(
    samples: list[dict[str, Any]], told: list[Mapping[str, Any]], joints: list[str]
) -> dict[str, NDArray[np.bool_]]:
    named = [s["foot_contacts"] if isinstance(s.get("foot_contacts"), Mapping) else {} for s in told]
    everywhere = [name for name in joints if named and all(name in n for n in named)]
    column = {name: i for i, name in enumerate(samples[0]["joint_names"])}
    return {name: np.stack([s["foot_contacts"][:, column[name]] for s in samples]) for name in everywhere}


def _chunks(told: list[Mapping[str, Any]]) -> list[list[int]] | None:
    chunks = [s.get("chunk_boundaries") for s in told]
    if all(isinstance(c, list) for c in chunks) and any(chunks):
        return [[int(f) for f in c or ()] for c in chunks]
    return None
