# SPDX-License-Identifier: Apache-2.0
"""What the backbone wants of the package: small enough for a fake that is as honest as the real one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
OnStep = Callable[[int, int], None]
"""Called with (step, steps) after every denoising step, over all chunks; may raise to stop."""


@dataclass(frozen=True, eq=False)
class Rig:
    """The model's output skeleton at rest, all rotations identity. ``neutral_m`` (J, 3) from the root.

    ``contacts``: the joints of the model's four contact labels: left heel, left toe, right heel, right toe.
    ``hips``: right and left hip.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    neutral_m: FloatArray
    contacts: tuple[str, str, str, str]


@dataclass(frozen=True, eq=False)
class Root:
    """The root's way: ``frames`` (K,), ``positions_xz_m`` (K, 2), ``headings_rad`` (K,) or None."""

    frames: IntArray
    positions_xz_m: FloatArray
    headings_rad: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Pose:
    """One frame's pose: world rotations (R, 3, 3) of ``turned`` joints and, for a whole pose with a place, every
    joint's world position (J, 3)."""

    frame: int
    turned: tuple[int, ...]
    rotations: FloatArray
    positions_m: FloatArray | None = None


@dataclass(frozen=True)
class Chunk:
    """One stretch that the model makes in one go."""

    prompt: str
    frames: int
    seed: int


@dataclass(frozen=True, eq=False)
class Order:
    """One call of the model."""

    chunks: tuple[Chunk, ...]
    samples: int
    steps: int
    cfg_type: str
    cfg_weight: tuple[float, ...]
    transition_frames: int
    roots: tuple[Root, ...] = ()
    poses: tuple[Pose, ...] = ()
    heading_rad: float | None = None


@dataclass(frozen=True, eq=False)
class Made:
    """``rotations`` (B, T, J, 3, 3) local, ``root_m`` (B, T, 3), ``contacts`` (B, T, 4)."""

    rotations: FloatArray
    root_m: FloatArray
    contacts: NDArray[np.bool_]


Tell = Callable[[str], None]
"""Told in words what is going on."""


def unheard(_words: str) -> None:
    """Told to nobody."""


class Encoder(Protocol):
    """Text to vectors."""

    name: str
    reads: str
    """``full``, ``phrases`` or ``ignored``: what the capabilities say."""

    def prepare(self, prompts: Sequence[str], tell: Tell = unheard) -> dict[str, FloatArray]:
        """A vector (D,) for each sanitised prompt but the empty one; ``prompts`` has one a segment.

        Raises ``prompt_not_in_pack``."""

    def missing(self, prompts: Sequence[str]) -> list[str]:
        """The prompts that would have to be encoded."""


@dataclass(frozen=True)
class Estimate:
    """What a request will take. ``seconds`` None: it was never done here."""

    seconds: float | None
    memory_bytes: int


class Sampler(Protocol):
    """A loaded model."""

    fps_hz: float

    def sample(self, order: Order, vectors: dict[str, FloatArray], on_step: OnStep) -> Made:
        """The motion of an order. ``vectors`` by sanitised prompt."""


class Runtime(Protocol):
    """The package."""

    version: str

    def rig(self) -> Rig:
        """The skeleton; no weights are read for it."""

    def sanitize(self, prompt: str) -> str:
        """A prompt as the model was trained to read it."""

    def load(self, device: str) -> Sampler:
        """The weights on a device. Raises what is missing."""

    def encoder(self, kind: str, device: str) -> Any:
        """The package's own text encoder: texts to an array (N, D); a local one, whole or at 8 or 4 bits, or a
        server's."""

    def free_bytes(self, device: str) -> int | None:
        """The memory that a device has left; None when nobody can tell."""


@dataclass
class Notes:
    """What the backbone wants said of a request."""

    entries: list[dict[str, Any]] = field(default_factory=list)

    def add(self, code: str, message: str) -> None:
        """One note."""
        self.entries.append({"code": code, "severity": "note", "message": message})
