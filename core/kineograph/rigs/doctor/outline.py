# SPDX-License-Identifier: Apache-2.0
"""The joints of a file that nothing else would read: a doctor looks at what is broken.

Names and parents only, from BVH words and from glTF's nodes; nothing is checked here, so that two roots, a circle or
two joints of one name can be named.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_BYTES = 1 << 28
MAX_JOINTS = 65_536
_WORD = re.compile(r"^\s*(ROOT|JOINT)\s+(.*?)\s*(\{)?\s*$", re.IGNORECASE)
_GLB_HEADER, _GLB_CHUNK = struct.Struct("<4sII"), struct.Struct("<I4s")


@dataclass(frozen=True)
class Outline:
    """``parents`` holds every parent a joint has been given: several where a file says so, none for a root."""

    names: tuple[str, ...]
    parents: tuple[tuple[int, ...], ...]


def outline(path: str | Path) -> Outline | None:
    """The outline of a BVH, GLB or glTF file; None where not even that can be read."""
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        data = path.read_bytes()
        match path.suffix.lower():
            case ".bvh":
                return _bvh(data.decode("utf-8", "replace"))
            case ".gltf":
                return _gltf(json.loads(data))
            case ".glb":
                return _gltf(json.loads(_glb_json(data)))
    except (OSError, ValueError, RecursionError, struct.error):
        return None
    return None


def of_rows(names: Sequence[str], parents: Sequence[int]) -> Outline:
    """From names and parent indices, -1 for roots."""
    return Outline(tuple(names), tuple(() if p == -1 else (int(p),) for p in parents))


def _bvh(text: str) -> Outline:
    names: list[str] = []
    parents: list[tuple[int, ...]] = []
    open_: list[int] = []  # joints by index; -1 for the braces of End Sites
    opened = -1
    for line in text.split("MOTION", 1)[0].splitlines():
        joint = _WORD.match(line)
        if joint is not None and len(names) < MAX_JOINTS:
            names.append(joint[2].removesuffix("{").strip())
            above = next((j for j in reversed(open_) if j >= 0), None)
            parents.append(() if above is None or joint[1].upper() == "ROOT" else (above,))
            if joint[3] or "{" in joint[2]:
                opened = len(names) - 1
                open_.append(opened)
            continue
        for mark in line:
            if mark == "{":
                open_.append(len(names) - 1 if opened < len(names) - 1 else -1)
                opened = len(names) - 1
            elif mark == "}" and open_:
                open_.pop()
    return Outline(tuple(names), tuple(parents))


def _glb_json(data: bytes) -> bytes:
    _GLB_HEADER.unpack_from(data, 0)
    size, kind = _GLB_CHUNK.unpack_from(data, _GLB_HEADER.size)
    if kind != b"JSON":
        raise ValueError("no JSON chunk")
    start = _GLB_HEADER.size + _GLB_CHUNK.size
    return data[start : start + size]


def _gltf(document: Any) -> Outline | None:
    nodes = document.get("nodes") if isinstance(document, dict) else None
    if not isinstance(nodes, list) or len(nodes) > MAX_JOINTS:
        return None
    rows = [n if isinstance(n, dict) else {} for n in nodes]
    pick = sorted(_joints(document, len(rows))) or list(range(len(rows)))
    place = {node: i for i, node in enumerate(pick)}
    parents: list[list[int]] = [[] for _ in pick]
    for i, row in enumerate(rows):
        children = row.get("children")
        for child in children if isinstance(children, list) else []:
            if isinstance(child, int) and child in place and i in place:
                parents[place[child]].append(place[i])
    names = [str(rows[n].get("name") or f"node_{n}") for n in pick]
    return Outline(tuple(names), tuple(tuple(p) for p in parents))


def _joints(document: dict[str, Any], count: int) -> set[int]:
    out: set[int] = set()
    skins = document.get("skins")
    for skin in skins if isinstance(skins, list) else []:
        joints = skin.get("joints") if isinstance(skin, dict) else None
        out |= {j for j in (joints if isinstance(joints, list) else []) if isinstance(j, int) and 0 <= j < count}
    return out
