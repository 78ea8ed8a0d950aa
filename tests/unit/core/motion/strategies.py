# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies for rotations, skeletons and clips. Singular cases are drawn often."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.unit.core.motion.samples import wild

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
