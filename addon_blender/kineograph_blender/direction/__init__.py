# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a character over time."""

from __future__ import annotations

from typing import Any

from ..bridge.request import Block


def blocks_of(armature: Any, first: int, last: int) -> tuple[Block, ...]:
    """The prompts between two scene frames, both included: the character's one prompt over all of them."""
    prompt = str(armature.kineograph.prompt).strip()
    return (Block(first, last, prompt),) if prompt else ()


def span_of(armature: Any) -> tuple[int, int] | None:
    """First and last scene frame that the blocks ask for; None where there are none."""
    return None
