# SPDX-License-Identifier: GPL-3.0-or-later
"""The character's curves, pins and waypoints, read at the frames at which they say something."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import marks, paths, pins, places, waypoints
from .rig import Rig

if TYPE_CHECKING:
    from .request import Direction

FloatArray = NDArray[np.floating[Any]]
Item = tuple[dict[str, Any], Any]
"""A constraint, and what it stands for in the scene."""


@dataclass(frozen=True)
class Remark:
    """Something of the scene that a request has no word for, or that was changed on the way."""

    what: str
    why: str


@dataclass
class MarksSeen:
    """What was read of the marks so far, in plain values. ``of``: which marks those were, and when they hold."""

    of: tuple[Any, ...] = ()
    ways: list[Item] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    matrices: dict[str, dict[int, FloatArray]] = field(default_factory=dict)
    waypoints: dict[str, waypoints.Waypoint] = field(default_factory=dict)
    frames: set[float] = field(default_factory=set)


class Marked:
    """The character's curves, pins and waypoints: which frames they want to be read at, and what they then ask."""

    def __init__(self, seen: MarksSeen, rig: Rig, direction: Direction, armature: Any, scene: Any) -> None:
        self.left_out: list[Remark] = []
        self._rig, self._span, self._first = rig, direction.span, direction.first
        self._curves = list(marks.paths_of(armature, scene)) if direction.use_paths else []
        self._pins = list(marks.pins_of(armature, scene)) if direction.use_pins else []
        self._waypoints = marks.waypoints_of(armature, scene) if direction.use_waypoints else []
        self._pin_frames: dict[str, list[int]] = {}
        self._check(armature)
        self._moving = {p.name for p in self._pins if p.name in self._pin_frames and not pins.is_still(p)}
        self._seen = self._of_these(seen)

    def _of_these(self, seen: MarksSeen) -> MarksSeen:
        """What was seen of other marks, or of these at other times, counts no more."""
        said = (
            tuple((c.name, marks.frames_of(c)) for c in self._curves),
            tuple((p.name, tuple(self._pin_frames.get(p.name, ())), p.name in self._moving) for p in self._pins),
            tuple((w.name, self._stop_of(w)) for w in self._waypoints),
        )
        if seen.of != said:
            vars(seen).update(vars(MarksSeen(said)))
        return seen

    @property
    def stops(self) -> set[float]:
        """Scene frames at which ``read`` still wants to be called; none where there is nothing to read."""
        if not (self._curves or self._pins or self._waypoints):
            return set()
        out = {float(self._span[0])} | {float(f) for name in self._moving for f in self._pin_frames[name]}
        return (out | {self._stop_of(w) for w in self._waypoints}) - self._seen.frames

    def read(self, at: float) -> None:
        """Look at what matters at the current frame, ``at``."""
        seen = self._seen
        if at == self._span[0]:
            seen.ways, seen.remarks = [], []
            for item in self._path_items():
                seen.ways.append(item)
        for pin in self._pins:
            frames = self._pin_frames.get(pin.name, ())
            if pin.name not in self._moving and at == self._span[0]:
                seen.matrices[pin.name] = dict.fromkeys(frames, pins.matrix(pin)) if frames else {}
            elif pin.name in self._moving and at in frames:
                seen.matrices.setdefault(pin.name, {})[int(at)] = pins.matrix(pin)
        for marker in self._waypoints:
            if self._stop_of(marker) == at:
                seen.waypoints[marker.name] = waypoints.read(marker)
        seen.frames.add(at)

    def items(self) -> list[Item]:
        """What the marks ask, and which object each stands for."""
        self.left_out += self._seen.remarks
        return [*self._seen.ways, *self._waypoint_items(), *self._pin_items()]

    def _check(self, armature: Any) -> None:
        bones = list(armature.data.bones.keys()) if self._pins else []
        for pin in self._pins:
            pins.check_joint(pin, self._rig, bones)
            frames = pins.frames_of(pin, self._span)
            if frames:
                self._pin_frames[pin.name] = frames
            else:
                self._leave_out(f"pin {pin.name!r}", "it holds at no frame of the range")

    def _stop_of(self, marker: Any) -> float:
        # One outside the range is only named: no need to go there.
        return float(min(max(marks.waypoint_frame(marker), self._span[0]), self._span[1]))

    def _path_items(self) -> Iterable[Item]:
        for curve in self._curves:
            a, b = marks.frames_of(curve) or self._span
            frames = list(range(max(a, self._span[0]), min(b, self._span[1]) + 1))
            name = f"path {curve.name!r}"
            if len(frames) < 2:
                self._leave_out_path(name, "it covers fewer than two frames of the range")
                continue
            timing = marks.timing_of(curve)
            if timing is marks.Timing.CURVE and paths.evaluation_curve(curve) is None:
                self._leave_out_path(f"the timing of {name}", "its evaluation time has no keys: equal steps are used")
            item = paths.constraint(curve, self._rig.frame, frames, self._first, marks.heading_of(curve), timing)
            yield item, places.ref("path", curve.name, self._rig.armature)

    def _waypoint_items(self) -> Iterable[Item]:
        kept, left = waypoints.sift(list(self._seen.waypoints.values()), self._span)
        for name, why in left.items():
            self._leave_out(f"waypoint {name!r}", why)
        for item, names in waypoints.constraints(kept, self._rig.frame, self._first):
            yield item, places.ref("waypoint", some(set(names)), self._rig.armature, names=names)

    def _pin_items(self) -> Iterable[Item]:
        rig = self._rig
        for pin in self._pins:
            if pin.name not in self._pin_frames:
                continue
            frames = self._pin_frames[pin.name]
            matrices = np.stack([self._seen.matrices[pin.name][f] for f in frames])
            at = [f - self._first for f in frames]
            yield (
                pins.constraint(pin, rig, marks.joint_of(pin), at, matrices),
                places.ref("pin", pin.name, rig.armature),
            )

    def _leave_out(self, what: str, why: str) -> None:
        self.left_out.append(Remark(what, why))

    def _leave_out_path(self, what: str, why: str) -> None:
        self._seen.remarks.append(Remark(what, why))


def outside(
    armature: Any, scene: Any, direction: Direction, span: tuple[int, int]
) -> list[tuple[dict[str, Any], tuple[int, ...]]]:
    """Marks that count and say something outside ``span`` and nothing inside it, and at which scene frames."""
    used = {
        marks.Role.PATH: direction.use_paths,
        marks.Role.PIN: direction.use_pins,
        marks.Role.WAYPOINT: direction.use_waypoints,
    }
    out = []
    for role, thing in marks.all_of(armature, scene):
        at = marks.frames_of(thing) or (pins.keyed(thing) if role is marks.Role.PIN else None)
        if used[role] and at is not None and (at[1] < span[0] or at[0] > span[1]):
            ref = places.ref(str(role), thing.name, armature.name)
            out.append((ref, tuple(sorted({round(at[0]), round(at[1])}))))
    return out


def some(names: set[str]) -> str:
    """'a, b and 3 more'."""
    ordered = sorted(names)
    more = f" and {len(ordered) - 6} more" if len(ordered) > 6 else ""
    return ", ".join(ordered[:6]) + more
