# SPDX-License-Identifier: Apache-2.0
"""Gaps filled: position error, foot slide, L2Q and NPSS of slerp, slerp with a foot lock, and the starter model.

L2Q and NPSS as in Harvey et al., "Robust motion in-betweening" (2020), on world rotations; NPSS after Gopalakrishnan
et al., "A neural temporal model for human motion prediction" (2019).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import kinematics, quat
from kineograph_bench.card_file import TOES, Take, Window, at, planted, speed_mps, windows
from kineograph_bench.starter_ask import Motion, interpolated, key, locked, made
from kineograph_daemon.backbones.starter import figure

FloatArray = NDArray[np.floating[Any]]

GAPS = (15, 30, 60)
PAST = 10
DRAWS = 2000
METHODS = ("slerp", "slerp_lock", "ours")


@dataclass(frozen=True, eq=False)
class Score:
    """One window: errors in cm, slide sums (metres a second, and how many frames), by method."""

    window: Window
    cm: dict[str, float]
    l2q: dict[str, float]
    npss: dict[str, tuple[float, float]]
    slide: dict[str, float]
    stands: int


def run(takes: Sequence[Take], most: int, seed: int, tell: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """``groups[group][gap]``."""
    out: dict[str, dict[str, Any]] = defaultdict(dict)
    for gap in GAPS:
        chosen = windows(takes, PAST + gap + 1, most, seed)
        tell(f"gap {gap}: {len(chosen)} windows")
        scores = [score(w, gap) for w in chosen]
        for group in sorted({g for s in scores for g in s.window.take.groups}):
            out[group][str(gap)] = summary([s for s in scores if group in s.window.take.groups], seed)
    return dict(out)


def score(window: Window, gap: int) -> Score:
    """One window by every method."""
    known = [*range(PAST), PAST + gap]
    keys = [key(f, window.rotations_xyzw[f], window.root_m[f]) for f in known]
    plain = interpolated(window, known)
    motions = {
        "slerp": plain,
        "slerp_lock": locked(plain, keys),
        "ours": made(len(window.root_m), keys),
    }
    return compare(window, motions, slice(PAST, PAST + gap))


def compare(window: Window, motions: dict[str, Motion], span: slice) -> Score:
    """Methods against the truth over the frames of ``span``."""
    true = window.world_m
    stands = planted(true)[span]
    true_q = _world_q(window.rotations_xyzw, window.root_m)[span]
    cm, l2q, npss, slide = {}, {}, {}, {"real": float(speed_mps(true[:, TOES])[span][stands].sum())}
    for name, motion in motions.items():
        where = at(motion.rotations_xyzw, motion.root_m)
        q = _world_q(motion.rotations_xyzw, motion.root_m)[span]
        q = np.where((q * true_q).sum(-1, keepdims=True) < 0, -q, q)
        cm[name] = float(np.linalg.norm(where - true, axis=-1)[span].mean() * 100)
        l2q[name] = float(np.sqrt(((q - true_q) ** 2).sum(axis=(1, 2))).mean())
        npss[name] = _npss(q, true_q)
        slide[name] = float(speed_mps(where[:, TOES])[span][stands].sum())
    return Score(window, cm, l2q, npss, slide, int(stands.sum()))


def _world_q(rotations_xyzw: FloatArray, root_m: FloatArray) -> FloatArray:
    return kinematics.forward(figure.SKELETON, np.asarray(rotations_xyzw, float), np.asarray(root_m, float))[1]


def _npss(q: FloatArray, true_q: FloatArray) -> tuple[float, float]:
    """The earth mover's distance between power spectra, weighted by the true power, and the weights' sum."""
    power, true_power = (np.abs(np.fft.fft(x.reshape(len(x), -1), axis=0)) ** 2 for x in (q, true_q))
    total = true_power.sum(axis=0)
    shares = [p / np.maximum(p.sum(axis=0), 1e-12) for p in (power, true_power)]
    moved = np.abs(np.cumsum(shares[0], axis=0) - np.cumsum(shares[1], axis=0)).sum(axis=0)
    return float((moved * total).sum()), float(total.sum())


def summary(scores: Sequence[Score], seed: int) -> dict[str, Any]:
    """One group at one gap."""
    cm = {m: np.array([s.cm[m] for s in scores]) for m in scores[0].cm}
    recordings = np.unique([s.window.take.recording for s in scores], return_inverse=True)[1]
    out: dict[str, Any] = {"n": len(scores), "recordings": int(recordings.max()) + 1}
    out |= {f"{m}_cm": round(float(v.mean()), 2) for m, v in cm.items()}
    out["ratio"] = round(float(cm["ours"].mean() / cm["slerp"].mean()), 3)
    out["ratio_ci"] = interval(cm["ours"], cm["slerp"], recordings, seed)
    stands = max(sum(s.stands for s in scores), 1)
    out |= {f"slide_{m}": round(sum(s.slide[m] for s in scores) / stands, 3) for m in scores[0].slide}
    out |= {f"l2q_{m}": round(float(np.mean([s.l2q[m] for s in scores])), 3) for m in cm}
    out |= {
        f"npss_{m}": round(sum(s.npss[m][0] for s in scores) / max(sum(s.npss[m][1] for s in scores), 1e-12), 4)
        for m in cm
    }
    return out


def interval(ours: FloatArray, theirs: FloatArray, recordings: NDArray[np.integer[Any]], seed: int) -> list[float]:
    """The ratio's 95 % interval, recordings drawn with replacement."""
    rng = np.random.default_rng([seed, 95])
    count = int(recordings.max()) + 1
    sums = np.stack([np.bincount(recordings, v, count) for v in (ours, theirs)])
    drawn = rng.integers(0, count, (DRAWS, count))
    ratios = sums[0][drawn].sum(axis=1) / sums[1][drawn].sum(axis=1)
    return [round(float(v), 3) for v in np.percentile(ratios, [2.5, 97.5])]


def sparse(takes: Sequence[Take], most: int, seed: int, every: int = 45) -> dict[str, Any]:
    """A key every ``every`` frames of long stretches."""
    chosen = windows(takes, 3 * every + 1, most, seed)
    scores = []
    for window in chosen:
        known = list(range(0, len(window.root_m), every))
        keys = [key(f, window.rotations_xyzw[f], window.root_m[f]) for f in known]
        plain = interpolated(window, known)
        motions = {"slerp": plain, "slerp_lock": locked(plain, keys), "ours": made(len(window.root_m), keys)}
        scores.append(compare(window, motions, slice(0, len(window.root_m))))
    if not scores:
        return {"n": 0}
    walks = [s for s in scores if "walk" in s.window.take.groups]
    return {"all": summary(scores, seed), **({"walk": summary(walks, seed)} if walks else {})}


def key_miss(window: Window, motion: Motion, known: Sequence[int]) -> tuple[float, float]:
    """The largest miss of the keys: degrees, millimetres."""
    a, b = np.asarray(motion.rotations_xyzw, float)[list(known)], window.rotations_xyzw[list(known)]
    away = np.linalg.norm(np.asarray(motion.root_m, float)[list(known)] - window.root_m[list(known)], axis=-1)
    return float(np.degrees(quat.angle_between_rad(a, b).max())), float(away.max() * 1000)
