# SPDX-License-Identifier: Apache-2.0
"""The small trained model as a backbone."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from motionmcp.backbone import ModelSpec, MotionResult
from motionmcp.schemas import GenerateRequest
from numpy.typing import NDArray

from kineograph.errors import NoteCode
from kineograph_daemon.backbones.base import Hooks, KineographBackbone, ToldResult
from kineograph_daemon.backbones.interpolate import InterpolateBackbone
from kineograph_daemon.backbones.starter import (
    calm,
    carriage,
    figure,
    grounded,
    ignored,
    leap,
    planted,
    rounds,
    scene,
    slow,
    stitch,
    stops,
    stride,
    words,
)
from kineograph_daemon.backbones.starter.base import Ask
from kineograph_daemon.backbones.starter.fill import Filled, fill
from kineograph_daemon.backbones.starter.net import Net
from kineograph_daemon.pipeline.types import Stopped
from kineograph_daemon.solve.goals import read_goals
from kineograph_daemon.solve.ground import Ground, read_ground

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]

MODEL_ID = "kineograph-starter"
MAX_SECONDS = 120.0
DRAWN_STEPS = ignored.DRAWN_STEPS
MOST_TRIED = 64
"""Keys of few joints, and paths, that are looked at one by one: each costs a reading of the scene."""
BELIEVED = 0.5
"""From this share on the model's own word about contacts counts."""


class StarterBackbone(KineographBackbone):
    """Real steps between keys and along paths, on the CPU, from weights in the package."""

    label = "Kineograph Starter"
    text_support = "weak"
    version = "1"
    about = (
        "A small model trained on real motion. Steps between your keys and along your paths instead of sliding; "
        "knows few words. Falls back to interpolation where a motion is unlike what it was trained on."
    )
    is_repeatable = True
    stands_on_ground = True
    """Heights follow the ground already."""

    def __init__(self, net: Net | None = None) -> None:
        self._given = net
        self.stand_in = InterpolateBackbone()
        self.phrases = words.PHRASES
        self.words = words.WORDS

    @cached_property
    def net(self) -> Net:
        """The weights, read when first needed."""
        return self._given or Net.load()

    @property
    def weights_hash(self) -> str:  # type: ignore[override]
        """Hash of the weights file."""
        return self.net.sha256

    def ignored_fields(self, request: GenerateRequest) -> dict[str, str]:
        """Fields of this request that change nothing, with the reason."""
        return ignored.fields(request)

    def changed_fields(self, request: GenerateRequest) -> dict[str, str]:
        """Options of this request that are taken otherwise, with how."""
        return ignored.changed(request)

    def capabilities(self) -> ModelSpec:
        return ModelSpec.model_validate(
            {
                "id": MODEL_ID,
                "fps": figure.FPS_HZ,
                "canonical_skeleton": figure.SKELETON.to_mmcp(),
                "supports_segment_seed": True,
                "supports_loop": True,
                "supported_constraints": ["root_path", "pose_keyframe", "ground_height"],
                "supported_segments": ["text", "unconditioned"],
                "supported_guidance_types": [],
                "predicted_contact_joints": ["l_toe", "r_toe"],
                "native_clip_seconds": round(figure.WINDOW_FRAMES / figure.FPS_HZ, 2),
                "recommended_max_duration_seconds": 30.0,
                "limits": {"max_duration_seconds": MAX_SECONDS, "max_constraints_per_request": 5000},
            }
        )

    def generate(self, request: GenerateRequest) -> MotionResult:
        return self.generate_with_hooks(request, _Silent())

    def generate_with_hooks(self, request: GenerateRequest, hooks: Hooks) -> MotionResult:
        work = _Work(request, self.net, hooks)
        takes = [work.take(b) for b in range(work.samples)]
        return ToldResult(
            rotations=np.stack([t.rotations_xyzw for t in takes]).astype(np.float32),
            root_translations=np.stack([t.root_m for t in takes]).astype(np.float32),
            foot_contacts={name: np.stack([t.contacts[name] for t in takes]) for name in takes[0].contacts},
            chunk_boundaries=[t.borders for t in takes],
            notes=work.notes(takes),
            ignored_fields=work.idle(takes),
        )


@dataclass(frozen=True, eq=False)
class _Take:
    rotations_xyzw: FloatArray
    root_m: FloatArray
    contacts: dict[str, BoolArray]
    borders: list[int]
    share: FloatArray
    drawn: BoolArray
    """Frames (T,) on which the model's answer counts, or a stride of the phase that was drawn."""


class _Work:
    """One request: what all its samples share."""

    def __init__(self, request: GenerateRequest, net: Net, hooks: Hooks) -> None:
        self.request, self.net, self.hooks = request, net, hooks
        self.goals = read_goals(request, request.fps(figure.FPS_HZ))
        self.ground: Ground = read_ground(self.goals)
        low, per = net.facts["stride_hz"]
        self.read = scene.read(request, self.goals, self.ground, (low, per))
        self.given = self.read.key
        """Frames whose poses were asked for; further keys of the scene are the model's own."""
        self.scene, self.flights = leap.put(stops.put(self.read), leap.Table.of(net.weights, net.facts))
        self.strides = stride.of(net.weights, net.facts)
        options = request.options
        self.samples = options.num_samples if options else 1
        asked = options.diffusion_steps if options else ignored.UNASKED_STEPS
        self.steps = min(asked, DRAWN_STEPS) if asked < ignored.UNASKED_STEPS else 1
        own = [getattr(s, "seed", None) for s in request.segments]
        given = own[0] if own and None not in own else options.seed if options else None
        self.seed: int = secrets.randbits(32) if given is None else given
        self._done = 0
        passes = 1 if self.steps == 1 else 1 + self.steps
        drawn = 1 + max(self.steps, DRAWN_STEPS)
        self._passes = len(stitch.windows(rounds.widen(self.scene)[0])) * (passes + (self.samples - 1) * drawn)

    def take(self, b: int) -> _Take:
        """Sample ``b``: the first is the likeliest motion unless steps were asked for, the others are drawn."""
        steps = self.steps if b == 0 else max(self.steps, DRAWN_STEPS)
        rng = np.random.default_rng([self.seed & (2**63 - 1), b])
        offset = 0.0 if b == 0 else float(rng.uniform(0, 2 * np.pi))
        phase, walks = self.scene.steps(offset)

        def one(ask: Ask, window: stitch.Window) -> Filled:
            own = window.seed
            draw = rng if own is None else np.random.default_rng([own & (2**63 - 1), b, window.start])
            n = steps if own is None else max(steps, DRAWN_STEPS)
            return fill(self.net, ask, steps=n, rng=draw if n > 1 else None, between=self._pass)

        wide, around = rounds.widen(self.scene)
        phase, walks = rounds.around_phase(phase, walks, around)
        wide = stride.put(wide, self.strides, phase)
        made = rounds.narrow(stitch.whole(wide, wide.ask(phase, walks), one), around)
        put = wide.key[around : len(wide) - around] if around else wide.key
        drawn = np.where(put, ~self.scene.key & (b > 0), made.share > 0)
        carriage.carry(self.scene, self.strides, made.rotations_xyzw)
        calm.melt(made.rotations_xyzw, made.root_m, self.scene.key & ~self.given)
        made = replace(made, rotations_xyzw=calm.calm(made.rotations_xyzw, self.given))
        stitch.keep_to_path(self.scene, made)
        leap.fly(self.flights, made.root_m)
        grounded.bring_down(self.scene, self.flights, made.rotations_xyzw, made.root_m)
        contacts = planted.contacts(made.rotations_xyzw, made.root_m, made.contacts, made.share >= BELIEVED)
        contacts = slow.step(self.read, self.goals, self.flights, made.rotations_xyzw, made.root_m, contacts)
        floor = self.ground.smooth_under(made.root_m[:, [0, 2]], self.goals.fps_hz)
        root = made.root_m + floor[:, None] * [0.0, 1.0, 0.0]
        return _Take(made.rotations_xyzw, root, contacts, made.borders, made.share, drawn)

    def idle(self, takes: list[_Take]) -> dict[str, str]:
        """Seeds and steps that turned out to act on nothing."""
        drawn = np.any([t.drawn for t in takes], axis=0)
        parts = [bool(drawn[p.start : p.stop].any()) for p in self.scene.parts]
        out = {f"segments[{i}].seed": ignored.UNUSED for i, used in enumerate(parts) if not used}
        by_request = [used and p.seed is None for used, p in zip(parts, self.scene.parts, strict=True)]
        if not any(parts if len(takes) > 1 else by_request):  # the phase of further samples' steps is the request's
            out["options.seed"] = ignored.UNUSED
        if not any(parts):
            out["options.diffusion_steps"] = ignored.UNUSED
        out = {path: why for path, why in out.items() if path not in ignored.fields(self.request)}
        return out | {f"constraints[{i}]": ignored.TOO_LITTLE for i in self._unread()}

    def _unread(self) -> list[int]:
        """Keys and paths without which the model would be asked the same; looked at where nothing meets them later."""
        options = self.request.options
        if options is None or options.post_processing:
            return []
        few = [k.where for k in self.goals.keys if not self.given[k.frame]] + [p.where for p in self.goals.paths]
        if len(few) > 1 and self._reads_the_same(few):
            return few
        return [i for i in few[:MOST_TRIED] if self._reads_the_same([i])]

    def _reads_the_same(self, without: list[int]) -> bool:
        left = [c for i, c in enumerate(self.request.constraints) if i not in set(without)]
        goals = read_goals(self.request.model_copy(update={"constraints": left}), self.goals.fps_hz)
        ground = read_ground(goals)
        read = scene.read(self.request, goals, ground, self.read.stride_hz)
        return ground.floor_m == self.ground.floor_m and read.is_as(self.read)

    def notes(self, takes: list[_Take]) -> list[dict[str, Any]]:
        """Where the model was not believed."""
        doubted = np.mean([t.share == 0.0 for t in takes], axis=0) > 0
        if not doubted.any():
            return []
        frames = np.flatnonzero(doubted)
        first, last = int(frames[0]), int(frames[-1])
        text = f"frames {first} to {last} are interpolated: the poses there are unlike what the model was trained on"
        note = {"code": str(NoteCode.MOTION_INTERPOLATED), "severity": "note", "message": text}
        return [{**note, "first": first, "last": last, "model": MODEL_ID}]

    def _pass(self) -> None:
        """Before each pass: tell how far it is, and stop if that was asked."""
        if self.hooks.should_stop():
            raise Stopped(self._done, self._passes)
        self.hooks.progress(min(self._done / max(self._passes, 1), 1.0), self._done, self._passes, "model")
        self._done += 1


class _Silent:
    """Hooks of a caller who asked for none."""

    def progress(self, fraction: float, step: int = 0, steps: int = 0, stage: str = "") -> None:
        """Nobody listens."""

    def should_stop(self) -> bool:
        return False
