# SPDX-License-Identifier: Apache-2.0
"""The package ``kimodo`` behind the seam. The only file that imports it, or torch; in workers only.

Used of it: ``kimodo.model.load_model`` and its table of text encoders, the model's call, ``sanitize_text``, the
skeletons, and the protocol of constraint sets (``update_constraints``, ``crop_move``).
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import numpy as np

from kineograph.errors import ErrorCode, UnavailableError
from kineograph_daemon.backbones.kimodo.seam import FloatArray, Made, OnStep, Order, Pose, Rig, Root

_log = logging.getLogger(__name__)

WEIGHTS_ENV = "KINEOGRAPH_KIMODO_WEIGHTS"
DEFAULT_WEIGHTS = "kimodo-soma-rp"
_SLOT = "kineograph"
_AT_ONCE = 16
_ENVIRONMENT = {"TEXT_ENCODER_MODE": "local", "TEXT_ENCODER": _SLOT, "LOCAL_CACHE": "true", "HF_HUB_OFFLINE": "1"}


class NoText:
    """Stands in the model's place for an encoder, so that loading weights loads no 17 GB of it."""

    def to(self, *_: Any, **__: Any) -> NoText:
        """As every torch module has it."""
        return self

    def __call__(self, texts: Any) -> Any:
        """Never comes to it: the sampler brings its own."""
        raise RuntimeError("no text encoder was given")


class Package:
    """``seam.Runtime`` on the installed package."""

    def __init__(self) -> None:
        try:
            self.version = metadata.version("kimodo")
        except metadata.PackageNotFoundError:
            self.version = "source"

    def rig(self) -> Rig:
        """The 77 joints of the output."""
        from kimodo.skeleton import SOMASkeleton30, SOMASkeleton77

        return rig_of(SOMASkeleton77(), SOMASkeleton30())

    def sanitize(self, prompt: str) -> str:
        """The package's own."""
        from kimodo.sanitize import sanitize_text

        return str(sanitize_text(prompt)) if any(map(str.isalnum, prompt)) else ""

    def load(self, device: str) -> TorchSampler:
        """From the local cache alone: nothing is downloaded by a job."""
        from kimodo.model import load_model as package

        name = os.environ.get(WEIGHTS_ENV, DEFAULT_WEIGHTS)
        try:
            with _quiet_encoder(), _environment():
                model = package(name, device=device)
        except (OSError, RuntimeError, ValueError) as e:
            if "out of memory" in str(e).lower():
                raise
            details = {
                "model": "kimodo", "state": "failed", "reason": f"{type(e).__name__}: {e}"[:300], "got": name,
            }  # fmt: skip
            message = f"the weights {name} are not on this computer: kineograph models install kimodo"
            raise UnavailableError(ErrorCode.MODEL_UNAVAILABLE, message, details, retry_after_s=60.0) from e
        return TorchSampler(model)

    def encoder(self, kind: str, device: str) -> Any:
        """The package's encoder as a function of texts to (N, D)."""
        if kind == "server":
            from kimodo.model.loading import DEFAULT_TEXT_ENCODER_URL
            from kimodo.model.text_encoder_api import TextEncoderAPI

            made: Any = TextEncoderAPI(os.environ.get("TEXT_ENCODER_URL", DEFAULT_TEXT_ENCODER_URL))
            return lambda texts: made(texts)[0][:, 0].float().cpu().numpy()
        from kimodo.model.llm2vec import LLM2VecEncoder
        from kimodo.model.load_model import TEXT_ENCODER_PRESETS

        with _fewer_bits(kind, device):
            inner = LLM2VecEncoder(**TEXT_ENCODER_PRESETS["llm2vec"]["kwargs"]).model

        def encode(texts: list[str]) -> FloatArray:
            # Not by its own ``encode``, which moves it to every GPU that there is.
            parts = [texts[at : at + _AT_ONCE] for at in range(0, len(texts), _AT_ONCE)]
            told = [inner._encode([inner._convert_to_str("", t) for t in part], device=device) for part in parts]
            out: FloatArray = np.concatenate([vectors.float().cpu().numpy() for vectors in told])
            return out

        return encode

    def free_bytes(self, device: str) -> int | None:
        """As the system or the device's driver tells."""
        if device == "cpu":
            import psutil

            return int(psutil.virtual_memory().available)
        import torch

        return int(torch.cuda.mem_get_info(device)[0]) if device.startswith("cuda") else None


def rig_of(output: Any, inner: Any) -> Rig:
    """The output skeleton; contacts are the inner one's feet, left before right, heel before toe."""
    parents = [int(p) for p in output.joint_parents]
    neutral = np.asarray(output.neutral_joints.float().cpu().numpy(), np.float32)
    feet = [*inner.left_foot_joint_names[:2], *inner.right_foot_joint_names[:2]]
    return Rig(tuple(output.bone_order_names), tuple(parents), neutral, (feet[0], feet[1], feet[2], feet[3]))


class TorchSampler:
    """``seam.Sampler`` on a loaded model."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._names: list[str] = list(model.output_skeleton.bone_order_names)
        self.fps_hz = float(model.fps)

    def sample(self, order: Order, vectors: dict[str, FloatArray], on_step: OnStep) -> Made:
        """One call of the model: a prompt alone, or several stitched by its own transitions."""
        import torch

        model = self._model
        model.text_encoder = _Given(vectors, torch)
        weight: Any = list(order.cfg_weight) if len(order.cfg_weight) == 2 else (order.cfg_weight or (1.0,))[0]
        several = len(order.chunks) > 1
        frames = [chunk.frames for chunk in order.chunks]
        with torch.inference_mode(), _watched(model, order, on_step, torch):
            out = model(
                [c.prompt for c in order.chunks] if several else order.chunks[0].prompt,
                frames if several else frames[0],
                order.steps,
                multi_prompt=several,
                constraint_lst=self._constraints(order, torch),
                cfg_weight=weight,
                cfg_type=order.cfg_type,
                num_samples=order.samples,
                return_numpy=True,
                first_heading_angle=None if order.heading_rad is None else torch.tensor([order.heading_rad]),
                num_transition_frames=order.transition_frames,
                post_processing=False,
                progress_bar=lambda items: items,
            )
        return Made(
            np.asarray(out["local_rot_mats"], np.float32),
            np.asarray(out["root_positions"], np.float32),
            np.asarray(out["foot_contacts"]) > 0.5,
        )

    def _constraints(self, order: Order, torch: Any) -> list[Any]:
        inner, put = self._model.skeleton, _Put(torch, self._model.device)
        roots: list[Any] = [_RootOnly(root, put) for root in order.roots]
        return roots + [_PoseOnly(pose, self._names, inner, put) for pose in order.poses]


class _Given:
    """The vectors that were prepared, in the encoder's place."""

    def __init__(self, vectors: dict[str, FloatArray], torch: Any) -> None:
        width = next((len(v) for v in vectors.values()), 4096)
        self._vectors = {"": np.zeros(width, np.float32), **vectors}
        self._torch = torch

    def to(self, *_: Any, **__: Any) -> _Given:
        """Wherever the model is."""
        return self

    def __call__(self, texts: Any) -> Any:
        """(N, 1, D) and lengths."""
        stacked = np.stack([self._vectors[text] for text in texts])[:, None]
        return self._torch.from_numpy(stacked.astype(np.float32)), [1] * len(texts)


class _Put:
    """Arrays as tensors on the model's device."""

    def __init__(self, torch: Any, device: Any) -> None:
        self._torch, self._device = torch, device

    def __call__(self, array: Any) -> Any:
        """A tensor of its own."""
        return self._torch.from_numpy(np.array(array)).to(self._device)


class _RootOnly:
    """A constraint set that holds the root's way over the ground, and its heading where one is asked."""

    def __init__(self, root: Root, put: _Put) -> None:
        self._root = root
        self._put = put

    def update_constraints(self, data: Any, index: Any) -> None:
        """The package's protocol: append to both."""
        frames = self._put(self._root.frames)
        data["smooth_root_2d"].append(self._put(self._root.positions_xz_m))
        index["smooth_root_2d"].append(frames)
        if self._root.headings_rad is not None:
            facing = np.stack([np.cos(self._root.headings_rad), np.sin(self._root.headings_rad)], -1)
            data["global_root_heading"].append(self._put(facing.astype(np.float32)))
            index["global_root_heading"].append(frames)

    def crop_move(self, start: int, end: int) -> _RootOnly:
        """The part within [start, end), counted from start."""
        mask = (self._root.frames >= start) & (self._root.frames < end)
        headings = None if self._root.headings_rad is None else self._root.headings_rad[mask]
        part = Root(self._root.frames[mask] - start, self._root.positions_xz_m[mask], headings)
        return _RootOnly(part, self._put)


class _PoseOnly:
    """A constraint set that holds the keyed joints' rotations, and places only where the whole pose has one."""

    def __init__(self, pose: Pose, names: list[str], inner: Any, put: _Put, frame: int | None = None) -> None:
        self._pose, self._names, self._inner, self._put = pose, names, inner, put
        self._frame = pose.frame if frame is None else frame
        self._is_in = True

    def update_constraints(self, data: Any, index: Any) -> None:
        """The package's protocol: append to both."""
        if not self._is_in:
            return
        pose, bones = self._pose, self._inner.bone_index
        rows = [r for r, j in enumerate(pose.turned) if self._names[j] in bones]
        if rows:
            joints = [bones[self._names[pose.turned[r]]] for r in rows]
            data["global_joints_rots"].append(self._put(pose.rotations[rows]))
            index["global_joints_rots"].append(self._pairs(joints))
        if pose.positions_m is not None:
            self._place(pose.positions_m, data, index)

    def crop_move(self, start: int, end: int) -> _PoseOnly:
        """Itself counted from start, or empty outside."""
        part = _PoseOnly(self._pose, self._names, self._inner, self._put, self._frame - start)
        part._is_in = self._is_in and start <= self._frame < end
        return part

    def _place(self, positions_m: FloatArray, data: Any, index: Any) -> None:
        put, bones = self._put, self._inner.bone_index
        own = [j for j, name in enumerate(self._names) if name in bones]
        root = positions_m[self._names.index(self._inner.bone_order_names[self._inner.root_idx])]
        frame = put([self._frame])
        data["global_joints_positions"].append(put(positions_m[own]))
        index["global_joints_positions"].append(self._pairs([bones[self._names[j]] for j in own]))
        data["smooth_root_2d"].append(put(root[None, [0, 2]]))
        index["smooth_root_2d"].append(frame)
        data["root_y_pos"].append(put(root[None, 1]))
        index["root_y_pos"].append(frame)

    def _pairs(self, joints: list[int]) -> Any:
        return self._put([[self._frame, joint] for joint in joints])


@contextlib.contextmanager
def _watched(model: Any, order: Order, on_step: OnStep, torch: Any) -> Iterator[None]:
    """Tell of every denoising step, and give every stretch its own seed.

    The model's call takes a progress bar, but does not hand it on when it stitches several prompts.
    """
    step, stretch = model.denoising_step, model._generate
    done = started = 0
    total = order.steps * len(order.chunks)

    def watched_step(*args: Any, **kwargs: Any) -> Any:
        nonlocal done
        out = step(*args, **kwargs)
        done += 1
        on_step(done, total)
        return out

    def seeded_stretch(*args: Any, **kwargs: Any) -> Any:
        nonlocal started
        torch.manual_seed(order.chunks[min(started, len(order.chunks) - 1)].seed)
        started += 1
        return stretch(*args, **kwargs)

    own = {name: vars(model)[name] for name in ("denoising_step", "_generate") if name in vars(model)}
    model.denoising_step, model._generate = watched_step, seeded_stretch
    try:
        yield
    finally:
        del model.denoising_step, model._generate
        vars(model).update(own)


@contextlib.contextmanager
def _quiet_encoder() -> Iterator[None]:
    from kimodo.model.load_model import TEXT_ENCODER_PRESETS

    TEXT_ENCODER_PRESETS[_SLOT] = {"target": f"{NoText.__module__}.{NoText.__name__}", "kwargs": {}}
    try:
        yield
    finally:
        del TEXT_ENCODER_PRESETS[_SLOT]


@contextlib.contextmanager
def _fewer_bits(kind: str, device: str) -> Iterator[None]:
    """Have the encoder load its weights at 8 or 4 bits, straight onto the device: the whole is never in memory."""
    if kind not in ("8bit", "4bit"):
        yield
        return
    if importlib.util.find_spec("bitsandbytes") is None:
        message = "an encoder of fewer bits needs the package bitsandbytes: kineograph models install kimodo --repair"
        raise UnavailableError(ErrorCode.MODEL_UNAVAILABLE, message, {"model": "kimodo", "got": kind})
    import torch
    from kimodo.model.llm2vec import llm2vec_wrapper
    from transformers import BitsAndBytesConfig  # type: ignore[import-not-found, unused-ignore]

    whole = llm2vec_wrapper.LLM2Vec
    four = {"load_in_4bit": True, "bnb_4bit_compute_dtype": torch.bfloat16, "bnb_4bit_quant_type": "nf4"}
    config = BitsAndBytesConfig(**(four if kind == "4bit" else {"load_in_8bit": True}))

    class Smaller:
        """In the place of the class that the wrapper loads."""

        @staticmethod
        def from_pretrained(**kwargs: Any) -> Any:
            """As the class has it, with the bits that are wanted."""
            return whole.from_pretrained(**kwargs, quantization_config=config, device_map={"": device})

    llm2vec_wrapper.LLM2Vec = Smaller
    try:
        yield
    finally:
        llm2vec_wrapper.LLM2Vec = whole


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
