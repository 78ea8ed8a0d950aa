# SPDX-License-Identifier: Apache-2.0
"""Steps where the model glides: on ways slower than anybody walked in training, bare or between keys."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph_daemon.backbones.interpolate import steps
from kineograph_daemon.backbones.starter import figure, words
from kineograph_daemon.backbones.starter.leap import Flight
from kineograph_daemon.backbones.starter.scene import Scene
from kineograph_daemon.solve.body import read_body
from kineograph_daemon.solve.goals import Goals
from kineograph_daemon.solve.ground import Ground
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]

SLOWEST_MPS = 0.55
"""A bare way that is nowhere faster is stepped, not left to the model; a way between keys wherever it glides."""
GLIDES_MPS, GLIDES = 0.06, 0.5
"""A stretch glides when the stiller of both feet moves faster than this in the mean, and than this share of the body's
own speed."""
SHORTEST = 40
"""Frames; between nearer keys the model has seen enough to know what feet do there."""


def step(
    scene: Scene,
    goals: Goals,
    flights: list[Flight],
    rotations_xyzw: FloatArray,
    root_m: FloatArray,
    contacts: dict[str, BoolArray],
) -> dict[str, BoolArray]:
    """Let the feet stand and step under the body as the model moves it, (T, 22, 4) and (T, 3), on the frames on which
    it would glide; where feet stand (T,). Changes both arrays."""
    bare = not goals.keys and bool(scene.on_path.any())
    glides = _gliding(scene, flights, rotations_xyzw, root_m, bare)
    if not glides.any():
        return contacts
    pose = Pose(figure.SKELETON, rotations_xyzw, root_m)
    if bare:
        pose.root_m[:, 1] = figure.UPRIGHT_M
    stepped = steps.walk(pose, read_body(figure.SKELETON), goals, Ground(0.0, 0.0))
    rotations_xyzw[glides], root_m[glides] = pose.rotations_xyzw[glides], pose.root_m[glides]
    return {name: np.where(glides, stepped[name], stands) for name, stands in contacts.items()}


def _gliding(
    scene: Scene, flights: list[Flight], rotations_xyzw: FloatArray, root_m: FloatArray, bare: bool
) -> BoolArray:
    """Frames (T,) of stretches between keys that are walked, not run, and have both feet off their places."""
    out = np.zeros(len(scene), bool)
    fast = scene.speed_mps >= (SLOWEST_MPS if bare else words.RUN_MPS)
    for part in scene.parts:
        fast[part.start : part.stop] |= part.reading.name in (words.RUN, words.JUMP)
    for flight in flights:
        fast[flight.off : flight.touch + 1] = True
    pose = Pose(figure.SKELETON, rotations_xyzw, root_m)
    feet = [pose.positions_m[:, f.joints][..., [0, 2]] for f in read_body(figure.SKELETON).feet]
    speeds = [np.linalg.norm(np.diff(at, axis=0), axis=-1).min(axis=1) for at in feet]
    stiller = np.min(speeds, axis=0) * figure.FPS_HZ
    borders = sorted({0, *np.flatnonzero(scene.key).tolist(), len(scene) - 1})
    for start, stop in pairwise(borders):
        if stop - start >= SHORTEST and not fast[start : stop + 1].any():
            own = max(GLIDES_MPS, GLIDES * float(scene.speed_mps[start:stop].mean()))
            out[start : stop + 1] |= bare or float(stiller[start:stop].mean()) > own
    return out
