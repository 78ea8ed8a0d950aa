# SPDX-License-Identifier: Apache-2.0
"""Joints by other names: read as the rig's own profile says, at the door and in the worker."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from motionmcp.backbone import ModelSpec
from motionmcp.schemas import Skeleton
from tests.conformance import house

from kineograph import demo
from kineograph.errors import ErrorCode, KineographError
from kineograph.rigs import profiles
from kineograph_daemon.mmcp.aliases import read_as
from kineograph_daemon.mmcp.validate import ModelEntry, check_batch, check_request

MODELS = {"open": ModelEntry(ModelSpec.model_validate(house.spec("open", supports_retargeting=True)))}
RIG = demo.character()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Profiles of this test alone."""
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def told() -> Path:
    """The rig's profile says what two names mean."""
    names, parents = RIG.names, RIG.parents.tolist()
    profiles.remember_alias(names, parents, "LefHand", "LeftHand", "Hero")
    return profiles.remember_alias(names, parents, "Hipps", "Hips")


def request() -> dict[str, Any]:
    """A pin and a key by wrong names."""
    out = house.request("open", skeleton=RIG.to_mmcp())
    out["constraints"] = [
        {"type": "effector_target", "joint": "LefHand", "frames": [3], "positions": [[0.4, 1.2, 0.3]]},
        {"type": "pose_keyframe", "frame": 0, "joint_rotations": {"Hipps": [0, 0, 0, 1]}},
    ]
    return out


def test_without_a_profile_the_name_is_unknown() -> None:
    with pytest.raises(KineographError) as caught:
        check_request(request(), 10, MODELS)
    assert caught.value.code is ErrorCode.UNKNOWN_JOINT
    assert read_as(request()) is None


def test_the_profile_says_which_joints_are_meant(told: Path) -> None:
    sent = request()
    before = copy.deepcopy(sent)
    checked = check_request(sent, 10, MODELS)
    pin: Any = checked.constraints[0]
    assert pin.joint == "LeftHand"
    assert sent == before, "what was sent stays as it is"
    found = read_as(sent)
    assert found is not None
    assert found.names == {"Hipps": "Hips", "LefHand": "LeftHand"}
    assert [e["outcome"] for e in found.entries()] == ["changed", "changed"]
    assert "'LeftHand'" in found.entries()[1]["reason"]


def test_a_typed_skeleton_and_a_batch_are_read_alike(told: Path) -> None:
    typed = {**request(), "skeleton": Skeleton.model_validate(RIG.to_mmcp())}
    found = read_as(typed)
    assert found is not None
    assert found.payload["skeleton"] is typed["skeleton"]
    item = {k: v for k, v in request().items() if k != "protocol_version"}
    (outcome,) = check_batch({"protocol_version": "1.4", "requests": [item]}, 10, MODELS)
    assert not isinstance(outcome, KineographError)


def test_a_clips_tracks_are_renamed_unless_it_brings_its_own_rig(told: Path) -> None:
    sent = request()
    clip: dict[str, Any] = {"type": "motion_reference", "joint_names": ["Hipps"], "rotations": [[[0, 0, 0, 1]]]}
    sent["segments"] = [clip, {**clip, "skeleton": {"joints": []}}]
    found = read_as(sent)
    assert found is not None
    assert [s["joint_names"] for s in found.payload["segments"]] == [["Hips"], ["Hipps"]]


def test_a_name_that_stays_unknown_is_refused_as_before(told: Path) -> None:
    sent = request()
    sent["constraints"][0]["joint"] = "Nose"
    with pytest.raises(KineographError) as caught:
        check_request(sent, 10, MODELS)
    assert caught.value.code is ErrorCode.UNKNOWN_JOINT
    assert caught.value.details["got"] == "Nose"
    with pytest.raises(KineographError) as later:
        read_as(sent, insist=True)
    assert later.value.details["got"] == "Nose"


@pytest.mark.parametrize(
    "odd",
    [None, 7, [], {}, {"constraints": 3}, {"constraints": [None, 5, {"joint": 7}], "skeleton": {"joints": [1, {}]}},
     {"skeleton": {"joints": [{"name": "a", "parent": 3}]}, "constraints": [{"joint": "b"}], "segments": "x"},
     {"skeleton": "x", "constraints": [{"joint": "b", "joint_rotations": []}]}],
)  # fmt: skip
def test_odd_payloads_are_left_alone(told: Path, odd: Any) -> None:
    assert read_as(odd) is None
