# SPDX-License-Identifier: Apache-2.0
"""Two faults in one request: the one that is checked first is told. All pairs of all faults."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from motionmcp.backbone import ModelSpec
from tests.conformance import house

from kineograph.errors import KineographError
from kineograph_daemon.mmcp.validate import ModelEntry, check_request

SPECS = [house.spec("narrow", limits=house.NARROW_LIMITS, model_options=house.DIALS, supported_segments=[
    "text", "motion_reference", "video_reference"])]  # fmt: skip
MODELS = {spec["id"]: ModelEntry(ModelSpec.model_validate(spec)) for spec in SPECS}
Change = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Fault:
    """A change that breaks a request, and how its refusal is recognised: code and head of the place."""

    name: str
    change: Change
    code: str
    place: tuple[Any, ...]


def _set(key: str, value: Any) -> Change:
    return lambda request: request.__setitem__(key, value)


def _constrain(constraint: dict[str, Any]) -> Change:
    return lambda request: request["constraints"].append(constraint)


def _segment(segment: dict[str, Any]) -> Change:
    return lambda request: request["segments"].append(segment)


def _option(**options: Any) -> Change:
    return lambda request: request["options"].update(options)


def _rename(request: dict[str, Any]) -> None:
    request["skeleton"]["joints"][6]["name"] = "Paw"


def _two_roots(request: dict[str, Any]) -> None:
    request["skeleton"]["joints"][6]["parent"] = None


def _long(request: dict[str, Any]) -> None:
    request["timing"] = {"fps": 0.5}


def _crowd(request: dict[str, Any]) -> None:
    request["constraints"] += [house.pose(frame) for frame in range(3)]


ORDER = [
    Fault("major", _set("protocol_version", "2.0"), "version_unsupported", ("protocol_version",)),
    Fault("segment type", _segment({"type": "pose", "prompt": "x"}), "unsupported_segment", ("segments",)),
    Fault("topology", _two_roots, "invalid_skeleton", ("skeleton",)),
    Fault("schema", _set("bogus", 1), "schema_validation", ("bogus",)),
    Fault("rig", _rename, "retargeting_unsupported", ("skeleton", "joints")),
    Fault("clip", _segment(house.clip(joints=("Hips", "Tail"))), "unknown_joint", ("segments",)),
    Fault("video", _segment(house.video(url="https://a.org/b", end_s=9.0)), "invalid_options", ("segments",)),
    Fault("dial", _option(model_options={"spin": 1}), "invalid_options", ("options", "model_options")),
    Fault("budget", _option(keyframe_budget=0.1), "invalid_options", ("options", "keyframe_budget")),
    Fault("loop", _option(loop=True), "invalid_options", ("options", "loop")),
    Fault("constraint type", _constrain({"type": "ground_height", "points": [[0, 0, 0]]}),
          "unsupported_constraint", ("constraints",)),
    Fault("count", _crowd, "invalid_options", ("constraints",)),
    Fault("samples", _option(num_samples=4), "invalid_options", ("options", "num_samples")),
    Fault("prompt", lambda r: r["segments"][0].update(prompt="x" * 30), "invalid_options", ("segments", 0, "prompt")),
    Fault("duration", _long, "invalid_options", ("segments",)),
]  # fmt: skip


def base() -> dict[str, Any]:
    return house.request("narrow", constraints=[], options={})


def refusal(payload: Any, size_bytes: int = 100) -> KineographError:
    with pytest.raises(KineographError) as caught:
        check_request(payload, size_bytes, MODELS)
    return caught.value


def place(error: KineographError) -> tuple[Any, ...]:
    return tuple(error.details["where"]["path"])


@pytest.mark.parametrize("fault", ORDER, ids=lambda fault: fault.name)
def test_each_fault_alone_is_told(fault: Fault) -> None:
    request = base()
    fault.change(request)
    error = refusal(request)
    assert error.code == fault.code
    assert place(error)[: len(fault.place)] == fault.place


@pytest.mark.parametrize(
    ("first", "second"), list(itertools.combinations(ORDER, 2)), ids=lambda fault: fault.name.replace(" ", "_")
)
def test_of_two_faults_the_first_is_told(first: Fault, second: Fault) -> None:
    request = base()
    second.change(request)
    first.change(request)
    alone = base()
    first.change(alone)
    error, expected = refusal(request), refusal(alone)
    assert error.code == expected.code
    assert error.code == first.code
    # Where both have the same code, the place and the kind of details tell them apart.
    assert place(error)[: len(first.place)] == first.place
    assert error.details.keys() - {"faults"} == expected.details.keys() - {"faults"}


def test_the_largest_cap_of_all_comes_before_everything_and_the_models_own_after() -> None:
    wide = ModelSpec.model_validate(house.spec("wide", limits={"max_request_bytes": 50_000}))
    models = {**MODELS, "wide": ModelEntry(wide)}
    broken = house.request("nobody", protocol_version="9.9")
    with pytest.raises(KineographError) as caught:
        check_request(broken, 50_001, models)
    assert caught.value.details["max_request_bytes"] == 50_000
    with pytest.raises(KineographError) as caught:
        check_request(house.request(frames=70), 30_000, models)
    assert caught.value.code == "invalid_options"
    with pytest.raises(KineographError) as caught:
        check_request(house.request(), 30_000, models)
    assert caught.value.details["max_request_bytes"] == 20_000
    assert check_request(house.request("wide"), 30_000, models).model == "wide"


def test_constraints_are_checked_one_by_one_each_by_type_joint_and_frame() -> None:
    late, foreign = house.pose(99), house.pin("Tail", (99,))
    assert refusal(house.request(constraints=[late, foreign])).code == "frame_out_of_range"
    assert refusal(house.request(constraints=[foreign, late])).code == "unknown_joint"
    ground = {"type": "ground_height", "points": [[0, 0, 0]]}
    assert refusal(house.request(constraints=[late, ground])).code == "frame_out_of_range"


def test_an_unknown_model_is_told_after_the_schema() -> None:
    assert refusal(house.request("nobody", bogus=1)).code == "schema_validation"
    assert refusal(house.request("nobody", segments=[{"type": "pose", "prompt": "x"}])).code == "unknown_model"


def test_a_negative_key_waits_for_its_turn() -> None:
    assert refusal(house.request("nobody", constraints=[house.pose(-1)])).code == "unknown_model"
    assert refusal(house.request(constraints=[house.pose(-1)], options={"loop": True})).code == "invalid_options"
    assert refusal(house.request(constraints=[house.pose(-1)], bogus=1)).code == "schema_validation"
    assert refusal(house.request(constraints=[house.pose(-1), house.pose(-2, "Tail")])).details["frame"] == -1
