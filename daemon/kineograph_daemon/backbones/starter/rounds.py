# SPDX-License-Identifier: Apache-2.0
"""Loops: a cycle along a path is walked with the end of the round before it and the start of the next one around it.

So the model itself comes round, and closing the cycle has little left to bend.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.backbones.starter.scene import Scene
from kineograph_daemon.backbones.starter.stitch import Whole

FloatArray = NDArray[np.floating[Any]]

AROUND = 24
"""Frames of the rounds before and after."""


def widen(scene: Scene) -> tuple[Scene, int]:
    """The scene with ``AROUND`` frames of the neighbouring rounds on both sides, and how many that are: 0 where there
    is no loop, or where keys or several parts make it more than one path gone round."""
    last = len(scene) - 1
    if not scene.loop or scene.key.any() or not scene.on_path.all() or len(scene.parts) != 1 or last < 2 * AROUND:
        return scene, 0
    frames = np.arange(-AROUND, last + 1 + AROUND)
    # The round's last frame is the next one's first: a round is one frame shorter than the scene.
    rounds, at = frames // last, frames % last
    rounds[frames == last], at[frames == last] = 0, last
    turn = float(scene.heading_rad[last] - scene.heading_rad[0])
    yaw = turn * rounds
    place = scene.root_m[at].copy()
    for k, pivot, to in ((1, 0, last), (-1, last, 0)):
        rows = rounds == k
        off = place[rows] - scene.root_m[pivot]
        moved = scene.root_m[to] + quat.rotate(quat.about_y(np.full(len(off), k * turn)), off)
        place[rows] = np.column_stack([moved[:, 0], place[rows, 1], moved[:, 2]])
    rotations = scene.rotations_xyzw[at].copy()
    rotations[:, 0] = quat.mul(quat.about_y(yaw), rotations[:, 0])
    part = replace(scene.parts[0], start=0, stop=len(frames))
    return (
        replace(
            scene, rotations_xyzw=rotations, root_m=place, key=scene.key[at], on_path=scene.on_path[at],
            heading_rad=scene.heading_rad[at] + yaw, faces=scene.faces[at], parts=(part,),
        ),
        AROUND,
    )  # fmt: skip


def narrow(made: Whole, around: int) -> Whole:
    """The round itself out of a widened motion."""
    if not around:
        return made
    keep = slice(around, len(made.root_m) - around)
    inside = len(made.root_m) - 2 * around
    borders = [b - around for b in made.borders if 0 < b - around < inside]
    return Whole(made.rotations_xyzw[keep], made.root_m[keep], made.contacts[keep], made.share[keep], borders)


def around_phase(phase_rad: FloatArray, walks: NDArray[np.bool_], around: int) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Phase of the steps on a widened scene, from the round's own, which comes round by whole turns."""
    if not around:
        return phase_rad, walks
    last = len(phase_rad) - 1
    at = np.arange(-around, last + 1 + around) % last
    at[around + last] = last
    return phase_rad[at], walks[at]
