# SPDX-License-Identifier: Apache-2.0
"""Who walks a bare path walks on the ground.

On ways slower than the walks it was trained on the model lets its body float: no foot comes down for as long as nothing
but the path is asked. What a foot does not do within a step or two is no step: the body comes down by that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph_daemon.backbones.starter import carriage, figure
from kineograph_daemon.backbones.starter.leap import Flight
from kineograph_daemon.backbones.starter.scene import Scene
from kineograph_daemon.solve import blend, feet
from kineograph_daemon.solve.body import read_body
from kineograph_daemon.solve.ground import Ground
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]

STEP = 12
"""Frames to both sides in which a foot of somebody who walks comes down."""


def bring_down(scene: Scene, flights: list[Flight], rotations_xyzw: FloatArray, root_m: FloatArray) -> None:
    """Lower the root (T, 3) where no foot touches the floor for longer than a step takes. Changes ``root_m``."""
    share = carriage.bare(scene)
    if not share.any():
        return
    pose = Pose(figure.SKELETON, rotations_xyzw, root_m)
    floor = Ground(0.0, 0.0)
    high = np.min([feet.clearance(pose, f, floor) for f in read_body(figure.SKELETON).feet], axis=0)
    for f in flights:
        high[f.off : f.touch + 1] = 0.0
    # The lowest around, evened out over as much: nowhere more than there is, so that no foot sinks.
    lasting = -blend.spread(-np.maximum(high, 0.0), STEP)
    root_m[:, 1] -= share * np.maximum(lasting, 0.0)
