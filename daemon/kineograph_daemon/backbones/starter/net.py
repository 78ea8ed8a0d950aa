# SPDX-License-Identifier: Apache-2.0
"""The network in plain numpy: nothing to install, a few milliseconds a pass.

The same as ``training.model`` in torch, where its parts are explained. Weights come from one ``.npz`` in half
precision and are used in single precision.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph_daemon.backbones.starter.features import RESIDUAL

Float32Array = NDArray[np.float32]

WEIGHTS_FILE = Path(__file__).with_name("weights.npz")


@dataclass(frozen=True, eq=False)
class Net:
    """Weights by the names that torch gives them, what is known about them, and the file's hash."""

    weights: dict[str, Float32Array]
    facts: dict[str, Any]
    sha256: str
    _bias: dict[int, Float32Array] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path = WEIGHTS_FILE) -> Net:
        """From a file that ``training.export`` wrote. Raises OSError, ValueError or KeyError when it is none."""
        raw = path.read_bytes()
        try:
            with np.load(io.BytesIO(raw), allow_pickle=False) as d:
                facts = json.loads(str(d["facts"]))
                weights = {name: d[name].astype(np.float32) for name in d.files if name != "facts"}
        except (zipfile.BadZipFile, zlib.error, EOFError, AttributeError) as e:
            raise ValueError(f"{path}: not a file of weights: {e!r}") from e
        return cls(weights, facts, hashlib.sha256(raw).hexdigest())

    @property
    def depth(self) -> int:
        """Number of layers."""
        return int(self.facts["shape"]["depth"])

    def forward(
        self, inputs: Float32Array, noisy: Float32Array | None, level: float, style: NDArray[np.integer[Any]]
    ) -> tuple[Float32Array, Float32Array]:
        """Residuals (B, T, 135) in true units and contact logits (B, T, 4).

        ``inputs`` (B, T, INPUT); ``noisy`` (B, T, 135) in units of the network's scale or None for nothing; ``level``
        of the noise, 1 is all noise; ``style`` (B,). An odd window sees its last frame twice.
        """
        w = self.weights
        frames = inputs.shape[1]
        if frames % 2:
            inputs = np.concatenate([inputs, inputs[:, -1:]], axis=1)
            noisy = None if noisy is None else np.concatenate([noisy, noisy[:, -1:]], axis=1)
        b, t, _ = inputs.shape
        read = (inputs - w["mean"]) / w["spread"]
        zero = np.zeros((b, t, RESIDUAL), np.float32) if noisy is None else noisy
        x = np.concatenate([read, zero], axis=-1).reshape(b, t // 2, -1)
        told = self._linear(np.array([level, level * level], np.float32), "level") + w["style.weight"][style]
        x = self._linear(x, "read") + told[:, None]
        bias = self._apart(t // 2)
        for i in range(self.depth):
            x = self._block(x, bias, f"blocks.{i}.")
        out = self._linear(_scaled(x, w["norm"]), "write").reshape(b, t, -1)[:, :frames]
        return out[..., :RESIDUAL] * w["scale"], out[..., RESIDUAL:]

    def _block(self, x: Float32Array, bias: Float32Array, name: str) -> Float32Array:
        w = self.weights
        b, t, d = x.shape
        heads = len(bias)
        qkv = self._linear(_scaled(x, w[name + "norm1"]), name + "qkv").reshape(b, t, 3, heads, d // heads)
        # BLAS wants its rows in a row: a strided product falls back to a loop, ten times slower.
        q, k, v = np.ascontiguousarray(qkv.transpose(2, 0, 3, 1, 4))
        seen = q @ np.swapaxes(k, -1, -2)
        seen *= np.float32((d // heads) ** -0.5)
        seen += bias
        seen -= seen.max(axis=-1, keepdims=True)
        np.exp(seen, out=seen)
        seen /= seen.sum(axis=-1, keepdims=True)
        x = x + self._linear(np.swapaxes(seen @ v, 1, 2).reshape(b, t, d), name + "out")
        up = self._linear(_scaled(x, w[name + "norm2"]), name + "up")
        np.maximum(up, 0, out=up)
        up *= up
        return x + self._linear(up, name + "down")

    def _linear(self, x: Float32Array, name: str) -> Float32Array:
        weight = self.weights[name + ".weight"]
        out: Float32Array = x.reshape(-1, x.shape[-1]) @ weight.T
        out += self.weights[name + ".bias"]
        return out.reshape(*x.shape[:-1], len(weight))

    def _apart(self, tokens: int) -> Float32Array:
        """(H, N, N) what is added to attention for how far two tokens are apart."""
        if tokens not in self._bias:
            apart = self.weights["apart"]
            reach = (apart.shape[1] - 1) // 2
            place = np.arange(tokens)
            self._bias[tokens] = apart[:, np.clip(place[None] - place[:, None], -reach, reach) + reach]
        return self._bias[tokens]


def _scaled(x: Float32Array, gain: Float32Array) -> Float32Array:
    """Root-mean-square norm."""
    square = np.einsum("...i,...i->...", x, x)[..., None] / np.float32(x.shape[-1])
    out: Float32Array = x / np.sqrt(square + np.float32(1e-6)) * gain
    return out
