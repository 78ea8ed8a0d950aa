# SPDX-License-Identifier: GPL-3.0-or-later
"""From settings to what is asked: the character in view, the frames, the model and its options as one ``Direction``."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import bpy

from . import direction, link, props, session
from .bridge import marks
from .bridge.bones import Which
from .bridge.keys import KeyMode
from .bridge.request import Direction, scene_span

_last: dict[int, tuple[int, str]] = {}
"""The character that was active last, by scene: both by ``session_uid``, and its name."""
MOST_SEED = 9_999
"""Of those that the dice throw: short enough to be remembered and said."""


def character_of(context: Any) -> Any:
    """The armature that the panels are about: the pinned one, else the active one, else the one that was active last.

    A mesh speaks for the armature that deforms it, a path, pin or waypoint for its character; while something else is
    active, the last character stays, or the only one of the scene. None when there is none.
    """
    scene = context.scene
    settings = scene.kineograph
    if settings.is_pinned and settings.character is not None and props.is_in(scene, settings.character):
        return settings.character
    active = getattr(context, "active_object", None)
    found = _spoken_for(active) if active is not None else None
    if found is not None:
        _last[int(scene.session_uid)] = int(found.session_uid), str(found.name)
        return found
    return _last_of(scene)


@contextmanager
def in_view(context: Any, armature: Any) -> Iterator[None]:
    """For a moment the panels' buttons are about this character, whatever is selected or pinned."""
    if character_of(context) == armature:
        yield
        return
    settings = context.scene.kineograph
    before = settings.character, settings.is_pinned
    settings.character, settings.is_pinned = armature, True
    try:
        yield
    finally:
        settings.character, settings.is_pinned = before


def _spoken_for(active: Any) -> Any:
    if active.type == "ARMATURE":
        return active
    deforming = active.find_armature() if active.type == "MESH" else None
    return deforming or marks.character_of(active)


def _last_of(scene: Any) -> Any:
    """Looked up anew each time: nothing of Blender's is held. Quick, because panels ask at every drawing."""
    uid, name = _last.get(int(scene.session_uid), (0, ""))
    found = scene.objects.get(name)
    if found is not None and int(found.session_uid) == uid:
        return found
    if not uid and len(bpy.data.armatures) != 1:
        return None
    here = [o for o in scene.objects if o.type == "ARMATURE"]
    renamed = next((o for o in here if int(o.session_uid) == uid), None)
    if renamed is not None:
        _last[int(scene.session_uid)] = uid, renamed.name
    return renamed or (here[0] if len(here) == 1 else None)


def span_of(armature: Any, scene: Any) -> tuple[int, int]:
    """First and last scene frame to generate, both included."""
    settings = scene.kineograph
    if settings.span == "OWN":
        return int(settings.start), int(settings.end)
    if settings.span in ("BLOCKS", "ACTIVE"):
        found = direction.span_of(armature)
        if found is not None:
            return found
    return scene_span(scene)


def active_block(armature: Any) -> int | None:
    """The index of the block that is active in the list; None where there are no blocks."""
    wishes = armature.kineograph_direction
    return min(max(int(wishes.active), 0), len(wishes.blocks) - 1) if len(wishes.blocks) else None


def chosen_blocks(armature: Any, scene: Any) -> Collection[int] | None:
    """The blocks that the scene's range is about; None for all."""
    active = active_block(armature)
    return None if scene.kineograph.span != "ACTIVE" or active is None else (active,)


def direction_of(armature: Any, scene: Any, model: str, span: tuple[int, int] | None = None) -> Direction:
    """What the settings ask of a character. ``model`` is an id of the daemon's, or empty for its default; ``span``
    overrides the range."""
    first, last = span or span_of(armature, scene)
    wishes = armature.kineograph
    return Direction(
        model=model,
        start=first,
        end=last,
        blocks=direction.blocks_of(armature, first, last),
        keys=KeyMode(wishes.keys),
        bones=Which(wishes.bones),
        root=wishes.root or None,
        use_paths=wishes.use_paths,
        use_pins=wishes.use_pins,
        options=options_of(scene),
    )


def renewed(armature: Any, asked: Direction) -> Direction:
    """``asked`` with the character's settings of now: which bones, which root, which directions."""
    wishes = armature.kineograph
    return replace(
        asked,
        bones=Which(wishes.bones),
        root=wishes.root or None,
        keys=KeyMode(wishes.keys),
        use_paths=wishes.use_paths,
        use_pins=wishes.use_pins,
    )


def directions_of(
    armature: Any, scene: Any, model: str, span: tuple[int, int] | None = None, only: Collection[int] | None = None
) -> list[Direction]:
    """``direction_of`` as one request for each stretch between locked blocks; ``only`` these blocks, where given."""
    only = chosen_blocks(armature, scene) if only is None else only
    return direction.parts_of(armature, direction_of(armature, scene, model, span), only)


def stray(armature: Any, scene: Any, frames: Sequence[int]) -> tuple[int, ...]:
    """Of some scene frames, those at which nothing is generated though nobody said so: past the blocks, or where there
    are none past the scene's range. A range of one's own is the user's word."""
    first, last = span_of(armature, scene)
    hull = direction.span_of(armature)
    if scene.kineograph.span == "OWN":
        frames = [f for f in frames if first <= f <= last and hull is not None]
    first, last = hull or (first, last)
    return tuple(f for f in frames if not first <= f <= last)


def frames_in_words(armature: Any, scene: Any, only: Collection[int] | None = None) -> str:
    """The frames that will be generated: '1-150', or '1-40, 61-150' around a locked block; empty for none."""
    only = chosen_blocks(armature, scene) if only is None else only
    runs = direction.runs_of(armature, span_of(armature, scene), only)
    return ", ".join(f"{run.first}-{run.last}" for run in runs)


def options_of(scene: Any) -> dict[str, Any]:
    """The options that are sent: samples, the seed, and what the user set of the model's own."""
    settings = scene.kineograph
    out: dict[str, Any] = {"seed": int(settings.seed)}
    if settings.samples != 1:
        out["num_samples"] = int(settings.samples)
    if settings.thin and can_thin(scene):
        out["keyframe_budget"] = float(settings.thin_cm) / 100.0
    own = {item.name: item.value() for item in settings.options}
    if own:
        out["model_options"] = own
    return out


def can_thin(scene: Any) -> bool:
    """Whether the scene's model can answer with fewer keys; where nobody knows yet, it is asked."""
    model = session.current().models.get(str(scene.kineograph.model))
    return model is None or bool(model.facts.get("supports_keyframe_reduction"))


def throw_dice(scene: Any) -> int:
    """A new seed for this scene."""
    settings = props.of_scene(scene)
    settings.seed = random.randint(1, MOST_SEED)
    return int(settings.seed)


def why_not(armature: Any, scene: Any) -> str:
    """Why nothing can be generated now, in a sentence; empty when it can."""
    first, last = span_of(armature, scene)
    if last < first:
        return f"The range ends at {last}, before it starts at {first}."
    if armature.mode == "EDIT":
        return "Leave Edit Mode first."
    if not frames_in_words(armature, scene):
        return "Every block in the range is locked or off."
    return ""


def regenerate(
    context: Any, span: tuple[int, int], lead: int = 8, redo: tuple[str, Mapping[str, Any]] = ("", {})
) -> session.Job | None:
    """Send a range of what a character shows to be made anew, with ``lead`` frames beside it locked as they are.

    The result is written over the range when it comes; every frame outside stays as it is shown.
    """
    scene, armature = context.scene, character_of(context)
    props.of_character(armature)
    asked = direction_of(armature, scene, scene.kineograph.model, span)
    asked = replace(asked, lead_in=lead, lead_out=lead)
    link.ensure()
    current = session.current()
    how = {"armature": armature.name, "scene": scene.name, "over": True}
    label = f"frames {span[0]}-{span[1]}"
    if not session.turns():
        return current.generate(armature, scene, asked, label, how)
    current.generate_soon(armature, scene, asked, label, how, redo)
    return None
