# SPDX-License-Identifier: Apache-2.0
"""A clip under one more joint that carries its travel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]


def carried(clip: Clip, path_m: FloatArray, yaw_rad: FloatArray, name: str = "Object") -> Clip:
    """``clip`` below a joint that goes along ``path_m`` (T, 3) and turns by ``yaw_rad`` (T,) about +Y."""
    skeleton = clip.skeleton
    while name in skeleton.names:
        name += "_"
    rest = np.concatenate([np.zeros((1, 3)), skeleton.rest_translations_m])
    turns = np.concatenate([quat.identity(1), skeleton.rest_rotations_xyzw])
    taller = Skeleton.build([name, *skeleton.names], [-1, *(skeleton.parents + 1)], rest, turns)
    moved = clip.translations_m
    if moved is None:
        moved = np.broadcast_to(skeleton.rest_translations_m, (len(clip), len(skeleton), 3))
    moved = np.concatenate([path_m[:, None], moved], axis=1)
    moved[:, 1 + skeleton.root] = clip.root_m
    rotations = np.concatenate([quat.about_y(yaw_rad)[:, None], clip.rotations_xyzw], axis=1)
    return replace(clip, skeleton=taller, rotations_xyzw=rotations, root_m=path_m, translations_m=moved)
