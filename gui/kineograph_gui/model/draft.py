# SPDX-License-Identifier: Apache-2.0
"""A request being written: rig, prompts, keys from a clip, waypoints, pins; and as a file that the command line reads.

What the draft cannot show (a ground, a reference clip of an opened request) is carried along untouched.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kineograph import demo, files, formats
from kineograph.advise import Note, advise
from kineograph.errors import ErrorCode, SceneError
from kineograph.motion.clip import Clip
from kineograph.motion.rest import align, align_clip
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import RigMap
from kineograph.wire.version import MMCP_VERSION
from kineograph_gui.model.mending import read_rig
from kineograph_gui.model.pins import Pin
from kineograph_gui.model.words import say

BLANK_S = 3.0
"""How long a new job is until somebody says otherwise."""


@dataclass(frozen=True)
class Block:
    """One prompt; an empty one leaves its span free."""

    prompt: str = ""
    frames: int = 90


@dataclass(frozen=True)
class Waypoint:
    """The root's place on the floor at a frame, metres; ``heading_rad`` None faces where it goes."""

    frame: int
    x_m: float
    z_m: float
    heading_rad: float | None = None


@dataclass(frozen=True, eq=False)
class Key:
    """A pose at a frame, as an MMCP pose_keyframe; ``said`` names where it is from."""

    frame: int
    constraint: Mapping[str, Any]
    said: str


@dataclass
class Draft:
    """Everything of a request that the page shows. ``rest`` holds what it does not."""

    rig: Skeleton | None = None
    character: str = ""
    clip: Clip | None = None
    clip_name: str = ""
    blocks: list[Block] = field(default_factory=lambda: [Block()])
    keys: list[Key] = field(default_factory=list)
    waypoints: list[Waypoint] = field(default_factory=list)
    pins: list[Pin] = field(default_factory=list)
    model: str = ""
    samples: int = 1
    seed: int | None = None
    fps_hz: float = 30.0
    rest: dict[str, Any] = field(default_factory=dict)
    other_constraints: list[Any] = field(default_factory=list)

    @property
    def is_blank(self) -> bool:
        """Whether nothing was written yet."""
        blank = len(self.blocks) == 1 and type(self.blocks[0]) is Block and not self.blocks[0].prompt
        return blank and not (self.keys or self.waypoints or self.pins or self.other_constraints)

    # --- in -----------------------------------------------------------------------------------------------------------
    def open_rig(self, path: Path) -> None:
        """A rig from a file, with its motion to take keys from. Raises what the readers raise."""
        asset = formats.load(path)
        self.rig, self.character = align(asset.skeleton), path.stem
        self.clip, self.clip_name = None, ""
        if asset.clips:
            self.clip, self.clip_name = align_clip(asset.clips[0]), path.stem
        if asset.clips and self.is_blank:  # nothing stands at a frame yet: it may count as the file does
            self.fps_hz = asset.clips[0].fps_hz
            self.blocks = [Block(frames=max(round(BLANK_S * self.fps_hz), 1))]
        self._keep_what_fits()

    def open_clip(self, path: Path) -> None:
        """Poses from another file on the same bones. Raises ``file_unreadable``, ``map_incomplete``."""
        asset = formats.load(path)
        if not asset.clips:
            raise SceneError(ErrorCode.FILE_UNREADABLE, f"'{path.name}' has no motion", {"file": str(path)})
        clip = align_clip(asset.clips[0])
        if self.rig is not None and not set(clip.skeleton.names) & set(self.rig.names):
            raise SceneError(
                ErrorCode.MAP_INCOMPLETE, f"'{path.name}' shares no bone name with the rig", {"file": str(path)}
            )
        self.clip, self.clip_name = clip, path.stem

    def use_demo(self) -> None:
        """The character that comes with Kineograph."""
        self.rig, self.character, self.clip, self.clip_name = demo.character(), "demo", None, ""
        self._keep_what_fits()

    def _keep_what_fits(self) -> None:
        known = set(self.rig.names) if self.rig is not None else set()
        self.keys = [k for k in self.keys if set(k.constraint.get("joint_rotations") or ()) <= known]
        self.pins = [p for p in self.pins if p.joint in known]

    def add_key(self, at: int, clip_frame: int) -> None:
        """A pose of the clip as a key."""
        assert self.clip is not None
        assert self.rig is not None
        names, pose = self.clip.skeleton.names, self.clip.rotations_xyzw[clip_frame]
        constraint = {
            "type": "pose_keyframe",
            "frame": at,
            "joint_rotations": {n: [float(v) for v in pose[i]] for i, n in enumerate(names) if n in self.rig.index},
            "root_position": [float(v) for v in self.clip.root_m[clip_frame]],
        }
        said = say("new.key_text", clip=self.clip_name, frame=clip_frame)
        self.keys = sorted([*(k for k in self.keys if k.frame != at), Key(at, constraint, said)], key=lambda k: k.frame)

    def add_waypoint(self, way: Waypoint) -> None:
        """A waypoint; one a frame."""
        kept = [w for w in self.waypoints if w.frame != way.frame]
        self.waypoints = sorted([*kept, way], key=lambda w: w.frame)

    # --- what it says -------------------------------------------------------------------------------------------------
    @property
    def frames(self) -> int:
        """Length of the whole."""
        return sum(b.frames for b in self.blocks)

    @property
    def rig_map(self) -> RigMap | None:
        """How the rig's bones are read."""
        return None if self.rig is None else read_rig(self.rig)

    def request(self) -> dict[str, Any]:
        """The MMCP request."""
        constraints: list[Any] = [{**k.constraint, "frame": k.frame} for k in self.keys]
        if self.waypoints:
            constraints.append(_path(self.waypoints))
        constraints += [pin.constraint() for pin in self.pins]
        return {
            **self.rest,
            "protocol_version": MMCP_VERSION,
            "model": self.model,
            "skeleton": self.rig.to_mmcp() if self.rig is not None else {"joints": []},
            "segments": [_segment(b) for b in self.blocks],
            "constraints": [*constraints, *self.other_constraints],
            "timing": {"fps": self.fps_hz},
            "options": self._options(),
        }

    def _options(self) -> dict[str, Any]:
        out = dict(self.rest.get("options") or {})
        for name, value in (("num_samples", self.samples if self.samples != 1 else None), ("seed", self.seed)):
            out.pop(name, None)
            if value is not None:
                out[name] = value
        return out

    def notes(self, spec: Mapping[str, Any]) -> list[Note]:
        """What to know before it is sent."""
        return advise(self.request(), spec) if self.rig is not None else []

    def summary(self) -> str:
        """What will be sent, in one line."""
        prompts = sum(1 for b in self.blocks if b.prompt)
        parts = [_count("prompt", prompts), _count("key", len(self.keys))]
        parts += [say("new.part_path")] if self.waypoints else []
        parts.append(_count("pin", len(self.pins)))
        if self.other_constraints:
            parts.append(say("new.part_other", count=len(self.other_constraints)))
        samples = say("new.one_sample") if self.samples == 1 else say("new.many_samples", count=self.samples)
        known = {"frames": self.frames, "model": self.model or "-", "samples": samples}
        what = ", ".join(p for p in parts if p)
        return say("new.summary", parts=what, **known) if what else say("new.summary_blank", **known)

    # --- files --------------------------------------------------------------------------------------------------------
    def save(self, path: Path) -> None:
        """Write it as the command line reads it. Raises ``file_unreadable``."""
        document = {"kineograph": 1, "character": self.character, "request": self.request()}
        try:
            files.write_text(path, json.dumps(document, ensure_ascii=False, indent=1, default=_plain))
        except OSError as e:
            raise SceneError(
                ErrorCode.FILE_UNREADABLE, f"'{path}' cannot be written: {e.strerror or e}", {"file": str(path)}
            ) from e

    @classmethod
    def load(cls, path: Path) -> Draft:
        """Read a saved request. Raises ``file_unreadable``."""
        try:
            document = json.loads(path.read_text("utf-8"))
            request = document.get("request", document)
            return cls.of(request, str(document.get("character") or path.stem.split(".")[0]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as e:
            raise SceneError(
                ErrorCode.FILE_UNREADABLE, f"'{path.name}' holds no request: {e}", {"file": str(path)}
            ) from None

    @classmethod
    def of(cls, request: Mapping[str, Any], character: str = "") -> Draft:
        """From a request. Raises ``invalid_skeleton``, or KeyError and the like for one that is malformed."""
        options = dict(request.get("options") or {})
        shown = {"protocol_version", "model", "skeleton", "segments", "constraints", "timing", "options"}
        draft = cls(
            rig=Skeleton.from_mmcp(request["skeleton"]) if (request.get("skeleton") or {}).get("joints") else None,
            character=character,
            model=str(request.get("model") or ""),
            samples=int(options.get("num_samples") or 1),
            seed=options["seed"] if type(options.get("seed")) is int else None,
            fps_hz=float((request.get("timing") or {}).get("fps") or 30.0),
            rest={k: v for k, v in request.items() if k not in shown} | {"options": options},
            blocks=[_block(s) for s in request.get("segments") or ()] or [Block()],
        )
        for constraint in request.get("constraints") or ():
            draft._take(dict(constraint))
        draft.waypoints.sort(key=lambda w: w.frame)
        return draft

    def _take(self, constraint: dict[str, Any]) -> None:
        kind, keys = constraint.get("type"), set(constraint)
        if kind == "pose_keyframe":
            self.keys.append(Key(int(constraint["frame"]), constraint, say("new.kind_key")))
        elif kind == "root_path" and keys <= _PATH_KEYS and not self.waypoints:
            points = np.asarray(constraint["positions_xz"], float)
            headings = constraint.get("heading_radians") or [None] * len(points)
            self.waypoints = [
                Waypoint(int(f), float(x), float(z), None if h is None else float(h))
                for f, (x, z), h in zip(constraint["frames"], points, headings, strict=True)
            ]
        elif kind == "effector_target" and (pin := Pin.of(constraint)) is not None:
            self.pins.append(pin)
        else:
            self.other_constraints.append(constraint)


_PATH_KEYS = frozenset({"type", "frames", "positions_xz", "heading_radians"})


def headings_rad(waypoints: Sequence[Waypoint]) -> list[float]:
    """Where the root faces at each waypoint: as set, else the way it goes."""
    out: list[float] = []
    for i, way in enumerate(waypoints):
        if way.heading_rad is not None:
            out.append(way.heading_rad)
            continue
        a, b = waypoints[max(i - 1, 0)], waypoints[min(i + 1, len(waypoints) - 1)]
        dx, dz = b.x_m - a.x_m, b.z_m - a.z_m
        out.append(math.atan2(dx, dz) if abs(dx) + abs(dz) > 1e-6 else 0.0)
    return out


def _path(waypoints: Sequence[Waypoint]) -> dict[str, Any]:
    out: dict[str, Any] = {
        "type": "root_path",
        "frames": [w.frame for w in waypoints],
        "positions_xz": [[w.x_m, w.z_m] for w in waypoints],
    }
    if any(w.heading_rad is not None for w in waypoints):
        out["heading_radians"] = headings_rad(waypoints)
    return out


@dataclass(frozen=True)
class _Foreign(Block):
    """A segment that the page shows as a span only."""

    segment: Mapping[str, Any] = field(default_factory=dict)


def _block(segment: Mapping[str, Any]) -> Block:
    frames = int(segment.get("duration_frames") or 1)
    extra = set(segment) - {"type", "prompt", "duration_frames"}
    if segment.get("type") in ("text", "unconditioned") and not extra:
        return Block(str(segment.get("prompt") or ""), frames)
    return _Foreign(str(segment.get("prompt") or ""), frames, segment)


def _segment(block: Block) -> dict[str, Any]:
    if isinstance(block, _Foreign):
        return {**block.segment, "duration_frames": block.frames}
    if block.prompt.strip():
        return {"type": "text", "prompt": block.prompt.strip(), "duration_frames": block.frames}
    return {"type": "unconditioned", "duration_frames": block.frames}


def rig_kinds() -> str:
    """The files that a rig can come from, as a file dialog wants them."""
    return say("new.files_rig", kinds=" ".join(f"*{ending}" for ending in formats.EXTENSIONS))


def _count(name: str, count: int) -> str:
    if count == 0:
        return ""
    return say(f"new.part_{name}") if count == 1 else say(f"new.part_{name}s", count=count)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
