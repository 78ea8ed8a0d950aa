# SPDX-License-Identifier: Apache-2.0
"""Fingers: three joints each, counted from the palm outwards, whatever the rig calls or numbers them."""

from __future__ import annotations

from collections import defaultdict

from kineograph.rigs.names import Reading
from kineograph.rigs.roles import FINGERS, Role, Side, role

_CONFIDENCE, _COUNTED = 0.9, 0.8


def fill_fingers(readings: list[Reading], side: Side, roles: dict[Role, tuple[int, float, str]]) -> None:
    """Add the finger roles of one side to ``roles``."""
    groups: dict[str, list[int]] = defaultdict(list)
    ends: set[str] = set()
    zero_based = any(r.symbol == "finger" and _digits(r) == "0" for r in readings)
    for i, r in enumerate(readings):
        finger = _finger(r, zero_based) if r.side is side else None
        if finger is None:
            continue
        if "end" in r.flags:
            ends.add(finger)
        elif r.is_plain:
            groups[finger].append(i)
    taken = {joint for joint, _, _ in roles.values()}
    for finger, joints in groups.items():
        ordered = sorted((i for i in joints if i not in taken), key=lambda i: _place(readings[i]))
        for number, joint in enumerate(_three(finger, ordered, readings, finger in ends), 1):
            sure = _CONFIDENCE if _is_clear([readings[i] for i in joints]) else _COUNTED
            roles.setdefault(role(f"{finger}_{number}", side), (joint, sure, f"joint {number} of the {finger}"))


def _is_clear(joints: list[Reading]) -> bool:
    """Whether all joints of a finger say their place in the same way, and nothing that is not understood."""
    spoken = {r.phalanx is not None for r in joints}
    return len(spoken) == 1 and not any(r.unknown for r in joints)


def _finger(reading: Reading, zero_based: bool) -> str | None:
    if reading.symbol in FINGERS:
        return reading.symbol
    digits = _digits(reading)
    if reading.symbol != "finger" or not digits:
        return None
    # 3ds Max: Finger12 is the third joint of the second finger, Finger01 the second of the thumb.
    number = int(digits[0] if zero_based or int(digits) >= 10 else digits)
    index = number if zero_based else number - 1
    return FINGERS[index] if 0 <= index < len(FINGERS) else None


def _digits(reading: Reading) -> str:
    """The number right after the word finger, as written."""
    after = iter(reading.words)
    for word in after:
        if word.startswith(("finger", "digit")):
            return next((w[-15:] for w in after if w.isdecimal()), "")
    return ""


def _place(reading: Reading) -> tuple[int, int]:
    return (reading.phalanx if reading.phalanx is not None else 0, reading.number)


def _three(finger: str, ordered: list[int], readings: list[Reading], has_end: bool) -> list[int]:
    """The three joints that bend. A fourth one is the palm's bone when an end follows, else the tip itself."""
    if finger == "thumb":
        named = [readings[i].phalanx for i in ordered]
        return ordered if len(ordered) <= 3 else [ordered[0], ordered[1], ordered[-1]] if any(named) else ordered[:3]
    if len(ordered) > 3 and (has_end or readings[ordered[0]].phalanx == 0):
        return ordered[1:4]
    return ordered[:3]
