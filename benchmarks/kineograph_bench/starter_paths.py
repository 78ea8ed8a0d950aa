# SPDX-License-Identifier: Apache-2.0
"""Paths walked, targets reached, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.demo import character
from kineograph.motion import quat
from kineograph_bench.card_file import TOES, Take, Window, at, speed_mps, windows
from kineograph_bench.starter_ask import Motion, key, made, model, path
from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.backbones.starter.gait import phase_of

FloatArray = NDArray[np.floating[Any]]

EVERY = 10
"""Frames between points of a drawn path."""
SPEED_MPS = 1.3
FRAMES = 180


def run(takes: Sequence[Take], seed: int) -> dict[str, Any]:
    """A line, a circle, and the smoothed ways of real walks."""
    walks = [t for t in takes if "walk" in t.groups and len(t) >= 60 and _steps_per_m(t) is not None]
    speeds = np.array([_speed(t) for t in walks])
    rates = np.array([_steps_per_m(t) for t in walks])
    usual = float(np.interp(SPEED_MPS, *_line(speeds, rates))) if len(walks) > 3 else float(rates.mean())
    way = np.arange(FRAMES) / figure.FPS_HZ * SPEED_MPS
    turn = way / 1.5
    drawn = {
        "line": np.stack([np.zeros(FRAMES), way], axis=-1),
        "circle": np.stack([1.5 - 1.5 * np.cos(turn), 1.5 * np.sin(turn)], axis=-1),
    }
    out = {name: measured(xz, usual, None) for name, xz in drawn.items()}
    rng = np.random.default_rng([seed, 3])
    chosen = [walks[i] for i in sorted(rng.choice(len(walks), min(12, len(walks)), replace=False))]
    real = [measured(_smooth(t.root_m[:, [0, 2]]), float(_steps_per_m(t) or 0), t) for t in chosen]
    if real:
        out["real"] = {"n": len(real), **{k: round(float(np.mean([r[k] for r in real])), 3) for k in real[0]}}
    return out


def measured(xz_m: FloatArray, real_steps_per_m: float, take: Take | None) -> dict[str, float]:
    """One path walked; where it is a real one, from that walk's own first pose."""
    frames = sorted({*range(0, len(xz_m), EVERY), len(xz_m) - 1})
    asked: list[dict[str, Any]] = [path(frames, xz_m[frames])]
    if take is not None:
        pose = take.rotations_xyzw[0]
        asked.append(key(0, pose, np.array([xz_m[0, 0], take.root_m[0, 1], xz_m[0, 1]])))
    out = made(len(xz_m), asked)
    raw = made(len(xz_m), asked, post_processing=False)
    where = at(out.rotations_xyzw, out.root_m)
    off = np.linalg.norm(out.root_m[:, [0, 2]] - xz_m, axis=-1)
    travelled = float(np.linalg.norm(np.diff(xz_m, axis=0), axis=-1).sum())
    steps = _steps(where, out.rotations_xyzw) / travelled
    glide = np.linalg.norm(np.gradient(xz_m, axis=0), axis=-1) * figure.FPS_HZ
    slower = speed_mps(where[:, TOES]).min(axis=1)
    yaw = np.unwrap(quat.heading_rad(np.asarray(out.rotations_xyzw[:, 0], float)))
    tangent = np.gradient(xz_m, axis=0)
    aside = np.abs(np.angle(np.exp(1j * (yaw - np.arctan2(tangent[:, 0], tangent[:, 1])))))
    return {
        "steps_per_m": round(steps, 3),
        "steps_ratio": round(steps / max(real_steps_per_m, 1e-6), 3),
        "slower_foot": round(float(slower.mean() / max(glide.mean(), 1e-6)), 3),
        "key_cm": round(float(off[frames].max() * 100), 3),
        "between_cm": round(float(off.max() * 100), 2),
        "ankle_shift_cm": round(_ankle_shift_cm(out, raw), 2),
        "heading_deg": round(float(np.degrees(aside).mean()), 1),
    }


def _ankle_shift_cm(out: Motion, raw: Motion) -> float:
    """How far the solve moved the ankles of standing feet, seen from the pelvis, mean."""
    ankles = [figure.INDEX["l_ankle"], figure.INDEX["r_ankle"]]
    a, b = (at(m.rotations_xyzw, m.root_m) for m in (out, raw))
    moved = np.linalg.norm((a - a[:, :1] - b + b[:, :1])[:, ankles], axis=-1)
    contacts = out.contacts or {}
    stands = np.stack([contacts[n] for n in ("l_toe", "r_toe")], axis=1)
    return float(moved[stands].mean() * 100) if stands.any() else 0.0


def _steps(where_m: FloatArray, rotations_xyzw: FloatArray) -> float:
    """Steps of a motion: half turns of its gait's phase."""
    yaw = np.unwrap(quat.heading_rad(np.asarray(rotations_xyzw[:, 0], float)))
    phase, walks = phase_of(where_m, yaw)
    moved = np.diff(np.unwrap(phase))
    return float(moved[walks[1:] & walks[:-1]].sum() / np.pi)


def _speed(take: Take) -> float:
    return float(np.linalg.norm(np.diff(_smooth(take.root_m[:, [0, 2]]), axis=0), axis=-1).mean() * figure.FPS_HZ)


def _steps_per_m(take: Take) -> float | None:
    """Steps a metre of a real walk; None where it does not walk on throughout."""
    yaw = np.unwrap(quat.heading_rad(take.rotations_xyzw[:, 0]))
    phase, walks = phase_of(take.world_m, yaw)
    way = float(np.linalg.norm(np.diff(_smooth(take.root_m[:, [0, 2]]), axis=0), axis=-1).sum())
    if walks.mean() < 0.85 or way < 1.0:
        return None
    return float(np.diff(np.unwrap(phase))[walks[1:] & walks[:-1]].sum() / np.pi / way / max(walks.mean(), 1e-6))


def _line(x: FloatArray, y: FloatArray) -> tuple[list[float], list[float]]:
    fit = np.polyfit(x, y, 1)
    return [0.5, 2.5], [float(np.polyval(fit, 0.5)), float(np.polyval(fit, 2.5))]


def _smooth(xz_m: FloatArray, sigma: float = 6.0) -> FloatArray:
    """A Gaussian over time, reflected through both ends."""
    pad = min(int(3 * sigma), len(xz_m) - 1)
    kernel = np.exp(-0.5 * (np.arange(-pad, pad + 1) / sigma) ** 2)
    padded = np.concatenate([2 * xz_m[0] - xz_m[pad:0:-1], xz_m, 2 * xz_m[-1] - xz_m[-2 : -pad - 2 : -1]])
    return np.stack([np.convolve(c, kernel / kernel.sum(), mode="valid") for c in padded.T], axis=-1)


def effectors(takes: Sequence[Take], most: int, seed: int) -> dict[str, Any]:
    """A wrist put elsewhere in the middle of a gap: miss where the arm reaches, from the report."""
    rng = np.random.default_rng([seed, 4])
    chosen: list[Window] = windows(takes, 41, most, seed)
    misses, reached = [], 0
    for window in chosen:
        keys = [key(f, window.rotations_xyzw[f], window.root_m[f]) for f in [*range(10), 40]]
        joint = "l_wrist" if rng.random() < 0.5 else "r_wrist"
        where = window.world_m[25, figure.INDEX[joint]] + rng.normal(scale=0.12, size=3)
        target = {"type": "effector_target", "joint": joint, "frames": [25], "positions": [where.tolist()]}
        out = made(41, [*keys, target])
        assert out.report is not None
        entry = out.report["constraints"][-1]
        if "out of reach" in entry["reason"]:
            continue
        reached += 1
        misses.append(float(entry["worst_cm"]))
    if not misses:
        return {"n": 0}
    return {
        "n": len(chosen),
        "in_reach": reached,
        "worst_cm": round(max(misses), 3),
        "mean_cm": round(float(np.mean(misses)), 3),
    }


def latency() -> dict[str, Any]:
    """Milliseconds for 180 frames: the network alone, and requests with the solve; medians."""
    backbone, _ = model()
    way = np.stack([np.zeros(FRAMES), np.arange(FRAMES) / figure.FPS_HZ * SPEED_MPS], axis=-1)
    frames = [*range(0, FRAMES, EVERY), FRAMES - 1]
    asked = [path(frames, way[frames])]
    inputs = np.zeros((1, FRAMES, len(backbone.net.weights["mean"])), np.float32)
    none = np.zeros(1, np.int64)
    other = character()
    calls: dict[str, Callable[[], object]] = {
        "network": lambda: backbone.net.forward(inputs, None, 1.0, none),
        "network_10": lambda: [backbone.net.forward(inputs, None, 1.0, none) for _ in range(10)],
        "request": lambda: made(FRAMES, asked),
        "request_10": lambda: made(FRAMES, asked, diffusion_steps=10, seed=1),
        "other_rig": lambda: made(FRAMES, asked, skeleton=other),
    }
    out: dict[str, Any] = {"frames": FRAMES}
    for name, call in calls.items():
        out[f"{name}_ms"] = _median(call, time.perf_counter)
        # What a machine that does nothing else would take: other programs' share of the clock is not in it.
        out[f"{name}_cpu_ms"] = _median(call, time.process_time)
    return out


def _median(call: Callable[[], object], clock: Callable[[], float], rounds: int = 5) -> float:
    call()
    spent = []
    for _ in range(rounds):
        start = clock()
        call()
        spent.append(clock() - start)
    return round(float(np.median(spent)) * 1000, 1)
