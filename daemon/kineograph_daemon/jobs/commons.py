# SPDX-License-Identifier: Apache-2.0
"""What many requests have in common, kept once: a character's skeleton is most of the bytes of all requests for it.

A request is then kept without this part, with the part's number and the place where it belongs. A part has one number
for as long as it is remembered here; one that was forgotten is kept again under another, which costs room and nothing
else. Parts that no request needs go at the next start.
"""

from __future__ import annotations

from collections import OrderedDict

LEAST_BYTES = 1024
"""What is smaller stays in its request."""
_MOST = 32


class Commons:
    """The numbers of the parts that were needed last. ``unwritten`` are to be written with the next commit."""

    def __init__(self, next_number: int, most: int = _MOST) -> None:
        self.unwritten: list[tuple[int, bytes]] = []
        self._next = next_number
        self._most = most
        self._numbers: OrderedDict[bytes, int] = OrderedDict()

    def number_of(self, part: bytes) -> int:
        """The number of a part, a new one if it is not remembered."""
        number = self._numbers.get(part)
        if number is None:
            number, self._next = self._next, self._next + 1
            self.unwritten.append((number, part))
            self._numbers[part] = number
            if len(self._numbers) > self._most:
                self._numbers.popitem(last=False)
        self._numbers.move_to_end(part)
        return number


def cut(frame: bytes, place: slice | None) -> tuple[bytes, bytes, int] | None:
    """``(frame without the part, part, where it was)``; None where there is nothing worth cutting out."""
    if place is None:
        return None
    start, stop, _ = place.indices(len(frame))
    if stop - start < LEAST_BYTES:
        return None
    return frame[:start] + frame[stop:], frame[start:stop], start


def joined(frame: bytes, part: bytes, at: int) -> bytes:
    """What ``cut`` took apart."""
    return frame[:at] + part + frame[at:]
