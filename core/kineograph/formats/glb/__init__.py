# SPDX-License-Identifier: Apache-2.0
"""glTF 2.0, binary (.glb) and text (.gltf): skeleton, clips and a skinned mesh."""

from kineograph.formats.glb.reader import read
from kineograph.formats.glb.writer import write

__all__ = ["read", "write"]
