# SPDX-License-Identifier: Apache-2.0
"""AMASS .npz: SMPL, SMPL-H or SMPL-X poses, read without the body model.

A file holds ``poses`` (T, 3 x joints) as axis-angle in radians, or their parts ``root_orient``, ``pose_body``,
``pose_hand`` ..., ``trans`` (T, 3) in metres, z up, and ``mocap_framerate``. Bone lengths are not in it: they come
from a licensed body model and the file's ``betas``. The skeleton here has lengths of our own, plausible for an adult
of 1.7 m, and the asset says so. Nothing is unpickled, whatever the file holds.

Format: Mahmood et al., "AMASS: Archive of Motion Capture as Surface Shapes", ICCV 2019; the joints' order is that of
the SMPL, MANO and SMPL-X papers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kineograph.formats import npz
from kineograph.formats.asset import Asset, Source
from kineograph.formats.failure import MAX_VALUES, unreadable
from kineograph.motion import axes, quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]

DEFAULT_FPS_HZ = 120.0  # most of the archive
_RATES = ("mocap_framerate", "mocap_frame_rate", "fps")
_PARTS = ("root_orient", "pose_body", "pose_jaw", "pose_eye", "pose_hand")
_MADE_UP = "Bone lengths are not in the file: those of an adult of 1.7 m were used."

# The pelvis of the average body stands off the model's origin, from which ``trans`` is measured.
_PELVIS_M = np.array([0.0, -0.23, 0.03])

_Row = tuple[str, str | None, tuple[float, float, float]]
_BODY: tuple[_Row, ...] = (
    ("pelvis", None, (0.0, 0.93, 0.0)),
    ("left_hip", "pelvis", (0.07, -0.08, 0.0)),
    ("right_hip", "pelvis", (-0.07, -0.08, 0.0)),
    ("spine1", "pelvis", (0.0, 0.11, -0.02)),
    ("left_knee", "left_hip", (0.03, -0.38, 0.0)),
    ("right_knee", "right_hip", (-0.03, -0.38, 0.0)),
    ("spine2", "spine1", (0.0, 0.13, 0.0)),
    ("left_ankle", "left_knee", (-0.01, -0.40, -0.03)),
    ("right_ankle", "right_knee", (0.01, -0.40, -0.03)),
    ("spine3", "spine2", (0.0, 0.06, 0.02)),
    ("left_foot", "left_ankle", (0.03, -0.055, 0.12)),
    ("right_foot", "right_ankle", (-0.03, -0.055, 0.12)),
    ("neck", "spine3", (0.0, 0.21, -0.03)),
    ("left_collar", "spine3", (0.07, 0.12, -0.02)),
    ("right_collar", "spine3", (-0.07, 0.12, -0.02)),
    ("head", "neck", (0.0, 0.09, 0.04)),
    ("left_shoulder", "left_collar", (0.11, 0.04, -0.01)),
    ("right_shoulder", "right_collar", (-0.11, 0.04, -0.01)),
    ("left_elbow", "left_shoulder", (0.26, 0.0, -0.01)),
    ("right_elbow", "right_shoulder", (-0.26, 0.0, -0.01)),
    ("left_wrist", "left_elbow", (0.25, 0.0, 0.0)),
    ("right_wrist", "right_elbow", (-0.25, 0.0, 0.0)),
)
_PALMS: tuple[_Row, ...] = (
    ("left_hand", "left_wrist", (0.08, -0.01, -0.01)),
    ("right_hand", "right_wrist", (-0.08, -0.01, -0.01)),
)
_FACE: tuple[_Row, ...] = (
    ("jaw", "head", (0.0, -0.01, 0.02)),
    ("left_eye_smplhf", "head", (0.03, 0.06, 0.07)),
    ("right_eye_smplhf", "head", (-0.03, 0.06, 0.07)),
)
# From the wrist to the finger's first joint, and the length of its bones; on the left hand.
_FINGERS: tuple[tuple[str, tuple[float, float, float], tuple[float, float, float]], ...] = (
    ("index", (0.10, 0.0, 0.025), (0.032, 0.0, 0.0)),
    ("middle", (0.105, 0.0, 0.0), (0.032, 0.0, 0.0)),
    ("pinky", (0.085, -0.005, -0.045), (0.02, 0.0, 0.0)),
    ("ring", (0.10, 0.0, -0.022), (0.03, 0.0, 0.0)),
    ("thumb", (0.03, -0.015, 0.03), (0.025, 0.0, 0.018)),
)


def skeleton(joints: int) -> Skeleton | None:
    """The skeleton of 22, 24 (SMPL), 52 (SMPL-H) or 55 (SMPL-X) joints: a T-pose, facing +Z; else None."""
    tails: dict[int, tuple[_Row, ...]] = {
        22: (),
        24: _PALMS,
        52: (*_fingers("left"), *_fingers("right")),
        55: (*_FACE, *_fingers("left"), *_fingers("right")),
    }
    if joints not in tails:
        return None
    rows = _BODY + tails[joints]
    names = [name for name, _, _ in rows]
    parents = [-1 if parent is None else names.index(parent) for _, parent, _ in rows]
    return Skeleton.build(names, parents, [offset for _, _, offset in rows])


def read(path: str | Path, *, up: Literal["y", "z"] = "z") -> Asset:
    """Skeleton and clip of an AMASS file, y up. Raises ``file_unreadable`` or ``file_incomplete`` naming the array."""
    path = Path(path)
    with npz.Archive(path) as archive:
        poses = _poses(path, archive)
        trans = archive.numbers("trans") if "trans" in archive else np.zeros((len(poses), 3))
        fps_hz, notes = _rate(path, archive)
    if trans.shape != (len(poses), 3):
        raise unreadable(path, f"has {len(poses)} poses, so it needs ({len(poses)}, 3)", json_path="trans",
                         got=list(trans.shape))  # fmt: skip
    rig = skeleton(poses.shape[1] // 3)
    if rig is None or poses.shape[1] % 3:
        said = f"holds {poses.shape[1]} numbers a frame; SMPL has 66 or 72, SMPL-H 156, SMPL-X 165"
        raise unreadable(path, said, json_path="poses", got=poses.shape[1], allowed=[66, 72, 156, 165])
    if len(poses) * len(rig) > MAX_VALUES:
        raise unreadable(path, f"{len(poses)} frames are too many", got=len(poses), allowed=MAX_VALUES // len(rig))
    turns = quat.from_rotvec(poses.reshape(len(poses), -1, 3))
    clip = Clip(rig, fps_hz, quat.continuous(turns), trans + _PELVIS_M, name=path.stem)
    if up == "z":
        clip = axes.turn_clip(clip, axes.Y_UP_FROM_Z_UP_XYZW)
    return Asset(rig, (clip,) if len(clip) else (), Source(path, "amass", up=up, notes=(_MADE_UP, *notes)))


def _poses(path: Path, archive: npz.Archive) -> FloatArray:
    if "poses" in archive:
        poses = archive.numbers("poses")
    elif "root_orient" in archive and "pose_body" in archive:
        parts = [archive.numbers(part) for part in _PARTS if part in archive]
        if any(part.ndim != 2 or len(part) != len(parts[0]) for part in parts):
            raise unreadable(path, "its parts have different lengths", json_path="pose_body",
                             got=[list(part.shape) for part in parts])  # fmt: skip
        poses = np.concatenate(parts, axis=1)
    else:
        said = f"holds no motion: no 'poses' among {', '.join(archive.names[:12]) or 'nothing'}"
        raise unreadable(path, said, json_path="poses", got=archive.names[:40], allowed=["poses", *_PARTS])
    if poses.ndim != 2:
        raise unreadable(path, "must be frames by numbers", json_path="poses", got=list(poses.shape))
    return poses


def _rate(path: Path, archive: npz.Archive) -> tuple[float, tuple[str, ...]]:
    for name in _RATES:
        if name in archive:
            value = archive.numbers(name)
            if value.size != 1 or not 0.01 <= float(value.ravel()[0]) <= 10_000:
                raise unreadable(path, "is no frame rate", json_path=name, got=value.ravel()[:4].tolist())
            return float(value.ravel()[0]), ()
    return DEFAULT_FPS_HZ, (f"The file states no frame rate: {DEFAULT_FPS_HZ:g} was assumed.",)


def _fingers(side: str) -> tuple[_Row, ...]:
    sign = 1.0 if side == "left" else -1.0
    out: list[_Row] = []
    for finger, first, bone in _FINGERS:
        for number in (1, 2, 3):
            parent = f"{side}_wrist" if number == 1 else f"{side}_{finger}{number - 1}"
            x, y, z = first if number == 1 else bone
            out.append((f"{side}_{finger}{number}", parent, (sign * x, y, z)))
    return tuple(out)
