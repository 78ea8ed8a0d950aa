# SPDX-License-Identifier: Apache-2.0
"""glTF 2.0, binary (.glb) and text (.gltf): skeleton, clips and a skinned mesh; VRM characters and animations."""

from kineograph.formats.glb.keep import write as write_onto
from kineograph.formats.glb.reader import read
from kineograph.formats.glb.writer import write, write_vrm

__all__ = ["read", "write", "write_onto", "write_vrm"]
