# SPDX-License-Identifier: Apache-2.0
"""Frames on disk: what a request brought and what a result holds, readable without a copy.

The layout is that of ``wire.stored``. A stored body is sent again as it lies, unopened, or read by a client where it
lies. A file appears under its name only when it is complete: it is written under another, then renamed; and it is
never written to while it has its name (see ``spares``).
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import secrets
import shutil
import struct
import weakref
from collections.abc import Sequence
from pathlib import Path

from kineograph.errors import ErrorCode as Code
from kineograph.errors import InternalError, JobError, KineographError, UnavailableError
from kineograph.wire import stored
from kineograph.wire.stored import ALIGN_BYTES, HEAD, MAGIC, MAX_FRAMES

Buffer = bytes | bytearray | memoryview

_FLAGS = os.O_WRONLY | getattr(os, "O_BINARY", 0)
_FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT})
_mapped: weakref.WeakKeyDictionary[mmap.mmap, str] = weakref.WeakKeyDictionary()
_same_file: weakref.WeakValueDictionary[tuple[int, int], mmap.mmap] = weakref.WeakValueDictionary()
_TOO_MANY = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
_MAX_PARTS = 512  # of one writev call; the smallest limit among today's systems is 1024


def write(path: str | os.PathLike[str], frames: Sequence[Buffer], *, fsync: bool = False, over: str = "") -> int:
    """Write ``frames`` to ``path``, whole or not at all; the number of bytes of the file.

    ``fsync`` waits until the disk has it: survives a power cut, costs milliseconds. ``over`` names a file that is
    nobody else's, to be used up for it (see ``spares``); one that is not there does not matter. Raises
    ``resource_exhausted`` for a full disk and ``internal_error`` for a path that cannot be written.
    """
    target = os.fspath(path)
    folder = os.path.dirname(target)
    parts = _parts(frames)
    fd, temporary = _opened(over), over
    try:
        if fd is None:
            name = os.path.basename(target)
            temporary = os.path.join(folder, f".{name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
            fd = _create(temporary, folder)
        size = _write_all(fd, parts, fsync)
        _put(temporary, target, folder)
        if fsync:
            _sync_folder(folder)
    except OSError as e:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise _write_error(Path(target), e, sum(len(p) for p in parts)) from e
    return size


def open(path: str | os.PathLike[str]) -> list[memoryview]:
    """The frames of ``path`` as read-only views of the mapped file; the views keep the mapping alive.

    A file that is mapped still is not mapped again: each mapping keeps a descriptor, of which a process has some
    hundred. Raises ``result_expired`` when the file is gone, ``resource_exhausted`` when nothing more can be opened or
    mapped, ``internal_error`` when it is not one of ours or damaged.
    """
    target = os.fspath(path)
    try:
        fd = os.open(target, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            mapped = _map(fd)
        finally:
            os.close(fd)
    except FileNotFoundError:
        where = {"file": os.path.basename(target)}
        raise JobError(Code.RESULT_EXPIRED, "the stored result is gone", {"where": where}) from None
    except (OSError, ValueError) as e:  # ValueError: an empty file cannot be mapped
        if isinstance(e, OSError) and e.errno in _TOO_MANY:
            where = {"file": os.path.basename(target)}
            message = f"the stored result cannot be opened now: {e.strerror}"
            raise UnavailableError(Code.RESOURCE_EXHAUSTED, message, {"resource": "files", "where": where}) from e
        raise _damaged(target, str(e)) from e
    _mapped[mapped] = target
    try:
        return stored.split(memoryview(mapped))
    except ValueError as e:
        raise _damaged(target, str(e)) from None


def _map(fd: int) -> mmap.mmap:
    info = os.fstat(fd)
    file = (info.st_dev, info.st_ino)  # no other file's as long as it is mapped
    mapped = _same_file.get(file)
    if mapped is None or len(mapped) != info.st_size or not info.st_ino:
        mapped = _same_file[file] = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
    return mapped


def is_open(path: str | os.PathLike[str]) -> bool:
    """Whether views of the file, as ``open`` gave them, are still in use in this process."""
    return os.fspath(path) in list(_mapped.values())


def remove(path: str | os.PathLike[str]) -> int:
    """Delete a stored file if it is there; the bytes it took."""
    try:
        size = os.stat(path).st_size
        os.unlink(path)
    except FileNotFoundError:
        return 0
    return size


def _parts(frames: Sequence[Buffer]) -> list[Buffer]:
    if len(frames) > MAX_FRAMES:
        raise ValueError(f"{len(frames)} frames in one file, limit {MAX_FRAMES}")
    lengths = [len(f) if isinstance(f, (bytes, bytearray)) else f.nbytes for f in frames]
    head = HEAD.pack(MAGIC, len(frames)) + struct.pack(f"<{len(frames)}Q", *lengths)
    parts: list[Buffer] = [head + bytes(-len(head) % ALIGN_BYTES)]
    for frame, length in zip(frames, lengths, strict=True):
        if length:
            parts.append(frame if isinstance(frame, (bytes, bytearray)) else frame.cast("B"))
        if pad := -length % ALIGN_BYTES:
            parts.append(bytes(pad))
    return parts


def _opened(spare: str) -> int | None:
    """The file that is to be used up, open; None where there is none."""
    if spare:
        with contextlib.suppress(OSError):
            return os.open(spare, _FLAGS)
    return None


def _create(temporary: str, folder: str) -> int:
    if not os.path.isdir(folder):
        os.makedirs(folder, exist_ok=True)
    return os.open(temporary, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)


def _put(temporary: str, target: str, folder: str) -> None:
    try:
        os.replace(temporary, target)
    except FileNotFoundError:  # the folder, which is there already where a daemon lives
        os.makedirs(folder, exist_ok=True)
        os.replace(temporary, target)


def _write_all(fd: int, parts: Sequence[Buffer], fsync: bool) -> int:
    try:
        size = _gather(fd, parts) if hasattr(os, "writev") else _one_by_one(fd, parts)
        if os.fstat(fd).st_size > size:
            os.truncate(fd, size)
        if fsync:
            os.fsync(fd)
    finally:
        os.close(fd)
    return size


def _gather(fd: int, parts: Sequence[Buffer]) -> int:
    total = 0
    for start in range(0, len(parts), _MAX_PARTS):
        chunk = list(parts[start : start + _MAX_PARTS])
        while chunk:
            done = os.writev(fd, chunk)
            total += done
            if done == sum(map(len, chunk)):
                break
            while chunk and done >= len(chunk[0]):
                done -= len(chunk.pop(0))
            if done:
                chunk[0] = memoryview(chunk[0])[done:]
    return total


def _one_by_one(fd: int, parts: Sequence[Buffer]) -> int:
    total = 0
    for part in parts:
        rest = memoryview(part)
        while rest:
            done = os.write(fd, rest)
            total += done
            rest = rest[done:]
    return total


def _sync_folder(folder: str) -> None:
    if os.name != "posix":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _damaged(path: str, why: str) -> InternalError:
    where = {"file": os.path.basename(path)}
    return InternalError(Code.INTERNAL_ERROR, f"a stored file is damaged: {why}", {"where": where, "got": why})


def _write_error(path: Path, e: OSError, need_bytes: int) -> KineographError:
    if e.errno not in _FULL_DISK:
        why = e.strerror or type(e).__name__
        return InternalError(
            Code.INTERNAL_ERROR, f"a result could not be written: {why}", {"where": {"file": path.name}, "got": why}
        )
    free_bytes: int | None = None
    with contextlib.suppress(OSError):
        free_bytes = shutil.disk_usage(path.parent).free
    return UnavailableError(
        Code.RESOURCE_EXHAUSTED,
        f"the disk is full: {need_bytes} bytes needed",
        {"resource": "disk", "need_bytes": need_bytes, "free_bytes": free_bytes, "where": {"folder": str(path.parent)}},
    )
