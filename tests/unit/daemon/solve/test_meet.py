# SPDX-License-Identifier: Apache-2.0
"""The solve as a whole: every constraint met on any motion, and everything turning with the request."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.fakes import asks, rigs

from kineograph.motion import quat
from kineograph.motion.skeleton import Skeleton
from kineograph_daemon.solve.goals import read_goals
from kineograph_daemon.solve.measure import misses, quality
from kineograph_daemon.solve.meet import Solved, solve
from kineograph_daemon.solve.pose import Pose

HUMAN = rigs.human()
FRAMES = 90
HANG = {"LeftArm": asks.about_z(-75), "RightArm": asks.about_z(75)}


def walking(frames: int = FRAMES) -> tuple[Any, Any]:
    """A made-up model's motion: swinging limbs, travel along +Z, feet that slide and dip."""
    t = np.arange(frames) / 30.0
    q = quat.identity(frames, len(HUMAN))
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        swing = 0.5 * sign * np.sin(2 * np.pi * t)
        q[:, HUMAN.index[side + "UpLeg"]] = quat.from_axis_angle(np.array([1.0, 0, 0]), swing)
        bend = 0.3 + 0.3 * np.sin(2 * np.pi * t + sign)
        q[:, HUMAN.index[side + "Leg"]] = quat.from_axis_angle(np.array([1.0, 0, 0]), bend)
        q[:, HUMAN.index[side + "Arm"]] = quat.from_axis_angle(np.array([0, 0, 1.0]), np.full(frames, -1.3 * sign))
    root = np.stack([0.02 * np.sin(5 * t), 0.93 + 0.02 * np.cos(9 * t), 1.0 * t], axis=1)
    return q, root


def met(constraints: list[asks.Spec], motion: tuple[Any, Any] | None = None, **more: Any) -> tuple[Solved, Any]:
    q, root = motion or walking()
    goals = read_goals(asks.request(HUMAN, len(root), constraints, **more), 30.0)
    return solve(goals, q, root, {}), goals


def test_keys_are_exact_and_nothing_pops() -> None:
    keys = [
        asks.key(HUMAN, 20, {**HANG, "Spine": asks.about_x(30), "Hips": asks.about_y(40)}, [0.3, 0.95, 0.5]),
        asks.key(HUMAN, 60, {**HANG, "Head": asks.about_y(50)}, [0.2, 0.95, 2.0]),
    ]
    solved, goals = met(keys)
    for miss in misses(solved.pose, goals).values():
        assert miss.cm is not None
        assert miss.deg is not None
        assert miss.cm.max() < 1e-6
        assert miss.deg.max() < 1e-5
    turned = quat.angle_between_rad(solved.pose.rotations_xyzw[1:], solved.pose.rotations_xyzw[:-1])
    assert np.degrees(turned.max()) < 14
    assert np.linalg.norm(np.diff(solved.pose.root_m, axis=0), axis=1).max() < 0.12


def test_far_from_keys_a_models_motion_is_its_own() -> None:
    q, _ = walking()
    solved, _ = met([asks.key(HUMAN, 20, {"Head": asks.about_y(50)}, full=False)])
    head = HUMAN.index["Head"]
    assert quat.angle_between_rad(solved.pose.rotations_xyzw[20, head], asks.about_y(50)) < 1e-9
    np.testing.assert_allclose(solved.pose.rotations_xyzw[60:, head], q[60:, head], atol=1e-9)
    arm = HUMAN.index["LeftArm"]
    np.testing.assert_allclose(solved.pose.rotations_xyzw[:, arm], q[:, arm], atol=1e-9)


def test_sparse_root_points_and_headings_are_met() -> None:
    solved, goals = met([asks.path([0, 40, 80], [[0, 0], [1.0, 1.0], [2.0, 1.0]], [0.0, 0.8, np.pi / 2])])
    miss = misses(solved.pose, goals)[0]
    assert miss.cm is not None
    assert miss.deg is not None
    assert miss.cm.max() < 1e-9
    assert miss.deg.max() < 1e-5


def test_heading_turns_z_towards_x() -> None:
    """heading_radians is right-handed about +Y with 0 facing +Z: a quarter turn faces +X."""
    solved, _ = met([asks.path([0, 89], [[0, 0], [2, 0]], [np.pi / 2, np.pi / 2])])
    front = quat.rotate(solved.pose.rotations_xyzw[:, HUMAN.root], np.array([0.0, 0.0, 1.0]))
    np.testing.assert_allclose(front[[0, 45, 89]], [[1, 0, 0]] * 3, atol=1e-6)


@pytest.mark.parametrize(
    "joint", ["LeftHand", "RightFoot", "Head", "LeftToeBase", "LeftForeArm", "Hips", "RightHandEnd"]
)
def test_effectors_of_every_kind_are_met_where_they_can_be(joint: str) -> None:
    q, root = walking()
    now = Pose(HUMAN, q, root).positions_m[45, HUMAN.index[joint]]
    offset = [0.06, 0.05, 0.04] if joint not in ("Head", "LeftForeArm") else [0.04, -0.02, 0.05]
    solved, goals = met([asks.target(joint, [45], [now + offset])])
    miss = misses(solved.pose, goals)[0].cm
    assert miss is not None
    assert miss.max() < 0.05
    moved = np.linalg.norm(np.diff(solved.pose.positions_m, axis=0) * 30, axis=-1)
    assert moved.max() < 8.0


def test_an_effectors_rotation_is_met_in_space() -> None:
    q, root = walking()
    now = Pose(HUMAN, q, root).positions_m[45, HUMAN.index["LeftHand"]]
    solved, goals = met([asks.target("LeftHand", [44, 45], [now, now], [asks.about_y(70)] * 2)])
    miss = misses(solved.pose, goals)[0]
    assert miss.deg is not None
    assert miss.deg.max() < 1e-4


def test_a_key_wins_over_a_target_and_the_neighbours_give_way() -> None:
    pin = np.array([-0.25, 1.2, 1.75])
    solved, goals = met(
        [asks.key(HUMAN, 45, HANG, [0.0, 0.96, 1.5]), asks.target("RightHand", range(30, 61), [pin] * 31)]
    )
    found = misses(solved.pose, goals)
    assert found[0].deg is not None
    assert found[0].deg.max() < 1e-5
    cm = found[1].cm
    assert cm is not None
    assert cm[15] > 5
    assert cm[[0, 30]].max() < 0.1
    speed = np.linalg.norm(np.diff(solved.pose.positions_m[:, HUMAN.index["RightHand"]], axis=0), axis=1) * 30
    assert speed.max() < 6.0


def test_standing_feet_are_locked_and_nothing_sinks() -> None:
    q, root = walking()
    root[:, 2] = 0.0
    q[:, [HUMAN.index["LeftUpLeg"], HUMAN.index["RightUpLeg"]]] = quat.IDENTITY_XYZW
    q[:, [HUMAN.index["LeftLeg"], HUMAN.index["RightLeg"]]] = quat.IDENTITY_XYZW
    before = Pose(HUMAN, q, root)
    solved, goals = met([asks.target("Head", [5], [[0.0, 1.4, 0.1]])], (q, root))
    stands = dict.fromkeys(solved.contacts, np.ones(FRAMES, bool))
    raw = quality(before, solved.body, solved.ground, stands, before, 30.0)
    now = quality(solved.pose, solved.body, solved.ground, solved.contacts, before, 30.0)
    assert raw.slide_mean_cm_s > 4
    assert raw.penetration_cm > 2
    assert now.standing_share > 0.9
    assert now.slide_mean_cm_s < 0.2
    assert now.penetration_cm < 0.1
    del goals


def test_feet_stand_on_the_given_ground() -> None:
    q, root = walking()
    grid = [[x / 4, 0.3, z / 4] for x in range(-6, 7) for z in range(-4, 20)]
    solved, _ = met([asks.ground(grid)])
    flat, _ = met([asks.path([0], [[0, 0]])])
    assert np.mean(solved.pose.root_m[:, 1] - flat.pose.root_m[:, 1]) == pytest.approx(0.3, abs=0.02)
    for i, foot in enumerate(solved.body.feet):
        low = solved.pose.positions_m[:, foot.joints, 1] - foot.rest_height_m
        assert np.abs(low.min(axis=1)[solved.contacts[i]] - 0.3).max(initial=0.0) < 0.005
    del q, root


def moved_by(c: asks.Spec, turn_rad: float, shift: Any) -> asks.Spec:
    """A constraint turned about the origin and then shifted."""
    turn = quat.about_y(turn_rad)

    def point(p: Any) -> Any:
        return quat.rotate(turn, np.asarray(p, float)) + shift

    out = dict(c)
    if c["type"] == "root_path":
        out["positions_xz"] = asks.floats([point([x, 0, z])[[0, 2]] for x, z in c["positions_xz"]])
        if "heading_radians" in c:
            out["heading_radians"] = asks.floats(np.asarray(c["heading_radians"]) + turn_rad)
    elif c["type"] == "effector_target":
        out["positions"] = asks.floats([point(p) for p in c["positions"]])
        if "rotations" in c:
            out["rotations"] = asks.floats([quat.mul(turn, np.asarray(r)) for r in c["rotations"]])
    elif c["type"] == "ground_height":
        out["points"] = [[p[0], p[2], p[1]] for p in asks.floats([point([x, y, z]) for x, z, y in c["points"]])]
    else:
        hips = np.asarray(c["joint_rotations"]["Hips"])
        out["joint_rotations"] = {**c["joint_rotations"], "Hips": asks.floats(quat.mul(turn, hips))}
        out["root_position"] = asks.floats(point(c["root_position"]))
    return out


WHOLE = [
    asks.path([0, 30, 60, 89], [[0, 0], [0.2, 0.8], [0.7, 1.5], [1.4, 2.0]]),
    asks.key(HUMAN, 10, HANG, [0.03, 0.95, 0.2]),
    asks.key(HUMAN, 70, {**HANG, "Spine": asks.about_x(20), "Hips": asks.about_y(30)}, [0.9, 0.93, 1.7]),
    asks.target("RightHand", list(range(40, 50)), [[0.3, 1.2, 1.5]] * 10, [asks.about_y(20)] * 10),
    asks.target("Head", [30], [[0.2, 1.5, 0.85]]),
    asks.ground([[x / 4, 0.1 * (z > 4), z / 4] for x in range(-4, 9) for z in range(-4, 12)]),
]


@pytest.mark.parametrize("through", ["interpolate", "solve"])
def test_moving_and_turning_the_request_moves_and_turns_the_motion(through: str) -> None:
    turn_rad, shift = 1.3, np.array([3.0, 0.0, -2.0])
    turned = [moved_by(c, turn_rad, shift) for c in WHOLE]
    turn = quat.about_y(turn_rad)
    if through == "interpolate":
        a, b = (asks.request(HUMAN, FRAMES, cs) for cs in (WHOLE, turned))
        at, other = asks.world(a, asks.run(a))[0], asks.world(b, asks.run(b))[0]
    else:
        q, root = walking()
        moved = q.copy()
        moved[:, HUMAN.root] = quat.mul(turn, q[:, HUMAN.root])
        at = met(WHOLE)[0].pose.positions_m
        other = met(turned, (moved, quat.rotate(turn, root) + shift))[0].pose.positions_m
    np.testing.assert_allclose(quat.rotate(turn, at) + shift, other, atol=2e-4)


@pytest.mark.parametrize("index", range(len(WHOLE)))
def test_every_constraint_does_something(index: int) -> None:
    without = [c for k, c in enumerate(WHOLE) if k != index]
    a = asks.run(asks.request(HUMAN, FRAMES, WHOLE, seed=3))
    b = asks.run(asks.request(HUMAN, FRAMES, without, seed=3))
    changed = np.abs(a.rotations_xyzw - b.rotations_xyzw).max() + np.abs(a.root_m - b.root_m).max()
    assert changed > 1e-3


@pytest.mark.parametrize("skeleton", [rigs.human(), rigs.quadruped(), rigs.chain(6), rigs.chain(1), rigs.single()])
def test_any_skeleton_is_solved(skeleton: Skeleton) -> None:
    t = 40
    rng = np.random.default_rng(0)
    q = quat.from_rotvec(0.2 * np.sin(np.arange(t)[:, None, None] / 9 + rng.normal(size=(len(skeleton), 3))))
    root = np.broadcast_to(skeleton.rest_translations_m[skeleton.root], (t, 3)).copy()
    tip = len(skeleton) - 1
    start = Pose(skeleton, q, root).positions_m[20, tip]
    constraints = [
        asks.path([5, 30], [[0.1, 0.1], [0.2, 0.4]]),
        asks.target(skeleton.names[tip], [20], [start + np.array([0.0, 0.0, 0.02])]),
        asks.key(skeleton, 0),
    ]
    goals = read_goals(asks.request(skeleton, t, constraints), 30.0)
    solved = solve(goals, q, root, {})
    assert np.isfinite(solved.pose.positions_m).all()
    found = misses(solved.pose, goals)
    assert found[0].cm is not None
    assert found[0].cm.max() < 1e-6
    assert found[2].deg is not None
    assert found[2].deg.max() < 1e-5


def test_a_body_goes_down_to_what_lies_low() -> None:
    """The hand gets to the floor by bent knees, the feet stay where they stand, and the body comes up again."""
    human = rigs.human()
    keys = [asks.key(human, f, root=[0, 0.96, 0]) for f in (0, 119)]
    asked = asks.request(human, 120, [*keys, asks.target("RightHand", [60], [[-0.25, 0.15, 0.35]])])
    out = asks.run(asked)
    assert [c["outcome"] for c in out.report["constraints"]] == ["applied"] * 3
    at, _ = asks.world(asked, out)
    assert at[60, human.index["Hips"], 1] < 0.7
    np.testing.assert_allclose(at[[5, 115], human.index["Hips"], 1], 0.96, atol=0.02)
    feet = at[:, [human.index["LeftFoot"], human.index["RightFoot"]]]
    assert np.ptp(feet, axis=0).max() < 0.005
    assert at[60, human.index["LeftLeg"], 2] > 0.15, "knees go to the front"
    assert out.report["quality"][0]["slide_worst_cm_s"] < 1.0


def test_nobody_goes_down_in_the_air_or_where_a_key_says_how_high() -> None:
    human = rigs.human()
    reach = asks.target("RightHand", [60], [[-0.25, 0.15, 0.35]])
    keyed = asks.request(human, 120, [asks.key(human, f, root=[0, 0.96, 0]) for f in (0, 60, 119)] + [reach])
    at, _ = asks.world(keyed, asks.run(keyed))
    assert at[60, human.index["Hips"], 1] == pytest.approx(0.96, abs=1e-4)


def test_a_standing_foot_does_not_jump_to_a_key_that_has_it_elsewhere() -> None:
    """A model that says a foot stands up to the frame before a key, where the key has it further on."""
    q = quat.identity(FRAMES, len(HUMAN))
    q[:, [HUMAN.index["LeftLeg"], HUMAN.index["RightLeg"]]] = asks.about_x(25)
    root = np.stack([np.zeros(FRAMES), np.full(FRAMES, 0.9), 0.01 * np.arange(FRAMES)], axis=1)
    at_key = dict(zip(HUMAN.names, q[40].tolist(), strict=True))
    goals = read_goals(asks.request(HUMAN, FRAMES, [asks.key(HUMAN, 40, at_key, root[40].tolist())]), 30.0)
    stands = (np.arange(FRAMES) >= 30) & (np.arange(FRAMES) < 40)
    solved = solve(goals, q, root, {"LeftToeBase": stands, "RightToeBase": np.zeros(FRAMES, bool)})
    foot_z_m = solved.pose.positions_m[:, HUMAN.index["LeftFoot"], 2]
    assert np.ptp(foot_z_m[30:35]) < 0.005
    assert np.abs(np.diff(foot_z_m[30:42])).max() < 0.03
