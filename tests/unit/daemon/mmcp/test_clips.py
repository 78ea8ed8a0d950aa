# SPDX-License-Identifier: Apache-2.0
"""Binary clips are judged as their lists would be, and stay arrays."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from motionmcp.backbone import ModelSpec
from tests.conformance import house

from kineograph.errors import KineographError
from kineograph_daemon.mmcp.schema import parse
from kineograph_daemon.mmcp.validate import ModelEntry, check_request

OPEN = ModelSpec.model_validate(
    house.spec("open", supported_segments=["text", "motion_reference"], limits={"max_reference_frames": 5})
)


def binary(dtype: Any = np.float32, **more: Any) -> dict[str, Any]:
    clip = house.clip(**more)
    clip["rotations"] = np.array(clip["rotations"], dtype)
    clip["root_positions"] = np.array(clip["root_positions"], dtype)
    return clip


def code_and_place(segment: dict[str, Any]) -> tuple[str, list[Any]] | None:
    try:
        parse(house.request(segments=[house.text(), segment]))
    except KineographError as e:
        return str(e.code), e.details["where"]["path"]
    return None


def test_the_segment_holds_the_very_arrays() -> None:
    payload = house.request(segments=[binary(), house.text(), binary(np.float64, frames=4)])
    request = parse(payload)
    first, _, third = request.segments
    assert first.rotations is payload["segments"][0]["rotations"]
    assert first.root_positions is payload["segments"][0]["root_positions"]
    assert first.reference_frames == 3
    assert third.reference_frames == 4
    assert np.asarray(third.rotations).shape == (4, len(house.JOINTS), 4)
    assert request.total_frames == 30


def test_half_a_clip_may_be_binary() -> None:
    mixed = binary()
    mixed["root_positions"] = [["0", 0.95, 1] for _ in range(3)]
    segment = parse(house.request(segments=[mixed])).segments[0]
    assert np.asarray(segment.root_positions).tolist() == [[0.0, 0.95, 1.0]] * 3
    mixed["root_positions"][1] = ["x", 0, 0]
    assert code_and_place(mixed) == ("schema_validation", ["segments", 1, "root_positions", 1, 0])


def nan_at(name: str, *index: int) -> dict[str, Any]:
    segment = house.clip()
    node = segment[name]
    for i in index[:-1]:
        node = node[i]
    node[index[-1]] = float("nan")
    return segment


@pytest.mark.parametrize(
    "listed",
    [
        house.clip(),
        house.clip(1),
        nan_at("rotations", 2, 5, 1),
        nan_at("root_positions", 1, 2),
        {**house.clip(), "root_positions": [[0, 1, 0]] * 2},
        {**house.clip(), "joint_names": list(house.JOINTS[:-1])},
        {**house.clip(), "joint_names": []},
        {**house.clip(), "joint_names": ["Hips"] * len(house.JOINTS)},
        {**house.clip(), "fps": 0.0},
        {**house.clip(), "fps": float("inf")},
        {**house.clip(), "duration_frames": 0},
        {**house.clip(), "weight": 1},
        {**house.clip(), "skeleton": {"joints": []}},
    ],
)
def test_arrays_and_lists_get_the_same_verdict(listed: dict[str, Any]) -> None:
    packed = {**listed, **{k: np.array(listed[k]) for k in ("rotations", "root_positions")}}
    assert code_and_place(packed) == code_and_place(listed)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("rotations", np.zeros((3, 7, 3))),
        ("rotations", np.zeros((3, 28))),
        ("rotations", np.zeros((0, 7, 4))),
        ("root_positions", np.zeros((3, 4))),
        ("root_positions", np.zeros(9)),
        ("root_positions", np.zeros((3, 1, 3))),
    ],
)
def test_arrays_of_a_wrong_shape_are_refused_with_their_shape(name: str, array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(KineographError) as caught:
        parse(house.request(segments=[{**binary(), name: array}]))
    assert caught.value.code == "schema_validation"
    assert caught.value.details["where"]["path"] == ["segments", 0, name]
    assert str(list(array.shape)) in str(caught.value.details["got"])


@pytest.mark.parametrize(
    "segments",
    [
        5,
        "x",
        np.zeros(3),
        [np.zeros(3)],
        [5, binary()],
        [{**binary(), "type": np.zeros(2)}],
        [{**binary(), "type": np.zeros(0)}],
        [{"type": "motion_reference", "rotations": binary()["rotations"]}],
        [{**binary(), "rotations": None}],
        [{**binary(), "joint_names": np.zeros(3)}],
    ],
)
def test_segments_that_are_none_are_refused_in_the_schemas_words(segments: Any) -> None:
    with pytest.raises(KineographError) as caught:
        parse({**house.request(), "segments": segments})
    assert caught.value.code == "schema_validation"
    assert caught.value.details["where"]["path"][0] == "segments"


def test_a_clips_fault_and_another_one_are_told_together() -> None:
    with pytest.raises(KineographError) as caught:
        parse(house.request(segments=[{**binary(), "rotations": np.zeros((3, 7, 3))}], bogus=1))
    assert {r["type"] for r in caught.value.details["errors"]} == {"extra_forbidden", "value_error"}


def test_the_models_own_checks_see_binary_clips() -> None:
    models = {"open": ModelEntry(OPEN)}
    for segment, code in ((binary(frames=6), "invalid_options"), (binary(joints=("Head",)), "invalid_request")):
        with pytest.raises(KineographError) as caught:
            check_request(house.request("open", segments=[segment]), 10, models)
        assert caught.value.code == code
    assert check_request(house.request("open", segments=[binary(frames=5)]), 10, models).motion_reference is not None


def test_a_clip_of_900_frames_and_77_joints_is_checked_in_milliseconds() -> None:
    names = [f"J{i}" for i in range(77)]
    joints = [
        {"name": n, "parent": None if i == 0 else "J0", "rest_translation": [0, 1, 0], "rest_rotation": house.REST}
        for i, n in enumerate(names)
    ]
    rotations = np.zeros((900, 77, 4), np.float32)
    rotations[..., 3] = 1.0
    clip = house.clip(joints=tuple(names), rotations=rotations, root_positions=np.zeros((900, 3), np.float32))
    payload = house.request("m", skeleton={"joints": joints}, segments=[clip])
    spent_ms = []
    for _ in range(9):
        start = time.process_time_ns()
        parse(payload)
        spent_ms.append((time.process_time_ns() - start) / 1e6)
    assert sorted(spent_ms)[4] < 8.0  # about 0.2 on a quiet machine; as lists it takes 60 and more
