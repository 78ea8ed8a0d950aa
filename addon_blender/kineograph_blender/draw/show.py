# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a drawing up: a take's verdicts, or what would be sent."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import bpy

from .. import applying
from ..advice import Stray
from ..bridge import blockers, strips
from ..bridge.pace import whole
from ..bridge.request import Outgoing
from ..takes import Take
from . import sent, verdicts
from .state import Shown, drawn


def preview(character: str, parts: Sequence[Outgoing], model: Mapping[str, Any], stray: Stray | None = None) -> Shown:
    """What would be sent: its picture, its summary, advice, and what is left out. ``model``: what is known of it;
    ``stray``: see ``sent.advice``."""
    return whole(previewing(character, parts, model, stray))


def previewing(
    character: str, parts: Sequence[Outgoing], model: Mapping[str, Any], stray: Stray | None = None
) -> Generator[None, None, Shown]:
    """``preview`` in pieces."""
    pictures = []
    for part in parts:
        pictures.append((yield from sent.picturing(part)))
        yield
    title = sent.summary(parts) if parts else "nothing: every block in the range is locked or off"
    lines = tuple(sent.left_out(parts)) if parts else ()
    yield
    notes = tuple(sent.advice(parts, model, stray))
    drawn.preview = Shown(character, sent.joined(pictures), title, lines, notes)
    redraw()
    return drawn.preview


def take(found: Take, sample: int = 0, start: float | None = None, *, in_place: bool = False) -> Shown:
    """A take's verdicts; ``start``: the scene frame that it was written from, where that is not its own. ``in_place``:
    it was written without its way over the floor, and its verdicts stand where it shows."""
    return whole(_judging(found, sample, start, in_place))


def applied(found: Take, how: Mapping[str, Any]) -> None:
    """A take was written: its verdicts, and what else of the armature keeps it from showing."""
    whole(hear(found, how))


def _judging(found: Take, sample: int, start: float | None, in_place: bool) -> Generator[None, None, Shown]:
    later = 0 if start is None else round(start - found.start)
    seen = yield from verdicts.judging(found, sample, in_place=in_place)
    seen = [replace(v, frame=v.frame + later) for v in seen]
    yield
    picture = verdicts.picture(seen, sent.size_bu(found.rig))
    yield
    lines = tuple(verdicts.changed(found, later))
    drawn.preview = None  # that was sent, and this is what came of it
    drawn.verdicts = Shown(found.rig.armature, picture, found.label, lines, (), tuple(seen), (), found.id, sample)
    redraw()
    return drawn.verdicts


def hear(found: Take, how: Mapping[str, Any]) -> Generator[None, None, None]:
    """``applied`` in pieces of about a millisecond."""
    shown = yield from _judging(found, int(how.get("sample") or 0), how.get("start"), bool(how.get("in_place")))
    yield
    if drawn.verdicts is not shown:
        return  # something else came meanwhile
    armature = bpy.data.objects.get(str(how.get("armature") or found.rig.armature))
    if armature is None or armature.type != "ARMATURE":
        return
    bones = dict.fromkeys(c.bone for c in held_by(armature, found))
    drawn.verdicts = replace(shown, character=armature.name, lines=(*_missed(found), *shown.lines), held=tuple(bones))


def settle() -> None:
    """After an undo or redo: drop verdicts on what does not show any more."""
    seen = drawn.verdicts
    if seen is None:
        return
    armature = bpy.data.objects.get(seen.character)
    if armature is None or armature.type != "ARMATURE" or not _shows(armature, seen):
        drawn.verdicts = None
        redraw()


def _shows(armature: Any, seen: Shown) -> bool:
    return applying.shown_origin(armature) == (seen.take, seen.sample) or bool(strips.of_take(armature, seen.take))


def held_by(armature: Any, found: Take) -> list[blockers.BoneConstraint]:
    """Constraints at work on the bones of a take: Blender shows what they say."""
    names = found.applied[-1].renamed if found.applied else {}
    here = [name for old in found.rig.names if (name := names.get(old, old)) in armature.pose.bones]
    return blockers.constraints_on(armature, here)


def _missed(found: Take) -> list[str]:
    missed = found.applied[-1].missed_m if found.applied else {}
    muted = len(found.applied[-1].muted) if found.applied else 0
    worst = sorted(missed, key=lambda name: -missed[name])[:3]
    lines = [f"{name} is connected to its parent and stays {100 * missed[name]:.1f} cm off" for name in worst]
    if muted:
        lines.append(f"{muted} constraint{'s rest' if muted > 1 else ' rests'} while the take shows; Reject wakes them")
    return lines


def redraw() -> None:
    """Show what changed."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "DOPESHEET_EDITOR"):
                area.tag_redraw()
