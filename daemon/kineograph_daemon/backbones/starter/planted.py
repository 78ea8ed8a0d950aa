# SPDX-License-Identifier: Apache-2.0
"""Contacts that a foot lock may trust: predicted ones, cut where holding the foot would pull it far."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import kinematics
from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.solve import feet
from kineograph_daemon.solve.body import read_body
from kineograph_daemon.solve.goals import runs
from kineograph_daemon.solve.ground import Ground
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]

PULL_M = 0.12
"""A foot is never held further than this from where the motion has it: a lock must not hide a glide."""
SHORTEST = 3
"""Frames; shorter contacts are no contacts."""
HIGH_M = 0.06
"""A foot whose lowest part is higher than this over where it stands flat stands on nothing: held, it would be dragged
down to the floor."""


def contacts(
    rotations_xyzw: FloatArray, root_m: FloatArray, predicted: BoolArray, believed: BoolArray
) -> dict[str, BoolArray]:
    """Where each toe stands (T,), by joint name: (T, 4) ``predicted`` for ``figure.FEET`` where ``believed`` (T,),
    else as the motion itself shows. Heights are over the floor."""
    at, _ = kinematics.forward(figure.SKELETON, rotations_xyzw, root_m)
    body = read_body(figure.SKELETON)
    pose = Pose(figure.SKELETON, rotations_xyzw, root_m, None)
    floor = Ground(0.0, 0.0)
    out: dict[str, BoolArray] = {}
    for side, name in enumerate(("l_toe", "r_toe")):
        told = predicted[:, side] | predicted[:, side + 2]
        foot = next(f for f in body.feet if figure.NAMES[f.contact] == name)
        seen = feet.detect(pose, body, foot, floor, figure.FPS_HZ)
        ankle, toe = at[:, figure.INDEX[name[0] + "_ankle"]], at[:, figure.INDEX[name]]
        told = told & (feet.clearance(pose, foot, floor) < HIGH_M)
        out[name] = _cut(np.where(believed, told, seen), np.stack([ankle, toe], axis=1)[..., [0, 2]])
    return out


def _cut(mask: BoolArray, joints_xz_m: FloatArray) -> BoolArray:
    """Contacts without the frames on which the foot's stiller joint is too far from the middle of its stand."""
    out = np.zeros_like(mask)
    for start, stop in runs(mask):
        span = joints_xz_m[start:stop]
        holder = span[:, feet.stillest(span)]
        near = np.linalg.norm(holder - _middle(holder), axis=-1) < PULL_M
        for a, b in runs(near):
            if b - a >= SHORTEST:
                out[start + a : start + b] = True
    return out


def _middle(at_xz_m: FloatArray) -> FloatArray:
    """The place (2,) of a stand: the one of all (T, 2) from which the others are least far in sum, whichever way the
    motion faces."""
    apart = np.linalg.norm(at_xz_m[:, None] - at_xz_m[None], axis=-1)
    return np.asarray(at_xz_m[int(apart.sum(axis=1).argmin())])
