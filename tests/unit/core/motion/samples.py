# SPDX-License-Identifier: Apache-2.0
"""Seeded motion for tests; needs numpy only, so that it also runs inside Blender's Python."""

from __future__ import annotations

import numpy as np

from kineograph.motion import quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton


def wild(skeleton: Skeleton, frames: int, rng: np.random.Generator, fps_hz: float = 30.0) -> Clip:
    """Every frame another arbitrary pose."""
    turns = quat.normalize(rng.normal(size=(frames, len(skeleton), 4)))
    return Clip(skeleton, fps_hz, quat.continuous(turns), rng.uniform(-3, 3, (frames, 3)), name="wild")


def smooth(skeleton: Skeleton, frames: int, seed: int = 0, fps_hz: float = 30.0, angle_rad: float = 0.5) -> Clip:
    """Sines of a few frequencies in every joint, and a walk along a curve."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames)[:, None, None] / fps_hz
    speed, phase = rng.uniform(0.5, 6.0, (1, len(skeleton), 3)), rng.uniform(0, 6.28, (1, len(skeleton), 3))
    turns = quat.from_rotvec(angle_rad * np.sin(speed * t + phase) * rng.uniform(0, 1, (1, len(skeleton), 3)))
    turns[:, skeleton.root] = quat.mul(quat.about_y(t[:, 0, 0]), turns[:, skeleton.root])
    s = t[:, 0, 0]
    root = np.stack([np.sin(s), 0.95 + 0.03 * np.sin(9 * s), 1.2 * s], axis=-1)
    return Clip(skeleton, fps_hz, quat.continuous(turns), root, name="smooth")
