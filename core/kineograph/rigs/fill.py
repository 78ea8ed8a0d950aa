# SPDX-License-Identifier: Apache-2.0
"""Roles from the words of names and, where given, the tree.

'Shoulder' is a collar bone beside an 'Arm' and an upper arm beside an 'Elbow'; where a rig has Leg and Shin, Leg is
the thigh; a numbered spine without hips and head has both in it. Such rules are data (``[roles]``); this module
applies them side by side.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from kineograph.rigs import tree
from kineograph.rigs.book import Book
from kineograph.rigs.fingers import fill_fingers
from kineograph.rigs.names import Reading
from kineograph.rigs.roles import TWISTS, Role, Side, role

Found = tuple[int, float, str]

SURE, LIKELY, BY_TREE = 0.95, 0.8, 0.7

# Where the words of a spine stand, from the hips upwards.
_HEIGHT = {
    "waist": 0,
    "lowerback": 1,
    "lumbar": 1,
    "abdomenlower": 1,
    "abdomen": 2,
    "belly": 2,
    "abdomenupper": 3,
    "back": 3,
    "spine": 3,
    "torso": 3,
    "upperbody": 3,
    "upperback": 4,
    "ribcage": 4,
    "chestlower": 4,
    "thorax": 5,
    "chest": 5,
    "chestupper": 6,
    "upperchest": 6,
}


@dataclass
class Guess:
    """Roles found so far, and chains."""

    roles: dict[Role, Found] = field(default_factory=dict)
    chains: dict[Role, tuple[int, ...]] = field(default_factory=dict)


def fill_roles(readings: list[Reading], parents: list[int] | None, book: Book, fixed: dict[Role, int]) -> Guess:
    """Every role that names and tree give, ``fixed`` ones kept as they are."""
    guess = Guess({r: (joint, 1.0, "") for r, joint in fixed.items()})
    for side in (Side.LEFT, Side.RIGHT):
        _fill_limbs(readings, side, book, guess)
        fill_fingers(readings, side, guess.roles)
        _fill_twists(readings, side, book, guess)
    _fill_middle(readings, parents, guess)
    for wanted, chain in guess.chains.items():
        if wanted in (Role.SPINE, Role.NECK) and chain:
            guess.roles.setdefault(wanted, (chain[0], SURE, "between the hips and the head"))
    spine = guess.chains.get(Role.SPINE, ())
    if len(spine) > 1:
        guess.roles.setdefault(Role.CHEST, (spine[-1], LIKELY, "the highest joint of the spine"))
    return guess


def _fill_limbs(readings: list[Reading], side: Side, book: Book, guess: Guess) -> None:
    by_symbol: dict[str, list[int]] = defaultdict(list)
    fronts: dict[str, list[int]] = defaultdict(list)
    for i, r in enumerate(readings):
        if r.side is side and r.is_plain:
            (fronts if "front" in r.flags else by_symbol)[r.symbol].append(i)
    present = frozenset(by_symbol)
    taken = {joint for joint, _, _ in guess.roles.values()}
    for part, fills in book.fills.items():
        wanted = role(part, side)
        for rank, (symbol, neighbours) in enumerate(fills):
            free = [i for i in by_symbol.get(symbol, ()) if i not in taken]
            if wanted in guess.roles or not free or (neighbours and not neighbours & present):
                continue
            joint = min(free, key=lambda i: readings[i].order)
            taken.add(joint)
            # A word of another part stands in for this one only where nothing better is there: a hip for a thigh.
            borrowed = rank > 0 and not neighbours and symbol == "hips"
            sure = SURE if readings[joint].unknown == 0 and not borrowed else LIKELY
            guess.roles[wanted] = (joint, sure, f"its name says {symbol}")
    _fill_front_legs(readings, side, fronts, guess)
    _fill_toe_end(readings, side, guess)


def _fill_front_legs(readings: list[Reading], side: Side, fronts: dict[str, list[int]], guess: Guess) -> None:
    """A quadruped's front legs take the roles of the arms, not sure."""
    for part, symbols in (
        ("clavicle", ("clavicle", "shoulder")),
        ("upper_arm", ("thigh", "upperarm")),
        ("forearm", ("calf", "forearm", "knee", "elbow")),
        ("hand", ("foot", "hand", "ankle", "wrist")),
    ):
        joints = [i for s in symbols for i in fronts.get(s, ())]
        if joints:
            joint = min(joints, key=lambda i: readings[i].order)
            guess.roles.setdefault(role(part, side), (joint, 0.6, "a front leg stands for an arm"))


def _fill_toe_end(readings: list[Reading], side: Side, guess: Guess) -> None:
    ends = [i for i, r in enumerate(readings) if r.side is side and r.symbol in ("toe", "ball") and r.flags == {"end"}]
    if ends:
        guess.roles.setdefault(role("toe_end", side), (ends[0], SURE, "its name says the end of the toe"))


def _fill_twists(readings: list[Reading], side: Side, book: Book, guess: Guess) -> None:
    """Twist joints by name (``upperarm_twist_01_l``) and by number (``DEF-upper_arm.L.001``)."""
    part_of = {joint: r.part for r, (joint, _, _) in guess.roles.items() if r.side is side and r.part in TWISTS}
    part_of_symbol = {readings[joint].symbol: part for joint, part in part_of.items()}
    # Beside "arm", "wrist twist" turns the forearm: the twist is named after where it ends.
    part_of_symbol.setdefault("wrist", "forearm")
    taken = {joint for joint, _, _ in guess.roles.values()}
    chains: dict[Role, list[int]] = defaultdict(list)
    for i, r in enumerate(readings):
        part = part_of_symbol.get(r.symbol)
        if r.side is not side or part is None or i in taken:
            continue
        numbered = r.is_plain and r.number > 0 and not r.unknown and r.symbol != "wrist"
        if r.flags == {"twist"} or numbered:
            chains[role(f"{part}_twist", side)].append(i)
    for wanted, joints in chains.items():
        joints.sort(key=lambda i: readings[i].number)
        guess.chains[wanted] = tuple(joints)
        guess.roles.setdefault(wanted, (joints[0], SURE, "its name says twist"))


def _fill_middle(readings: list[Reading], parents: list[int] | None, guess: Guess) -> None:
    plain: dict[str, list[int]] = defaultdict(list)
    for i, r in enumerate(readings):
        if r.side is Side.MIDDLE and r.is_plain:
            plain[r.symbol].append(i)
    spine = sorted(
        (i for s in ("waist", "spine", "chest") for i in plain[s]),
        key=lambda i: (
            max((_HEIGHT.get(w, 3) for w in readings[i].words if w in _HEIGHT), default=3),
            readings[i].number,
        ),
    )
    neck = sorted(plain["neck"], key=lambda i: ("upper" in "".join(readings[i].words), readings[i].number))
    spine, neck = _fill_ends(readings, plain, spine, neck, guess)
    for symbol, wanted in (("jaw", Role.JAW), ("head", Role.HEAD), ("prop", Role.PROP)):
        joints = sorted(plain[symbol], key=lambda i: readings[i].order)
        if joints:
            guess.roles.setdefault(wanted, (joints[0], SURE, f"its name says {symbol}"))
    ends = [i for i, r in enumerate(readings) if r.symbol == "head" and r.flags == {"end"}]
    if ends:
        guess.roles.setdefault(Role.HEAD_END, (ends[0], SURE, "its name says the end of the head"))
    taken = {guess.roles[r][0] for r in (Role.HIPS, Role.HEAD) if r in guess.roles}
    chains = (tuple(i for i in spine if i not in taken), tuple(i for i in neck if i not in taken))
    if parents is not None:
        _fill_by_tree(parents, guess)
        chains = tree.trunk(parents, {r: f[0] for r, f in guess.roles.items()}) or chains
    guess.chains[Role.SPINE], guess.chains[Role.NECK] = chains


def _fill_ends(
    readings: list[Reading], plain: dict[str, list[int]], spine: list[int], neck: list[int], guess: Guess
) -> tuple[list[int], list[int]]:
    """Hips and head: by name, or the two ends of a spine that has neither."""
    hips = next((plain[s] for s in ("hips", "lowerbody") if plain[s]), [])
    roots = plain["root"] or plain["center"]
    numbered = len(spine) > 1 and readings[spine[0]].numbers == () and readings[spine[0]].symbol == "spine"
    has_head = bool(plain["head"]) or Role.HEAD in guess.roles
    if hips:
        joint = min(hips, key=lambda i: readings[i].order)
        guess.roles.setdefault(Role.HIPS, (joint, SURE, "its name says hips"))
    elif numbered and not has_head and not neck:
        guess.roles.setdefault(Role.HIPS, (spine[0], LIKELY, "the first joint of a numbered spine"))
    elif roots:
        guess.roles.setdefault(Role.HIPS, (roots[0], LIKELY, "the root, as no joint is named hips"))
    elif len(spine) > 1:
        guess.roles.setdefault(Role.HIPS, (spine[0], LIKELY, "the first joint of the spine"))
    if roots and guess.roles.get(Role.HIPS, (-1,))[0] != roots[0]:
        guess.roles.setdefault(Role.ROOT, (roots[0], SURE, "its name says root"))
    if not has_head and not neck and len(spine) >= 5:
        guess.roles.setdefault(Role.HEAD, (spine[-1], LIKELY, "the last joint of a numbered spine"))
        # A numbered spine of five or more carries the neck just below the head.
        neck = [i for i in spine[:-1] if readings[i].number >= 4]
        spine = [i for i in spine[:-1] if i not in neck]
    return spine, neck


def _fill_by_tree(parents: list[int], guess: Guess) -> None:
    """Hips from the thighs, and the joint between two known ones of a limb."""
    at = {r: f[0] for r, f in guess.roles.items()}
    thighs = [at[r] for r in (Role.LEFT_THIGH, Role.RIGHT_THIGH) if r in at]
    if len(thighs) == 2:
        above = tree.common_ancestor(parents, *thighs)
        hips = at.get(Role.HIPS)
        is_wrong = hips is None or (hips not in tree.ancestors(parents, thighs[0]) and guess.roles[Role.HIPS][1] < 1.0)
        if above is not None and is_wrong:
            guess.roles[Role.HIPS] = (above, BY_TREE, "both thighs hang from it")
    for side in (Side.LEFT, Side.RIGHT):
        for upper, middle, lower in (("thigh", "calf", "foot"), ("upper_arm", "forearm", "hand")):
            first, wanted, last = (role(p, side) for p in (upper, middle, lower))
            if first in at and last in at and wanted not in at:
                between = tree.between(parents, at[first], at[last])
                if between:
                    guess.roles[wanted] = (between[len(between) // 2], BY_TREE, "it stands between its neighbours")
