# SPDX-License-Identifier: Apache-2.0
"""A draft under the hand: every verb of the new-job page, the frame that is looked at, undo. No widget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from kineograph.advise import Note
from kineograph.fixes import Fix, NotApplicable, Target, apply
from kineograph.motion import kinematics, quat
from kineograph_gui.model import posing
from kineograph_gui.model.draft import Block, Draft, Waypoint
from kineograph_gui.model.mending import Mending
from kineograph_gui.model.pins import Angles, Pin, angles_of, rotation_of
from kineograph_gui.model.posing import FloatArray, Pose
from kineograph_gui.model.take import Take
from kineograph_gui.model.words import say

MOST_UNDO = 100
LEAST_FRAMES = 1
MOST_FRAMES = 100_000
_LISTS = ("blocks", "keys", "waypoints", "pins", "other_constraints")


class Composer(QObject):
    """``changed`` after everything that changes what would be sent, or what is looked at."""

    changed = Signal()
    said = Signal(str)

    def __init__(self, spec_of: Callable[[str], Mapping[str, Any]], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._spec_of = spec_of
        self.draft = Draft()
        self.frame = 0
        self.mending: Mending | None = None
        self._hand: Pose | None = None
        self._past: list[Draft] = []
        self._is_moving = False

    # --- whole drafts -------------------------------------------------------------------------------------------------
    def take(self, draft: Draft) -> None:
        """Go on with another draft."""
        self._keep()
        self.draft = draft
        self._rig_changed()

    def open_rig(self, path: Path) -> None:
        """A rig from a file. Raises what the readers raise; nothing is changed then."""
        fresh = _copy(self.draft)
        fresh.open_rig(path)
        self.take(fresh)

    def open_clip(self, path: Path) -> None:
        """A clip to take poses from. Raises what the readers raise."""
        fresh = _copy(self.draft)
        fresh.open_clip(path)
        self._keep()
        self.draft = fresh
        self.changed.emit()

    def use_demo(self) -> None:
        """The character that comes with Kineograph."""
        fresh = _copy(self.draft)
        fresh.use_demo()
        self.take(fresh)

    def _rig_changed(self) -> None:
        self.frame, self._hand = 0, None
        self.mending = Mending(self.draft.rig) if self.draft.rig is not None else None
        self.changed.emit()

    def undo(self) -> None:
        """Back to how it was before the last change."""
        if self._past:
            same_rig = self._past[-1].rig is self.draft.rig
            self.draft = self._past.pop()
            self._hand = None
            if same_rig:
                self.changed.emit()
            else:
                self._rig_changed()

    def _keep(self) -> None:
        """Remember how it is, before a change; a drag is one change."""
        if self._is_moving:
            return
        self._past.append(_copy(self.draft))
        del self._past[:-MOST_UNDO]

    def begin_move(self) -> None:
        """A drag begins: its steps are undone together."""
        self._keep()
        self._is_moving = True

    def end_move(self) -> None:
        """The drag is over; a joint that was turned becomes a key."""
        self._is_moving = False
        if self._hand is not None:
            self._set_key(self._hand, say("new.key_hand"))

    def _done(self) -> None:
        self._hand = None
        self.changed.emit()

    # --- what is looked at --------------------------------------------------------------------------------------------
    @property
    def pose(self) -> Pose | None:
        """The figure at the frame."""
        if self.draft.rig is None:
            return None
        return self._hand if self._hand is not None else posing.at(self.draft, self.frame)

    @property
    def shown(self) -> Take | None:
        """The figure and what is around it, to be drawn."""
        pose = self.pose
        return posing.as_take(self.draft, pose) if pose is not None else None

    def seek(self, frame: int) -> None:
        """Look at a frame."""
        self.frame, self._hand = max(frame, 0), None
        self.changed.emit()

    @property
    def notes(self) -> list[Note]:
        """What to know before it is sent."""
        return self.draft.notes(self._spec_of(self.draft.model))

    @property
    def phrases(self) -> list[str]:
        """Prompts that the model knows by name."""
        spec = self._spec_of(self.draft.model)
        text = spec.get("text")
        known = text.get("phrases") if isinstance(text, Mapping) else spec.get("phrases")
        return [p for p in known if isinstance(p, str)] if isinstance(known, (list, tuple)) else []

    def apply_note(self, fix: Fix) -> bool:
        """Apply a note's fix to the draft; whether it fitted."""
        if fix.patch["target"] != Target.REQUEST:
            return False
        try:
            applied = apply(fix, self.draft.request())
        except NotApplicable as why:
            self.said.emit(say("problem.not_fit", why=why))
            return False
        fresh = Draft.of(applied.request, self.draft.character)
        fresh.rig, fresh.clip, fresh.clip_name = self.draft.rig, self.draft.clip, self.draft.clip_name
        self._keep()
        self.draft = fresh
        self.said.emit(say("problem.changed", said=applied.said))
        self._done()
        return True

    # --- prompts ------------------------------------------------------------------------------------------------------
    def add_block(self) -> int:
        """A free span at the end; its index."""
        self._keep()
        last = self.draft.blocks[-1].frames if self.draft.blocks else 90
        self.draft.blocks = [*self.draft.blocks, Block("", last)]
        self._done()
        return len(self.draft.blocks) - 1

    def set_block(self, index: int, *, prompt: str | None = None, frames: int | None = None) -> None:
        """Another prompt or length."""
        old = self.draft.blocks[index]
        new = replace(
            old,
            prompt=old.prompt if prompt is None else prompt,
            frames=old.frames if frames is None else min(max(frames, LEAST_FRAMES), MOST_FRAMES),
        )
        if new != old:
            self._keep()
            self.draft.blocks = [new if i == index else b for i, b in enumerate(self.draft.blocks)]
            self._done()

    # --- keys ---------------------------------------------------------------------------------------------------------
    def turn_joint(self, joint: int, axis: FloatArray, angle_rad: float) -> None:
        """Turn a joint about a world axis; ``end_move`` makes it a key."""
        pose = self.pose
        if pose is not None and self.draft.rig is not None:
            self._hand = posing.turned(pose, self.draft.rig, joint, axis, angle_rad)
            self.changed.emit()

    def add_key(self) -> None:
        """The figure as it stands, as a key at the frame."""
        pose = self.pose
        if pose is not None:
            self._set_key(pose, say("new.key_hand"))

    def key_from_clip(self, clip_frame: int) -> None:
        """A pose of the clip as a key at the frame."""
        if self.draft.clip is None or not 0 <= clip_frame < len(self.draft.clip):
            return
        self._keep()
        self.draft.add_key(self.frame, clip_frame)
        self._done()

    def _set_key(self, pose: Pose, said: str) -> None:
        assert self.draft.rig is not None
        self._keep()
        key = posing.as_key(pose, self.draft.rig, self.frame, said)
        others = [k for k in self.draft.keys if k.frame != self.frame]
        self.draft.keys = sorted([*others, key], key=lambda k: k.frame)
        self._done()

    # --- path and pins ------------------------------------------------------------------------------------------------
    def add_way(self, x_m: float | None = None, z_m: float | None = None, frame: int | None = None) -> None:
        """A waypoint at the frame; without a place, where the figure stands. On a frame that has one, a later one."""
        pose = self.pose
        if pose is None:
            return
        self._keep()
        at = self.frame if frame is None else frame
        taken = {w.frame for w in self.draft.waypoints}
        if x_m is not None and at in taken:
            at = min(max(taken) + 30, max(self.draft.frames - 1, max(taken) + 1))
        x = float(pose.root_m[0]) if x_m is None else x_m
        z = float(pose.root_m[2]) if z_m is None else z_m
        self.draft.add_waypoint(Waypoint(at, round(x, 3), round(z, 3)))
        self.frame = at
        self._done()

    def set_way(self, index: int, **changes: Any) -> None:
        """Another place, frame or facing of a waypoint."""
        self._keep()
        ways = list(self.draft.waypoints)
        rounded: dict[str, Any] = {k: round(v, 3) if isinstance(v, float) else v for k, v in changes.items()}
        ways[index] = replace(ways[index], **rounded)
        if len({w.frame for w in ways}) < len(ways):
            return  # two waypoints cannot share a frame: the one that is dragged stops before the other
        self.draft.waypoints = sorted(ways, key=lambda w: w.frame)
        self._done()

    def add_pin(self, joint: int) -> None:
        """A pin where a joint is now."""
        pose, rig = self.pose, self.draft.rig
        if pose is None or rig is None:
            return
        self._keep()
        x, y, z = (round(float(v), 3) for v in pose.positions_m(rig)[joint])
        self.draft.pins = [*self.draft.pins, Pin(self.frame, rig.names[joint], (x, y, z))]
        self._done()

    def set_pin(self, index: int, **changes: Any) -> None:
        """Another place (``position_m``), ``joint``, ``frame``, end (``last``) or direction of a pin.

        ``angles_deg`` from the joint's rest pose; ``directed``: as the joint stands at this frame, or free to turn.
        """
        pin = self.draft.pins[index]
        for name, value in changes.items():
            pin = self._changed_pin(pin, name, value)
        if pin != self.draft.pins[index]:
            self._keep()
            self.draft.pins = [pin if i == index else p for i, p in enumerate(self.draft.pins)]
            self._done()

    def _changed_pin(self, pin: Pin, name: str, value: Any) -> Pin:
        match name:
            case "position_m":
                return pin.at_place(value)
            case "frame":
                return pin.at_frame(value)
            case "last":
                return pin.until(value)
            case "angles_deg":
                return pin.directed(rotation_of(value, self._rest_of(pin)))
            case "directed":
                return pin.directed(self._turn_of(pin) if value else None)
            case _:
                return replace(pin, joint=value)

    def angles_of(self, pin: Pin) -> Angles | None:
        """Degrees by which a pin's joint is turned from its rest; None: it is free to turn."""
        return None if pin.rotation_xyzw is None else angles_of(pin.rotation_xyzw, self._rest_of(pin))

    def _rest_of(self, pin: Pin) -> FloatArray:
        rig = self.draft.rig
        if rig is None or pin.joint not in rig.index:
            return quat.identity()
        out: FloatArray = rig.rest_world_rotations_xyzw[rig.index[pin.joint]]
        return out

    def _turn_of(self, pin: Pin) -> FloatArray:
        """How a pin's joint is turned in the world, in the figure that is looked at."""
        pose, rig = self.pose, self.draft.rig
        if pose is None or rig is None or pin.joint not in rig.index:
            return self._rest_of(pin)
        out: FloatArray = kinematics.forward(rig, pose.rotations_xyzw, pose.root_m)[1][rig.index[pin.joint]]
        return out

    def stretch(self, kind: str, index: int, frame: int) -> None:
        """Hold a pin until a frame."""
        if kind == "pin":
            self.set_pin(index, last=frame)

    # --- any of them --------------------------------------------------------------------------------------------------
    def move(self, kind: str, index: int, frame: int) -> None:
        """A mark to another frame, or a prompt's end there."""
        frame = min(max(frame, 0), MOST_FRAMES)
        match kind:
            case "prompt":
                start = sum(b.frames for b in self.draft.blocks[:index])
                self.set_block(index, frames=frame - start)
            case "key":
                self._move_key(index, frame)
            case "way":
                self.set_way(index, frame=frame)
            case _:
                self.set_pin(index, frame=frame)

    def _move_key(self, index: int, frame: int) -> None:
        if any(k.frame == frame for k in self.draft.keys):
            return
        self._keep()
        moved = replace(self.draft.keys[index], frame=frame)
        others = [k for i, k in enumerate(self.draft.keys) if i != index]
        self.draft.keys = sorted([*others, moved], key=lambda k: k.frame)
        self._done()

    def remove(self, kind: str, index: int) -> None:
        """Take something out; the last prompt becomes a free span."""
        name = {"prompt": "blocks", "key": "keys", "way": "waypoints", "pin": "pins"}[kind]
        kept = [x for i, x in enumerate(getattr(self.draft, name)) if i != index]
        self._keep()
        setattr(self.draft, name, kept or ([Block()] if name == "blocks" else []))
        self._done()

    def set(self, **values: Any) -> None:
        """Model, samples, seed, character."""
        if any(getattr(self.draft, k) != v for k, v in values.items()):
            for name, value in values.items():
                setattr(self.draft, name, value)
            self.changed.emit()


def _copy(draft: Draft) -> Draft:
    out = copy(draft)
    for name in _LISTS:
        setattr(out, name, list(getattr(draft, name)))
    out.rest = dict(draft.rest)
    return out
