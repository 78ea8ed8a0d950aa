# SPDX-License-Identifier: Apache-2.0
"""Every code that the daemon can answer with, raised through the real wire, shown with its numbers and its fixes."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.fakes.backbones import request_map
from tests.integration.daemon.conftest import House, Wire, generate, new_id, shown, wait_until

from kineograph import demo
from kineograph.errors import ErrorCode, KineographError, from_envelope
from kineograph.fixes import Problem, apply, resolve

MODEL = "kineograph-interpolate"
Request = dict[str, Any]
Change = Callable[[Request], object]


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    patch = pytest.MonkeyPatch()
    home = tmp_path_factory.mktemp("h")
    patch.setenv("KINEOGRAPH_HOME", str(home))
    flags = ("--backbone", MODEL, "--backbone", "tests.fakes.backbones:broken_capabilities")
    house = House(home, *flags, KINEOGRAPH_FAKE_STEPS="40", KINEOGRAPH_FAKE_STEP_S="0.05")
    house.start()
    house.wait_for_workers()
    yield house.wire()
    house.end()
    patch.undo()


def _pin(request: Request) -> Request:
    pin: Request = next(c for c in request["constraints"] if c["type"] == "effector_target")
    return pin


def _pins(request: Request, count: int) -> None:
    request["constraints"] += [copy.deepcopy(_pin(request)) for _ in range(count)]


def _rootless_clip(request: Request) -> None:
    """A reference clip that moves the spine and does not say where the character is."""
    clip = {
        "joint_names": ["Spine"],
        "rotations": [[[0.0, 0.0, 0.0, 1.0]]] * 30,
        "root_positions": [[0.0, 0.9, 0.0]] * 30,
    }
    request["segments"][0] = {"type": "motion_reference", "duration_frames": 30, "fps": 30.0, **clip}


REFUSED: list[tuple[str, Change, str]] = [
    ("schema_validation", lambda r: _pin(r).update(positions=[[float("nan"), 0, 0]]), "shelf"),
    ("schema_validation", lambda r: r.pop("skeleton"), "skeleton"),
    ("schema_validation", lambda r: r.update(unknown_field=1), "unknown_field"),
    ("unknown_model", lambda r: r.update(model="kineograph-interpolat"), MODEL),
    ("unsupported_segment", lambda r: r["segments"].append({"type": "video_reference"}), "video"),
    ("unknown_joint", lambda r: _pin(r).update(joint="RihgtHand"), r"'RihgtHand'.*'RightHand'"),
    ("invalid_skeleton", lambda r: r["skeleton"]["joints"][3].update(parent=None), "2"),
    ("invalid_skeleton", lambda r: r["skeleton"]["joints"][3].update(name="Hips"), "Hips"),
    ("invalid_skeleton", lambda r: r["skeleton"].update(joints=[]), "no bones"),
    ("frame_out_of_range", lambda r: _pin(r).update(frames=[151]), "151"),
    ("frame_out_of_range", lambda r: r["constraints"][0].update(frame=-4), "-4"),
    ("invalid_options", lambda r: r["options"].update(num_samples=9999), "9999"),
    ("invalid_options", lambda r: r["options"].update(diffusion_steps=100000), "100,000"),
    ("invalid_options", lambda r: r["segments"][0].update(duration_frames=10**7), "s"),
    ("invalid_options", lambda r: _pins(r, 5000), "50"),
    ("invalid_options", lambda r: r["options"].update(model_options={"easin": 1}), "easin"),
    ("invalid_options", lambda r: r["options"].update(loop=True), "loop|one"),
    ("invalid_options", lambda r: r["segments"][0].update(prompt="x" * 100_000), "100000|100,000|long"),
    ("invalid_request", _rootless_clip, "'Hips'"),
    ("version_unsupported", lambda r: r.update(protocol_version="2.0"), r"2\.0"),
]


@pytest.mark.parametrize(("code", "change", "says"), REFUSED, ids=[f"{i}-{c}" for i, (c, _, _) in enumerate(REFUSED)])
def test_a_refused_request_says_which_and_what_to_do(wire: Wire, code: str, change: Change, says: str) -> None:
    request = demo.request(MODEL)
    change(request)
    error = wire.error("generate", {"job": new_id(), "request": request, "refs": demo.refs()})
    assert error.code == code
    problem = shown(error, request)
    assert re.search(says, problem.text, re.DOTALL), problem.text
    assert not error.is_retryable


def test_a_fix_of_an_unknown_joint_lets_the_request_through(wire: Wire) -> None:
    request = demo.request(MODEL)
    _pin(request)["joint"] = "RihgtHand"
    error = wire.error("generate", {"job": new_id(), "request": request})
    problem = shown(error, request)
    mended = apply(problem.fixes[0], request)
    assert "RightHand" in mended.said
    assert wire.call("generate", {"job": new_id(), "request": mended.request})["state"] == "queued"


def test_what_only_a_smaller_model_refuses(wire: Wire) -> None:
    fake = request_map()
    other = {**fake, "skeleton": demo.request()["skeleton"]}
    assert shown(wire.error("generate", {"job": new_id(), "request": other}), other).code == "retargeting_unsupported"
    pinned = {**request_map("foreign"), "constraints": [{"type": "ground_height", "points": [[0.0, 0.0, 0.0]]}]}
    error = wire.error("generate", {"job": new_id(), "request": pinned})
    assert shown(error, pinned).code == "unsupported_constraint"
    big = {**fake, "segments": [{"type": "text", "prompt": "y", "language": "y" * 2_000_000, "duration_frames": 10}]}
    error = wire.error("generate", {"job": new_id(), "request": big})
    assert error.code == "payload_too_large"
    assert "MB" in shown(error, big).text


def test_a_model_that_cannot_say_what_it_takes(wire: Wire) -> None:
    error = wire.error("generate", generate("bad-capabilities"))
    assert error.code in ("internal_error", "model_unavailable")
    shown(error, {})


RAISED = [
    ("resource_exhausted", "raising", "memory"),
    ("resource_exhausted", "raising", "real-memory"),
    ("internal_error", "raising", "value"),
    ("internal_error", "broken", "nan"),
    ("internal_error", "broken", "names"),
    ("model_unavailable", "bad-setup", "walk"),
]


@pytest.mark.parametrize(("code", "model", "prompt"), RAISED)
def test_a_job_that_fails_keeps_its_reason(wire: Wire, code: str, model: str, prompt: str) -> None:
    body = generate(model, prompt=prompt)
    wire.call("generate", body)
    status = wire.call("job.result", {"job": body["job"], "wait_s": 60.0})["job"]
    error = from_envelope(status["error"])
    assert error.code in ((code,) if model != "bad-setup" else (code, "internal_error"))
    assert status["state"] == "failed"
    problem = shown(error, body["request"])
    if error.is_retryable:
        assert error.retry_after_s
    else:
        assert not problem.retry.auto


def test_timeout_cancel_conflict_and_unknown(wire: Wire) -> None:
    late = generate("slow", deadline_s=0.3)
    wire.call("generate", late)
    status = wire.call("job.result", {"job": late["job"], "wait_s": 60.0})["job"]
    error = from_envelope(status["error"])
    assert error.code == ErrorCode.TIMEOUT
    assert re.search(r"0\.3", shown(error, late["request"]).text)

    stopped = generate("slow")
    wire.call("generate", stopped)
    wait_until(lambda: wire.call("job.status", {"job": stopped["job"]})["state"] == "running")
    wire.call("job.cancel", {"jobs": [stopped["job"]]})
    status = wire.call("job.result", {"job": stopped["job"], "wait_s": 60.0})["job"]
    assert status["state"] == "cancelled"
    assert shown(from_envelope(status["error"]), {}).code == ErrorCode.REQUEST_CANCELLED

    conflict = wire.error("generate", generate(job=stopped["job"], prompt="another"))
    assert shown(conflict, {}).code == ErrorCode.IDEMPOTENCY_CONFLICT

    unknown = new_id()
    for method in ("job.status", "job.result", "job.request", "job.forget", "job.move"):
        error = wire.error(method, {"job": unknown})
        assert shown(error, {}).code == ErrorCode.REQUEST_NOT_FOUND
        assert unknown[:4] in shown(error, {}).text


def test_what_a_method_does_not_take(wire: Wire) -> None:
    done = generate()
    assert wire.call("generate.wait", {**done, "wait_s": 60.0})["result"]
    error = wire.error("job.move", {"job": done["job"], "to": "front"})
    assert shown_bare(error).code == ErrorCode.INVALID_PARAMETERS
    error = wire.error("hello", {"wire": [99]})
    assert shown(error).code == ErrorCode.PROTOCOL_MISMATCH
    wire.socket.send_multipart([b"noise", b"noise"])
    answer = wire.receive().body
    assert shown(from_envelope(answer)).code == ErrorCode.BAD_RESPONSE


def shown_bare(error: KineographError) -> Problem:
    """As ``shown`` where nothing can be done about it by a click."""
    problem = resolve(error)
    assert problem.title
    assert problem.text
    return problem
