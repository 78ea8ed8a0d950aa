# SPDX-License-Identifier: Apache-2.0
"""Whoever walks a bare path walks on the ground, at any speed, on any rig."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.fakes import asks, rigs

from kineograph.motion.skeleton import Skeleton
from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.backbones.starter.backbone import MODEL_ID, StarterBackbone
from kineograph_daemon.retarget.carry import Carrier
from kineograph_daemon.solve import feet
from kineograph_daemon.solve.body import read_body
from kineograph_daemon.solve.goals import read_goals
from kineograph_daemon.solve.ground import read_ground
from kineograph_daemon.solve.pose import Pose

MODEL = StarterBackbone()


def low_hipped() -> Skeleton:
    """The human whose hips joint lies below the tops of its legs, as Rigify's spine does."""
    human = rigs.human()
    moved = human.rest_translations_m.copy()
    moved[human.root, 1] -= 0.11
    for child in human.children[human.root]:
        moved[child, 1] += 0.11
    return Skeleton.build(human.names, human.parents, moved, human.rest_rotations_xyzw)


RIGS = {"human": rigs.human(), "figure": figure.SKELETON, "low": low_hipped(), "sparse": rigs.sparse()}


def heights_m(asked: Any, data: Any) -> Any:
    """How high the lower foot is over standing (T,)."""
    goals = read_goals(asked, data.fps_hz)
    pose = Pose(goals.skeleton, data.rotations_xyzw[0].astype(float), data.root_m[0].astype(float))
    ground = read_ground(goals)
    return np.min([feet.clearance(pose, f, ground) for f in read_body(goals.skeleton).feet], axis=0)


@pytest.mark.parametrize("rig", RIGS)
@pytest.mark.parametrize("way_m", [1.0, 3.0, 6.0])
def test_a_bare_path_is_walked_on_the_ground(rig: str, way_m: float) -> None:
    asked = asks.request(RIGS[rig], 150, [asks.path([0, 149], [[0, 0], [0, way_m]])], fps=24.0, model=MODEL_ID)
    data = asks.run(asked, MODEL)
    high = heights_m(asked, data)
    assert high.max() < 0.035
    assert high.min() > -0.005


@pytest.mark.parametrize("rig", ["human", "low"])
@pytest.mark.parametrize("way_m", [0.8, 1.0, 2.5])
def test_a_way_slower_than_a_walk_is_stepped_and_not_glided(rig: str, way_m: float) -> None:
    asked = asks.request(RIGS[rig], 150, [asks.path([0, 149], [[0, 0], [0, way_m]])], fps=24.0, model=MODEL_ID)
    data = asks.run(asked, MODEL)
    at, _ = asks.world(asked, data)
    body = read_body(RIGS[rig])
    slowest = [np.linalg.norm(np.diff(at[:, f.joints][..., [0, 2]], axis=0), axis=-1).min(axis=1) for f in body.feet]
    assert np.min(slowest, axis=0).max() * 24.0 < 0.05, "both feet glide"
    ankles = at[:, [f.limb.end for f in body.feet]]
    apart = np.linalg.norm(ankles[:, 0, [0, 2]] - ankles[:, 1, [0, 2]], axis=-1)
    assert apart.max() < 0.9 * body.size_m


def test_hips_below_their_legs_are_carried_there_and_back() -> None:
    """The model's standing figure stands on the rig, and the rig's on the model."""
    rig = low_hipped()
    back = Carrier.between(figure.SKELETON, rig)
    there = Carrier.between(rig, figure.SKELETON)
    for carrier, source, target in ((back, figure.SKELETON, rig), (there, rig, figure.SKELETON)):
        at_rest = source.rest_positions_m[source.root][None].astype(np.float32)
        _, root = carrier.motion(source.rest_rotations_xyzw[None].astype(np.float32), at_rest)
        assert root[0, 1] == pytest.approx(target.rest_positions_m[target.root, 1], abs=0.02)
