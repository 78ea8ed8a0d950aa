# SPDX-License-Identifier: Apache-2.0
"""Steps on ways that are slower than anybody walked in training: there the model glides, its feet hardly stepping."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph_daemon.backbones.interpolate import steps
from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.backbones.starter.scene import Scene
from kineograph_daemon.solve.body import read_body
from kineograph_daemon.solve.goals import Goals
from kineograph_daemon.solve.ground import Ground
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]

SLOWEST_MPS = 0.55
"""A bare way that is nowhere faster is stepped, not left to the model."""


def is_slow(scene: Scene, goals: Goals) -> bool:
    """Whether nothing is asked but a way, no part of which is as fast as a walk."""
    return not goals.keys and bool(scene.on_path.any()) and float(scene.speed_mps.max()) < SLOWEST_MPS


def step(goals: Goals, rotations_xyzw: FloatArray, root_m: FloatArray) -> dict[str, BoolArray]:
    """Let the feet (T, 22, 4), (T, 3) stand and step under the body as the model moves it, over the floor; where they
    stand (T,). Changes both."""
    pose = Pose(figure.SKELETON, rotations_xyzw, root_m)
    pose.root_m[:, 1] = figure.UPRIGHT_M
    pose.touch()
    contacts = steps.walk(pose, read_body(figure.SKELETON), goals, Ground(0.0, 0.0))
    rotations_xyzw[:], root_m[:] = pose.rotations_xyzw, pose.root_m
    return contacts
