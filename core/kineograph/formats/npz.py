# SPDX-License-Identifier: Apache-2.0
"""Plain numbers out of an .npz archive from anywhere: no pickle, and no byte unpacked before its size was checked.

``numpy.load`` would trust the claimed shapes; here an array's header must agree with the size of its entry, and the
entry with a limit. Format: numpy's NEP 1.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kineograph.formats.failure import incomplete, read_bytes, unreadable

FloatArray = NDArray[np.floating[Any]]

MAX_ARRAY_BYTES = 1 << 29
MAX_ENTRIES = 1000


class Archive:
    """The arrays of one file by name. Raises ``file_unreadable`` and ``file_incomplete`` naming the array."""

    def __init__(self, path: Path) -> None:
        self.path = path
        data = read_bytes(path)
        if not data.startswith(b"PK"):
            raise unreadable(path, "is no .npz archive: it does not begin with 'PK'", offset=0)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as problem:
            # The table of contents stands at the end: without it the rest was not copied.
            raise incomplete(path, f"ends before its table of contents ({problem})", offset=len(data)) from problem
        infos = self._zip.infolist()
        if len(infos) > MAX_ENTRIES:
            raise unreadable(path, f"holds {len(infos)} entries", got=len(infos), allowed=MAX_ENTRIES)
        self._entries = {info.filename.removesuffix(".npy"): info for info in infos}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    @property
    def names(self) -> list[str]:
        """Names of all arrays, in the file's order."""
        return list(self._entries)

    def numbers(self, name: str) -> FloatArray:
        """One array of finite real numbers as float64."""
        info = self._entries[name]
        if info.file_size > MAX_ARRAY_BYTES:
            said = f"would unpack to {info.file_size} bytes"
            raise unreadable(self.path, said, json_path=name, got=info.file_size, allowed=MAX_ARRAY_BYTES)
        try:
            with self._zip.open(info) as entry:
                data = entry.read(info.file_size + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError) as problem:
            raise unreadable(self.path, f"cannot be unpacked: {problem}", json_path=name) from problem
        return self._array(name, data)

    def _array(self, name: str, data: bytes) -> FloatArray:
        stream = io.BytesIO(data)
        try:
            version = np.lib.format.read_magic(stream)
            if version == (1, 0):
                shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
            elif version == (2, 0):
                shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
            else:
                raise ValueError(f"version {version} is unknown")
        except Exception as problem:
            raise unreadable(self.path, f"has a broken header: {str(problem)[:120]}", json_path=name) from problem
        if dtype.hasobject:
            raise unreadable(self.path, "holds pickled objects, which are never opened", json_path=name, got="object")
        if dtype.kind not in "iuf":
            raise unreadable(self.path, "holds no plain numbers", json_path=name, got=str(dtype))
        count = 1
        for extent in shape:
            count *= int(extent)
        if count < 0 or count * dtype.itemsize != len(data) - stream.tell():
            said = f"claims the shape {shape} but holds {len(data) - stream.tell()} bytes"
            raise unreadable(self.path, said, json_path=name, got=list(shape))
        values = np.frombuffer(data, dtype, count, stream.tell())
        out = values.reshape(shape, order="F" if fortran else "C").astype(np.float64)
        if not np.isfinite(out).all():
            raise unreadable(self.path, "holds a number that is not finite", json_path=name)
        return out
