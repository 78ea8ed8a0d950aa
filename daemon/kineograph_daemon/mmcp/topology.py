# SPDX-License-Identifier: Apache-2.0
"""``invalid_skeleton``: a set of joints that is no tree, said with the names of the joints that make it so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from kineograph.errors import ErrorCode, KineographError
from kineograph_daemon.mmcp.faults import fault

_NAMED = 6


def is_fault(record: Mapping[str, Any]) -> bool:
    """Whether a schema record is about the shape of a skeleton: its tree, or having no joint at all."""
    empty = record["type"] == "too_short" and tuple(record["loc"][-2:]) == ("skeleton", "joints")
    return bool(record["type"] == "invalid_skeleton" or empty)


def refusal(official: Sequence[Mapping[str, Any]], payload: Any) -> KineographError:
    """``invalid_skeleton`` for the first of the schema records, naming roots, doubles and orphans."""
    loc = official[0]["loc"]
    path = [*loc[:2], "skeleton"] if loc[0] == "segments" else ["skeleton"]
    facts = facts_of(_joints(payload, path))
    return fault(
        ErrorCode.INVALID_SKELETON,
        _sentence(facts) or str(official[0]["msg"]),
        path,
        official={"errors": list(official)},
        got=facts["roots"] or facts["duplicates"] or facts["orphans"] or facts["joints"],
        allowed="one root, unique names, every parent before its children",
        **facts,
    )


def facts_of(joints: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is wrong with the joints: ``roots`` (when not one), ``duplicates``, ``orphans`` (parent nowhere before)."""
    names = [str(joint.get("name")) for joint in joints]
    roots = [name for name, joint in zip(names, joints, strict=True) if joint.get("parent") is None]
    seen: set[str] = set()
    orphans = []
    for name, joint in zip(names, joints, strict=True):
        parent = joint.get("parent")
        if parent is not None and parent not in seen:
            orphans.append({"joint": name, "parent": str(parent), "known": parent in names})
        seen.add(name)
    return {
        "joints": len(joints),
        "roots": roots if len(roots) != 1 else None,
        "duplicates": [name for name, count in Counter(names).items() if count > 1] or None,
        "orphans": orphans or None,
    }


def _joints(payload: Any, path: Sequence[str | int]) -> list[Mapping[str, Any]]:
    node = payload
    for part in [*path, "joints"]:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            return []
    return [joint for joint in node if isinstance(joint, Mapping)] if isinstance(node, (list, tuple)) else []


def _sentence(facts: Mapping[str, Any]) -> str:
    if not facts["joints"]:
        return "the skeleton has no joints"
    if facts["duplicates"]:
        return f"these joint names stand more than once: {_some(facts['duplicates'])}"
    if facts["roots"]:
        return f"the skeleton has {len(facts['roots'])} roots: {_some(facts['roots'])}"
    if facts["roots"] == []:
        return "the skeleton has no root: every joint has a parent"
    if facts["orphans"]:
        first = facts["orphans"][0]
        why = "stands after it" if first["known"] else "is not in the skeleton"
        return f"the parent {first['parent']!r} of joint {first['joint']!r} {why}"
    return ""


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(map(str, names[:_NAMED]))
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"
