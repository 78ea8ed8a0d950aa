# SPDX-License-Identifier: Apache-2.0
"""What a retarget promises, measured: round trips, feet that stand, nothing in the floor, no pops."""

from __future__ import annotations

import os
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fakes import canonical, test_rigs, walks

from kineograph import formats
from kineograph.errors import ErrorCode, KineographError
from kineograph.motion import kinematics, quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton
from kineograph_daemon.retarget import Options, Rest, RootPolicy, quality, retarget
from kineograph_daemon.retarget.restpose import bind

MOST_SLIDE = {"mixamo": 1.5, "soma": 1.5, "unreal": 1.5, "vrm": 1.5, "rigify": 3.0}
RIGS = {**test_rigs.RIGS, "rigify": canonical.metarig}
SHARED = Path(os.environ.get("KINEOGRAPH_SHARED", Path(__file__).resolve().parents[4] / ".." / "shared"))


@cache
def rig(name: str) -> Skeleton:
    return RIGS[name]()


@cache
def clip_on(name: str) -> Clip:
    """The same walk on each rig, carried there from one."""
    walk = walks.walk(test_rigs.cmu31(), 180)
    return walk if name == "cmu" else retarget(walk, None, rig(name), options=Options(feet=False)).clip


@cache
def cmu_clip() -> Clip:
    path = SHARED / "clips" / "cmu_01_01.bvh"
    if not path.is_file():
        pytest.skip(f"reference data is not here: {path}")
    return formats.load(path).clips[0]


def deg(a: Any, b: Any) -> float:
    return float(np.degrees(quat.angle_between_rad(a.astype(float), b.astype(float)).max()))


@pytest.mark.parametrize(("a", "b"), list(permutations(RIGS, 2)))
def test_there_and_back_is_where_it_was(a: str, b: str) -> None:
    trip = quality.round_trip(retarget(clip_on(a), None, rig(b)))
    assert trip["degrees"] < 0.05
    assert trip["cm"] < 0.2
    assert trip["cm_beyond_lost"] < 0.2


@pytest.mark.shared
@pytest.mark.parametrize("b", [n for n in RIGS if n != "cmu"])
def test_a_captured_clip_there_and_back(b: str) -> None:
    trip = quality.round_trip(retarget(cmu_clip(), None, rig(b)), frames=len(cmu_clip()))
    assert trip["degrees"] < 0.05
    assert trip["cm"] < 0.2
    assert trip["cm_beyond_lost"] < 0.2


@pytest.mark.shared
@pytest.mark.parametrize(("name", "most"), MOST_SLIDE.items())
def test_a_captured_clip_stands_on_every_rig(name: str, most: float) -> None:
    report = quality.measure(retarget(cmu_clip(), None, rig(name)))
    assert report["slide_cm_per_s"] <= most
    assert report["slide_seen_cm_per_s"] <= most
    assert report["slide_source_cm_per_s"] > most, "there is something to mend"
    assert report["penetration_cm"] < 0.5
    assert report["jerk_ratio"] < 1.1
    assert report["knee_pop_deg"] < 25.0
    assert report["limb_error_deg"]["mean"] < 5.0
    assert report["rest"]["score"] > 0.8


@pytest.mark.shared
@pytest.mark.parametrize("fps_hz", [30.0, 24.0])
@pytest.mark.parametrize("name", RIGS)
def test_no_knee_snaps_straight_as_a_foot_leaves_at_few_frames_a_second(name: str, fps_hz: float) -> None:
    out = retarget(cmu_clip(), None, rig(name), options=Options(fps_hz=fps_hz))
    report = quality.measure(out)
    assert report["knee_pop_deg"] < 25.0
    assert report["knee_pop_deg"] < report["knee_pop_source_deg"]
    assert report["slide_seen_cm_per_s"] < 1.5
    assert report["jerk_ratio"] < 1.1


@pytest.mark.parametrize("name", RIGS)
def test_limbs_point_as_in_the_source(name: str) -> None:
    report = quality.measure(retarget(clip_on("cmu"), None, rig(name), options=Options(feet=False)))
    assert report["limb_error_deg"]["max"] < 0.1


@pytest.mark.parametrize("name", RIGS)
def test_travel_goes_by_leg_length(name: str) -> None:
    out = retarget(clip_on("cmu"), None, rig(name), options=Options(feet=False))
    at, _ = out.clip.world()
    hips = at[:, out.plan.hips.target]
    source = clip_on("cmu").root_m
    assert hips[-1, 2] - hips[0, 2] == pytest.approx(out.plan.scale * (source[-1, 2] - source[0, 2]), rel=1e-4)


@pytest.mark.parametrize("policy", list(RootPolicy))
def test_the_hips_go_the_same_way_whoever_carries_the_travel(policy: RootPolicy) -> None:
    target = rig("unreal")
    plain = retarget(clip_on("cmu"), None, target, options=Options(root=RootPolicy.HIPS))
    out = retarget(clip_on("cmu"), None, target, options=Options(root=policy))
    clip = out.clip
    if policy is RootPolicy.OBJECT:
        from kineograph_daemon.retarget.root import carried

        assert out.travel is not None
        clip = carried(out.clip, out.travel)
    at, turned = clip.world()
    wanted_at, wanted_turn = plain.clip.world()
    joint, other = clip.skeleton.index["pelvis"], target.index["pelvis"]
    np.testing.assert_allclose(at[:, joint], wanted_at[:, other], atol=1e-4)
    assert deg(turned[:, joint], wanted_turn[:, other]) < 0.05
    root = out.clip.root_m
    assert (np.ptp(root[:, 2]) > 0.5) == (policy is RootPolicy.ROOT)


def test_mirrored_twice_is_the_same() -> None:
    target = rig("vrm")
    once = retarget(clip_on("vrm"), None, target, options=Options(mirror=True, feet=False)).clip
    twice = retarget(once, None, target, options=Options(mirror=True, feet=False)).clip
    assert deg(twice.rotations_xyzw, clip_on("vrm").rotations_xyzw) < 0.05
    a, b = target.index["leftFoot"], target.index["rightFoot"]
    left, right = once.world()[0][:, a], clip_on("vrm").world()[0][:, b]
    np.testing.assert_allclose(left * (-1, 1, 1), right, atol=2e-3)


def test_another_rate_is_the_same_motion() -> None:
    clip = clip_on("cmu")
    out = retarget(clip, None, rig("mixamo"), options=Options(fps_hz=30.0, feet=False)).clip
    whole = retarget(clip, None, rig("mixamo"), options=Options(feet=False)).clip
    assert out.fps_hz == 30.0
    assert len(out) == 91
    assert deg(out.rotations_xyzw[10], whole.rotations_xyzw[20]) < 0.05


def test_fingers_bend_as_they_do_in_the_source() -> None:
    clip = clip_on("mixamo")
    skeleton = clip.skeleton
    rotations = clip.rotations_xyzw.copy()
    joint = skeleton.index["mixamorig:LeftHandIndex2"]
    bend = quat.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.radians(50.0)).astype(np.float32)
    rotations[:, joint] = quat.mul(rotations[:, joint], bend)
    bent = Clip(skeleton, clip.fps_hz, rotations, clip.root_m)
    for name, finger in (("unreal", "index_02_l"), ("soma", "LeftHandIndex3"), ("vrm", "leftIndexIntermediate")):
        target = rig(name)
        i = target.index[finger]
        straight, curled = (retarget(c, None, target).clip.rotations_xyzw[:, i] for c in (clip, bent))
        assert deg(straight, curled) == pytest.approx(50.0, abs=0.2), name


def test_the_rest_pose_is_chosen_where_the_files_own_is_none() -> None:
    """A rig whose rest pose has every bone along one axis: the clip's own frames stand in, and it is said."""
    clip = clip_on("vrm")
    skeleton = clip.skeleton
    lengths = np.linalg.norm(skeleton.rest_translations_m, axis=1)
    folded = lengths[:, None] * np.array([0.0, 1.0, 0.0])
    turns = quat.identity(len(skeleton))
    made = Skeleton.build(skeleton.names, skeleton.parents, folded, turns)
    # The same motion on it: each bone turned from its folded way to where the walk has it.
    local = np.empty_like(clip.rotations_xyzw)
    at, _ = clip.world()
    world = np.zeros_like(local)
    world[..., 3] = 1.0
    for j in range(len(made)):
        below = made.children[j]
        up = int(made.parents[j])
        above = world[:, up] if up >= 0 else None
        if below:
            way = at[:, below[0]] - at[:, j]
            world[:, j] = quat.between(np.broadcast_to([0.0, 1.0, 0.0], way.shape), way.astype(float))
        elif above is not None:
            world[:, j] = above
        local[:, j] = world[:, j] if above is None else quat.mul(quat.conj(above), world[:, j])
    result = retarget(Clip(made, clip.fps_hz, local, clip.root_m), None, rig("mixamo"), options=Options(feet=False))
    assert result.plan.source_rest.kind is not Rest.BIND
    assert any("was not used" in note for note in result.notes)


def test_nothing_is_stretched_and_what_nothing_drives_stays_at_rest() -> None:
    target = rig("rigify")
    out = retarget(clip_on("cmu"), None, target).clip
    assert out.translations_m is None
    breast = target.index["pelvis.L"]
    assert deg(out.rotations_xyzw[:, breast], target.rest_rotations_xyzw[breast]) < 1e-3


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_shortest_clips(frames: int) -> None:
    clip = clip_on("cmu").slice(0, frames)
    for name in RIGS:
        out = retarget(clip, None, rig(name)).clip
        assert len(out) == frames
        assert np.isfinite(out.rotations_xyzw).all()


def test_bad_clips_are_refused_with_their_place() -> None:
    clip = clip_on("cmu")
    broken = clip.rotations_xyzw.copy()
    broken[7, 3, 1] = np.nan
    with pytest.raises(KineographError) as caught:
        retarget(Clip(clip.skeleton, 60.0, broken, clip.root_m), None, rig("mixamo"))
    assert caught.value.details["frame"] == 7
    with pytest.raises(KineographError, match="no frames"):
        retarget(clip.slice(0, 0), None, rig("mixamo"))
    for bad in (Options(fps_hz=0.0), Options(fps_hz=1e9), Options(travel_scale=-1.0)):
        with pytest.raises(KineographError) as caught:
            retarget(clip, None, rig("mixamo"), options=bad)
        assert caught.value.code is ErrorCode.INVALID_PARAMETERS


def test_a_map_with_missing_limbs_is_refused_by_name() -> None:
    from tests.fakes import rigs

    with pytest.raises(KineographError) as caught:
        retarget(clip_on("cmu"), None, rigs.chain())
    assert caught.value.code is ErrorCode.MAP_INCOMPLETE
    assert "left_thigh" in caught.value.details["missing"]


def test_dogs_go_to_dogs_and_their_tails_too() -> None:
    from tests.fakes import rigs

    dog = rigs.quadruped()
    frames = 40
    rotations = np.broadcast_to(dog.rest_rotations_xyzw, (frames, len(dog), 4)).copy()
    wag = quat.from_axis_angle(np.array([0.0, 1.0, 0.0]), 0.5 * np.sin(np.arange(frames) / 5.0))
    rotations[:, dog.index["Tail2"]] = wag
    clip = Clip(dog, 30.0, rotations, np.broadcast_to(dog.rest_positions_m[0], (frames, 3)).copy())
    longer = Skeleton.build(
        [*dog.names, "Tail4"], [*dog.parents, dog.index["Tail3"]], [*dog.rest_translations_m, (0.0, -0.05, -0.1)]
    )
    larger = Skeleton.build(longer.names, longer.parents, 1.5 * longer.rest_translations_m)
    out = retarget(clip, None, larger, options=Options(feet=False))
    tip = larger.index["Tail4"]
    at, _ = out.clip.world()
    assert np.ptp(at[:, tip, 0]) > 0.1, "the tail wags"
    names = {(out.plan.source.names[p.source], out.plan.target.names[p.target]) for p in out.plan.pairs}
    assert ("LeftFemur", "LeftFemur") in names
    assert ("LeftHumerus", "LeftHumerus") in names


def test_rest_stays_rest() -> None:
    for a, b in permutations(("mixamo", "soma", "vrm"), 2):
        source, target = rig(a), rig(b)
        still = Clip(source, 30.0, source.rest_rotations_xyzw[None], source.rest_positions_m[None, source.root])
        out = retarget(still, None, target, options=Options(feet=False)).clip
        at, _ = kinematics.forward(target, out.rotations_xyzw, out.root_m)
        ours, theirs = bind(target).positions_m, bind(source).positions_m
        assert at.shape[1:] == ours.shape
        assert np.isfinite(theirs).all()
        assert abs(at[0, :, 1].min() - ours[:, 1].min()) < 0.03, "it stands on its own floor"
