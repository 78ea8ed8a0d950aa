# SPDX-License-Identifier: Apache-2.0
"""What is known about joint names, read once from ``conventions.toml``."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib import resources
from typing import Any

from kineograph.rigs.roles import FINGERS, Role, Side, role

_SIDES = (Side.LEFT, Side.RIGHT)


@dataclass(frozen=True)
class Convention:
    """One way to name joints: ``roles`` maps each of its joint names to the role it plays."""

    id: str
    label: str
    roles: Mapping[str, Role]
    spine: tuple[str, ...]

    @cached_property
    def core(self) -> frozenset[str]:
        """The names that make the convention recognisable: everything but fingers and ends."""
        return frozenset(
            n for n, r in self.roles.items() if r.part.split("_")[0] not in FINGERS and not r.part.endswith("_end")
        ) | frozenset(self.spine)


@dataclass(frozen=True)
class Book:
    """Words, the order in which they fill roles, and conventions."""

    symbol_of: Mapping[str, str]
    flag_of: Mapping[str, str]
    side_of: Mapping[str, Side]
    filler: frozenset[str]
    translate: tuple[tuple[str, str], ...]
    fills: Mapping[str, tuple[tuple[str, frozenset[str]], ...]]
    phalanx_of: Mapping[str, int]
    conventions: tuple[Convention, ...]

    def without(self, convention: str, words: Iterable[str] = ()) -> Book:
        """A book that never saw one convention, nor the words that only it uses."""
        drop = frozenset(words)
        return replace(
            self,
            symbol_of={w: s for w, s in self.symbol_of.items() if w not in drop},
            flag_of={w: s for w, s in self.flag_of.items() if w not in drop},
            phalanx_of={w: s for w, s in self.phalanx_of.items() if w not in drop},
            filler=self.filler - drop,
            translate=tuple((a, b) for a, b in self.translate if a not in drop),
            conventions=tuple(c for c in self.conventions if c.id != convention),
        )

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word that means something, sides included."""
        known = {*self.symbol_of, *self.flag_of, *self.side_of, *self.filler, *self.phalanx_of}
        return frozenset(known)

    @cached_property
    def longest(self) -> int:
        """Length of the longest known word."""
        return max(len(w) for w in self.words)

    @cached_property
    def roles_of_name(self) -> Mapping[str, tuple[Role, ...]]:
        """Roles that a name plays in conventions, the most usual first, by its letters and digits in lower case."""
        out: dict[str, Counter[Role]] = {}
        for convention in self.conventions:
            for name, what in convention.roles.items():
                out.setdefault(squash(name), Counter())[what] += 1
        return {name: tuple(what for what, _ in found.most_common()) for name, found in out.items()}


def squash(name: str) -> str:
    """A name's letters and digits in lower case, without a namespace: what survives an export."""
    return "".join(ch for ch in bare(name).lower() if ch.isalnum())


def bare(name: str) -> str:
    """A name without its namespace (``mixamorig:Hips``, ``char|Hips``) or the prefix ``DEF-``."""
    for mark in (":", "|", "/"):
        name = name.rsplit(mark, 1)[-1] or name
    return name[4:] if name.upper().startswith("DEF-") else name


@cache
def load() -> Book:
    """The book that ships with the package."""
    with resources.files("kineograph.rigs").joinpath("conventions.toml").open("rb") as file:
        data = tomllib.load(file)
    phalanges = data["phalanges"]
    return Book(
        symbol_of={w: symbol for symbol, words in data["symbols"].items() for w in words},
        flag_of={w: flag for flag, words in data["flags"].items() for w in words},
        side_of={w: Side(side) for side, words in data["sides"].items() for w in words},
        filler=frozenset(data["filler"]["words"]),
        translate=tuple(sorted(data["translate"].items(), key=lambda kv: -len(kv[0]))),
        fills={part: tuple(_condition(rule) for rule in rules) for part, rules in data["roles"].items()},
        phalanx_of=dict(zip(phalanges["order"], phalanges["rank"], strict=True)),
        conventions=tuple(_convention(key, entry) for key, entry in data["convention"].items()),
    )


def _condition(rule: str) -> tuple[str, frozenset[str]]:
    symbol, _, neighbours = rule.partition(" if ")
    return symbol, frozenset(neighbours.split("|")) if neighbours else frozenset()


def _convention(key: str, entry: Mapping[str, Any]) -> Convention:
    spine = tuple(entry["spine"])
    found: dict[str, Role] = {spine[0]: Role.SPINE}
    if len(spine) > 1:
        found[spine[-1]] = Role.CHEST
    found |= {name: Role(part) for part, name in entry["middle"].items()}
    for side, spelled in zip(_SIDES, entry["sides"], strict=True):
        for part, template in entry["paired"].items():
            found[template.format(s=spelled)] = role(part, side)
        found |= _finger_names(entry.get("fingers"), side, spelled)
    return Convention(key, entry["label"], found, spine)


def _finger_names(fingers: Mapping[str, Any] | None, side: Side, spelled: str) -> dict[str, Role]:
    if fingers is None:
        return {}
    out = {}
    for finger, own in zip(FINGERS, fingers["names"], strict=False):
        joints = fingers.get("thumb", fingers["joints"]) if finger == "thumb" else fingers["joints"]
        for number, joint in enumerate(joints, 1):
            out[fingers["template"].format(s=spelled, f=own, n=joint)] = role(f"{finger}_{number}", side)
    return out
