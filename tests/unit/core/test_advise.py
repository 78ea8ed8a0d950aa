# SPDX-License-Identifier: Apache-2.0
"""Notes for a request before it is sent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from motionmcp.schemas import GenerateRequest
from tests.fakes import asks, rigs

from kineograph.advise import Note, advise
from kineograph.errors import NoteCode
from kineograph.fixes import Severity, apply

IDENTITY = [0.0, 0.0, 0.0, 1.0]
MODEL: dict[str, Any] = {
    "id": "starter",
    "fps": 30.0,
    "text": "full",
    "limits": {"max_duration_seconds": 60.0},
    "recommended_max_duration_seconds": 30.0,
}


def scene(
    *constraints: dict[str, Any], prompt: str = "walks to the door", frames: int = 150, **more: Any
) -> dict[str, Any]:
    """A rig with an arm of 1.2 m from the hips, 0.95 m above the floor."""
    names = [("Hips", None, [0, 0.95, 0]), ("Spine", "Hips", [0, 0.5, 0]), ("LeftHand", "Spine", [0.7, 0, 0])]
    return {
        "model": "starter",
        "skeleton": {
            "joints": [{"name": n, "parent": p, "rest_translation": t, "rest_rotation": IDENTITY} for n, p, t in names]
        },
        "segments": [{"type": "text", "prompt": prompt, "duration_frames": frames}],
        "constraints": list(constraints),
    } | more


def path(frames: list[int], *points: tuple[float, float]) -> dict[str, Any]:
    return {"type": "root_path", "frames": frames, "positions_xz": [list(p) for p in points]}


def pin(frame: int, *at: float) -> dict[str, Any]:
    return {"type": "effector_target", "joint": "LeftHand", "frames": [frame], "positions": [list(at)]}


def key(frame: int, root: list[float] | None = None) -> dict[str, Any]:
    out: dict[str, Any] = {"type": "pose_keyframe", "frame": frame, "joint_rotations": {"Hips": IDENTITY}}
    return out if root is None else out | {"root_position": root}


def notes(request: Any, **model: Any) -> list[Note]:
    return advise(request, MODEL | model)


def codes(request: Any, **model: Any) -> list[NoteCode]:
    return [note.code for note in notes(request, **model)]


def test_a_good_request_has_no_notes() -> None:
    assert notes(scene(path([0, 100], (0, 0), (0, 5)), pin(50, 0.3, 1.2, 2.5), key(120))) == []


def test_a_path_too_fast_for_a_walk() -> None:
    request = scene(path([0, 60], (0, 0), (0, 12.2)))
    (note,) = advise(request, MODEL, {"constraints": ["WalkPath"]})
    assert note.code is NoteCode.PATH_TOO_FAST
    assert note.severity is Severity.NOTE
    assert note.text == "Path 'WalkPath' needs 6.1 m/s at frame 0; a walk does 1 to 2."
    assert note.where == {"path": ["constraints", 0], "ref": "WalkPath"}


@pytest.mark.parametrize(
    ("prompt", "speed_m_s", "warns"),
    [
        ("walks to the door", 1.9, False),
        ("walks to the door", 2.5, True),
        ("a man is running away", 5.5, False),
        ("a man is running away", 7.0, True),
        ("sprints", 8.5, False),
        ("sneaks past the guard", 1.8, True),
        ("jogs", 3.5, False),
        ("skating over the lake", 12.0, False),
        ("waves hello", 3.0, True),
        ("drunk man walks", 4.0, True),
    ],
)
def test_speed_is_judged_by_the_prompt(prompt: str, speed_m_s: float, warns: bool) -> None:
    found = codes(scene(path([0, 30], (0, 0), (speed_m_s, 0)), prompt=prompt))
    assert found == ([NoteCode.PATH_TOO_FAST] if warns else [])


def test_without_a_prompt_a_run_is_fine() -> None:
    free = scene(path([0, 30], (0, 0), (5, 0)), segments=[{"type": "unconditioned", "duration_frames": 60}])
    assert codes(free) == []


def test_speed_uses_the_requests_own_rate() -> None:
    request = scene(path([0, 60], (0, 0), (0, 4.0)))
    assert codes(request) == []
    assert NoteCode.PATH_TOO_FAST in codes(request | {"timing": {"fps": 60}})


def test_a_jittery_dense_path_is_no_run() -> None:
    rng = np.random.default_rng(1)
    z = np.arange(100) * (1.2 / 30) + rng.normal(0, 0.002, 100)
    assert codes(scene(path(list(range(100)), *[(0.0, float(v)) for v in z]))) == []


def test_keys_that_are_far_apart_ask_for_speed_too() -> None:
    request = scene(key(0, [0, 0.95, 0]), key(30, [0, 0.95, 6]))
    (note,) = notes(request)
    assert note.text == "Key 2 needs 6.0 m/s at frame 0; a walk does 1 to 2."


def test_the_offered_length_makes_the_path_walkable() -> None:
    request = scene(path([0, 60], (0, 0), (0, 12.2)))
    (fix,) = notes(request)[0].fixes
    assert codes(apply(fix, request).request, limits={}, recommended_max_duration_seconds=1e9) == []


def test_keys_outside_name_six_and_count_the_rest() -> None:
    request = scene(*(key(f) for f in (-2, 150, 151, 152, 153, 154, 155, 156, 157)))
    (note,) = notes(request)
    assert note.text == "9 keys lie outside 0-149: -2, 150, 151, 152, 153, 154 and 3 more."
    assert [fix.id for fix in note.fixes] == ["extend_last_prompt", "drop_outside_frames"]


def test_a_pin_out_of_reach_of_a_path() -> None:
    request = scene(path([0, 100], (0, 0), (0, 4)), pin(100, 0, 0.9, 6.0))
    (note,) = notes(request)
    assert note.text == "Pin 2 at frame 100 is 80 cm out of reach of 'LeftHand' (reach 120 cm, distance 200 cm)."


def test_a_pin_too_high_wherever_the_body_is() -> None:
    (note,) = notes(scene(pin(10, 0, 3.0, 50.0)))
    assert note.text == "Pin 1 at frame 10 is 85 cm out of reach of 'LeftHand' (reach 120 cm, distance 205 cm)."
    stairs = {"type": "ground_height", "points": [[0, 0, 0], [0, 1, 1.0]]}
    assert codes(scene(stairs, pin(10, 0, 3.0, 1.0))) == []


def test_a_pin_too_low_for_the_deepest_squat() -> None:
    assert codes(scene(pin(10, 0, -0.9, 0))) == []
    assert codes(scene(pin(10, 0, -1.0, 0))) == [NoteCode.TARGET_OUT_OF_REACH]
    pit = {"type": "ground_height", "points": [[0, 0, -0.5], [0, 1, 0]]}
    assert codes(scene(pit, pin(10, 0, -1.3, 0))) == []
    assert codes(scene(pit, pin(10, 0, -1.5, 0))) == [NoteCode.TARGET_OUT_OF_REACH]


def test_a_path_says_where_the_body_is_from_its_first_frame_to_its_last() -> None:
    way = path([10, 100], (0, 0), (0, 4))
    for frame, noted in ((9, False), (10, True), (100, True), (101, False)):
        aside = pin(frame, 3.0, 1.0, 0.0 if frame < 50 else 4.0)
        assert codes(scene(way, aside)) == ([NoteCode.TARGET_OUT_OF_REACH] if noted else []), frame


def test_a_small_body_walks_slower() -> None:
    small = scene(path([0, 60], (0, 0), (0, 6.0)))
    small["skeleton"]["joints"][0]["rest_translation"] = [0, 0.4, 0]
    (note,) = notes(small)
    assert note.text == "Path 1 needs 3.0 m/s at frame 0; a walk does 0.6 to 1.3."


def test_a_pin_is_measured_from_a_keyed_root() -> None:
    assert codes(scene(key(10, [0, 0.95, 0]), pin(10, 1.1, 0.95, 0))) == []
    assert codes(scene(key(10, [0, 0.95, 0]), pin(10, 1.4, 0.95, 0))) == [NoteCode.TARGET_OUT_OF_REACH]


def test_too_long() -> None:
    (over,) = notes(scene(frames=1950))
    assert over.text == "65 s in all, 'starter' takes up to 60 s."
    assert over.fixes[0].label == "Shorten to 60 s"
    (best,) = notes(scene(frames=1050))
    assert best.text == "35 s in all, 'starter' is at its best up to 30 s."


def test_text_that_a_model_ignores_is_said_once() -> None:
    segments = [{"type": "text", "prompt": p, "duration_frames": 30} for p in ("waves", "sits")]
    (note,) = notes(scene(segments=segments), text="ignored")
    assert note.text == "'starter' does not read text: 'waves' has no effect."


def test_a_phrase_that_a_model_does_not_know() -> None:
    phrases = ["a person walks", "a person waves", "a person sits down"]
    assert notes(scene(prompt="A person walks."), text="weak", phrases=phrases) == []
    assert notes(scene(prompt="A person walks to the shelf."), text="weak", phrases=phrases) == []
    (strict,) = notes(scene(prompt="A person walks to the shelf."), text="full", phrases=phrases)
    assert "a person walks" in strict.text, "a model of phrases takes no others"
    (note,) = notes(scene(prompt="the man sits"), text="weak", phrases=phrases)
    assert note.text == "'starter' does not know 'the man sits'. Nearest: 'a person sits down'."
    assert apply(note.fixes[0], scene()).request["segments"][0]["prompt"] == "a person sits down"
    (vague,) = notes(scene(), text="weak")
    assert "loosely" in vague.text


def test_a_model_that_acts_on_single_words_is_told_by_its_words() -> None:
    knows = {"text": "weak", "phrases": ["a person runs", "marches briskly"], "words": ["runs", "running", "marches"]}
    assert notes(scene(prompt="a man is running"), **knows) == []
    for said in ("reaches out with the right hand", "rests"):
        (note,) = notes(scene(prompt=said), **knows)
        assert note.text == f"'starter' does not know '{said}'. It knows: a person runs, marches briskly."
        assert not note.fixes, "a phrase that says something else is no fix"


def test_another_frame_rate() -> None:
    (note,) = notes(scene(timing={"fps": 24}))
    assert note.text == "The scene runs at 24 fps, 'starter' at 30; the motion is resampled."
    assert notes(scene(timing={"fps": 24}), any_fps=True) == []


def test_a_block_shorter_than_its_blend() -> None:
    segments = [{"type": "text", "prompt": "waves", "duration_frames": n} for n in (60, 8, 60)]
    (note,) = notes(scene(segments=segments, options={"transition_frames": 12}))
    assert note.text == "Prompt 2 has 8 frames, the blend takes 12."
    assert notes(scene(segments=segments)) == []
    assert notes(scene(segments=segments[1:2], options={"transition_frames": 12})) == []


def test_ground_far_from_the_path_and_steps_too_high() -> None:
    way = path([0, 100], (0, 0), (0, 4))
    near = {"type": "ground_height", "points": [[0, z, 0.1 * z] for z in range(5)]}
    assert codes(scene(way, near)) == []
    far = {"type": "ground_height", "points": [[0, 0, 0]]}
    (note,) = notes(scene(way, far))
    assert note.text == "The ground nearest to frame 100 is 4.0 m away: feet there are in the air."
    dense = path(list(range(0, 101, 10)), *[(0.0, 0.4 * i) for i in range(11)])
    wall = {"type": "ground_height", "points": [[0, 0.4 * i, 2.0 * (i > 6)] for i in range(11)]}
    (note,) = notes(scene(dense, wall))
    assert note.text == "The ground steps 200 cm, the legs reach 95 cm."


def person(*constraints: dict[str, Any], lower_m: float = 0.0) -> dict[str, Any]:
    """A whole person walking, ``lower_m`` further down than one that stands on the floor."""
    rig = rigs.human().to_mmcp()
    rig["joints"][0]["rest_translation"] = [0.0, 0.96 - lower_m, 0.0]
    return scene(*constraints) | {"skeleton": rig}


@pytest.mark.parametrize(("aside_m", "far"), [(0.55, False), (0.65, True)])
def test_ground_is_far_where_the_solve_stands_on_none(aside_m: float, far: bool) -> None:
    way = path([0, 60, 120], (0, 0), (0, 2), (0, 4))
    request = person(way, {"type": "ground_height", "points": [[aside_m, z / 4, 0.02] for z in range(17)]})
    assert codes(request) == ([NoteCode.GROUND_UNREACHABLE] if far else [])
    made = asks.run(GenerateRequest.model_validate(request | {"protocol_version": "1.4"}))
    assert (made.report["constraints"][1]["outcome"] == "changed") == far
    assert ("ground_unreachable" in [note["code"] for note in made.notes]) == far


def test_a_jump_between_two_near_points_of_a_sparse_path_is_seen() -> None:
    jumps = scene(path([0, 60, 62, 120], (0, 0), (0, 1), (0, 2.5), (0, 3.5)))
    (note,) = notes(jumps)
    assert note.text == "Path 1 needs 6.4 m/s at frame 60; a walk does 1 to 2."
    ends = scene(path([0, 60, 62], (0, 0), (0, 1), (0, 2.5)))
    assert codes(ends) == [NoteCode.PATH_TOO_FAST]
    assert codes(scene(path([0, 60, 90, 120], (0, 0), (0, 1), (0, 2.5), (0, 3.5)))) == []


@pytest.mark.parametrize("lower_m", [0.0, 0.96])
def test_reach_is_told_alike_of_a_rest_pose_that_hangs_at_the_origin(lower_m: float) -> None:
    at = [{**pin(10, 0.3, y, 0.0), "joint": "LeftHand"} for y in (1.5, 2.4)]
    assert codes(person(at[0], lower_m=lower_m)) == []
    assert codes(person(at[1], lower_m=lower_m)) == [NoteCode.TARGET_OUT_OF_REACH]


def test_between_two_points_of_a_path_the_body_may_be_anywhere_on_the_way() -> None:
    """How the way is timed is the model's: a pin beside its later half can be met early."""
    way = path([0, 100], (0, 0), (0, 6))
    assert codes(scene(way, pin(30, 0.3, 1.0, 4.0))) == []
    assert codes(scene(way, pin(100, 0.3, 1.0, 4.0))) == [NoteCode.TARGET_OUT_OF_REACH]
    assert codes(scene(way, pin(30, 1.6, 1.0, 4.0))) == [NoteCode.TARGET_OUT_OF_REACH]
    assert codes(scene(way, pin(30, 0.3, 1.0, 7.5))) == [NoteCode.TARGET_OUT_OF_REACH]
    elsewhere = path([0, 100], (5, 0), (5, 6))
    assert codes(scene(way, elsewhere, pin(30, 5.3, 1.0, 4.0))) == [], "of two paths at odds either may win"


def test_arrays_give_the_same_notes_as_lists() -> None:
    request = scene(path([0, 60], (0, 0), (0, 12.2)), pin(10, 0, 3.0, 50.0), key(400), frames=150)
    arrays = scene(
        *(
            {k: np.asarray(v) if k in ("frames", "positions", "positions_xz") else v for k, v in c.items()}
            for c in request["constraints"]
        ),
        frames=150,
    )
    assert [n.text for n in notes(arrays)] == [n.text for n in notes(request)]
    assert len(notes(request)) == 3


def test_many_bad_pins_give_at_most_six_notes() -> None:
    assert len(notes(scene(*(pin(f, 0, 9.0, 0) for f in range(50))))) == 6


ODD: list[Any] = [
    None,
    [],
    3,
    {},
    {"segments": 5, "constraints": 7},
    {
        "segments": [None, {}, {"type": "text", "prompt": 3, "duration_frames": float("nan")}],
        "skeleton": {"joints": [None]},
    },
    {"constraints": {"a": 1}, "timing": 3, "options": []},
    scene(path([0, 1], (float("nan"), 0), (1, 1)), path([0], (0, 0)), {"type": "root_path", "frames": ["a"]}),
    scene(
        {"type": "effector_target", "joint": [], "frames": [1]}, pin(3, float("inf"), 0, 0), {"type": "ground_height"}
    ),
    scene({"type": "ground_height", "points": [[1]]}, {"type": "pose_keyframe", "frame": "x", "root_position": [1]}),
    scene(key(10**30), path([5, 5], (0, 0), (9, 9)), frames=10**15),
    scene(skeleton={"joints": [{"name": "a", "parent": "a"}, {"name": 3}]}),
]


@pytest.mark.parametrize("request_", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize(
    "model", [None, {}, {"fps": "x", "limits": 3, "text": 5}, {"fps": 0, "phrases": [1], "text": {}}, MODEL]
)
def test_odd_input_never_raises(request_: Any, model: Any) -> None:
    assert all(isinstance(note, Note) and note.text for note in advise(request_, model))


def test_frames_are_said_as_the_client_counts_them() -> None:
    request = scene(path([0, 9], (0, 0), (0, 9)), pin(160, 0, 1, 0))
    ours, theirs = advise(request, MODEL), advise(request, MODEL, None, 101)
    said = {n.code: n.text for n in theirs}
    assert "101-250: at 261" in said[NoteCode.KEY_OUTSIDE_BLOCKS]
    assert "at frame 101" in said[NoteCode.PATH_TOO_FAST]
    assert [[f.patch for f in n.fixes] for n in ours] == [[f.patch for f in n.fixes] for n in theirs]
    labels = {f.label for n in theirs for f in n.fixes}
    assert {"Extend the last prompt to 261", "Move it to 250"} <= labels


def test_of_several_things_outside_none_is_moved() -> None:
    notes = advise(scene(pin(160, 0, 1, 0), pin(170, 0, 1, 0)), MODEL)
    (note,) = [n for n in notes if n.code is NoteCode.KEY_OUTSIDE_BLOCKS]
    assert "2 keys lie outside 0-149: 160, 170." in note.text
    assert [f.id for f in note.fixes] == ["extend_last_prompt", "drop_outside_frames"]
