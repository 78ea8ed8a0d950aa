# SPDX-License-Identifier: Apache-2.0
"""Acclaim ASF/AMC, the format that CMU's motion database was published in, read into a clip.

Format: Acclaim's ASF/AMC as CMU writes it (angles in degrees, lengths in inches divided by the file's ``length``).
A bone's motion is C M C^-1 with C its ``axis`` and M = Rz Ry Rx of its ``dof``; at zero all bones are world-aligned.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]

METRES_PER_INCH = 0.0254
FPS_HZ = 120.0
"""CMU's rate for these files; a few of the whole set were taken at 60."""


@dataclass
class Bone:
    """One bone: where it points at rest, metres, and which turns it has."""

    name: str
    parent: str = ""
    vector_m: FloatArray = field(default_factory=lambda: np.zeros(3))
    axis_xyzw: FloatArray = field(default_factory=lambda: np.array([0.0, 0, 0, 1]))
    dof: tuple[str, ...] = ()


@dataclass(frozen=True)
class Acclaim:
    """A skeleton file: bones in the order of the tree, the root first; ``scale_m`` turns file units into metres."""

    bones: tuple[Bone, ...]
    scale_m: float

    def skeleton(self) -> Skeleton:
        """A joint where each bone begins."""
        index = {b.name: i for i, b in enumerate(self.bones)}
        parents = [index.get(b.parent, -1) for b in self.bones]
        offsets = [np.zeros(3) if p < 0 else self.bones[p].vector_m for p in parents]
        return Skeleton.build([b.name for b in self.bones], parents, np.array(offsets))


def _euler(angles_deg: FloatArray) -> FloatArray:
    """Rz Ry Rx of (..., 3) degrees."""
    half = np.radians(angles_deg) / 2
    x, y, z = (quat.from_axis_angle(np.eye(3)[i], 2 * half[..., i]) for i in range(3))
    return quat.mul(z, quat.mul(y, x))


def read_asf(path: Path) -> Acclaim:
    """A skeleton file. Raises ValueError naming the file when it is not one."""
    lines = [line.split("#")[0].split() for line in path.read_text(errors="replace").splitlines()]
    lines = [words for words in lines if words]
    try:
        length = next(float(w[1]) for w in lines if w[0] == "length" and len(w) == 2)
        scale_m = METRES_PER_INCH / length
        bones = {"root": Bone("root", dof=("tx", "ty", "tz", "rx", "ry", "rz"))}
        bones |= {b.name: b for b in _bones(lines, scale_m)}
        order = _hierarchy(lines, bones)
    except (StopIteration, KeyError, ValueError, IndexError) as e:
        raise ValueError(f"{path}: not an Acclaim skeleton: {e!r}") from e
    return Acclaim(tuple(order), scale_m)


def _bones(lines: list[list[str]], scale_m: float) -> list[Bone]:
    out: list[Bone] = []
    bone, length, direction = Bone(""), 0.0, np.zeros(3)
    for words in lines[lines.index([":bonedata"]) + 1 : lines.index([":hierarchy"])]:
        match words[0]:
            case "begin":
                bone, length, direction = Bone(""), 0.0, np.zeros(3)
            case "name":
                bone.name = words[1]
            case "direction":
                direction = np.array(words[1:4], float)
            case "length":
                length = float(words[1])
            case "axis":
                bone.axis_xyzw = _euler(np.array(words[1:4], float))
            case "dof":
                bone.dof = tuple(w.lower() for w in words[1:])
            case "end":
                bone.vector_m = direction * length * scale_m
                out.append(bone)
    return out


def _hierarchy(lines: list[list[str]], bones: dict[str, Bone]) -> list[Bone]:
    out = [bones["root"]]
    for words in lines[lines.index([":hierarchy"]) + 1 :]:
        if words[0] in ("begin", "end"):
            continue
        for child in words[1:]:
            bones[child].parent = words[0]
            out.append(bones[child])
    return out


def read_amc(path: Path, acclaim: Acclaim, fps_hz: float = FPS_HZ) -> Clip:
    """A motion on its skeleton. Raises ValueError naming the file when it does not fit."""
    frames: list[dict[str, list[float]]] = []
    try:
        for line in path.read_text(errors="replace").splitlines():
            words = line.split()
            if len(words) == 1 and words[0].isdigit():
                frames.append({})
            elif words and frames:
                frames[-1][words[0]] = [float(w) for w in words[1:]]
        return _clip(frames, acclaim, fps_hz, path.stem)
    except (KeyError, ValueError, IndexError) as e:
        raise ValueError(f"{path}: not a motion of this skeleton: {e!r}") from e


def _clip(frames: list[dict[str, list[float]]], acclaim: Acclaim, fps_hz: float, name: str) -> Clip:
    rotations = quat.identity(len(frames), len(acclaim.bones))
    root = np.array([f["root"][:3] for f in frames]) * acclaim.scale_m
    for i, bone in enumerate(acclaim.bones):
        turns = [d for d in bone.dof if d.startswith("r")]
        if not turns:
            continue
        values = np.array([f[bone.name] for f in frames])[:, [bone.dof.index(d) for d in turns]]
        angles = np.zeros((len(frames), 3))
        angles[:, ["xyz".index(d[1]) for d in turns]] = values
        rotations[:, i] = quat.mul(quat.mul(bone.axis_xyzw, _euler(angles)), quat.conj(bone.axis_xyzw))
    return Clip(acclaim.skeleton(), fps_hz, rotations, root, name)
