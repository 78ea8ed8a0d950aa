# SPDX-License-Identifier: Apache-2.0
"""A rig's signature: its names and tree, whatever pose or size it has and in whatever order they are listed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from kineograph.rigs.book import bare


def signature(names: Sequence[str], parents: Sequence[int]) -> str:
    """16 hex digits. Namespaces (``mixamorig:``) do not count; parents are indices, -1 for roots."""
    own = [bare(name) for name in names]
    rows = sorted(f"{name}<{own[p] if p >= 0 else ''}" for name, p in zip(own, parents, strict=True))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]
