# SPDX-License-Identifier: Apache-2.0
"""How a refusal is put together: the code, a sentence, MMCP's own detail keys, and what a fix needs.

Every refusal's ``details`` hold ``where`` (``path`` into the request as it was sent, ``ref`` the client's own
reference to that place or None), ``got``, ``allowed`` and, where there is something to propose, ``suggestions``
(names, best first).
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kineograph.errors import ErrorCode, KineographError, error

Path = Sequence[str | int]

_LONGEST_TEXT = 300
_MOST_ITEMS = 32
_SEPARATORS = re.compile(r"[./\[\]]+")


def fault(
    code: ErrorCode,
    message: str,
    path: Path,
    *,
    official: Mapping[str, Any] | None = None,
    got: Any = None,
    allowed: Any = None,
    suggestions: Sequence[str] | None = None,
    **more: Any,
) -> KineographError:
    """A refusal. ``official`` are the keys that MMCP names for this code; ``more`` are further facts for a fix."""
    details: dict[str, Any] = {**(official or {}), "where": {"path": list(path), "ref": None}, "got": plain(got)}
    if allowed is not None:
        details["allowed"] = allowed
    if suggestions is not None:
        details["suggestions"] = list(suggestions)
    details.update({key: value for key, value in more.items() if value is not None})
    return error(code, message, details)


def plain(value: Any, depth: int = 3) -> Any:
    """``value`` as it may stand in an envelope: short, and without anything that strict JSON refuses."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else f"{value:.6e}" if abs(value) < 10**300 else "a huge integer"
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, str):
        return value[:_LONGEST_TEXT]
    if isinstance(value, np.generic):
        return plain(value.item(), depth)
    if isinstance(value, np.ndarray):
        return f"array of shape {list(value.shape)} and type {value.dtype}"
    if depth > 0 and isinstance(value, (list, tuple)) and len(value) <= _MOST_ITEMS:
        return [plain(item, depth - 1) for item in value]
    if depth > 0 and isinstance(value, Mapping) and len(value) <= _MOST_ITEMS:
        return {str(key)[:_LONGEST_TEXT]: plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, Mapping)):
        return f"{type(value).__name__} of {len(value)}"
    return type(value).__name__


def nearest(name: str, candidates: Iterable[str], count: int = 3) -> list[str]:
    """The candidates spelled most like ``name``, best first; letter case does not count."""
    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=count, cutoff=0.65)
    return [by_folded[folded] for folded in close]


def name_place(exc: KineographError, refs: Mapping[str, Any] | None) -> KineographError:
    """Fill ``where.ref`` with the client's own reference to the place, or to the nearest thing around it.

    ``refs`` mirrors the request (``{"constraints": [ref, ref], "skeleton": ref}``), or names paths
    (``{"constraints/1": ref}``; ``.`` and ``[1]`` are read the same way). A reference is anything but a list.
    """
    where = exc.details.get("where")
    if refs and isinstance(where, dict):
        path = list(where.get("path", ()))
        where["ref"] = _by_path(path, refs)
        if where["ref"] is None:
            where["ref"] = _by_mirror(path, refs)
    return exc


def _by_path(path: Path, refs: Mapping[str, Any]) -> Any:
    here = tuple(map(str, path))
    found, longest = None, 1  # a single part is the mirror's to read
    for key, ref in refs.items():
        parts = tuple(part for part in _SEPARATORS.split(str(key)) if part)
        if len(parts) > longest and here[: len(parts)] == parts:
            found, longest = ref, len(parts)
    return found


def _by_mirror(path: Path, refs: Mapping[str, Any]) -> Any:
    node: Any = refs
    for part in path:
        try:
            node = node[part]
        except (LookupError, TypeError):
            break
        if isinstance(node, str):
            break
    return None if node is refs or isinstance(node, (list, tuple)) else node
