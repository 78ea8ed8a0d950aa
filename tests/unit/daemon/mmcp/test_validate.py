# SPDX-License-Identifier: Apache-2.0
"""The door: models, caps and batches."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from motionmcp.backbone import ModelSpec
from motionmcp.schemas import GenerateRequest
from tests.conformance import house

from kineograph.errors import ErrorCode, KineographError, UnavailableError, error
from kineograph_daemon.mmcp import validate
from kineograph_daemon.mmcp.validate import ModelEntry, check_batch, check_request


def entry(model: str = "open", **more: Any) -> ModelEntry:
    return ModelEntry(ModelSpec.model_validate(house.spec(model, **more)))


LOADING = ModelEntry(None, error("model_unavailable", "loading", {"fraction": 0.6}, retry_after_s=7.0))
MODELS = {"open": entry(), "loading": LOADING, "small": entry("small", limits={"max_batch_size": 2})}


def refusal(payload: Any, models: Any = None, refs: Any = None, size_bytes: int = 10) -> KineographError:
    with pytest.raises(KineographError) as caught:
        check_request(payload, size_bytes, MODELS if models is None else models, refs)
    return caught.value


def test_the_public_names() -> None:
    assert validate.__all__ == ["ModelEntry", "check_batch", "check_request", "parse"]


def test_a_request_passes_as_its_typed_form() -> None:
    request = check_request(house.request("open"), 10, MODELS)
    assert isinstance(request, GenerateRequest)
    assert request.total_frames == 10


def test_a_model_that_cannot_tell_answers_with_its_own_error_each_time() -> None:
    for _ in range(2):
        told = refusal(house.request("loading", bogus=1))
        assert isinstance(told, UnavailableError)
        assert told.retry_after_s == 7.0
        assert told.details["fraction"] == 0.6
        assert told is not LOADING.error


def test_a_model_without_spec_and_error_is_not_ready() -> None:
    assert refusal(house.request("x"), {"x": ModelEntry(None), "open": entry()}).code == "model_unavailable"


def test_without_any_model_that_can_tell_the_first_one_says_why() -> None:
    assert refusal("no request at all", {"loading": LOADING}).code == "model_unavailable"


def test_without_any_model_the_default_cap_holds() -> None:
    assert refusal(house.request("open"), {}).code == "unknown_model"
    assert refusal(house.request("open"), {}, size_bytes=1_048_577).details["max_request_bytes"] == 1_048_576


def test_too_large_names_the_largest_part() -> None:
    payload = house.request("open", constraints=[house.path(tuple(range(9)), heading_radians=np.zeros(99_999))])
    told = refusal(payload, size_bytes=2_000_000)
    assert told.code == "payload_too_large"
    assert told.details["where"]["path"] == ["constraints"]
    assert told.details["parts"]["constraints"] > 10 * told.details["parts"]["skeleton"]


def test_the_clients_reference_stands_in_the_refusal() -> None:
    payload = house.request("open", constraints=[house.pose(), house.pin("LefHand")])
    told = refusal(payload, refs={"constraints": ["Key 1", "Empty 'Grab'"]})
    assert told.details["where"] == {"path": ["constraints", 1, "joint"], "ref": "Empty 'Grab'"}
    assert told.details["joint"] == "LefHand"
    assert told.details["suggestions"] == ["LeftHand"]


def test_suggestions_never_cross_to_the_other_side() -> None:
    told = refusal(house.request("open", constraints=[house.pin("LeftHnd")]))
    assert "RightHand" not in told.details["suggestions"]


def test_numbers_beyond_every_integer_of_the_wire_are_refused_not_fatal() -> None:
    assert refusal(house.request("open", segments=[house.text(10**400)])).code == "invalid_options"
    assert refusal(house.request("open", constraints=[house.pose(10**30)])).code == "frame_out_of_range"


def test_a_batch_measures_its_items_only_when_it_must() -> None:
    models = {"open": entry(limits={"max_request_bytes": 3_000}), "wide": entry("wide")}
    long = house.request("open", segments=[house.text(prompt="x" * 900), house.text(prompt="y" * 900)] * 2)
    short = house.request("open")
    batch = house.batch(short, long)
    assert [isinstance(r, KineographError) for r in check_batch(batch, 2_900, models)] == [False, False]
    first, second = check_batch(batch, 6_000, models)
    assert isinstance(first, GenerateRequest)
    assert isinstance(second, KineographError)
    assert second.code == "payload_too_large"
    assert second.details["where"]["path"][:2] == ["requests", 1]


def test_the_smallest_batch_limit_of_all_models_holds() -> None:
    item = house.request("open")
    assert len(check_batch(house.batch(item, item), 10, MODELS)) == 2
    with pytest.raises(KineographError) as caught:
        check_batch(house.batch(item, item, item), 10, MODELS)
    assert caught.value.code == ErrorCode.INVALID_OPTIONS
    assert caught.value.details["allowed"] == 2


def test_a_refused_item_names_its_place_in_the_batch() -> None:
    (told,) = check_batch(house.batch(house.request("open", constraints=[house.pose(99)])), 10, MODELS)
    assert isinstance(told, KineographError)
    assert told.details["where"]["path"] == ["requests", 0, "constraints", 0, "frame"]


def test_a_small_request_is_checked_in_a_fraction_of_a_millisecond() -> None:
    joints = [{**house.skeleton()["joints"][0], "name": f"J{i}", "parent": "J0" if i else None} for i in range(77)]
    rig = {"joints": joints}
    models = {"m": ModelEntry(ModelSpec.model_validate(house.spec("m", canonical_skeleton=rig)))}
    payload = house.request("m", skeleton=rig, options={"num_samples": 4, "seed": 1})
    spent_ms = []
    for _ in range(30):
        start = time.process_time_ns()
        check_request(payload, 9_000, models)
        spent_ms.append((time.process_time_ns() - start) / 1e6)
    assert sorted(spent_ms)[15] < 2.0  # about 0.13 on a quiet machine
