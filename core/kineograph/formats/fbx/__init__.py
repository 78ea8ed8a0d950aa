# SPDX-License-Identifier: Apache-2.0
"""FBX through Blender's module in a child process (extra ``[fbx]``): nothing of Blender is loaded into this one.

Everything is told in the world: the joints' own frames are the file's, turned to y up, and positions are metres.
"""

from __future__ import annotations

import json
import math
import os
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.errors import SceneError
from kineograph.formats import fit, posed
from kineograph.formats.asset import Asset, Source
from kineograph.formats.failure import MAX_VALUES, incomplete, read_bytes, unreadable, unwritable
from kineograph.formats.fbx.bridge import Crash, bridge_for, command
from kineograph.motion import axes, quat, resample
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

__all__ = ["is_available", "read", "require", "write"]

FloatArray = NDArray[np.floating[Any]]

_BINARY = b"Kaydara FBX Binary  \x00"
_MAX_JOINTS = 4096
_END = 27 + 4  # header and, at the least, the version: what a file has before anything is in it


def require(path: str | Path) -> None:
    """Raise ``file_unreadable`` for ``path``, with the line that installs it, where Blender's module is missing."""
    command(Path(path))


def is_available() -> bool:
    """Whether FBX can be read and written here."""
    try:
        require("x.fbx")
    except SceneError:
        return False
    return True


def read(path: str | Path) -> Asset:
    """Skeleton and takes of an FBX file, y up, in metres. A take without a bone that moves is left out.

    Raises ``file_unreadable``, ``file_incomplete``; without Blender's module the first, with the line that installs it.
    """
    path = Path(path)
    metres, up = _settings(_checked(path))
    answer, arrays = _ask_read(path)
    names, parents = answer["names"], arrays["parents"]
    if len(names) > _MAX_JOINTS:
        raise unreadable(path, f"a skeleton of {len(names)} joints is too large", got=len(names), allowed=_MAX_JOINTS)
    notes: tuple[str, ...] = ()
    if answer["others"]:
        notes = (f"The file has {answer['others'] + 1} characters: the one with the most joints was read.",)
    keep, dropped = posed.largest_tree(names, parents)
    notes += dropped
    rest_m, rest_xyzw = _y_up(arrays["rest"][keep])
    names = [names[j] for j in keep]
    parents = posed.renumbered(parents, keep)
    skeleton = posed.skeleton_of(names, parents, rest_m, rest_xyzw)
    clips = []
    for i, name in enumerate(answer["takes"]):
        frames = arrays[f"take_{i}"][:, keep]
        if frames.size > 16 * MAX_VALUES or not np.isfinite(frames).all():
            raise unreadable(path, f"the take '{name}' holds numbers that are not finite, or too many", got=name)
        clips.append(posed.clip_of(skeleton, answer["fps_hz"], *_y_up(frames), name))
    source = Source(path, "fbx", metres, up, notes)
    return Asset(skeleton, tuple(clips), source)


def write(
    path: str | Path, skeleton: Skeleton, clips: Sequence[Clip] = (), *, character: str | Path | None = None
) -> None:
    """Write clips on ``skeleton``, all at the first one's rate. ``character`` (.fbx, .glb, .gltf) is a file with the
    same joints whose mesh and skin are kept. Raises ``file_unreadable``."""
    path = Path(path)
    fps_hz = clips[0].fps_hz if clips else 30.0
    fitted = [resample.resample(fit.onto(skeleton, clip), fps_hz) for clip in clips]
    arrays: dict[str, Any] = {"parents": skeleton.parents, "rest": _z_up_rest(skeleton)}
    for i, clip in enumerate(fitted):
        positions, rotations = clip.world()
        since = quat.mul(rotations, quat.conj(skeleton.rest_world_rotations_xyzw))
        arrays[f"move_{i}"] = axes.z_up_from_y_up(positions)
        arrays[f"turn_{i}"] = axes.rebase_z_up_from_y_up(since)
    names = [f"{clip.name or 'clip'}" for clip in clips]
    if len(set(names)) != len(names):
        names = [f"{name}_{i + 1}" for i, name in enumerate(names)]
    with tempfile.TemporaryDirectory(prefix="kineograph-fbx-") as folder:
        data = os.path.join(folder, "clips.npz")
        np.savez(data, **arrays)
        ask = {
            "do": "write", "data": data, "out": str(path.absolute()), "names": list(skeleton.names), "takes": names,
            "fps_hz": float(fps_hz), "character": "" if character is None else str(Path(character).absolute()),
        }  # fmt: skip
        try:
            answer = bridge_for(path).ask(ask)
        except Crash as problem:
            raise unwritable(path, f"the process with Blender's module {problem}") from problem
    if "error" in answer:
        raise unwritable(path, answer["error"])


def _checked(path: Path) -> bytes:
    data = read_bytes(path)
    if data.startswith(_BINARY):
        if len(data) <= _END:
            raise incomplete(path, "ends inside its header", offset=len(data))
        # A binary file ends with a run of zeros and a fixed signature; a copy in progress does not.
        if b"\xf8\x5a\x8c\x6a" not in data[-64:]:
            raise incomplete(path, "ends before its closing mark", offset=len(data))
    elif b"FBX" in data[:200] and data[:1] == b";":
        raise unreadable(path, "is FBX as text, which Blender cannot read; export it as binary FBX", offset=0)
    else:
        raise unreadable(path, "is no FBX file: it does not begin with 'Kaydara FBX Binary'", offset=0)
    return data


def _settings(data: bytes) -> tuple[float, str]:
    """Metres per unit and the up axis that the file states; FBX's own are centimetres and y."""
    scale = _property(data, b"UnitScaleFactor")
    axis = _property(data, b"UpAxis")
    metres = scale / 100.0 if scale is not None and math.isfinite(scale) and scale > 0 else 0.01
    return metres, {0: "x", 2: "z"}.get(int(axis) if axis is not None else 1, "y")


def _property(data: bytes, name: bytes) -> float | None:
    """The number of a property in the global settings: ``S`` texts (length, bytes), then ``I`` or ``D``."""
    at = data.find(b"S" + struct.pack("<I", len(name)) + name)
    for _ in range(8 if at >= 0 else 0):
        code = data[at : at + 1]
        if code == b"S" and at + 5 <= len(data):
            at += 5 + int(struct.unpack_from("<I", data, at + 1)[0])
        elif code == b"I" and at + 5 <= len(data):
            return float(struct.unpack_from("<i", data, at + 1)[0])
        elif code == b"D" and at + 9 <= len(data):
            return float(struct.unpack_from("<d", data, at + 1)[0])
        else:
            break
    return None


def _ask_read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="kineograph-fbx-") as folder:
        out = os.path.join(folder, "clips.npz")
        try:
            answer = bridge_for(path).ask({"do": "read", "path": str(path.absolute()), "out": out})
        except Crash as problem:
            raise unreadable(path, f"cannot be read: the process with Blender's module {problem}") from problem
        if "error" in answer:
            raise unreadable(path, f"cannot be read by Blender: {_told(answer['error'])}")
        with np.load(out) as stored:
            return answer, {name: stored[name] for name in stored.files}


def _told(error: str) -> str:
    """The last line of what Blender says, which is the reason."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    return json.dumps(lines[-1] if lines else error)[1:-1][:300]


def _y_up(matrices: FloatArray) -> tuple[FloatArray, FloatArray]:
    positions, rotations = posed.taken_apart(matrices)
    return axes.y_up_from_z_up(positions), axes.turn_y_up_from_z_up(rotations)


def _z_up_rest(skeleton: Skeleton) -> FloatArray:
    out = np.tile(np.eye(4), (len(skeleton), 1, 1))
    out[:, :3, :3] = quat.to_matrix(axes.turn_z_up_from_y_up(skeleton.rest_world_rotations_xyzw))
    out[:, :3, 3] = axes.z_up_from_y_up(skeleton.rest_positions_m)
    return out
