# SPDX-License-Identifier: Apache-2.0
"""Fixes applied to requests: what changes, what is said, and that nothing else changes."""

from __future__ import annotations

import contextlib
import copy
import math
from typing import Any

import numpy as np
import pytest

from kineograph.errors import error
from kineograph.fixes import Applied, NotApplicable, apply, resolve
from kineograph.fixes.edits import EDITS

from .requests import IDENTITY, clip, hero, joint, key, path, pin, text


def do(request: dict[str, Any], action: str, **args: Any) -> Applied:
    before = copy.deepcopy(request)
    applied = apply({"target": "request", "action": action, "args": args}, request)
    assert_same(request, before)
    assert applied.said.endswith(".")
    return applied


def assert_same(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for k in a:
            assert_same(a[k], b[k])
    elif isinstance(a, list):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    elif isinstance(a, np.ndarray):
        np.testing.assert_array_equal(a, b)
    else:
        assert a == b


def test_a_joint_here() -> None:
    request = hero(pin("LefHand", 3), pin("LefHand", 9), key(5, "LefHand", "Hips"))
    done = do(request, "rename_joint_here", path=["constraints", 1, "joint"], joint="LefHand", to="LeftHand")
    assert [c.get("joint") for c in done.request["constraints"]] == ["LefHand", "LeftHand", None]
    assert done.said == "Pin 2 now points at 'LeftHand'."
    path_ = ["constraints", 2, "joint_rotations", "LefHand"]
    done = do(request, "rename_joint_here", path=path_, joint="LefHand", to="LeftHand")
    assert set(done.request["constraints"][2]["joint_rotations"]) == {"LeftHand", "Hips"}


def test_a_joint_everywhere_but_in_a_clip_with_its_own_skeleton() -> None:
    own = clip("LefHand") | {"skeleton": {"joints": [joint("LefHand", None)]}}
    request = hero(pin("LefHand", 3), key(5, "LefHand"), segments=[clip("LefHand"), own])
    done = do(request, "rename_joint_everywhere", joint="LefHand", to="LeftHand")
    assert done.said == "'LefHand' is now 'LeftHand' in 3 places."
    assert [s["joint_names"] for s in done.request["segments"]] == [["LeftHand"], ["LefHand"]]


def test_a_key_that_has_the_right_joint_already_keeps_its_rotation() -> None:
    both = key(5, "LefHand", "LeftHand")
    both["joint_rotations"]["LeftHand"] = [1.0, 0.0, 0.0, 0.0]
    done = do(hero(both), "rename_joint_everywhere", joint="LefHand", to="LeftHand")
    assert done.request["constraints"][0]["joint_rotations"] == {"LeftHand": [1.0, 0.0, 0.0, 0.0]}


def test_bones_under_the_models_names() -> None:
    done = do(hero(pin("Spine", 3)), "rename_joints", pairs=[["Spine", "Chest"], ["Hips", "Pelvis"]])
    joints = done.request["skeleton"]["joints"]
    assert [(j["name"], j["parent"]) for j in joints[:3]] == [
        ("Pelvis", None),
        ("Chest", "Pelvis"),
        ("LeftHand", "Chest"),
    ]
    assert done.request["constraints"][0]["joint"] == "Chest"


def test_bones_in_the_models_order() -> None:
    order = ["Hips", "Spine", "RightHand", "LeftHand"]
    assert [j["name"] for j in do(hero(), "order_joints", order=order).request["skeleton"]["joints"]] == order
    with pytest.raises(NotApplicable, match="before its parent"):
        do(hero(), "order_joints", order=["Spine", "Hips", "RightHand", "LeftHand"])
    with pytest.raises(NotApplicable, match="not the same"):
        do(hero(), "order_joints", order=order[:3])


def test_sorting_puts_parents_first() -> None:
    request = hero()
    request["skeleton"]["joints"].reverse()
    names = [j["name"] for j in do(request, "sort_joints", unsorted=True).request["skeleton"]["joints"]]
    assert names == ["Hips", "Spine", "RightHand", "LeftHand"]
    request["skeleton"]["joints"] = [joint("a", "b"), joint("b", "a")]
    with pytest.raises(NotApplicable, match="circle"):
        do(request, "sort_joints", unsorted=True)


def test_only_below_a_root() -> None:
    request = hero(pin("IK", 3), key(5, "IK", "Hips"), key(6, "IK"), pin("LeftHand", 9), segments=[clip("Hips", "IK")])
    request["skeleton"]["joints"] += [joint("IK", None), joint("IKtip", "IK")]
    done = do(request, "only_below_root", root="Hips")
    assert [j["name"] for j in done.request["skeleton"]["joints"]] == ["Hips", "Spine", "LeftHand", "RightHand"]
    assert [c.get("joint") or list(c["joint_rotations"]) for c in done.request["constraints"]] == [["Hips"], "LeftHand"]
    assert done.request["segments"][0]["joint_names"] == ["Hips"]
    assert len(done.request["segments"][0]["rotations"][0]) == 1
    assert done.said == "4 bones below 'Hips' are sent, 2 others left out, with 2 pins and keys on them."
    inner = do(hero(), "only_below_root", root="Spine").request["skeleton"]["joints"]
    assert (inner[0]["name"], inner[0]["parent"], len(inner)) == ("Spine", None, 3)


def test_duplicates_are_numbered() -> None:
    request = hero()
    request["skeleton"]["joints"] += [joint("Spine", "Hips"), joint("Spine", "Hips")]
    names = [j["name"] for j in do(request, "number_duplicates", names=["Spine"]).request["skeleton"]["joints"]]
    assert names[-2:] == ["Spine.001", "Spine.002"]


def test_extending_to_a_frame() -> None:
    done = do(hero(pin("Hips", 150)), "extend_to", frame=150)
    assert [s["duration_frames"] for s in done.request["segments"]] == [90, 61]
    assert done.said == "The last prompt is 1 frame longer."
    pose = hero(segments=[text("waves", 10), {"type": "pose", "prompt": "stands"}])
    assert do(pose, "extend_to", frame=20).request["segments"][-1] == {"type": "unconditioned", "duration_frames": 10}
    free = hero(key(3), segments=[], duration_frames=10)
    assert do(free, "extend_to", frame=20).request["duration_frames"] == 21
    with pytest.raises(NotApplicable):
        do(hero(), "extend_to", frame=10)


@pytest.mark.parametrize("as_array", [False, True])
def test_moving_a_pins_frame(as_array: bool) -> None:
    request = hero(key(151), pin("Hips", 3, 149, 151, 160))
    if as_array:
        request["constraints"][1]["positions"] = np.asarray(request["constraints"][1]["positions"])
        request["constraints"][1]["frames"] = np.asarray(request["constraints"][1]["frames"])
    assert do(request, "move_frame", path=["constraints", 0, "frame"], to=149).request["constraints"][0]["frame"] == 149
    moved = do(request, "move_frame", path=["constraints", 1, "frames", 3], to=150).request["constraints"][1]
    assert list(moved["frames"]) == [3, 149, 150, 151]
    met = do(request, "move_frame", path=["constraints", 1, "frames", 2], to=149).request["constraints"][1]
    assert list(met["frames"]) == [3, 149, 160]
    assert len(met["positions"]) == 3
    every = do(request, "move_frame", path=["constraints", 1], to=149).request["constraints"][1]
    assert list(every["frames"]) == [3, 149]


def test_dropping_what_lies_outside() -> None:
    request = hero(key(200), pin("Hips", -1, 3, 150), path(0, 149), {"type": "ground_height", "points": [[0, 0, 0]]})
    done = do(request, "drop_outside_frames", total_frames=150)
    assert [c["type"] for c in done.request["constraints"]] == ["effector_target", "root_path", "ground_height"]
    assert done.request["constraints"][0]["frames"] == [3]
    assert done.said == "3 keys outside the motion are left out."


def test_shortening_and_halving() -> None:
    request = hero(key(100), pin("Hips", 10, 80))
    done = do(request, "shorten", frames=75)
    assert [s["duration_frames"] for s in done.request["segments"]] == [75]
    assert done.request["constraints"] == [pin("Hips", 10)]
    half = do(request, "half_length", frames=75)
    assert half.said == "The motion ends after 75 frames instead of 150."
    assert do(hero(key(3), segments=[], duration_frames=10), "half_length").request["duration_frames"] == 5
    with pytest.raises(NotApplicable):
        do(request, "shorten", frames=150)


def test_slowing_down_keeps_the_shape() -> None:
    done = do(hero(key(149), path(0, 10, 149)), "slow_down", frames=300)
    assert [s["duration_frames"] for s in done.request["segments"]] == [180, 120]
    assert done.request["constraints"][0]["frame"] == 299
    assert done.request["constraints"][1]["frames"] == [0, 20, 299]


def test_dropping_constraints() -> None:
    assert do(hero(key(3), pin("Hips", 4)), "drop_constraint", index=0).request["constraints"] == [pin("Hips", 4)]
    done = do(hero(path(0), key(3), path(0, 9)), "drop_constraints_of_type", type="root_path")
    assert done.request["constraints"] == [key(3)]
    assert done.said == "2 paths left out; the scene keeps them."
    with pytest.raises(NotApplicable, match="nothing would be left"):
        do(hero(key(3), segments=[], duration_frames=10), "drop_constraint", index=0)


def test_a_path_becomes_root_keys_that_face_the_way() -> None:
    line = {"type": "root_path", "frames": list(range(40)), "positions_xz": [[0.05 * f, 0.0] for f in range(40)]}
    keys = do(hero(line), "path_to_keys", index=0).request["constraints"]
    assert len(keys) == 16
    assert (keys[0]["frame"], keys[-1]["frame"]) == (0, 39)
    assert keys[-1]["root_position"] == pytest.approx([1.95, 0.95, 0.0])
    quarter = [0.0, math.sin(math.pi / 4), 0.0, math.cos(math.pi / 4)]  # towards +X is a quarter turn about +Y
    assert keys[3]["joint_rotations"]["Hips"] == pytest.approx(quarter)
    given = line | {"heading_radians": [0.0] * 40}
    assert do(hero(given), "path_to_keys", index=0).request["constraints"][0]["joint_rotations"]["Hips"] == IDENTITY


def test_thinning() -> None:
    request = hero(path(0, 149), *(key(f) for f in range(0, 140, 2)))
    done = do(request, "thin_constraints", most=64)
    frames = [c["frame"] for c in done.request["constraints"] if c["type"] == "pose_keyframe"]
    assert (len(done.request["constraints"]), frames[0], frames[-1]) == (64, 0, 138)
    assert done.said == "7 of 71 keys and pins left out, evenly."
    few = do(hero(*(pin("Hips", f) for f in range(10))), "thin_constraints", most=3)
    assert [c["frames"] for c in few.request["constraints"]] == [[0], [4], [9]]
    assert [c["frame"] for c in do(hero(*map(key, range(6))), "thin_keys", keys=6).request["constraints"]] == [
        0,
        2,
        4,
        5,
    ]


def test_prompts() -> None:
    request = hero(key(100), segments=[text("waves, then walks to the door", 91, seed=4), text("sits", 60)])
    split = do(request, "split_prompt", index=0).request["segments"]
    assert [(s["prompt"], s["duration_frames"]) for s in split[:2]] == [("waves", 45), ("walks to the door", 46)]
    merged = do(request, "merge_segments", count=2).request["segments"]
    assert merged == [text("waves, then walks to the door, then sits", 151, seed=4)]
    assert do(request, "free_segment", index=1).request["segments"][1] == {
        "type": "unconditioned",
        "duration_frames": 60,
    }
    assert do(request, "replace_prompt", index=1, prompt="kneels").request["segments"][1]["prompt"] == "kneels"


def test_a_long_word_can_still_be_split() -> None:
    parts = do(hero(segments=[text("pirouette", 10)]), "split_prompt", index=0).request["segments"]
    assert [s["prompt"] for s in parts] == ["pirouette", "pirouette"]


def test_a_pose_prompt_becomes_text_and_later_keys_move_on() -> None:
    request = hero(key(5), key(20), segments=[text("a", 10), {"type": "pose", "prompt": "stands"}, text("b", 20)])
    done = do(request, "segment_to_text", index=1)
    assert done.request["segments"][1] == text("stands", 30)
    assert [c["frame"] for c in done.request["constraints"]] == [5, 49]


def test_foreign_prompts_are_freed() -> None:
    done = do(hero(segments=[clip("Hips"), text("a", 5)]), "free_segments_of_type", type="motion_reference")
    assert done.request["segments"][0] == {"type": "unconditioned", "duration_frames": 60}


def test_options() -> None:
    request = hero(options={"num_samples": 9, "loop": True, "model_options": {"twist": 3}})
    assert do(request, "set_option", path=["options", "num_samples"], value=4).request["options"]["num_samples"] == 4
    assert do(request, "fewer_samples", samples=1).said == "1 sample."
    assert do(request, "loop_off", loop=True).request["options"]["loop"] is False
    assert "num_samples" not in do(request, "reset_option", path=["options", "num_samples"]).request["options"]
    dial = do(request, "reset_option", path=["options", "model_options", "twist"]).request["options"]
    assert dial["model_options"] is None
    assert do(hero(), "set_option", path=["options", "num_samples"], value=2).request["options"] == {"num_samples": 2}
    assert do(hero(), "fewer_steps", steps=25).request["options"] == {"diffusion_steps": 25}
    assert do(hero(), "switch_model", model="b").said == "Model 'b' instead of 'starter'."


def test_another_seed_counts_for_every_prompt() -> None:
    done = do(hero(segments=[text("a", 5, seed=1)]), "another_seed", seed=8)
    assert done.request["options"]["seed"] == 8
    assert "seed" not in done.request["segments"][0]


def test_a_longer_deadline_changes_the_submit_message_only() -> None:
    request = hero()
    done = do(request, "longer_deadline", deadline_s=300)
    assert done.request == request
    assert done.fields == {"deadline_s": 300.0}


@pytest.mark.parametrize("as_array", [False, True])
def test_reference_clips(as_array: bool) -> None:
    reference = clip("Spine", frames=5)
    if as_array:
        reference["rotations"] = np.asarray(reference["rotations"])
    request = hero(segments=[reference])
    short = do(request, "trim_reference", index=0, frames=3).request["segments"][0]
    assert (len(short["rotations"]), len(short["root_positions"])) == (3, 3)
    rooted = do(request, "add_root_track", index=0, joint="Hips").request["segments"][0]
    assert rooted["joint_names"] == ["Hips", "Spine"]
    assert np.asarray(rooted["rotations"]).shape == (5, 2, 4)
    np.testing.assert_allclose(np.asarray(rooted["rotations"])[:, 0], [IDENTITY] * 5)


def test_a_video_is_trimmed_from_its_start() -> None:
    video = {"type": "video_reference", "duration_frames": 60, "start_s": 2.0, "end_s": 20.0}
    assert do(hero(segments=[video]), "trim_video", index=0, seconds=5.0).request["segments"][0]["end_s"] == 7.0


def test_the_change_is_a_copy_down_to_the_arrays() -> None:
    request = hero(pin("Hips", 3) | {"positions": np.zeros((1, 3))})
    done = do(request, "switch_model", model="b")
    done.request["constraints"][0]["positions"][0, 0] = 9.0
    assert request["constraints"][0]["positions"][0, 0] == 0.0


def test_a_fix_from_resolve_applies_as_it_is() -> None:
    request = hero(pin("Hips", 151))
    details = {"where": {"path": ["constraints", 0, "frames", 0]}, "frame": 151, "total_frames": 150}
    for fix in resolve(error("frame_out_of_range", "m", details), {"request": request}).fixes:
        frames = [f for c in apply(fix, request).request["constraints"] for f in c["frames"]]
        total = sum(s["duration_frames"] for s in apply(fix, request).request["segments"])
        assert all(0 <= f < total for f in frames), fix.id


def test_a_clients_fix_is_not_ours_to_apply() -> None:
    with pytest.raises(NotApplicable, match="carried out by the client"):
        apply({"target": "scene", "action": "select", "args": {}}, hero())
    with pytest.raises(NotApplicable, match="no fix"):
        apply({"target": "request", "action": "dance", "args": {}}, hero())


ODD: list[Any] = [
    {},
    {"constraints": None, "segments": None, "skeleton": None, "options": 3},
    {"constraints": [None, 3], "segments": ["x"], "skeleton": {"joints": [None]}, "options": []},
    {"constraints": [{"type": "root_path"}], "segments": [{"type": "text"}], "skeleton": {"joints": [{}]}},
]
ARGS: dict[str, Any] = {
    "path": ["constraints", 0, "joint"], "joint": "a", "to": 3, "pairs": [["a", "b"]], "order": ["a"], "root": "a",
    "names": ["a"], "frame": 3, "total_frames": 3, "frames": 3, "index": 0, "type": "text", "most": 1, "count": 2,
    "prompt": "p", "model": "m", "value": 1, "loop": True, "samples": 1, "seed": 1, "steps": 1, "seconds": 1.0,
    "keys": 3, "unsorted": True,
}  # fmt: skip


@pytest.mark.parametrize("action", sorted(EDITS))
@pytest.mark.parametrize("request_", ODD, ids=range(len(ODD)))
def test_a_malformed_request_refuses_and_never_crashes(action: str, request_: Any) -> None:
    names = EDITS[action].__code__.co_varnames[1 : EDITS[action].__code__.co_argcount]
    patch = {"target": "request", "action": action, "args": {n: ARGS[n] for n in names}}
    before = copy.deepcopy(request_)
    with contextlib.suppress(NotApplicable):
        assert apply(patch, request_).said
    assert request_ == before
