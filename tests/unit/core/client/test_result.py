# SPDX-License-Identifier: Apache-2.0
"""A result as a typed view: shapes that do not fit are refused, joints come in the order asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.fakes.daemon import arrays_result

from kineograph.client import Result
from kineograph.errors import ErrorCode, LinkError, RequestError
from kineograph.motion.skeleton import Skeleton
from kineograph.wire.messages import JobState, JobStatus

JOB = JobStatus("j", JobState.SUCCEEDED, prompt="walk")


def skeleton(*names: str) -> Skeleton:
    return Skeleton.build(names, [-1, *[0] * (len(names) - 1)], np.zeros((len(names), 3)))


def body(**changes: Any) -> dict[str, Any]:
    out = arrays_result(4, 3, 2)
    out["rotations_xyzw"] = np.random.default_rng(1).random((2, 4, 3, 4)).astype(np.float32)
    return {**out, **changes}


def test_a_clip_of_a_sample() -> None:
    given = body(translations_m=np.random.default_rng(2).random((2, 4, 3, 3)).astype(np.float32))
    clip = Result.from_body(JOB, given).clip(1, skeleton("j0", "j1", "j2"))
    assert np.array_equal(clip.rotations_xyzw, given["rotations_xyzw"][1])
    assert clip.translations_m is not None
    assert np.array_equal(clip.translations_m, given["translations_m"][1])
    assert (len(clip), clip.fps_hz, clip.name) == (4, 30.0, "walk")
    assert clip.contacts["j1"].shape == (4,)
    assert np.shares_memory(clip.rotations_xyzw, given["rotations_xyzw"])


def test_joints_come_in_the_order_of_the_skeleton() -> None:
    given = body()
    clip = Result.from_body(JOB, given).clip(0, skeleton("j0", "j2", "j1"))
    assert np.array_equal(clip.rotations_xyzw, given["rotations_xyzw"][0][:, [0, 2, 1]])
    assert len(Result.from_body(JOB, given).clip(-1, skeleton("j0", "j2")).skeleton) == 2


def test_a_skeleton_that_came_along_is_used() -> None:
    own = skeleton("j0", "j1", "j2").to_mmcp()
    assert Result.from_body(JOB, body(skeleton=own)).clip().skeleton.names == ("j0", "j1", "j2")
    with pytest.raises(RequestError):
        Result.from_body(JOB, body()).clip()


def test_what_is_not_there_is_said() -> None:
    result = Result.from_body(JOB, body())
    with pytest.raises(RequestError) as caught:
        result.clip(2, skeleton("j0", "j1", "j2"))
    assert (caught.value.code, caught.value.details["allowed"]) == (ErrorCode.INVALID_PARAMETERS, [0, 1])
    with pytest.raises(RequestError) as caught:
        result.clip(0, skeleton("j0", "hand"))
    assert (caught.value.code, caught.value.details["got"]) == (ErrorCode.UNKNOWN_JOINT, ["hand"])


@pytest.mark.parametrize(
    "changes",
    [
        {"root_m": np.zeros((2, 4))},
        {"root_m": np.zeros((2, 5, 3))},
        {"root_m": np.zeros((1, 4, 3))},
        {"rotations_xyzw": np.zeros((2, 4, 3, 3))},
        {"rotations_xyzw": np.zeros((2, 4, 2, 4))},
        {"rotations_xyzw": 3},
        {"translations_m": np.zeros((2, 4, 3))},
        {"joint_names": ["a"]},
        {"joint_names": None},
        {"fps_hz": "fast"},
        {"contacts": 3},
    ],
    ids=str,
)
def test_parts_that_do_not_fit_together_are_a_bad_response(changes: dict[str, Any]) -> None:
    with pytest.raises(LinkError) as caught:
        Result.from_body(JOB, body(**changes))
    assert caught.value.code is ErrorCode.BAD_RESPONSE


@pytest.mark.parametrize("missing", ["fps_hz", "joint_names", "rotations_xyzw", "root_m"])
def test_a_part_that_is_missing_is_a_bad_response(missing: str) -> None:
    given = body()
    del given[missing]
    with pytest.raises(LinkError) as caught:
        Result.from_body(JOB, given)
    assert missing in caught.value.message
