# SPDX-License-Identifier: Apache-2.0
"""Motion references whose numbers travel as binary arrays.

A clip of 900 frames and 77 joints is 277,200 numbers: as nested lists it costs hundreds of milliseconds in the
schema, as one array it costs one pass of numpy. So the arrays are taken out, checked here by the schema's own
rules, and a two-frame stand-in is what the schema reads in their place; afterwards the arrays become the segment's
``rotations`` and ``root_positions``. Backbones read both forms with ``np.asarray``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from motionmcp.schemas import FiniteQuaternion, FiniteVec3, GenerateRequest
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError

Array = NDArray[Any]
Record = dict[str, Any]

_FIELDS = ("rotations", "root_positions")
_LISTS: dict[str, TypeAdapter[Any]] = {
    "rotations": TypeAdapter(Annotated[list[list[FiniteQuaternion]], Field(min_length=2)]),
    "root_positions": TypeAdapter(Annotated[list[FiniteVec3], Field(min_length=2)]),
}
_REST = (0.0, 0.0, 0.0, 1.0)
_ORIGIN = (0.0, 0.0, 0.0)


@dataclass
class Clip:
    """One clip's arrays: ``rotations`` (T, J, 4) xyzw and ``root_positions`` (T, 3) metres, and what is wrong with
    them, in the form of the schema's own error records."""

    segment: int
    rotations: Array | None = None
    root_positions: Array | None = None
    faults: list[Record] = field(default_factory=list)

    def fault(self, kind: str, where: tuple[str | int, ...], message: str, got: Any) -> None:
        """Note one thing wrong, at ``where`` inside the segment."""
        loc = ["segments", self.segment, "motion_reference", *where]
        self.faults.append({"type": kind, "loc": loc, "msg": message, "input": got})


def detach(payload: Any) -> tuple[Any, list[Clip]]:
    """``(payload for the schema, clips)``: a payload without binary clips is returned as it is."""
    segments = payload.get("segments") if isinstance(payload, dict) else None
    if not isinstance(segments, list):
        return payload, []
    clips: list[Clip] = []
    light = list(segments)
    for index, segment in enumerate(segments):
        if _is_binary(segment):
            clip = _read(index, segment)
            clips.append(clip)
            light[index] = _stand_in(segment)
    return ({**payload, "segments": light}, clips) if clips else (payload, [])


def attach(request: GenerateRequest, clips: list[Clip]) -> None:
    """Put the arrays of faultless clips in place of their stand-ins."""
    for clip in clips:
        segment: Any = request.segments[clip.segment]
        segment.rotations = clip.rotations
        segment.root_positions = clip.root_positions


def _is_binary(segment: Any) -> bool:
    return (
        isinstance(segment, dict)
        and isinstance(kind := segment.get("type"), str)  # an array would be compared element by element
        and kind == "motion_reference"
        and any(isinstance(segment.get(name), np.ndarray) for name in _FIELDS)
        and all(name in segment for name in _FIELDS)
    )


def _stand_in(segment: Mapping[str, Any]) -> dict[str, Any]:
    names = segment.get("joint_names")
    joints = len(names) if isinstance(names, (list, tuple)) else 1
    return {**segment, "rotations": [[_REST] * joints] * 2, "root_positions": [_ORIGIN] * 2}


def _read(index: int, segment: Mapping[str, Any]) -> Clip:
    clip = Clip(index)
    clip.rotations = _as_array(clip, "rotations", segment["rotations"], 3, 4)
    clip.root_positions = _as_array(clip, "root_positions", segment["root_positions"], 2, 3)
    _check_together(clip, segment.get("joint_names"))
    return clip


def _as_array(clip: Clip, name: str, value: Any, dimensions: int, width: int) -> Array | None:
    """The checked array of one field; None once it has a fault."""
    if not isinstance(value, np.ndarray):
        return _from_lists(clip, name, value)
    form = "(T, J, 4)" if name == "rotations" else "(T, 3)"
    if value.ndim != dimensions or value.shape[-1] != width or value.dtype.kind not in "fiub":
        clip.fault("value_error", (name,), f"{name} must be an array of shape {form}, got {value.shape}", value)
    elif len(value) < 2:
        clip.fault("too_short", (name,), f"{name} must have at least 2 frames, got {len(value)}", value)
    elif value.dtype.kind == "f" and not np.isfinite(value).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(value))[0])
        clip.fault("finite_number", (name, *at), "every number must be finite", float(value[at]))
    else:
        return value
    return None


def _from_lists(clip: Clip, name: str, value: Any) -> Array | None:
    try:
        return np.asarray(_LISTS[name].validate_python(value), dtype=np.float64)
    except ValidationError as exc:
        for record in exc.errors(include_url=False, include_context=False):
            clip.fault(record["type"], (name, *record["loc"]), record["msg"], record["input"])
    except ValueError:
        clip.fault("value_error", (name,), "every frame must have the same number of joints", value)
    return None


def _check_together(clip: Clip, joint_names: Any) -> None:
    rotations, roots = clip.rotations, clip.root_positions
    if rotations is None or roots is None:
        return
    if len(roots) != len(rotations):
        message = f"root_positions must have one entry a frame ({len(rotations)}), got {len(roots)}"
        clip.fault("value_error", (), message, len(roots))
    elif isinstance(joint_names, list) and rotations.shape[1] != len(joint_names):
        message = f"rotations must have one quaternion a joint name ({len(joint_names)}), got {rotations.shape[1]}"
        clip.fault("value_error", (), message, int(rotations.shape[1]))
