# SPDX-License-Identifier: GPL-3.0-or-later
"""A character's direction as it is saved: ``object.kineograph_direction``. Plain values come out of it and go back."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, IntProperty, StringProperty

from ..bridge.blocks import Block
from ..props import migrate

log = logging.getLogger(__name__)

VERSION = 1
"""Of a character's direction."""

STEPS: Mapping[int, migrate.Step] = {}
"""From a version to the next: what changes in directions that were written with it."""

PICKS = (
    ("all", "All keys", "Every key of yours in the range"),
    ("selected_keys", "Selected keys", "Keys that are selected in the Dope Sheet or the Graph Editor"),
    ("selected_bones", "Selected bones", "Keys of the bones that are selected in Pose Mode"),
)
BEGINNINGS = (
    ("FREE", "Freely", "As the keys, the path or the model want it"),
    ("POSE", "In the current pose", "In the pose that is shown now, keyed or not"),
    ("TAKE", "Out of what is there", "Going on from the motion that is shown before the first frame"),
)


class KINEOGRAPH_PG_block(bpy.types.PropertyGroup):
    """One prompt over a stretch of frames, both ends included."""

    name: StringProperty(name="Prompt", description="What the character does; without words the model is free")
    start: IntProperty(name="Start", description="First frame of the block", default=1)
    end: IntProperty(name="End", description="Last frame of the block", default=60)
    use_seed: BoolProperty(name="Own seed", description="This block has a seed of its own")
    seed: IntProperty(name="Seed", description="The block's own seed", min=0)
    is_enabled: BoolProperty(name="Enabled", description="A block that is off is as if it were not there", default=True)
    is_locked: BoolProperty(name="Locked", description="Its motion stays, and its neighbours run into it")


class KINEOGRAPH_PG_direction(bpy.types.PropertyGroup):
    """A character's direction; ``version`` is 0 until it is first used."""

    version: IntProperty(name="Version of these settings", options={"HIDDEN"})
    blocks: CollectionProperty(type=KINEOGRAPH_PG_block, name="Blocks", description="Prompts over stretches of frames")
    active: IntProperty(name="Active block", description="The block that buttons and shortcuts are about")
    take_along: BoolProperty(
        name="Take keys along",
        description="Moving or resizing a block moves your keys inside it too, also those that you set on a take, and"
        " pins, waypoints and path frames",
    )
    pick: EnumProperty(items=PICKS, name="Which", description="Which of your keys count")
    use_waypoints: BoolProperty(
        name="Waypoints", description="Be at this character's waypoints at their frames", default=True
    )
    begin: EnumProperty(items=BEGINNINGS, name="Start", description="How the motion begins")
    use_end: BoolProperty(name="End in the pose of frame", description="End in the pose that is shown at a frame")
    end_frame: IntProperty(name="Frame", description="The frame whose pose the motion ends in", default=1)
    end_place: BoolProperty(name="And its place", description="End where the character stands at that frame, too")


CLASSES = (KINEOGRAPH_PG_block, KINEOGRAPH_PG_direction)


def read(armature: Any) -> tuple[Block, ...]:
    """A character's blocks as values, in the order of the list."""
    return tuple(
        Block(
            start=int(b.start),
            end=max(int(b.end), int(b.start)),
            prompt=str(b.name),
            seed=int(b.seed) if b.use_seed else None,
            enabled=bool(b.is_enabled),
            locked=bool(b.is_locked),
        )
        for b in armature.kineograph_direction.blocks
    )


def write(armature: Any, blocks: Sequence[Block], active: int | None = None) -> None:
    """Blocks as they are to be, and which one is active."""
    wishes = touch(armature)
    while len(wishes.blocks) > len(blocks):
        wishes.blocks.remove(len(wishes.blocks) - 1)
    while len(wishes.blocks) < len(blocks):
        wishes.blocks.add()
    for item, block in zip(wishes.blocks, blocks, strict=True):
        item.name, item.start, item.end = block.prompt, block.start, block.end
        item.use_seed, item.seed = block.seed is not None, block.seed or 0
        item.is_enabled, item.is_locked = block.enabled, block.locked
    last = max(len(blocks) - 1, 0)
    wishes.active = min(wishes.active if active is None else active, last)


def touch(armature: Any) -> Any:
    """A character's direction, to be written to: it says its version from now on."""
    wishes = armature.kineograph_direction
    if wishes.version == 0:
        wishes.version = VERSION
    return wishes


def migrate_all() -> None:
    """Bring the directions of a file that was loaded up to this version."""
    for owner in bpy.data.objects:
        if owner.type == "ARMATURE":
            for said in migrate.migrate(owner.kineograph_direction, STEPS, VERSION):
                log.info("%s's direction: %s", owner.name, said)
