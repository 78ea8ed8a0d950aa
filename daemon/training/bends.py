# SPDX-License-Identifier: Apache-2.0
"""Straight walks bent along curves and corners, quickening and slowing, some of them backwards.

Most recorded walks go straight on at one pace, and a model of them cuts corners it has not seen. The floor itself is
bent: each spot of it has one new place, so a foot that stood on one spot stands on one spot still, the inner steps of a
turn are shorter and the outer ones longer. Legs are bent anew to reach. Who turns leans in and looks ahead.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.solve.pose import Pose
from training import gaits
from training.data import BENT, Piece, at_times, mirrored

FloatArray = NDArray[np.floating[Any]]

COPIES = 8
STRAIGHT, FAR_M = 0.93, 1.0
"""A walk is straight where its way is hardly longer than the line between its ends, and at least so far."""
TURNS, TURN_RAD, OVER_M = 3, (0.3, 2.0), (0.5, 2.5)
"""At most so many turns in a walk, how far each turns and over how long a way."""
TIGHTEST = 1.2
"""Most curvature of a way, one over metres."""
STRETCH, RUSH = 0.3, 0.3
"""How much longer and quicker steps get along the way, as the logarithm."""
LEAD_M = (0.0, 0.3)
"""How far ahead on the way the pelvis faces."""
LEAN_SHARE = 0.6
"""Of the lean that would balance the turn."""
BACKWARDS = 0.15
_MARGIN_M, _GRID_M = 1.5, 0.01
_G = 9.81


@dataclass(frozen=True, eq=False)
class Floor:
    """A floor whose straight line from ``start_xz`` along ``yaw_rad`` is bent: on a grid from ``-_MARGIN_M`` on, the
    line's new points (N, 2), its turn (N,) and curvature (N,)."""

    start_xz: FloatArray
    yaw_rad: float
    line_xz: FloatArray
    turn_rad: FloatArray
    curvature: FloatArray

    def along(self, at_xz: FloatArray) -> tuple[FloatArray, FloatArray]:
        """How far along the line (T,) and to its left (T,) points lie."""
        off = at_xz - self.start_xz
        ahead = np.array([np.sin(self.yaw_rad), np.cos(self.yaw_rad)])
        left = np.array([ahead[1], -ahead[0]])
        return off @ ahead, off @ left

    def at(self, values: FloatArray, along_m: FloatArray) -> FloatArray:
        """One of the tables (N,) at places along the line."""
        grid = np.arange(len(values)) * _GRID_M - _MARGIN_M
        return np.interp(along_m, grid, values)

    def moved(self, at_xz: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Where points (T, 2) of the straight floor are on the bent one, and how far the floor is turned there."""
        along_m, aside_m = self.along(at_xz)
        turn = self.at(self.turn_rad, along_m)
        left = np.stack([np.cos(self.yaw_rad + turn), -np.sin(self.yaw_rad + turn)], axis=-1)
        line = np.stack([self.at(self.line_xz[:, k], along_m) for k in (0, 1)], axis=-1)
        return line + left * aside_m[:, None], turn


def copies(pieces: Sequence[Piece], count: int = COPIES) -> list[Piece]:
    """Each straight walk on ``count`` bent ways, half of them in other gaits too."""
    out: list[Piece] = []
    for piece in (p for p in pieces if gaits.walks(p) and straight(p)):
        for i in range(count):
            rng = np.random.default_rng([zlib.crc32(piece.name.encode()), i, 5])
            made = mirrored(piece) if i % 2 else piece
            if i % 4 > 1:
                other = pieces[int(rng.integers(len(pieces)))]
                made = gaits.changed(made, other.rotations_xyzw[int(rng.integers(len(other)))], rng)
            if rng.random() < BACKWARDS:
                made = replace(made, rotations_xyzw=made.rotations_xyzw[::-1], root_m=made.root_m[::-1])
            out.append(replace(bent(rushed(made, rng), rng), name=f"{piece.name}{BENT}{i}"))
    return out


def straight(piece: Piece) -> bool:
    """Whether a walk goes straight on."""
    way = piece.root_m[:, [0, 2]]
    kernel = np.hanning(33)[1:-1]
    pad = np.pad(way, ((15, 15), (0, 0)), mode="reflect", reflect_type="odd")
    even = np.stack([np.convolve(pad[:, k], kernel / kernel.sum(), mode="valid") for k in (0, 1)], axis=-1)
    length = float(np.linalg.norm(np.diff(even, axis=0), axis=-1).sum())
    far = float(np.linalg.norm(way[-1] - way[0]))
    return far > FAR_M and far > STRAIGHT * length


def rushed(piece: Piece, rng: np.random.Generator) -> Piece:
    """The piece at a pace that changes on the way, for no longer than it was."""
    frames = np.arange(len(piece))
    pace = np.exp(_wave(frames / 30.0, float(rng.uniform(0.0, RUSH)), (1.5, 6.0), rng) + rng.normal(scale=0.12))
    clock = np.concatenate([[0.0], np.cumsum(pace)])
    return at_times(piece, clock[clock <= len(piece) - 1])


def bent(piece: Piece, rng: np.random.Generator) -> Piece:
    """A straight walk along a bent way."""
    floor = bent_floor(piece, rng)
    at = np.asarray(piece.world_m, float)
    feet = {side: _foot(piece, at, side, floor) for side in ("l_", "r_")}
    rotations, root = np.array(piece.rotations_xyzw, float), np.array(piece.root_m, float)
    along_m, _ = floor.along(root[:, [0, 2]])
    put, turn = floor.moved(root[:, [0, 2]])
    ahead = floor.at(floor.turn_rad, along_m + float(rng.uniform(*LEAD_M)))
    speed = np.linalg.norm(np.gradient(put, axis=0), axis=-1) * figure.FPS_HZ
    lean = LEAN_SHARE * np.arctan(speed**2 * floor.at(floor.curvature, along_m) / _G)
    lean = np.convolve(np.pad(lean, 7, mode="edge"), np.full(15, 1 / 15), mode="valid")
    left = np.stack([np.cos(floor.yaw_rad + turn), -np.sin(floor.yaw_rad + turn)], axis=-1)
    root[:, [0, 2]] = put + left * (figure.STANDING_M * np.tan(lean))[:, None]
    forth = quat.about_y(floor.yaw_rad + turn)
    roll = quat.from_rotvec(lean[:, None] * np.array([0.0, 0.0, -1.0]))
    rolled = quat.mul(quat.mul(forth, roll), quat.conj(forth))
    rotations[:, 0] = quat.mul(rolled, quat.mul(quat.about_y(ahead), rotations[:, 0]))
    gaze = floor.at(floor.turn_rad, along_m + 0.6) - ahead
    for joint in ("spine2", "neck"):
        i = figure.INDEX[joint]
        rotations[:, i] = quat.mul(quat.about_y(0.3 * gaze), rotations[:, i])
    pose = Pose(figure.SKELETON, rotations, root, None)
    gaits.stand(pose, feet)
    made = quat.continuous(pose.rotations_xyzw).astype(np.float32)
    return replace(piece, rotations_xyzw=made, root_m=pose.root_m.astype(np.float32))


def bent_floor(piece: Piece, rng: np.random.Generator) -> Floor:
    """A floor with one to three turns somewhere along a straight walk."""
    start, end = np.asarray(piece.root_m[0, [0, 2]], float), np.asarray(piece.root_m[-1, [0, 2]], float)
    length = float(np.linalg.norm(end - start))
    yaw = float(np.arctan2(end[0] - start[0], end[1] - start[1]))
    s = np.arange(-_MARGIN_M, length + _MARGIN_M, _GRID_M)
    curvature = np.zeros(len(s))
    for _ in range(int(rng.integers(1, TURNS + 1))):
        over = float(rng.uniform(*OVER_M))
        inside = np.abs(s - float(rng.uniform(0.0, length))) < over / 2
        curvature += inside * float(rng.uniform(*TURN_RAD)) * rng.choice([-1.0, 1.0]) / over
    kernel = np.hanning(43)[1:-1]
    curvature = np.convolve(np.clip(curvature, -TIGHTEST, TIGHTEST), kernel / kernel.sum(), mode="same")
    stretch = np.exp(_wave(s, float(rng.uniform(0.0, STRETCH)), (1.5, 6.0), rng) - abs(rng.normal(scale=0.1)))
    step = stretch * _GRID_M
    turn = np.cumsum(curvature * step)
    zero = int(_MARGIN_M / _GRID_M)
    turn -= turn[zero]
    line = np.cumsum(np.stack([np.sin(yaw + turn), np.cos(yaw + turn)], axis=-1) * step[:, None], axis=0)
    return Floor(start, yaw, start + line - line[zero], turn, curvature)


def _foot(piece: Piece, at_m: FloatArray, side: str, floor: Floor) -> tuple[FloatArray, FloatArray]:
    """Where an ankle is to be (T, 3), and its world rotation (T, 4): the foot turns with the floor under its toe."""
    ankle, toe = figure.INDEX[side + "ankle"], figure.INDEX[side + "toe"]
    world = quat.normalize(
        np.asarray(Pose(figure.SKELETON, piece.rotations_xyzw, piece.root_m, None).world_xyzw, float)
    )
    put, turn = floor.moved(at_m[:, toe][:, [0, 2]])
    place = np.column_stack([put[:, 0], at_m[:, toe, 1], put[:, 1]])
    about = quat.about_y(turn)
    return place + quat.rotate(about, at_m[:, ankle] - at_m[:, toe]), quat.mul(about, world[:, ankle])


def _wave(x: FloatArray, most: float, length: tuple[float, float], rng: np.random.Generator) -> FloatArray:
    return most * np.sin(2 * np.pi * (x / float(rng.uniform(*length)) + float(rng.random())))
