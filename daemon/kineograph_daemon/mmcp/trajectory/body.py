# SPDX-License-Identifier: Apache-2.0
"""What a body does over the frames: where its mass is, what touches the floor, which way its hips face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph_daemon.mmcp.trajectory.pose import forward
from kineograph_daemon.mmcp.trajectory.rig import GROUPS, Complexes, Floats, Point, Rig
from kineograph_daemon.mmcp.trajectory.smooth import slope

Bools = NDArray[np.bool_]

_FLOOR_PERCENT = 5
_SOLE_M = 0.033
_HIPS_M = 0.9
_LEAST_HIPS_M = 0.3
_SHARE_OF_BODY_SPEED = 0.3
_TINY = 1e-6


@dataclass(frozen=True)
class Body:
    """One sample. ``mass`` (T,) ground position of the centre of mass; ``touching`` (C, T) and ``spots`` (C, T) the
    points that may touch the floor; ``facing`` (T,) radians, unwrapped, or None; ``groups`` (C,) into GROUPS."""

    fps: float
    loop: bool
    mass: Complexes
    touching: Bools
    spots: Complexes
    groups: NDArray[Any]
    facing: Floats | None
    root: Complexes

    @property
    def frames(self) -> int:
        """How many frames the motion has."""
        return len(self.mass)

    def group(self, name: str) -> Bools:
        """Whether any point of the group touches, ``(T,)``."""
        touching: Bools = self.touching[self.groups == GROUPS.index(name)].any(axis=0)
        return touching

    def by_group(self) -> Bools:
        """Whether any point of each group touches, ``(groups, T)``."""
        out = np.zeros((len(GROUPS), self.frames), bool)
        for row, touching in zip(self.groups, self.touching, strict=True):
            out[row] |= touching
        return out

    def touchdowns(self) -> dict[str, list[int]]:
        """The frames at which each foot comes down."""
        out = {}
        for group, name in (("l foot", "LeftFootDown"), ("r foot", "RightFootDown")):
            down = self.group(group)
            frames: list[int] = (np.flatnonzero(down[1:] & ~down[:-1]) + 1).tolist()
            starts_on_it = self.loop and self.frames > 2 and bool(down[0]) and not down[-2]
            out[name] = [0, *frames] if starts_on_it else frames
        return out


def read_bodies(rig: Rig, rotations_xyzw: NDArray[Any], root_m: NDArray[Any], fps: float, loop: bool) -> list[Body]:
    """The bodies of all samples: ``rotations_xyzw`` (B, T, J, 4), ``root_m`` (B, T, 3), at least two frames."""
    b, t = rotations_xyzw.shape[:2]
    flat, flat_height = forward(rig, rotations_xyzw.reshape(b * t, -1, 4), root_m.reshape(b * t, 3))
    ground, height = flat.reshape(-1, b, t), flat_height.reshape(-1, b, t)
    mass = np.einsum("s,sn->n", rig.mass, flat).reshape(b, t)  # not BLAS: its threads spin longer than this takes
    spots = np.stack([_at(ground, point) for point in rig.touches])
    heights = np.stack([_at(height, point) for point in rig.touches])
    touching = _touching(rig, spots, heights, height[rig.hips], mass, fps)
    facing = _facing(rig, ground)
    return [
        Body(fps, loop, mass[i], touching[:, i], spots[:, i], rig.groups, facing[i], ground[rig.root, i])
        for i in range(b)
    ]


def _at(positions: Any, point: Point) -> Any:
    p = positions[point.slot]
    return p + (p - positions[point.before]) * point.reach if point.reach else p


def _touching(rig: Rig, spots: Complexes, heights_m: Floats, hips_m: Floats, mass: Complexes, fps: float) -> Bools:
    """Low enough and slow enough, for more than one frame. Shapes (C, B, T) and (B, T)."""
    low = heights_m[list(rig.feet)].min(axis=0) if rig.feet else hips_m - _HIPS_M
    floor = np.percentile(low, _FLOOR_PERCENT, axis=-1) - _SOLE_M
    hip = np.median(hips_m, axis=-1) - floor
    scale = np.where(hip > _LEAST_HIPS_M, hip / _HIPS_M, 1.0)
    body_speed = np.abs(slope(mass)) * fps
    most_speed = rig.speeds_m_s[:, None, None] * scale[:, None] + _SHARE_OF_BODY_SPEED * body_speed
    step = slope(spots)
    slow = step.real**2 + step.imag**2 < (most_speed / fps) ** 2
    is_low = heights_m - floor[:, None] < rig.heights_m[:, None, None] * scale[:, None]
    touch = slow & is_low
    neighbour = np.zeros_like(touch)
    neighbour[..., 1:] |= touch[..., :-1]
    neighbour[..., :-1] |= touch[..., 1:]
    return touch & neighbour


def _facing(rig: Rig, ground: Complexes) -> list[Floats | None]:
    """Square to the line from the left hip to the right one: its angle, a quarter turn on, is its normal's.

    With z + ix the line from left to right of a body that faces +Z points to -x, which is -i: the facing is i times
    that line.
    """
    if rig.across is None:
        return [None] * ground.shape[1]
    left, right = rig.across
    line = ground[right] - ground[left]
    angle = np.unwrap(np.angle(1j * line), axis=-1)
    readable = np.abs(line).min(axis=-1) >= _TINY
    return [angle[i] if readable[i] else None for i in range(len(line))]
