# SPDX-License-Identifier: Apache-2.0
"""The profile of a rig, by its signature: the user's own first, then the ones that come with Kineograph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path

from kineograph.rigs.book import bare
from kineograph.rigs.profiles.files import loads, read
from kineograph.rigs.profiles.model import Profile
from kineograph.rigs.profiles.signature import signature


@cache
def built_in() -> tuple[Profile, ...]:
    """The profiles that come with Kineograph, by name of their files."""
    folder = resources.files("kineograph.rigs.profiles")
    paths = sorted((p for p in folder.iterdir() if p.name.endswith(".toml")), key=lambda p: p.name)
    return tuple(loads(p.read_text(encoding="utf-8"), p.name) for p in paths)


def fits(profile: Profile, names: Sequence[str], parents: Sequence[int]) -> int:
    """How well a profile fits a rig: 0 not at all, 2 by hash, 1 by the joints it asks for. Namespaces do not count."""
    if profile.match.hash and profile.match.hash == signature(names, parents):
        return 2
    have = _known_by(tuple(names))
    has, lacks = profile.match.has, profile.match.lacks
    return int(bool(has) and have.issuperset(has) and have.isdisjoint(lacks))


@lru_cache(16)
def _known_by(names: tuple[str, ...]) -> frozenset[str]:
    """Names with and without their namespaces. Every profile asks, and the same rigs come again and again."""
    return frozenset(map(bare, names)).union(names)


def find(names: Sequence[str], parents: Sequence[int], folders: Iterable[str | Path] = ()) -> Profile | None:
    """The profile that fits best: an exact signature before joint names, then the user's folders in their order, then
    the built-in ones; among equals the one that asks for most. A file that cannot be read raises ``file_unreadable``.
    """
    return best_of([read(path) for folder in folders for path in sorted(Path(folder).glob("*.toml"))], names, parents)


def best_of(own: Sequence[Profile], names: Sequence[str], parents: Sequence[int]) -> Profile | None:
    """The same among profiles that are read already, and the built-in ones."""
    best: Profile | None = None
    best_key = (0, 0, 0)
    for place, profile in enumerate([*own, *built_in()]):
        fit = fits(profile, names, parents)
        key = (fit, int(place < len(own)), len(profile.match.has))
        if fit and key > best_key:
            best, best_key = profile, key
    return best
