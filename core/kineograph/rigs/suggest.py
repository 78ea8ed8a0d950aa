# SPDX-License-Identifier: Apache-2.0
"""Which joint was meant: side-aware suggestions for a name that a rig does not have.

A joint of the other side is never suggested. Where a name says no side, a joint of one side is suggested only when
the name is closer to it than to its mirror image.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, partial

from kineograph.rigs import book as books
from kineograph.rigs.book import Book, squash
from kineograph.rigs.mapping import roles_of
from kineograph.rigs.names import Reading, read
from kineograph.rigs.roles import Role, Side, role
from kineograph.rigs.spelling import correct, distance, likeness

FLOOR = 0.6
"""Least score of a suggestion, 0 to 1."""

_KNOWN_ELSEWHERE, _SAME_ROLE, _SPELLED = 0.97, 0.9, 0.97


@dataclass(frozen=True)
class Suggestion:
    """A joint that may have been meant: score 0 to 1 and why."""

    name: str
    score: float
    reason: str


def suggest(name: str, candidates: Iterable[str], n: int = 3) -> list[Suggestion]:
    """The ``n`` best of ``candidates`` for a name that is not among them, best first; empty when none is close."""
    pool = tuple(dict.fromkeys(c for c in candidates if isinstance(c, str)))
    if not isinstance(name, str) or not name or not pool:
        return []
    query, rig = _Query.of(name[:200], books.load()), _study(pool)
    scored = [(s, i) for i in range(len(pool)) if (s := _score(query, rig, i)) is not None]
    scored.sort(key=lambda found: (-found[0].score, found[1]))
    return [s for s, _ in scored[:n]]


@dataclass(frozen=True)
class _Rig:
    """A rig's names, prepared once."""

    names: tuple[str, ...]
    readings: tuple[Reading, ...]
    keys: tuple[str, ...]
    mirrored: tuple[str, ...]
    roles: tuple[Role | None, ...]


@lru_cache(maxsize=64)
def _study(names: tuple[str, ...]) -> _Rig:
    book = books.load()
    readings = tuple(read(n, book) for n in names)
    rig = roles_of(names)
    return _Rig(
        names,
        readings,
        tuple("".join(r.words) for r in readings),
        tuple(_mirror(r, book) for r in readings),
        tuple(rig.roles.get(i) for i in range(len(names))),
    )


def _mirror(reading: Reading, book: Book) -> str:
    """The key of the same joint on the other side."""
    other = {"left": "right", "right": "left", "l": "r", "r": "l"}
    return "".join(other.get(w, w) if w in book.side_of else w for w in reading.words)


@dataclass(frozen=True)
class _Query:
    """The unknown name: as written, as probably meant, and the roles it may stand for, likeliest first."""

    key: str
    spelled: str
    side: Side
    number: int
    roles: tuple[Role, ...]
    is_known: bool

    @classmethod
    def of(cls, name: str, book: Book) -> _Query:
        literal = read(name, book)
        meant = literal
        if literal.unknown:
            speller = partial(correct, book=book, with_sides=literal.side is Side.MIDDLE)
            meant = read(name, book, speller)
        exact = book.roles_of_name.get(squash(name), frozenset())
        roles = tuple(sorted(exact)) or _possible(meant, book)
        side = literal.side if literal.side is not Side.MIDDLE else meant.side
        return cls("".join(literal.words), "".join(meant.words), side, meant.number, roles, bool(exact))


def _possible(reading: Reading, book: Book) -> tuple[Role, ...]:
    """Roles that a name may have, taken by itself."""
    if not reading.is_plain:
        return ()
    if reading.side is Side.MIDDLE:
        body = {"hips": Role.HIPS, "lowerbody": Role.HIPS, "head": Role.HEAD, "neck": Role.NECK, "jaw": Role.JAW}
        return (body[reading.symbol],) if reading.symbol in body else ()
    ranked = sorted(
        (rank, part)
        for part, fills in book.fills.items()
        for rank, (symbol, _) in enumerate(fills)
        if symbol == reading.symbol
    )
    return tuple(role(part, reading.side) for _, part in ranked)


def _score(query: _Query, rig: _Rig, i: int) -> Suggestion | None:
    side = rig.readings[i].side
    if side is not Side.MIDDLE:
        if query.side is side.other:
            return None
        if query.side is Side.MIDDLE and distance(query.key, rig.keys[i]) >= distance(query.key, rig.mirrored[i]):
            return None
    written = likeness(query.key, rig.keys[i])
    spelled = _SPELLED * likeness(query.spelled, rig.keys[i]) if query.spelled != query.key else 0.0
    by_name = max(written, spelled)
    by_role = _role_score(query, rig, i)
    score = min(1.0, 0.95 * max(by_name, by_role) + 0.05 * by_name)
    if score < FLOOR:
        return None
    what = rig.roles[i]
    if by_role > by_name and what is not None:
        return Suggestion(rig.names[i], round(score, 3), f"plays the same part ({what.value.replace('_', ' ')})")
    return Suggestion(rig.names[i], round(score, 3), "nearly the same name")


def _role_score(query: _Query, rig: _Rig, i: int) -> float:
    what = rig.roles[i]
    if what is None or what not in query.roles:
        return 0.0
    if query.is_known:
        return _KNOWN_ELSEWHERE
    return _SAME_ROLE - 0.1 * query.roles.index(what)
