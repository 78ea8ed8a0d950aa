# SPDX-License-Identifier: Apache-2.0
"""What all edits share. An edit changes a request in place (a copy of the user's) and says what it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kineograph.fixes.patches import NotApplicable as NotApplicable

Request = dict[str, Any]
Edit = Callable[..., str]

PER_FRAME = ("frames", "positions", "positions_xz", "heading_radians", "rotations")
"""Keys of a constraint that hold one entry a frame."""


def group(request: Request, name: str) -> list[Any]:
    """``segments`` or ``constraints`` as a list that can be changed, even where it is missing."""
    found = request.get(name)
    if not isinstance(found, list):
        found = [] if found is None else list(found)
        request[name] = found
    return found


def at(request: Request, name: str, index: Any) -> dict[str, Any]:
    """One item of ``segments`` or ``constraints``."""
    items = group(request, name)
    if not isinstance(index, int) or not 0 <= index < len(items) or not isinstance(items[index], dict):
        raise NotApplicable(f"there is no {name[:-1]} {index}")
    item: dict[str, Any] = items[index]
    return item


def joints(request: Request) -> list[dict[str, Any]]:
    """The skeleton's joints."""
    skeleton = request.get("skeleton")
    found = skeleton.get("joints") if isinstance(skeleton, dict) else None
    if not isinstance(found, list) or not all(isinstance(j, dict) for j in found):
        raise NotApplicable("the request has no skeleton")
    return found


def keep_entries(constraint: dict[str, Any], keep: Sequence[int]) -> None:
    """Leave only these entries of a constraint that has one a frame."""
    for key in PER_FRAME:
        values = constraint.get(key)
        if isinstance(values, np.ndarray):
            constraint[key] = values[list(keep)]
        elif isinstance(values, (list, tuple)):
            constraint[key] = [values[i] for i in keep if i < len(values)]


def drop(request: Request, name: str, indices: Sequence[int]) -> None:
    """Remove items; a request must keep at least one segment or constraint."""
    gone = set(indices)
    left = [item for i, item in enumerate(group(request, name)) if i not in gone]
    other = group(request, "segments" if name == "constraints" else "constraints")
    if not left and not other:
        raise NotApplicable("nothing would be left to generate from")
    request[name] = left
    if not request.get("segments"):
        request.setdefault("segments", [])


def options(request: Request) -> dict[str, Any]:
    """The request's options, made where missing."""
    found = request.get("options")
    if not isinstance(found, dict):
        found = {}
        request["options"] = found
    return found


def container(request: Request, path: Sequence[Any]) -> tuple[Any, Any]:
    """What holds the last part of ``path``, and that part. Raises NotApplicable where the way is broken."""
    if not path:
        raise NotApplicable("no place is named")
    node: Any = request
    for part in path[:-1]:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            raise NotApplicable(f"the request has no {'.'.join(map(str, path))}") from None
    return node, path[-1]
