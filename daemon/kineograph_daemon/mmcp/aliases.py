# SPDX-License-Identifier: Apache-2.0
"""Joints by other names: what the user's own rig profile says that a name means.

A request with a name that its skeleton does not have is refused; but where this computer's profile of that very rig
says which joint is meant, it is read so, by the door and by the worker alike, and the report says it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from motionmcp.schemas import Skeleton

from kineograph.fixes import apply
from kineograph.rigs.profiles import aliases_of
from kineograph_daemon.mmcp.checks_rig import unknown_joint


@dataclass(frozen=True)
class ReadAs:
    """A payload with other names, and which name became which joint."""

    payload: dict[str, Any]
    names: Mapping[str, str]

    def entries(self) -> list[dict[str, str]]:
        """Lines for a report's list on the request."""
        reason = "the rig's profile says that '{}' is '{}'"
        return [{"name": a, "outcome": "changed", "reason": reason.format(a, j)} for a, j in self.names.items()]


def read_as(payload: Any, *, insist: bool = False) -> ReadAs | None:
    """The payload as the rig's profile reads it; None where nothing is to be read otherwise.

    ``insist``: raise ``unknown_joint`` for a name that stays unknown, as when the profile went after the door.
    """
    if not isinstance(payload, dict) or not isinstance(payload.get("constraints", []), list):
        return None
    named = set(_named(payload))
    if not named:
        return None
    joints = _joints(payload.get("skeleton"))
    unknown = named - joints.keys()
    if not unknown or not joints:
        return None
    names = list(joints)
    place = {name: i for i, name in enumerate(names)}
    known = aliases_of(names, [place.get(parent, -1) for parent in joints.values()])
    meant = {alias: known[alias] for alias in sorted(unknown & known.keys())}
    if insist and len(meant) < len(unknown):
        raise unknown_joint(min(unknown - meant.keys()), frozenset(names), [])
    if not meant:
        return None
    part = {key: payload[key] for key in ("constraints", "segments") if key in payload}
    for alias, joint in meant.items():
        args = {"joint": alias, "to": joint}
        part = apply({"target": "request", "action": "rename_joint_everywhere", "args": args}, part).request
    return ReadAs({**payload, **part}, meant)


def _joints(skeleton: Any) -> dict[str, Any]:
    """Names with their parents' names."""
    if isinstance(skeleton, Skeleton):
        return {joint.name: joint.parent for joint in skeleton.joints}
    found = skeleton.get("joints") if isinstance(skeleton, dict) else None
    rows = [j for j in found if isinstance(j, dict)] if isinstance(found, list) else []
    return {j["name"]: _text(j.get("parent")) for j in rows if isinstance(j.get("name"), str)}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _named(payload: Mapping[str, Any]) -> Iterator[str]:
    for constraint in _maps(payload.get("constraints")):
        if isinstance(constraint.get("joint"), str):
            yield constraint["joint"]
        rotations = constraint.get("joint_rotations")
        if isinstance(rotations, dict):
            yield from (name for name in rotations if isinstance(name, str))
    for segment in _maps(payload.get("segments")):
        tracks = segment.get("joint_names")
        if segment.get("skeleton") is None and isinstance(tracks, list):
            yield from (name for name in tracks if isinstance(name, str))


def _maps(items: Any) -> Iterable[Mapping[str, Any]]:
    return (i for i in items if isinstance(i, dict)) if isinstance(items, list) else ()
