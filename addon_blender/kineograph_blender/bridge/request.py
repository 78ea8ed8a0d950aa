# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene as an MMCP request: the rig, the user's keys, curves and empties, and what could not be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, error
from kineograph.wire.version import MMCP_VERSION

from . import blockers, guard, marks, paths, pins, places, poses, stamps
from . import keys as user_keys
from . import rig as rigs
from .bones import Which
from .keys import KeyMode, Keys
from .poses import Pose
from .rig import Rig

FloatArray = NDArray[np.floating[Any]]

_STRETCH_TOLERANCE = 1e-3
_OFFSET_TOLERANCE_M = 1e-3


@dataclass(frozen=True)
class Block:
    """A prompt over scene frames ``start`` to ``end``, both included; without a text the span is unconditioned."""

    start: int
    end: int
    prompt: str = ""
    seed: int | None = None


@dataclass(frozen=True)
class Direction:
    """What the user wants of one character. ``start`` and ``end`` are scene frames, both included.

    An empty ``model`` is filled in before the request is sent.
    """

    model: str
    start: int
    end: int
    blocks: Sequence[Block] = ()
    keys: KeyMode = KeyMode.BONES
    bones: Which = Which.DEFORM
    root: str | None = None
    use_paths: bool = True
    use_pins: bool = True
    ground_bu: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def span(self) -> tuple[int, int]:
        """First and last scene frame."""
        return self.start, self.end


@dataclass(frozen=True)
class Remark:
    """Something of the scene that a request has no word for, or that was changed on the way."""

    what: str
    why: str


@dataclass(frozen=True, eq=False)
class Outgoing:
    """A request ready to be sent, and what is needed to bring its answer home. Holds no RNA."""

    rig: Rig
    request: dict[str, Any]
    refs: dict[str, Any]
    start: int
    fps_hz: float
    remarks: tuple[Remark, ...]
    constrained: tuple[blockers.BoneConstraint, ...]


def scene_fps_hz(scene: Any) -> float:
    """Frames a second as Blender plays them."""
    return float(scene.render.fps) / float(scene.render.fps_base)


def scene_span(scene: Any) -> tuple[int, int]:
    """The preview range where it is in use, else the scene's range."""
    if scene.use_preview_range:
        return int(scene.frame_preview_start), int(scene.frame_preview_end)
    return int(scene.frame_start), int(scene.frame_end)


def gather(armature: Any, scene: Any, direction: Direction) -> Outgoing:
    """Read everything and leave the scene as it was.

    Raises ``apply_blocked``, ``invalid_skeleton``, ``unknown_joint``, ``frame_out_of_range``, ``schema_validation``.
    """
    _check_span(direction)
    blockers.check_readable(armature)
    action, slot = stamps.own_action(armature)
    with guard.untouched(scene, armature), guard.playing(armature, action, slot):
        guard.go_to(scene, direction.start)
        rig = rigs.read(armature, scene, direction.bones, direction.root, direction.ground_bu)
        keys = user_keys.collect(armature, action, slot, rig, direction.span, direction.keys)
        curves = list(marks.paths_of(armature, scene)) if direction.use_paths else []
        held = list(marks.pins_of(armature, scene)) if direction.use_pins else []
        shot = _Shot(rig, direction, keys, curves, held)
        shot.check(armature)
        shot.look(armature, scene)
        constraints, refs = shot.constraints()
    fps_hz = scene_fps_hz(scene)
    return Outgoing(
        rig=rig,
        request=_request(direction, rig, constraints, fps_hz),
        refs={"skeleton": places.ref("character", armature.name, armature.name), "constraints": refs},
        start=direction.start,
        fps_hz=fps_hz,
        remarks=tuple(shot.remarks()),
        constrained=tuple(blockers.constraints_on(armature, rig.names)),
    )


@dataclass
class _Shot:
    """One look through all the frames that matter: key poses and moving pins are read in a single pass."""

    rig: Rig
    direction: Direction
    keys: Keys
    curves: list[Any]
    pins: list[Any]
    seen: dict[int, FloatArray] = field(default_factory=dict)
    pin_frames: dict[str, list[int]] = field(default_factory=dict)
    pin_matrices: dict[str, dict[int, FloatArray]] = field(default_factory=dict)
    left_out: list[Remark] = field(default_factory=list)

    def check(self, armature: Any) -> None:
        bones = [b.name for b in armature.data.bones]
        for pin in self.pins:
            pins.check_joint(pin, self.rig, bones)
            frames = pins.frames_of(pin, self.direction.span)
            if frames:
                self.pin_frames[pin.name] = frames
            else:
                self.left_out.append(Remark(f"pin {pin.name!r}", "it holds at no frame of the range"))

    def look(self, armature: Any, scene: Any) -> None:
        start = self.direction.start
        stops: dict[float, list[int]] = {}
        for frame, keyed in self.keys.frames.items():
            stops.setdefault(keyed.at, []).append(frame)
        moving = {p.name: p for p in self.pins if p.name in self.pin_frames and not pins.is_still(p)}
        watched: dict[float, list[Any]] = {}
        for name, pin in moving.items():
            for frame in self.pin_frames[name]:
                watched.setdefault(float(frame), []).append(pin)
        for at in sorted({*stops, *watched, float(start)}):
            guard.go_to(scene, at)
            if at == start:
                self._still(moving)
            for pin in watched.get(at, ()):
                self.pin_matrices.setdefault(pin.name, {})[int(at)] = pins.matrix(pin)
            if at in stops:
                self.seen |= dict.fromkeys(stops[at], poses.world_matrices(armature, self.rig))

    @cached_property
    def poses(self) -> Pose:
        """The key poses, in the order of ``seen``."""
        return poses.of_matrices(self.rig, np.stack([*self.seen.values()]))

    def _still(self, moving: Mapping[str, Any]) -> None:
        for pin in self.pins:
            if pin.name in self.pin_frames and pin.name not in moving:
                self.pin_matrices[pin.name] = dict.fromkeys(self.pin_frames[pin.name], pins.matrix(pin))

    def constraints(self) -> tuple[list[dict[str, Any]], list[Any]]:
        """MMCP constraints and, in the same order, what each stands for in the scene."""
        found = [*self._key_constraints(), *self._path_constraints(), *self._pin_constraints()]
        return [c for c, _ in found], [ref for _, ref in found]

    def _key_constraints(self) -> list[tuple[dict[str, Any], Any]]:
        out: list[tuple[dict[str, Any], Any]] = []
        index, root = self.rig.skeleton.index, self.rig.names[0]
        for n, frame in enumerate(self.seen):
            key, pose = self.keys.frames[frame], self.poses[n]
            at = frame + self.direction.start
            ref = places.ref("key", f"frame {at}", self.rig.armature, frame=at)
            place = [float(x) for x in pose.root_m]
            if key.turned:
                turned = [n for n in self.rig.names if n in key.turned]
                item: dict[str, Any] = {
                    "type": "pose_keyframe",
                    "frame": frame,
                    "joint_rotations": {n: pose.local_xyzw[index[n]].tolist() for n in turned},
                }
                if key.root_placed:
                    item["root_position"] = place
                out.append((item, ref))
            elif key.root_placed:
                # A pose key needs a rotation, and the user keyed none: a target says just the place.
                target = {"type": "effector_target", "joint": root, "frames": [frame], "positions": [place]}
                out.append((target, ref))
        return out

    def _path_constraints(self) -> list[tuple[dict[str, Any], Any]]:
        out = []
        first, last = self.direction.span
        for curve in self.curves:
            a, b = marks.frames_of(curve) or (first, last)
            frames = list(range(max(a, first) - first, min(b, last) - first + 1))
            if len(frames) < 2:
                self.left_out.append(Remark(f"path {curve.name!r}", "it covers fewer than two frames of the range"))
                continue
            item = paths.constraint(curve, self.rig.frame, frames, marks.heading_of(curve))
            out.append((item, places.ref("path", curve.name, self.rig.armature)))
        return out

    def _pin_constraints(self) -> list[tuple[dict[str, Any], Any]]:
        out = []
        for pin in self.pins:
            if pin.name not in self.pin_frames:
                continue
            frames = self.pin_frames[pin.name]
            matrices = np.stack([self.pin_matrices[pin.name][f] for f in frames])
            at = [f - self.direction.start for f in frames]
            item = pins.constraint(pin, self.rig, marks.joint_of(pin), at, matrices)
            out.append((item, places.ref("pin", pin.name, self.rig.armature)))
        return out

    def remarks(self) -> list[Remark]:
        out = [*self.left_out, *(Remark(f"key on {what}", why) for what, why in sorted(self.keys.unsent.items()))]
        for at in sorted(self.keys.outside)[:6]:
            out.append(Remark(f"key at {at:g}", "it stands outside the range"))
        for frame, key in sorted(self.keys.frames.items()):
            whole = frame + self.direction.start
            if key.at != whole:
                out.append(
                    Remark(f"key at {key.at:g}", f"a request has whole frames: its pose is sent at frame {whole}")
                )
        return out + self._pose_remarks()

    def _pose_remarks(self) -> list[Remark]:
        if not self.seen:
            return []
        far = np.linalg.norm(self.poses.offsets_m, axis=-1) > _OFFSET_TOLERANCE_M
        moved = self._names(far)
        stretched = self._names(self.poses.stretch > _STRETCH_TOLERANCE)
        out = []
        if stretched:
            out.append(Remark(f"scaled or stretched bones: {_some(stretched)}", "a request carries rotations only"))
        if moved - stretched:
            out.append(Remark(f"bones away from their rest place: {_some(moved)}", "a request carries rotations only"))
        return out

    def _names(self, which: NDArray[np.bool_]) -> set[str]:
        return {self.rig.names[int(i)] for i in np.flatnonzero(which.any(axis=0))}


def _check_span(direction: Direction) -> None:
    if direction.end < direction.start:
        raise error(
            ErrorCode.FRAME_OUT_OF_RANGE,
            f"the range ends at {direction.end}, before it starts at {direction.start}",
            {"where": {"path": ["duration_frames"]}, "got": direction.end, "allowed": [direction.start, None]},
        )


def _request(direction: Direction, rig: Rig, constraints: list[dict[str, Any]], fps_hz: float) -> dict[str, Any]:
    return {
        "protocol_version": MMCP_VERSION,
        "model": direction.model,
        "skeleton": {"coordinate_system": "right_handed_y_up", "units": "meters", **rig.skeleton.to_mmcp()},
        "segments": segments(direction),
        "constraints": constraints,
        "timing": {"fps": fps_hz},
        "options": dict(direction.options),
    }


def segments(direction: Direction) -> list[dict[str, Any]]:
    """The blocks as MMCP segments that cover the range without a gap; what no block covers is unconditioned."""
    out: list[dict[str, Any]] = []
    at = direction.start
    for block in sorted(direction.blocks, key=lambda b: b.start):
        first, last = max(block.start, at), min(block.end, direction.end)
        if last < first:
            continue
        if first > at:
            out.append(_segment(Block(at, first - 1)))
        out.append(_segment(Block(first, last, block.prompt, block.seed)))
        at = last + 1
    if at <= direction.end:
        out.append(_segment(Block(at, direction.end)))
    return out


def _segment(block: Block) -> dict[str, Any]:
    out: dict[str, Any] = {"type": "unconditioned", "duration_frames": block.end - block.start + 1}
    if block.prompt.strip():
        out |= {"type": "text", "prompt": block.prompt}
    if block.seed is not None:
        out["seed"] = block.seed
    return out


def _some(names: set[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - 6} more" if len(ordered) > 6 else ""
    return ", ".join(ordered[:6]) + more
