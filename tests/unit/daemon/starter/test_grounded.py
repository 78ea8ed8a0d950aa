# SPDX-License-Identifier: Apache-2.0
"""Whoever walks a bare path walks on the ground, at any speed, on any rig."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.fakes import asks, rigs

from kineograph.motion import quat
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


def glide_mps(asked: Any, data: Any) -> float:
    """How fast the stiller foot moves over the floor, the mean over all frames."""
    at, _ = asks.world(asked, data)
    feet_xz = [at[:, f.joints][..., [0, 2]] for f in read_body(read_goals(asked, 24.0).skeleton).feet]
    speeds = [np.linalg.norm(np.diff(xz, axis=0), axis=-1).min(axis=1) for xz in feet_xz]
    return float(np.min(speeds, axis=0).mean()) * data.fps_hz


@pytest.mark.parametrize("rig", ["human", "low"])
@pytest.mark.parametrize("way_m", [0.8, 1.0, 2.5])
def test_a_way_slower_than_a_walk_is_stepped_and_not_glided(rig: str, way_m: float) -> None:
    asked = asks.request(RIGS[rig], 150, [asks.path([0, 149], [[0, 0], [0, way_m]])], fps=24.0, model=MODEL_ID)
    data = asks.run(asked, MODEL)
    assert glide_mps(asked, data) < 0.01
    at, _ = asks.world(asked, data)
    body = read_body(RIGS[rig])
    ankles = at[:, [f.limb.end for f in body.feet]]
    apart = np.linalg.norm(ankles[:, 0, [0, 2]] - ankles[:, 1, [0, 2]], axis=-1)
    assert apart.max() < 0.9 * body.size_m


@pytest.mark.parametrize("rig", ["human", "low"])
@pytest.mark.parametrize(("keys", "way_m"), [(2, 0.6), (2, 4.0), (4, 1.6)])
def test_who_stands_in_keys_far_apart_steps_between_them(rig: str, keys: int, way_m: float) -> None:
    skeleton = RIGS[rig]
    start = skeleton.rest_positions_m[skeleton.root]
    frames = np.linspace(0, 149, keys).round().astype(int).tolist()
    placed = [asks.key(skeleton, f, None, (start + np.array([0.0, 0.0, way_m * f / 149])).tolist()) for f in frames]
    asked = asks.request(skeleton, 150, placed, fps=24.0, model=MODEL_ID)
    data = asks.run(asked, MODEL)
    assert glide_mps(asked, data) < 0.03
    for frame, one in zip(frames, placed, strict=True):
        made = data.rotations_xyzw[0, frame].astype(float)
        assert np.degrees(quat.angle_between_rad(made, skeleton.rest_rotations_xyzw)).max() < 0.1
        np.testing.assert_allclose(data.root_m[0, frame], one["root_position"], atol=1e-3)
    assert heights_m(asked, data).max() < 0.03


def test_who_stands_goes_on_standing() -> None:
    """Two keys in one place: nothing glides, and nobody steps."""
    skeleton = RIGS["human"]
    start = skeleton.rest_positions_m[skeleton.root].tolist()
    placed = [asks.key(skeleton, f, None, start) for f in (0, 149)]
    asked = asks.request(skeleton, 150, placed, fps=24.0, model=MODEL_ID)
    data = asks.run(asked, MODEL)
    at, _ = asks.world(asked, data)
    feet_m = at[:, [f.limb.end for f in read_body(skeleton).feet]]
    assert np.ptp(feet_m, axis=0).max() < 0.03


def test_hips_below_their_legs_are_carried_there_and_back() -> None:
    """The model's standing figure stands on the rig, and the rig's on the model."""
    rig = low_hipped()
    back = Carrier.between(figure.SKELETON, rig)
    there = Carrier.between(rig, figure.SKELETON)
    for carrier, source, target in ((back, figure.SKELETON, rig), (there, rig, figure.SKELETON)):
        at_rest = source.rest_positions_m[source.root][None].astype(np.float32)
        _, root = carrier.motion(source.rest_rotations_xyzw[None].astype(np.float32), at_rest)
        assert root[0, 1] == pytest.approx(target.rest_positions_m[target.root, 1], abs=0.02)
