# SPDX-License-Identifier: Apache-2.0
"""What ``Client.retarget`` sends, and the clip in what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kineograph.client.result import Result
from kineograph.motion.clip import Clip
from kineograph.motion.packed import clip_map, skeleton_map
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs.profiles import Profile, dumps


def request(
    clip: Clip,
    target: Skeleton,
    *,
    source_profile: Profile | None = None,
    target_profile: Profile | None = None,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A retarget request: ``clip`` onto ``target``. ``options``: root, feet, hands, mirror, fps_hz, rest,
    travel_scale, floor_m; profiles say which joint plays which role where names do not."""
    out: dict[str, Any] = {"clip": clip_map(clip), "target": skeleton_map(target), "options": dict(options or {})}
    for key, profile in (("source_profile", source_profile), ("target_profile", target_profile)):
        if profile is not None:
            out[key] = dumps(profile)
    return out


def carried(result: Result, target: Skeleton, name: str = "") -> Clip:
    """The clip of a retarget's result on ``target``, with the root policy ``object``'s travel left aside."""
    return replace(result.clip(0, target), name=name)
