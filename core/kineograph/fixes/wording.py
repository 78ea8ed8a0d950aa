# SPDX-License-Identifier: Apache-2.0
"""Numbers, lists and places as an animator reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

MOST_NAMES = 6
_LONGEST = 80
_LONGEST_TOLD = 500

CONSTRAINT_WORDS = {
    "root_path": ("path", "paths"),
    "effector_target": ("pin", "pins"),
    "pose_keyframe": ("pose key", "pose keys"),
    "ground_height": ("ground", "ground"),
}
SEGMENT_WORDS = {
    "text": ("text prompt", "text"),
    "unconditioned": ("free block", "free blocks"),
    "pose": ("pose prompt", "pose prompts"),
    "motion_reference": ("clip prompt", "clips"),
    "video_reference": ("video prompt", "videos"),
}
_GROUPS = {"options": "the settings", "timing": "the timing", "skeleton": "the skeleton", "segments": "the prompts"}
CONSTRAINTS = {"root_path": "path", "effector_target": "pin", "pose_keyframe": "key", "ground_height": "ground"}


def number(value: Any) -> str:
    """A number without needless digits; other things as short text."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e9 else f"{value:.4g}"
    return short(value)


def short(value: Any) -> str:
    """Any value in at most a line."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        text = value
    elif isinstance(value, Mapping):
        text = allowed_range(value)
    elif isinstance(value, (list, tuple)):
        return names(value)
    elif isinstance(value, (bool, int, float)):
        return "on" if value is True else "off" if value is False else f"{value:g}"
    else:
        text = str(value)
    text = _printable(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def told(text: str) -> str:
    """A reason given in words, whole: it may end with what to do. Without the full stop, which the sentence has."""
    text = _printable(text)
    shown = text if len(text) <= _LONGEST_TOLD else text[: _LONGEST_TOLD - 3] + "..."
    return shown.removesuffix(".") or shown


def _printable(text: str) -> str:
    """Without line breaks, control characters and lone surrogates, which no screen can show; never empty."""
    shown = "".join(ch if ch.isprintable() else " " for ch in text[: 2 * _LONGEST_TOLD])
    return " ".join(shown.split()) or "empty"


def allowed_range(limits: Mapping[str, Any]) -> str:
    """``{"minimum": 1, "maximum": 8}``, ``{"ge": 1, "le": 500}`` and the like: '1 to 8', 'at most 8'."""
    low = next((limits[k] for k in ("minimum", "ge", "gt", "min_length") if limits.get(k) is not None), None)
    high = next((limits[k] for k in ("maximum", "le", "lt", "max_length") if limits.get(k) is not None), None)
    if low is not None and high is not None:
        return f"{number(low)} to {number(high)}"
    if high is not None:
        return f"{'less than' if 'lt' in limits else 'at most'} {number(high)}"
    if low is not None:
        return f"{'more than' if 'gt' in limits else 'at least'} {number(low)}"
    if limits.get("type") is not None:
        return f"a {limits['type']}"
    return ", ".join(f"{k} {number(v)}" for k, v in list(limits.items())[:3])


def names(items: Sequence[Any], most: int = MOST_NAMES) -> str:
    """'a, b, c and 4 more'."""
    shown = [short(i) if not isinstance(i, (int, float)) else number(i) for i in items[:most]]
    rest = len(items) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def count(n: int, one: str, many: str | None = None) -> str:
    """'1 key', '3 keys'."""
    return f"{number(n)} {one if n == 1 else many or one + 's'}"


def seconds(value: float) -> str:
    """'0.4 s', '12 s', '2 min 5 s', '3 h'."""
    if value < 10:
        return f"{value:.2g} s" if value % 1 else f"{value:.0f} s"
    if value < 180:
        return f"{value:.0f} s"
    if value < 7200:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes} min" + (f" {rest} s" if rest and minutes < 10 else "")
    hours = value / 3600
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"


def size(n_bytes: float) -> str:
    """'900 B', '6.4 MB', in powers of 1000 as file managers count."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= scale:
            value = n_bytes / scale
            return f"{value:.0f} {unit}" if value >= 100 or value == round(value) else f"{value:.1f} {unit}"
    return f"{n_bytes:.0f} B"


def capital(text: str) -> str:
    """With a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]


def ref_name(ref: Any) -> str | None:
    """What a client's reference calls its thing."""
    if isinstance(ref, str) and ref:
        return ref
    if isinstance(ref, Mapping):
        return next((ref[k] for k in ("name", "label", "object", "id") if isinstance(ref.get(k), str) and ref[k]), None)
    return None


def place(path: Sequence[Any], ref: Any, request: Mapping[str, Any] | None) -> str | None:
    """'pin 'Grab'', 'key 2', 'prompt 1', 'constraint 3': where in the request, in the sender's own words."""
    name = ref_name(ref)
    name = short(name) if name else None
    kind = ref.get("kind") if isinstance(ref, Mapping) and isinstance(ref.get("kind"), str) else None
    if kind == "key" and isinstance(ref.get("frame"), int):
        return f"key at frame {ref['frame']}"  # a key has no name of its own
    path = list(path[2:]) if list(path[:1]) == ["requests"] and len(path) > 2 else list(path)
    if len(path) >= 2 and path[0] in ("constraints", "segments") and isinstance(path[1], int):
        kind = kind or _kind(path, request)
        return f"{kind} '{name}'" if name else f"{kind} {path[1] + 1}"
    if name:
        return f"{kind} '{name}'" if kind else f"'{name}'"
    if path[:2] == ["skeleton", "joints"] and len(path) > 2 and isinstance(path[2], int):
        joint = item_at(request, [*path[:3], "name"])
        return f"bone '{short(joint)}'" if isinstance(joint, str) and joint else f"bone {path[2] + 1}"
    if path:
        return _GROUPS.get(path[0], str(path[0]).replace("_", " ")) if isinstance(path[0], str) else None
    return None


def _kind(path: list[Any], request: Mapping[str, Any] | None) -> str:
    item = item_at(request, path[:2])
    what = item.get("type") if isinstance(item, Mapping) else None
    if path[0] == "segments":
        return "prompt"
    return CONSTRAINTS.get(what, "constraint") if isinstance(what, str) else "constraint"


def item_at(tree: Any, path: Sequence[Any]) -> Any:
    """What stands at ``path`` in maps and lists, or None."""
    for part in path:
        try:
            tree = tree[part]
        except (KeyError, IndexError, TypeError):
            return None
    return tree
