# SPDX-License-Identifier: Apache-2.0
"""A skeleton, its clips and a skinned mesh to glTF: one node and joint per joint, one animation per clip."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.formats import fit
from kineograph.formats.asset import Mesh
from kineograph.formats.glb import vrm
from kineograph.formats.glb.document import CHUNK_BIN, CHUNK_JSON, MAGIC
from kineograph.motion import quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import roles_of
from kineograph.rigs.t_pose import with_t_pose

_FLOAT, _UBYTE, _USHORT, _UINT = 5126, 5121, 5123, 5125
_KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
_CODES = {"<f4": _FLOAT, "|u1": _UBYTE, "<u2": _USHORT, "<u4": _UINT}
_VERTICES, _INDICES = 34962, 34963
_MOVED_M = 1e-6

Keys = Mapping[str, Mapping[str, Sequence[int]]]
"""Which frames have keys, where not all: joint name to ``rotation`` and ``translation``, each a list of frames."""


def write(
    path: str | Path,
    skeleton: Skeleton,
    clips: Sequence[Clip] = (),
    mesh: Mesh | None = None,
    *,
    extras: Mapping[str, Any] | None = None,
    extensions: Mapping[str, Any] | None = None,
    keys: Keys | None = None,
) -> None:
    """Write .glb, or .gltf with its bytes embedded. ``extras`` (JSON values) go into ``asset.extras``, ``extensions``
    into the document; nodes have the joints' indices.

    Rotations are keyed on every joint and frame, translations on the root and on joints that leave their rest; where
    ``keys`` names a joint, on the frames that it lists.
    """
    path = Path(path)
    buffer = Buffer()
    count = len(skeleton)
    nodes = _nodes(skeleton)
    scene = [skeleton.root]
    skin = {
        "name": "skin",
        "joints": list(range(count)),
        "skeleton": skeleton.root,
        "inverseBindMatrices": buffer.add(_inverse_bind(skeleton)),
    }
    out: dict[str, Any] = {"asset": {"version": "2.0", "generator": "Kineograph"}, "skins": [skin]}
    if extras:
        out["asset"]["extras"] = dict(extras)
    if extensions:
        out |= {"extensionsUsed": sorted(extensions), "extensions": dict(extensions)}
    if mesh is not None:
        nodes.append({"name": mesh.name, "mesh": 0, "skin": 0})
        scene.append(count)
        out["meshes"], out["materials"] = _mesh(buffer, mesh, count)
    out |= {"nodes": nodes, "scenes": [{"nodes": scene}], "scene": 0}
    if clips:
        fitted = [fit.onto(skeleton, clip) for clip in clips]
        out["animations"] = [animation(buffer, clip, Tracks.of(clip), i, keys) for i, clip in enumerate(fitted)]
    out |= {"accessors": buffer.accessors, "bufferViews": buffer.views}
    store(path, out, buffer.bytes())


def write_vrm(
    path: str | Path,
    skeleton: Skeleton,
    clips: Sequence[Clip] = (),
    mesh: Mesh | None = None,
    *,
    animation: bool = False,
    name: str = "",
) -> None:
    """Write a VRM 1.0 character, or (``animation``) a VRM animation. Raises ``map_incomplete`` for bones it demands.

    An animation rests in a T-pose, as its format demands; the motion stays what it is.
    """
    told = vrm.extension(skeleton, animation=animation, name=name)
    if animation:
        posed = with_t_pose(skeleton, roles_of(skeleton.names, skeleton.parents, skeleton.rest_positions_m))
        # The same joints, the same local frames: a clip's rotations stand as they are.
        clips = [replace(fit.onto(skeleton, clip), skeleton=posed) for clip in clips]
        skeleton = posed
    write(path, skeleton, clips, None if animation else mesh, extensions=told)


def store(path: Path, out: dict[str, Any], data: bytes) -> None:
    """A document whose one buffer is ``data`` as .gltf (bytes embedded), or else as a binary file."""
    if path.suffix.lower() == ".gltf":
        uri = "data:application/octet-stream;base64," + base64.b64encode(data).decode("ascii")
        out["buffers"] = [{"byteLength": len(data), "uri": uri}]
        path.write_text(json.dumps(out, allow_nan=False), encoding="utf-8")
        return
    out["buffers"] = [{"byteLength": len(data)}]
    path.write_bytes(_container(json.dumps(out, allow_nan=False, separators=(",", ":")).encode(), data))


class Buffer:
    """Arrays laid end to end, 4-byte aligned, each with its view and accessor; behind what a document has already."""

    def __init__(
        self, data: bytes = b"", views: Sequence[dict[str, Any]] = (), accessors: Sequence[dict[str, Any]] = ()
    ) -> None:
        data += b"\0" * (-len(data) % 4)
        self.parts: list[bytes] = [data]
        self.size = len(data)
        self.views: list[dict[str, Any]] = list(views)
        self.accessors: list[dict[str, Any]] = list(accessors)

    def add(self, values: NDArray[Any], *, bounds: bool = False, target: int | None = None) -> int:
        """Store (count, width) or (count,) values of a dtype that glTF has; the accessor's index."""
        flat = values.reshape(len(values), -1)
        data = np.ascontiguousarray(flat).tobytes()
        view: dict[str, Any] = {"buffer": 0, "byteOffset": self.size, "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        accessor: dict[str, Any] = {
            "bufferView": len(self.views),
            "componentType": _CODES[values.dtype.newbyteorder("<").str],
            "count": len(flat),
            "type": _KINDS[flat.shape[1]],
        }
        if bounds:
            accessor |= {"min": flat.min(0).tolist(), "max": flat.max(0).tolist()}
        padded = data + b"\0" * (-len(data) % 4)
        self.parts.append(padded)
        self.size += len(padded)
        self.views.append(view)
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def bytes(self) -> bytes:
        return b"".join(self.parts)


def _container(text: bytes, data: bytes) -> bytes:
    text += b" " * (-len(text) % 4)
    total = 12 + 8 + len(text) + 8 + len(data)
    if total >= 1 << 32:
        raise ValueError(f"a GLB file ends at 4 GiB; this one needs {total} bytes")
    return b"".join(
        [
            struct.pack("<4sII", MAGIC, 2, total),
            struct.pack("<II", len(text), CHUNK_JSON),
            text,
            struct.pack("<II", len(data), CHUNK_BIN),
            data,
        ]
    )


def _nodes(skeleton: Skeleton) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for j, name in enumerate(skeleton.names):
        node: dict[str, Any] = {
            "name": name,
            "translation": skeleton.rest_translations_m[j].tolist(),
            "rotation": skeleton.rest_rotations_xyzw[j].tolist(),
        }
        if skeleton.children[j]:
            node["children"] = list(skeleton.children[j])
        out.append(node)
    return out


def _inverse_bind(skeleton: Skeleton) -> NDArray[Any]:
    """World to joint at rest, (J, 16) float32, column by column as glTF has it."""
    turn = quat.to_matrix(quat.conj(skeleton.rest_world_rotations_xyzw))
    out = np.tile(np.eye(4), (len(skeleton), 1, 1))
    out[:, :3, :3] = turn
    out[:, :3, 3] = -np.einsum("jab,jb->ja", turn, skeleton.rest_positions_m)
    return out.transpose(0, 2, 1).reshape(-1, 16).astype("<f4")


@dataclass(frozen=True, eq=False)
class Tracks:
    """What an animation keys: ``rotations`` (T, J, 4) by joint, ``translations`` (T, 3) of some joints; ``nodes`` are
    the joints' indices in the document."""

    rotations: NDArray[Any]
    translations: Mapping[int, NDArray[Any]]
    nodes: Sequence[int]

    @classmethod
    def of(cls, clip: Clip) -> Tracks:
        """All rotations, the root's path, and the joints that leave their rest; a node a joint."""
        skeleton = clip.skeleton
        moves: dict[int, NDArray[Any]] = {skeleton.root: clip.root_m}
        if clip.translations_m is not None:
            far = np.abs(clip.translations_m - skeleton.rest_translations_m).max(axis=(0, 2))
            far[skeleton.root] = 0.0
            moves |= {j: clip.translations_m[:, j] for j in np.flatnonzero(far > _MOVED_M).tolist()}
        return cls(quat.continuous(clip.rotations_xyzw), moves, range(len(skeleton)))


def animation(buffer: Buffer, clip: Clip, tracks: Tracks, index: int, keys: Keys | None = None) -> dict[str, Any]:
    """One glTF animation; rate and contacts of ``clip``, and what is kept beside it, stand in its extras."""
    times: dict[tuple[int, ...], int] = {}
    all_frames = tuple(range(len(clip)))
    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []

    def channel(joint: int, path: str, values: NDArray[Any]) -> None:
        frames = tuple((keys or {}).get(clip.skeleton.names[joint], {}).get(path) or all_frames)
        if frames not in times:
            times[frames] = buffer.add((np.array(frames) / clip.fps_hz).astype("<f4"), bounds=True)
        if frames is not all_frames:
            values = quat.continuous(values[list(frames)]) if path == "rotation" else values[list(frames)]
        output = buffer.add(np.asarray(values, "<f4"))
        channels.append({"sampler": len(samplers), "target": {"node": tracks.nodes[joint], "path": path}})
        samplers.append({"input": times[frames], "output": output, "interpolation": "LINEAR"})

    by_joint = np.ascontiguousarray(tracks.rotations.transpose(1, 0, 2), "<f4")
    for j, rotations in enumerate(by_joint):
        channel(j, "rotation", rotations)
    for j, values in tracks.translations.items():
        channel(j, "translation", values)
    block: dict[str, Any] = {"fps_hz": clip.fps_hz, "frames": len(clip)}
    if clip.contacts:
        block["contacts"] = {name: _spans(held) for name, held in clip.contacts.items()}
    if clip.kept is not None:
        turns = {name: buffer.add(np.asarray(q, "<f4")) for name, q in clip.kept.turns_xyzw.items()}
        block["kept"] = {"rig": clip.kept.rig, "turns": turns}
    return {
        "name": clip.name or f"clip_{index}",
        "channels": channels,
        "samplers": samplers,
        "extras": {"kineograph": block},
    }


def _spans(held: NDArray[np.bool_]) -> list[list[int]]:
    """[start, stop) runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], held, [False]]).astype(np.int8)))
    return [[int(a), int(b)] for a, b in edges.reshape(-1, 2)]


def _mesh(buffer: Buffer, mesh: Mesh, joints: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    slot = "|u1" if joints <= 256 else "<u2"
    attributes = {
        "POSITION": buffer.add(mesh.positions_m.astype("<f4"), bounds=True, target=_VERTICES),
        "NORMAL": buffer.add(mesh.normals.astype("<f4"), target=_VERTICES),
        "JOINTS_0": buffer.add(mesh.joints.astype(slot), target=_VERTICES),
        "WEIGHTS_0": buffer.add(mesh.weights.astype("<f4"), target=_VERTICES),
    }
    indices = buffer.add(mesh.triangles.reshape(-1).astype("<u4"), target=_INDICES)
    primitive = {"attributes": attributes, "indices": indices, "material": 0, "mode": 4}
    surface = {"baseColorFactor": list(mesh.base_color_rgba), "metallicFactor": 0.0, "roughnessFactor": 0.7}
    return [{"name": mesh.name, "primitives": [primitive]}], [{"name": mesh.name, "pbrMetallicRoughness": surface}]
