# SPDX-License-Identifier: Apache-2.0
"""The Kimodo backbone against a fake of its package; ``test_kimodo_package`` has the real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from motionmcp.schemas import GenerateRequest
from tests.fakes.asks import Hooks
from tests.fakes.kimodo import WIDTH, FakeKimodo

from kineograph import fixes, paths
from kineograph.errors import KineographError
from kineograph_daemon import pipeline
from kineograph_daemon.backbones import kimodo
from kineograph_daemon.backbones.base import extras_of
from kineograph_daemon.backbones.kimodo import backbone, costs, encode, encoders, phrases, plan
from kineograph_daemon.backbones.kimodo.backbone import KimodoBackbone
from kineograph_daemon.backbones.kimodo.seam import Estimate
from kineograph_daemon.pipeline import Stopped

WALKS = ["A person walks.", "A person walks backwards.", "A person limps.", "A person jumps.", "A person waves."]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(encoders.ENCODER_ENV, raising=False)


def with_pack(**more: Any) -> tuple[KimodoBackbone, FakeKimodo]:
    rng = np.random.default_rng(0)
    phrases.keep("kimodo", "enc", {text: rng.normal(size=WIDTH) for text in WALKS})
    fake = FakeKimodo(**more)
    return KimodoBackbone(fake), fake


def ask(hosted: KimodoBackbone, *frames: int, prompt: str = "a person  walks", **more: Any) -> GenerateRequest:
    segments = more.pop("segments", [{"type": "text", "prompt": prompt, "duration_frames": n} for n in frames])
    options = {"seed": 1, "diffusion_steps": 3, **more.pop("options", {})}
    told = {"skeleton": hosted.capabilities().canonical_skeleton.model_dump(mode="json"), "segments": segments, **more}
    return GenerateRequest.model_validate({"protocol_version": "1.4", "model": "kimodo", "options": options, **told})


def test_without_the_package_there_is_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert kimodo.models() == []


@pytest.mark.parametrize(
    ("kind", "support", "word"),
    [("pack", "full", "phrases"), ("cpu", "full", "Reads text"), ("dummy", "ignored", "nothing")],
)
def test_it_says_what_it_does_with_text(kind: str, support: str, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(encoders.ENCODER_ENV, kind)
    hosted = KimodoBackbone(FakeKimodo())
    told = extras_of(hosted)
    assert told["text"] == support
    assert word in told["about"]
    if kind == "dummy":
        assert hosted.ignored_fields(ask(hosted, 10))["segments.prompt"]
        assert hosted.generate(ask(hosted, 10, prompt="anything")).rotations.shape[1] == 10


def test_an_encoder_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(encoders.ENCODER_ENV, "magic")
    with pytest.raises(KineographError) as caught:
        KimodoBackbone(FakeKimodo())
    assert caught.value.details["allowed"] == list(encoders.KINDS)


def test_a_phrase_of_the_pack_is_read_however_it_is_spelled() -> None:
    hosted, fake = with_pack()
    hosted.generate(ask(hosted, 10, prompt="  a PERSON   walks "))
    assert fake.orders[0].chunks[0].prompt == "A person walks."
    assert fake.encoded == []


def test_another_prompt_is_an_error_with_three_suggestions() -> None:
    hosted, fake = with_pack()
    segments = [
        {"type": "text", "prompt": "a person walks", "duration_frames": 10},
        {"type": "text", "prompt": "limps upstairs", "duration_frames": 10},
    ]
    with pytest.raises(KineographError) as caught:
        hosted.generate(ask(hosted, segments=segments))
    e = caught.value
    assert (e.code, e.details["where"]) == ("prompt_not_in_pack", {"path": ["segments", 1, "prompt"]})
    assert e.details["suggestions"][0] == "A person limps."
    assert len(e.details["suggestions"]) == 3
    told = fixes.resolve(e, ask(hosted, 10).model_dump(mode="json"))
    assert "5 phrases" in told.text
    assert "'A person limps.'" in told.text
    assert fake.orders == []


def test_a_pack_that_comes_later_is_read(tmp_path: Path) -> None:
    hosted, _ = with_pack()
    phrases.write(phrases.folder("kimodo") / "studio.npz", "enc", {"A person flies.": np.ones(WIDTH)})
    assert hosted.generate(ask(hosted, 10, prompt="a person flies")).rotations.shape[1] == 10
    phrases.write(phrases.folder("kimodo") / "other.npz", "another encoder", {"A person swims.": np.ones(WIDTH)})
    with pytest.raises(KineographError):
        hosted.generate(ask(hosted, 10, prompt="a person swims"))


def test_what_is_encoded_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(encoders.ENCODER_ENV, "cpu")
    fake = FakeKimodo()
    hosted = KimodoBackbone(fake)
    for _ in range(2):
        hosted.generate(ask(hosted, 10, prompt="a person cartwheels"))
    assert fake.encoded == ["A person cartwheels."]
    monkeypatch.setenv(encoders.ENCODER_ENV, "pack")
    assert KimodoBackbone(fake).generate(ask(hosted, 10, prompt="a person cartwheels")).num_frames == 10


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"\x93NUMPY", b"x" * 1000],
)
def test_a_broken_pack_is_left_out(content: bytes) -> None:
    hosted, _ = with_pack()
    (phrases.folder("kimodo") / "broken.npz").write_bytes(content)
    assert hosted.generate(ask(hosted, 10)).num_frames == 10
    with pytest.raises(KineographError) as caught:
        phrases.read(phrases.folder("kimodo") / "broken.npz")
    assert caught.value.code == "file_unreadable"


def test_a_pack_with_pickles_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "p.npz"
    np.savez(file, texts=np.array(["a", 5], object), vectors=np.zeros((2, 4), np.float16), encoder="x")
    with pytest.raises(KineographError):
        phrases.read(file)
    np.savez(file, texts=np.array(["a"]), vectors=np.full((1, 4), np.nan, np.float16), encoder="x")
    with pytest.raises(KineographError):
        phrases.read(file)


# ---- fewer bits, memory and time -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["8bit", "4bit"])
def test_an_encoder_of_fewer_bits_works_where_the_model_does(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(encoders.ENCODER_ENV, kind)
    monkeypatch.setenv("KINEOGRAPH_DEVICE", "cuda:1")
    fake = FakeKimodo()
    hosted = KimodoBackbone(fake)
    hosted.generate(ask(hosted, 10, prompt="a person walks"))
    assert fake.kinds == [(kind, "cuda:1")]
    assert phrases.read(phrases.folder("kimodo") / f"own-{kind}.npz")[0] == f"{encoders.LLM2VEC}+{kind}"


def test_vectors_of_fewer_bits_give_way_to_the_whole_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    def one(value: float) -> dict[str, Any]:
        return {"A person walks.": np.full(WIDTH, value)}

    phrases.keep("kimodo", "enc+4bit", one(4.0) | {"A person limps.": np.full(WIDTH, 4.0)})
    phrases.keep("kimodo", "enc+8bit", one(8.0))
    book = phrases.Book("kimodo")
    assert book.find(["A person walks."])["A person walks."][0] == 8.0
    phrases.keep("kimodo", "enc", one(16.0))
    assert book.find(["A person walks."])["A person walks."][0] == 16.0
    assert book.find(["A person limps."])["A person limps."][0] == 4.0
    assert book.encoder_of(["A person walks."]) == "enc"
    assert book.encoder_of(["A person walks.", "A person limps."]) == "enc+4bit"
    phrases.write(phrases.folder("kimodo") / "x.npz", "other+4bit", {"A person swims.": np.ones(WIDTH)})
    assert "A person swims." not in book.known


def test_too_little_memory_for_the_encoder_is_told_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(encoders.ENCODER_ENV, "cpu")
    fake = FakeKimodo()
    fake.free = 9_000_000_000
    hosted = KimodoBackbone(fake)
    with pytest.raises(KineographError) as caught:
        hosted.generate(ask(hosted, 10))
    assert caught.value.code == "resource_exhausted"
    assert (caught.value.details["need_bytes"], caught.value.details["free_bytes"]) == (17 * 10**9, 9 * 10**9)
    assert fake.encoded == []
    assert "9.0 GB" in fixes.resolve(caught.value, {}).text
    monkeypatch.setenv(encoders.ENCODER_ENV, "4bit")
    small = KimodoBackbone(fake)
    assert small.generate(ask(small, 10)).num_frames == 10


def test_what_it_takes_is_learned_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(encoders.ENCODER_ENV, "cpu")
    clock = iter(range(0, 10_000, 10))
    for module in (encoders, backbone):
        monkeypatch.setattr(module, "time", type("Clock", (), {"monotonic": lambda: float(next(clock))}))
    hosted = KimodoBackbone(FakeKimodo())
    first = hosted.estimate(ask(hosted, 10))
    assert (first.seconds, first.memory_bytes) == (None, 17 * 10**9)
    before, after = Hooks(), Hooks()
    hosted.generate_with_hooks(ask(hosted, 10), before)
    assert hosted.estimate(ask(hosted, 20)) == Estimate(20.0, 0)  # twice the frames, twice the 10 s
    other = ask(hosted, 10, prompt="a person jumps")
    assert hosted.estimate(other) == Estimate(20.0, 17 * 10**9)  # 10 s to read it, 10 s to make it
    hosted.generate_with_hooks(other, after)
    said, now = ([stage for *_, stage in hooks.told] for hooks in (before, after))
    assert "encoding 1 prompt" in said
    assert {"encoding 1 prompt, about 10 s", "starting, about 10 s"} <= {*now}
    monkeypatch.setenv(encoders.ENCODER_ENV, "pack")
    packs = KimodoBackbone(FakeKimodo())
    with pytest.raises(KineographError) as caught:
        packs.generate(ask(packs, 10, prompt="flies"))
    assert caught.value.details["cpu_s"] == 10.0


@pytest.mark.parametrize("text", ["{", "[]", '{"sample cpu": -1}', '{"sample cpu": "x"}', '{"sample cpu": NaN}'])
def test_a_broken_note_of_costs_is_as_none(text: str) -> None:
    (paths.data_dir() / "kimodo-costs.json").write_text(text)
    assert costs.Costs().seconds("sample cpu", 1.0) is None
    costs.Costs().learn("sample cpu", 2.0, 4.0)
    assert costs.Costs().seconds("sample cpu", 1.0) == 2.0
    costs.Costs().learn("sample cpu", 0.0, 4.0)


# ---- what the model is asked ----------------------------------------------------------------------------------------


def test_seeds_are_the_segments_own_where_they_have_one() -> None:
    hosted, fake = with_pack()
    segments = [
        {"type": "text", "prompt": "a person walks", "duration_frames": 10},
        {"type": "text", "prompt": "a person walks", "duration_frames": 10, "seed": 77},
        {"type": "unconditioned", "duration_frames": 10},
    ]
    hosted.generate(ask(hosted, segments=segments))
    seeds = [chunk.seed for chunk in fake.orders[0].chunks]
    assert seeds[:2] == [1, 77]
    assert seeds[2] not in (1, 77)
    assert fake.orders[0].chunks[2].prompt == ""
    hosted.generate(ask(hosted, segments=segments))
    assert [chunk.seed for chunk in fake.orders[1].chunks] == seeds


def test_long_requests_are_split_evenly_and_say_so() -> None:
    hosted, fake = with_pack()
    made = hosted.generate(ask(hosted, 1000, 50))
    assert [chunk.frames for chunk in fake.orders[0].chunks] == [250, 250, 250, 250, 50]
    assert made.chunk_boundaries == [[250, 500, 750, 1000]]
    assert [n["code"] for n in made.notes] == ["too_long_for_model"]
    assert plan.split(301, 300) == [150, 151]
    assert plan.split(1, 300) == [1]


def test_only_what_was_asked_is_held() -> None:
    hosted, fake = with_pack()
    constraints: list[dict[str, Any]] = [
        {"type": "root_path", "frames": [0, 9], "positions_xz": [[0, 0], [0, 1]]},
        {"type": "pose_keyframe", "frame": 4, "joint_rotations": {"LeftArm": [0, 0, 0, 1]}},
        {"type": "pose_keyframe", "frame": 6, "joint_rotations": {"Hips": [0, 0, 0, 1], "Spine": [0.1, 0, 0, 0.995]}},
        {"type": "effector_target", "joint": "LeftHand", "frames": [5], "positions": [[0.5, 1.2, 0.1]]},
    ]
    made = hosted.generate(ask(hosted, 10, constraints=constraints))
    order = fake.orders[0]
    assert [(root.frames.tolist(), root.headings_rad) for root in order.roots] == [([0, 9], None)]
    assert [(pose.frame, pose.turned, pose.positions_m) for pose in order.poses] == [(4, (), None), (6, (0, 1), None)]
    assert order.heading_rad is None
    assert "key_met_afterwards" in [n["code"] for n in made.notes]


def test_a_whole_placed_key_has_positions() -> None:
    hosted, fake = with_pack()
    names = [j.name for j in hosted.capabilities().canonical_skeleton.joints]
    turn = [0.0, np.sin(0.5), 0.0, np.cos(0.5)]
    rotations: dict[str, Any] = {name: [0, 0, 0, 1] for name in names} | {"Hips": turn}
    key = {"type": "pose_keyframe", "frame": 0, "joint_rotations": rotations, "root_position": [1.0, 0.95, 2.0]}
    hosted.generate(ask(hosted, 10, constraints=[key]))
    (pose,) = fake.orders[0].poses
    assert pose.positions_m is not None
    np.testing.assert_allclose(pose.positions_m[0], [1.0, 0.95, 2.0], atol=1e-6)
    np.testing.assert_allclose(pose.positions_m[names.index("Head")], [1.0, 1.55, 2.0], atol=1e-6)
    hand = pose.positions_m[names.index("LeftHand")]
    np.testing.assert_allclose(hand, [1 + 0.7 * np.cos(1.0), 1.45, 2 - 0.7 * np.sin(1.0)], atol=1e-5)
    assert fake.orders[0].heading_rad == pytest.approx(1.0)


def test_steps_guidance_and_samples_pass() -> None:
    hosted, fake = with_pack()
    told = {"diffusion_steps": 7, "num_samples": 3, "guidance": {"type": "regular", "weight": [4.0]}}
    assert hosted.generate(ask(hosted, 10, options=told)).num_samples == 3
    order = fake.orders[0]
    assert (order.steps, order.samples, order.cfg_type, order.cfg_weight) == (7, 3, "regular", (4.0,))


def test_progress_and_stop_at_every_step() -> None:
    hosted, _ = with_pack()
    hooks = Hooks()
    hosted.generate_with_hooks(ask(hosted, 10), hooks)
    assert [(s, n) for _, s, n, stage in hooks.told if stage == "denoising"] == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(Stopped):
        hosted.generate_with_hooks(ask(hosted, 10), Hooks(stop_after=2))


def test_the_pipeline_meets_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    hosted, _ = with_pack()
    pin = {"type": "effector_target", "joint": "LeftHand", "frames": [5], "positions": [[0.5, 1.2, 0.2]]}
    key = {"type": "pose_keyframe", "frame": 8, "joint_rotations": {"Head": [0.2, 0, 0, 0.98]}}
    made = pipeline.run_one(ask(hosted, 20, constraints=[pin, key]), hosted, hosted.capabilities(), Hooks())
    assert [entry["outcome"] for entry in made.report["constraints"]] == ["applied", "applied"]


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


def test_lack_of_memory_is_told_with_need_and_free() -> None:
    from kineograph_daemon.workers import failures

    text = "CUDA out of memory. Tried to allocate 9.10 GiB. GPU 0 has 79.10 GiB of which 6.30 GiB is free."
    hosted, _ = with_pack(fails=OutOfMemoryError(text))
    with pytest.raises(KineographError) as caught:
        pipeline.run_one(ask(hosted, 20), hosted, hosted.capabilities(), Hooks())
    told = failures.describe(caught.value, "kimodo", "cuda:0")
    assert told.code == "resource_exhausted"
    assert told.details["need_bytes"] > told.details["free_bytes"] > 6e9


def test_weights_of_another_rate_are_refused() -> None:
    hosted, _ = with_pack(fps_hz=60.0)
    with pytest.raises(ValueError, match="60"):
        hosted.setup()


# ---- encoding by hand ------------------------------------------------------------------------------------------------


def test_a_file_of_phrases_becomes_a_pack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeKimodo()
    monkeypatch.setattr(encode, "runtime", lambda: fake)
    file, pack = tmp_path / "phrases.txt", tmp_path / "out" / "studio.npz"
    file.write_text("# walks\na person walks\nA person walks.\n\na person jumps\n", "utf-8")
    assert encode.main([str(file), "--out", str(pack)]) == 0
    assert fake.encoded == ["A person walks.", "A person jumps."]
    assert "2" in capsys.readouterr().out
    encoder, found = phrases.read(pack)
    assert (encoder, [*found]) == (encoders.LLM2VEC, ["A person walks.", "A person jumps."])
    assert KimodoBackbone(fake).generate(ask(KimodoBackbone(fake), 10)).num_frames == 10
    assert encode.main([str(file)]) == 0  # nothing left to encode
    assert len(fake.encoded) == 2
    file.write_text("a person jumps\na person bows\n", "utf-8")
    assert encode.main([str(file), "--bits", "4", "--device", "cuda:0", "--out", str(pack)]) == 0
    assert fake.kinds[-1] == ("4bit", "cuda:0")
    assert phrases.read(pack)[0] == f"{encoders.LLM2VEC}+4bit"


def test_a_pack_is_taken_over_and_nonsense_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = tmp_path / "studio.npz"
    phrases.write(pack, "enc", {"A person flies.": np.ones(WIDTH)})
    assert encode.main([str(pack)]) == 0
    assert phrases.Book("kimodo").find(["A person flies."])
    (tmp_path / "bad.npz").write_bytes(b"x")
    assert encode.main([str(tmp_path / "bad.npz")]) == 1
    assert encode.main([str(tmp_path / "none.txt")]) == 1
    assert "none.txt" in capsys.readouterr().err
