# SPDX-License-Identifier: GPL-3.0-or-later
"""How far one sample of a take is from what was asked, by the daemon's own measures: its report tells the worst of all
samples, and here one of them is looked at. Plain values, no bpy."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import kinematics, quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Miss:
    """One constraint in one sample, frame by frame: ``frames`` (N,) of the request, ``cm`` and ``deg`` (N,) or None
    where that was no question. ``joint`` is the one it is about; of a key on several bones the one furthest off."""

    frames: tuple[int, ...]
    cm: FloatArray | None
    deg: FloatArray | None
    joint: str


class Measured:
    """One sample, the leads' frames included. Only frames that something was asked of are worked out in the world."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self.index = clip.skeleton.index
        self._places_m: dict[int, FloatArray] = {}

    def world(self, frames: Sequence[int], joint: int) -> tuple[FloatArray, FloatArray]:
        """A joint's place (N, 3) and turn (N, 4) at some frames; nothing but what it hangs on is looked at."""
        clip, at = self.clip, list(frames)
        chain = [joint]
        while (up := int(clip.skeleton.parents[chain[-1]])) >= 0:
            chain.append(up)
        chain.reverse()
        alone = Skeleton.build(
            [clip.skeleton.names[j] for j in chain],
            np.arange(-1, len(chain) - 1, dtype=np.int32),
            clip.skeleton.rest_translations_m[chain],
        )
        moved = None if clip.translations_m is None else clip.translations_m[at][:, chain]
        places, turns = kinematics.forward(alone, clip.rotations_xyzw[at][:, chain], clip.root_m[at], moved)
        return places[:, -1], turns[:, -1]

    def look(self, frames: Iterable[int]) -> None:
        """Work out where all joints are at some frames, at once: one by one takes as long for each."""
        for _ in self.looking(frames):
            pass

    def looking(self, frames: Iterable[int]) -> Generator[None, None, None]:
        """``look`` in pieces."""
        clip, at = self.clip, sorted(set(frames) - self._places_m.keys())
        if at:
            moved = None if clip.translations_m is None else clip.translations_m[at]
            turns, roots = clip.rotations_xyzw[at], clip.root_m[at]
            places, _ = yield from kinematics.forwarding(clip.skeleton, turns, roots, moved)
            self._places_m |= dict(zip(at, places.astype(float), strict=True))

    def place_m(self, frame: int, joint: int) -> FloatArray:
        """Where a joint is at a frame (3,)."""
        self.look([frame])
        return np.asarray(self._places_m[frame][joint])

    def miss(self, item: Mapping[str, Any]) -> Miss | None:
        """How far the sample is from a constraint; None for one of another kind or of other bones."""
        try:
            match item["type"]:
                case "pose_keyframe":
                    return self._key(item)
                case "root_path":
                    return self._path(item)
                case "effector_target":
                    return self._target(item)
        except (KeyError, IndexError):
            pass
        return None

    def _key(self, item: Mapping[str, Any]) -> Miss:
        frame, asked = int(item["frame"]), item.get("joint_rotations") or {}
        wanted = np.array([asked[name] for name in asked], float).reshape(-1, 4)
        now = np.asarray(self.clip.rotations_xyzw[frame, [self.index[n] for n in asked]], float).reshape(-1, 4)
        deg = np.degrees(quat.angle_between_rad(now, wanted))
        root = item.get("root_position")
        cm = None if root is None else 100.0 * np.linalg.norm(self.clip.root_m[frame] - np.asarray(root, float))
        joint = list(asked)[int(np.argmax(deg))] if len(deg) else self.clip.skeleton.names[0]
        return Miss(
            (frame,), None if cm is None else np.array([cm]), deg.max(keepdims=True) if len(deg) else None, joint
        )

    def _path(self, item: Mapping[str, Any]) -> Miss:
        frames = [int(f) for f in item["frames"]]
        off = self.clip.root_m[frames][:, [0, 2]] - np.asarray(item["positions_xz"], float)
        headings = item.get("heading_radians")
        deg = None
        if headings is not None:
            turn = quat.heading_rad(self.clip.rotations_xyzw[frames, 0]) - np.asarray(headings, float)
            deg = np.degrees(np.abs(np.arctan2(np.sin(turn), np.cos(turn))))
        return Miss(tuple(frames), 100.0 * np.linalg.norm(off, axis=-1), deg, self.clip.skeleton.names[0])

    def _target(self, item: Mapping[str, Any]) -> Miss:
        frames, joint = [int(f) for f in item["frames"]], self.index[item["joint"]]
        places_m, turns_xyzw = self.world(frames, joint)
        cm = 100.0 * np.linalg.norm(places_m - np.asarray(item["positions"], float), axis=-1)
        turns = item.get("rotations")
        deg = None
        if turns is not None:
            deg = np.degrees(quat.angle_between_rad(turns_xyzw, np.asarray(turns, float)))
        return Miss(tuple(frames), cm, deg, str(item["joint"]))
