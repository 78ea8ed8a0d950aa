# SPDX-License-Identifier: Apache-2.0
"""Jumps: crouch, take off, fly as a thrown body flies, touch down, cushion.

The model has seen half a minute of jumping, and the mean of "off the ground or not" stays on the ground. So a jump that
is asked for, by word or by a key in the air between keys on the ground, gets poses of its moments as keys: the means
over the jumps of the training set (``training.leaps``). The model fills in between; the root's height in flight is a
parabola.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import kinematics, quat
from kineograph_daemon.backbones.starter import figure, words
from kineograph_daemon.backbones.starter.scene import Scene
from kineograph_daemon.solve.goals import runs

FloatArray = NDArray[np.floating[Any]]

GRAVITY = 9.81
REST = 5
"""Frames from cushioning one jump to crouching for the next."""
SHORTEST = 18
"""Frames; a stretch that is shorter has no room for a jump."""
DOWN, UP = 10, 10
"""Frames from standing into the crouch, and from cushioning up again; a body with more time than this and a half stands
until then."""
CROUCHED = 0.88
"""A key whose pelvis is lower than this share of a standing one's is itself the crouch, or the cushioning."""
CLEAR_M, GROUNDED_M = 0.10, 0.04
"""A key is in the air with both feet higher than the one, on the ground with a foot lower than the other."""
POINTED_M = 0.055
"""In the air feet hang: both toes are lower than their ankles by this much. Flat feet stand on something, unless the
prompt says that it is a jump."""
RISE_M = (0.06, 0.7)
"""A key in the air this much over the height of taking off is a jump; what is higher hangs on something."""


@dataclass(frozen=True)
class Flight:
    """Frames from taking off to touching down, and the pelvis's height (metres) at both."""

    off: int
    touch: int
    off_m: float
    touch_m: float

    def height_m(self) -> FloatArray:
        """The pelvis's height on frames ``off`` to ``touch``, both included."""
        t = np.arange(self.touch - self.off + 1) / figure.FPS_HZ
        u = t / t[-1]
        return np.asarray(self.off_m * (1 - u) + self.touch_m * u + 0.5 * GRAVITY * t * (t[-1] - t))


@dataclass(frozen=True, eq=False)
class Table:
    """Five poses (22, 4) faced to +z: crouch, off, top, touch, cushion; ``frames`` of each, from taking off.

    ``pelvis_m`` (5,) is its height over the lowest foot, ``feet_m`` (5, 2) where the toes are from it, x and z.
    """

    poses_xyzw: FloatArray
    frames: tuple[int, ...]
    pelvis_m: FloatArray
    feet_m: FloatArray

    @classmethod
    def of(cls, weights: Mapping[str, FloatArray], facts: Mapping[str, Any]) -> Table | None:
        """From a file of weights; None where it has none."""
        if "leap" not in weights:
            return None
        poses = quat.normalize(np.asarray(weights["leap"], float))
        at, _ = kinematics.forward(figure.SKELETON, poses, np.zeros((len(poses), 3)))
        low = _over_rest(at).min(axis=1)
        return cls(poses, tuple(int(f) for f in facts["leap"]["frames"]), -low, at[:, _TOES].mean(axis=1)[:, [0, 2]])


_TOES = [figure.INDEX["l_toe"], figure.INDEX["r_toe"]]


def _over_rest(at_m: FloatArray) -> FloatArray:
    """How much higher the feet's joints (T, 4) are than standing flat on y = 0."""
    return np.asarray(at_m[:, list(figure.FEET), 1] - figure.SKELETON.rest_positions_m[list(figure.FEET), 1])


def put(scene: Scene, table: Table | None) -> tuple[Scene, list[Flight]]:
    """The scene with the keys of its jumps, and their flights; as it was where nobody jumps."""
    if table is None:
        return scene, []
    plan = _Plan(scene, table)
    told = plan.airborne()
    for part in scene.parts:
        if part.reading.name != words.JUMP:
            continue
        free = ~scene.key & ~scene.on_path & (np.arange(len(scene)) >= part.start) & (np.arange(len(scene)) < part.stop)
        for start, stop in runs(free):
            if not any(start <= f <= stop for f in told):
                plan.leaps(max(start - 1, 0), min(stop, len(scene) - 1))
    return (plan.scene, plan.flights) if plan.flights else (scene, [])


def fly(flights: list[Flight], root_m: FloatArray) -> None:
    """Give the root its flights: heights along the parabola, and evenly over the ground. Changes ``root_m``."""
    for f in flights:
        span = slice(f.off, f.touch + 1)
        u = np.linspace(0.0, 1.0, f.touch - f.off + 1)[:, None]
        root_m[span, 1] = f.height_m()
        root_m[span][:, [0, 2]] = root_m[f.off, [0, 2]] * (1 - u) + root_m[f.touch, [0, 2]] * u


class _Plan:
    """A scene that jumps are put into, one after the other."""

    def __init__(self, scene: Scene, table: Table) -> None:
        self.table = table
        self.scene = replace(
            scene, rotations_xyzw=scene.rotations_xyzw.copy(), root_m=scene.root_m.copy(), key=scene.key.copy()
        )
        self.given = scene.key.copy()
        self.flights: list[Flight] = []
        self.at, _ = kinematics.forward(figure.SKELETON, scene.rotations_xyzw.astype(float), scene.root_m.astype(float))

    def airborne(self) -> list[int]:
        """Jump to every lone key in the air between keys on the ground; the frames of those keys."""
        over, frames, told = _over_rest(self.at), np.flatnonzero(self.given), []
        for before, k, after in zip(frames, frames[1:], frames[2:], strict=False):
            up = self.scene.root_m[k, 1] - self.table.pelvis_m[1]
            grounded = over[before].min() < GROUNDED_M and over[after].min() < GROUNDED_M
            if not grounded or over[k].min() < CLEAR_M or not RISE_M[0] < up < RISE_M[1]:
                continue
            hang = self.at[k, list(figure.FEET[:2]), 1] - self.at[k, list(figure.FEET[2:]), 1]
            if hang.min() < POINTED_M and not self._told(int(k)):
                continue
            half = round(np.sqrt(2 * up / GRAVITY) * figure.FPS_HZ)
            if k - half - before >= 4 and after - k - half >= 3 and not self.scene.on_path[before:after].any():
                self._one(int(before), int(after), int(k - half), int(k + half), int(k))
                own = np.flatnonzero(self.scene.key & ~self.given)
                own = own[(own > before) & (own < after)]
                self._wait(int(before), int(own[0]), int(after), int(own[-1]))
                told.append(int(k))
        return told

    def _told(self, frame: int) -> bool:
        return any(p.reading.name == words.JUMP for p in self.scene.parts if p.start <= frame < p.stop)

    def leaps(self, a: int, b: int) -> None:
        """As many jumps as there is room for between two frames, keys or not, that stand as they are: in their time's
        middle, one right after the other."""
        if b - a < SHORTEST:
            return
        lead, flight, cushion = -self.table.frames[0], self.table.frames[3], self.table.frames[4] - self.table.frames[3]
        down, up = (0 if self._low(f) else n for f, n in ((a, DOWN), (b, UP)))
        one = lead + flight + cushion
        count = max(1, (b - a - down - up + REST) // (one + REST))
        needed = down + count * one + (count - 1) * REST + up
        scale = min(1.0, (b - a) / needed)
        slack = max(b - a - needed, 0)
        start = a + down * scale + (slack / 2 if down and up else slack if down else 0)
        for i in range(count):
            off = round(start + (i * (one + REST) + lead) * scale)
            self._one(a, b, off, off + max(round(flight * scale), 6), None, (i / count, (i + 1) / count))
        keys = np.flatnonzero(self.scene.key & ~self.given & (np.arange(len(self.given)) > a))
        self._wait(a, int(keys[0]), b, int(keys[keys < b][-1]))

    def _wait(self, a: int, crouch: int, b: int, cushion: int) -> None:
        """Stand as on frames a and b until it is time to crouch, and again after the cushioning."""
        for stands, frame, room in ((a, crouch - DOWN, crouch - a - DOWN), (b, cushion + UP, b - cushion - UP)):
            if room > DOWN // 2:
                self.scene.rotations_xyzw[frame] = self.scene.rotations_xyzw[stands]
                self.scene.root_m[frame] = self.scene.root_m[stands]
                self.scene.key[frame] = True

    def _low(self, frame: int) -> bool:
        return bool(self.given[frame] and self.scene.root_m[frame, 1] < CROUCHED * figure.STANDING_M)

    def _one(
        self, a: int, b: int, off: int, touch: int, top: int | None, share: tuple[float, float] = (0.0, 1.0)
    ) -> None:
        """Keys of one jump from where the feet are at frame a to where they are at frame b (of several jumps: from and
        to a share of that way)."""
        t = self.table
        feet = [self.at[f][_TOES].mean(axis=0)[[0, 2]] for f in (a, b)]
        facing = [self.scene.heading_rad[a] * (1 - s) + self.scene.heading_rad[b] * s for s in share]
        stand = [feet[0] * (1 - s) + feet[1] * s for s in share]
        lead, cushion = -t.frames[0], t.frames[4] - t.frames[3]
        rise = Flight(off, touch, float(t.pelvis_m[1]), float(t.pelvis_m[3]))
        middle = (off + touch) // 2
        for moment, frame, side, height in (
            (0, off - lead, 0, t.pelvis_m[0]), (1, off, 0, t.pelvis_m[1]),
            (2, middle, -1, rise.height_m()[middle - off]),
            (3, touch, 1, t.pelvis_m[3]), (4, touch + cushion, 1, t.pelvis_m[4]),
        ):  # fmt: skip
            if not a < frame < b or (moment == 2 and top is not None):
                continue
            yaw = float(np.mean(facing)) if side < 0 else float(facing[side])
            where = (stand[0] + stand[1]) / 2 if side < 0 else stand[side]
            self._key(frame, moment, yaw, where, float(height))
        self.flights += self._halves(rise, top)

    def _halves(self, rise: Flight, top: int | None) -> list[Flight]:
        """The flight, through a key in the air where there is one."""
        if top is None:
            return [rise]
        height = float(self.scene.root_m[top, 1])
        return [Flight(rise.off, top, rise.off_m, height), Flight(top, rise.touch, height, rise.touch_m)]

    def _key(self, frame: int, moment: int, yaw_rad: float, feet_m: FloatArray, height_m: float) -> None:
        pose = self.table.poses_xyzw[moment].copy()
        pose[0] = quat.mul(quat.about_y(yaw_rad), pose[0])
        x, z = self.table.feet_m[moment]
        turned = np.array([x * np.cos(yaw_rad) + z * np.sin(yaw_rad), z * np.cos(yaw_rad) - x * np.sin(yaw_rad)])
        self.scene.rotations_xyzw[frame] = pose
        self.scene.root_m[frame] = [feet_m[0] - turned[0], height_m, feet_m[1] - turned[1]]
        self.scene.key[frame] = True
