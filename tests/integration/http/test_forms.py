# SPDX-License-Identifier: Apache-2.0
"""Answers in an independent reader: the poses in the file are the poses of the job."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pygltflib
import pytest
from numpy.typing import NDArray
from tests.fakes.backbones import request_map
from tests.integration.http.conftest import House, Site

SIZES = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}


def channel(document: pygltflib.GLTF2, animation: int, node: str, path: str) -> NDArray[np.float32]:
    """A channel's values as the reader finds them."""
    made = document.animations[animation]
    index = [n.name for n in document.nodes].index(node)
    (found,) = [c for c in made.channels if c.target.node == index and c.target.path == path]
    accessor = document.accessors[made.samplers[found.sampler].output]
    view = document.bufferViews[accessor.bufferView]
    buffer = document.buffers[view.buffer]
    uri = buffer.uri
    data = document.binary_blob() if uri is None else base64.b64decode(uri.partition(",")[2])
    start = (view.byteOffset or 0) + (accessor.byteOffset or 0)
    count = accessor.count * SIZES[accessor.type]
    return np.frombuffer(data, "<f4", count, start).reshape(accessor.count, -1)


@pytest.mark.parametrize(("accept", "ending"), [("model/gltf-binary", "glb"), ("model/gltf+json", "gltf")])
def test_an_independent_reader_finds_the_same_poses(
    door: Site, open_house: House, tmp_path: Path, accept: str, ending: str
) -> None:
    body = request_map(frames=24, num_samples=2, seed=11)
    answer = door.ask("POST", "/generate", body, {"Accept": accept})
    assert answer.headers["content-type"] == accept
    file = tmp_path / f"motion.{ending}"
    file.write_bytes(answer.body)
    document: Any = pygltflib.GLTF2().load(str(file))
    made = open_house.client().result(answer.headers["x-job-id"])
    assert made is not None
    assert len(document.animations) == 2
    for b in range(2):
        for j, name in enumerate(made["joint_names"]):
            np.testing.assert_allclose(
                channel(document, b, name, "rotation"), made["rotations_xyzw"][b, :, j], atol=1e-6
            )
        np.testing.assert_allclose(channel(document, b, "Hips", "translation"), made["root_m"][b], atol=1e-6)
