# SPDX-License-Identifier: Apache-2.0
"""A glTF file taken apart: its JSON, and the bytes behind each buffer view, every length checked.

Layout: Khronos, glTF 2.0 specification, section 4 (binary format) and 3.6 (binary data storage).
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import struct
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from kineograph.errors import SceneError
from kineograph.formats.failure import incomplete, read_bytes, unreadable

MAGIC = b"glTF"
CHUNK_JSON = 0x4E4F534A
CHUNK_BIN = 0x004E4942
_COMPRESSED = frozenset({"EXT_meshopt_compression", "KHR_meshopt_compression"})


class Document:
    """The JSON map of a file and access to its bytes. Buffers are opened when first used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        data = read_bytes(path)
        self.bin: memoryview | None = None
        text = data
        if data[:4] == MAGIC:
            text, self.bin = _chunks(path, data)
        elif data[:1] not in b"{ \t\r\n\xef":
            raise unreadable(path, "is no glTF file: it begins with neither 'glTF' nor '{'", offset=0)
        self.map = _json(path, text, 20 if data[:4] == MAGIC else 0)
        self._buffers: dict[int, memoryview] = {}
        self._lists: dict[str, list[dict[str, Any]]] = {}
        self._check_version()

    def fail(self, json_path: str, what: str, **details: Any) -> NoReturn:
        """Raise ``file_unreadable`` at a JSON path."""
        raise unreadable(self.path, what, json_path=json_path, **details)

    def objects(self, key: str) -> list[dict[str, Any]]:
        """A top-level list of objects, such as ``nodes``; missing is empty."""
        if key not in self._lists:  # looked through once: each accessor is asked for by itself
            value = self.map.get(key, [])
            if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
                self.fail(key, "must be a list of objects")
            self._lists[key] = value
        return self._lists[key]

    def integer(self, holder: dict[str, Any], key: str, where: str, *, low: int = 0, default: int | None = None) -> int:
        """A whole number >= ``low`` out of an object."""
        value = holder.get(key, default)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            self.fail(f"{where}.{key}", f"must be a whole number of at least {low}", got=repr(value)[:60])
        return value

    def index(self, value: Any, count: int, where: str) -> int:
        """An index into a list of ``count`` things."""
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < count:
            self.fail(where, f"{repr(value)[:40]} is no index below {count}", got=repr(value)[:60], allowed=count)
        return value

    def numbers(self, holder: dict[str, Any], key: str, where: str, default: tuple[float, ...]) -> NDArray[np.float64]:
        """A fixed number of finite numbers."""
        value = holder.get(key, default)
        n = len(default)
        good = (isinstance(value, (list, tuple)) and len(value) == n) and all(
            isinstance(x, (int, float)) and not isinstance(x, bool) and abs(x) < 1e30 for x in value
        )
        if not good:
            self.fail(f"{where}.{key}", f"must be {n} finite numbers", got=repr(value)[:80])
        return np.array(value, dtype=np.float64)

    @cached_property
    def views(self) -> list[tuple[int, int, int, int | None]]:
        """Buffer, byte offset, byte length and stride of every buffer view, checked against its buffer."""
        buffers = self.objects("buffers")
        out: list[tuple[int, int, int, int | None]] = []
        for i, view in enumerate(self.objects("bufferViews")):
            where = f"bufferViews[{i}]"
            buffer = self.index(view.get("buffer"), len(buffers), f"{where}.buffer")
            offset = self.integer(view, "byteOffset", where, default=0)
            length = self.integer(view, "byteLength", where, low=1)
            size = self.integer(buffers[buffer], "byteLength", f"buffers[{buffer}]", low=1)
            if offset + length > size:
                said = f"ends at byte {offset + length} of a buffer of {size}"
                self.fail(where, said, got=offset + length, allowed=size)
            stride = self.integer(view, "byteStride", where, low=1) if "byteStride" in view else None
            out.append((buffer, offset, length, stride))
        self._check_overlap(out)
        return out

    def view_bytes(self, i: int) -> memoryview:
        """The bytes of one buffer view."""
        buffer, offset, length, _ = self.views[i]
        return self.buffer_bytes(buffer)[offset : offset + length]

    def buffer_bytes(self, i: int) -> memoryview:
        """The bytes of one buffer; at least as many as it claims."""
        if i not in self._buffers:
            self._buffers[i] = self._open(i)
        return self._buffers[i]

    def _open(self, i: int) -> memoryview:
        where = f"buffers[{i}]"
        buffer = self.objects("buffers")[i]
        size = self.integer(buffer, "byteLength", where, low=1)
        uri = buffer.get("uri")
        if uri is None:
            if i != 0 or self.bin is None:
                self.fail(where, "has no uri and the file has no binary chunk for it")
            data = self.bin
        elif not isinstance(uri, str):
            self.fail(f"{where}.uri", "must be text")
        elif uri.startswith("data:"):
            data = memoryview(self._data_uri(uri, f"{where}.uri"))
        else:
            data = memoryview(read_bytes(self.sibling(uri, f"{where}.uri")))
        if len(data) < size:
            said = f"holds {len(data)} bytes where {size} are claimed"
            raise incomplete(self.path, said, json_path=where, got=len(data), allowed=size)
        return data

    def _data_uri(self, uri: str, where: str) -> bytes:
        head, comma, body = uri.partition(",")
        if not comma or not head.endswith(";base64"):
            self.fail(where, "must be a base64 data URI")
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            self.fail(where, "is no valid base64")

    def sibling(self, uri: str, where: str) -> Path:
        """A file in the same folder or below it: nothing else on this computer is opened."""
        folder = self.path.parent.resolve()
        parts = urlsplit(uri)
        name = unquote(parts.path)
        try:
            target = (folder / name).resolve()
        except (OSError, ValueError):
            self.fail(where, "is no file name", got=uri[:200])
        if parts.scheme or parts.netloc or "\\" in name or not name or not target.is_relative_to(folder):
            self.fail(where, "points outside the file's own folder", got=uri[:200])
        return target

    def _check_version(self) -> None:
        asset = self.map.get("asset")
        version = asset.get("version") if isinstance(asset, dict) else None
        if not isinstance(version, str) or not version.startswith("2."):
            self.fail("asset.version", "must be 2.0", got=repr(version)[:40], allowed="2.0")
        required = self.map.get("extensionsRequired", [])
        packed = sorted(_COMPRESSED.intersection(x for x in required if isinstance(x, str))) if required else []
        if packed:
            self.fail("extensionsRequired", f"is compressed with {packed[0]}; export it uncompressed", got=packed)

    def _check_overlap(self, views: list[tuple[int, int, int, int | None]]) -> None:
        """Views may be equal or nested (shared data); halves that run into each other are a broken file."""
        order = sorted(range(len(views)), key=lambda i: (views[i][0], views[i][1], -views[i][2]))
        open_ends: list[tuple[int, int]] = []
        buffer = -1
        for i in order:
            if views[i][0] != buffer:
                buffer, open_ends = views[i][0], []
            start, end = views[i][1], views[i][1] + views[i][2]
            while open_ends and open_ends[-1][0] <= start:
                open_ends.pop()
            if open_ends and end > open_ends[-1][0]:
                other = open_ends[-1][1]
                self.fail(f"bufferViews[{i}]", f"overlaps bufferViews[{other}]", offset=start)
            open_ends.append((end, i))


def _chunks(path: Path, data: bytes) -> tuple[bytes, memoryview | None]:
    """The JSON text and the binary chunk of a GLB."""
    if len(data) < 20:
        raise incomplete(path, f"ends inside its header, after {len(data)} bytes", offset=len(data))
    version, total = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise unreadable(path, f"is binary glTF version {version}; 2 is needed", offset=4, got=version, allowed=2)
    if total > len(data):
        raise incomplete(path, f"holds {len(data)} of {total} bytes", offset=len(data), got=len(data), allowed=total)
    text: bytes | None = None
    binary: memoryview | None = None
    at = 12
    while at < total:
        if at + 8 > total:
            raise unreadable(path, "a chunk's header is cut off", offset=at)
        length, kind = struct.unpack_from("<II", data, at)
        end = at + 8 + length
        if end > total:
            raise unreadable(
                path, f"a chunk of {length} bytes runs past the end", offset=at, got=length, allowed=total - at - 8
            )
        if text is None:
            if kind != CHUNK_JSON:
                raise unreadable(path, "the first chunk is not JSON", offset=at)
            text = data[at + 8 : end]
        elif kind == CHUNK_BIN and binary is None:
            binary = memoryview(data)[at + 8 : end]
        at = end
    if text is None:
        raise unreadable(path, "has no JSON chunk", offset=12)
    return text, binary


def _json(path: Path, text: bytes, offset: int) -> dict[str, Any]:
    def refuse(token: str) -> float:
        raise ValueError(f"{token} is no JSON number")

    try:
        value = json.loads(text.decode("utf-8-sig"), parse_constant=refuse, parse_int=_bounded_int)
    except UnicodeDecodeError as problem:
        raise unreadable(path, "its JSON is not UTF-8", offset=offset + problem.start) from None
    except json.JSONDecodeError as problem:
        at = offset + len(problem.doc[: problem.pos].encode())
        raise _json_error(path, problem, at, cut=offset == 0 and problem.pos >= len(problem.doc.rstrip())) from None
    except RecursionError:
        raise unreadable(path, "its JSON is nested too deeply", offset=offset) from None
    except ValueError as problem:
        raise unreadable(path, f"its JSON is broken: {problem}", offset=offset) from None
    if not isinstance(value, dict):
        raise unreadable(path, "its JSON is no object", offset=offset)
    return value


def _bounded_int(token: str) -> int:
    if len(token) > 18:
        raise ValueError(f"the number {token[:20]}... is too large")
    return int(token)


def _json_error(path: Path, problem: json.JSONDecodeError, at: int, cut: bool) -> SceneError:
    if cut:
        return incomplete(path, "its JSON ends too early", offset=at)
    return unreadable(path, f"its JSON is broken: {problem.msg}", offset=at)


def finite(values: NDArray[Any]) -> bool:
    """Whether every number is finite, without a temporary for the usual case."""
    with np.errstate(invalid="ignore"):  # a NaN that signals does so when it is widened
        total = float(np.sum(values, dtype=np.float64))
    return math.isfinite(total) or bool(np.isfinite(values).all())
