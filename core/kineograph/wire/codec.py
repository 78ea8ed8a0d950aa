# SPDX-License-Identifier: Apache-2.0
"""Frames: ``[header][body][array]*``.

Header and body are msgpack; an array is a raw little-endian, C-ordered buffer in its own frame, referred to from the
body by an extension type (dtype, shape, frame index). Nothing is copied on the way in or out, nothing is pickled, and
lengths and counts are checked before anything is decoded.
"""

from __future__ import annotations

import functools
import itertools
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import msgpack

from kineograph.errors import ErrorCode, LinkError, PayloadTooLarge
from kineograph.wire import version as limits

if TYPE_CHECKING:  # imported where an array travels: who lists jobs has none, and numpy takes longer than the list
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]

Buffer = bytes | bytearray | memoryview


class Kind(StrEnum):
    """What a message is."""

    REQUEST = "request"
    REPLY = "reply"
    ERROR = "error"
    EVENT = "event"


_KINDS: Mapping[str, Kind] = {str(kind): kind for kind in Kind}
_INT = frozenset({int})
_EXT_KNOWN, _SECRET = 127, os.urandom(8)
"""What stands in a body for a value that is known already. No peer can send it: it is of this process."""
_STAND_IN = msgpack.ExtType(_EXT_KNOWN, _SECRET)
_KNOWN = msgpack.packb(_STAND_IN)


class Header(NamedTuple):
    """The first frame. ``request_id`` pairs a reply with its request; ``seq`` numbers events within an ``epoch``."""

    kind: Kind
    method: str
    request_id: str = ""
    epoch: str = ""
    seq: int = 0
    wire: int = limits.WIRE_VERSION

    def to_map(self, arrays: int) -> dict[str, Any]:
        """The header's wire form; ``arrays`` is the number of array frames that follow the body."""
        out: dict[str, Any] = {
            "v": self.wire,
            "k": str(self.kind),
            "m": self.method,
            "id": self.request_id,
            "a": arrays,
        }
        if self.epoch:
            out["e"] = self.epoch
        if self.seq:
            out["s"] = self.seq
        return out


@dataclass(frozen=True)
class Message:
    """A decoded message. Arrays in ``body`` are read-only views of the frames they came in."""

    header: Header
    body: dict[str, Any] = field(default_factory=dict)


class _Packer:
    """Packs one body, moving arrays out into frames."""

    def __init__(self, own: Callable[[Any], Any] | None) -> None:
        self.frames: list[Buffer] = []
        self._own = own

    def default(self, value: Any) -> Any:
        import numpy as np

        if isinstance(value, np.ndarray):
            return self._array(value)
        if self._own is not None:
            value, before = self._own(value), value
            if value is not before:
                return value
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, (set, frozenset)):
            return sorted(value)
        if isinstance(value, Mapping):
            return dict(value)
        # msgpack asks for an int only where it is too long for it
        what = "a whole number of more than 64 bits" if isinstance(value, int) else type(value).__name__
        raise TypeError(f"{what} cannot travel on the wire")

    def _array(self, value: Array) -> msgpack.ExtType:
        import numpy as np

        a = np.ascontiguousarray(value)
        code = a.dtype.str
        if code[0] == ">":
            a = a.astype(a.dtype.newbyteorder("<"))
            code = a.dtype.str
        if code not in limits.DTYPES:
            raise TypeError(f"arrays of dtype {a.dtype} cannot travel on the wire; use one of {limits.DTYPES}")
        self.frames.append(memoryview(a.data).cast("B") if a.size else b"")
        shape = list(value.shape)
        return msgpack.ExtType(limits.EXT_ARRAY, msgpack.packb([code, shape, len(self.frames) - 1]))


def pack_body(body: Mapping[str, Any], own: Callable[[Any], Any] | None = None) -> list[Buffer]:
    """``[body][array]*`` of a message: what is stored on disk and forwarded unopened.

    ``own`` says the wire form of values that have none, and of tuples and subclasses of plain types, for who stores
    kinds of their own; it returns the same object for what it does not know.
    """
    packer = _Packer(own)
    packed = msgpack.packb(dict(body), default=packer.default, use_bin_type=True, strict_types=own is not None)
    return [packed, *packer.frames]


def pack_body_with(body: Mapping[str, Any], outer: str, inner: str, packed: bytes) -> list[Buffer]:
    """``pack_body``, where ``body[outer][inner]`` is known to become ``packed``."""
    whole, *arrays = pack_body({**body, outer: {**body[outer], inner: _STAND_IN}})
    at = bytes(whole).index(_KNOWN)
    return [b"".join((whole[:at], packed, whole[at + len(_KNOWN) :])), *arrays]


def encode(header: Header, body: Mapping[str, Any]) -> list[Buffer]:
    """All frames of a message. Raises TypeError for a value that has no wire form."""
    return attach_header(header, pack_body(body))


def attach_header(header: Header, body_frames: Sequence[Buffer]) -> list[Buffer]:
    """A header in front of frames that ``pack_body`` made (or that another message brought)."""
    return [msgpack.packb(header.to_map(len(body_frames) - 1)), *body_frames]


def check_size(body_frames: Sequence[Buffer]) -> None:
    """Raises ``payload_too_large`` for frames of ``pack_body`` that a peer would refuse unread."""
    sizes = [*map(len, body_frames)]
    least = min(limits.MAX_BODY_BYTES, limits.MAX_ARRAY_BYTES, limits.MAX_MESSAGE_BYTES)
    if sum(sizes) <= least and len(sizes) <= limits.MAX_ARRAYS:
        return
    for what, got, limit in (
        ("body", sizes[0], limits.MAX_BODY_BYTES),
        ("largest array", max(sizes[1:], default=0), limits.MAX_ARRAY_BYTES),
        ("message", sum(sizes), limits.MAX_MESSAGE_BYTES),
        ("number of arrays", len(sizes) - 1, limits.MAX_ARRAYS),
    ):
        if got > limit:
            raise PayloadTooLarge(
                ErrorCode.PAYLOAD_TOO_LARGE,
                f"the message's {what} is {got}, limit {limit}",
                {"got": got, "allowed": limit},
            )


def decode(frames: Sequence[Buffer]) -> Message:
    """A message from its frames. Raises ``protocol_mismatch`` or ``bad_response``, saying what is wrong."""
    header, arrays = decode_header(frames)
    return Message(header, decode_body(frames[1], frames[2 : 2 + arrays]))


def decode_header(frames: Sequence[Buffer]) -> tuple[Header, int]:
    """The header and the number of array frames; sizes and counts are checked here, before the body is opened."""
    if len(frames) < 2:
        raise _bad(f"a message has at least a header and a body frame, this one has {len(frames)}")
    if len(frames[0]) > limits.MAX_HEADER_BYTES:
        raise _bad(f"the header has {len(frames[0])} bytes, limit {limits.MAX_HEADER_BYTES}")
    raw = _unpack(frames[0], "header")
    if type(raw) is not dict:
        raise _bad("the header is no map")
    wire = raw.get("v")
    if type(wire) is not int or wire not in limits.SUPPORTED_WIRE_VERSIONS:
        raise LinkError(
            ErrorCode.PROTOCOL_MISMATCH,
            f"the peer speaks wire version {wire!r}, this side {', '.join(map(str, limits.SUPPORTED_WIRE_VERSIONS))}",
            {
                "got": wire if isinstance(wire, (int, str)) else repr(wire)[:80],
                "allowed": list(limits.SUPPORTED_WIRE_VERSIONS),
            },
        )
    arrays = raw.get("a", 0)
    if type(arrays) is not int or not 0 <= arrays <= limits.MAX_ARRAYS:
        raise _bad(f"the header's array count is {arrays!r}, allowed 0 to {limits.MAX_ARRAYS}")
    if len(frames) != 2 + arrays:
        raise _bad(f"the header announces {arrays} arrays, {len(frames) - 2} frames follow the body")
    size = sum(map(len, frames))
    if len(frames[1]) > limits.MAX_BODY_BYTES:
        raise _bad(f"the body has {len(frames[1])} bytes, limit {limits.MAX_BODY_BYTES}")
    if size > limits.MAX_MESSAGE_BYTES:
        raise _bad(f"the message has {size} bytes, limit {limits.MAX_MESSAGE_BYTES}")
    said = raw.get("k")
    kind = _KINDS.get(said) if type(said) is str else None
    if kind is None:
        raise _bad(f"unknown message kind {said!r}"[:200])
    method, request_id, epoch = raw.get("m"), raw.get("id", ""), raw.get("e", "")
    if not (type(method) is type(request_id) is type(epoch) is str) or len(request_id) > 128:
        raise _bad("method, id and epoch of a header are strings, the id at most 128 characters")
    seq = raw.get("s", 0)
    if type(seq) is not int:
        raise _bad("an event's number is an integer")
    return Header(kind, method, request_id, epoch, seq, wire), arrays


def named(frames: Sequence[Buffer]) -> tuple[str, str]:
    """Method and id of a message that ``decode_header`` refused, as far as they can be read; else empty."""
    try:
        if len(frames[0]) > limits.MAX_HEADER_BYTES:
            return "", ""
        raw = _unpack(frames[0], "header")
        method, request_id = raw.get("m"), raw.get("id")
    except (LinkError, LookupError, AttributeError):
        return "", ""
    is_id = type(request_id) is str and len(request_id) <= 128
    return method[:80] if type(method) is str else "", request_id if is_id else ""


def decode_body(body: Buffer, arrays: Sequence[Buffer]) -> dict[str, Any]:
    """A body with its arrays put back as read-only views. Raises ``bad_response``."""
    out = _unpack(body, "body", _ext_of(arrays))
    if not isinstance(out, dict):
        raise _bad("the body is no map")
    return out


def decode_body_knowing(body: bytes, arrays: Sequence[Buffer], place: slice, value: Any) -> dict[str, Any] | None:
    """``decode_body`` without reading the bytes at ``place``, which are one whole packed value: ``value``.

    Where they turn out to lie inside of something else, ``value`` is not in what is returned. What the body is before
    that place is read as ever, so a value that is there was the value of this place. None for a damaged body: that is
    for ``decode_body``.
    """
    ext = _ext_of(arrays)

    def known_or(code: int, data: bytes) -> Any:
        return value if code == _EXT_KNOWN and data == _SECRET else ext(code, data)

    try:
        out = msgpack.unpackb(
            body[: place.start] + _KNOWN + body[place.stop :], raw=False, strict_map_key=True, ext_hook=known_or
        )
    except (LinkError, ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException):
        return None
    return out if type(out) is dict else None


def packed_value(body: bytes, place: slice, key: str) -> bytes | None:
    """The whole packed value of a body's ``key``, in which a packed value lies at ``place``; None where it does not.

    The body has been decoded before (``decode_body_knowing``): only where the value begins and ends is looked for.
    """
    light = body[: place.start] + _KNOWN + body[place.stop :]
    name = msgpack.packb(key)
    start = light.rfind(name, 0, place.start) + len(name)
    if _is_under(light[:start] + _KNOWN, key):  # the last value of the body, as our own clients send it
        return body[start:]
    unpacker = msgpack.Unpacker(read_size=len(light), max_buffer_size=len(light))
    try:
        unpacker.feed(light[start:])
        unpacker.skip()
        stop = start + unpacker.tell()
    except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException):
        return None
    is_it = _is_under(light[:start] + _KNOWN + light[stop:], key)
    return body[start : stop + len(body) - len(light)] if is_it else None


def _is_under(light: bytes, key: str) -> bool:
    """Whether what stands in for a value is the key's own: it is found under the key then, and nowhere else."""
    try:
        found = msgpack.unpackb(light, strict_map_key=True, ext_hook=_code_and_data)
    except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException):
        return False
    return type(found) is dict and found.get(key) == (_EXT_KNOWN, _SECRET)


def _code_and_data(code: int, data: bytes) -> tuple[int, bytes]:
    return code, data


_AROUND_BYTES = 4 * 2**20
"""Beyond this the copies that reading around a value takes cost more than reading it."""


@dataclass(frozen=True)
class Around:
    """A body decoded around one value: ``body[outer][inner]`` is missing and lies packed in ``inner``.

    ``outer`` is the whole packed value of the outer key.
    """

    body: dict[str, Any]
    outer: bytes
    inner: bytes


def decode_body_around(body: Buffer, arrays: Sequence[Buffer], outer: str, inner: str) -> Around | None:
    """``decode_body`` without one value of an inner map, for who may know that value by its bytes.

    None for a body that is not of this form, damaged and very large ones included: that is for ``decode_body``.
    """
    if len(body) > _AROUND_BYTES:
        return None
    unpacker = msgpack.Unpacker(
        max_buffer_size=limits.MAX_BODY_BYTES, raw=False, strict_map_key=True, ext_hook=_ext_of(arrays)
    )
    try:
        unpacker.feed(body)
        out: dict[str, Any] = {}
        whole = packed = None
        for _ in range(unpacker.read_map_header()):
            key = unpacker.unpack()
            if not isinstance(key, str) or key in out:
                return None
            if key != outer:
                out[key] = unpacker.unpack()
                continue
            start = unpacker.tell()
            found = _map_around(unpacker, body, inner)
            if found is None:
                return None
            out[key], packed = found
            whole = bytes(body[start : unpacker.tell()])
        if whole is None or packed is None or unpacker.tell() != len(body):
            return None
        return Around(out, whole, packed)
    except (LinkError, ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException):
        return None


def _map_around(unpacker: Any, body: Buffer, inner: str) -> tuple[dict[str, Any], bytes] | None:
    out: dict[str, Any] = {}
    packed = None
    for _ in range(unpacker.read_map_header()):
        key = unpacker.unpack()
        if not isinstance(key, str) or key in out or (key == inner and packed is not None):
            return None
        if key != inner:
            out[key] = unpacker.unpack()
            continue
        start = unpacker.tell()
        unpacker.skip()
        packed = bytes(body[start : unpacker.tell()])
    return None if packed is None else (out, packed)


def _ext_of(arrays: Sequence[Buffer]) -> Any:
    left = limits.MAX_REFERENCES

    def ext(code: int, data: bytes) -> Any:
        nonlocal left
        if code != limits.EXT_ARRAY:
            raise _bad(f"unknown extension type {code}")
        left -= 1
        if left < 0:
            raise _bad(f"the body refers to arrays more than {limits.MAX_REFERENCES} times")
        return _view(data, arrays)

    return ext


@functools.lru_cache(maxsize=256)
def _referred(reference: bytes) -> tuple[np.dtype[Any], list[int], int, int]:
    """``(dtype, shape, frame, bytes)`` of an array reference, of which a peer has few."""
    import numpy as np

    ref = _unpack(reference, "array reference")
    if not (isinstance(ref, list) and len(ref) == 3):
        raise _bad("an array reference is [dtype, shape, frame]")
    code, shape, index = ref
    dtype = np.dtype(code) if type(code) is str and code in limits.DTYPES else None
    if dtype is None:
        raise _bad(f"array dtype {code!r} is not one of {', '.join(limits.DTYPES)}"[:200])
    if type(index) is not int or index < 0:
        raise _bad(f"an array refers to frame {index!r}")
    if (
        type(shape) is not list
        or len(shape) > limits.MAX_DIMENSIONS
        or not _INT.issuperset(map(type, shape))
        or min(shape, default=0) < 0
    ):
        raise _bad(f"an array's shape is {shape!r}"[:200])
    expected = math.prod(shape) * dtype.itemsize
    if not expected and math.prod(itertools.takewhile(bool, shape)) > limits.MAX_EMPTY:
        raise _bad(f"an array without numbers has the shape {shape!r}: {limits.MAX_EMPTY} lists at most"[:200])
    if expected > limits.MAX_ARRAY_BYTES:
        raise _bad(f"an array claims {expected} bytes, limit {limits.MAX_ARRAY_BYTES}")
    return dtype, shape, index, expected


def _view(reference: bytes, arrays: Sequence[Buffer]) -> Array:
    import numpy as np

    dtype, shape, index, expected = _referred(reference)
    if index >= len(arrays):
        raise _bad(f"an array refers to frame {index} of {len(arrays)}")
    if expected != len(arrays[index]):
        got = len(arrays[index])
        raise _bad(f"array {index}, shape {shape}, dtype {dtype.str}, needs {expected} bytes; its frame has {got}")
    try:
        view = np.frombuffer(arrays[index], dtype).reshape(shape)
    except ValueError as e:  # an empty array may still claim dimensions beyond any address space
        raise _bad(f"an array's shape is {shape!r}: {e}"[:200]) from None
    view.flags.writeable = False
    return view


def _unpack(data: Buffer, what: str, ext_hook: Any = None) -> Any:
    # msgpack's own unpacker refuses nesting beyond limits.MAX_DEPTH and lengths beyond the buffer.
    try:
        if ext_hook is None:
            return msgpack.unpackb(data, raw=False, strict_map_key=True)
        if len(data) > limits.MAX_CONTAINERS:  # a smaller body has no room for so many
            return _unpack_counted(data, ext_hook)
        return msgpack.unpackb(data, raw=False, strict_map_key=True, ext_hook=ext_hook)
    except LinkError:
        raise
    except msgpack.exceptions.StackError:
        raise _bad(f"the {what} is nested deeper than {limits.MAX_DEPTH}") from None
    except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException) as e:
        raise _bad(f"the {what} is not valid msgpack: {type(e).__name__}: {e}"[:300]) from None


def _unpack_counted(data: Buffer, ext_hook: Any) -> Any:
    """An empty list is one byte on the wire and 64 here: what a large body may grow to is bounded on the way."""
    count = 0

    def counted(value: Any) -> Any:
        nonlocal count
        count += 1
        if count > limits.MAX_CONTAINERS:
            raise _bad(f"the body has more than {limits.MAX_CONTAINERS} lists and maps")
        return value

    return msgpack.unpackb(
        data,
        raw=False,
        strict_map_key=True,
        list_hook=counted,
        object_hook=counted,
        ext_hook=ext_hook,
    )


def _bad(message: str) -> LinkError:
    return LinkError(ErrorCode.BAD_RESPONSE, message, {"got": message})
