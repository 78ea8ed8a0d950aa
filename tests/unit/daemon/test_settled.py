# SPDX-License-Identifier: Apache-2.0
"""Memory in order: which regions are a heap, and that nothing in it changes."""

from __future__ import annotations

import subprocess
import sys

from kineograph_daemon import settled
from kineograph_daemon.settled import LARGE_BYTES, Region, heap_of

SMAPS = """\
55d41931b000-55d419e73000 rw-p 00000000 00:00 0                          [heap]
Size:              11616 kB
Rss:               11000 kB
7efc70815000-7efc71200000 rw-p 00000000 00:00 0
Size:              10156 kB
Rss:               10100 kB
7efc717fe000-7efc71ffe000 rw-p 00000000 00:00 0
Size:               8192 kB
Rss:                  60 kB
7efc72000000-7efc73000000 rw-p 00000000 fe:00 1234                       /usr/lib/libpython3.11.so.1.0
Size:              16384 kB
Rss:               16384 kB
7efc74000000-7efc75000000 r-xp 00000000 00:00 0
Size:              16384 kB
Rss:               16384 kB
7ffc74000000-7ffc74800000 rw-p 00000000 00:00 0                          [stack]
Size:               8192 kB
Rss:                8192 kB
not a line of it
"""


def test_only_what_is_mostly_in_use_and_no_file_is_heap() -> None:
    assert heap_of(SMAPS.splitlines(keepends=True)) == [
        Region(0x55D41931B000, 0x55D419E73000, 11000 * 1024),
        Region(0x7EFC70815000, 0x7EFC71200000, 10100 * 1024),
    ]
    assert heap_of([]) == heap_of(["Rss: 5 kB"]) == []


def test_blocks_lie_wholly_inside() -> None:
    mib = 2**20
    assert list(Region(1 * mib, 7 * mib, 0).blocks) == [2 * mib, 4 * mib]
    assert list(Region(2 * mib, 4 * mib, 0).blocks) == [2 * mib]
    assert list(Region(1 * mib, 3 * mib, 0).blocks) == []


PROGRAM = """
import gc, hashlib, sys
from kineograph_daemon import settled
kept = [str(n) * 3 for n in range(300_000)]
before = hashlib.sha256("".join(kept).encode()).digest()
large = settled.use_large_pages(8 * 2**20)
settled.settle_in()
assert hashlib.sha256("".join(kept).encode()).digest() == before
assert gc.get_freeze_count() > 0 and gc.get_threshold()[0] == settled.GARBAGE_EVERY
print(large)
"""


def test_what_is_in_memory_stays_as_it_is() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    large = int(done.stdout)
    assert large % LARGE_BYTES == 0
    assert 0 <= large <= 8 * 2**20  # how many there are is the system's to say


def test_a_system_without_large_pages_is_left_alone(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(sys, "platform", "darwin")
    assert settled.use_large_pages() == 0
