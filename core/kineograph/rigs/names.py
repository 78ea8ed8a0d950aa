# SPDX-License-Identifier: Apache-2.0
"""Reading one joint name: the side first, then what its words say.

Only the name is looked at here; which role a word fills depends on its neighbours (``mapping``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from kineograph.rigs.book import Book, bare
from kineograph.rigs.roles import FINGERS, Side

_PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


@dataclass(frozen=True)
class Reading:
    """What a name says. ``symbol`` is empty when no known word is in it; ``unknown`` counts words not understood."""

    name: str
    side: Side
    symbol: str
    flags: frozenset[str]
    numbers: tuple[int, ...]
    phalanx: int | None
    unknown: int
    words: tuple[str, ...]
    says_both_sides: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether the name means the part itself: no control, end, twist or face bone."""
        return bool(self.symbol) and not self.flags - {"front", "rear"}

    @property
    def number(self) -> int:
        """The last number in the name, 0 without one."""
        return self.numbers[-1] if self.numbers else 0

    @property
    def order(self) -> tuple[int, int, int]:
        """Best first among names that say the same: understood whole, lowest number, fewest words."""
        return (self.unknown, self.number, len(self.words))


Spelling = Callable[[str], str]
"""Turns a word as written into the word meant; the identity when names are taken literally."""


def read(name: str, book: Book, spelling: Spelling | None = None) -> Reading:
    """What ``name`` says. With ``spelling``, unknown words are passed through it once."""
    words = [w for piece in split(name, book) for w in _known_words(piece, book)]
    if spelling is not None:
        words = [w if w.isdecimal() or w in book.words else spelling(w) for w in words]
    words = _join(words, book)
    numbers = tuple(int(w[-15:]) for w in words if w.isdecimal())  # Python reads no more than 4,300 digits
    sides = [book.side_of[w] for w in words if w in book.side_of]
    flags = {book.flag_of[w] for w in words if w in book.flag_of}
    symbol = _symbol([book.symbol_of[w] for w in words if w in book.symbol_of])
    if symbol in FINGERS and "toe" in (book.symbol_of.get(w) for w in words):
        symbol, flags = "toe", flags | {"other"}
    phalanx = next((book.phalanx_of[w] for w in words if w in book.phalanx_of), None)
    unknown = sum(not w.isdecimal() and w not in book.words for w in words)
    side = sides[0] if sides else Side.MIDDLE
    return Reading(name, side, symbol, frozenset(flags), numbers, phalanx, unknown, tuple(words), len(set(sides)) > 1)


def split(name: str, book: Book) -> list[str]:
    """Lower-case pieces at marks, capitals, digits and changes of script; known pieces of other scripts translated."""
    text = bare(name)
    if not text.isascii():
        for foreign, word in book.translate:
            text = text.replace(foreign, f" {word} ")
    return [piece.lower() for piece in _PIECES.findall(text)]


def _known_words(piece: str, book: Book) -> list[str]:
    """A glued piece as known words (``lfemur`` -> l, femur), or itself."""
    if piece in book.words or piece.isdecimal() or len(piece) < 3:
        return [piece]
    for first, rest in ((piece[0], piece[1:]), (piece[-1], piece[:-1])):
        if first in "lr" and (inner := _segment(rest, book)):
            return [first, *inner]
    return _segment(piece, book) or [piece]


def _segment(piece: str, book: Book) -> list[str]:
    """The fewest known words, each of three letters or more, that make up ``piece``; empty when none do."""
    best: list[list[str] | None] = [[]] + [None] * len(piece)
    for end in range(3, len(piece) + 1):
        for start in range(max(0, end - book.longest), end - 2):
            head = best[start]
            if head is None or piece[start:end] not in book.words:
                continue
            here = best[end]
            if here is None or len(head) + 1 < len(here):
                best[end] = [*head, piece[start:end]]
    return best[-1] or []


def _join(words: list[str], book: Book) -> list[str]:
    """Neighbouring words that are one word together (up + leg, lower + back), longest first."""
    out: list[str] = []
    i = 0
    while i < len(words):
        for size in (3, 2):
            whole = "".join(words[i : i + size])
            if (
                len(words) - i >= size
                and whole in book.symbol_of
                and not any(w.isdecimal() for w in words[i : i + size])
            ):
                out.append(whole)
                i += size
                break
        else:
            out.append(words[i])
            i += 1
    return out


def _symbol(found: list[str]) -> str:
    """Fingers win over the hand they are on; else the last word says what it is."""
    fingers = [s for s in found if s in FINGERS or s == "finger"]
    if fingers:
        return fingers[-1]
    return found[-1] if found else ""
