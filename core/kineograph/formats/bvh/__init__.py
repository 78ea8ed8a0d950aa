# SPDX-License-Identifier: Apache-2.0
"""BVH (Biovision Hierarchy): one skeleton and one clip as text."""

from kineograph.formats.bvh.reader import read
from kineograph.formats.bvh.writer import write

__all__ = ["read", "write"]
