# SPDX-License-Identifier: Apache-2.0
"""World-aligned rest poses: the form in which skeletons travel (MMCP 1.2).

With R the world rotation of a joint at rest and p its parent, an aligned skeleton has identity rest rotations and
offsets along world axes, t' = R_p t, and a local rotation q becomes q' = R_p q R_j^-1. World positions are the same;
world rotations are then measured from rest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]


def align(skeleton: Skeleton) -> Skeleton:
    """The same rest positions with identity rest rotations."""
    return Skeleton.build(
        skeleton.names, skeleton.parents, quat.rotate(_parent_rest(skeleton), skeleton.rest_translations_m)
    )


def to_aligned(skeleton: Skeleton, rotations_xyzw: FloatArray) -> FloatArray:
    """Local rotations (..., J, 4) of ``skeleton`` as those of ``align(skeleton)``."""
    rest = skeleton.rest_world_rotations_xyzw
    return quat.mul(quat.mul(_parent_rest(skeleton), rotations_xyzw), quat.conj(rest))


def from_aligned(skeleton: Skeleton, rotations_xyzw: FloatArray) -> FloatArray:
    """The inverse of ``to_aligned``: back onto ``skeleton``'s own rest."""
    rest = skeleton.rest_world_rotations_xyzw
    return quat.mul(quat.mul(quat.conj(_parent_rest(skeleton)), rotations_xyzw), rest)


def align_clip(clip: Clip) -> Clip:
    """A clip on its aligned skeleton; every joint's world position is unchanged."""
    moved = clip.translations_m
    return replace(
        clip,
        skeleton=align(clip.skeleton),
        rotations_xyzw=to_aligned(clip.skeleton, clip.rotations_xyzw),
        translations_m=None if moved is None else quat.rotate(_parent_rest(clip.skeleton), moved),
    )


def unalign_clip(skeleton: Skeleton, clip: Clip) -> Clip:
    """A clip on ``align(skeleton)`` back onto ``skeleton``."""
    moved = clip.translations_m
    return replace(
        clip,
        skeleton=skeleton,
        rotations_xyzw=from_aligned(skeleton, clip.rotations_xyzw),
        translations_m=None if moved is None else quat.rotate(quat.conj(_parent_rest(skeleton)), moved),
    )


def _parent_rest(skeleton: Skeleton) -> FloatArray:
    """World rest rotation (J, 4) of each joint's parent; identity above the root."""
    rest = skeleton.rest_world_rotations_xyzw
    out = quat.identity(len(skeleton))
    below = skeleton.parents >= 0
    out[below] = rest[skeleton.parents[below]]
    return out
