# SPDX-License-Identifier: Apache-2.0
"""The capabilities document: MMCP's own words and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from motionmcp.backbone import ModelSpec
from tests.conformance import house

from kineograph.errors import error
from kineograph.wire.version import MMCP_VERSION
from kineograph_daemon.mmcp.capabilities import document, model
from kineograph_daemon.mmcp.validate import ModelEntry

ROOT = Path(__file__).resolve().parents[4]
REFERENCE = Path(os.environ.get("KINEOGRAPH_SHARED", ROOT / "../shared")).resolve() / "conformance/vectors_dev.json"


def spec(**more: Any) -> ModelSpec:
    return ModelSpec.model_validate(house.spec("m", **more))


def test_the_head_of_the_document() -> None:
    told = document({})
    assert told == {
        "protocol_version": MMCP_VERSION,
        "rotation_format": "quaternion_xyzw",
        "coordinate_system": "right_handed_y_up",
        "units": "meters",
        "response_formats": ["gltf_2.0_json"],
        "models": [],
    }


def test_models_stand_in_order_and_who_cannot_tell_is_left_out() -> None:
    entries = {
        "b": ModelEntry(ModelSpec.model_validate(house.spec("b"))),
        "x": ModelEntry(None, error("model_unavailable", "loading")),
        "a": ModelEntry(ModelSpec.model_validate(house.spec("a"))),
    }
    assert [m["id"] for m in document(entries)["models"]] == ["b", "a"]


def test_batches_and_trajectories_come_with_every_model() -> None:
    told = model(spec())
    assert (told["supports_batch"], told["supports_trajectory"]) == (True, True)
    assert told["supports_motion_reference_mixed"] is False
    assert model(spec(supported_segments=["motion_reference"]))["supports_motion_reference_mixed"] is True


def test_what_is_not_set_leaves_no_key() -> None:
    bare, full = model(spec()), model(spec(limits=house.NARROW_LIMITS, model_options=house.DIALS))
    assert "model_options" not in bare
    assert not {"max_reference_frames", "max_video_bytes", "max_video_seconds"} & set(bare["limits"])
    assert full["limits"] == house.NARROW_LIMITS
    assert [option["name"] for option in full["model_options"]] == [option["name"] for option in house.DIALS]


def test_it_is_strict_json_and_the_spec_stays_as_it_was() -> None:
    told = spec()
    json.dumps(document({"m": ModelEntry(told)}), allow_nan=False)
    assert told.supports_batch is False


@pytest.mark.shared
@pytest.mark.skipif(not REFERENCE.is_file(), reason=f"the recorded answers are not at {REFERENCE}")
def test_it_is_the_official_document_word_for_word() -> None:
    recorded = json.loads(REFERENCE.read_text("utf-8"))
    compared = 0
    for name, answer in recorded["capabilities"].items():
        config = recorded["configs"].get(name)
        if config is None or answer["status"] != 200:
            continue
        specs = [ModelSpec.model_validate(m["spec"]) for m in config["models"]]
        assert document({s.id: ModelEntry(s) for s in specs}) == answer["body"], name
        compared += 1
    assert compared >= 3
