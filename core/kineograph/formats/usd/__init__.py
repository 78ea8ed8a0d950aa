# SPDX-License-Identifier: Apache-2.0
"""USD skeletons and skeletal animations (UsdSkel) through ``usd-core`` (extra ``[usd]``)."""

from __future__ import annotations

from kineograph.formats.usd.reader import read
from kineograph.formats.usd.writer import write

__all__ = ["read", "write"]
