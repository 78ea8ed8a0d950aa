# SPDX-License-Identifier: Apache-2.0
"""What a process does once, when it has started and stays: its memory put in order for many short pieces of work.

A front and its workers wake one another for a millisecond each. What they need anew every time is then less their
own work than the way to it: garbage walked again, and thousands of small pages found again after another process had
the processor. So what is imported is taken out of the collector's sight, and the heap is laid into large pages, where
the system has them (Linux 6.1 and later); on a busy machine a request costs a twelfth less by that.
"""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from collections.abc import Iterable
from typing import NamedTuple

GARBAGE_EVERY = 20_000
"""Objects made, less those gone, between two looks for cycles of garbage: requests leave none behind."""
LARGE_BYTES = 2 * 2**20
MOST_BYTES = 64 * 2**20
"""Beyond it lies a model's weights, which are read in long stretches anyway."""
_MADV_COLLAPSE = 25
_REGION = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)")


class Region(NamedTuple):
    """Addresses ``start`` to ``stop`` of a process, and how many bytes of them are in use."""

    start: int
    stop: int
    resident_bytes: int

    @property
    def blocks(self) -> range:
        """Where the large pages would begin that fit into it."""
        return range(-(-self.start // LARGE_BYTES) * LARGE_BYTES, self.stop - LARGE_BYTES + 1, LARGE_BYTES)


def settle_in() -> None:
    """Call it when everything that stays is there; again when more has come."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_EVERY)
    use_large_pages()


def use_large_pages(most_bytes: int = MOST_BYTES) -> int:
    """Lay this process's heap into large pages; the bytes that are. Where the system cannot, nothing happens."""
    if sys.platform != "linux":
        return 0
    try:
        with open("/proc/self/smaps", encoding="utf-8", errors="replace") as lines:
            heap = heap_of(lines)
        madvise = ctypes.CDLL(None).madvise
    except (OSError, AttributeError):
        return 0
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    blocks = [block for region in heap for block in region.blocks][: most_bytes // LARGE_BYTES]
    done = [block for block in blocks if madvise(block, LARGE_BYTES, _MADV_COLLAPSE) == 0]
    return LARGE_BYTES * len(done)


def heap_of(smaps: Iterable[str]) -> list[Region]:
    """The regions of ``/proc/PID/smaps`` that objects live in: private, writable, of no file, and mostly in use, as
    the stacks of threads are not."""
    out: list[Region] = []
    found: re.Match[str] | None = None
    for line in smaps:
        if match := _REGION.match(line):
            is_heap = match[3] == "rw-p" and match[4].strip() in ("", "[heap]")
            found = match if is_heap else None
        elif found is not None and line.startswith("Rss:"):
            region = Region(int(found[1], 16), int(found[2], 16), int(line.split()[1]) * 1024)
            if 2 * region.resident_bytes >= region.stop - region.start:
                out.append(region)
    return out
