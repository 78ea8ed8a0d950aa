# SPDX-License-Identifier: Apache-2.0
"""Broken and hostile glTF files: one clear error with the byte or the JSON path."""

from __future__ import annotations

import json
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fakes import rigs
from tests.unit.core.formats.samples import Gltf, arm
from tests.unit.core.motion.samples import smooth

from kineograph.errors import SceneError
from kineograph.formats import glb
from kineograph.formats.glb.document import finite
from kineograph.motion import quat


def moving() -> Gltf:
    made = arm()
    made.channel(2, "rotation", np.arange(4) / 30, quat.about_y(np.arange(4) / 4))
    return made


def refused(path: Path) -> SceneError:
    with pytest.raises(SceneError) as caught:
        glb.read(path)
    assert path.name in caught.value.message
    return caught.value


def put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Set ``a.0.b`` of the JSON."""

    def change(document: dict[str, Any]) -> None:
        *way, last = path.split(".")
        at: Any = document
        for step in way:
            at = at[int(step)] if step.isdigit() else at[step]
        at[int(last) if last.isdigit() else last] = value

    return change


CASES: list[tuple[str, Any, str, str]] = [
    # where, what is put there, the JSON path of the error, a word of the message
    ("asset.version", "1.0", "asset.version", "2.0"),
    ("asset", 5, "asset.version", "2.0"),
    ("nodes", {}, "nodes", "list"),
    ("nodes.1", 7, "nodes", "list of objects"),
    ("nodes", [], "animations[0].channels[0].target.node", "index"),
    ("nodes.0.children", 1, "nodes[0].children", "list"),
    ("nodes.0.children.0", 99, "nodes[0].children[0]", "index"),
    ("nodes.0.children.0", -1, "nodes[0].children[0]", "index"),
    ("nodes.0.children.0", True, "nodes[0].children[0]", "index"),
    ("nodes.2.children", [2], "nodes[2].children[0]", "already a child"),
    ("nodes.2.children", [1], "nodes[2].children[0]", "already a child"),
    ("nodes.2.children", [0], "nodes[0]", "ancestor"),
    ("nodes.2.translation", [0, 0], "nodes[2].translation", "3 finite"),
    ("nodes.2.translation", [0, 0, "x"], "nodes[2].translation", "3 finite"),
    ("nodes.2.translation", [0, 0, 1e300], "nodes[2].translation", "3 finite"),
    ("nodes.2.rotation", None, "nodes[2].rotation", "4 finite"),
    ("nodes.2.matrix", [0.0] * 16, "nodes[2].matrix", "flattens"),
    ("nodes.2.matrix", [1, 0, 0, 0, 0.5, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], "nodes[2].matrix", "shears"),
    ("nodes.0.scale", [1, 2, 1], "nodes[0].scale", "unevenly"),
    ("nodes.0.scale", [-1, 1, 1], "nodes[0].scale", "mirrored"),
    ("nodes.1.scale", [0, 1, 1], "nodes[1].scale", "flat"),
    ("skins.0.joints", [], "skins[0].joints", "list"),
    ("skins.0.joints.0", 9, "skins[0].joints[0]", "index"),
    ("buffers", [{"byteLength": 10}], "bufferViews[0]", "of a buffer of 10"),
    ("buffers", [{}], "buffers[0].byteLength", "whole number"),
    ("bufferViews.0.buffer", 3, "bufferViews[0].buffer", "index"),
    ("bufferViews.0.byteOffset", 10**9, "bufferViews[0]", "ends at byte"),
    ("bufferViews.0.byteOffset", -4, "bufferViews[0].byteOffset", "at least 0"),
    ("bufferViews.0.byteOffset", 8, "bufferViews[1]", "overlaps bufferViews[0]"),
    ("bufferViews.0.byteLength", 0, "bufferViews[0].byteLength", "at least 1"),
    ("bufferViews.1.byteLength", 10**12, "bufferViews[1]", "ends at byte"),
    ("bufferViews.1.byteStride", 4, "bufferViews[1].byteStride", "smaller"),
    ("bufferViews.1.byteStride", 400, "accessors[1]", "needs"),
    ("accessors.0.count", 10**9, "accessors[0]", "needs"),
    ("accessors.0.count", 0, "accessors[0].count", "at least 1"),
    ("accessors.0.count", 3, "animations[0].samplers[0].output", "4 values for 3 keys"),
    ("accessors.0.type", "VEC3", "accessors[0].type", "SCALAR"),
    ("accessors.0.componentType", 5124, "accessors[0].componentType", "unknown"),
    ("accessors.0.byteOffset", 8, "accessors[0]", "needs"),
    ("accessors.0.bufferView", 17, "accessors[0].bufferView", "index"),
    ("accessors.0", {"componentType": 5126, "count": 10**9, "type": "SCALAR"}, "accessors[0].count", "too large"),
    ("accessors.1.sparse", 3, "accessors[1].sparse", "count, indices"),
    ("animations.0.samplers", 3, "animations[0]", "lists"),
    ("animations.0.samplers.0", 3, "animations[0].samplers[0]", "object"),
    ("animations.0.samplers.0.input", 30, "animations[0].samplers[0].input", "index"),
    ("animations.0.samplers.0.input", None, "animations[0].samplers[0].input", "index"),
    ("animations.0.samplers.0.interpolation", "BOUNCE", "animations[0].samplers[0].interpolation", "unknown"),
    ("animations.0.samplers.0.interpolation", "CUBICSPLINE", "animations[0].samplers[0].output", "4 values"),
    ("animations.0.channels.0.sampler", 8, "animations[0].channels[0].sampler", "index"),
    ("animations.0.channels.0.target", None, "animations[0].channels[0].target", "object"),
    ("animations.0.channels.0.target.node", 8, "animations[0].channels[0].target.node", "index"),
    ("extensionsRequired", ["EXT_meshopt_compression"], "extensionsRequired", "uncompressed"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "value", "json_path", "said"), CASES, ids=[f"{c[0]}={c[1]!r:.20}" for c in CASES])
def test_the_error_names_the_json_path(tmp_path: Path, where: str, value: Any, json_path: str, said: str) -> None:
    made = moving()
    made.map["buffers"] = [{"byteLength": len(made.data)}]
    put(where, value)(made.map)
    problem = refused(made.save(tmp_path))
    assert problem.code == "file_unreadable"
    assert problem.details["json_path"] == json_path
    assert said in problem.message


@pytest.mark.parametrize("path", [["translation"], {}, 3, None, "pointer"])
def test_a_channel_of_another_kind_moves_no_joint(tmp_path: Path, path: Any) -> None:
    made = moving()
    made.map["animations"][0]["channels"][0]["target"]["path"] = path
    assert glb.read(made.save(tmp_path)).skeleton.names


def test_a_nan_that_signals_is_no_number_and_no_warning() -> None:
    signalling = np.array([0x7F800001], np.uint32).view(np.float32)
    assert not finite(signalling)
    assert not finite(np.array([np.inf, -np.inf], np.float32))
    assert finite(np.ones(3, np.float32))


def test_numbers_that_are_not_finite(tmp_path: Path) -> None:
    made = arm()
    made.channel(2, "rotation", [0, 1], [[0, 0, 0, 1], [0, float("nan"), 0, 1]])
    assert "finite" in refused(made.save(tmp_path)).message
    made = arm()
    made.channel(2, "rotation", [0, float("inf")], [[0, 0, 0, 1]] * 2)
    assert refused(made.save(tmp_path)).details["json_path"] == "accessors[0]"


def test_times_that_fall_or_never_end(tmp_path: Path) -> None:
    made = arm()
    made.channel(2, "rotation", [1, 0], [[0, 0, 0, 1]] * 2)
    assert "do not rise" in refused(made.save(tmp_path)).message
    made = arm()
    made.channel(2, "rotation", [0, 1e30], [[0, 0, 0, 1]] * 2)
    assert "too long" in refused(made.save(tmp_path)).message


@pytest.mark.parametrize("at", [[0, 5], [1, 1], [2, 1]])
def test_sparse_indices_out_of_order_or_range(tmp_path: Path, at: list[int]) -> None:
    made = moving()
    made.map["accessors"][1]["sparse"] = {
        "count": 2,
        "indices": {"bufferView": made.view(np.array(at, "<u1").tobytes()), "componentType": 5121},
        "values": {"bufferView": made.view(np.zeros((2, 4), "<f4").tobytes())},
    }
    assert refused(made.save(tmp_path)).details["json_path"] == "accessors[1].sparse.indices"


def test_several_characters_under_no_common_root(tmp_path: Path) -> None:
    made = arm()
    made.node(name="Other")
    made.map["skins"] = [{"joints": [1, 2, 3]}]
    assert "several roots" in refused(made.save(tmp_path)).message


def test_nothing_to_read(tmp_path: Path) -> None:
    assert "no skeleton" in refused(Gltf().save(tmp_path)).message


@pytest.mark.parametrize(
    ("change", "code", "offset"),
    [
        (lambda d: b"", "file_incomplete", 0),
        (lambda d: d[:11], "file_incomplete", 11),
        (lambda d: d[:-30], "file_incomplete", None),
        (lambda d: b"GLTF" + d[4:], "file_unreadable", 0),
        (lambda d: d[:4] + struct.pack("<I", 1) + d[8:], "file_unreadable", 4),
        (lambda d: d[:8] + struct.pack("<I", 1 << 31) + d[12:], "file_incomplete", None),
        (lambda d: d[:8] + struct.pack("<I", 16) + d[12:], "file_unreadable", 12),
        (lambda d: d[:12] + struct.pack("<I", 0xFFFFFFF0) + d[16:], "file_unreadable", 12),
        (lambda d: d[:16] + b"BIN\0" + d[20:], "file_unreadable", 12),
        (lambda d: d[:20] + b"?" + d[21:], "file_unreadable", 20),
        (lambda d: d[:22] + b"\xff" + d[23:], "file_unreadable", 22),
    ],
)
def test_the_error_names_the_byte(
    tmp_path: Path, change: Callable[[bytes], bytes], code: str, offset: int | None
) -> None:
    path = tmp_path / "a.glb"
    data = moving().glb()
    path.write_bytes(change(data))
    problem = refused(path)
    assert problem.code == code
    assert problem.details["offset"] == (len(change(data)) if offset is None else offset)


def test_a_file_cut_anywhere_is_incomplete(tmp_path: Path) -> None:
    data = moving().glb()
    path = tmp_path / "a.glb"
    for end in range(4, len(data), 37):
        path.write_bytes(data[:end])
        assert refused(path).code == "file_incomplete"


@pytest.mark.parametrize(
    "text",
    ["[]", "{", '{"asset":', "{}", '{"asset": NaN}', "[" * 100_000, '{"a":' * 50_000, '{"asset": {"version": "2.0"}} x',
     '{"n": ' + "9" * 5000 + "}", "{'a': 1}"],
)  # fmt: skip
def test_broken_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.gltf").write_text(text)
    assert refused(tmp_path / "a.gltf").code in ("file_unreadable", "file_incomplete")


def test_json_that_ends_too_early_is_incomplete(tmp_path: Path) -> None:
    text = json.dumps(moving().map)
    (tmp_path / "a.gltf").write_text(text[: len(text) // 2].rstrip() + ' "')
    assert refused(tmp_path / "a.gltf").code in ("file_incomplete", "file_unreadable")
    (tmp_path / "a.gltf").write_text(text[: text.rindex("]")])
    assert refused(tmp_path / "a.gltf").code == "file_incomplete"


@pytest.mark.parametrize(
    "uri",
    ["../secret.bin", "/etc/hostname", "file:///etc/hostname", "http://127.0.0.1/x.bin", "%2e%2e/secret.bin",
     "..\\secret.bin", "//server/share.bin", "link.bin", "a\0b", "", "data:;base64,@@@", "data:nothing"],
)  # fmt: skip
def test_no_file_outside_the_folder_is_opened(tmp_path: Path, uri: str) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(b"\0" * 4096)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    made = moving()
    made.map["buffers"] = [{"uri": uri, "byteLength": len(made.data)}]
    (folder / "a.gltf").write_text(json.dumps(made.map))
    problem = refused(folder / "a.gltf")
    assert problem.details["json_path"] == "buffers[0].uri"


def test_a_missing_or_short_file_beside_it(tmp_path: Path) -> None:
    made = moving()
    made.map["buffers"] = [{"uri": "data.bin", "byteLength": len(made.data)}]
    (tmp_path / "a.gltf").write_text(json.dumps(made.map))
    with pytest.raises(SceneError, match=r"data\.bin"):
        glb.read(tmp_path / "a.gltf")
    (tmp_path / "data.bin").write_bytes(made.data[:-8])
    assert refused(tmp_path / "a.gltf").code == "file_incomplete"


def test_a_tower_of_nodes_is_refused_and_a_crowd_of_joints_too(tmp_path: Path) -> None:
    made = Gltf()
    for i in range(10_000):
        made.node(name=f"n{i}", children=[i + 1] if i < 9_999 else [])
    made.map["skins"] = [{"joints": [0, 9_999]}]
    assert "deep" in refused(made.save(tmp_path)).message
    made = Gltf()
    made.node(name="hub", children=list(range(1, 5001)))
    for i in range(5000):
        made.node(name=f"n{i}")
    made.map["skins"] = [{"joints": list(range(5001))}]
    assert "too large" in refused(made.save(tmp_path)).message


def test_lying_counts_take_no_memory(tmp_path: Path) -> None:
    made = moving()
    made.map["accessors"][0] = {"componentType": 5126, "count": 1 << 40, "type": "SCALAR"}
    path = made.save(tmp_path)
    tracemalloc.start()
    refused(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "fuzz.glb"
    whole = _fuzz_base(tmp_path)
    at = data.draw(st.integers(0, min(len(whole), 4000) - 1))
    junk = data.draw(st.binary(min_size=1, max_size=4))
    path.write_bytes(whole[:at] + junk + whole[at + len(junk) :])
    try:
        joints = len(glb.read(path).skeleton)
    except SceneError as problem:
        joints = 1 if problem.code in ("file_unreadable", "file_incomplete") else 0
    assert joints >= 1


def _fuzz_base(folder: Path) -> bytes:
    path = folder / "whole.glb"
    if not path.exists():
        glb.write(path, rigs.chain(3), [smooth(rigs.chain(3), 4)])
    return path.read_bytes()
