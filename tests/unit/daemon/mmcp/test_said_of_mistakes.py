# SPDX-License-Identifier: Apache-2.0
"""What somebody reads who wrote a request by hand: each typical mistake is named with what belongs there."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from kineograph import demo
from kineograph.errors import KineographError
from kineograph.fixes import resolve
from kineograph_daemon.mmcp.schema import parse

KEY = {"type": "pose_keyframe", "frame": 3, "joint_rotations": {"Hips": [0, 0, 0, 1]}}


def said(change: Callable[[dict[str, Any]], Any]) -> str:
    """What is said of the demo's request after a change, without the beginning that all have."""
    request = copy.deepcopy(demo.request("m"))
    change(request)
    with pytest.raises(KineographError) as caught:
        parse(request)
    text = resolve(caught.value, {"request": request}).text
    for foreign in ("Field required", "Input should", "validation", "discriminator", "[type="):
        assert foreign not in text
    return text.removeprefix("The request is malformed").removeprefix(":").strip()


def constraint(**entry: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda r: r.update(constraints=[entry])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            constraint(frame=3),
            "at constraint 1: 'type' is missing, it takes root_path, effector_target, pose_keyframe, ground_height.",
        ),
        (
            constraint(type="pose_key", frame=3),
            "at constraint 1: 'type' is pose_key, it takes root_path, effector_target, pose_keyframe, ground_height.",
        ),
        (lambda r: r.update(constraints=["pose"]), "at constraint 1: it is pose, it takes a group of values."),
        (constraint(**{**KEY, "frame": "ten"}), "at key 1: 'frame' is ten, it takes a whole number."),
        (
            constraint(type="pose_keyframe", frame=3, joint_rotation={}),
            "at key 1: 'joint_rotations' is missing; there is 'joint_rotation'.",
        ),
        (
            constraint(**{**KEY, "joint_rotations": {"Hips": [0, 0, 1]}}),
            "at key 1: 'Hips' has too few values, number 4 is missing.",
        ),
        (
            constraint(**{**KEY, "joint_rotations": {"Hips": [0, 0, None, 1]}}),
            "at key 1: value 3 of 'Hips' is nothing, it takes a number.",
        ),
        (lambda r: r["segments"][0].pop("duration_frames"), "at prompt 1: 'duration_frames' is missing."),
        (
            lambda r: r.update(skeleton=r["skeleton"]["joints"]),
            "'skeleton' is a list of 26, it takes a group of values.",
        ),
        (lambda r: r.update(constraints={"a": 1}), "'constraints' is a group of values, it takes a list."),
        (lambda r: r.update(protocol_version=1.4), "'protocol_version' is the number 1.4, it takes text."),
        (
            lambda r: r.update(options={"samples": 2}),
            "at the settings: 'samples' is not known here. Did you mean 'num_samples'?",
        ),
        (
            lambda r: r.update(steps=2),
            "'steps' is not known here, these are: protocol_version, model, "
            "skeleton, segments, constraints, duration_frames, timing, options.",
        ),
        (lambda r: r.update(timing={"fps": -3}), "at the timing: 'fps' is -3, it takes more than 0."),
    ],
)
def test_a_mistake_is_named_with_what_belongs_there(change: Callable[[dict[str, Any]], Any], text: str) -> None:
    assert said(change) == text
