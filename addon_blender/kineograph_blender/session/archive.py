# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes as files: whole dataclasses as a body of the wire's codec, arrays raw, no pickle. Knows no bpy.

``magic, count, lengths, frames``: the frames are those of ``pack_body``. What cannot be read back is an error that
names the file; nothing is half read.
"""

from __future__ import annotations

import dataclasses
import os
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from kineograph.client import Result
from kineograph.errors import ErrorCode, KineographError, error
from kineograph.motion.skeleton import Skeleton
from kineograph.wire.codec import decode_body, pack_body
from kineograph.wire.messages import JobState, JobStatus, Priority, Progress

from ..bridge.bake_options import BakeReport
from ..bridge.blockers import BoneConstraint
from ..bridge.frame import Frame
from ..bridge.request import Outgoing, Remark
from ..bridge.rig import Rig
from ..bridge.written import UserKey
from ..takes import Take

MAGIC = b"KGTAKE1\n"
SENT_MAGIC = b"KGSENT1\n"
T = TypeVar("T")
_KIND = "!"
_MOST_FRAMES = 4096
_AS_SENT = frozenset({"request", "asked"})
_SCALARS = frozenset({float, int, str, bool, type(None)})


@dataclasses.dataclass(frozen=True, eq=False)
class Sent:
    """A job that was sent: what is needed to take its result home in another Blender.

    ``address`` is where the daemon is (empty: this user's own), ``file`` the blend file that it was sent from.
    ``fields`` go with the submit message; ``pid`` and ``machine`` say which Blender it was. ``has_arrived``: the daemon
    has told of it; else it may never have left.
    """

    job: str
    owner: str
    label: str
    outgoing: Outgoing
    created_s: float
    address: str = ""
    file: str = ""
    fields: dict[str, Any] = dataclasses.field(default_factory=dict)
    pid: int = 0
    machine: str = ""
    has_arrived: bool = True


_PLAIN = (Take, Rig, Skeleton, Frame, Remark, BakeReport, BoneConstraint, UserKey, JobStatus, Progress, Outgoing, Sent)
_KINDS: Mapping[str, Any] = {cls.__name__: cls for cls in _PLAIN}
_ENUMS: Mapping[str, Any] = {cls.__name__: cls for cls in (JobState, Priority)}


def write(take: Take, path: Path) -> int:
    """Write a take, whole or not at all; returns the bytes written. Raises OSError."""
    return _write(MAGIC, {"take": take}, path)


def read(path: Path) -> Take:
    """A take from its file. Raises ``file_unreadable``."""

    def take_in(body: Any) -> Take:
        take = _thing(body["take"])
        if not isinstance(take, Take):
            raise ValueError("there is no take in it")
        take.clip(0)
        return take

    return _read(MAGIC, path, "the take", take_in)


def write_sent(sent: Sent, path: Path) -> int:
    """Write what was sent, whole or not at all; returns the bytes written. Raises OSError."""
    return _write(SENT_MAGIC, {"sent": sent}, path)


def read_sent(path: Path) -> Sent:
    """What was sent, from its file. Raises ``file_unreadable``."""

    def sent_in(body: Any) -> Sent:
        sent = _thing(body["sent"])
        if not (isinstance(sent, Sent) and isinstance(sent.outgoing, Outgoing) and isinstance(sent.outgoing.rig, Rig)):
            raise ValueError("there is nothing in it that was sent")
        return sent

    return _read(SENT_MAGIC, path, "the record", sent_in)


def _write(magic: bytes, body: Mapping[str, Any], path: Path) -> int:
    frames = pack_body(body, _kept)
    sizes = [len(f) for f in frames]
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(magic + struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes))
            for frame in frames:
                file.write(frame)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return sum(sizes)


def _read(magic: bytes, path: Path, what: str, thing: Callable[[Any], T]) -> T:
    try:
        data = memoryview(path.read_bytes())
        if bytes(data[: len(magic)]) != magic:
            raise ValueError("it is none of Kineograph's")
        return thing(decode_body(*_frames(data[len(magic) :])))
    except (OSError, KineographError, ValueError, TypeError, KeyError, AttributeError, IndexError, struct.error) as e:
        raise error(
            ErrorCode.FILE_UNREADABLE, f"{what} {path.name} cannot be read: {e}", {"file": path.name, "got": str(e)}
        ) from e


def _frames(data: memoryview) -> tuple[memoryview, list[memoryview]]:
    (count,) = struct.unpack_from("<I", data)
    if not 1 <= count <= _MOST_FRAMES:
        raise ValueError(f"it claims {count} parts")
    sizes = struct.unpack_from(f"<{count}Q", data, 4)
    at = 4 + 8 * count
    if at + sum(sizes) != len(data):
        raise ValueError("it is cut off or longer than it says")
    parts = []
    for size in sizes:
        parts.append(data[at : at + size])
        at += size
    return parts[0], parts[1:]


def _kept(value: Any) -> Any:
    """What the wire has no form for, one layer of it: msgpack walks through the rest, in a tenth of Python's time, for
    which Blender would have to wait."""
    if isinstance(value, Result):
        return {_KIND: "Result", "job": value.job, "body": value.body}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _field(f.name, getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
        return {_KIND: type(value).__name__, **fields}
    if type(value).__name__ in _ENUMS:
        return {_KIND: type(value).__name__, "value": str(value.value)}
    if isinstance(value, tuple):
        return {_KIND: "tuple", "items": list(value)}
    plain = next((kind for kind in (str, float, int, list) if isinstance(value, kind)), None)
    return _named(value) if plain is None else plain(value)


def _field(name: str, value: Any) -> Any:
    """What goes over the wire as it is has the wire's form here too, in one block: it has thousands of parts."""
    if name not in _AS_SENT:
        return _named(value)
    packed, *arrays = pack_body({_KIND: value})
    return _named(value) if arrays else {_KIND: "packed", "data": np.frombuffer(packed, np.uint8)}


def _named(value: Any) -> Any:
    """A map by strings: no file has other keys."""
    return {str(k): v for k, v in value.items()} if isinstance(value, Mapping) else value


def _thing(value: Any) -> Any:
    if isinstance(value, list):
        return value if _SCALARS.issuperset(map(type, value)) else [_thing(v) for v in value]
    if not isinstance(value, dict):
        return value
    kind = value.get(_KIND)
    if kind is None:
        return {k: _thing(v) for k, v in value.items()}
    if kind == "Result":
        return Result.from_body(_thing(value["job"]), value["body"])
    if kind == "tuple":
        return tuple(_thing(v) for v in value["items"])
    if kind == "packed":
        return decode_body(value["data"].tobytes(), [])[_KIND]
    if kind in _ENUMS:
        return _ENUMS[kind](value["value"])
    cls = _KINDS[kind]
    known = {f.name for f in dataclasses.fields(cls) if f.init}
    return cls(**{k: _thing(v) for k, v in value.items() if k in known})
