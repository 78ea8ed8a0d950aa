# SPDX-License-Identifier: Apache-2.0
"""Typed arrays out of a glTF document: strides, normalised integers, sparse values.

Khronos, glTF 2.0 specification, sections 3.6.2 (accessors) and 3.11 (decoding of normalised integers).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.formats.glb.document import Document, finite

FloatArray = NDArray[np.floating[Any]]

COMPONENTS: dict[int, np.dtype[Any]] = {
    5120: np.dtype("<i1"),
    5121: np.dtype("<u1"),
    5122: np.dtype("<i2"),
    5123: np.dtype("<u2"),
    5125: np.dtype("<u4"),
    5126: np.dtype("<f4"),
}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
MAX_ZEROS = 1 << 24  # numbers in an accessor that no byte of the file stands behind


def read(document: Document, index: Any, where: str, kind: str) -> FloatArray:
    """Accessor ``index`` of type ``kind`` as (count, width) floats. ``where`` names who asked for it.

    Raises ``file_unreadable`` with the JSON path for anything that does not fit.
    """
    accessors = document.objects("accessors")
    i = document.index(index, len(accessors), where)
    accessor, where = accessors[i], f"accessors[{i}]"
    if accessor.get("type") != kind:
        document.fail(f"{where}.type", f"must be {kind} here", got=repr(accessor.get("type"))[:40], allowed=kind)
    dtype = _dtype(document, accessor, where)
    count = document.integer(accessor, "count", where, low=1)
    values = _dense(document, accessor, where, dtype, count, WIDTHS[kind])
    if "sparse" in accessor:
        values = _sparse(document, accessor["sparse"], f"{where}.sparse", values)
    out = _to_float(values, bool(accessor.get("normalized", False)))
    if not finite(out):
        document.fail(where, "holds a number that is not finite")
    return out


def _dtype(document: Document, holder: dict[str, Any], where: str) -> np.dtype[Any]:
    code = holder.get("componentType")
    if not isinstance(code, int) or code not in COMPONENTS:
        document.fail(f"{where}.componentType", "is unknown", got=repr(code)[:40], allowed=list(COMPONENTS))
    return COMPONENTS[code]


def _dense(
    document: Document, accessor: dict[str, Any], where: str, dtype: np.dtype[Any], count: int, width: int
) -> NDArray[Any]:
    if "bufferView" not in accessor:
        if count * width > MAX_ZEROS:
            document.fail(f"{where}.count", "is too large for an accessor without data", got=count)
        return np.zeros((count, width), dtype)
    return _array(document, accessor, where, dtype, count, width)


def _array(
    document: Document, holder: dict[str, Any], where: str, dtype: np.dtype[Any], count: int, width: int
) -> NDArray[Any]:
    """A view (count, width) on the bytes that ``holder`` points to."""
    view = document.index(holder.get("bufferView"), len(document.views), f"{where}.bufferView")
    offset = document.integer(holder, "byteOffset", where, default=0)
    item = dtype.itemsize * width
    stride = document.views[view][3] or item
    data = document.view_bytes(view)
    if stride < item:
        document.fail(f"bufferViews[{view}].byteStride", f"is smaller than an element of {item} bytes", got=stride)
    end = offset + (count - 1) * stride + item
    if end > len(data):
        said = f"needs {end} bytes of bufferViews[{view}], which has {len(data)}"
        document.fail(where, said, got=end, allowed=len(data))
    return np.ndarray((count, width), dtype, buffer=data, offset=offset, strides=(stride, dtype.itemsize))


def _sparse(document: Document, sparse: Any, where: str, values: NDArray[Any]) -> NDArray[Any]:
    if not isinstance(sparse, dict) or not all(isinstance(sparse.get(k), dict) for k in ("indices", "values")):
        document.fail(where, "must have a count, indices and values")
    count = document.integer(sparse, "count", where, low=1)
    dtype = _dtype(document, sparse["indices"], f"{where}.indices")
    if dtype.kind != "u":
        document.fail(f"{where}.indices.componentType", "must be an unsigned integer")
    at = _array(document, sparse["indices"], f"{where}.indices", dtype, count, 1)[:, 0].astype(np.int64)
    if at.max() >= len(values) or (np.diff(at) <= 0).any():
        document.fail(f"{where}.indices", f"must rise and stay below {len(values)}", got=int(at.max()))
    out = np.array(values, copy=True)
    out[at] = _array(document, sparse["values"], f"{where}.values", values.dtype, count, values.shape[1])
    return out


def _to_float(values: NDArray[Any], normalized: bool) -> FloatArray:
    if values.dtype.kind == "f":
        return values
    out = values.astype(np.float64)
    if not normalized:
        return out
    return np.maximum(out / np.iinfo(values.dtype).max, -1.0)
