# SPDX-License-Identifier: Apache-2.0
"""A real worker process: jobs in, results on disk, every job answered once."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pygltflib import GLTF2
from tests.fakes.backbones import RETURNS, request_map

from kineograph.wire import codec
from kineograph.wire.messages import ModelState, ResultFormat
from kineograph_daemon.jobs import blobs
from kineograph_daemon.workers import link


def heard(front: Any) -> None:
    """Until the worker's other thread has read everything that was sent to it: what does not belong there it logs."""
    said = "WorkerStop does not belong"
    before = front.logs().count(said)
    front.send(link.WorkerStop(), to=b"w1.hb")
    until_s = time.monotonic() + 60.0
    while front.logs().count(said) == before:
        assert time.monotonic() < until_s, "it was never heard"
        time.sleep(0.01)


def code_of(failed: link.TaskFailed) -> str:
    return str(failed.error["error"]["code"])


def test_a_job_ends_with_a_complete_result(front: Any) -> None:
    request = request_map("fake", 30, num_samples=2, seed=7)
    job = front.run("plain", request)
    done = front.wait(link.TaskDone)
    assert front.wait(link.TaskEnd) == link.TaskEnd("task-plain")
    assert (done.job, done.frames, done.samples, done.seed) == ("plain", 30, 2, 7)
    assert done.bytes == Path(job.result_path).stat().st_size
    result = front.result(job)
    assert result["rotations_xyzw"].shape == (2, 30, 5, 4)
    assert result["rotations_xyzw"].dtype == np.float32
    assert result["root_m"].shape == (2, 30, 3)
    assert result["joint_names"][0] == "Hips"
    assert result["fps_hz"] == 30.0
    provenance = result["provenance"]
    expected = hashlib.sha256(b"".join(codec.pack_body({"request": request}))).hexdigest()
    assert provenance["request_sha256"] == expected
    assert (provenance["model"], provenance["model_version"], provenance["weights_hash"]) == (
        "fake",
        "1.0",
        "sha256:none",
    )
    assert (provenance["seed"], provenance["seed_drawn"]) == (7, False)
    assert provenance["run"]["job"] == "plain"


def test_a_drawn_seed_replays_to_the_same_bytes(front: Any) -> None:
    first = front.run("drawn", request_map("fake"))
    front.wait(link.TaskEnd)
    seed = front.result(first)["provenance"]["seed"]
    assert front.result(first)["provenance"]["seed_drawn"] is True
    assert all(entry["name"] != "seed" for entry in front.result(first)["report"]["options"])
    again = front.run("again", request_map("fake", seed=seed))
    other = front.run("other", request_map("fake"))
    for _ in range(2):
        front.wait(link.TaskEnd)
    arrays = [[bytes(f) for f in blobs.open(j.result_path)[1:]] for j in (first, again, other)]
    assert arrays[0] == arrays[1]
    assert arrays[0] != arrays[2]


def test_the_other_forms_are_valid_and_equal_to_the_arrays(front: Any) -> None:
    paths = {name: str(front.folder / f"forms.{name}") for name in ("gltf", "glb")}
    job = front.run(
        "forms", request_map("fake", seed=1), formats=[ResultFormat.GLTF, ResultFormat.GLB], format_paths=paths
    )
    done = front.wait(link.TaskDone)
    assert done.bytes == sum(Path(p).stat().st_size for p in (job.result_path, *paths.values()))
    frames = blobs.open(paths["gltf"])
    document = codec.decode_body(frames[0], frames[1:])
    assert document["extensions"]["MMCP_motion"]["model"] == "fake"
    json.dumps(document, allow_nan=False)
    frames = blobs.open(paths["glb"])
    glb = codec.decode_body(frames[0], frames[1:])["glb"].tobytes()
    read = GLTF2.load_from_bytes(glb)
    accessor = read.accessors[read.animations[0].samplers[0].output]
    view = read.bufferViews[accessor.bufferView]
    hips = np.frombuffer(read.binary_blob(), "<f4", accessor.count * 4, view.byteOffset).reshape(-1, 4)
    np.testing.assert_array_equal(hips, front.result(job)["rotations_xyzw"][0, :, 0])


def test_a_stored_result_is_encoded_later(front: Any) -> None:
    request = request_map("fake", seed=3)
    paths = {"glb": str(front.folder / "now.glb")}
    job = front.run("later", request, formats=[ResultFormat.GLB], format_paths=paths)
    front.wait(link.TaskEnd)
    target = front.folder / "later.glb"
    encode = link.TaskEncode("later", ResultFormat.GLB, [0, 1], job.result_path, str(target))
    front.send(encode, codec.pack_body({"request": request}))
    assert front.wait(link.TaskEncoded).error is None
    assert target.read_bytes() == Path(paths["glb"]).read_bytes()
    encode = link.TaskEncode("later", ResultFormat.GLB, [0, 1], str(front.folder / "gone.kgb"), str(target))
    front.send(encode, codec.pack_body({"request": request}))
    told = front.wait(link.TaskEncoded).error
    assert told is not None
    assert told["error"]["code"] == "result_expired"


def test_trajectories_come_when_asked_for(front: Any) -> None:
    job = front.run("travel", request_map("fake", 40), trajectories=True)
    front.wait(link.TaskDone)
    (travel,) = front.result(job)["trajectories"]
    assert len(travel["position"]) == 40
    assert len(travel["yaw"]) == 40
    plain = front.run("no-travel", request_map("fake", 40))
    front.wait(link.TaskDone)
    assert front.result(plain)["trajectories"] is None


def test_progress_is_told_and_its_last_word_is_never_lost(front: Any) -> None:
    front.run("steps", request_map("slow"), deadline_s=2.0)
    front.wait(link.TaskEnd)
    steps = [m for _, m, _ in front.said if isinstance(m, link.TaskProgress)]
    assert [p.step for p in steps] == sorted(p.step for p in steps)
    assert steps[-1].stage == "denoise"
    failed = front.wait(link.TaskFailed)
    details = failed.error["error"]["details"]
    assert code_of(failed) == "timeout"
    assert details["step"] == steps[-1].step
    assert details["steps"] == 100
    assert failed.error["retry_after_s"] > 0


@pytest.mark.parametrize(
    ("model", "deadline_s", "reached"), [("async", 0.2, None), ("fake", 0.0, 0), ("deaf", 0.2, None)]
)
def test_a_deadline_without_steps_says_whether_it_began(
    front: Any, model: str, deadline_s: float, reached: int | None
) -> None:
    front.run(f"d-{model}", request_map(model, prompt="wait"), deadline_s=deadline_s)
    failed = front.wait(link.TaskFailed)
    assert code_of(failed) == "timeout"
    details = failed.error["error"]["details"]
    assert (details["step"], details["steps"], details["deadline_s"]) == (reached, reached, deadline_s)
    front.wait(link.TaskEnd)


@pytest.mark.parametrize("model", ["slow", "tells-only", "async"])
def test_a_cancel_stops_within_one_step_and_stops_that_job_only(front: Any, model: str) -> None:
    name = f"c-{model}"
    front.run(name, request_map(model, prompt="wait"))
    front.run(f"after-{model}", request_map("fake"))
    if model == "async":
        front.wait(link.WorkerHeartbeat, lambda beat: beat.busy == f"task-{name}")
    else:
        front.wait(link.TaskProgress, lambda told: told.job == name and told.step > 0)
    front.send(link.TaskCancel(name), to=b"w1.hb")
    told = front.wait(link.TaskCancelled)
    assert told.job == name
    if model != "async":
        assert 0 < told.step < 100
        assert told.steps == 100
    assert front.wait(link.TaskDone).job == f"after-{model}"
    assert not (front.folder / f"{name}.kgb").exists()


def test_a_cancel_may_come_before_its_job_and_after_it(front: Any) -> None:
    front.send(link.TaskCancel("early"), to=b"w1.hb")
    heard(front)
    front.run("early", request_map("slow"))
    assert front.wait(link.TaskCancelled).job == "early"
    front.run("late", request_map("fake"))
    front.wait(link.TaskDone)
    front.send(link.TaskCancel("late"), to=b"w1.hb")
    heard(front)
    front.run("late", request_map("fake"))
    assert front.wait(link.TaskDone).job == "late"


def test_a_deaf_model_still_beats_and_its_cancelled_motion_is_not_delivered(front: Any) -> None:
    front.run("deaf", request_map("deaf"))
    front.wait(link.WorkerHeartbeat, lambda beat: beat.busy == "task-deaf")
    front.send(link.TaskCancel("deaf"), to=b"w1.hb")
    assert front.wait(link.TaskCancelled).job == "deaf"
    beats = [m for _, m, _ in front.said if isinstance(m, link.WorkerHeartbeat) and m.busy == "task-deaf"]
    assert beats
    assert all(b.rss_bytes > 10**6 and b.token == "secret-of-this-test" for b in beats)


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("value", "internal_error"),
        ("joint", "unknown_joint"),
        ("rate", "rate_limited"),
        ("unavailable", "model_unavailable"),
        ("internal", "internal_error"),
        ("odd-details", "invalid_request"),
        ("unknown-code", "internal_error"),
        ("own", "prompt_not_in_pack"),
        ("memory", "resource_exhausted"),
        ("real-memory", "resource_exhausted"),
        ("cuda", "resource_exhausted"),
        ("exit", "internal_error"),
        ("recursion", "internal_error"),
        ("stopped", "internal_error"),
    ],
)
def test_what_a_model_raises_becomes_one_clear_error(front: Any, prompt: str, code: str) -> None:
    front.run(f"r-{prompt}", request_map("raising", prompt=prompt))
    failed = front.wait(link.TaskFailed)
    assert code_of(failed) == code
    assert front.wait(link.TaskEnd).task == f"task-r-{prompt}"
    details = failed.error["error"]["details"]
    if code == "internal_error":
        assert details["ref"] in failed.error["error"]["message"]
        assert details["ref"] in front.logs()
        assert "Traceback" not in json.dumps(failed.error)
        assert "retry_after_s" not in failed.error
    if code == "resource_exhausted":
        assert details["free_bytes"] > 0
        need_bytes = {"memory": 7.28 * 2**40, "cuda": 9.1 * 2**30, "real-memory": 2**60}[prompt]
        assert details["need_bytes"] == pytest.approx(need_bytes, rel=1e-6)
        if prompt == "cuda":
            assert details["free_bytes"] == pytest.approx(6.3 * 2**30, rel=1e-6)
            assert "9.8 GB" in failed.error["error"]["message"]
        assert failed.error["retry_after_s"] > 0


@pytest.mark.parametrize("prompt", sorted(RETURNS))
def test_a_broken_motion_never_leaves(front: Any, prompt: str) -> None:
    front.run(f"b-{prompt}", request_map("broken", prompt=prompt))
    assert code_of(front.wait(link.TaskFailed)) == "internal_error"
    front.wait(link.TaskEnd)
    assert not (front.folder / f"b-{prompt}.kgb").exists()


def batch(front: Any, model: str, prompts: list[str], name: str = "") -> None:
    frames: list[Any] = []
    jobs = []
    for index, prompt in enumerate(prompts):
        item = request_map(model, prompt=prompt, seed=index)
        del item["protocol_version"]  # an item inherits the batch's
        jobs.append(front.job(f"{name or model}-{index}", len(frames), 1))
        frames += codec.pack_body({"request": item})
    front.send(link.TaskRun("batch", model, jobs, batch=True), frames)


@pytest.mark.parametrize("model", ["batching", "raising"])
def test_each_item_of_a_batch_has_its_own_answer(front: Any, model: str) -> None:
    bad = {"batching": "fail", "raising": "value"}[model]
    batch(front, model, ["walk" if model == "batching" else "joint", bad, "walk" if model == "batching" else "own"])
    front.wait(link.TaskEnd)
    failed = {m.job: code_of(m) for _, m, _ in front.said if isinstance(m, link.TaskFailed)}
    done = {m.job for _, m, _ in front.said if isinstance(m, link.TaskDone)}
    assert failed[f"{model}-1"] == "internal_error"
    assert set(failed) | done == {f"{model}-{i}" for i in range(3)}
    assert done == ({"batching-0", "batching-2"} if model == "batching" else set())


def test_a_batch_that_the_model_cannot_fuse_runs_in_turn_and_a_cancel_hits_one(front: Any) -> None:
    batch(front, "slow", ["a", "b"])
    front.wait(link.TaskProgress, lambda p: p.job == "slow-0")
    front.send(link.TaskCancel("slow-0"), to=b"w1.hb")
    assert front.wait(link.TaskCancelled).job == "slow-0"
    front.wait(link.TaskProgress, lambda p: p.job == "slow-1")
    front.send(link.TaskCancel("slow-1"), to=b"w1.hb")
    assert front.wait(link.TaskCancelled).job == "slow-1"
    front.wait(link.TaskEnd)


def test_one_cancelled_item_of_a_pass_leaves_the_others(front: Any) -> None:
    front.send(link.TaskCancel("pass-1"), to=b"w1.hb")
    heard(front)
    batch(front, "batching", ["a", "b", "c"], "pass")
    front.wait(link.TaskEnd)
    said = [m for _, m, _ in front.said if isinstance(m, (link.TaskDone, link.TaskCancelled))]
    assert sorted((type(m).__name__, m.job) for m in said) == [
        ("TaskCancelled", "pass-1"),
        ("TaskDone", "pass-0"),
        ("TaskDone", "pass-2"),
    ]


def test_a_request_that_lost_its_frames_fails_alone(front: Any) -> None:
    job = front.job("lost", 4, 2)
    front.send(link.TaskRun("task", "fake", [job]), codec.pack_body({"request": request_map()}))
    assert code_of(front.wait(link.TaskFailed)) == "bad_response"
    front.wait(link.TaskEnd)


def test_binary_motion_references_reach_the_model(front: Any) -> None:
    request = request_map("fake", 20)
    clip = np.zeros((8, 5, 4), np.float32)
    clip[..., 3] = 1
    names = [j["name"] for j in request["skeleton"]["joints"]]
    request["segments"].append(
        {
            "type": "motion_reference",
            "duration_frames": 10,
            "joint_names": names,
            "rotations": clip,
            "root_positions": np.zeros((8, 3), np.float32),
            "fps": 30.0,
        }
    )
    frames = codec.pack_body({"request": request})
    front.send(link.TaskRun("task", "fake", [front.job("clip", 0, len(frames))]), frames)
    assert front.wait(link.TaskDone).frames == 30


def test_models_load_at_first_use_and_give_back_on_demand(front: Any) -> None:
    front.send(link.ModelLoad("foreign"))
    states = [front.wait(link.ModelStateChanged, lambda m: m.model == "foreign").state for _ in range(2)]
    assert states == [ModelState.LOADING, ModelState.READY]
    front.send(link.ModelLoad("foreign"))
    assert front.wait(link.ModelStateChanged).state is ModelState.READY
    for _ in range(2):
        front.send(link.ModelUnload("foreign"))
        assert front.wait(link.ModelStateChanged).state is ModelState.UNLOADED
    front.run("reload", request_map("foreign"))
    front.wait(link.TaskDone)
    said = [m.state for _, m, _ in front.said if isinstance(m, link.ModelStateChanged)]
    assert said == [ModelState.LOADING, ModelState.READY]


def test_a_failed_set_up_is_told_and_tried_again(front: Any) -> None:
    for name in ("s1", "s2"):
        front.run(name, request_map("bad-setup"))
        assert code_of(front.wait(link.TaskFailed)) == "internal_error"
        changed = [front.wait(link.ModelStateChanged) for _ in range(2)]
        assert [c.state for c in changed] == [ModelState.LOADING, ModelState.FAILED]
        assert changed[1].error is not None
        assert "weights" in changed[1].error["error"]["message"]
        front.wait(link.TaskEnd)


def test_garbage_on_the_link_is_dropped_and_work_goes_on(front: Any) -> None:
    for frames in ([b""], [b"\xc1", b"\xc1"], [b"x"] * 5, [b"\x81\xa1v\x63", b"\x80"]):
        front.router.send_multipart([b"w1", *frames])
        front.router.send_multipart([b"w1.hb", *frames])
    front.send(link.TaskCancel("nothing"))
    front.run("after-garbage", request_map("fake"))
    assert front.wait(link.TaskDone).job == "after-garbage"
    front.wait(link.WorkerHeartbeat)


def test_every_log_line_is_json_with_the_job_in_it(front: Any) -> None:
    front.run("logged", request_map("raising", prompt="value"))
    front.wait(link.TaskEnd)
    lines = [json.loads(line) for line in front.logs().splitlines()]
    assert all({"t", "level", "logger", "job", "msg", "pid"} <= set(line) for line in lines)
    mine = [line for line in lines if line["job"] == "logged"]
    assert any("Traceback" in line.get("exc", "") for line in mine)
    assert any(str(line["msg"]).startswith("job failed") for line in mine)


def test_unknown_model_names_what_there_is(front: Any) -> None:
    front.run("unknown", request_map("no-such-model"))
    failed = front.wait(link.TaskFailed)
    assert code_of(failed) == "unknown_model"
    assert "fake" in failed.error["error"]["details"]["available_models"]
    front.wait(link.TaskEnd)
