# SPDX-License-Identifier: Apache-2.0
"""BVH: round trips within 1e-5, every order of channels, and what real files do."""

from __future__ import annotations

import time
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fakes import rigs
from tests.unit.core.formats.samples import SMALL_BVH, miss, shared
from tests.unit.core.motion.samples import smooth, wild
from tests.unit.core.motion.strategies import clips

from kineograph.formats import bvh
from kineograph.formats.bvh.frames import rate_of
from kineograph.motion import euler, quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

ONE_FOLDER = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def put(folder: Path, text: str) -> Path:
    path = folder / "made.bvh"
    path.write_text(text)
    return path


@ONE_FOLDER
@given(clips(rests=False), st.sampled_from(euler.ORDERS))
def test_a_clip_comes_back_whole(tmp_path: Path, clip: Clip, order: str) -> None:
    bvh.write(tmp_path / "a.bvh", clip.skeleton, clip, order=order)
    asset = bvh.read(tmp_path / "a.bvh", metres_per_unit=1.0)
    assert set(asset.skeleton.names) == set(clip.skeleton.names)
    assert max(miss(clip, asset)) < 1e-5
    assert asset.clips[0].fps_hz == pytest.approx(clip.fps_hz, abs=1e-5)
    index = [asset.skeleton.index[n] for n in clip.skeleton.names]
    assert quat.angle_between_rad(asset.clips[0].rotations_xyzw[:, index], clip.rotations_xyzw).max() < 1e-5


@ONE_FOLDER
@given(clips(rests=True))
def test_any_rest_pose_becomes_the_zero_pose(tmp_path: Path, clip: Clip) -> None:
    """World positions stay; the file's zero pose is the rest pose as it looks."""
    bvh.write(tmp_path / "a.bvh", clip.skeleton, clip)
    asset = bvh.read(tmp_path / "a.bvh", metres_per_unit=1.0)
    assert miss(clip, asset)[0] < 1e-5
    index = [asset.skeleton.index[n] for n in clip.skeleton.names]
    assert np.abs(asset.skeleton.rest_positions_m[index] - clip.skeleton.rest_positions_m).max() < 1e-6


def test_moving_joints_get_position_channels(tmp_path: Path) -> None:
    skeleton = rigs.human()
    clip = smooth(skeleton, 9)
    moved = np.tile(skeleton.rest_translations_m, (9, 1, 1))
    moved[:, 5] += np.linspace(0, 0.2, 9)[:, None]
    clip = Clip(skeleton, 30.0, clip.rotations_xyzw, clip.root_m, translations_m=moved)
    bvh.write(tmp_path / "a.bvh", skeleton, clip)
    text = (tmp_path / "a.bvh").read_text()
    assert text.count("CHANNELS 6") == 2
    assert miss(clip, bvh.read(tmp_path / "a.bvh"))[0] < 1e-5


def test_a_second_round_trip_changes_nothing(tmp_path: Path) -> None:
    first = bvh.read(put(tmp_path, SMALL_BVH))
    assert first.skeleton.names == ("Hips", "Spine", "Spine_end")
    bvh.write(tmp_path / "b.bvh", first.skeleton, first.clips[0])
    second = bvh.read(tmp_path / "b.bvh")
    bvh.write(tmp_path / "c.bvh", second.skeleton, second.clips[0])
    assert second.skeleton.names == first.skeleton.names
    assert (tmp_path / "b.bvh").read_text() == (tmp_path / "c.bvh").read_text()
    assert (tmp_path / "b.bvh").read_text().count("End Site") == 1


@pytest.mark.parametrize("order", ["".join(p) for p in permutations("XYZ")])
def test_every_order_of_rotation_channels(tmp_path: Path, order: str) -> None:
    text = SMALL_BVH.replace("Zrotation Yrotation Xrotation", " ".join(f"{a}rotation" for a in order))
    clip = bvh.read(put(tmp_path, text)).clips[0]
    expected = euler.to_quat(np.deg2rad([10.0, 20.0, 30.0]), order)
    assert quat.angle_between_rad(clip.rotations_xyzw[1, 1], expected) < 1e-9


def test_positions_in_any_order_and_between_rotations(tmp_path: Path) -> None:
    text = SMALL_BVH.replace(
        "Xposition Yposition Zposition Zrotation Xrotation Yrotation",
        "Zrotation ZPOSITION Xrotation xposition Yrotation Yposition",
    ).replace("0.5 1.1 2 0 0 90", "0 2 0 0.5 90 1.1")
    clip = bvh.read(put(tmp_path, text)).clips[0]
    assert clip.root_m[1].tolist() == [0.5, 1.1, 2.0]
    assert quat.angle_between_rad(clip.rotations_xyzw[1, 0], quat.about_y(np.pi / 2)) < 1e-9


def test_position_channels_replace_the_offset_and_missing_ones_keep_it(tmp_path: Path) -> None:
    text = SMALL_BVH.replace("6 Xposition Yposition Zposition", "4 Zposition").replace("0 1 0 0", "0 0")
    clip = bvh.read(put(tmp_path, text.replace("0.5 1.1 2 0", "2 0"))).clips[0]
    assert clip.root_m[1].tolist() == [0.0, 1.0, 2.0]


def test_six_channels_on_every_joint_as_blender_writes_them(tmp_path: Path) -> None:
    text = (
        SMALL_BVH.replace("CHANNELS 3 Zrotation", "CHANNELS 6 Xposition Yposition Zposition Zrotation")
        .replace("0 0 0 0 0 0\n", "0 0 0 0 0.2 0 0 0 0\n")
        .replace("10 20 30", "0 0.2 0 10 20 30")
    )
    asset = bvh.read(put(tmp_path, text))
    assert asset.clips[0].translations_m is None  # the channels only repeat the offset
    asset = bvh.read(put(tmp_path, text.replace("0 0.2 0 10", "0 0.25 0 10")))
    assert asset.clips[0].translations_m is not None
    assert asset.clips[0].translations_m[1, 1].tolist() == [0, 0.25, 0]


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t.replace("\n", "\r"),
        lambda t: t.replace("  ", "\t").replace(" ", "\t \t"),
        lambda t: t.replace("\n", "\n\n  \n"),
        lambda t: "\ufeff" + t,
        lambda t: t.replace("{\n", "{ ").replace("Hips\n", "Hips "),
        lambda t: t.rstrip("\n"),
        lambda t: t + "\n\n",
        lambda t: t.replace("0.5 1.1 2 ", "0.5 1.1\n 2 "),
        lambda t: t.replace("HIERARCHY", "hierarchy").replace("MOTION", "  motion").replace("End Site", "END SITE"),
        lambda t: t.replace("Frames:", "Frames :").replace("Frame Time:", "Frame  Time :"),
        lambda t: t.replace("0.5 1.1", "5.0e-1 +1.1"),
    ],
)
def test_any_white_space_and_spelling(tmp_path: Path, change) -> None:  # type: ignore[no-untyped-def]
    plain = bvh.read(put(tmp_path, SMALL_BVH))
    path = tmp_path / "changed.bvh"
    path.write_bytes(change(SMALL_BVH).encode())
    asset = bvh.read(path)
    assert asset.skeleton.names == plain.skeleton.names
    assert np.array_equal(asset.clips[0].rotations_xyzw, plain.clips[0].rotations_xyzw)


def test_names_may_have_spaces_dots_colons_and_letters_of_any_language(tmp_path: Path) -> None:
    names = ["Bip01 Pelvis", "mixamorig:Spine", "hand.L", "Überarm 左", "a{b"]
    skeleton = Skeleton.build(names, [-1, 0, 1, 2, 3], np.ones((5, 3)) * 0.1)
    clip = wild(skeleton, 2, np.random.default_rng(0))
    bvh.write(tmp_path / "a.bvh", skeleton, clip)
    assert bvh.read(tmp_path / "a.bvh").skeleton.names == (
        "Bip01 Pelvis",
        "mixamorig:Spine",
        "hand.L",
        "Überarm 左",
        "a_b",
    )


def test_end_sites_can_be_left_out_and_empty_ones_are(tmp_path: Path) -> None:
    assert bvh.read(put(tmp_path, SMALL_BVH), end_sites=False).skeleton.names == ("Hips", "Spine")
    flat = SMALL_BVH.replace("OFFSET 0 0.3 0", "OFFSET 0 0 0")
    assert bvh.read(put(tmp_path, flat)).skeleton.names == ("Hips", "Spine")


def test_no_frames_is_a_rig_and_no_clip_is_a_frame_of_rest(tmp_path: Path) -> None:
    empty = SMALL_BVH[: SMALL_BVH.index("Frames")] + "Frames: 0\nFrame Time: 0\n"
    assert bvh.read(put(tmp_path, empty)).clips == ()
    skeleton = rigs.human()
    bvh.write(tmp_path / "rig.bvh", skeleton)
    asset = bvh.read(tmp_path / "rig.bvh")
    assert len(asset.clips[0]) == 1
    assert np.allclose(asset.clips[0].world()[0][0], asset.skeleton.rest_positions_m, atol=1e-6)


@pytest.mark.parametrize(
    ("printed", "fps_hz"),
    [
        ("0.0333333", 30.0), (".0083333", 120.0), ("0.033", 30.0), ("0.04166", 24.0), ("0.041708", 24 / 1.001),
        ("0.0333667", 30 / 1.001), ("0.04", 25.0), ("0.016667", 60.0), ("1", 1.0), ("0.0571428571", 17.5),
        ("0.0344827586", 29.0), ("0.03125", 32.0), ("0.4", 2.5), ("8.3333e-3", 120.0),
    ],
)  # fmt: skip
def test_printed_frame_times_are_the_rate_they_stand_for(printed: str, fps_hz: float) -> None:
    assert rate_of(printed) == pytest.approx(fps_hz, rel=1e-8)


def test_units_are_guessed_from_the_size_and_said(tmp_path: Path) -> None:
    skeleton, clip = rigs.human(), smooth(rigs.human(), 3)
    for per_metre, word in ((100.0, "centimetres"), (1000.0, "millimetres"), (0.45 / 0.0254, "CMU")):
        bvh.write(tmp_path / "a.bvh", skeleton, clip, units_per_metre=per_metre)
        asset = bvh.read(tmp_path / "a.bvh")
        assert miss(clip, asset)[0] < 1e-5
        assert asset.source.metres_per_unit == pytest.approx(1 / per_metre)
        assert word in asset.source.notes[0]
    assert bvh.read(tmp_path / "a.bvh", metres_per_unit=1.0).skeleton.height_m > 20
    bvh.write(tmp_path / "a.bvh", skeleton, clip)
    assert bvh.read(tmp_path / "a.bvh").source.notes == ()


def test_z_up_files_can_be_turned(tmp_path: Path) -> None:
    text = SMALL_BVH.replace("OFFSET 0 1 0", "OFFSET 0 0 1").replace("OFFSET 0 0.2 0", "OFFSET 0 0 0.2")
    asset = bvh.read(put(tmp_path, text), up="z")
    assert np.allclose(asset.skeleton.rest_positions_m[1], [0, 1.2, 0])
    assert np.allclose(asset.clips[0].root_m[1], [0.5, 2, -1.1])


def test_ten_thousand_frames_of_sixty_joints_are_read_in_a_second_or_two(tmp_path: Path) -> None:
    skeleton = Skeleton.build([f"j{i}" for i in range(60)], [-1, *range(59)], np.full((60, 3), 0.05))
    clip = smooth(skeleton, 250)
    bvh.write(tmp_path / "a.bvh", skeleton, clip)
    head, _, frames = (tmp_path / "a.bvh").read_text().partition("MOTION\n")
    rows = frames.split("\n", 2)[2]
    (tmp_path / "long.bvh").write_text(f"{head}MOTION\nFrames: 10000\nFrame Time: 0.0333333\n{rows * 40}")
    began = time.process_time()
    asset = bvh.read(tmp_path / "long.bvh")
    assert time.process_time() - began < 5.0  # about 1 s on an idle core
    assert len(asset.clips[0]) == 10_000


@pytest.mark.shared
def test_a_real_clip_round_trips(tmp_path: Path) -> None:
    asset = bvh.read(shared("cmu_01_01.bvh"))
    clip = asset.clips[0]
    assert (len(clip), clip.fps_hz, len(asset.skeleton)) == (2752, 120.0, 38)
    assert 0.9 < clip.world()[0][0, :, 1].max() - clip.world()[0][0, :, 1].min() < 2.0
    part = clip.slice(500, 700)
    bvh.write(tmp_path / "a.bvh", asset.skeleton, part)
    assert max(miss(part, bvh.read(tmp_path / "a.bvh"))) < 1e-5
