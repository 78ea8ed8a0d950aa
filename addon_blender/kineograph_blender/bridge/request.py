# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene as an MMCP request: the rig, the user's keys, curves and empties, and what could not be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, error
from kineograph.fixes.timeline import total_frames
from kineograph.wire.version import MMCP_VERSION

from . import blockers, blocks, places
from .blocks import Block
from .bones import Which
from .keys import KeyMode, Pick
from .marked import Remark
from .rig import Rig
from .shot import Shot
from .written import UserKey

FloatArray = NDArray[np.floating[Any]]

__all__ = ["Block", "Direction", "Outgoing", "Remark", "scene_fps_hz", "scene_span", "segments"]


@dataclass(frozen=True)
class Direction:
    """What the user wants of one character. ``start`` and ``end`` are scene frames, both included.

    ``lead_in`` and ``lead_out``: so many frames before and after, as they are shown now, go along as locked poses, so
    that the new motion runs out of the old one and into it; they are no part of the result. ``start_pose``: begin in
    the pose shown now, keyed or not. ``end_pose``: end in the pose shown at that scene frame, and with ``end_place``
    where it stands then. An empty ``model`` is filled in before the request is sent.
    """

    model: str
    start: int
    end: int
    blocks: Sequence[Block] = ()
    keys: KeyMode = KeyMode.BONES
    pick: Pick = Pick.ALL
    bones: Which = Which.AUTO
    root: str | None = None
    use_paths: bool = True
    use_pins: bool = True
    use_waypoints: bool = True
    lead_in: int = 0
    lead_out: int = 0
    start_pose: bool = False
    end_pose: int | None = None
    end_place: bool = False
    ground_bu: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def span(self) -> tuple[int, int]:
        """First and last scene frame."""
        return self.start, self.end

    @property
    def frames(self) -> int:
        """How many frames the result has."""
        return self.end - self.start + 1

    @property
    def first(self) -> int:
        """The scene frame that is frame 0 of the request."""
        return self.start - self.lead_in


@dataclass(frozen=True, eq=False)
class Outgoing:
    """A request ready to be sent, and what is needed to bring its answer home. Holds no RNA.

    The answer has ``lead_in`` frames before ``start``, then the ``frames`` asked for, then the lead out. ``edits``:
    keys that the user set on the take that played, which the answer was asked to meet. ``ghosts``: joints (J, 3) of
    the keys' poses by scene frame, metres, for showing them. ``outside``: what stands outside the range altogether, and
    at which scene frames.
    """

    rig: Rig
    request: dict[str, Any]
    refs: dict[str, Any]
    start: int
    fps_hz: float
    remarks: tuple[Remark, ...]
    constrained: tuple[blockers.BoneConstraint, ...]
    frames: int
    lead_in: int = 0
    lead_out: int = 0
    edits: tuple[UserKey, ...] = ()
    ghosts: Mapping[int, FloatArray] = field(default_factory=dict)
    outside: tuple[tuple[Mapping[str, Any], tuple[int, ...]], ...] = ()

    @property
    def first(self) -> int:
        """The scene frame that is frame 0 of the request."""
        return self.start - self.lead_in

    def asking(self, request: dict[str, Any]) -> Outgoing:
        """The same with a changed request, which may be longer or shorter."""
        return replace(self, request=request, frames=total_frames(request) - self.lead_in - self.lead_out)


def scene_fps_hz(scene: Any) -> float:
    """Frames a second as Blender plays them."""
    return float(scene.render.fps) / float(scene.render.fps_base)


def scene_span(scene: Any) -> tuple[int, int]:
    """The preview range where it is in use, else the scene's range."""
    if scene.use_preview_range:
        return int(scene.frame_preview_start), int(scene.frame_preview_end)
    return int(scene.frame_start), int(scene.frame_end)


def check(armature: Any, direction: Direction) -> None:
    """Raises ``frame_out_of_range`` and ``apply_blocked`` where nothing can be read."""
    _check_span(direction)
    blockers.check_readable(armature)


def outgoing(armature: Any, scene: Any, shot: Shot, constraints: list[dict[str, Any]], refs: list[Any]) -> Outgoing:
    """The request of a shot that was finished, with what it asks for."""
    direction, rig = shot.direction, shot.rig
    fps_hz = scene_fps_hz(scene)
    return Outgoing(
        rig=rig,
        request=_request(direction, rig, constraints, fps_hz),
        refs={"skeleton": places.ref("character", armature.name, armature.name), "constraints": refs},
        start=direction.start,
        fps_hz=fps_hz,
        remarks=tuple(shot.remarks()),
        constrained=tuple(blockers.constraints_on(armature, rig.names)),
        frames=direction.frames,
        lead_in=direction.lead_in,
        lead_out=direction.lead_out,
        edits=tuple(shot.keys.edits),
        ghosts=shot.ghosts(),
        outside=tuple(shot.outside()),
    )


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
    out = []
    pieces = blocks.spans(direction.blocks, direction.span)
    for n, piece in enumerate(pieces):
        # The leads belong to the first and the last prompt: a block of two frames would be a prompt of its own.
        first = piece.first - (direction.lead_in if n == 0 else 0)
        last = piece.last + (direction.lead_out if n == len(pieces) - 1 else 0)
        meant = Block(first, last) if piece.index is None else direction.blocks[piece.index]
        out.append(_segment(Block(first, last, meant.prompt, meant.seed)))
    return out


def _segment(block: Block) -> dict[str, Any]:
    out: dict[str, Any] = {"type": "unconditioned", "duration_frames": block.frames}
    if block.prompt.strip():
        out |= {"type": "text", "prompt": block.prompt}
    if block.seed is not None:
        out["seed"] = block.seed
    return out
