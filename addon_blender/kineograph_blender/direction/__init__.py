# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a character over time: its blocks, which keys count, how it starts and ends."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import bpy

from ..bridge import blocks as algebra
from ..bridge import marks
from ..bridge.blocks import Block, Run
from ..bridge.keys import Pick
from ..bridge.request import Direction
from . import props

CLASSES = props.CLASSES
LEAD_FRAMES = 2
"""So many frames of a motion that stays are sent along at each seam: two give the place and the speed."""


def attach() -> None:
    """Hang a character's direction on its armature object."""
    bpy.types.Object.kineograph_direction = bpy.props.PointerProperty(type=props.KINEOGRAPH_PG_direction)
    bpy.app.handlers.load_post.append(bpy.app.handlers.persistent(_loaded))


def detach() -> None:
    """Take it off again; what was saved stays in the file."""
    if _loaded in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.remove(_loaded)
    if hasattr(bpy.types.Object, "kineograph_direction"):
        del bpy.types.Object.kineograph_direction


def _loaded(*_: Any) -> None:
    props.migrate_all()
    marks.let_go()


def blocks_of(armature: Any, first: int, last: int) -> tuple[Block, ...]:
    """The character's blocks; where it has none, its one prompt from ``first`` to ``last``, both included."""
    found = props.read(armature)
    if found:
        return found
    prompt = str(armature.kineograph.prompt).strip()
    return (Block(first, last, prompt),) if prompt else ()


def span_of(armature: Any) -> tuple[int, int] | None:
    """First and last scene frame that the blocks ask for; None where there are none."""
    return algebra.hull(props.read(armature))


def runs_of(armature: Any, span: tuple[int, int], only: Collection[int] | None = None) -> list[Run]:
    """The stretches to generate within ``span``: exactly the unlocked blocks, with the gaps beside them.

    ``only``: indices of blocks; all others keep their motion.
    """
    return algebra.runs(props.read(armature), span, only)


def parts_of(armature: Any, whole: Direction, only: Collection[int] | None = None) -> list[Direction]:
    """``whole`` as one direction for each stretch, with the motion beside it locked at its seams."""
    wishes = armature.kineograph_direction
    runs = runs_of(armature, whole.span, only)
    return [_part(wishes, whole, run, n == 0, n == len(runs) - 1) for n, run in enumerate(runs)]


def _part(wishes: Any, whole: Direction, run: Run, is_first: bool, is_last: bool) -> Direction:
    goes_on = is_first and wishes.begin == "TAKE"
    ends_in = int(wishes.end_frame) if is_last and wishes.use_end and not run.after else None
    return replace(
        whole,
        start=run.first,
        end=run.last,
        pick=Pick(wishes.pick),
        use_waypoints=bool(wishes.use_waypoints),
        lead_in=LEAD_FRAMES if run.before or goes_on else 0,
        lead_out=LEAD_FRAMES if run.after else 0,
        start_pose=is_first and wishes.begin == "POSE" and not run.before,
        end_pose=ends_in,
        end_place=bool(wishes.end_place),
    )
