# SPDX-License-Identifier: Apache-2.0
"""Every message of the worker link survives the wire, and nothing else passes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from kineograph.errors import KineographError
from kineograph.wire import codec
from kineograph.wire import version as limits
from kineograph.wire.messages import ModelState, ResultFormat
from kineograph_daemon.workers import link

EXAMPLES = [
    link.TaskRun("t", "m", [link.TaskJob("j", [0, 2], "/r", [ResultFormat.GLB], True, {"glb": "/g"}, 3.0)], batch=True),
    link.TaskEncode("j", ResultFormat.GLTF, [0, 1], "/r", "/t"),
    link.ModelLoad("m"),
    link.ModelUnload("m"),
    link.WorkerStop(),
    link.TaskCancel("j"),
    link.WorkerPing(),
    link.WorkerReady("s", 7, "cpu", {"m": {"spec": None}}),
    link.ModelStateChanged("m", ModelState.FAILED, {"error": {"code": "internal_error"}}),
    link.TaskProgress("j", 0.5, 3, 6, "denoise"),
    link.TaskDone("j", 30, 1, 4096, 0.25, 99),
    link.TaskFailed("j", {"error": {"code": "timeout"}}),
    link.TaskCancelled("j", 3, 6),
    link.TaskEnd("t"),
    link.TaskEncoded("j", ResultFormat.GLB),
    link.WorkerHeartbeat("s", 2**20, "t"),
]


def test_there_is_an_example_of_every_message() -> None:
    assert {type(m) for m in EXAMPLES} == set(link.METHOD_OF)


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda m: type(m).__name__)
def test_round_trip(message: Any) -> None:
    assert link.unpack(link.pack(message)).message == message
    assert dataclasses.is_dataclass(message)


def test_bodies_travel_unopened() -> None:
    body = codec.pack_body({"request": {"clip": np.arange(6, dtype=np.float32)}})
    frames = link.pack(EXAMPLES[0], [b"\xc1 no msgpack", *body])
    packet = link.unpack(frames)
    np.testing.assert_array_equal(packet.payload([1, len(body)])["request"]["clip"], np.arange(6))
    assert frames[2] is body[0]


def test_a_batch_may_bring_more_arrays_than_one_client_message() -> None:
    frames = [b"x"] * (2 * limits.MAX_ARRAYS)
    assert len(link.unpack(link.pack(EXAMPLES[0], frames)).frames) == len(frames)


@pytest.mark.parametrize("span", [[0, 0], [-1, 1], [0, 9], [5, 1], [0], [0, 1, 2]])
def test_a_span_outside_the_frames_is_refused(span: list[int]) -> None:
    packet = link.unpack(link.pack(EXAMPLES[0], codec.pack_body({"request": {}})))
    with pytest.raises(KineographError, match="bad_response"):
        packet.payload(span)


def message(**changes: Any) -> list[codec.Buffer]:
    return codec.pack_body({"v": limits.WIRE_VERSION, "m": "task.cancel", "b": {"job": "j"}, **changes})


@pytest.mark.parametrize(
    ("frames", "why"),
    [
        (message(m="task.dance"), r"task\.dance"),
        (message(m=5), "unknown message"),
        (message(m=["task.cancel"]), "unknown message"),
        (message(b=None), "unknown message"),
        (message(b={"job": 5}), "job"),
        (message(b={}), "job"),
        (message(v=99), "protocol_mismatch"),
        (message(v=None), "protocol_mismatch"),
        ([b"\xc1"], "bad_response"),
        ([b""], "bad_response"),
        ([b"\x93\x01\x02\x03"], "no map"),
        ([b"\x91" * 5000], "bad_response"),
        ([memoryview(bytes(limits.MAX_BODY_BYTES + 1))], "limit"),
        ([], "no frames"),
    ],
)
def test_unknown_and_wrong_messages_are_refused(frames: list[codec.Buffer], why: str) -> None:
    with pytest.raises(KineographError, match=why):
        link.unpack(frames)
    assert link.unpack(message()).message == link.TaskCancel("j")


def test_a_last_answer_ends_its_task() -> None:
    done = link.TaskDone("j", 30, 1, 4096, 0.25, 99)
    last = link.ending(done, "t1")
    assert last == link.TaskDone("j", 30, 1, 4096, 0.25, 99, ends="t1")
    assert link.unpack(link.pack(last)).message == last
    assert done.ends == ""
