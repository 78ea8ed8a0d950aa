# SPDX-License-Identifier: Apache-2.0
"""How interpolated motion looks on many legs, and on legs of which keys speak only in part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.fakes import asks, rigs
from tests.fakes.asks import key, path, request, run, target, world

from kineograph.motion import quat
from kineograph.motion.skeleton import Skeleton
from kineograph_daemon.solve import feet
from kineograph_daemon.solve.body import read_body
from kineograph_daemon.solve.goals import read_goals
from kineograph_daemon.solve.ground import read_ground
from kineograph_daemon.solve.pose import Pose

DOG, SPIDER, HUMAN = rigs.quadruped(), rigs.spider(), rigs.human()


def jump_m(at: Any) -> float:
    """The largest change of a joint's step from one frame to the next."""
    return float(np.linalg.norm(np.diff(at, 2, axis=0), axis=-1).max())


def turned_deg(out: Any, sample: int = 0) -> float:
    """The largest turn of a joint in a frame."""
    q = out.rotations_xyzw[sample].astype(float)
    return float(np.degrees(quat.angle_between_rad(q[1:], q[:-1]).max()))


def lowest_m(asked: Any, out: Any) -> Any:
    """How high each foot is above standing (F, T)."""
    goals = read_goals(asked, out.fps_hz)
    body, ground = read_body(goals.skeleton), read_ground(goals)
    pose = Pose(goals.skeleton, out.rotations_xyzw[0].astype(float), out.root_m[0].astype(float))
    return np.array([feet.clearance(pose, f, ground) for f in body.feet])


def part_keyed(skeleton: Skeleton, turns: dict[str, float]) -> list[asks.Spec]:
    """Keys of some joints alone, back and forth, beside a path: what an animator keys who turns single bones."""
    return [
        key(skeleton, f, {n: asks.about_x(deg * sign) for n, deg in turns.items()}, full=False)
        for f, sign in ((0, 0.0), (37, 1.0), (74, -0.6), (111, 0.8), (149, 0.0))
    ]


@pytest.mark.parametrize(
    ("skeleton", "turns", "pinned"),
    [
        (DOG, {"RightHumerus": 25.0, "LeftFemur": -20.0, "LeftTibia": 15.0}, "LeftForePaw"),
        (HUMAN, {"LeftUpLeg": -25.0}, "RightHand"),
    ],
    ids=["dog", "human"],
)
def test_keys_of_a_part_of_a_leg_place_its_foot_and_it_does_not_jump_there(
    skeleton: Skeleton, turns: dict[str, float], pinned: str
) -> None:
    start = skeleton.rest_positions_m[skeleton.root]
    rest = skeleton.rest_positions_m[skeleton.index[pinned]]
    pin = target(pinned, range(88, 93), [rest + np.array([0.0, 0.05, 1.2 * 90 / 149])] * 5)
    way = path([0, 149], [start[[0, 2]], start[[0, 2]] + [0.0, 1.2]])
    keys = part_keyed(skeleton, turns)
    asked = request(skeleton, 150, [*keys, way, pin], fps=24.0)
    out = run(asked)
    at, _ = world(asked, out)
    assert jump_m(at) < 0.1, "a foot that is elsewhere on the key's frame alone"
    for k in keys:
        for name, q in k["joint_rotations"].items():
            made = out.rotations_xyzw[0, k["frame"], skeleton.index[name]].astype(float)
            assert np.degrees(quat.angle_between_rad(made, np.array(q))) < 0.1
    low = lowest_m(asked, out)
    body = read_body(skeleton)
    for i, foot in enumerate(body.feet):
        stands = out.contacts[skeleton.names[foot.contact]][0]
        assert low[i][stands].max(initial=0.0) < feet.LEAVE * feet.LOW * body.size_m, "stands in the air"
    assert out.report["quality"][0]["slide_mean_cm_s"] < 1.0


def test_legs_that_nobody_keyed_walk_though_others_are_keyed() -> None:
    keys = part_keyed(DOG, {"LeftFemur": 10.0})
    asked = request(DOG, 150, [*keys, path([0, 149], [[0, -0.3], [0, 2.4]])], fps=24.0)
    out = run(asked)
    for name in ("RightHindClaw", "LeftForePaw", "RightForePaw"):
        lifts = np.count_nonzero(np.diff(out.contacts[name][0].astype(int)) == -1)
        assert lifts >= 4, f"{name} lifts {lifts} times on 2.7 m"
    assert out.report["quality"][0]["slide_worst_cm_s"] < 1.0


def test_a_dog_that_turns_in_its_place_steps_and_stays_up() -> None:
    """Its fore paws go round its pelvis: as many steps as a person's feet take would draw its legs straight."""
    asked = request(DOG, 150, [path([0, 75, 149], [[0, -0.3]] * 3, [0.0, 1.57, 3.1])], fps=24.0)
    out = run(asked)
    quality = out.report["quality"][0]
    assert quality["slide_worst_cm_s"] < 1.0
    assert quality["hover_cm"] < 0.5
    assert out.root_m[0, :, 1].min() > 0.50, "of 0.56 m"
    assert turned_deg(out) < 25


def test_a_body_that_stops_on_its_way_turns_while_it_stands() -> None:
    way = path([0, 40, 90, 149], [[0, 0], [0, 0.9], [0, 0.9], [0.7, 1.8]])
    for skeleton in (DOG, HUMAN):
        out = run(request(skeleton, 150, [way], fps=24.0))
        facing = np.unwrap(quat.heading_rad(out.rotations_xyzw[0, :, skeleton.root].astype(float)))
        assert np.degrees(np.abs(np.diff(facing)).max()) < 2.0, "not all of it in half a second"
        assert out.report["quality"][0]["slide_worst_cm_s"] < 1.0


@pytest.mark.parametrize(
    ("points", "heading"),
    [([[0, 0], [0, 3.0]], None), ([[0, 0], [2.0, 0]], [0.0, 0.0]), ([[0, 0], [0, 0]], [0.0, 2.5])],
    ids=["ahead", "aside", "turning"],
)
def test_a_spider_keeps_its_legs_out_and_stands_on_half_of_them(points: Any, heading: Any) -> None:
    asked = request(SPIDER, 150, [path([0, 149], points, heading)], fps=24.0)
    out = run(asked)
    at, rot = world(asked, out)
    body = read_body(SPIDER)
    assert len(body.feet) == 8
    assert turned_deg(out) < 25
    assert jump_m(at) < 0.12
    standing = np.array([out.contacts[SPIDER.names[f.contact]][0] for f in body.feet])
    assert standing.sum(axis=0).min() >= 4
    left = np.array([SPIDER.names[f.contact].startswith("Left") for f in body.feet])
    assert standing[left].sum(axis=0).min() >= 1
    assert standing[~left].sum(axis=0).min() >= 1
    quality = out.report["quality"][0]
    assert quality["slide_worst_cm_s"] < 1.0
    assert quality["penetration_cm"] < 0.2
    inside = quat.rotate(quat.conj(rot[:, SPIDER.root, None]), at - at[:, SPIDER.root, None])
    for f, is_left in zip(body.feet, left, strict=True):
        assert (inside[:, f.limb.end, 0] * (1 if is_left else -1)).min() > 0.2, "a foot under the body"
    assert out.root_m[0, :, 1].min() > 0.2, "of 0.3 m"


def slope(rise: float, turn_rad: float = 0.0) -> asks.Spec:
    """A field of ground that rises along +Z, turned about the origin."""
    points = np.array([[x / 6, 0.0, z / 6] for x in range(-8, 9) for z in range(-10, 28)])
    # Not a grid: of two points that are as near as each other the next rounding chooses.
    points[:, [0, 2]] += np.random.default_rng(1).normal(0.0, 0.02, (len(points), 2))
    points[:, 1] = rise * points[:, 2]
    return asks.ground(quat.rotate(quat.about_y(turn_rad), points))


@pytest.mark.parametrize("rise", [0.25, -0.25], ids=["up", "down"])
def test_a_dog_goes_along_with_the_slope_and_its_legs_stay_long(rise: float) -> None:
    asked = request(DOG, 120, [slope(rise), path([0, 119], [[0, -0.3], [0, 2.4]])], fps=24.0)
    out = run(asked)
    at, rot = world(asked, out)
    body = read_body(DOG)
    back = quat.rotate(rot[:, DOG.root], np.array([0.0, 0.0, 1.0]))
    np.testing.assert_allclose(np.degrees(np.arcsin(back[:, 1])), np.degrees(np.arctan(rise)), atol=4.0)
    for foot in body.feet:
        stands = out.contacts[DOG.names[foot.contact]][0]
        length = np.linalg.norm(at[:, foot.limb.end] - at[:, foot.limb.top], axis=-1) / foot.limb.reach_m
        assert length[stands].min() > 0.6, "a leg folded under the body"
    assert turned_deg(out) < 50
    quality = out.report["quality"][0]
    assert quality["slide_worst_cm_s"] < 1.0
    assert quality["penetration_cm"] < 0.5


def test_a_key_of_the_root_is_kept_on_a_slope() -> None:
    asked_xyzw, place = asks.about_y(20.0), [0.0, 0.86, 0.9]
    keyed = key(DOG, 60, {"Pelvis": asked_xyzw}, place, full=False)
    out = run(request(DOG, 120, [slope(0.25), path([0, 119], [[0, -0.3], [0, 2.4]]), keyed], fps=24.0))
    made = out.rotations_xyzw[0, 60, DOG.root].astype(float)
    assert np.degrees(quat.angle_between_rad(made, asked_xyzw)) < 0.1
    np.testing.assert_allclose(out.root_m[0, 60], place, atol=1e-4)
    assert turned_deg(out) < 42


def test_a_dog_on_a_slope_moves_and_turns_with_its_request() -> None:
    turn_rad = 0.9
    turn = quat.about_y(turn_rad)
    points = np.array([[0.0, 0, -0.3], [0.3, 0, 1.0], [0.1, 0, 2.0]])
    made = []
    for by in (0.0, turn_rad):
        way = path([0, 60, 119], quat.rotate(quat.about_y(by), points)[:, [0, 2]])
        asked = request(DOG, 120, [slope(0.3, by), way], fps=24.0)
        made.append(world(asked, run(asked))[0])
    np.testing.assert_allclose(quat.rotate(turn, made[0]), made[1], atol=2e-4)


@pytest.mark.parametrize(("way_m", "most_deg", "paired"), [(1.2, 25, 0.0), (5.0, 40, 0.6)], ids=["walks", "trots"])
def test_a_dog_goes_over_from_a_walk_into_a_trot(way_m: float, most_deg: float, paired: float) -> None:
    """Faster, its paws swing longer, in pairs across the body, instead of hurrying one after the other."""
    out = run(request(DOG, 150, [path([0, 149], [[0, -0.3], [0, way_m - 0.3]])], fps=24.0))
    fore, hind = ~out.contacts["RightForePaw"][0], ~out.contacts["LeftHindClaw"][0]
    together = float((fore & hind).sum() / fore.sum())
    assert together > paired if paired else together < 0.5
    assert turned_deg(out) < most_deg
    assert out.report["quality"][0]["slide_worst_cm_s"] < 1.0
