# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's word on what is a key pose: marks on pose bones, which follow renames, duplicates and file load.

A mark makes what is shown at a frame a key of that bone whether anything is keyed there or not; "unmarked" means that
no key there counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_MARKED = "kineograph_key_at"
_UNMARKED = "kineograph_no_key_at"


def marked(bone: Any) -> set[int]:
    """Frames that are key poses of this bone by the user's word."""
    return _read(bone, _MARKED)


def unmarked(bone: Any) -> set[int]:
    """Frames at which no key of this bone counts."""
    return _read(bone, _UNMARKED)


def mark(bone: Any, frames: Iterable[int]) -> None:
    """What is shown at these frames is a key pose of this bone."""
    _set(bone, _MARKED, marked(bone) | set(frames))
    _set(bone, _UNMARKED, unmarked(bone) - set(frames))


def unmark(bone: Any, frames: Iterable[int]) -> None:
    """No key of this bone counts at these frames."""
    _set(bone, _UNMARKED, unmarked(bone) | set(frames))
    _set(bone, _MARKED, marked(bone) - set(frames))


def clear(bone: Any, frames: Iterable[int] | None = None) -> None:
    """Back to what the keys themselves say, at these frames or all."""
    gone = marked(bone) | unmarked(bone) if frames is None else set(frames)
    _set(bone, _MARKED, marked(bone) - gone)
    _set(bone, _UNMARKED, unmarked(bone) - gone)


def moved(bone: Any, frames: dict[int, int]) -> None:
    """Marks at some frames go to others."""
    for key in (_MARKED, _UNMARKED):
        at = _read(bone, key)
        if at & frames.keys():
            _set(bone, key, {frames.get(f, f) for f in at})


def _read(bone: Any, key: str) -> set[int]:
    found = bone.get(key)  # of hundreds of bones hardly one
    return set() if found is None else {int(f) for f in found}


def _set(bone: Any, key: str, frames: set[int]) -> None:
    if frames:
        bone[key] = sorted(frames)
    elif key in bone.keys():  # noqa: SIM118  # an RNA struct
        del bone[key]
