# SPDX-License-Identifier: Apache-2.0
"""What counts as a mistake: each sample's errors as shares of what its base gets wrong on it.

Without that division the few windows with large errors, and among the terms those through forward kinematics, drown
the rest: raw gradients of the latter are ten to a hundred times those of the rotations.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.backbones.starter.features import RESIDUAL

WEIGHTS = {"turn": 0.5, "place": 1.0, "root": 0.4, "speed": 0.35, "feet": 0.35, "contact": 0.05}
LEAST = {"turn": 0.03, "place": 0.02, "root": 0.01, "speed": 0.004, "feet": 0.004}
"""Interpolation errors below these do not make an error count more: 6D units, metres, metres a frame."""


@dataclass(frozen=True)
class Figure:
    """The skeleton as tensors."""

    offsets_m: Tensor
    levels: list[Tensor]
    parents: Tensor

    @classmethod
    def on(cls, device: torch.device) -> Figure:
        """On a device."""
        levels = [torch.as_tensor(level.copy(), device=device) for level in figure.SKELETON.levels[1:]]
        offsets = torch.as_tensor(figure.OFFSETS_M, dtype=torch.float32, device=device)
        return cls(offsets, levels, torch.as_tensor(figure.PARENTS, device=device))

    def place(self, six: Tensor, root_m: Tensor) -> Tensor:
        """Positions (N, 22, 3) of rotations (N, 22, 6) and the root's place (N, 3)."""
        a = F.normalize(six[..., :3], dim=-1)
        b = six[..., 3:]
        b = F.normalize(b - (a * b).sum(-1, keepdim=True) * a, dim=-1)
        local = torch.stack([a, b, torch.linalg.cross(a, b)], dim=-1)
        turned: list[Tensor] = [local[:, 0]] + [local[:, 0]] * (figure.JOINTS - 1)
        at: list[Tensor] = [root_m] * figure.JOINTS
        for level in self.levels:
            up = self.parents[level].tolist()
            above = torch.stack([turned[p] for p in up], dim=1)
            world = above @ local[:, level]
            moved = torch.stack([at[p] for p in up], dim=1) + (above @ self.offsets_m[level][..., None])[..., 0]
            for i, joint in enumerate(level.tolist()):
                turned[joint], at[joint] = world[:, i], moved[:, i]
        return torch.stack(at, dim=1)


def terms(
    body: Figure, guess: Tensor, logits: Tensor, batch: dict[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Per-sample errors as shares of the interpolation's, (B,) each, and the interpolation's own errors.

    ``guess`` (B, T, RESIDUAL) in true units, zero at known frames.
    """
    truth, free = batch["truth"], batch["free"].float()
    b, t = free.shape

    def positions(residual: Tensor) -> Tensor:
        turned = batch["base_six"] + residual[..., :-3]
        place = batch["base_place"] + residual[..., -3:]
        return body.place(turned.reshape(b * t, -1, 6), place.reshape(b * t, 3)).view(b, t, -1, 3)

    with torch.no_grad():
        true_at = positions(truth)
        base_at = positions(torch.zeros_like(truth))
    off, start = positions(guess) - true_at, base_at - true_at
    feet = list(figure.FEET)
    stands = batch["contacts"][:, 1:].float() * free[:, 1:, None]
    wrong = {
        "turn": (over_frames((guess - truth)[..., : RESIDUAL - 3].abs().mean(-1), free)),
        "place": over_frames(off.norm(dim=-1).mean(-1), free),
        "root": over_frames((guess - truth)[..., -3:].abs().sum(-1), free),
        "speed": over_frames(off.diff(dim=1).norm(dim=-1).mean(-1), free[:, 1:]),
        "feet": over_feet(off[:, :, feet].diff(dim=1).norm(dim=-1), stands),
    }
    with torch.no_grad():
        plain = {
            "turn": over_frames(truth[..., : RESIDUAL - 3].abs().mean(-1), free),
            "place": over_frames(start.norm(dim=-1).mean(-1), free),
            "root": over_frames(truth[..., -3:].abs().sum(-1), free),
            "speed": over_frames(start.diff(dim=1).norm(dim=-1).mean(-1), free[:, 1:]),
            "feet": over_feet(start[:, :, feet].diff(dim=1).norm(dim=-1), stands),
        }
    shares = {name: wrong[name] / plain[name].clamp(min=LEAST[name]) for name in wrong}
    hits = F.binary_cross_entropy_with_logits(logits, batch["contacts"].float(), reduction="none").mean(-1)
    shares["contact"] = over_frames(hits, torch.ones_like(free))
    return shares, plain


def over_frames(values: Tensor, free: Tensor) -> Tensor:
    """The mean over free frames, (B,)."""
    return (values * free).sum(-1) / free.sum(-1).clamp(min=1.0)


def over_feet(values: Tensor, stands: Tensor) -> Tensor:
    """The mean over feet that stand, (B,)."""
    return (values * stands).sum((-1, -2)) / stands.sum((-1, -2)).clamp(min=1.0)


def total(shares: dict[str, Tensor]) -> Tensor:
    """One number: the weighted mean over samples."""
    return torch.stack([WEIGHTS[name] * value.mean() for name, value in shares.items()]).sum()
