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

FLOOR = 0.5
"""Least score of a suggestion, 0 to 1: half of the name is right."""

_KNOWN_ELSEWHERE, _SAME_ROLE, _SAME_ROLE_MISSPELT, _SPELLED = 0.97, 0.9, 0.72, 0.97
_SWAP_SIDES = str.maketrans("左右", "右左")
_DROP_SIDES = str.maketrans("", "", "左右")


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
    scored = [(s, i) for i, joint in enumerate(rig) if (s := _score(query, joint)) is not None]
    scored.sort(key=lambda found: (-found[0].score, found[1]))
    return [s for s, _ in scored[:n]]


@dataclass(frozen=True)
class _Joint:
    """One joint of a rig, prepared once: its name's letters and digits with and without prefix, mirrored, unsided."""

    name: str
    reading: Reading
    key: str
    whole: str
    mirrored: str
    unsided: str
    role: Role | None


@lru_cache(maxsize=64)
def _study(names: tuple[str, ...]) -> tuple[_Joint, ...]:
    book = books.load()
    rig = roles_of(names)
    out = []
    for i, name in enumerate(names):
        reading = read(name, book)
        mirrored, unsided = _other_spellings(name, reading, book)
        out.append(_Joint(name, reading, squash(name), _whole(name), mirrored, unsided, rig.roles.get(i)))
    return tuple(out)


def _whole(name: str) -> str:
    return "".join(ch for ch in name.lower() if ch.isalnum())


def _other_spellings(name: str, reading: Reading, book: Book) -> tuple[str, str]:
    """The key of the same joint on the other side, and without a side."""
    key = squash(name)
    if not key.isascii():
        return key.translate(_SWAP_SIDES), key.translate(_DROP_SIDES)
    other = {"left": "right", "right": "left", "l": "r", "r": "l"}
    mirrored = "".join(other.get(w, w) for w in reading.words)
    return mirrored, "".join(w for w in reading.words if w not in book.side_of)


@dataclass(frozen=True)
class _Query:
    """The unknown name: as written, as probably meant, and the roles it may stand for, likeliest first."""

    key: str
    whole: str
    spelled: str
    side: Side
    roles: tuple[Role, ...]
    role_score: float

    @classmethod
    def of(cls, name: str, book: Book) -> _Query:
        literal = read(name, book)
        meant = literal
        if literal.unknown:
            speller = partial(correct, book=book, with_sides=literal.side is Side.MIDDLE)
            meant = read(name, book, speller)
        exact = book.roles_of_name.get(squash(name), ())
        roles = exact or _possible(meant, book)
        side = literal.side if literal.side is not Side.MIDDLE else meant.side
        if literal.says_both_sides:
            side, roles = Side.MIDDLE, ()
        score = _KNOWN_ELSEWHERE if exact else _SAME_ROLE_MISSPELT if literal.unknown else _SAME_ROLE
        spelled = "".join(meant.words) if name.isascii() else squash(name)
        return cls(squash(name), _whole(name), spelled, side, roles, score)


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


def _score(query: _Query, joint: _Joint) -> Suggestion | None:
    side = joint.reading.side
    if side is not Side.MIDDLE and (
        query.side is side.other or (query.side is Side.MIDDLE and not _means(query, joint))
    ):
        return None
    by_name = likeness(query.key, joint.key)
    if query.whole != query.key or joint.whole != joint.key:
        by_name = max(by_name, likeness(query.whole, joint.whole))
    if query.spelled != query.key:
        by_name = max(by_name, _SPELLED * likeness(query.spelled, joint.key))
    by_role = _role_score(query, joint)
    score = min(1.0, 0.9 * max(by_name, by_role) + 0.1 * by_name)
    if score < FLOOR:
        return None
    if by_role > by_name and joint.role is not None:
        return Suggestion(joint.name, round(score, 3), f"plays the same part ({joint.role.value.replace('_', ' ')})")
    return Suggestion(joint.name, round(score, 3), "nearly the same name")


def _means(query: _Query, joint: _Joint) -> bool:
    """Whether a name without a clear side is evidence for this joint's: its side word must explain part of the name.

    Comparing with the mirror image alone would favour the shorter word: 'Hand' is nearer to LeftHand than to RightHand.
    """
    here = distance(query.key, joint.key)
    return here < distance(query.key, joint.unsided) and here < distance(query.key, joint.mirrored)


def _role_score(query: _Query, joint: _Joint) -> float:
    if joint.role is None or joint.role not in query.roles:
        return 0.0
    step = 0.03 if query.role_score == _KNOWN_ELSEWHERE else 0.1
    return query.role_score - step * query.roles.index(joint.role)
