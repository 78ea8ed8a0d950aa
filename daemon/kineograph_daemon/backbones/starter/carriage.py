# SPDX-License-Identifier: Apache-2.0
"""How somebody carries himself along a way of whom no pose is known: as upright as the walks of the training set are in
the mean.

A bare path tells nothing of its walker, and what the model makes of all it has seen on paths leans further forward than
people do, the head most of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import kinematics, quat
from kineograph_daemon.backbones.starter import figure, words
from kineograph_daemon.backbones.starter.scene import Scene
from kineograph_daemon.backbones.starter.stride import Stride

FloatArray = NDArray[np.floating[Any]]

FREE, FADE = 12, 24
"""Frames beside a key that keep the carriage it asks for, and over which the usual one comes in."""
WALKS_MPS = 0.3
"""From so much slower than the slowest run on a way is walked."""
_PARTS = (("pelvis", "neck", ("spine1", "spine2", "spine3"), 1.9), ("neck", "head", ("neck",), 1.0))
"""From which joint to which a lean is measured, which joints share in mending it, and how much they turn for that: the
lower end of a spine hardly moves its upper end."""


def carry(scene: Scene, strides: Mapping[str, Stride], rotations_xyzw: FloatArray) -> None:
    """Lean (T, 22, 4) as people do in the mean, where a way is walked without keys near. Changes rotations.

    The mean lean is mended, not its sway: one turn about the body's own side for all such frames, faded out to keys.
    """
    share = bare(scene)
    if words.WALK not in strides or not share.any():
        return
    usual = strides[words.WALK].poses_xyzw
    for below, above, joints, gain in _PARTS:
        excess = _lean_rad(rotations_xyzw, below, above)
        wanted = float(_lean_rad(usual, below, above).mean())
        back = (wanted - float(np.average(excess, weights=share))) * share
        # Only ever back: who is more upright than the mean stays so.
        _turn(rotations_xyzw, joints, np.minimum(gain * back, 0.0))


def bare(scene: Scene) -> FloatArray:
    """(T,) how much of the usual carriage frames get: 1 on a way that is walked, 0 off it, near keys and in a run."""
    near = np.full(len(scene), np.inf)
    frames = np.arange(len(scene))
    for key in np.flatnonzero(scene.key):
        near = np.minimum(near, np.abs(frames - key))
    walks = np.clip((words.RUN_MPS - scene.speed_mps) / WALKS_MPS, 0.0, 1.0)
    ramp: FloatArray = np.clip((near - FREE) / FADE, 0.0, 1.0) * walks * scene.on_path
    return ramp


def _lean_rad(rotations_xyzw: FloatArray, below: str, above: str) -> FloatArray:
    """How far one joint lies in front of another, as an angle off the vertical (T,), seen along the pelvis' heading."""
    local = np.array(rotations_xyzw, float)
    local[:, 0] = quat.mul(quat.about_y(-quat.heading_rad(local[:, 0])), local[:, 0])
    at, _ = kinematics.forward(figure.SKELETON, local, np.zeros((len(local), 3)))
    apart = at[:, figure.INDEX[above]] - at[:, figure.INDEX[below]]
    return np.asarray(np.arctan2(apart[:, 2], apart[:, 1]))


def _turn(rotations_xyzw: FloatArray, joints: tuple[str, ...], angle_rad: FloatArray) -> None:
    """Turn joints forward by (T,) in all, shared evenly, about the pelvis' side. Changes rotations."""
    side = quat.rotate(quat.about_y(quat.heading_rad(rotations_xyzw[:, 0])), np.array([1.0, 0.0, 0.0]))
    bow = quat.from_rotvec(side * (angle_rad / len(joints))[:, None])
    for joint in (figure.INDEX[name] for name in joints):
        _, world = kinematics.forward(figure.SKELETON, rotations_xyzw, np.zeros((len(rotations_xyzw), 3)))
        above = world[:, figure.PARENTS[joint]]
        local = quat.mul(quat.mul(quat.conj(above), bow), quat.mul(above, rotations_xyzw[:, joint]))
        rotations_xyzw[:, joint] = local
