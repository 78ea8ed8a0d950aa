# SPDX-License-Identifier: Apache-2.0
"""The real package ``kimodo`` with a tiny, randomly initialised model of its own architecture.

Skipped where the package or torch is not installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from motionmcp.schemas import GenerateRequest
from tests.fakes.asks import Hooks

from kineograph.errors import KineographError
from kineograph_daemon import pipeline
from kineograph_daemon.backbones.kimodo import phrases
from kineograph_daemon.backbones.kimodo.encoders import LLM2VEC
from kineograph_daemon.pipeline import Stopped

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("kimodo", reason="the package kimodo is not installed")

from kimodo.model.kimodo_model import Kimodo  # noqa: E402
from kimodo.model.twostage_denoiser import TwostageDenoiser  # noqa: E402
from kimodo.motion_rep.reps import KimodoMotionRep  # noqa: E402
from kimodo.skeleton import SOMASkeleton30  # noqa: E402

from kineograph_daemon.backbones.kimodo.backbone import KimodoBackbone  # noqa: E402
from kineograph_daemon.backbones.kimodo.package import NoText, Package, TorchSampler  # noqa: E402

WIDTH, STEPS = 32, 4
ACTIONS = [f"A person does action number {i}." for i in range(100)]

pytestmark = pytest.mark.filterwarnings("ignore")


class Stats:
    """Writes the statistics that a checkpoint would bring."""

    @staticmethod
    def write(folder: Path) -> Path:
        rep = SOMASkeleton30().nbjoints
        sizes = {"global_root": 5, "local_root": 4, "body": rep * 3 + rep * 6 + rep * 3 + 4}
        for name, size in sizes.items():
            place = folder / name
            place.mkdir(parents=True, exist_ok=True)
            np.save(place / "mean.npy", np.zeros(size, np.float32))
            np.save(place / "std.npy", np.full(size, 0.3, np.float32))
        return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Kimodo's architecture, a few thousand weights."""
    torch.manual_seed(0)
    stats = Stats.write(tmp_path_factory.mktemp("stats"))
    rep = KimodoMotionRep(SOMASkeleton30(), 30.0, str(stats))
    denoiser = TwostageDenoiser(
        rep,
        "concat",
        llm_shape=[1, WIDTH],
        latent_dim=32,
        ff_size=32,
        num_layers=1,
        num_heads=2,
        activation="gelu",
        dropout=0.0,
        pe_dropout=0.0,
        norm_first=True,
        num_text_tokens_override=None,
        use_text_mask=True,
        input_first_heading_angle=True,
    )
    return Kimodo(denoiser, NoText(), num_base_steps=100, device="cpu", cfg_type="separated").eval()


class Tiny(Package):
    """The package, its weights replaced."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def load(self, device: str) -> TorchSampler:
        return TorchSampler(self.model)


@pytest.fixture
def hosted(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KimodoBackbone:
    """The backbone, with a pack of 100 phrases and no encoder."""
    monkeypatch.setenv("KINEOGRAPH_HOME", str(tmp_path))
    rng = np.random.default_rng(0)
    phrases.keep("kimodo", LLM2VEC, {text: rng.normal(size=WIDTH) for text in ACTIONS})
    made = KimodoBackbone(Tiny(tiny))
    made.setup()
    return made


def ask(hosted: KimodoBackbone, *frames: int, prompt: str = ACTIONS[3], **more: Any) -> GenerateRequest:
    segments = [{"type": "text", "prompt": prompt, "duration_frames": n} for n in frames]
    options = {"seed": 1, "diffusion_steps": STEPS, **more.pop("options", {})}
    told = {"skeleton": hosted.capabilities().canonical_skeleton.model_dump(mode="json"), "segments": segments, **more}
    return GenerateRequest.model_validate({"protocol_version": "1.4", "model": "kimodo", "options": options, **told})


def test_every_phrase_of_the_pack_makes_motion(hosted: KimodoBackbone) -> None:
    for text in ACTIONS[::10]:
        made = hosted.generate(ask(hosted, 20, prompt=text))
        assert made.rotations.shape == (1, 20, 77, 4)
        assert np.isfinite(made.rotations).all()


def test_another_prompt_is_refused_with_three_suggestions(hosted: KimodoBackbone) -> None:
    with pytest.raises(KineographError) as caught:
        hosted.generate(ask(hosted, 20, prompt="limps upstairs"))
    assert caught.value.code == "prompt_not_in_pack"
    assert len(caught.value.details["suggestions"]) == 3
    assert caught.value.details["phrases"] == 100


def test_a_seed_is_a_motion_and_samples_differ(hosted: KimodoBackbone) -> None:
    one, two = (hosted.generate(ask(hosted, 20, options={"num_samples": 2})) for _ in range(2))
    assert (one.rotations == two.rotations).all()
    assert not np.allclose(one.rotations[0], one.rotations[1])
    other = hosted.generate(ask(hosted, 20, options={"num_samples": 2, "seed": 2}))
    assert not np.allclose(one.rotations, other.rotations)


@pytest.mark.parametrize("guidance", [("nocfg", []), ("regular", [2.5]), ("separated", [2.0, 1.0])])
def test_every_guidance_runs(hosted: KimodoBackbone, guidance: tuple[str, list[float]]) -> None:
    told = {"guidance": {"type": guidance[0], "weight": guidance[1]}}
    assert hosted.generate(ask(hosted, 15, options=told)).rotations.shape[1] == 15


def test_progress_and_stop_at_every_step(hosted: KimodoBackbone) -> None:
    hooks = Hooks()
    hosted.generate_with_hooks(ask(hosted, 20, 20), hooks)
    assert [(step, steps) for _, step, steps, stage in hooks.told if stage == "denoising"] == [
        (i, 2 * STEPS) for i in range(1, 2 * STEPS + 1)
    ]
    with pytest.raises(Stopped):
        hosted.generate_with_hooks(ask(hosted, 20), Hooks(stop_after=2))
    assert "denoising_step" not in vars(hosted._sampler._model)  # type: ignore[union-attr]


def test_long_requests_are_stitched(hosted: KimodoBackbone) -> None:
    made = hosted.generate(ask(hosted, 700, options={"diffusion_steps": 2}))
    assert made.rotations.shape[1] == 700
    assert made.chunk_boundaries == [[233, 466]]
    assert "too_long_for_model" in [n["code"] for n in made.notes]


def held(tiny: Any, hosted: KimodoBackbone, constraints: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Which features the model is told to hold."""
    masks: list[Any] = []
    denoiser = tiny.denoising_step

    def spy(*args: Any, **kwargs: Any) -> Any:
        masks.append(args[6])
        return denoiser(*args, **kwargs)

    monkeypatch.setattr(tiny, "denoising_step", spy, raising=False)
    hosted.generate(ask(hosted, 20, constraints=constraints))
    mask, parts = masks[0][0], tiny.motion_rep.slice_dict
    return {name: mask[:, part] for name, part in parts.items() if mask[:, part].any()}


def test_a_path_holds_the_roots_way_alone(tiny: Any, hosted: KimodoBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    path = {"type": "root_path", "frames": [0, 19], "positions_xz": [[0.0, 0.0], [0.0, 1.0]]}
    mask = held(tiny, hosted, [path], monkeypatch)
    assert {*mask} == {"smooth_root_pos"}
    assert mask["smooth_root_pos"][19].tolist() == [1, 0, 1]
    assert mask["smooth_root_pos"][5].tolist() == [0, 0, 0]


def test_a_pin_holds_nothing(tiny: Any, hosted: KimodoBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hand's pin must not move the hips; the model cannot be told of one without the other."""
    made = pipeline.run_one(
        ask(
            hosted,
            20,
            constraints=[
                {"type": "effector_target", "joint": "LeftHand", "frames": [10], "positions": [[0.4, 1.2, 0.3]]}
            ],
        ),
        hosted,
        hosted.capabilities(),
        Hooks(),
    )
    free = pipeline.run_one(ask(hosted, 20), hosted, hosted.capabilities(), Hooks())
    np.testing.assert_allclose(made.root_m[0, :5], free.root_m[0, :5], atol=0.05)


def test_a_key_of_some_joints_holds_those(tiny: Any, hosted: KimodoBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    key = {"type": "pose_keyframe", "frame": 7, "joint_rotations": {"Hips": [0, 0, 0, 1], "Spine1": [0, 0, 0, 1]}}
    mask = held(tiny, hosted, [key], monkeypatch)
    assert {*mask} == {"global_rot_data"}
    assert int(mask["global_rot_data"].sum()) == 2 * 6
    assert mask["global_rot_data"][7].any()


def test_a_whole_placed_key_holds_its_place(tiny: Any, hosted: KimodoBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [j.name for j in hosted.capabilities().canonical_skeleton.joints]
    key = {
        "type": "pose_keyframe",
        "frame": 7,
        "joint_rotations": {name: [0, 0, 0, 1] for name in names},
        "root_position": [0.5, 1.0, 0.5],
    }
    mask = held(tiny, hosted, [key], monkeypatch)
    assert {*mask} == {"global_rot_data", "local_joints_positions", "smooth_root_pos"}
    stitched = hosted.generate(ask(hosted, 20, 20, constraints=[{**key, "frame": 30}]))
    assert stitched.rotations.shape[1] == 40


def test_the_skeleton_is_upright(hosted: KimodoBackbone) -> None:
    joints = hosted.capabilities().canonical_skeleton.joints
    assert len(joints) == 77
    assert 0.8 < joints[0].rest_translation[1] < 1.2


# ---- the text encoder ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny_text(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The encoder's architecture with a few thousand random weights, its tokenizer and its adapter, as folders."""
    transformers, tokenizers = pytest.importorskip("transformers"), pytest.importorskip("tokenizers")
    peft = pytest.importorskip("peft")
    from kimodo.model.llm2vec.models.bidirectional_llama import LlamaBiModel

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("encoder")
    words = ["<unk>", "<eos>", "<bos>", "A", "person", "walks.", "jumps.", "waves.", "limps."]
    model = tokenizers.models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>")
    raw = tokenizers.Tokenizer(model)
    raw.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="<unk>", eos_token="<eos>", bos_token="<bos>"
    )
    config = transformers.LlamaConfig(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        bos_token_id=2,
        eos_token_id=1,
    )
    base = LlamaBiModel(config)
    base.save_pretrained(folder / "base")
    fast.save_pretrained(folder / "base")
    lora = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    peft.get_peft_model(base, lora).save_pretrained(folder / "adapter")
    return {
        "base_model_name_or_path": str(folder / "base"),
        "peft_model_name_or_path": str(folder / "adapter"),
        "dtype": "bfloat16",
        "llm_dim": 64,
    }


def vectors_of(kind: str, tiny_text: dict[str, Any], monkeypatch: pytest.MonkeyPatch, texts: list[str]) -> Any:
    from kimodo.model.load_model import TEXT_ENCODER_PRESETS

    monkeypatch.setitem(TEXT_ENCODER_PRESETS, "llm2vec", {**TEXT_ENCODER_PRESETS["llm2vec"], "kwargs": tiny_text})
    return Package().encoder(kind, "cpu")(texts)


TEXTS = ["A person walks.", "A person jumps.", *(f"A person waves. {'A ' * n}" for n in range(20))]


@pytest.mark.parametrize("kind", ["8bit", "4bit"])
def test_an_encoder_of_fewer_bits_says_nearly_the_same(
    kind: str, tiny_text: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("bitsandbytes", reason="fewer bits need bitsandbytes")
    whole = vectors_of("cpu", tiny_text, monkeypatch, TEXTS)
    fewer = vectors_of(kind, tiny_text, monkeypatch, TEXTS)
    assert whole.shape == fewer.shape == (len(TEXTS), 64)
    assert not np.array_equal(whole, fewer)  # it really has fewer
    cosine = (whole * fewer).sum(-1) / np.linalg.norm(whole, axis=-1) / np.linalg.norm(fewer, axis=-1)
    assert cosine.min() > (0.995 if kind == "8bit" else 0.9), cosine


def test_the_whole_encoder_is_the_packages_own(tiny_text: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from kimodo.model.llm2vec import LLM2VecEncoder

    ours = vectors_of("cpu", tiny_text, monkeypatch, TEXTS[:2])
    own, _ = LLM2VecEncoder(**tiny_text)(TEXTS[:2])
    np.testing.assert_allclose(ours, own[:, 0].float().cpu().numpy(), atol=1e-6)


def test_fewer_bits_without_their_package(tiny_text: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(KineographError, match="bitsandbytes"):
        vectors_of("8bit", tiny_text, monkeypatch, TEXTS)


def test_memory_is_told_as_the_system_has_it() -> None:
    free = Package().free_bytes("cpu")
    assert free is not None
    assert 10**7 < free < 10**14
    assert Package().free_bytes("mps") is None
