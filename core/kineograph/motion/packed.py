# SPDX-License-Identifier: Apache-2.0
"""Skeletons and clips as plain maps of texts and arrays: how a retarget request carries them.

Every field is checked on the way in; what is wrong raises ``schema_validation`` with its path.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, KineographError, RequestError
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]
Path = Sequence[str | int]

MAX_JOINTS = 4096


def skeleton_map(skeleton: Skeleton) -> dict[str, Any]:
    """``names``, ``parents`` (J,), ``rest_translations_m`` (J, 3), ``rest_rotations_xyzw`` (J, 4)."""
    return {
        "names": list(skeleton.names),
        "parents": np.ascontiguousarray(skeleton.parents, np.int32),
        "rest_translations_m": np.ascontiguousarray(skeleton.rest_translations_m, np.float64),
        "rest_rotations_xyzw": np.ascontiguousarray(skeleton.rest_rotations_xyzw, np.float64),
    }


def clip_map(clip: Clip) -> dict[str, Any]:
    """``skeleton``, ``fps_hz``, ``rotations_xyzw`` (T, J, 4), ``root_m`` (T, 3), ``translations_m``, ``name``."""
    moved = clip.translations_m
    return {
        "skeleton": skeleton_map(clip.skeleton),
        "fps_hz": float(clip.fps_hz),
        "rotations_xyzw": np.ascontiguousarray(clip.rotations_xyzw, np.float32),
        "root_m": np.ascontiguousarray(clip.root_m, np.float32),
        "translations_m": None if moved is None else np.ascontiguousarray(moved, np.float32),
        "name": clip.name,
    }


def skeleton_of(value: Any, path: Path = ()) -> Skeleton:
    """The skeleton in a map. Raises ``schema_validation`` or ``invalid_skeleton``."""
    fields = _map(value, path)
    names = fields.get("names")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise wrong([*path, "names"], names, "a list of texts")
    if len(names) > MAX_JOINTS:
        raise wrong([*path, "names"], len(names), f"at most {MAX_JOINTS} joints")
    j = len(names)
    parents = _array(fields, "parents", path, (j,), "iu")
    translations = _array(fields, "rest_translations_m", path, (j, 3))
    rotations = _array(fields, "rest_rotations_xyzw", path, (j, 4))
    if float(np.square(rotations).sum(-1).min()) < 1e-12:
        raise wrong([*path, "rest_rotations_xyzw"], "a rotation of length zero", "unit quaternions")
    try:
        return Skeleton.build(names, parents.astype(np.int32), translations, rotations)
    except KineographError as e:
        e.details["where"] = {"path": [*path]}
        raise


def clip_of(value: Any, path: Path = ()) -> Clip:
    """The clip in a map. Whether its frames are finite is not looked at here, so that it costs no pass over them."""
    fields = _map(value, path)
    skeleton = skeleton_of(fields.get("skeleton"), [*path, "skeleton"])
    fps_hz = fields.get("fps_hz")
    if not isinstance(fps_hz, (int, float)) or isinstance(fps_hz, bool) or not 0 < fps_hz <= 10_000:
        shown = fps_hz if isinstance(fps_hz, (int, float)) and math.isfinite(fps_hz) else str(fps_hz)[:40]
        raise wrong([*path, "fps_hz"], shown, "above 0, at most 10000 Hz")
    root = _array(fields, "root_m", path, (None, 3), finite=False)
    t, j = len(root), len(skeleton)
    if t == 0:
        raise wrong([*path, "root_m"], 0, "at least one frame")
    rotations = _array(fields, "rotations_xyzw", path, (t, j, 4), finite=False)
    moved = None
    if fields.get("translations_m") is not None:
        moved = _array(fields, "translations_m", path, (t, j, 3), finite=False)
    name = fields.get("name", "")
    return Clip(skeleton, float(fps_hz), rotations, root, name if isinstance(name, str) else "", moved)


def wrong(path: Path, got: Any, allowed: Any) -> RequestError:
    """``schema_validation`` for one field."""
    shown = got if isinstance(got, (int, float, str)) or got is None else type(got).__name__
    where = ".".join(map(str, path)) or "the request"
    details = {"where": {"path": [*path]}, "got": shown, "allowed": allowed}
    return RequestError(ErrorCode.SCHEMA_VALIDATION, f"{where} must be {allowed}", details)


def _map(value: Any, path: Path) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise wrong(path, value, "a map")
    return value


def _array(
    fields: Mapping[str, Any],
    name: str,
    path: Path,
    shape: tuple[int | None, ...],
    kinds: str = "f",
    *,
    finite: bool = True,
) -> FloatArray:
    """The array of one field, of ``shape`` (None: any) and one of numpy's ``kinds``; lists of numbers will do."""
    value = fields.get(name)
    form = "(" + ", ".join("T" if n is None else str(n) for n in shape) + ")"
    if isinstance(value, (list, tuple)):
        try:
            value = np.asarray(value, np.float64 if kinds == "f" else np.int64)
        except (TypeError, ValueError, OverflowError):
            raise wrong([*path, name], "a ragged list", f"numbers of shape {form}") from None
    if not isinstance(value, np.ndarray):
        raise wrong([*path, name], value, f"numbers of shape {form}")
    fits = value.dtype.kind in kinds and value.ndim == len(shape)
    if not fits or any(n is not None and n != m for n, m in zip(shape, value.shape, strict=True)):
        raise wrong([*path, name], f"{value.dtype} {list(value.shape)}", f"numbers of shape {form}")
    if finite and not np.isfinite(value).all():
        raise wrong([*path, name], "a number that is not finite", "finite numbers")
    out: FloatArray = value
    return out
