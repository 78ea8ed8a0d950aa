# SPDX-License-Identifier: Apache-2.0
"""Frame rates: motion is resampled in seconds, rotations by slerp, positions linearly.

Frame i of the result lies at i / fps_to seconds. The first and the last frame of the source are kept exactly: where
the duration is no whole number of new frames, the last new frame (at most half a frame off) holds the source's last.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.clip import Clip
from kineograph.motion.kept import Kept

FloatArray = NDArray[np.floating[Any]]
_Scalar = TypeVar("_Scalar", bound=np.generic)

_ON_FRAME = 1e-6  # frames; nearer than this a source frame is taken as it is


def frame_count(frames: int, fps_from: float, fps_to: float) -> int:
    """Frames that ``frames`` at ``fps_from`` become at ``fps_to``: the nearest whole duration, at least one."""
    return max(1, round((frames - 1) * fps_to / fps_from) + 1)


def source_frames(frames: int, fps_from: float, fps_to: float, n_out: int | None = None) -> FloatArray:
    """For each new frame the place in the source, in source frames (n_out,), held within [0, frames - 1].

    ``n_out`` None takes ``frame_count``. Raises ValueError for rates or counts that are not above zero.
    """
    if not (0 < fps_from < np.inf and 0 < fps_to < np.inf):
        raise ValueError(f"rates must be above 0, got {fps_from} and {fps_to}")
    count = frame_count(frames, fps_from, fps_to) if n_out is None else n_out
    if frames < 1 or count < 1:
        raise ValueError(f"motion needs at least one frame, got {frames} in and {count} out")
    at: FloatArray = np.arange(count) * (fps_from / fps_to)
    last = float(frames - 1)
    whole = np.rint(at)
    at = np.where(np.abs(at - whole) < _ON_FRAME, whole, np.minimum(at, last))
    # The frame nearest to the end is the end: an end key must not be missed by half a frame.
    nearest = round(last * fps_to / fps_from)
    if 0 < nearest < count:
        at[nearest:] = last
    return np.clip(at, 0.0, last)


def rotations_at(rotations_xyzw: FloatArray, at: FloatArray, axis: int = 0) -> FloatArray:
    """Rotations (..., 4) at fractional places ``at`` (n,) along ``axis`` (time); whole places are taken exactly."""
    return _blend(np.asarray(rotations_xyzw), at, axis, turns=True)


def values_at(values: FloatArray, at: FloatArray, axis: int = 0) -> FloatArray:
    """The same, linearly, for positions and other numbers."""
    return _blend(np.asarray(values), at, axis, turns=False)


def held_at(values: NDArray[_Scalar], at: FloatArray, axis: int = 0) -> NDArray[_Scalar]:
    """The nearest source frame's value (the later one half way): for contacts and other states."""
    nearest: NDArray[_Scalar] = np.take(values, np.floor(at + 0.5).astype(np.int64), axis=axis)
    return nearest


def resample_arrays(
    rotations_xyzw: FloatArray, root_m: FloatArray, fps_from: float, fps_to: float, n_out: int | None = None
) -> tuple[FloatArray, FloatArray]:
    """Batches (..., T, J, 4) and (..., T, 3) at another rate; past the end the last frame is held.

    Equal rates and count give the same numbers back (copies).
    """
    rotations, root = np.asarray(rotations_xyzw), np.asarray(root_m)
    at = source_frames(root.shape[-2], fps_from, fps_to, n_out)
    return rotations_at(rotations, at, axis=rotations.ndim - 3), values_at(root, at, axis=root.ndim - 2)


def resample(clip: Clip, fps_hz: float) -> Clip:
    """A clip at another rate, contacts and translations included. Equal rates give the clip itself."""
    if fps_hz == clip.fps_hz:
        return clip
    at = source_frames(len(clip), clip.fps_hz, fps_hz)
    moved = clip.translations_m
    return replace(
        clip,
        fps_hz=float(fps_hz),
        rotations_xyzw=rotations_at(clip.rotations_xyzw, at),
        root_m=values_at(clip.root_m, at),
        translations_m=None if moved is None else values_at(moved, at),
        contacts={name: held_at(held, at) for name, held in clip.contacts.items()},
        kept=None if clip.kept is None else kept_at(clip.kept, at),
    )


def kept_at(kept: Kept, at: FloatArray) -> Kept:
    """What is kept, at fractional places ``at`` (n,)."""
    return Kept(kept.rig, {name: rotations_at(turns, at) for name, turns in kept.turns_xyzw.items()})


def _blend(values: FloatArray, at: FloatArray, axis: int, turns: bool) -> FloatArray:
    source = np.moveaxis(values, axis, 0)
    low = np.floor(at).astype(np.int64)
    t = at - low
    out = source[low]
    part = np.flatnonzero(t > 0)
    if part.size:
        a, b = out[part], source[low[part] + 1]
        weight = t[part].astype(values.dtype).reshape(-1, *(1,) * (values.ndim - 1))
        out[part] = quat.slerp(a, b, weight[..., 0]) if turns else a + (b - a) * weight
    return np.ascontiguousarray(np.moveaxis(out, 0, axis))
