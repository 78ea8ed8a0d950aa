# SPDX-License-Identifier: Apache-2.0
"""The remote backbone against a scripted service: what it sends, what it makes of answers, where its token goes."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from motionmcp.backbone import ModelSpec
from motionmcp.gltf import build_gltf
from motionmcp.schemas import GenerateRequest
from tests.fakes.backbones import FPS_HZ, motion, request_map, skeleton
from tests.fakes.http_service import Script, Seen, Service

from kineograph.errors import KineographError
from kineograph_daemon.backbones.base import settle
from kineograph_daemon.backbones.remote import backbone, exchange, remotes, tokens
from kineograph_daemon.backbones.remote.address import configured, origin_of, parse
from kineograph_daemon.backbones.remote.backbone import RemoteBackbone
from kineograph_daemon.pipeline import Stopped
from kineograph_daemon.workers import provenance
from kineograph_daemon.workers.hooks import Hooks

TOKEN = "tok_3f9a1c77d0"


def spec(**changes: Any) -> ModelSpec:
    told: dict[str, Any] = {"id": "walker", "fps": FPS_HZ, "canonical_skeleton": skeleton(), **changes}
    return ModelSpec(**told)


def made_of(body: Any) -> dict[str, Any]:
    """The motion that a service makes of a request's body."""
    request = GenerateRequest.model_validate(body)
    found = motion(request)
    document: dict[str, Any] = build_gltf(
        skeleton=request.skeleton.model_dump(mode="json"),
        joint_names=[j.name for j in request.skeleton.joints],
        rotations_quat=found.rotations,
        root_translations=found.root_translations,
        fps=FPS_HZ,
        model_id="walker",
        foot_contacts={"LeftFoot": np.ones(found.rotations.shape[:2], bool)},
    )
    return document


def good(seen: Seen) -> Script:
    """What a good server answers."""
    if seen.path.endswith("/capabilities"):
        caps = {"protocol_version": "1.3", "models": [spec().model_dump(mode="json"), {"id": 5}], "new": True}
        caps["models"][0]["of_the_future"] = {"x": 1}  # type: ignore[index]
        return Script(body=caps)
    return Script(body=made_of(seen.json))


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service(good)
    yield made
    made.close()


@pytest.fixture
def hosted(service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RemoteBackbone:
    """The service's model, retried without long waits."""
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path))
    monkeypatch.setattr(backbone, "_POLL_S", (0.01, 0.05))
    monkeypatch.setattr(backbone, "retry_delay_s", _soon(backbone.retry_delay_s))
    (found,) = remotes([f"studio={service.url}"]).values()
    assert isinstance(found, RemoteBackbone)
    return found


def _soon(policy: Callable[..., float | None]) -> Callable[..., float | None]:
    return lambda *a: None if policy(*a) is None else 0.01


def ask(model: str = "studio/walker", **more: Any) -> GenerateRequest:
    return GenerateRequest.model_validate({**request_map(model, 6, seed=1), **more})


def run(hosted: RemoteBackbone, request: GenerateRequest | None = None, hooks: Any = None) -> Any:
    answer = hosted.generate(request or ask()) if hooks is None else hosted.generate_with_hooks(request or ask(), hooks)
    return settle(answer, None if hooks is None else hooks.should_stop)


def test_capabilities_are_the_servers_under_our_name(hosted: RemoteBackbone) -> None:
    told = hosted.capabilities()
    assert (told.id, told.supports_async, told.supports_retargeting) == ("studio/walker", False, False)


def test_the_motion_arrives(hosted: RemoteBackbone) -> None:
    made = run(hosted)
    expected = motion(ask())
    signs = np.sign((made.rotations * expected.rotations).sum(-1, keepdims=True))
    np.testing.assert_allclose(made.rotations * signs, expected.rotations, atol=2e-6)
    np.testing.assert_allclose(made.root_translations, expected.root_translations, atol=1e-6)
    assert made.foot_contacts["LeftFoot"].all()


def test_a_remembered_server_that_is_away_keeps_its_models(
    hosted: RemoteBackbone, service: Service, tmp_path: Path
) -> None:
    service.always = lambda _: Script(503)
    assert [*remotes([f"studio={service.url}"])] == ["studio/walker"]
    (never,) = remotes(["other=http://127.0.0.1:9"]).values()
    with pytest.raises(Exception, match="does not answer"):
        never.capabilities()


# ---- what leaves ---------------------------------------------------------------------------------------------------


def test_nothing_leaves_but_the_request_itself(hosted: RemoteBackbone, service: Service) -> None:
    """Names of scenes, files and objects travel beside a request (label, refs, character), and stay here."""
    request = ask(
        constraints=[{"type": "effector_target", "joint": "Head", "frames": [1], "positions": [[0, 1, 0]]}],
        timing={"fps": 30.0},
    )
    run(hosted, request)
    (sent,) = service.asked("POST")
    assert set(sent.json) <= {"protocol_version", "model", "skeleton", "segments", "constraints", "timing", "options"}
    assert sent.json["model"] == "walker"
    assert sent.json["protocol_version"] == "1.3"
    assert sent.json["constraints"] == []  # it takes none of them: they are met here
    assert set(sent.headers) <= {
        *("host", "accept", "accept-encoding", "connection", "user-agent", "content-type", "content-length"),
        *("prefer", "idempotency-key"),
    }
    assert sent.headers["user-agent"] == "kineograph"


def test_what_an_older_server_does_not_know_is_not_sent(hosted: RemoteBackbone, service: Service) -> None:
    segments = [{"type": "text", "prompt": "walk", "duration_frames": 6, "seed": 4}]
    options = {"seed": 3, "loop": False, "keyframe_budget": 0.5, "diffusion_steps": 20}
    run(hosted, ask(segments=segments, options=options))
    (sent,) = service.asked("POST")
    assert sent.json["segments"] == [{"type": "text", "prompt": "walk", "duration_frames": 6}]
    assert sent.json["options"] == {"seed": 3, "diffusion_steps": 20}


def test_a_request_without_words_stays_one(hosted: RemoteBackbone, service: Service) -> None:
    path = {"type": "root_path", "frames": [0, 5], "positions_xz": [[0, 0], [0, 1]]}
    made = run(hosted, ask(segments=[], constraints=[path], duration_frames=6))
    assert made.rotations.shape[1] == 6
    assert service.asked("POST")[0].json["segments"] == [{"type": "unconditioned", "duration_frames": 6}]


# ---- errors and retries --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, {"error": {"code": "unknown_joint", "message": "no Tail", "details": {"got": "Tail"}}}, "unknown_joint"),
        (401, {"error": {"code": "unauthorized", "message": "a key, please"}}, "unauthorized"),
        (401, {"detail": "Not authenticated"}, "unauthorized"),
        (402, {"error": {"code": "INSUFFICIENT_CREDITS", "message": "0 left"}, "success": False}, "quota_exceeded"),
        (403, {"detail": "Model not allowed for this user"}, "forbidden"),
        (403, {"success": False, "data": None, "error": "FORBIDDEN"}, "forbidden"),
        (404, {"detail": "App not found"}, "unknown_model"),
        (413, b"<html>too large</html>", "payload_too_large"),
        (422, {"detail": [{"loc": ["body", "x"], "msg": "field required"}]}, "schema_validation"),
        (422, {"error": {"code": "content_policy_violation", "message": "no"}}, "content_policy_violation"),
        (500, {"error": {"code": "internal_error", "message": "boom"}}, "internal_error"),
        (200, b"", "internal_error"),
        (200, b"[]", "internal_error"),
        (200, {"asset": {}}, "internal_error"),
        (200, b"glTF\x02\x00\x00\x00", "internal_error"),
        (200, b"\xff\xfe", "internal_error"),
        (201, {}, "internal_error"),
        (302, {}, "internal_error"),
    ],
)
def test_a_refusal_is_told_in_our_words_and_not_repeated(
    hosted: RemoteBackbone, service: Service, status: int, body: Any, code: str
) -> None:
    service.scripts.append(Script(status, body))
    service.always = lambda _: Script(status, body)
    with pytest.raises(KineographError) as caught:
        run(hosted)
    assert caught.value.code == code, caught.value
    assert caught.value.details["remote"] == "studio"
    if not caught.value.is_retryable:
        assert len(service.asked("POST")) == 1


@pytest.mark.parametrize(
    "script",
    [
        Script(429, {"error": {"code": "rate_limited", "message": "slow"}}, {"retry-after": "1"}),
        Script(429, {"success": False, "error": "RATE_LIMIT_EXCEEDED"}),
        Script(503, {"error": {"code": "model_unavailable", "message": "loading"}}),
        Script(502, b"<html>bad gateway</html>"),
        Script(504, {"error": {"code": "timeout", "message": "too long"}}),
    ],
    ids=lambda script: str(script.status),
)
def test_what_passes_is_tried_again(hosted: RemoteBackbone, service: Service, script: Script) -> None:
    service.scripts.extend([script, script])
    assert run(hosted).rotations.shape[1] == 6
    keys = [seen.headers["idempotency-key"] for seen in service.asked("POST")]
    assert len(keys) == 3
    bodies = {seen.body for seen in service.asked("POST")}
    assert len(bodies) == 1


def test_it_gives_up_after_five(hosted: RemoteBackbone, service: Service) -> None:
    service.always = lambda _: Script(503, {"error": {"code": "resource_exhausted", "message": "full"}})
    with pytest.raises(KineographError) as caught:
        run(hosted)
    assert caught.value.code == "resource_exhausted"
    assert 2 <= len(service.asked("POST")) <= 5


class Job:
    """A job's hooks that remember and may stop."""

    job = "6dd7a3a5-6a3f-4b0e-a7a6-0f5a5a6f6c11"

    def __init__(self, stop_at: float = 2.0) -> None:
        self.told: list[tuple[float, str]] = []
        self.stop_at = stop_at

    def progress(self, fraction: float, step: int = 0, steps: int = 0, stage: str = "") -> None:
        self.told.append((fraction, stage))
        if self.should_stop():
            raise Stopped

    def should_stop(self) -> bool:
        return bool(self.told) and self.told[-1][0] >= self.stop_at


def accepting(seen: Seen, polls: list[int]) -> Script:
    """202, three times 202 with progress, then the motion."""
    if seen.method == "POST":
        accepting.body = seen.json  # type: ignore[attr-defined]
        return Script(202, {"progress": 0.0}, {"location": "/generate/jobs/j1", "retry-after": "0"})
    polls.append(1)
    if len(polls) < 4:
        return Script(202, {"progress": len(polls) / 4, "stage": "denoise"}, {"retry-after": "0"})
    return Script(body=made_of(accepting.body))  # type: ignore[attr-defined]


def test_a_202_is_followed_with_its_progress(hosted: RemoteBackbone, service: Service) -> None:
    polls: list[int] = []
    service.always = lambda seen: accepting(seen, polls)
    hooks = Job()
    assert run(hosted, hooks=hooks).rotations.shape[1] == 6
    assert (0.5, "denoise") in hooks.told
    assert service.asked("POST")[0].headers["prefer"] == "respond-async"


def test_a_cancel_goes_there_too(hosted: RemoteBackbone, service: Service) -> None:
    polls: list[int] = []
    service.always = lambda seen: Script(200, {}) if seen.method == "DELETE" else accepting(seen, polls)
    with pytest.raises((Stopped, asyncio.CancelledError)):
        run(hosted, hooks=Job(stop_at=0.25))
    assert [seen.path for seen in service.asked("DELETE")] == ["/generate/jobs/j1"]


def test_the_same_job_again_has_the_same_key(hosted: RemoteBackbone, service: Service) -> None:
    """A worker that died and came back asks for the job it had already sent."""
    run(hosted, hooks=Job())
    run(hosted, hooks=Job())
    assert len({seen.headers["idempotency-key"] for seen in service.asked("POST")}) == 1
    other = Job()
    other.job = "another"
    run(hosted, hooks=other)
    assert len({seen.headers["idempotency-key"] for seen in service.asked("POST")}) == 2


def test_a_poll_that_is_lost_is_asked_again(hosted: RemoteBackbone, service: Service) -> None:
    polls: list[int] = []
    broken = [Script(200, b"no gzip at all", {"content-encoding": "gzip"})]

    def answer(seen: Seen) -> Script:
        if seen.method == "GET" and broken:
            return broken.pop()
        return accepting(seen, polls)

    service.always = answer
    assert run(hosted).rotations.shape[1] == 6


def test_a_job_that_a_restarted_server_forgot_is_sent_again(hosted: RemoteBackbone, service: Service) -> None:
    polls: list[int] = []
    forgot = [Script(404, {"error": {"code": "request_not_found", "message": "unknown job"}})]
    service.always = lambda seen: forgot.pop() if seen.method == "GET" and forgot else accepting(seen, polls)
    assert run(hosted).rotations.shape[1] == 6
    assert len({seen.headers["idempotency-key"] for seen in service.asked("POST")}) == 1
    assert len(service.asked("POST")) == 2


# ---- batches -------------------------------------------------------------------------------------------------------


@pytest.fixture
def batcher(hosted: RemoteBackbone) -> RemoteBackbone:
    """The same, of a server that takes batches."""
    return RemoteBackbone(hosted._remote, spec(supports_batch=True), "1.3")


def batch(seen: Seen) -> Script:
    """What a server that takes batches answers."""
    if "requests" not in seen.json:
        return good(seen)
    return Script(body={"results": [{"gltf": made_of(item)} for item in seen.json["requests"]]})


def test_a_batch_whose_answer_is_lost_is_sent_again_under_its_key(batcher: RemoteBackbone, service: Service) -> None:
    service.always = batch
    service.scripts.extend([Script(0), Script(0)])
    made = settle(batcher.generate_batch([ask(), ask()]))
    assert [m.rotations.shape[1] for m in made] == [6, 6]
    posts = service.asked("POST")
    assert len(posts) == 3
    assert len({seen.headers["idempotency-key"] for seen in posts}) == len({seen.body for seen in posts}) == 1


def test_a_batch_that_is_followed_survives_a_broken_connection(batcher: RemoteBackbone, service: Service) -> None:
    answers = [Script(0), Script(202, {"status": "running"}), Script(0)]

    def answer(seen: Seen) -> Script:
        if seen.method == "POST":
            return Script(202, {}, {"location": "/generate/jobs/b.2", "retry-after": "0"})
        return answers.pop(0) if answers else batch(service.asked("POST")[0])

    service.always = answer
    made = settle(batcher.generate_batch([ask(), ask()]))
    assert [m.rotations.shape[1] for m in made] == [6, 6]
    assert len(service.asked("POST")) == 1


def test_an_item_that_failed_for_a_while_goes_again_alone(batcher: RemoteBackbone, service: Service) -> None:
    def partly(seen: Seen) -> Script:
        results = batch(seen).body["results"]
        results[1] = {"error": {"code": "rate_limited", "message": "slow", "details": {"retry_after_s": 1}}}
        results[2] = {"error": {"code": "unknown_joint", "message": "no Tail"}}
        return Script(body={"results": results})

    service.always = batch
    service.scripts.append(partly)
    first, second, third = settle(batcher.generate_batch([ask(), ask(), ask()]))
    assert first.rotations.shape == second.rotations.shape
    assert third.code == "unknown_joint"
    assert ["requests" in seen.json for seen in service.asked("POST")] == [True, False]


def test_a_batch_gives_up_after_five(batcher: RemoteBackbone, service: Service) -> None:
    service.always = lambda _: Script(0)
    with pytest.raises(KineographError) as caught:
        settle(batcher.generate_batch([ask(), ask()]))
    assert caught.value.code == "model_unavailable"
    assert len(service.asked("POST")) == 5


def test_an_endless_answer_is_cut(hosted: RemoteBackbone, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MOST_BYTES", 10_000)
    service.always = lambda _: Script(body=b"x" * 100_000)
    with pytest.raises(KineographError, match="more than"):
        run(hosted)


# ---- tokens --------------------------------------------------------------------------------------------------------


def wanting(seen: Seen) -> Script:
    if seen.headers.get("authorization") != f"Bearer {TOKEN}":
        return Script(401, {"detail": "Not authenticated"})
    return good(seen)


def test_a_token_comes_from_the_environment_of_its_origin(
    hosted: RemoteBackbone, service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    service.always = wanting
    caplog.set_level(logging.DEBUG)
    with pytest.raises(KineographError) as caught:
        run(hosted)
    assert caught.value.code == "unauthorized"
    monkeypatch.setenv(tokens.variable_of(origin_of(service.url)), TOKEN)
    assert run(hosted).rotations.shape[1] == 6
    assert TOKEN not in caplog.text


def test_a_refreshed_token_counts_in_the_middle_of_a_job(
    hosted: RemoteBackbone, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"now": "old"}
    monkeypatch.setattr(tokens, "_in_keyring", lambda origin: known["now"])
    polls: list[int] = []

    def answer(seen: Seen) -> Script:
        assert seen.headers["authorization"] == f"Bearer {known['now']}"
        known["now"] = "new"
        return accepting(seen, polls)

    service.always = answer
    assert run(hosted).rotations.shape[1] == 6
    assert [s.headers["authorization"] for s in service.seen[-2:]] == ["Bearer new"] * 2


def test_a_token_is_dropped_when_it_is_led_elsewhere(
    hosted: RemoteBackbone, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(tokens.variable_of(origin_of(service.url)), TOKEN)
    elsewhere = Service(good)
    try:
        service.scripts.append(Script(307, {}, {"location": f"{elsewhere.url}/generate"}))
        assert run(hosted).rotations.shape[1] == 6
        assert service.asked("POST")[0].headers["authorization"] == f"Bearer {TOKEN}"
        assert "authorization" not in elsewhere.asked("POST")[0].headers
    finally:
        elsewhere.close()


def test_a_circle_ends(hosted: RemoteBackbone, service: Service) -> None:
    service.always = lambda _: Script(307, {}, {"location": "/generate"})
    with pytest.raises(KineographError, match="circle"):
        run(hosted)
    service.always = lambda _: Script(307, {}, {"location": "file:///etc/passwd"})
    with pytest.raises(KineographError, match="none"):
        run(hosted)


def test_a_token_is_not_sent_where_it_can_be_read(monkeypatch: pytest.MonkeyPatch, service: Service) -> None:
    monkeypatch.setenv(tokens.variable_of("http://models.example:80"), TOKEN)
    remote = parse("http://models.example")

    async def once() -> None:
        async with httpx.AsyncClient() as client:
            await exchange.ask(client, remote, "GET", "/capabilities")

    with pytest.raises(KineographError, match="can be read"):
        asyncio.run(once())


def test_a_token_belongs_to_scheme_host_and_port() -> None:
    names = {tokens.variable_of(origin_of(u)) for u in ("https://a.b", "http://a.b", "https://a.b:444", "https://a.c")}
    assert len(names) == 4
    assert tokens.variable_of(origin_of("https://a.b/x")) == "KINEOGRAPH_TOKEN_HTTPS_A_B_443"


def test_a_keyring_keeps_and_gives_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    keyring = pytest.importorskip("keyring")
    kept: dict[tuple[str, str], str] = {}
    monkeypatch.setattr(keyring, "set_password", lambda s, u, p: kept.__setitem__((s, u), p))
    monkeypatch.setattr(keyring, "get_password", lambda s, u: kept.get((s, u)))
    monkeypatch.setattr("sys.stdin", type("In", (), {"isatty": lambda _: False, "readline": lambda _: TOKEN + "\n"})())
    assert tokens.main(["set", "studio=https://models.example/mmcp"]) == 0
    assert kept == {("kineograph", "https://models.example:443"): TOKEN}
    assert tokens.find("https://models.example:443") == TOKEN
    assert tokens.find("https://models.example:444") is None
    assert tokens.main(["check", "https://models.example"]) == 0
    assert TOKEN not in capsys.readouterr().out


# ---- addresses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "x", "ftp://a", "https://", "https://u:s3cret@a.b", "https://a.b?token=s3cret", "a b=https://c", "https://a#x",
     "https://[::1", "https://a:99999"],
)  # fmt: skip
def test_a_wrong_address_is_told_without_its_secrets(text: str) -> None:
    with pytest.raises(KineographError) as caught:
        parse(text)
    assert caught.value.code == "invalid_parameters"
    assert "s3cret" not in json.dumps(caught.value.to_envelope())


def test_addresses() -> None:
    one, two = configured(["studio=https://a.b/mmcp/", "http://127.0.0.1:8000#rig"])
    assert (one.name, one.url, one.origin, one.keeps_rig) == ("studio", "https://a.b/mmcp", "https://a.b:443", False)
    assert (two.name, two.host, two.keeps_rig) == ("127.0.0.1", "127.0.0.1", True)


def test_the_hooks_of_a_worker_tell_their_job() -> None:
    assert "job" in Hooks.__init__.__code__.co_varnames


def test_a_job_that_runs_again_draws_the_same_seed() -> None:
    bare = GenerateRequest.model_validate(request_map())
    one, again, other = (provenance.with_seed(bare, job)[1] for job in ("a", "a", "b"))
    assert one == again != other
    assert provenance.with_seed(bare)[1] != provenance.with_seed(bare)[1]
    assert provenance.with_seed(ask(), "a")[1:] == (1, False)
