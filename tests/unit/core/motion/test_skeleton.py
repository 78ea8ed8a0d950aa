# SPDX-License-Identifier: Apache-2.0
"""Skeletons, forward kinematics and clips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from tests.unit.core.motion.samples import smooth, wild
from tests.unit.core.motion.strategies import clips, skeletons

from kineograph.errors import RequestError
from kineograph.motion import kinematics, quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton


def chain(n: int = 4) -> Skeleton:
    return Skeleton.build([f"b{i}" for i in range(n)], range(-1, n - 1), [(0, 0, 0)] + [(0, 1.0, 0)] * (n - 1))


@pytest.mark.parametrize(
    ("names", "parents", "said"),
    [
        ([], [], "at least one"),
        (["a", "a"], [-1, 0], "unique"),
        (["a", "b"], [-1, -1], "exactly one root"),
        (["a", "b"], [1, -1], "before it"),
        (["a", "b"], [-1, 1], "before it"),
        (["a", "b"], [-1, -2], "before it"),
        (["a", "b"], [-1], "one parent per joint"),
    ],
)
def test_what_is_no_tree_is_refused(names: list[str], parents: list[int], said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        Skeleton.build(names, parents, np.zeros((len(names), 3)))
    assert caught.value.code == "invalid_skeleton"


@given(skeletons())
def test_the_mmcp_form_is_the_skeleton_again(skeleton: Skeleton) -> None:
    again = Skeleton.from_mmcp(skeleton.to_mmcp())
    assert again.names == skeleton.names
    assert np.array_equal(again.parents, skeleton.parents)
    assert np.allclose(again.rest_positions_m, skeleton.rest_positions_m)


def test_a_missing_parent_is_refused() -> None:
    joints = [{"name": "a", "parent": None, "rest_translation": [0, 0, 0]},
              {"name": "b", "parent": "nowhere", "rest_translation": [0, 0, 0]}]  # fmt: skip
    with pytest.raises(RequestError):
        Skeleton.from_mmcp({"joints": joints})


@given(skeletons())
def test_the_rest_pose_is_what_forward_kinematics_gives(skeleton: Skeleton) -> None:
    root = skeleton.rest_translations_m[skeleton.root]
    pos, rot = kinematics.forward(skeleton, skeleton.rest_rotations_xyzw, root)
    assert np.allclose(pos, skeleton.rest_positions_m)
    assert quat.angle_between_rad(rot, skeleton.rest_world_rotations_xyzw).max() < 1e-9


@given(clips())
def test_local_rotations_come_back_from_world_ones(clip: Clip) -> None:
    _, rot = clip.world()
    local = kinematics.local_from_world(clip.skeleton, rot)
    assert quat.angle_between_rad(local, clip.rotations_xyzw).max() < 1e-7


def test_levels_children_and_chains_agree() -> None:
    skeleton = Skeleton.build(list("abcde"), [-1, 0, 0, 1, 3], np.ones((5, 3)))
    assert [level.tolist() for level in skeleton.levels] == [[0], [1, 2], [3], [4]]
    assert skeleton.children == ((1, 2), (3,), (), (4,), ())
    assert skeleton.chain(4) == [0, 1, 3, 4]
    assert skeleton.chain(4, 3) == [3, 4]
    with pytest.raises(ValueError, match="not above"):
        skeleton.chain(2, 1)


def test_forward_kinematics_bends_a_chain() -> None:
    turns = np.tile(quat.IDENTITY_XYZW, (4, 1))
    turns[1] = quat.from_rotvec(np.array([0, 0, np.pi / 2]))
    pos, _ = kinematics.forward(chain(), turns, np.zeros(3))
    assert np.allclose(pos, [(0, 0, 0), (0, 1, 0), (-1, 1, 0), (-2, 1, 0)])
    pos, _ = kinematics.forward(chain(), turns, np.zeros(3), 2 * chain().rest_translations_m)
    assert np.allclose(pos[3], (-4, 2, 0))


def test_forward_kinematics_takes_batches_and_keeps_float32() -> None:
    clip = smooth(chain(), 5)
    pos, _ = clip.world()
    both, _ = kinematics.forward(
        clip.skeleton,
        np.stack([clip.rotations_xyzw] * 2).astype(np.float32),
        np.stack([clip.root_m] * 2).astype(np.float32),
    )
    assert both.dtype == np.float32
    assert np.allclose(both[1], pos, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"rotations_xyzw": np.zeros((3, 2, 4))},
        {"root_m": np.zeros((3, 2))},
        {"translations_m": np.zeros((2, 4, 3))},
        {"fps_hz": 0.0},
        {"fps_hz": float("nan")},
    ],
)
def test_a_clip_checks_its_shapes(change: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "skeleton": chain(), "fps_hz": 30.0, "rotations_xyzw": quat.identity(3, 4), "root_m": np.zeros((3, 3)),
    }  # fmt: skip
    assert len(Clip(**good)) == 3
    with pytest.raises(ValueError, match=r"clip|rate|translations"):
        Clip(**(good | change))


def test_a_slice_cuts_everything() -> None:
    clip = wild(chain(), 10, np.random.default_rng(0))
    clip = Clip(clip.skeleton, 20.0, clip.rotations_xyzw, clip.root_m, contacts={"b3": np.arange(10) > 6})
    part = clip.slice(6, 9)
    assert len(part) == 3
    assert part.duration_s == pytest.approx(0.1)
    assert part.contacts["b3"].tolist() == [False, True, True]
    assert np.array_equal(part.root_m, clip.root_m[6:9])
