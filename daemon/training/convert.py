# SPDX-License-Identifier: Apache-2.0
"""Recordings of CMU's motion database turned into one file in the form that training reads.

    python -m training.convert --like motion_train.npz --index cmu.csv --amc FOLDER [--bvh FOLDER] --out more.npz

``--like`` is an existing file in the same form: its skeleton is kept, and recordings that it already holds are left
out. ``--index`` has a row for each recording: subject, trial, caption. ``--amc`` holds ``NN.asf`` beside
``NN_MM.amc``. ``--bvh`` holds copies that another program put on a skeleton of its own (``NNN_MM.bvh``): how its
joints lie is learned from recordings that are there in both forms. The result holds motion: never commit it.
"""

from __future__ import annotations

import argparse
import csv
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.formats import bvh
from kineograph.motion import kinematics, quat
from kineograph.motion.clip import Clip
from kineograph.motion.resample import resample
from kineograph.motion.skeleton import Skeleton
from kineograph_daemon.retarget import Options, known, retarget
from training.amc import read_amc, read_asf

FloatArray = NDArray[np.floating[Any]]

FPS_HZ = 30.0
FLOOR_M = 0.02
"""Height of the lower toe at its 10th percentile."""
MIN_FRAMES = 30
JUMP_M = 0.5
"""No joint moves further in one frame; where one does, the recording has a break."""


@dataclass(frozen=True, eq=False)
class Take:
    """One recording on the training skeleton: ``name`` as in ``cmu_07_01``."""

    name: str
    caption: str
    source: str
    clip: Clip


def captions(path: Path) -> dict[str, str]:
    """``07_01`` to its caption."""
    with path.open(newline="", encoding="utf-8", errors="replace") as f:
        rows = [row for row in csv.reader(f) if len(row) >= 3 and row[0].strip().isdigit()]
    return {f"{int(r[0]):02d}_{int(r[1]):02d}": r[2].strip() for r in rows}


def from_amc(folder: Path, skeleton: Skeleton, text: dict[str, str]) -> Iterator[Take]:
    """Every ``NN_MM.amc`` under a folder that has its ``NN.asf`` beside it."""
    for path in sorted(folder.rglob("*.amc")):
        acclaim = read_asf(path.with_name(path.stem.split("_")[0] + ".asf"))
        made = retarget(read_amc(path, acclaim), None, skeleton, None, Options(feet=False, fps_hz=FPS_HZ))
        yield Take(f"cmu_{path.stem}", text.get(path.stem, ""), "cmu-amc", made.clip)


def from_bvh(
    folder: Path, skeleton: Skeleton, text: dict[str, str], known_takes: dict[str, Take], skip: set[str]
) -> Iterator[Take]:
    """Copies on a foreign skeleton, carried over joint by joint with turns learned from recordings in both forms."""
    paths = {f"{int(p.stem.split('_')[0]):02d}_{p.stem.split('_')[1]}": p for p in sorted(folder.rglob("*.bvh"))}
    shared = [key for key in paths if f"cmu_{key}" in known_takes]
    if not shared:
        raise SystemExit(f"{folder}: no recording that is also there as AMC, so nothing tells how its joints lie")
    lies = _how_joints_lie(
        [(resample(bvh.read(paths[k]).clips[0], FPS_HZ), known_takes[f"cmu_{k}"].clip) for k in shared]
    )
    for key, path in paths.items():
        if f"cmu_{key}" in known_takes or key in skip:
            continue
        clip = _carried(resample(bvh.read(path).clips[0], FPS_HZ), skeleton, lies)
        yield Take(f"cmu_{key}", text.get(key, ""), "cmu-bvh", clip)


def _pairs(source: Skeleton, target: Skeleton) -> dict[int, int]:
    """Target joint to the source joint that plays its role; the spine's chain by height."""
    theirs, ours = known.rig_map(source).joints, known.rig_map(target).joints
    return {ours[role]: theirs[role] for role in ours if role in theirs}


def _how_joints_lie(both: list[tuple[Clip, Clip]]) -> dict[int, FloatArray]:
    """For each paired joint the constant turn from the foreign joint's world rotation to ours."""
    sums: dict[int, FloatArray] = {}
    for foreign, ours in both:
        n = min(len(foreign), len(ours))
        there, here = foreign.world()[1][:n], ours.world()[1][:n]
        for joint, other in _pairs(foreign.skeleton, ours.skeleton).items():
            d = quat.mul(quat.conj(there[:, other]), here[:, joint]).astype(float)
            sums[joint] = sums.get(joint, np.zeros((4, 4))) + np.einsum("ti,tj->ij", d, d)
    return {joint: np.linalg.eigh(s)[1][:, -1] for joint, s in sums.items()}


def _carried(clip: Clip, skeleton: Skeleton, lies: dict[int, FloatArray]) -> Clip:
    at, world = clip.world()
    pairs = _pairs(clip.skeleton, skeleton)
    turned = quat.identity(len(clip), len(skeleton))
    for joint in range(len(skeleton)):
        parent = int(skeleton.parents[joint])
        if joint in lies:
            turned[:, joint] = quat.mul(world[:, pairs[joint]], lies[joint])
        elif parent >= 0:
            turned[:, joint] = turned[:, parent]
    local = kinematics.local_from_world(skeleton, turned)
    scale = _leg_m(skeleton) / _leg_m(clip.skeleton)
    return Clip(skeleton, clip.fps_hz, local, at[:, pairs[skeleton.root]] * scale, clip.name)


def _leg_m(skeleton: Skeleton) -> float:
    roles = {str(role): joint for role, joint in known.rig_map(skeleton).joints.items()}
    lengths = np.linalg.norm(skeleton.rest_translations_m, axis=-1)
    return float(lengths[roles["left_calf"]] + lengths[roles["left_foot"]])


def on_floor(clip: Clip) -> Clip:
    """Root x and z start at 0; the lower toe's 10th percentile lies at ``FLOOR_M``."""
    toes = [j for j, name in enumerate(clip.skeleton.names) if name.endswith("toe")]
    low = np.percentile(clip.world()[0][:, toes, 1].min(axis=1), 10)
    root = clip.root_m - [clip.root_m[0, 0], low - FLOOR_M, clip.root_m[0, 2]]
    return Clip(clip.skeleton, clip.fps_hz, clip.rotations_xyzw, root, clip.name)


def unbroken(clip: Clip) -> Clip:
    """The longest stretch without a jump."""
    moved = np.abs(np.diff(clip.world()[0], axis=0)).max(axis=(1, 2))
    borders = [0, *(np.flatnonzero(moved > JUMP_M) + 1).tolist(), len(clip)]
    start, stop = max(itertools.pairwise(borders), key=lambda ab: ab[1] - ab[0])
    return clip.slice(start, stop)


def write(path: Path, takes: list[Take], like: Any, licences: Sequence[str] | None = None) -> None:
    """One file in the form of ``like``; ``licences`` of the takes, CMU's where none are told."""
    clips = [on_floor(t.clip) for t in takes]
    rotations = np.concatenate([quat.normalize(c.rotations_xyzw) for c in clips])
    np.savez_compressed(
        path,
        root=np.concatenate([c.root_m for c in clips]).astype(np.float32),
        quat=np.round(rotations * 32767).astype(np.int16),
        starts=np.cumsum([0, *map(len, clips)]),
        joints=like["joints"],
        parents=like["parents"],
        offsets=like["offsets"],
        fps=like["fps"],
        names=np.array([t.name for t in takes]),
        captions=np.array([t.caption for t in takes]),
        source=np.array([t.source for t in takes]),
        licence=np.array(licences or ["CMU"] * len(takes)),
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("like", "index", "amc", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--bvh", type=Path)
    a = parser.parse_args()
    like = np.load(a.like, allow_pickle=False)
    skeleton = Skeleton.build(like["joints"].tolist(), like["parents"], like["offsets"].astype(float))
    have = {"_".join(n.split("_")[1:3]) for n in like["names"].tolist() if n.startswith("cmu_") and "c2s" not in n}
    text = captions(a.index)
    takes = {t.name: t for t in from_amc(a.amc, skeleton, text)}
    if a.bvh is not None:
        takes |= {t.name: t for t in from_bvh(a.bvh, skeleton, text, takes, have)}
    new = [t for t in takes.values() if t.name.removeprefix("cmu_") not in have]
    whole = [replace(t, clip=unbroken(t.clip)) for t in new]
    kept = [t for t in whole if len(t.clip) >= MIN_FRAMES]
    write(a.out, kept, like)
    minutes = sum(len(t.clip) for t in kept) / FPS_HZ / 60
    print(f"{a.out}: {len(kept)} recordings, {minutes:.1f} min")


if __name__ == "__main__":
    main()
