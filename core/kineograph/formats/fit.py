# SPDX-License-Identifier: Apache-2.0
"""A clip expressed on the skeleton that a file is written with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kineograph.motion import rest
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

_SAME = 1e-7


def onto(skeleton: Skeleton, clip: Clip) -> Clip:
    """``clip`` on ``skeleton``: the same joints, maybe with other rest rotations.

    World poses stay; bone lengths are ``skeleton``'s. Raises ValueError when the joints differ.
    """
    own = clip.skeleton
    if own is skeleton:
        return clip
    if own.names != skeleton.names or not np.array_equal(own.parents, skeleton.parents):
        raise ValueError(f"clip {clip.name!r} moves other joints than the skeleton has")
    if np.allclose(own.rest_rotations_xyzw, skeleton.rest_rotations_xyzw, rtol=0, atol=_SAME):
        return replace(clip, skeleton=skeleton)
    return rest.unalign_clip(skeleton, rest.align_clip(clip))
