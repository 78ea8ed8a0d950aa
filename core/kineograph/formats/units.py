# SPDX-License-Identifier: Apache-2.0
"""Lengths in files that do not say their unit.

BVH has no unit. A rest pose of up to ``LARGEST_M`` is taken to be in metres; a larger one is read in the first unit
that makes it the size of a character, or left alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kineograph.formats.asset import Asset
from kineograph.motion import axes
from kineograph.motion.skeleton import Skeleton

LARGEST_M = 12.0
CHARACTER_M = (0.5, 4.0)
# The CMU motion capture database: lengths in inches times 0.45 (its FAQ on skeleton files).
UNITS = (("centimetres", 0.01), ("CMU units (inches x 0.45)", 0.0254 / 0.45), ("millimetres", 0.001))


def guess(skeleton: Skeleton) -> tuple[float, str]:
    """Metres per unit, and what was decided as a sentence ("" for metres)."""
    size = float(np.ptp(skeleton.rest_positions_m, axis=0).max())
    if size <= LARGEST_M:
        return 1.0, ""
    for name, metres in UNITS:
        if CHARACTER_M[0] <= size * metres <= CHARACTER_M[1]:
            return metres, f"The rest pose is {size:.4g} units large: lengths were read as {name}."
    return 1.0, f"The rest pose is {size:.4g} units large: no unit fits a character, lengths were read as metres."


def in_metres(asset: Asset, metres_per_unit: float | None) -> Asset:
    """``asset`` with its lengths multiplied; None guesses and leaves a note in the source."""
    factor, note = (metres_per_unit, "") if metres_per_unit is not None else guess(asset.skeleton)
    if not factor > 0:
        raise ValueError(f"metres_per_unit must be above 0, got {factor}")
    notes = (*asset.source.notes, note) if note else asset.source.notes
    source = replace(asset.source, metres_per_unit=factor, notes=notes)
    if factor == 1.0:
        return replace(asset, source=source)
    clips = tuple(axes.scale_clip(clip, factor) for clip in asset.clips)
    return Asset(axes.scale_skeleton(asset.skeleton, factor), clips, source)
