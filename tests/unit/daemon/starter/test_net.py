# SPDX-License-Identifier: Apache-2.0
"""The network in numpy: the same as the one that was trained, and a bad file is no model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kineograph_daemon.backbones.starter.features import CONTACTS, INPUT, RESIDUAL, STYLES
from kineograph_daemon.backbones.starter.net import Net


def random_weights(width: int = 24, depth: int = 2, heads: int = 2, seed: int = 0) -> dict[str, Any]:
    """Weights of a tiny network, by the names that torch gives them."""
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "read.weight": (width, 2 * (INPUT + RESIDUAL)), "read.bias": (width,),
        "level.weight": (width, 2), "level.bias": (width,), "style.weight": (len(STYLES), width),
        "apart": (heads, 9), "norm": (width,),
        "write.weight": (2 * (RESIDUAL + CONTACTS), width), "write.bias": (2 * (RESIDUAL + CONTACTS),),
    }  # fmt: skip
    for i in range(depth):
        shapes |= {
            f"blocks.{i}.norm1": (width,), f"blocks.{i}.norm2": (width,),
            f"blocks.{i}.qkv.weight": (3 * width, width), f"blocks.{i}.qkv.bias": (3 * width,),
            f"blocks.{i}.out.weight": (width, width), f"blocks.{i}.out.bias": (width,),
            f"blocks.{i}.up.weight": (4 * width, width), f"blocks.{i}.up.bias": (4 * width,),
            f"blocks.{i}.down.weight": (width, 4 * width), f"blocks.{i}.down.bias": (width,),
        }  # fmt: skip
    weights = {name: rng.normal(scale=0.2, size=shape).astype(np.float32) for name, shape in shapes.items()}
    return weights | {
        "scale": np.full(RESIDUAL, 0.1, np.float32),
        "mean": np.zeros(INPUT, np.float32),
        "spread": np.ones(INPUT, np.float32),
        "known": np.zeros((3, 63), np.float32),
    }


FACTS = {
    "shape": {"width": 24, "depth": 2, "heads": 2, "widen": 4, "reach": 4},
    "stride_hz": [0.5, 0.3],
    "trust": {"at": 1.0, "by_far": 0.0, "by_unsure": 0.0, "far_limit_m": 9.0, "unsure_limit": 9.0},
}


def test_it_is_the_network_that_was_trained() -> None:
    torch = pytest.importorskip("torch", reason="torch is only there where models are trained")
    from training.model import Shape, Starter

    model = Starter(Shape(**FACTS["shape"]))  # type: ignore[arg-type]
    weights = random_weights()
    model.load_state_dict({k: torch.as_tensor(v) for k, v in weights.items() if k != "known"})
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(2, 18, INPUT)).astype(np.float32)
    noisy = rng.normal(size=(2, 18, RESIDUAL)).astype(np.float32)
    style = np.array([0, 2])
    with torch.no_grad():
        out, logits = model(*map(torch.as_tensor, (inputs, noisy)), torch.full((2,), 0.3), torch.as_tensor(style))
    ours, feet = Net(weights, FACTS, "").forward(inputs, noisy, 0.3, style)
    np.testing.assert_allclose(ours, out.numpy() * weights["scale"], atol=1e-4)
    np.testing.assert_allclose(feet, logits.numpy(), atol=1e-4)


@pytest.mark.parametrize("frames", [1, 2, 7, 196])
def test_any_number_of_frames(frames: int) -> None:
    net = Net(random_weights(), FACTS, "")
    out, feet = net.forward(np.zeros((1, frames, INPUT), np.float32), None, 1.0, np.zeros(1, int))
    assert out.shape == (1, frames, RESIDUAL)
    assert feet.shape == (1, frames, CONTACTS)
    assert np.isfinite(out).all()


def test_an_odd_window_sees_its_last_frame_twice() -> None:
    net = Net(random_weights(), FACTS, "")
    inputs = np.random.default_rng(2).normal(size=(1, 7, INPUT)).astype(np.float32)
    odd, _ = net.forward(inputs, None, 1.0, np.zeros(1, int))
    even, _ = net.forward(np.concatenate([inputs, inputs[:, -1:]], axis=1), None, 1.0, np.zeros(1, int))
    np.testing.assert_allclose(odd, even[:, :7], atol=1e-6)


def test_a_file_is_read_back_and_named_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    arrays: dict[str, Any] = {k: v.astype(np.float16) for k, v in random_weights().items()}
    np.savez_compressed(path, facts=np.array(json.dumps(FACTS)), **arrays)
    net = Net.load(path)
    assert net.facts == FACTS
    assert len(net.sha256) == 64
    assert net.weights["read.weight"].dtype == np.float32


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"\x00" * 4096, b"not an archive"])
def test_a_broken_file_is_no_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(content)
    with pytest.raises((OSError, ValueError, KeyError, EOFError)):
        Net.load(path)


def test_a_file_without_facts_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, a=np.zeros(3))
    with pytest.raises(KeyError):
        Net.load(path)
