# SPDX-License-Identifier: Apache-2.0
"""Files for tests: small ones built here, and real ones that lie beside the checkout."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kineograph.formats import Asset
from kineograph.motion import quat
from kineograph.motion.clip import Clip

SMALL_BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 1 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Spine
  {
    OFFSET 0 0.2 0
    CHANNELS 3 Zrotation Yrotation Xrotation
    End Site
    {
      OFFSET 0 0.3 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0333333
0 1 0 0 0 0 0 0 0
0.5 1.1 2 0 0 90 10 20 30
"""


def shared(name: str) -> Path:
    """A reference file; the test is skipped, visibly, where it is absent."""
    beside = Path(__file__).resolve().parents[4] / "../shared"
    path = Path(os.environ.get("KINEOGRAPH_SHARED", beside)) / "clips" / name
    if not path.exists():
        pytest.skip(f"reference file {name} is not here")
    return path


def miss(before: Clip, after: Asset, at: int = 0) -> tuple[float, float]:
    """The largest difference in world position (metres) and world rotation (radians), joints matched by name."""
    clip = after.clips[at]
    index = [after.skeleton.index[name] for name in before.skeleton.names]
    pos, rot = before.world()
    new_pos, new_rot = clip.world()
    turned = quat.angle_between_rad(rot, new_rot[:, index])
    return float(np.abs(pos - new_pos[:, index]).max()), float(turned.max())


class Gltf:
    """A glTF document put together by hand: what other programs may write, and what nobody should."""

    def __init__(self) -> None:
        self.map: dict[str, Any] = {
            "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}],
            "nodes": [], "skins": [], "animations": [], "accessors": [], "bufferViews": [],
        }  # fmt: skip
        self.data = b""

    def node(self, **fields: Any) -> int:
        self.map["nodes"].append(fields)
        return len(self.map["nodes"]) - 1

    def view(self, data: bytes, **fields: Any) -> int:
        self.data += b"\0" * (-len(self.data) % 4)
        self.map["bufferViews"].append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data), **fields})
        self.data += data
        return len(self.map["bufferViews"]) - 1

    def accessor(self, values: NDArray[Any], kind: str, code: int = 5126, **fields: Any) -> int:
        view = self.view(np.ascontiguousarray(values).tobytes())
        self.map["accessors"].append(
            {"bufferView": view, "componentType": code, "count": len(values), "type": kind, **fields}
        )
        return len(self.map["accessors"]) - 1

    def channel(self, node: int, path: str, times: Any, values: Any, interpolation: str | None = None) -> None:
        """A channel of the last animation (made when there is none)."""
        if not self.map["animations"]:
            self.map["animations"].append({"name": "move", "samplers": [], "channels": []})
        animation = self.map["animations"][-1]
        values = np.asarray(values, "<f4")
        sampler = {
            "input": self.accessor(np.asarray(times, "<f4"), "SCALAR"),
            "output": self.accessor(values.reshape(-1, values.shape[-1]), "VEC4" if path == "rotation" else "VEC3"),
        }
        if interpolation:
            sampler["interpolation"] = interpolation
        animation["channels"].append({"sampler": len(animation["samplers"]), "target": {"node": node, "path": path}})
        animation["samplers"].append(sampler)

    def glb(self) -> bytes:
        self.map.setdefault("buffers", [{"byteLength": len(self.data)}] if self.data else [])
        text = json.dumps(self.map).encode()
        text += b" " * (-len(text) % 4)
        data = self.data + b"\0" * (-len(self.data) % 4)
        out = struct.pack("<II", len(text), 0x4E4F534A) + text
        if data:
            out += struct.pack("<II", len(data), 0x004E4942) + data
        return struct.pack("<4sII", b"glTF", 2, 12 + len(out)) + out

    def save(self, folder: Path, name: str = "made.glb") -> Path:
        path = folder / name
        path.write_bytes(self.glb())
        return path


def arm() -> Gltf:
    """Armature (a quarter turn about X, a hundredth in size) over two bones of 100 units, skinned."""
    made = Gltf()
    s = float(np.sqrt(0.5))
    made.node(name="Armature", rotation=[s, 0, 0, s], scale=[0.01] * 3, translation=[1, 0, 0], children=[1])
    made.node(name="Upper", translation=[0, 0, 100], children=[2])
    made.node(name="Lower", translation=[0, 100, 0])
    made.map["skins"].append({"joints": [1, 2]})
    return made
