# SPDX-License-Identifier: Apache-2.0
"""Motion in the form of the training data's card: clips on the starter model's figure, and windows cut from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import kinematics, quat
from kineograph_daemon.backbones.starter import figure

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]

PLANTED_M, PLANTED_MPS = 0.07, 0.3
TOES = [figure.INDEX["l_toe"], figure.INDEX["r_toe"]]


@dataclass(frozen=True, eq=False)
class Take:
    """One clip: (T, 22, 4) local rotations and (T, 3) root, float64, 30 fps."""

    name: str
    caption: str
    source: str
    rotations_xyzw: FloatArray
    root_m: FloatArray

    def __len__(self) -> int:
        return len(self.root_m)

    @property
    def recording(self) -> str:
        """Pieces of one recording (``_p0``, ``_p1``) have its name."""
        head, _, tail = self.name.rpartition("_")
        return head if tail[:1] == "p" and tail[1:].isdigit() else self.name

    @property
    def groups(self) -> list[str]:
        """The groups that it counts in."""
        return ["all", f"source:{self.source}", *(["walk"] if "walk" in self.caption.lower() else [])]

    @cached_property
    def world_m(self) -> FloatArray:
        """(T, 22, 3)."""
        return at(self.rotations_xyzw, self.root_m)


@dataclass(frozen=True, eq=False)
class Window:
    """Frames [start, stop) of a take."""

    take: Take
    start: int
    stop: int

    @property
    def rotations_xyzw(self) -> FloatArray:
        """(T, 22, 4)."""
        return self.take.rotations_xyzw[self.start : self.stop]

    @property
    def root_m(self) -> FloatArray:
        """(T, 3)."""
        return self.take.root_m[self.start : self.stop]

    @property
    def world_m(self) -> FloatArray:
        """(T, 22, 3)."""
        return self.take.world_m[self.start : self.stop]


def at(rotations_xyzw: FloatArray, root_m: FloatArray) -> FloatArray:
    """World positions of the figure, float64."""
    return kinematics.forward(figure.SKELETON, np.asarray(rotations_xyzw, float), np.asarray(root_m, float))[0]


def load(path: Path) -> list[Take]:
    """All clips of a file. Ends the program with a sentence when it is not one."""
    try:
        with np.load(path, allow_pickle=False) as d:
            if d["joints"].tolist() != list(figure.NAMES):
                raise SystemExit(f"{path}: its joints are not those of the figure that the model knows")
            rotations = quat.normalize(d["quat"].astype(np.float64))
            root, starts = d["root"].astype(np.float64), d["starts"].astype(int)
            rows = zip(d["names"].tolist(), d["captions"].tolist(), d["source"].tolist(), strict=True)
            return [
                Take(n, c, s, quat.continuous(rotations[a:b]), root[a:b])
                for (n, c, s), a, b in zip(rows, starts[:-1], starts[1:], strict=True)
            ]
    except (OSError, KeyError, ValueError) as e:
        raise SystemExit(f"{path}: not a file of motion in the card's form: {e!r}") from e


def windows(takes: Sequence[Take], frames: int, most: int, seed: int) -> list[Window]:
    """At most ``most`` windows, spread over the clips by their length; the same seed gives the same."""
    rng = np.random.default_rng([seed, frames])
    step = max(6, frames // 3)
    out = []
    for take in takes:
        room = len(take) - frames
        if room >= 0:
            first = int(rng.integers(0, min(step, room + 1)))
            out += [Window(take, s, s + frames) for s in range(first, room + 1, step)]
    if len(out) > most:
        out = [out[i] for i in sorted(rng.choice(len(out), most, replace=False))]
    return out


def planted(world_m: FloatArray) -> BoolArray:
    """Where each toe stands (T, 2): lower than 7 cm and slower than 0.3 m/s."""
    return (world_m[:, TOES, 1] < PLANTED_M) & (speed_mps(world_m[:, TOES]) < PLANTED_MPS)


def speed_mps(points_m: FloatArray) -> FloatArray:
    """Speed over the floor of points (T, N, 3), (T, N)."""
    return np.asarray(np.linalg.norm(np.gradient(points_m[..., [0, 2]], axis=0), axis=-1) * figure.FPS_HZ)
