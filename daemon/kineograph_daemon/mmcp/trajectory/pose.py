# SPDX-License-Identifier: Apache-2.0
"""Forward kinematics of a rig's few joints, all samples and frames at once.

A quaternion w + xi + yj + zk is held as two complex numbers ``(w + iy, z + ix)``, and a vector as
``(iy, z + ix)``: one product is then four complex products instead of twenty-eight real operations, and a position's
second number is the ground plane that the rest of this package works in.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph_daemon.mmcp.trajectory.rig import Complexes, Floats, Rig

_TINY = 1e-12


def forward(rig: Rig, rotations_xyzw: NDArray[Any], root_m: NDArray[Any]) -> tuple[Complexes, Floats]:
    """Ground positions ``(slots, N)`` as z + ix and heights ``(slots, N)``, metres, over N = samples times frames.

    ``rotations_xyzw`` (N, J, 4) local, replacing the rest rotation; ``root_m`` (N, 3).
    """
    local_a, local_b = _local(rig, rotations_xyzw)
    world_a, world_b = np.empty((2, rig.slots, len(root_m)), np.complex128)
    ground = np.empty((rig.slots, len(root_m)), np.complex128)
    height = np.empty((rig.slots, len(root_m)))
    row = 0
    for depth, level in enumerate(rig.levels):
        here = slice(level.start, level.stop)
        turning = slice(level.start, level.start + level.turning)
        a, b = local_a[row : row + level.turning], local_b[row : row + level.turning]
        row += level.turning
        if depth == 0:
            world_a[turning], world_b[turning] = a, b
            ground[here] = root_m[:, 2] + 1j * root_m[:, 0]
            height[here] = root_m[:, 1]
            continue
        above_a, above_b = world_a[level.parents], world_b[level.parents]
        step, rise = _turn(above_a, above_b, level.offset_up, level.offset_ground)
        ground[here] = ground[level.parents] + step
        height[here] = height[level.parents] + rise
        if level.turning:
            up_a, up_b = above_a[: level.turning], above_b[: level.turning]
            world_a[turning] = up_a * a - up_b * b.conj()
            world_b[turning] = up_a * b + up_b * a.conj()
    return ground, height


def _local(rig: Rig, rotations_xyzw: NDArray[Any]) -> tuple[Complexes, Complexes]:
    q = np.ascontiguousarray(rotations_xyzw[:, rig.columns].transpose(2, 1, 0), dtype=np.float64)
    q /= np.maximum(np.sqrt(np.einsum("ijk,ijk->jk", q, q)), _TINY)
    x, y, z, w = q
    a, b = np.empty((2, *x.shape), np.complex128)
    a.real, a.imag, b.real, b.imag = w, y, z, x
    return a, b


def _turn(a: Complexes, b: Complexes, up: Complexes, ground: Complexes) -> tuple[Complexes, Floats]:
    """The vector ``(up, ground)`` turned by the unit quaternion ``(a, b)``: q v q*."""
    t_a = a * up - b * ground.conj()
    t_b = a * ground - b * up  # the conjugate of a pure imaginary number is its negative
    return t_b * a - t_a * b, (t_a * a.conj() + t_b * b.conj()).imag
