# SPDX-License-Identifier: Apache-2.0
"""What may be chosen about a retarget. Everything has a default that is right for most clips."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RootPolicy(StrEnum):
    """Where the travel goes. ``hips`` moves the hips; ``root`` the root bone (floor path and yaw), the hips only what
    is left; ``object`` takes it off the skeleton and returns it beside the clip."""

    HIPS = "hips"
    ROOT = "root"
    OBJECT = "object"


class Rest(StrEnum):
    """Which pose of the source stands for the target's rest pose."""

    AUTO = "auto"
    BIND = "bind"
    ZERO = "zero"
    FIRST = "first"
    BEST = "best"


@dataclass(frozen=True)
class Options:
    """``fps_hz`` None keeps the clip's rate. ``travel_scale`` None is the ratio of the leg lengths.

    ``floor_m`` is the height that the result stands on; None keeps the source's heights, scaled. ``threads`` share the
    frames of one clip: worth it for one long clip, not where many clips share the cores.
    """

    root: RootPolicy = RootPolicy.HIPS
    feet: bool = True
    hands: bool = False
    mirror: bool = False
    fps_hz: float | None = None
    rest: Rest = Rest.AUTO
    travel_scale: float | None = None
    floor_m: float | None = 0.0
    threads: int = 1
