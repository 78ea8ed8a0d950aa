# SPDX-License-Identifier: Apache-2.0
"""The network in torch. ``kineograph_daemon.backbones.starter.net`` is the same in numpy; a test holds them equal.

Two frames are one token. Blocks are pre-norm: attention with a learned bias for how far apart two tokens are (so
nothing depends on where in a window a frame lies), then a feed-forward of squared ReLU (So et al., "Primer", 2021),
cheap in numpy. The last layer begins at zero: an untrained model is the interpolation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineograph_daemon.backbones.starter.features import CONTACTS, INPUT, RESIDUAL, STYLES


@dataclass(frozen=True)
class Shape:
    """How large a network is."""

    width: int = 192
    depth: int = 6
    heads: int = 6
    widen: int = 4
    reach: int = 64
    """Tokens further apart than this share one bias."""


class Block(nn.Module):
    """One layer of attention and feed-forward."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        d = shape.width
        self.heads = shape.heads
        self.norm1, self.norm2 = nn.Parameter(torch.ones(d)), nn.Parameter(torch.ones(d))
        self.qkv = nn.Linear(d, 3 * d)
        self.out = nn.Linear(d, d)
        self.up = nn.Linear(d, shape.widen * d)
        self.down = nn.Linear(shape.widen * d, d)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        b, t, d = x.shape
        qkv = self.qkv(scaled(x, self.norm1)).view(b, t, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))
        x = x + self.out(seen.transpose(1, 2).reshape(b, t, d))
        return x + self.down(torch.relu(self.up(scaled(x, self.norm2))).square())


class Starter(nn.Module):
    """Inputs (B, T, INPUT), noisy residual (B, T, RESIDUAL), noise level (B,), style (B,) to residual and contact
    logits (B, T, 4). T is even. Residuals are in units of ``scale``."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        d = shape.width
        self.shape = shape
        self.read = nn.Linear(2 * (INPUT + RESIDUAL), d)
        self.level = nn.Linear(2, d)
        self.style = nn.Embedding(len(STYLES), d)
        self.apart = nn.Parameter(torch.zeros(shape.heads, 2 * shape.reach + 1))
        self.blocks = nn.ModuleList([Block(shape) for _ in range(shape.depth)])
        self.norm = nn.Parameter(torch.ones(d))
        self.write = nn.Linear(d, 2 * (RESIDUAL + CONTACTS))
        nn.init.zeros_(self.write.weight)
        nn.init.zeros_(self.write.bias)
        nn.init.zeros_(self.style.weight)
        for block in self.blocks:
            for layer in (block.out, block.down):
                nn.init.normal_(layer.weight, std=0.02 / (2 * shape.depth) ** 0.5)
        self.register_buffer("scale", torch.ones(RESIDUAL))
        self.register_buffer("mean", torch.zeros(INPUT))
        self.register_buffer("spread", torch.ones(INPUT))

    def forward(self, inputs: Tensor, noisy: Tensor, level: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        b, t, _ = inputs.shape
        x = torch.cat([(inputs - self.mean) / self.spread, noisy], dim=-1).view(b, t // 2, -1)
        told = self.level(torch.stack([level, level.square()], dim=-1)) + self.style(style)
        x = self.read(x) + told[:, None]
        bias = self.bias(t // 2)
        for block in self.blocks:
            x = block(x, bias)
        out = self.write(scaled(x, self.norm)).view(b, t, -1)
        return out[..., :RESIDUAL], out[..., RESIDUAL:]

    def bias(self, tokens: int) -> Tensor:
        """(H, N, N) what is added to attention for how far two tokens are apart."""
        place = torch.arange(tokens, device=self.apart.device)
        reach = self.shape.reach
        return self.apart[:, (place[None] - place[:, None]).clamp(-reach, reach) + reach]


def scaled(x: Tensor, gain: Tensor) -> Tensor:
    """Root-mean-square norm (Zhang and Sennrich, 2019)."""
    return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + 1e-6) * gain
