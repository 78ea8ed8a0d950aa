# SPDX-License-Identifier: Apache-2.0
"""What the model starts from: poses interpolated between keys that carry on how the keys move, brought along a path
and turned to the asked heading.

All functions take batches (B, T, ...). The model predicts what has to be added to this; where it is not to be believed,
this is the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.backbones.starter import figure

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.integer[Any]]

FAR = 120
"""Frames to the nearest key where there is none."""
CARRY = 30
"""Frames over which the motion of keys dies away into what lies between them. On people and motions that nothing was
trained on this alone has 0.83, 0.92 and 0.96 of plain interpolation's error in gaps of 15, 30 and 60 frames."""
SETTLE = 15
"""The same where no key follows, and the motion comes to rest."""
FASTEST_RAD, FASTEST_M = 0.35, 0.2
"""What is carried on at most, a frame: keys that jump are no motion."""


@dataclass(frozen=True, eq=False)
class Ask:
    """What is known of a motion on the model's figure. B windows, T frames.

    ``rotations_xyzw`` (B, T, 22, 4) and ``root_m`` (B, T, 3) hold at frames where ``key`` (B, T) is true.
    ``path_m`` (B, T, 2) holds where ``on_path`` is true; ``heading_rad`` (B, T) where ``faces``.
    ``phase_rad`` (B, T) of the steps, left foot foremost at 0, holds where ``steps``.
    ``style`` (B,) is a class of motion, 0 for none.
    """

    rotations_xyzw: FloatArray
    root_m: FloatArray
    key: BoolArray
    path_m: FloatArray
    on_path: BoolArray
    heading_rad: FloatArray
    faces: BoolArray
    phase_rad: FloatArray
    steps: BoolArray
    style: IntArray

    @classmethod
    def keys_only(cls, rotations_xyzw: FloatArray, root_m: FloatArray, key: BoolArray) -> Ask:
        """Keys and nothing else."""
        b, t = key.shape
        no = np.zeros((b, t), bool)
        zero = np.zeros((b, t), np.float32)
        style = np.zeros(b, np.int64)
        return cls(rotations_xyzw, root_m, key, np.zeros((b, t, 2), np.float32), no, zero, no, zero, no, style)

    def mirrored(self) -> Ask:
        """The same with left and right exchanged."""
        rotations, root = figure.mirror(self.rotations_xyzw, self.root_m)
        path = self.path_m * np.array([-1, 1], self.path_m.dtype)
        phase = self.phase_rad + np.pi
        return Ask(
            rotations, root, self.key, path, self.on_path, -self.heading_rad, self.faces, phase, self.steps, self.style
        )


@dataclass(frozen=True, eq=False)
class Base:
    """The starting motion: ``rotations_xyzw`` (B, T, 22, 4), ``root_m`` (B, T, 3), its ``yaw_rad`` (B, T), and how
    many frames lie to the key before and after, ``since`` and ``until`` (B, T)."""

    rotations_xyzw: FloatArray
    root_m: FloatArray
    yaw_rad: FloatArray
    since: FloatArray
    until: FloatArray


def neighbours(key: BoolArray) -> tuple[IntArray, IntArray]:
    """For each frame the key at or before it (-1: none) and at or after it (T: none), (B, T) each."""
    t = key.shape[1]
    frames = np.arange(t)
    before = np.maximum.accumulate(np.where(key, frames, -1), axis=1)
    after = np.minimum.accumulate(np.where(key, frames, t)[:, ::-1], axis=1)[:, ::-1]
    return before, after


def make(ask: Ask) -> Base:
    """The base of an ask; a window without any key stands upright."""
    rotations, root, since, until = _between_keys(ask)
    _along_path(ask, root)
    yaw = quat.heading_rad(rotations[:, :, 0])
    turn = _wrapped(ask.heading_rad - yaw) * ask.faces * ~ask.key
    rotations[:, :, 0] = quat.mul(quat.about_y(turn), rotations[:, :, 0])
    yaw = quat.heading_rad(rotations[:, :, 0])
    return Base(
        rotations.astype(np.float32),
        root.astype(np.float32),
        yaw.astype(np.float32),
        since.astype(np.float32),
        until.astype(np.float32),
    )


def _between_keys(ask: Ask) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    b, t = ask.key.shape
    before, after = neighbours(ask.key)
    frames = np.arange(t)
    since = np.where(before >= 0, frames - before, FAR)
    until = np.where(after < t, after - frames, FAR)
    low = np.where(before >= 0, before, np.minimum(after, t - 1))
    high = np.where(after < t, after, np.maximum(before, 0))
    row = np.arange(b)[:, None]
    u = ((frames - low) / np.maximum(high - low, 1)).astype(np.float32)
    rotations = quat.slerp(ask.rotations_xyzw[row, low], ask.rotations_xyzw[row, high], u[..., None])
    root = ask.root_m[row, low] * (1 - u[..., None]) + ask.root_m[row, high] * u[..., None]
    moved = [_carried(ask, before, after, side) for side in (1, -1)]
    rotations = quat.mul(quat.from_rotvec(moved[0][0] + moved[1][0]), rotations)
    root = root + moved[0][1] + moved[1][1]
    bare = ~ask.key.any(axis=1)
    if bare.any():
        rotations[bare] = figure.standing()
        root[bare] = [0.0, figure.STANDING_M, 0.0]
    return rotations, root, since, until


def _carried(ask: Ask, before: IntArray, after: IntArray, side: int) -> tuple[FloatArray, FloatArray]:
    """How far the motion of the keys before a gap (``side`` 1), or after it (-1), carries each frame off the
    interpolation: rotation vectors (B, T, 22, 3) and metres (B, T, 3).

    A gap's first frame goes on as its keys moved, and that dies away; nothing is moved on keys, nor where a lone key
    tells of no motion.
    """
    b, t = ask.key.shape
    near, far = (before, after) if side > 0 else (after, before)
    row = np.arange(b)[:, None]
    key, beyond = np.clip(near, 0, t - 1), np.clip(far, 0, t - 1)
    last = np.clip(key - side, 0, t - 1)
    moves = ask.key[row, key] & ask.key[row, last] & (last != key) & ~ask.key & (near >= 0) & (near < t)
    closed = (far >= 0) & (far < t)
    apart = np.maximum(np.abs(beyond - key), 1)[..., None].astype(np.float32)
    at, to, was = (ask.rotations_xyzw[row, k] for k in (key, beyond, last))
    step = quat.to_rotvec(quat.mul(at, quat.conj(was)))
    plain = quat.to_rotvec(quat.mul(to, quat.conj(at))) / apart[..., None] * closed[..., None, None]
    slide = ask.root_m[row, key] - ask.root_m[row, last]
    drift = (ask.root_m[row, beyond] - ask.root_m[row, key]) / apart * closed[..., None]
    i = np.abs(np.arange(t) - key).astype(np.float32)
    within = np.clip(i / np.minimum(apart[..., 0], CARRY), 0.0, 1.0)
    settled = 1.0 - np.clip(i / SETTLE, 0.0, 1.0)
    weight = np.where(closed, i * (1.0 - within) ** 2, SETTLE / 3.0 * (1.0 - settled**3)) * moves
    turns = _within(step - plain, FASTEST_RAD) * weight[..., None, None]
    return turns.astype(np.float32), (_within(slide - drift, FASTEST_M) * weight[..., None]).astype(np.float32)


def _within(values: FloatArray, most: float) -> FloatArray:
    """Vectors (..., 3) no longer than ``most``."""
    length = np.linalg.norm(values, axis=-1, keepdims=True)
    return np.asarray(values * np.minimum(1.0, most / np.maximum(length, 1e-9)))


def _along_path(ask: Ask, root: FloatArray) -> None:
    """The root's floor position from the path where it is given; key frames keep their own."""
    put = ask.on_path & ~ask.key
    root[..., 0] = np.where(put, ask.path_m[..., 0], root[..., 0])
    root[..., 2] = np.where(put, ask.path_m[..., 1], root[..., 2])


def _wrapped(angle_rad: FloatArray) -> FloatArray:
    return (angle_rad + np.pi) % (2 * np.pi) - np.pi
