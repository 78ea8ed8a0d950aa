# SPDX-License-Identifier: Apache-2.0
"""Recordings in memory, split by recording, with copies that are mirrored and played slower or faster."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import kinematics, quat
from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.backbones.starter.features import STYLES
from kineograph_daemon.backbones.starter.gait import phase_of

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]

PACES = (1.0, 0.88, 1.14)
"""Playback rates of the copies; the first is the recording itself."""
HELD_ACTOR = "cmu_16"
"""An actor of whom nothing is trained on: the part of the validation that says how unseen people fare."""
HELD_SHARE = 0.08
TWINS = {
    **{f"cmu_c2s_test_walking_{a}": f"cmu_35_{b:02d}" for a, b in
       ((8, 8), (9, 9), (14, 14), (15, 15), (16, 16), (17, 28), (21, 32), (22, 33), (23, 34))},
    **{f"cmu_c2s_train_walking_{a}": f"cmu_{b}" for a, b in
       ((14, "08_03"), (15, "08_08"), (16, "08_09"), (17, "08_10"), (27, "16_15"), (28, "16_16"), (29, "16_21"),
        (30, "16_22"), (31, "16_31"), (32, "16_32"), (33, "16_47"), (34, "16_58"), (35, "38_01"), (36, "38_02"),
        (47, "43_01"), (52, "55_04"))},
    "m2m_Crawl_RM": "m2m_Crawl",
}  # fmt: skip
"""Recordings that are there twice under different names, found by comparing poses: a split by name alone would train
on what it measures with."""
PLANTED_M, PLANTED_MPS = 0.07, 0.3
"""A foot stands where it is lower than this and slower than this."""
WEIGHTS = (("cmu_01", 0.35), ("m2m_", 1.3), ("jl_", 0.5))
"""How often recordings whose name begins so are drawn, by frame; 1 for all others."""
STYLE_WEIGHTS = {"walk": 0.6, "run": 2.0, "jump": 2.5}
"""The same by class of motion: walking is learned soon, and there is little of the others."""
MARK, BENT = "~", "~b"
"""Stand in the name of a copy in another gait, and of one along a bent way, after its recording's."""
BENT_WEIGHT = 2.5
RESTYLED = ("spine1", "spine2", "spine3", "neck", "head", "l_collar", "r_collar", "l_shoulder", "r_shoulder",
            "l_elbow", "r_elbow")  # fmt: skip
"""Joints whose carriage differs between people and does not move the feet."""
CARRIAGE_RAD, SWING = 0.07, 0.25
"""How far copies carry these joints elsewhere (a standard deviation an axis), and how much more or less they swing."""
KEYWORDS = (
    ("climb", "climb"), ("danc", "dance"), ("basketball", "ball"), ("dribble", "ball"),
    ("signal", "signal"), ("run", "run"), ("jog", "run"), ("sprint", "run"), ("walk", "walk"), ("jump", "jump"),
    ("sword", "sword"), ("wash", "wash"), ("kick", "kick"), ("punch", "punch"), ("idle", "idle"),
    ("playground", "climb"),
)  # fmt: skip


def style_of(caption: str) -> int:
    """The class of motion that a caption speaks of, 0 when of none."""
    return next((STYLES.index(style) for word, style in KEYWORDS if word in caption.lower()), 0)


def recording_of(name: str) -> str:
    """Pieces of one recording (``_p0``, ``_p1``) have its name, twins the name of the first."""
    head, _, tail = name.rpartition("_")
    recording = head if tail[:1] == "p" and tail[1:].isdigit() else name
    return TWINS.get(recording, recording)


def is_held(name: str) -> bool:
    """Whether a recording is kept from training; decided by its name alone, so that it never changes sides."""
    recording = recording_of(name)
    if recording.startswith(HELD_ACTOR + "_"):
        return True
    return zlib.crc32(recording.encode()) / 2**32 < HELD_SHARE


def is_reported(name: str) -> bool:
    """Of recordings held back, those that nothing is chosen on: neither weights nor thresholds."""
    return is_held(name) and zlib.crc32(recording_of(name)[::-1].encode()) % 2 == 0


@dataclass(frozen=True, eq=False)
class Piece:
    """One clip, or a copy of it: float32 arrays over its frames."""

    name: str
    caption: str
    source: str
    rotations_xyzw: FloatArray
    root_m: FloatArray
    pace: float = 1.0

    def __len__(self) -> int:
        return len(self.root_m)

    @cached_property
    def world_m(self) -> FloatArray:
        """(T, 22, 3)."""
        return kinematics.forward(figure.SKELETON, self.rotations_xyzw, self.root_m)[0]

    @cached_property
    def contacts(self) -> BoolArray:
        """(T, 4) where each foot's joint stands."""
        feet = self.world_m[:, list(figure.FEET)]
        speed = np.linalg.norm(np.gradient(feet, axis=0), axis=-1) * figure.FPS_HZ
        low = feet[..., 1] < np.array([0.13, 0.13, PLANTED_M, PLANTED_M])
        return np.asarray(low & (speed < PLANTED_MPS))

    @cached_property
    def yaw_rad(self) -> FloatArray:
        """(T,) unwrapped."""
        return np.unwrap(quat.heading_rad(self.rotations_xyzw[:, 0]))

    @cached_property
    def phase(self) -> tuple[FloatArray, BoolArray]:
        """Phase of the steps (T,) and where there is one."""
        return phase_of(self.world_m, self.yaw_rad)

    @property
    def style(self) -> int:
        """Its class of motion."""
        return style_of(self.caption)

    @property
    def weight(self) -> float:
        """How often it is drawn, by frame."""
        by_style = STYLE_WEIGHTS.get(STYLES[self.style], 1.0) * (BENT_WEIGHT if BENT in self.name else 1.0)
        return next((w for start, w in WEIGHTS if self.name.startswith(start)), 1.0) * by_style


def load(paths: Sequence[Path]) -> list[Piece]:
    """All clips of all files in the card's form; of two clips with one name the first counts."""
    out: dict[str, Piece] = {}
    for path in paths:
        with np.load(path, allow_pickle=False) as d:
            if d["joints"].tolist() != list(figure.NAMES):
                raise SystemExit(f"{path}: its joints are not those of the figure that the model knows")
            rotations = quat.normalize(d["quat"].astype(np.float32))
            root, starts = d["root"].astype(np.float32), d["starts"]
            rows = zip(d["names"].tolist(), d["captions"].tolist(), d["source"].tolist(), strict=True)
            for i, (name, caption, source) in enumerate(rows):
                span = slice(int(starts[i]), int(starts[i + 1]))
                out.setdefault(name, Piece(name, caption, source, quat.continuous(rotations[span]), root[span]))
    # Of twins the one under its own name stays: it is the whole recording.
    return [p for p in out.values() if recording_of(p.name) not in out or recording_of(p.name) == p.name]


def at_pace(piece: Piece, pace: float) -> Piece:
    """The piece played at another rate, resampled to the same frame rate."""
    return replace(at_times(piece, np.arange(0, len(piece) - 1, pace)), pace=pace * piece.pace)


def at_times(piece: Piece, at: FloatArray) -> Piece:
    """The piece as it is at frames ``at`` (T,), between its own ones too."""
    low = np.minimum(at.astype(int), len(piece) - 2)
    u = (at - low).astype(np.float32)[:, None]
    rotations = quat.slerp(piece.rotations_xyzw[low], piece.rotations_xyzw[low + 1], u)
    root = piece.root_m[low] * (1 - u) + piece.root_m[low + 1] * u
    return replace(piece, rotations_xyzw=rotations.astype(np.float32), root_m=root.astype(np.float32))


def mirrored(piece: Piece) -> Piece:
    """The piece with left and right exchanged."""
    rotations, root = figure.mirror(piece.rotations_xyzw, piece.root_m)
    return Piece(piece.name, piece.caption, piece.source, rotations, root, piece.pace)


def restyled(piece: Piece, rng: np.random.Generator) -> Piece:
    """The piece as somebody of another carriage would do it: spine, head and arms held elsewhere by constant turns,
    and swinging further or less far around their mean. Legs and pelvis stay, and with them where the feet stand."""
    rotations = piece.rotations_xyzw.copy()
    swing = 1.0 + float(rng.uniform(-SWING, SWING))
    for joint in (figure.INDEX[name] for name in RESTYLED):
        mean = quat.normalize(rotations[:, joint].mean(axis=0))
        off = quat.to_rotvec(quat.mul(quat.conj(mean), rotations[:, joint]))
        carried = quat.mul(mean, quat.from_rotvec(rng.normal(scale=CARRIAGE_RAD, size=3)))
        rotations[:, joint] = quat.mul(carried, quat.from_rotvec(off * swing))
    return replace(piece, rotations_xyzw=quat.continuous(rotations).astype(np.float32))


def copies(pieces: Sequence[Piece]) -> list[Piece]:
    """Every piece at every pace, each also mirrored; those not at their own pace are restyled as well."""
    out: list[Piece] = []
    for pace in PACES:
        for piece in pieces:
            made = piece if pace == 1.0 else at_pace(piece, pace)
            for copy in (made, mirrored(made)):
                rng = np.random.default_rng([zlib.crc32(piece.name.encode()), int(pace * 100), copy is made])
                out.append(copy if pace == 1.0 else restyled(copy, rng))
    return out


def split(pieces: Sequence[Piece]) -> tuple[list[Piece], list[Piece]]:
    """To train on, and to choose by: recordings held back, less those that are only ever reported."""
    held = [p for p in pieces if is_held(p.name) and not is_reported(p.name)]
    return [p for p in pieces if not is_held(p.name)], held
