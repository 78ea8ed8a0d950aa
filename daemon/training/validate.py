# SPDX-License-Identifier: Apache-2.0
"""How a network does on recordings held back: the check that chooses weights. Never run on a file one reports on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from kineograph_daemon.backbones.starter.base import Ask
from training import losses, tasks
from training.data import BENT, HELD_ACTOR, MARK, Piece, recording_of
from training.model import Starter

GAPS = (15, 30, 60)
PAST, EVERY = 10, 12
"""Known frames before a gap; frames from one window to the next."""


class Validation:
    """Windows of 10 known frames, a gap, one target: position error as a share of the base's, which is what the model
    starts from, by gap and group."""

    def __init__(self, pieces: Sequence[Piece], device: torch.device) -> None:
        self.device = device
        self.body = losses.Figure.on(device)
        self.sets = {gap: self._windows(pieces, gap) for gap in GAPS}

    def _windows(self, pieces: Sequence[Piece], gap: int) -> tuple[tasks.Batch, list[str], list[bool]]:
        frames = PAST + gap + 1
        places = [
            (p, s)
            for p in pieces
            if "cmu_01" not in p.name
            for s in range(0, len(p) - frames + 1, max(EVERY, gap // 2))
        ]
        window = tasks.cut(places, frames)
        key = np.zeros(window.walks.shape, bool)
        key[:, :PAST] = key[:, -1] = True
        ask = Ask.keys_only(window.rotations_xyzw, window.root_m, key)
        made = tasks.batch_of(window, ask)
        return made, [p.name for p, _ in places], [p.style == 1 for p, _ in places]

    @torch.no_grad()
    def measure(self, model: Starter) -> dict[str, float]:
        """Ratios by gap: ``all``, ``walk`` (known actors walking), ``actor`` (the actor held back), ``gait`` (walks
        of both made into other gaits) and ``bent`` (walks of both along bent ways), which count nowhere else; and
        their mean."""
        model.eval()
        out: dict[str, float] = {}
        for gap, (made, names, walks) in self.sets.items():
            ours, plain, contact = self._errors(model, made)
            real = np.array([MARK not in n for n in names])
            bent = np.array([BENT in n for n in names])
            actor = np.array([recording_of(n).startswith(HELD_ACTOR) for n in names]) & real
            groups = {"all": real, "walk": np.array(walks) & ~actor & real, "actor": actor}
            groups |= {"gait": ~real & ~bent, "bent": bent}
            for group, rows in groups.items():
                if rows.any():
                    out[f"{group}{gap}"] = round(float(ours[rows].mean() / plain[rows].mean()), 4)
            out[f"feet{gap}"] = round(contact, 4)
        model.train()
        out["score"] = round(float(np.mean([v for k, v in out.items() if not k.startswith("feet")])), 4)
        return out

    def _errors(self, model: Starter, made: tasks.Batch) -> tuple[np.ndarray, np.ndarray, float]:
        t = made.inputs.shape[1]
        batch = {k: _even(torch.as_tensor(v, device=self.device), t) for k, v in vars(made).items()}
        b = len(batch["inputs"])
        level = torch.ones(b, device=self.device)
        out, logits = model(batch["inputs"], torch.zeros_like(batch["truth"]), level, batch["style"])
        guess = out * model.scale * batch["free"][..., None]
        batch = {k: v[:, :t] if v.ndim > 1 else v for k, v in batch.items()}
        shares, plain = losses.terms(self.body, guess[:, :t], logits[:, :t], batch)
        ours = shares["place"] * plain["place"].clamp(min=losses.LEAST["place"])
        feet = shares["feet"] * plain["feet"].clamp(min=losses.LEAST["feet"])
        return ours.cpu().numpy(), plain["place"].cpu().numpy(), float(feet.mean() / plain["feet"].mean())


def _even(values: torch.Tensor, t: int) -> torch.Tensor:
    """The last frame twice where the number of frames is odd: two frames are one token."""
    if values.ndim < 2 or t % 2 == 0:
        return values
    return torch.cat([values, values[:, -1:]], dim=1)
