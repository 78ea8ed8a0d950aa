# SPDX-License-Identifier: Apache-2.0
"""A cycle closed: the last frame is the first again, wherever no key says otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.solve import curves
from kineograph_daemon.solve.goals import Goals
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]

CLOSE_S = 0.4


def close(pose: Pose, goals: Goals) -> None:
    """Bend the end of the motion into its beginning: pose and height; the way travelled stays. In place.

    Joints keyed on the last frame bend the beginning instead; joints keyed on both frames are left to their keys.
    """
    last = len(pose) - 1
    frames = min(max(1, round(CLOSE_S * goals.fps_hz)), last)
    if last < 2:
        return
    miss = quat.to_rotvec(quat.mul(quat.conj(pose.rotations_xyzw[last]), pose.rotations_xyzw[0]))
    at_end = curves.smoothstep((np.arange(last + 1) - (last - frames)) / frames)
    at_start = curves.smoothstep((frames - np.arange(last + 1)) / frames)
    keyed_first, keyed_last = _keyed(goals, 0), _keyed(goals, last)
    weight = at_end[:, None] * ~keyed_last - at_start[:, None] * (keyed_last & ~keyed_first)
    weight[:, goals.skeleton.root] *= not goals.paths
    pose.rotations_xyzw = quat.mul(pose.rotations_xyzw, quat.from_rotvec(miss[None] * weight[..., None]))
    heights = goals.root_keys()
    rise = float(pose.root_m[0, 1] - pose.root_m[last, 1])
    if last not in heights:
        pose.root_m[:, 1] += at_end * rise
    elif 0 not in heights:
        pose.root_m[:, 1] -= at_start * rise
    pose.touch()


def _keyed(goals: Goals, frame: int) -> NDArray[np.bool_]:
    """Which joints (J,) a key fixes on a frame."""
    frames, table = goals.fixed
    return np.asarray(table[frames == frame].any(axis=0))
