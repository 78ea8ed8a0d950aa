# SPDX-License-Identifier: Apache-2.0
"""Standing still on a way: before it goes off, after it ends, in between. A body that stops stands, it does not freeze
in mid-step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.backbones.starter.scene import MOVES_MPS, Scene
from kineograph_daemon.solve.goals import runs

FloatArray = NDArray[np.floating[Any]]

SHORTEST = 24
"""Frames; who rests for less goes on in the stance that he came in."""
ARRIVE, LEAVE = 16, 4
"""Frames from the way's end to standing, and from standing to its going on."""


def put(scene: Scene) -> Scene:
    """The scene with a standing pose as keys wherever a path rests for long and no key tells how."""
    still = scene.on_path & (scene.speed_mps < MOVES_MPS)
    keys = []
    for start, stop in runs(still):
        first = start + (ARRIVE if start else 0)
        last = stop - 1 - (LEAVE if stop < len(scene) else 0)
        if stop - start >= SHORTEST and first <= last and not scene.key[start:stop].any():
            keys += [first, last]
    if not keys or scene.loop:
        return scene
    rotations, root, key = scene.rotations_xyzw.copy(), scene.root_m.copy(), scene.key.copy()
    for frame in keys:
        pose = figure.standing()
        pose[0] = quat.about_y(np.array(scene.heading_rad[frame]))
        rotations[frame], root[frame, 1], key[frame] = pose, figure.UPRIGHT_M, True
    return replace(scene, rotations_xyzw=rotations, root_m=root, key=key)
