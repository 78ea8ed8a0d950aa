# SPDX-License-Identifier: Apache-2.0
"""From payloads to typed requests: what is read, what is refused, and what the refusal says."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from motionmcp.schemas import GenerateRequest
from tests.conformance import house

from kineograph.errors import ErrorCode, KineographError
from kineograph.wire import codec
from kineograph_daemon.mmcp.schema import parse, place


def refusal(payload: Any) -> KineographError:
    with pytest.raises(KineographError) as caught:
        parse(payload)
    return caught.value


def test_a_plain_request_is_what_the_official_schema_makes_of_it() -> None:
    payload = house.request("open", constraints=[house.pose(3), house.pin(), house.path()], options={"seed": 4})
    assert parse(payload) == GenerateRequest.model_validate(payload)


def test_arrays_may_stand_wherever_lists_may() -> None:
    payload = house.request("open", constraints=[house.pose(3), house.pin(), house.path((0, 5, 7))])
    packed = copy.deepcopy(payload)
    for joint in packed["skeleton"]["joints"]:
        joint["rest_translation"] = np.array(joint["rest_translation"])
        joint["rest_rotation"] = np.array(joint["rest_rotation"], np.float32)
    key, pin, path = packed["constraints"]
    key["joint_rotations"] = {name: np.array(q) for name, q in key["joint_rotations"].items()}
    pin["positions"] = np.array(pin["positions"])
    path["frames"] = np.array(path["frames"], np.int32)
    path["positions_xz"] = [np.array(p) for p in path["positions_xz"]]
    assert parse(packed) == parse(payload)
    assert isinstance(parse(packed).constraints[2].frames[0], int)


@pytest.mark.parametrize("shape", [(2**22 + 1,), (3, 2**20, 0, 0, 2), (2**20, 0)])
def test_arrays_that_stand_for_lists_without_end_are_too_large(shape: tuple[int, ...]) -> None:
    one = np.zeros(shape, np.uint8)
    payload = house.request(constraints=[house.path((0, 1), positions_xz=[one, one, one, one, one])])
    with pytest.raises(KineographError) as caught:
        parse(payload)
    assert caught.value.code is ErrorCode.PAYLOAD_TOO_LARGE
    assert caught.value.details["allowed"] == 2**22


def test_arrays_of_an_element_type_that_the_schema_does_not_know_are_read_as_lists() -> None:
    payload = house.request(constraints=[house.path((0, 1), positions_xz=np.array([[True, False], [False, True]]))])
    assert parse(payload).constraints[0].positions_xz == [(1.0, 0.0), (0.0, 1.0)]


def test_the_payload_is_left_as_it_was() -> None:
    payload = house.request(constraints=[house.pose(-1)], segments=[house.clip(), house.text()])
    payload["segments"][0]["rotations"] = np.array(payload["segments"][0]["rotations"])
    before = copy.deepcopy({k: v for k, v in payload.items() if k != "segments"})
    segments = list(payload["segments"])
    parse(payload)
    assert {k: v for k, v in payload.items() if k != "segments"} == before
    assert all(a is b for a, b in zip(payload["segments"], segments, strict=True))


def test_a_negative_key_keeps_its_frame_for_the_check_that_names_it() -> None:
    request = parse(house.request(constraints=[house.pose(4), house.pose("-2"), house.pose(-7)]))
    assert [c.frame for c in request.constraints] == [4, -2, -7]


def test_several_faults_are_counted_and_the_first_is_named() -> None:
    error = refusal(house.request(segments=[house.text(0, "")]))
    assert error.code == "schema_validation"
    assert error.details["faults"] == 2
    assert len(error.details["errors"]) == 2
    assert error.details["where"]["path"] == ["segments", 0, "prompt"]


def test_options_out_of_range_beside_other_faults_are_schema_faults() -> None:
    assert refusal(house.request(options={"num_samples": 0})).code == "invalid_options"
    assert refusal(house.request(options={"num_samples": 0}, bogus=1)).code == "schema_validation"
    assert refusal(house.request(options={"num_samples": 0, "bogus": 1})).code == "schema_validation"


def test_what_is_allowed_is_said() -> None:
    error = refusal(house.request(options={"diffusion_steps": 9999}))
    assert error.details["allowed"] == {"le": 500}
    assert error.details["got"] == 9999
    error = refusal(house.request(segments=[house.text(prompt="")]))
    assert error.details["allowed"] == {"min_length": 1}


@pytest.mark.parametrize("fps", [1e9, 1e300, float("inf")])
def test_a_frame_rate_that_would_never_end_is_refused(fps: float) -> None:
    error = refusal(house.request(timing={"fps": fps}))
    assert error.code == "schema_validation"
    assert error.details["where"]["path"] == ["timing", "fps"]


def test_a_skeleton_names_everything_that_is_wrong_with_it() -> None:
    skeleton = {"joints": [*house.skeleton()["joints"], *house.skeleton()["joints"][:2]]}
    error = refusal(house.request(skeleton=skeleton))
    assert error.code == "invalid_skeleton"
    assert error.details["roots"] == ["Hips", "Hips"]
    assert error.details["duplicates"] == ["Hips", "Spine"]
    assert "Hips, Spine" in error.message


def test_many_roots_are_named_six_at_a_time() -> None:
    joints = [{**joint, "name": f"J{i}", "parent": None} for i, joint in enumerate(house.skeleton()["joints"] * 2)]
    assert refusal(house.request(skeleton={"joints": joints})).message == (
        "the skeleton has 14 roots: J0, J1, J2, J3, J4, J5 and 8 more"
    )


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    "where",
    [
        ("skeleton", "joints", 3, "rest_translation", 1),
        ("skeleton", "joints", 0, "rest_rotation", 3),
        ("constraints", 0, "joint_rotations", "Hips", 2),
        ("constraints", 0, "root_position", 1),
        ("constraints", 1, "positions", 0, 0),
        ("constraints", 1, "rotations", 0, 3),
        ("constraints", 2, "positions_xz", 1, 1),
        ("constraints", 2, "heading_radians", 0),
        ("constraints", 3, "points", 0, 2),
        ("segments", 0, "skeleton", "joints", 2, "rest_translation", 0),
        ("segments", 0, "rotations", 1, 3, 2),
        ("segments", 0, "root_positions", 2, 1),
    ],
    ids=lambda where: ".".join(map(str, where)),
)
def test_a_number_that_is_none_is_named_by_its_place(where: tuple[Any, ...], number: float) -> None:
    constraints = [
        house.pose(root_position=[0.0, 1.0, 0.0]),
        house.pin(rotations=[house.REST]),
        house.path(heading_radians=[0.0, 0.1]),
        {"type": "ground_height", "points": [[0.0, 0.0, 0.0]]},
    ]
    payload = house.request("open", constraints=constraints, segments=[house.clip(skeleton=house.skeleton())])
    parse(payload)
    node: Any = payload
    for part in where[:-1]:
        node = node[part]
    node[where[-1]] = number
    error = refusal(payload)
    assert error.code == "schema_validation"
    assert error.details["where"]["path"] == list(where)
    assert error.details["got"] == repr(number)
    assert error.details["errors"][0]["type"] == "finite_number"


def test_large_finite_numbers_are_no_fault() -> None:
    skeleton = house.skeleton()
    for joint in skeleton["joints"]:
        joint["rest_translation"] = [1.7e308, 1.7e308, 0.0]
    assert parse(house.request(skeleton=skeleton)).skeleton.joints[0].rest_translation[0] == 1.7e308


@pytest.mark.parametrize(
    "payload",
    [
        house.request(options={"seed": float("nan")}),
        house.request(options={"model_options": np.zeros(3)}),
        house.request(segments=np.zeros(3)),
        house.request(skeleton=np.zeros((2, 2))),
        house.request(constraints=[np.zeros(2)]),
        house.request(segments=[{"type": "motion_reference", "rotations": np.zeros(2)}]),
        house.request(segments=[house.text(**{"x" * 5000: object()})]),
        [1, 2],
        b"bytes",
    ],
)
def test_whatever_comes_the_refusal_can_travel(payload: Any) -> None:
    envelope = refusal(payload).to_envelope()
    json.dumps(envelope, allow_nan=False)
    codec.pack_body(envelope)


def test_ten_thousand_faults_are_told_by_a_hundred() -> None:
    segments = [house.text(0) for _ in range(10_000)]
    error = refusal(house.request(segments=segments))
    assert error.details["faults"] == 10_000
    assert len(error.details["errors"]) == 100


def test_the_name_of_a_unions_branch_is_no_part_of_the_path() -> None:
    assert place(("segments", 2, "text", "prompt")) == ["segments", 2, "prompt"]
    assert place(("constraints", 0)) == ["constraints", 0]
    assert place(("options", "guidance", "weight", 0)) == ["options", "guidance", "weight", 0]
