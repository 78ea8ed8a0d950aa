# SPDX-License-Identifier: Apache-2.0
"""The files that bodies lie in on disk, as ``docs/protocol.md`` describes them ("Results as files").

``magic "KGB1" | u32 count | u64 length * count | frames``, little-endian, every frame at a multiple of 64 bytes. The
frames are those of ``codec.pack_body``. A file appears under its name only when it is complete, and is not changed as
long as it has that name.
"""

from __future__ import annotations

import mmap
import os
import stat
import struct
import weakref

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from kineograph.wire import version as limits

MAGIC = b"KGB1"
ALIGN_BYTES = 64
MAX_FRAMES = 4096
HEAD = struct.Struct("<4sI")
MOST_HELD = 64
"""Mappings at once: each keeps a file descriptor, of which a process has some hundred."""
_held: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


def split(data: memoryview) -> list[memoryview]:
    """The frames in a file's bytes. Raises ValueError saying what is wrong with them."""
    if len(data) < HEAD.size:
        raise ValueError(f"it has {len(data)} bytes")
    magic, count = HEAD.unpack_from(data)
    if magic != MAGIC:
        raise ValueError("it does not begin with KGB1")
    if count > MAX_FRAMES or len(data) < HEAD.size + 8 * count:
        raise ValueError(f"it claims {count} frames")
    frames = []
    stop = HEAD.size + 8 * count
    for length in struct.unpack_from(f"<{count}Q", data, HEAD.size):
        at = aligned(stop)
        stop = at + length
        if stop > len(data):
            raise ValueError(f"it ends at byte {len(data)}, a frame reaches to {stop}")
        frames.append(data[at:stop])
    return frames


def aligned(offset: int) -> int:
    """Where the frame after ``offset`` begins."""
    return offset + (-offset % ALIGN_BYTES)


def read(path: str) -> list[memoryview] | None:
    """The frames of another process's file; None where there is no such file to be read here.

    Its owner may take the file away at any time, and write another over it; but it renames it first, and then does
    not write over what is ``held``. So if the name still means the file that was opened, its bytes stay as they are:
    mapped, for as long as the mapping lives, with a shared lock on it; copied where that cannot be (too many at once,
    no such locks). Nothing but a plain file is opened.
    """
    try:
        fd = os.open(path, _FLAGS)
    except (OSError, ValueError):
        return None
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or not 0 < info.st_size <= limits.MAX_MESSAGE_BYTES:
            return None
        data = _mapped(fd) if len(_held) < MOST_HELD and _lock(fd, shared=True) else _copied(fd, info.st_size)
        return split(data) if os.path.samestat(info, os.stat(path)) else None
    except (OSError, ValueError):
        return None
    finally:
        os.close(fd)


def is_held(path: str | os.PathLike[str]) -> bool:
    """Whether another process has the file mapped. Asked by its owner, who has renamed it before."""
    if fcntl is None:
        return False
    fd = os.open(path, _FLAGS)
    try:
        return not _lock(fd, shared=False)
    finally:
        os.close(fd)


def _lock(fd: int, *, shared: bool) -> bool:
    """Lock an open file without waiting, until the last descriptor made from this one is closed: the mapping's too."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _mapped(fd: int) -> memoryview:
    mapped = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
    _held.add(mapped)
    return memoryview(mapped)


def _copied(fd: int, size: int) -> memoryview:
    import numpy as np  # its memory is not zeroed first

    buffer = np.empty(size, np.uint8)
    with os.fdopen(os.dup(fd), "rb", buffering=0) as file:
        if file.readinto(buffer.data) != size:
            raise ValueError("it grew shorter while it was read")
    return buffer.data.toreadonly()
