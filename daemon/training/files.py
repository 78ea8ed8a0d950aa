# SPDX-License-Identifier: Apache-2.0
"""Any motion files turned into one file in the form that training reads.

    python -m training.files --like motion_train.npz --table clips.csv --out more.npz [--beside other.npz ...]

``--table`` has a row for each file: its path (from the table's folder), name, caption, source, licence. Files are of
any form that Kineograph reads (BVH, glTF, FBX, ...), or Acclaim's (``ACTOR_....amc`` with ``ACTOR.asf`` beside it);
their rigs are carried onto the skeleton of ``--like``. For each is told which recordings of
``--like`` and ``--beside`` have the likest poses: what is there twice under two names is one recording to the split
(``training.data.TWINS``). The result holds motion: never commit it.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kineograph.errors import KineographError
from kineograph.formats import load
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton
from kineograph_daemon.backbones.starter import trust
from kineograph_daemon.retarget import Options, retarget
from training import convert, data
from training.amc import read_amc, read_asf

COLUMNS = ("file", "name", "caption", "source", "licence")
EVERY = 5
"""Frames from one compared pose to the next."""
ALIKE_M = 0.03
"""Poses that are so near in the median are most likely those of the same recording."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    path: Path
    name: str
    caption: str
    source: str
    licence: str


def rows(table: Path) -> list[Row]:
    """The table's lines; a first line of column names is passed over. Raises SystemExit naming a line that is short."""
    out = []
    with table.open(newline="", encoding="utf-8") as f:
        for i, cells in enumerate(csv.reader(f), start=1):
            if not cells or tuple(cells) == COLUMNS:
                continue
            if len(cells) != len(COLUMNS):
                raise SystemExit(f"{table}, line {i}: {len(cells)} columns where there are {len(COLUMNS)}: {COLUMNS}")
            out.append(Row(table.parent / cells[0], *(c.strip() for c in cells[1:])))
    return out


def clip_of(path: Path) -> Clip:
    """The longest clip of a file, on its own skeleton."""
    if path.suffix.lower() == ".amc":
        return read_amc(path, read_asf(_skeleton_of(path)))
    return max(load(path).clips, key=len)


def _skeleton_of(path: Path) -> Path:
    """The longest ``.asf`` in the folder whose name begins the motion's."""
    found = [p for p in path.parent.glob("*.asf") if path.stem.startswith(p.stem)]
    if not found:
        raise SystemExit(f"{path}: there is no .asf beside it whose name begins as its own")
    return max(found, key=lambda p: len(p.stem))


def take_of(row: Row, skeleton: Skeleton) -> convert.Take:
    """A file's motion on the training skeleton, on the floor, without breaks. Raises KineographError."""
    made = retarget(clip_of(row.path), None, skeleton, None, Options(feet=False, fps_hz=convert.FPS_HZ))
    return convert.Take(row.name, row.caption, row.source, convert.on_floor(convert.unbroken(made.clip)))


def likest(take: convert.Take, pieces: Sequence[data.Piece], count: int = 2) -> list[tuple[float, str]]:
    """The recordings whose poses are nearest to a take's: metres in the median, and name."""
    points = trust.pose_points(take.clip.rotations_xyzw)[::EVERY]
    near = [
        (float(np.median(trust.distance_m(points, trust.pose_points(p.rotations_xyzw)[::EVERY]))), p.name)
        for p in pieces
    ]
    return sorted(near)[:count]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("like", "table", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--beside", type=Path, nargs="*", default=[])
    a = parser.parse_args(arguments)
    like = np.load(a.like, allow_pickle=False)
    skeleton = Skeleton.build(like["joints"].tolist(), like["parents"], like["offsets"].astype(float))
    there = data.load([a.like, *a.beside])
    takes, licences = [], []
    for row in rows(a.table):
        try:
            take = take_of(row, skeleton)
        except KineographError as e:
            raise SystemExit(f"{row.path}: {e}") from e
        near = likest(take, there)
        alike = ", ".join(f"{name} {away_m * 100:.1f} cm" for away_m, name in near)
        warning = "  MOST LIKELY THE SAME" if near and near[0][0] < ALIKE_M else ""
        print(f"{row.name}: {len(take.clip)} frames; likest poses: {alike}{warning}", flush=True)
        takes.append(take)
        licences.append(row.licence)
    if not takes:
        raise SystemExit(f"{a.table}: there is no file in it")
    convert.write(a.out, takes, like, licences)
    print(f"{a.out}: {len(takes)} recordings, {sum(len(t.clip) for t in takes) / convert.FPS_HZ / 60:.1f} min")


if __name__ == "__main__":
    main()
