# SPDX-License-Identifier: GPL-3.0-or-later
"""What the buttons of notes do: in the scene, because nothing was sent yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kineograph.fixes import Fix

from .. import plan, props
from ..advice import Advice
from ..bridge import blocks as algebra
from ..bridge import keymarks, marks
from ..bridge.blocks import Block, Side
from ..direction import along
from ..direction import props as saved
from .work import CannotMend


@dataclass(frozen=True, eq=False)
class _Advised:
    """A fix of a note: ``args`` are its own, in frames from ``advice.first``."""

    context: Any
    armature: Any
    advice: Advice
    args: Mapping[str, Any]

    @property
    def scene(self) -> Any:
        return self.context.scene

    def ref(self, index: Any) -> Mapping[str, Any]:
        refs = self.advice.refs
        return refs[index] if isinstance(index, int) and index < len(refs) else {}

    def thing(self, ref: Mapping[str, Any]) -> Any:
        found = self.scene.objects.get(str(ref.get("object") or ""))
        if found is None:
            raise CannotMend(f"'{ref.get('object')}' is gone.")
        return found


def carry_out(context: Any, armature: Any, advice: Advice, fix: Fix) -> str:
    """Do what a fix of a note says; returns what was done. Raises ``CannotMend``."""
    return ACTIONS[fix.patch["action"]](_Advised(context, armature, advice, dict(fix.patch["args"])))


def is_offered(fix: Fix) -> bool:
    """Whether this add-on can do that to a scene."""
    return fix.patch["action"] in ACTIONS


def last_frame(armature: Any, scene: Any, frame: int) -> str:
    """The motion lasts until this scene frame at least: the last block grows, and the range where it is too short.

    Raises ``CannotMend`` for a block that is locked.
    """
    settings = props.of_scene(scene)
    blocks = saved.read(armature)
    said = []
    if blocks:
        at = plan.active_block(armature) if settings.span == "ACTIVE" else _last(blocks)
        if at is None:
            raise CannotMend("Every block is off.")
        if blocks[at].end < frame and blocks[at].locked:
            raise CannotMend("The last block is locked.")
        if blocks[at].end < frame:
            saved.write(armature, algebra.resize(blocks, at, Side.END, frame), active=at)
            said.append(f"The block '{blocks[at].prompt or 'free'}' ends at {frame} now.")
    first, last = plan.span_of(armature, scene)
    if last < frame:
        settings.span, settings.start, settings.end = "OWN", first, frame
        said.append(f"The range is {first} to {frame} now.")
    return " ".join(said)


def only_until(armature: Any, scene: Any, frame: int) -> str:
    """The range ends at this scene frame; blocks, keys and pins stay as they are."""
    settings = props.of_scene(scene)
    first, _ = plan.span_of(armature, scene)
    settings.span, settings.start, settings.end = "OWN", first, max(frame, first)
    return f"The range is {first} to {settings.end} now."


def other_prompt(armature: Any, old: str, new: str) -> str:
    """Other words, wherever in the scene the old ones stand."""
    blocks = saved.read(armature)
    if any(b.prompt == old for b in blocks):
        saved.write(armature, [replace(b, prompt=new) if b.prompt == old else b for b in blocks])
    else:
        props.of_character(armature).prompt = new
    return f"The prompt is '{new}' now."


def move_mark(marked: Any, frame: int) -> str:
    """A mark that stands outside goes to this scene frame; one that holds over a span ends or begins there."""
    first, last = marks.frames_of(marked) or (frame, frame)
    length = 0 if marks.role_of(marked) is marks.Role.WAYPOINT else last - first
    span = (frame - length, frame) if last > frame else (frame, frame + length)
    marks.set_frames(marked, span)
    at = f"frame {span[0]}" if span[0] == span[1] else f"frames {span[0]} to {span[1]}"
    return f"'{marked.name}' is at {at} now."


def _last(blocks: tuple[Block, ...]) -> int | None:
    used = [i for i, b in enumerate(blocks) if b.enabled]
    return max(used, key=lambda i: blocks[i].end, default=None)


def _extend(it: _Advised) -> str:
    return last_frame(it.armature, it.scene, it.advice.first + int(it.args["frame"]))


def _move(it: _Advised) -> str:
    ref, frame = it.ref(it.args["path"][1]), it.advice.first + int(it.args["to"])
    if ref.get("kind") != "key":
        return move_mark(it.thing(ref), frame)
    at = int(ref["frame"])
    if along.keys_at(it.armature, at) & along.keys_at(it.armature, frame):
        raise CannotMend(f"There are keys at {frame} already: move it by hand, or leave it out.")
    moved = along.take_along(it.armature, it.scene, Block(at, at), Block(frame, frame), keys_only=True)
    if not moved.keys and not moved.marks:
        raise CannotMend(f"The key at {at} cannot be moved.")
    return f"The key at {at} is at {frame} now."


def _drop(it: _Advised) -> str:
    """Out of what is asked: objects and keys stay in the scene."""
    frames = {int(ref["frame"]) for ref in it.advice.refs if ref.get("kind") == "key"}
    for bone in it.armature.pose.bones if frames else ():
        keymarks.unmark(bone, frames)
    things = [it.thing(ref) for ref in it.advice.refs if ref.get("kind") != "key"]
    for thing in things:
        marks.unmark(thing)
    named = [f"'{t.name}'" for t in things] + [f"the keys at {f}" for f in sorted(frames)]
    text = ", ".join(named[:6]) + (f" and {len(named) - 6} more" if len(named) > 6 else "")
    return f"{text[:1].upper()}{text[1:]} {'asks' if len(named) == 1 and things else 'ask'} nothing any more."


def _slower(it: _Advised) -> str:
    """More frames for the same way."""
    frames, was = int(it.args["frames"]), plan.span_of(it.armature, it.scene)
    scale = frames / max(was[1] - was[0] + 1, 1)
    said = last_frame(it.armature, it.scene, was[0] + frames - 1)
    for ref in it.advice.refs:
        span = marks.frames_of(it.thing(ref)) if ref.get("kind") == "path" else None
        if span is not None:
            marks.set_frames(it.thing(ref), (span[0], span[0] + round((span[1] - span[0]) * scale)))
    return said


def _shorten(it: _Advised) -> str:
    return only_until(it.armature, it.scene, it.advice.first + int(it.args["frames"]) - 1)


def _prompt(it: _Advised) -> str:
    return other_prompt(it.armature, it.advice.prompts[int(it.args["index"])], str(it.args["prompt"]))


def _select(it: _Advised) -> str:
    ref = it.args.get("ref") or {}
    thing = it.armature if ref.get("kind") in ("key", "character", "root") else it.thing(ref)
    for other in it.context.view_layer.objects:
        other.select_set(other == thing)
    it.context.view_layer.objects.active = thing
    return f"'{thing.name}' is selected."


ACTIONS: Mapping[str, Callable[[_Advised], str]] = {
    "extend_to": _extend,
    "move_frame": _move,
    "drop_outside_frames": _drop,
    "slow_down": _slower,
    "shorten": _shorten,
    "replace_prompt": _prompt,
    "select": _select,
}
