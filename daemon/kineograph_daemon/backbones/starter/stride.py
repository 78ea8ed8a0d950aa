# SPDX-License-Identifier: Apache-2.0
"""Runs: along a way that is too fast to walk, poses of a running stride.

The model has seen a few seconds of running, and at that speed would walk with huge steps. So the frames of a fast way
get the poses of a stride as keys, means over the runs of the training set (``training.strides``), its legs swinging as
far as the way is fast; the model leads into and out of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.backbones.starter import figure, words
from kineograph_daemon.backbones.starter.scene import MOVES_MPS, Scene
from kineograph_daemon.solve.goals import runs

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]

LEAD = 6
"""Frames at both ends of a run, and around keys, that the model fills."""
SHORTEST = 2 * LEAD + 6
SWING = (0.75, 1.5)
"""How much less or further the legs swing than those of the table, at most."""
_HIPS = [figure.INDEX["l_hip"], figure.INDEX["r_hip"]]


@dataclass(frozen=True, eq=False)
class Stride:
    """``poses_xyzw`` (N, 22, 4) faced to +z at even phases, the left foot foremost at the first; ``height_m`` (N,) of
    the pelvis; ``length_m`` of a stride."""

    poses_xyzw: FloatArray
    height_m: FloatArray
    length_m: float

    def at(self, phase_rad: FloatArray, swing: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Poses (T, 22, 4) and heights (T,) at phases; ``swing`` (T,) is how far the legs swing around their mean."""
        n = len(self.poses_xyzw)
        where = (phase_rad / (2 * np.pi) * n) % n
        low = where.astype(int) % n
        u = where - np.floor(where)
        poses = quat.slerp(self.poses_xyzw[low], self.poses_xyzw[(low + 1) % n], u[:, None])
        height = self.height_m[low] * (1 - u) + self.height_m[(low + 1) % n] * u
        for hip in _HIPS:
            mean = quat.normalize(self.poses_xyzw[:, hip].mean(axis=0))
            off = quat.to_rotvec(quat.mul(quat.conj(mean), poses[:, hip]))
            poses[:, hip] = quat.mul(mean, quat.from_rotvec(off * swing[:, None]))
        return poses, height


def of(weights: Mapping[str, FloatArray], facts: Mapping[str, Any]) -> dict[str, Stride]:
    """By class of motion, from a file of weights; empty where it has none."""
    told = facts.get("stride", {})
    out = {}
    for name, poses_xyzw in zip(told, weights.get("stride", ()), strict=True):
        poses = quat.continuous(quat.normalize(np.asarray(poses_xyzw, float)))
        length_m = told[name]["mps"] / told[name]["stride_hz"]
        out[name] = Stride(poses, np.array(told[name]["height_m"]), length_m)
    return out


def put(scene: Scene, strides: Mapping[str, Stride], phase_rad: FloatArray) -> Scene:
    """The scene with a running body where its way is fast; as it was where it is not. ``phase_rad`` (T,) of steps.

    Where a walk goes over into a run, or a run into a walk, a pose of walking beside it keeps the run out of the walk.
    """
    if words.RUN not in strides or len(scene) < SHORTEST:
        return scene
    speed = scene.speed_mps
    fast = _long(scene.on_path & (speed > words.RUN_MPS))
    busy = _inside(fast, scene.key)
    if not busy.any():
        return scene
    beside = _beside(fast, scene.key) & scene.on_path & (speed > MOVES_MPS)
    rate_hz = np.abs(np.gradient(phase_rad)) * figure.FPS_HZ / (2 * np.pi)
    rotations, root, key = scene.rotations_xyzw.copy(), scene.root_m.copy(), scene.key.copy()
    for name, mask in ((words.RUN, busy), (words.WALK, beside)):
        frames = np.flatnonzero(mask)
        swing = np.clip(speed / np.maximum(rate_hz, 0.3) / strides[name].length_m, *SWING)[frames]
        poses, height = strides[name].at(phase_rad[frames], swing)
        poses[:, 0] = quat.mul(quat.about_y(scene.heading_rad[frames]), poses[:, 0])
        rotations[frames], root[frames, 1], key[frames] = poses, height, True
    return replace(scene, rotations_xyzw=rotations, root_m=root, key=key)


def _long(fast: BoolArray) -> BoolArray:
    out = np.zeros_like(fast)
    for start, stop in runs(fast):
        out[start:stop] = stop - start >= SHORTEST
    return out


def _beside(fast: BoolArray, key: BoolArray) -> BoolArray:
    """A frame before and one after each fast stretch, where no key is near."""
    out = np.zeros_like(fast)
    for start, stop in runs(fast):
        for frame in (start - LEAD, stop - 1 + LEAD):
            if 0 <= frame < len(fast) and not key[max(0, frame - 2 * LEAD) : frame + 2 * LEAD].any():
                out[frame] = True
    return out


def _inside(fast: BoolArray, key: BoolArray) -> BoolArray:
    """Frames of fast stretches away from their ends and from keys."""
    out = np.zeros_like(fast)
    for start, stop in runs(fast):
        out[start + LEAD if start else 0 : stop - LEAD if stop < len(fast) else stop] = True
    for frame in np.flatnonzero(key):
        out[max(0, frame - LEAD) : frame + LEAD + 1] = False
    return out
