# SPDX-License-Identifier: Apache-2.0
"""Trajectories against the official ones, and against what must be true of any."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from motionmcp.trajectory import compute_trajectories, resolve_roles
from tests.unit.daemon.mmcp.motions import CONVENTIONS, TestRig, jump, motions, noise, rig, travel

from kineograph.motion import quat
from kineograph_daemon.mmcp.trajectory import compute
from kineograph_daemon.mmcp.trajectory.roles import read_roles

ROOT = Path(__file__).resolve().parents[4]
RECORDED = Path(os.environ.get("KINEOGRAPH_SHARED", ROOT / "../shared")).resolve() / "motion/motion_train.npz"
POSITION_M, YAW_RAD = 1e-3, 1e-3
# Where a path turns back on itself its direction jumps by half a turn, and which way round that counts is left to
# rounding: these numbers of an arc are compared nowhere, nor is a yaw that only the path tells.
CHAOTIC = {"turned_deg", "turn_deg_s"}
SOMA = rig()


def official(on: TestRig, rotations: Any, root: Any, fps: float, loop: bool) -> list[dict[str, Any] | None]:
    return compute_trajectories(
        skeleton={"joints": on.joints},
        joint_names=on.names,
        rotations_quat=rotations,
        root_translations=root,
        fps=fps,
        loop=loop,
        canonical_to_request=on.canonical_to_request,
    )


def ours(on: TestRig, rotations: Any, root: Any, fps: float = 30.0, loop: bool = False) -> list[dict[str, Any] | None]:
    return compute(on.joints, on.names, rotations, root, fps, loop, on.canonical_to_request)


def one(*arguments: Any, **more: Any) -> dict[str, Any]:
    (told,) = ours(*arguments, **more)
    assert told is not None
    return told


def assert_same(got: dict[str, Any] | None, want: dict[str, Any] | None, what: str) -> None:
    assert (got is None) == (want is None), what
    if got is None or want is None:
        return
    for key in ("model", "loop", "heading", "markers"):
        assert got[key] == want[key], (what, key)
    assert np.abs(got["position"] - np.array(want["position"])).max() <= POSITION_M, what
    if want["heading"] != "path" or not turns_back(want["position"]):
        assert np.abs(got["yaw"] - np.array(want["yaw"])).max() <= YAW_RAD, what
    assert got["params"].keys() == want["params"].keys(), what
    for key in want["params"].keys() - CHAOTIC:
        assert np.allclose(got["params"][key], want["params"][key], rtol=5e-3, atol=2e-3), (what, key)


def turns_back(position: list[list[float]]) -> bool:
    # Steps back below the rounding of positions show as no step at all.
    step = np.diff(np.array(position), axis=0)
    return bool((np.einsum("ti,ti->t", step[1:], step[:-1]) <= 0).any())


@pytest.mark.parametrize("loop", [False, True], ids=["once", "loop"])
@pytest.mark.parametrize("kind", motions(SOMA).keys())
def test_motions_of_every_kind_get_the_official_trajectory(kind: str, loop: bool) -> None:
    for fps, seconds, seed in ((30.0, 6.0, 0), (24.0, 2.5, 1), (60.0, 1.2, 2)):
        rotations, root = motions(SOMA, fps, seconds, seed)[kind]
        want = official(SOMA, rotations, root, fps, loop)
        assert_same(*ours(SOMA, rotations, root, fps, loop), *want, f"{kind} {fps} {seconds}")


def test_the_motions_cover_every_model_and_every_way_to_fit_a_heading() -> None:
    told = [one(SOMA, *m, loop=loop) for m in motions(SOMA, seconds=8.0).values() for loop in (False, True)]
    nameless = one(rig("nameless"), *motions(rig("nameless"))["curve"])
    assert {t["model"] for t in told} == {"still", "line", "arc", "bezier"}
    assert {t["heading"] for t in [*told, nameless]} == {"fixed", "steady", "keyed", "path"}


@pytest.mark.parametrize("mapped", [False, True], ids=["as it is", "mapped"])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_rigs_of_every_convention_get_the_official_trajectory(convention: str, mapped: bool) -> None:
    on = rig(convention, mapped)
    for kind, (rotations, root) in motions(on, seconds=2.0, seed=3).items():
        assert_same(*ours(on, rotations, root), *official(on, rotations, root, 30.0, False), f"{convention} {kind}")


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_roles_are_read_as_the_official_code_reads_them(convention: str) -> None:
    for mapped in (False, True):
        on = rig(convention, mapped)
        parents = {joint["name"]: joint["parent"] for joint in on.joints}
        at = {name: i for i, name in enumerate(on.names)}
        indices = [-1 if parents[name] is None else at[parents[name]] for name in on.names]
        back = {ours: theirs for theirs, ours in (on.canonical_to_request or {}).items()}
        assert read_roles(on.names, indices, back) == resolve_roles(on.names, parents, on.canonical_to_request)


@pytest.mark.parametrize(
    "name",
    [
        *("LeftUpLeg", "thigh.L", "l_hand", "Foot_R", "b_l.foot", "mixamorig:RightToeBase", "DEF-shin.R", "rHand"),
        *("bip01 l thigh", "leftover", "right", "l", "_l", "upperarm_twist_l", "L_Ankle", "hand-r", "Left_Elbow"),
        *("r.ball", "head_01", "Hip L"),
    ],
)
def test_odd_names_are_read_as_the_official_code_reads_them(name: str) -> None:
    names = ["root", name, "Head"]
    parents = {"root": None, name: "root", "Head": name}
    assert read_roles(names, [-1, 0, 1]) == resolve_roles(names, parents)


def test_samples_are_told_apart() -> None:
    kinds = [motions(SOMA)[kind] for kind in ("walk", "circle", "jump ahead", "still")]
    together = ours(SOMA, np.concatenate([q for q, _ in kinds]), np.concatenate([r for _, r in kinds]))
    for told, (rotations, root) in zip(together, kinds, strict=True):
        alone = one(SOMA, rotations, root)
        assert told is not None
        assert told["model"] == alone["model"]
        assert np.array_equal(told["position"], alone["position"])


@pytest.mark.parametrize("kind", ["walk", "circle", "about turn", "jump ahead", "noise", "start and stop"])
def test_a_motion_moved_and_turned_takes_its_trajectory_along(kind: str) -> None:
    rotations, root = motions(SOMA)[kind]
    turn, shift = 2.1, np.array([3.0, 0.0, -5.0])
    turned = rotations.copy()
    turned[:, :, 0] = quat.mul(quat.about_y(turn), rotations[:, :, 0])
    moved = quat.rotate(quat.about_y(turn), root) + shift
    before, after = one(SOMA, rotations, root), one(SOMA, turned.astype(np.float32), moved.astype(np.float32))
    assert after["model"] == before["model"]
    flat = np.zeros((len(before["position"]), 3))
    flat[:, [0, 2]] = before["position"]
    expected = (quat.rotate(quat.about_y(turn), flat) + shift)[:, [0, 2]]
    assert np.abs(after["position"] - expected).max() < 2e-3
    assert np.abs(after["yaw"] - before["yaw"]).max() < 1e-3


def test_a_walk_to_plus_x_heads_a_quarter_turn_right_handed_about_y() -> None:
    n = 120
    told = one(SOMA, *travel(SOMA, np.full(n, 1.2), np.full(n, math.pi / 2), 30.0))
    assert told["model"] == "line"
    assert told["params"]["heading_deg"] == pytest.approx(90.0, abs=2.0)
    assert told["position"][-1][0] - told["position"][0][0] == pytest.approx(1.2 * (n - 1) / 30, abs=0.1)
    turning = one(SOMA, *travel(SOMA, np.zeros(n), np.linspace(0, 1.5, n), 30.0))
    assert turning["yaw"][-1] == pytest.approx(1.5, abs=0.15)


def test_a_loop_closes_on_its_roots_travel_and_turn() -> None:
    for kind, (rotations, root) in motions(SOMA).items():
        told = one(SOMA, rotations, root, loop=True)
        travelled = (root[0, -1] - root[0, 0])[[0, 2]]
        assert np.abs(told["position"][-1] - told["position"][0] - travelled).max() < 2e-4, kind
        assert told["model"] != "bezier"


def test_the_yaw_begins_at_nothing() -> None:
    for rotations, root in motions(SOMA).values():
        assert abs(one(SOMA, rotations, root)["yaw"][0]) < 1e-5


def test_few_frames() -> None:
    for frames in range(2, 9):
        rotations, root = (part[:, :frames] for part in motions(SOMA)["walk"])
        told = one(SOMA, rotations, root)
        assert told["position"].shape == (frames, 2)
        assert np.isfinite(told["position"]).all()
    assert ours(SOMA, rotations[:, :1], root[:, :1]) == [None]


def test_joints_in_another_order_than_the_skeletons_give_the_same() -> None:
    rotations, root = motions(SOMA)["curve"]
    order = np.random.default_rng(1).permutation(len(SOMA.names))
    names = [SOMA.names[i] for i in order]
    told = compute(SOMA.joints, names, rotations[:, :, order], root, 30.0)[0]
    assert told is not None
    assert np.abs(told["position"] - one(SOMA, rotations, root)["position"]).max() < 1e-6


def test_names_that_are_not_the_skeletons_give_none() -> None:
    rotations, root = motions(SOMA)["still"]
    assert compute(SOMA.joints, [*SOMA.names[:-1], "Tail"], rotations, root, 30.0) == [None]


def test_a_chain_without_limbs_travels_by_its_root() -> None:
    chain = TestRig([{**j, "parent": SOMA.names[i - 1] if i else None} for i, j in enumerate(SOMA.joints[:4])], {})
    rotations = np.tile(np.array([0, 0, 0, 1], np.float32), (1, 60, 4, 1))
    root = np.zeros((1, 60, 3), np.float32)
    root[0, :, 0] = np.linspace(0, 3, 60)
    got, want = ours(chain, rotations, root), official(chain, rotations, root, 30.0, False)
    assert_same(*got, *want, "a chain")
    assert got[0] is not None
    assert got[0]["model"] == "line"


@pytest.mark.shared
@pytest.mark.skipif(not RECORDED.is_file(), reason=f"the recorded motion is not at {RECORDED}")
def test_recorded_motion_gets_the_official_trajectory() -> None:
    with np.load(RECORDED) as data:
        names, parents = [str(n) for n in data["joints"]], data["parents"]
        offsets, starts = data["offsets"], data["starts"]
        turns, roots, fps = data["quat"], data["root"], float(data["fps"])
    joints = [
        {"name": name, "parent": names[above] if above >= 0 else None, "rest_translation": [float(x) for x in offset]}
        for name, above, offset in zip(names, parents, offsets, strict=True)
    ]
    on = TestRig(joints, {})
    for clip in range(0, len(starts) - 1, 4):
        first, last = int(starts[clip]), min(int(starts[clip + 1]), int(starts[clip]) + (80, 200, 300)[clip % 3])
        rotations = (turns[None, first:last] / 32767).astype(np.float32)
        root = roots[None, first:last]
        for loop in (False, True):
            want = official(on, rotations, root, fps, loop)
            assert_same(*ours(on, rotations, root, fps, loop), *want, f"clip {clip} loop {loop}")


def test_it_costs_a_fraction_of_the_official_computation() -> None:
    kinds = [motions(SOMA, seconds=10.0)["walk"], jump(SOMA, 10.0, 30.0, 1.0), noise(SOMA, 10.0, 30.0, 5)]
    rotations, root = (np.concatenate(parts) for parts in zip(*kinds, strict=True))

    def spent_ms(run: Any) -> float:
        start = time.thread_time_ns()
        run()
        return (time.thread_time_ns() - start) / 1e6

    slow = spent_ms(lambda: official(SOMA, rotations, root, 30.0, False))
    fast = min(spent_ms(lambda: ours(SOMA, rotations, root)) for _ in range(5))
    assert slow > 8 * fast  # about 30 on a quiet machine
