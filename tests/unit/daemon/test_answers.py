# SPDX-License-Identifier: Apache-2.0
"""A motion in its three forms, and what is made safe on the way out."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from motionmcp import GenerateRequest, gltf
from pygltflib import GLTF2
from tests.fakes import backbones as fakes

from kineograph.errors import KineographError
from kineograph.wire import codec
from kineograph_daemon.mmcp import answers
from kineograph_daemon.pipeline import JobResultData

MODEL = fakes.Fake()
SPEC = MODEL.capabilities()


def finished(samples: int = 2, frames: int = 20, **more: Any) -> tuple[GenerateRequest, JobResultData]:
    request = GenerateRequest.model_validate(fakes.request_map(frames=frames, num_samples=samples, seed=4))
    made = fakes.motion(request)
    names = [j.name for j in request.skeleton.joints]
    return request, JobResultData(30.0, names, made.rotations, made.root_translations, **more)


def travelled(body: dict[str, Any]) -> dict[str, Any]:
    frames = codec.pack_body(body)
    return codec.decode_body(frames[0], [bytes(f) for f in frames[1:]])


def test_the_arrays_survive_the_wire_and_come_back_as_data() -> None:
    contacts = {"LeftFoot": np.zeros((2, 20), bool)}
    keyframes = {0: {"rotation": [0, 5, 19], "translation": [0, 19]}}
    _, data = finished(contacts=contacts, keyframes=keyframes, chunk_boundaries=[[10], []], notes=[{"code": "x"}])
    body = travelled(answers.result_body(data, {"seed": 4}))
    assert (body["num_samples"], body["num_frames"], body["provenance"]) == (2, 20, {"seed": 4})
    assert body["keyframes"] == {"0": keyframes[0]}
    back = answers.data_of(body)
    np.testing.assert_array_equal(back.rotations_xyzw, data.rotations_xyzw)
    np.testing.assert_array_equal(back.contacts["LeftFoot"], contacts["LeftFoot"])
    assert back.keyframes == keyframes
    assert back.chunk_boundaries == [[10], []]


def test_the_gltf_is_the_official_one() -> None:
    request, data = finished(trajectories=[None, None])
    ours = answers.to_gltf(request, SPEC, data)
    official = gltf.build_gltf(
        skeleton=request.skeleton.model_dump(mode="json"),
        joint_names=data.joint_names,
        rotations_quat=data.rotations_xyzw,
        root_translations=data.root_m,
        fps=30.0,
        model_id="fake",
    )
    assert json.dumps(ours) == json.dumps(official)


def test_a_model_that_never_advertised_moving_joints_sends_none() -> None:
    request, data = finished(1, translations_m=np.random.default_rng(0).normal(size=(1, 20, 5, 3)).astype(np.float32))
    channels = answers.to_gltf(request, SPEC, data)["animations"][0]["channels"]
    assert sum(c["target"]["path"] == "translation" for c in channels) == 1
    spec = SPEC.model_copy(update={"supports_joint_translation": True})
    channels = answers.to_gltf(request, spec, data)["animations"][0]["channels"]
    assert sum(c["target"]["path"] == "translation" for c in channels) == 5


def test_the_glb_reads_back_with_another_reader() -> None:
    request, data = finished()
    raw = answers.to_glb(request, SPEC, data)
    assert int.from_bytes(raw[8:12], "little") == len(raw)
    assert len(raw) % 4 == 0
    read = GLTF2.load_from_bytes(raw)
    assert [n.name for n in read.nodes] == data.joint_names
    assert len(read.animations) == 2
    assert read.extensions["MMCP_motion"]["model"] == "fake"
    assert read.buffers[0].uri is None
    assert len(read.binary_blob()) >= read.buffers[0].byteLength
    view = read.bufferViews[read.accessors[read.animations[1].samplers[0].output].bufferView]
    hips = np.frombuffer(read.binary_blob(), "<f4", 80, view.byteOffset).reshape(20, 4)
    np.testing.assert_array_equal(hips, data.rotations_xyzw[1, :, 0])


def test_the_same_motion_gives_the_same_bytes() -> None:
    assert answers.to_glb(*finished()[:1], SPEC, finished()[1]) == answers.to_glb(*finished()[:1], SPEC, finished()[1])


def test_trajectories_are_computed_once_and_the_models_own_are_kept() -> None:
    request, data = finished(2, 30)
    first = answers.with_trajectories(request, data)
    assert len(first) == 2
    assert first[0] is not None
    assert len(first[0]["position"]) == 30
    assert answers.with_trajectories(request, data) is first
    own: list[dict[str, Any] | None] = [{"model": "still"}, None]
    request, data = finished(trajectories=own)
    assert answers.with_trajectories(request, data) == own


@pytest.mark.parametrize("field", ["rotations_xyzw", "root_m", "translations_m"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_nothing_infinite_leaves(field: str, bad: float) -> None:
    _, data = finished(translations_m=np.zeros((2, 20, 5, 3), np.float32))
    answers.check(data)
    getattr(data, field)[1, 7] = bad
    with pytest.raises(KineographError, match="internal_error"):
        answers.check(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fps_hz", math.nan),
        ("fps_hz", 0.0),
        ("joint_names", ["Hips"]),
        ("root_m", np.zeros((2, 19, 3), np.float32)),
        ("translations_m", np.zeros((2, 20, 3), np.float32)),
        ("contacts", {"Tail": np.zeros((2, 20), bool)}),
        ("contacts", {"Hips": np.zeros((20,), bool)}),
        ("trajectories", [None]),
        ("trajectories", [{"position": [[0.0, math.nan]]}, None]),
        ("trajectories", [{"yaw": np.array([math.inf])}, None]),
    ],
)
def test_nothing_that_does_not_fit_leaves(field: str, value: Any) -> None:
    _, data = finished()
    setattr(data, field, value)
    with pytest.raises(KineographError, match="internal_error"):
        answers.check(data)


def test_foreign_values_become_plain_ones() -> None:
    odd = {
        1: np.float32(0.5),
        "nan": math.nan,
        "np": np.float64(math.inf),
        "set": {"b", "a"},
        "huge": 2**70,
        "object": object,
        "tuple": (1, True, None),
        "half": np.zeros(2, np.float16),
        "iterator": iter([1, math.nan]),
    }
    safe = answers.wire_safe(odd)
    travelled(safe)
    assert safe["1"] == 0.5
    assert safe["nan"] is None
    assert safe["np"] is None
    assert safe["set"] == ["a", "b"]
    assert safe["huge"] == str(2**70)
    assert safe["tuple"] == [1, True, None]
    assert safe["half"].dtype == np.float32
    assert safe["iterator"] == [1, None]


@pytest.mark.parametrize(
    ("odd", "safe"),
    [
        (np.longdouble(1.5), 1.5),
        (np.array([np.longdouble(2.0)]), [2.0]),
        (np.clongdouble(1.0), str(np.clongdouble(1.0))),
        (np.array("text"), "text"),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([1 + 2j]), ["(1+2j)"]),
        (np.array(None), None),
    ],
)
def test_numpys_odd_kinds_are_told_too(odd: Any, safe: Any) -> None:
    assert answers.wire_safe({"odd": odd}) == {"odd": safe}
