# SPDX-License-Identifier: Apache-2.0
"""Frame rates: in seconds, ends kept, exact where nothing changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes import rigs
from tests.unit.core.motion.samples import smooth, wild

from kineograph.motion import quat
from kineograph.motion import resample as rs
from kineograph.motion.clip import Clip

RATES = st.sampled_from([12.0, 24.0, 25.0, 30.0, 30.0 / 1.001, 50.0, 60.0, 120.0])


def test_equal_rates_give_the_clip_itself() -> None:
    clip = smooth(rigs.human(), 20)
    assert rs.resample(clip, 30.0) is clip
    turns, root = rs.resample_arrays(clip.rotations_xyzw[None], clip.root_m[None], 30.0, 30.0)
    assert np.array_equal(turns[0], clip.rotations_xyzw)
    assert np.array_equal(root[0], clip.root_m)


@given(st.integers(1, 80), RATES, RATES)
def test_the_ends_are_kept_and_times_rise(frames: int, rate: float, new: float) -> None:
    at = rs.source_frames(frames, rate, new)
    assert at[0] == 0.0
    assert (np.diff(at) > 0).all()
    assert abs((len(at) - 1) / new - (frames - 1) / rate) <= 0.5 / new + 1e-9
    if len(at) > 1:
        assert at[-1] == frames - 1
        inner = np.arange(len(at) - 1) * rate / new
        assert np.allclose(at[:-1], inner, atol=1e-5)


@given(st.integers(1, 40), RATES, RATES, st.integers(1, 90))
def test_a_given_length_is_kept_and_held_past_the_end(frames: int, rate: float, new: float, count: int) -> None:
    at = rs.source_frames(frames, rate, new, count)
    assert len(at) == count
    assert at.min() >= 0
    assert at.max() <= frames - 1
    assert (np.diff(at) >= 0).all()


def test_there_and_back_at_a_multiple_is_exact() -> None:
    clip = wild(rigs.human(), 31, np.random.default_rng(3))
    back = rs.resample(rs.resample(clip, 120.0), 30.0)
    assert len(back) == len(clip)
    assert quat.angle_between_rad(back.rotations_xyzw, clip.rotations_xyzw).max() < 1e-7
    assert np.array_equal(back.root_m, clip.root_m)


def test_half_way_between_frames_is_half_way_between_poses() -> None:
    clip = wild(rigs.human(), 5, np.random.default_rng(4), fps_hz=10.0)
    twice = rs.resample(clip, 20.0)
    assert len(twice) == 9
    for f in range(4):
        a, b = clip.rotations_xyzw[f], clip.rotations_xyzw[f + 1]
        assert quat.angle_between_rad(twice.rotations_xyzw[2 * f + 1], quat.slerp(a, b, 0.5)).max() < 1e-9
        assert np.allclose(twice.root_m[2 * f + 1], 0.5 * (clip.root_m[f] + clip.root_m[f + 1]))


def test_a_smooth_motion_is_the_same_motion_at_another_rate() -> None:
    fine, coarse = smooth(rigs.human(), 241, fps_hz=120.0), smooth(rigs.human(), 49, fps_hz=24.0)
    again = rs.resample(fine, 24.0)
    assert np.abs(again.world()[0] - coarse.world()[0]).max() < 1e-9


def test_batches_contacts_and_translations_follow() -> None:
    skeleton = rigs.human()
    clip = smooth(skeleton, 7, fps_hz=30.0)
    moved = np.tile(skeleton.rest_translations_m, (7, 1, 1)) * np.linspace(1, 2, 7)[:, None, None]
    clip = Clip(
        skeleton, 30.0, clip.rotations_xyzw, clip.root_m,
        translations_m=moved, contacts={"Head": np.array([1, 1, 1, 0, 0, 0, 0], bool)},
    )  # fmt: skip
    out = rs.resample(clip, 60.0)
    assert len(out) == 13
    assert out.translations_m is not None
    assert np.allclose(out.translations_m[1], 0.5 * (moved[0] + moved[1]))
    assert out.contacts["Head"].sum() == 5
    turns = np.stack([clip.rotations_xyzw, clip.rotations_xyzw[::-1]]).astype(np.float32)
    root = np.stack([clip.root_m, clip.root_m[::-1]]).astype(np.float32)
    more, path = rs.resample_arrays(turns, root, 30.0, 60.0, n_out=20)
    assert more.shape == (2, 20, len(skeleton), 4)
    assert more.dtype == path.dtype == np.float32
    assert np.allclose(more[0, :13], out.rotations_xyzw, atol=1e-5)
    assert np.array_equal(path[1, 12:], np.broadcast_to(root[1, -1], (8, 3)))


def test_one_frame_stays_one_frame() -> None:
    clip = smooth(rigs.human(), 1)
    assert len(rs.resample(clip, 60.0)) == 1
    turns, _ = rs.resample_arrays(clip.rotations_xyzw, clip.root_m, 30.0, 24.0, n_out=4)
    assert np.array_equal(turns, np.repeat(clip.rotations_xyzw, 4, axis=0))


@pytest.mark.parametrize("rates", [(0.0, 30.0), (30.0, -1.0), (30.0, float("inf")), (float("nan"), 30.0)])
def test_impossible_rates_are_refused(rates: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        rs.source_frames(10, *rates)
