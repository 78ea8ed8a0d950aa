# SPDX-License-Identifier: Apache-2.0
"""Distances between spellings, and the known word that a misspelt one stands for."""

from __future__ import annotations

from functools import lru_cache

from kineograph.rigs.book import Book


def distance(a: str, b: str) -> int:
    """Edits between two strings: insert, delete, replace, or swap of neighbours (optimal string alignment)."""
    if a == b:
        return 0
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, ca in enumerate(a, 1):
        row = [i]
        for k, cb in enumerate(b, 1):
            cost = min(last[k] + 1, row[k - 1] + 1, last[k - 1] + (ca != cb))
            if i > 1 and k > 1 and ca == b[k - 2] and cb == a[i - 2]:
                cost = min(cost, before[k - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def likeness(a: str, b: str) -> float:
    """1 for equal strings, falling with each edit; 0 for strings with nothing in common."""
    longest = max(len(a), len(b))
    return 1.0 - distance(a, b) / longest if longest else 1.0


@lru_cache(maxsize=4096)
def _nearest(word: str, pool: frozenset[str], first: frozenset[str]) -> str:
    reach = 1 if len(word) < 7 else 2
    near = sorted((distance(word, w), w) for w in pool if len(w) > 2 and abs(len(w) - len(word)) <= reach)
    near = [(d, w) for d, w in near if d <= reach]
    best = [w for d, w in near if d == near[0][0]]
    preferred = [w for w in best if w in first]
    chosen = preferred or best
    return chosen[0] if len(chosen) == 1 else word


def correct(word: str, book: Book, with_sides: bool) -> str:
    """The one known word nearest to ``word``; the word itself when none or several are. Sides win a tie."""
    if len(word) < 3:
        return word
    sides = frozenset(book.side_of)
    parts = frozenset(book.symbol_of) | frozenset(book.phalanx_of) | frozenset(book.flag_of)
    return _nearest(word, parts | sides if with_sides else parts, sides)
