# SPDX-License-Identifier: Apache-2.0
"""Phrases tried: is the motion of the class they name, and as lively as the real thing?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph_bench.card_file import Take, at
from kineograph_bench.starter_ask import made
from kineograph_daemon.backbones.starter import figure

FloatArray = NDArray[np.floating[Any]]

KNOWN = {
    "a person walks": "walk", "walks slowly": "walk", "a person runs": "run", "jogs forward": "run",
    "a person jumps": "jump", "a person dances": "dance", "a person climbs": "climb",
    "a person washes a window": "wash", "a person directs traffic with arm signals": "signal",
    "a person kicks a soccer ball": "kick",
}  # fmt: skip
PARAPHRASES = {
    "someone strolls along": "walk", "marching briskly ahead": "walk", "sprints away": "run",
    "hops on the spot": "jump",
}  # fmt: skip
_CLASSES = (
    ("climb", ("climb",)), ("dance", ("danc",)), ("signal", ("signal",)),
    ("ball", ("basketball", "dribble")),
    ("run", ("run", "jog", "sprint")), ("walk", ("walk",)), ("jump", ("jump",)),
    ("wash", ("wash",)), ("kick", ("kick",)), ("climb", ("playground",)),
)  # fmt: skip
FRAMES, STRETCH, NEAREST = 120, 40, 5
"""Frames made, frames of a stretch that is looked at, real stretches that vote at most."""


def run(takes: Sequence[Take], seed: int) -> dict[str, Any]:
    """Class of motion by the nearest real stretches, and joint speed against real ones of that class."""
    real = [
        (_class_of(t.caption), t.world_m[s : s + STRETCH]) for t in takes for s in range(0, len(t) - STRETCH + 1, 20)
    ]
    real = [(c, w) for c, w in real if c]
    if len(real) < 20:
        return {"n": 0, "reason": "too few captioned stretches to tell classes apart"}
    points = np.array([_look(w) for _, w in real])
    mean, spread = points.mean(0), np.maximum(points.std(0), 1e-6)
    classes = np.array([c for c, _ in real])
    # Of a class with two stretches five voters can never agree: as many vote as the rarest class has.
    voters = min(NEAREST, *np.unique(classes, return_counts=True)[1].tolist())
    speeds = {c: float(np.mean([_joint_speed(w) for k, w in real if k == c])) for c in set(classes.tolist())}
    rows: list[dict[str, Any]] = []
    for prompt, wanted in [*KNOWN.items(), *PARAPHRASES.items()]:
        out = made(FRAMES, (), prompt, seed=seed)
        where = at(out.rotations_xyzw, out.root_m)
        votes: dict[str, list[float]] = {}
        for start in (20, 40, 60, 79):
            look = (_look(where[start : start + STRETCH]) - mean) / spread
            apart = np.linalg.norm((points - mean) / spread - look, axis=1)
            for near in np.argsort(apart)[:voters]:
                votes.setdefault(str(classes[near]), []).append(float(apart[near]))
        # Most votes; of as many, the class whose stretches are nearer.
        told = max(votes, key=lambda name: (len(votes[name]), -min(votes[name])))
        lively = _joint_speed(where[20:]) / speeds[wanted] if wanted in speeds else None
        right = told == wanted and lively is not None and 0.5 <= lively <= 1.5
        rows.append(
            {
                "prompt": prompt,
                "wanted": wanted,
                "got": told,
                "speed_ratio": None if lively is None else round(lively, 2),
                "passed": right,
                "known": prompt in KNOWN,
            }
        )
    return {
        "known": f"{sum(r['passed'] for r in rows if r['known'])} of {len(KNOWN)}",
        "real_stretches": dict(zip(*(v.tolist() for v in np.unique(classes, return_counts=True)), strict=True)),
        "voters": voters,
        "paraphrases": f"{sum(r['passed'] for r in rows if not r['known'])} of {len(PARAPHRASES)}",
        "phrases": rows,
    }


def _class_of(caption: str) -> str:
    low = caption.lower()
    return next((name for name, words in _CLASSES if any(w in low for w in words)), "")


def _joint_speed(world_m: FloatArray) -> float:
    """Mean speed of the joints seen from the pelvis, metres a second."""
    seen = world_m - world_m[:, :1]
    return float(np.linalg.norm(np.diff(seen, axis=0), axis=-1).mean() * figure.FPS_HZ)


def _look(world_m: FloatArray) -> FloatArray:
    """What a motion looks like in a few numbers, whichever way it faces."""
    seen = world_m - world_m[:, :1]
    moved = np.linalg.norm(np.diff(world_m[:, 0, [0, 2]], axis=0), axis=-1) * figure.FPS_HZ
    joints = np.linalg.norm(np.diff(seen, axis=0), axis=-1).mean(axis=0) * figure.FPS_HZ
    height = world_m[..., 1]
    return np.concatenate(
        [
            [moved.mean() * 2, np.abs(np.diff(height[:, 0])).mean() * figure.FPS_HZ, height[:, 0].std() * 5],
            joints[[4, 5, 7, 8, 15, 18, 19, 20, 21]],
            seen[:, [7, 8, 20, 21], 1].mean(axis=0),
            seen[:, [7, 8, 20, 21], 1].std(axis=0),
        ]
    )
