# SPDX-License-Identifier: Apache-2.0
"""Which joints tell where a body travels: names and structure read as the official trajectory code reads them.

Kineograph's own reading of rigs (``kineograph.rigs``) knows more conventions; it is not used here, because a role
more or less moves the centre of mass and with it the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_PREFIXES = ("mixamorig:", "mixamorig1:", "def-", "org-", "bip01 ", "bip001 ", "b_")
_SIDES = (
    ("l", "left", (".l", "_l", " l", "-l", "l_", "l.")),
    ("r", "right", (".r", "_r", " r", "-r", "r_", "r.")),
)
_SEPARATORS = "_.- "
_PARTS = {
    "leg": ("upleg", "upperleg", "thigh", "hip"),
    "shin": ("shin", "calf", "lowerleg", "knee"),
    "foot": ("foot", "ankle"),
    "toe": ("toebase", "toe", "toes", "ball"),
    "arm": ("arm", "upperarm"),
    "forearm": ("forearm", "lowerarm", "elbow"),
    "hand": ("hand", "wrist"),
    "hand_end": ("handmiddleend", "handend", "handmiddle4", "handmiddle1", "middle1", "middle_01"),
}
_PART_OF = {word: part for part, words in _PARTS.items() for word in words}
_UNAMBIGUOUS_THIGHS = ("upleg", "upperleg", "thigh")
_HEADS = ("head", "head_01")


def read_roles(
    names: Sequence[str], parents: Sequence[int], canonical_of: Mapping[str, str] | None = None
) -> dict[str, int]:
    """Role (``hips``, ``l_foot``, ...) to joint index; what cannot be read is left out.

    ``canonical_of`` maps a joint's name to the canonical joint it stands for, asked for names that say nothing.
    """
    roles: dict[str, int] = {}
    canonical = [(canonical_of or {}).get(name, name) for name in names]
    for spelled in (names, canonical) if canonical_of else (names,):
        _limbs(spelled, roles)
    root = next((i for i, parent in enumerate(parents) if parent < 0), None)
    if root is not None:
        roles.setdefault("hips", root)
        _trunk(canonical, parents, root, roles)
    return roles


def _limbs(names: Sequence[str], roles: dict[str, int]) -> None:
    readings = [_split_side(name) for name in names]
    # "LeftLeg" is the thigh where no joint says thigh on that side, the shin where one does.
    has_thigh = {side for side, base in readings if base in _UNAMBIGUOUS_THIGHS}
    for joint, (side, base) in enumerate(readings):
        if not side:
            continue
        part = _PART_OF.get(base)
        if base == "leg":
            part = "shin" if side in has_thigh else "leg"
        if part is not None:
            roles.setdefault(f"{side}_{part}", joint)


def _trunk(names: Sequence[str], parents: Sequence[int], root: int, roles: dict[str, int]) -> None:
    """Head, neck, chest and spine by their place in the chain from the root up to the head."""
    head = next((i for i, name in enumerate(names) if _split_side(name)[1] in _HEADS), None)
    if head is None:
        return
    chain = [head]
    while parents[chain[-1]] >= 0:
        chain.append(parents[chain[-1]])
    chain.reverse()
    if chain[0] != root:
        return
    roles.setdefault("head", head)
    for role, place, least in (("neck", -2, 3), ("spine", 1, 4), ("chest", -3, 5)):
        if len(chain) >= least:
            roles.setdefault(role, chain[place])


def _split_side(name: str) -> tuple[str, str]:
    """``("l" | "r" | "", base)`` of a name, lower case, without prefix and side."""
    base = name.lower()
    for prefix in _PREFIXES:
        base = base.removeprefix(prefix)
    for side, word, marks in _SIDES:
        if base.startswith(word):
            return side, base[len(word) :].strip(_SEPARATORS)
        for mark in marks:
            if base.endswith(mark):
                return side, base[: -len(mark)].strip(_SEPARATORS)
            if mark[-1] in "_." and base.startswith(mark):
                return side, base[len(mark) :].strip(_SEPARATORS)
    return "", base
