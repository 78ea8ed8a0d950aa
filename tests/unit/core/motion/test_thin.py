# SPDX-License-Identifier: Apache-2.0
"""Key thinning: the promised bound, on the whole body, whatever the motion."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes import rigs
from tests.unit.core.motion.samples import smooth, wild
from tests.unit.core.motion.strategies import clips

from kineograph.motion import quat
from kineograph.motion.body import BodyPoints
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton
from kineograph.motion.thin import Keyframes, read_keys, thin


def miss_m(clip: Clip, keys: Keyframes) -> float:
    """The largest miss of a reader that slerps and lerps between the keys, joint by joint, in plain loops."""
    rotations, root = np.array(clip.rotations_xyzw), np.array(clip.root_m)
    moved = None if clip.translations_m is None else np.array(clip.translations_m)
    for joint, channels in keys.items():
        for path, frames in channels.items():
            for a, b in pairwise(frames):
                for f in range(a + 1, b):
                    t = (f - a) / (b - a)
                    if path == "rotation":
                        rotations[f, joint] = quat.slerp(
                            clip.rotations_xyzw[a, joint], clip.rotations_xyzw[b, joint], t
                        )
                    elif joint == clip.skeleton.root:
                        root[f] = (1 - t) * clip.root_m[a] + t * clip.root_m[b]
                    else:
                        assert moved is not None
                        assert clip.translations_m is not None
                        source = clip.translations_m
                        moved[f, joint] = (1 - t) * source[a, joint] + t * source[b, joint]
    points = BodyPoints(clip.skeleton)
    truth = points.place(clip.rotations_xyzw, clip.root_m, clip.translations_m)
    return float(np.linalg.norm(points.place(rotations, root, moved) - truth, axis=-1).max())


def thinned(clip: Clip, tolerance_m: float, keep: Iterable[int] = ()) -> Keyframes:
    return thin(clip.skeleton, clip.rotations_xyzw, clip.root_m, tolerance_m, keep, clip.translations_m)


def count(keys: Keyframes) -> int:
    return sum(len(frames) for channels in keys.values() for frames in channels.values())


@settings(deadline=None)
@given(clips(most=8), st.sampled_from([1e-4, 0.01, 0.3, 5.0]))
def test_the_bound_holds_for_any_motion(clip: Clip, tolerance_m: float) -> None:
    keys = thinned(clip, tolerance_m)
    assert miss_m(clip, keys) <= tolerance_m
    assert set(keys) == set(range(len(clip.skeleton)))


@pytest.mark.parametrize("rig", [rigs.human, rigs.quadruped, rigs.chain, rigs.single])
@pytest.mark.parametrize(("tolerance_m", "share"), [(0.001, 0.85), (0.01, 0.5), (0.05, 0.3)])
def test_smooth_motion_is_thinned_within_the_bound(
    rig: Callable[[], Skeleton], tolerance_m: float, share: float
) -> None:
    clip = smooth(rig(), 90, angle_rad=0.4)
    keys = thinned(clip, tolerance_m)
    assert miss_m(clip, keys) <= tolerance_m
    assert count(keys) < share * 90 * (len(clip.skeleton) + 1)


def test_a_looser_bound_takes_fewer_keys() -> None:
    clip = smooth(rigs.human(), 120)
    counts = [count(thinned(clip, t)) for t in (0.001, 0.005, 0.02, 0.1)]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] < counts[0] / 2


def test_stillness_needs_two_keys_and_kept_frames_stay_everywhere() -> None:
    skeleton = rigs.human()
    clip = Clip(skeleton, 30.0, quat.identity(50, len(skeleton)), np.tile([0, 1.0, 0], (50, 1)))
    assert all(frames == [0, 49] for channels in thinned(clip, 0.001).values() for frames in channels.values())
    kept = thinned(clip, 0.001, keep=[7, 31])
    assert all(frames == [0, 7, 31, 49] for channels in kept.values() for frames in channels.values())


@pytest.mark.timeout(60)
@pytest.mark.parametrize("tolerance_m", [1e-9, 1e-300])
def test_a_tolerance_finer_than_single_precision_ends_and_keys_what_moves(tolerance_m: float) -> None:
    clip = wild(rigs.human(), 12, np.random.default_rng(0))
    sent = clip.rotations_xyzw.astype(np.float32).astype(np.float64)  # as results travel: as much as 1e-7 too long
    keys = thin(clip.skeleton, sent, clip.root_m, tolerance_m)
    assert all(channels["rotation"] == list(range(12)) for channels in keys.values())


def test_what_is_linear_already_needs_no_more_keys() -> None:
    skeleton, t = rigs.human(), np.linspace(0, 1, 60)
    turns = quat.identity(60, len(skeleton))
    turns[:, 3] = quat.from_rotvec(t[:, None] * [0.0, 1.2, 0.4])
    keys = thinned(Clip(skeleton, 30.0, turns, t[:, None] * [1.0, 0, 3.0]), 0.0005)
    assert count(keys) == 2 * (len(skeleton) + 1)


def test_the_same_turn_needs_more_keys_nearer_the_root() -> None:
    """Thinning by world error: a wrist's wobble is smaller in the world than the same wobble of the spine."""
    skeleton, t = rigs.human(), np.arange(120) / 30.0
    wobble = quat.from_rotvec(0.1 * np.sin(9 * t)[:, None] * [0, 0, 1.0])
    counts = {}
    for name in ("Spine", "LeftHand"):
        turns = quat.identity(120, len(skeleton))
        turns[:, skeleton.index[name]] = wobble
        keys = thinned(Clip(skeleton, 30.0, turns, np.zeros((120, 3))), 0.004)
        counts[name] = len(keys[skeleton.index[name]]["rotation"])
    assert counts["Spine"] > 1.5 * counts["LeftHand"] > 3


def test_a_twist_on_the_bones_own_axis_is_seen() -> None:
    """No joint moves, but the skin does."""
    skeleton, t = rigs.chain(), np.arange(60) / 30.0
    turns = quat.identity(60, len(skeleton))
    way = skeleton.rest_translations_m[1] / np.linalg.norm(skeleton.rest_translations_m[1])
    last = len(skeleton) - 1
    turns[:, last] = quat.from_rotvec(np.sin(6 * t)[:, None] * way)
    keys = thinned(Clip(skeleton, 30.0, turns, np.zeros((60, 3))), 0.002)
    assert len(keys[last]["rotation"]) > 6


def test_joints_that_slide_get_translation_keys() -> None:
    skeleton = rigs.human()
    clip = smooth(skeleton, 60)
    moved = np.tile(skeleton.rest_translations_m, (60, 1, 1))
    hand = skeleton.index["LeftHand"]
    moved[:, hand, 0] += 0.1 * np.sin(np.arange(60) / 5)
    clip = Clip(skeleton, 30.0, clip.rotations_xyzw, clip.root_m, translations_m=moved)
    keys = thinned(clip, 0.01)
    assert miss_m(clip, keys) <= 0.01
    assert 4 < len(keys[hand]["translation"]) < 60
    assert [j for j, channels in keys.items() if "translation" in channels] == [skeleton.root, hand]


def test_samples_of_a_batch_share_keys_that_hold_for_each() -> None:
    skeleton = rigs.human()
    both = [smooth(skeleton, 60, seed=1), smooth(skeleton, 60, seed=2)]
    keys = thin(skeleton, np.stack([c.rotations_xyzw for c in both]), np.stack([c.root_m for c in both]), 0.01)
    assert all(miss_m(clip, keys) <= 0.01 for clip in both)
    assert count(keys) >= max(count(thinned(clip, 0.01)) for clip in both) * 0.9


def test_reading_keys_is_what_the_bound_is_measured_with() -> None:
    clip = smooth(rigs.human(), 60)
    keys = thinned(clip, 0.02)
    rotations, root = read_keys(keys, clip.rotations_xyzw, clip.root_m)
    points = BodyPoints(clip.skeleton)
    off = points.place(rotations, root) - points.place(clip.rotations_xyzw, clip.root_m)
    assert float(np.linalg.norm(off, axis=-1).max()) == pytest.approx(miss_m(clip, keys), abs=1e-9)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_shortest_clips(frames: int) -> None:
    clip = wild(rigs.human(), frames, np.random.default_rng(5))
    keys = thinned(clip, 1e-6)
    assert keys[0]["rotation"] == list(range(frames))


@pytest.mark.parametrize(
    ("tolerance_m", "keep"), [(0.0, ()), (-1.0, ()), (float("nan"), ()), (0.01, [9]), (0.01, [-1])]
)
def test_nonsense_is_refused(tolerance_m: float, keep: Iterable[int]) -> None:
    clip = smooth(rigs.human(), 9)
    with pytest.raises(ValueError, match=r"tolerance|outside"):
        thinned(clip, tolerance_m, keep)


def test_ten_seconds_of_sixty_joints_take_about_a_second() -> None:
    rng = np.random.default_rng(6)
    parents = [-1] + [int(max(0, j - rng.integers(1, 4))) for j in range(1, 60)]
    skeleton = Skeleton.build([f"j{i}" for i in range(60)], parents, rng.uniform(-0.15, 0.15, (60, 3)))
    clip = smooth(skeleton, 300)
    began = time.process_time()
    keys = thinned(clip, 0.005)
    assert time.process_time() - began < 3.0  # 0.3 s on an idle core
    assert miss_m(clip.slice(0, 300), keys) <= 0.005
