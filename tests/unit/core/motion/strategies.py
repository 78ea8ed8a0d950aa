# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies and seeded samples for rotations, skeletons and clips. Singular cases are drawn often."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]

S = float(np.sqrt(0.5))
SINGULAR_XYZW = [
    (0.0, 0.0, 0.0, 1.0),  # identity
    (0.0, 0.0, 0.0, -1.0),  # identity, antipodal
    (1.0, 0.0, 0.0, 0.0),  # half turns
    (0.0, 1.0, 0.0, 0.0),
    (0.0, 0.0, 1.0, 0.0),
    (0.0, S, S, 0.0),
    (0.0, -1.0, 0.0, 0.0),
    (S, 0.0, 0.0, S),  # quarter turns: gimbal lock of some order
    (0.0, S, 0.0, -S),
    (0.0, 0.0, -S, S),
    (1e-9, 0.0, 0.0, 1.0),  # next to identity
    (1.0, 0.0, 1e-9, 1e-9),  # next to a half turn
]

_part = st.floats(-1.0, 1.0, allow_nan=False, allow_subnormal=False)
_generic = (
    st.tuples(_part, _part, _part, _part)
    .filter(lambda q: sum(x * x for x in q) > 1e-3)
    .map(lambda q: quat.normalize(np.array(q)))
)


def rotations() -> st.SearchStrategy[FloatArray]:
    """One unit quaternion (4,)."""
    return st.sampled_from([np.array(q) for q in SINGULAR_XYZW]) | _generic


def vectors(limit: float = 10.0) -> st.SearchStrategy[FloatArray]:
    """One vector (3,)."""
    part = st.floats(-limit, limit, allow_nan=False, allow_subnormal=False)
    return st.tuples(part, part, part).map(np.array)


@st.composite
def skeletons(draw: st.DrawFn, most: int = 12, rests: bool = True) -> Skeleton:
    """Random trees, parents first; with ``rests`` the rest rotations are arbitrary."""
    n = draw(st.integers(1, most))
    parents = [-1] + [draw(st.integers(0, j - 1)) for j in range(1, n)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    turns = quat.normalize(rng.normal(size=(n, 4))) if rests else None
    return Skeleton.build([f"j{i}" for i in range(n)], parents, rng.uniform(-0.5, 0.5, (n, 3)), turns)


@st.composite
def clips(draw: st.DrawFn, most: int = 12, rests: bool = True) -> Clip:
    """A short clip of arbitrary poses on a random tree."""
    skeleton = draw(skeletons(most, rests))
    frames = draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return wild(skeleton, frames, rng, fps_hz=draw(st.sampled_from([24.0, 30.0, 60.0, 30.0 / 1.001, 17.5])))


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
