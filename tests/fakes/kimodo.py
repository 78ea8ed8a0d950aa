# SPDX-License-Identifier: Apache-2.0
"""A fake of what the Kimodo backbone wants of its package: the same shapes and rules, made of numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kineograph_daemon.backbones.kimodo.seam import FloatArray, Made, OnStep, Order, Rig

WIDTH = 16
BONES = [
    ("Hips", -1, (0.0, 0.0, 0.0)), ("Spine", 0, (0.0, 0.3, 0.0)), ("Head", 1, (0.0, 0.6, 0.0)),
    ("LeftArm", 1, (0.2, 0.5, 0.0)), ("LeftForeArm", 3, (0.45, 0.5, 0.0)), ("LeftHand", 4, (0.7, 0.5, 0.0)),
    ("RightArm", 1, (-0.2, 0.5, 0.0)), ("RightForeArm", 6, (-0.45, 0.5, 0.0)), ("RightHand", 7, (-0.7, 0.5, 0.0)),
    ("LeftLeg", 0, (0.1, -0.05, 0.0)), ("LeftShin", 9, (0.1, -0.5, 0.0)), ("LeftFoot", 10, (0.1, -0.9, 0.0)),
    ("LeftToeBase", 11, (0.1, -0.95, 0.12)),
    ("RightLeg", 0, (-0.1, -0.05, 0.0)), ("RightShin", 13, (-0.1, -0.5, 0.0)), ("RightFoot", 14, (-0.1, -0.9, 0.0)),
    ("RightToeBase", 15, (-0.1, -0.95, 0.12)),
]  # fmt: skip


class FakeKimodo:
    """The package. ``orders`` are what its model was asked, ``encoded`` what its encoder read."""

    version = "fake"

    def __init__(self, fps_hz: float = 30.0, fails: BaseException | None = None) -> None:
        self.fps_hz = fps_hz
        self.fails = fails
        self.orders: list[Order] = []
        self.encoded: list[str] = []
        self.devices: list[str] = []
        self.kinds: list[tuple[str, str]] = []
        self.free = 64_000_000_000

    def rig(self) -> Rig:
        """A body of 17 joints."""
        names, parents, places = zip(*BONES, strict=True)
        return Rig(
            names, parents, np.array(places, np.float32), ("LeftFoot", "LeftToeBase", "RightFoot", "RightToeBase")
        )

    def sanitize(self, prompt: str) -> str:
        """One space, a capital, a full stop."""
        text = " ".join(prompt.split()).capitalize()
        return text if not text or text[-1] in ".!?" else text + "."

    def load(self, device: str) -> FakeKimodo:
        """Ready at once, or what ``fails`` says."""
        self.devices.append(device)
        if isinstance(self.fails, OSError):
            raise self.fails
        return self

    def encoder(self, kind: str, device: str) -> Any:
        """Vectors that depend on the text, and a little on the bits."""
        self.kinds.append((kind, device))

        def encode(texts: Sequence[str]) -> FloatArray:
            self.encoded += texts
            return np.stack([np.random.default_rng(len(t)).normal(size=WIDTH) for t in texts]).astype(np.float32)

        return encode

    def free_bytes(self, device: str) -> int | None:
        """What a test says."""
        return self.free

    def sample(self, order: Order, vectors: dict[str, FloatArray], on_step: OnStep) -> Made:
        """Stretch after stretch, each of its own seed."""
        self.orders.append(order)
        assert all(chunk.prompt in vectors for chunk in order.chunks if chunk.prompt)
        total = order.steps * len(order.chunks)
        root = []
        for i, chunk in enumerate(order.chunks):
            rng = np.random.default_rng(chunk.seed)
            for step in range(order.steps):
                if self.fails is not None and step == 1:
                    raise self.fails
                on_step(i * order.steps + step + 1, total)
            root.append(rng.normal(scale=0.01, size=(order.samples, chunk.frames, 3)))
        way = np.concatenate(root, 1).astype(np.float32) + np.float32([0.0, 0.95, 0.0])
        frames = way.shape[1]
        rotations = np.broadcast_to(np.eye(3, dtype=np.float32), (order.samples, frames, len(BONES), 3, 3))
        return Made(rotations, way, np.ones((order.samples, frames, 4), bool))
