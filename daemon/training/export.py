# SPDX-License-Identifier: Apache-2.0
"""Write the weights that ship: half precision, with what the daemon needs to know about them.

    python -m training.export --run RUN --data motion_train.npz [more.npz ...] --out weights.npz

Beside the averaged weights of ``RUN/best.pt`` the file has typical poses of the training set with the distances at
which the model is still to be believed, both measured on recordings held back (``training.trust``), how step rates go
with speed, and the poses of a jump (``training.leaps``) and of strides (``training.strides``).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.backbones.starter.net import Net
from training import data, gaits, leaps, strides, trust


def weights_of(path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    """Averaged weights in half precision and the run's facts."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    arrays = {name: value.float().numpy().astype(np.float16) for name, value in state["average"].items()}
    facts = {"shape": state["shape"], "steps": state["step"], "minutes": round(state["spent_s"] / 60, 1)}
    return arrays, {**facts, "settings": state["settings"]}


def step_rate(pieces: list[data.Piece]) -> list[float]:
    """Strides a second as a line over speed: [at rest, per metre a second], fitted to walks and runs."""
    speeds, rates = [], []
    for piece in pieces:
        phase, walks = piece.phase
        if piece.style not in (1, 2) or walks.sum() < 20:
            continue
        found = np.flatnonzero(walks)
        span = slice(int(found[0]), int(found[-1]) + 1)
        moved = np.diff(piece.root_m[span][:, [0, 2]], axis=0)
        speeds.append(float(np.linalg.norm(moved, axis=-1).mean() * figure.FPS_HZ))
        rates.append(float(np.diff(np.unwrap(phase[span])).mean() * figure.FPS_HZ / (2 * np.pi)))
    line = np.polyfit(speeds, rates, 1)
    return [round(float(line[1]), 4), round(float(line[0]), 4)]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--version", default="1")
    a = parser.parse_args()
    arrays, facts = weights_of(a.run / "best.pt")
    taught, held = data.split(data.load(a.data))
    facts |= {
        "version": a.version,
        "recordings": len({data.recording_of(p.name) for p in taught}),
        "minutes_of_motion": round(sum(map(len, taught)) / figure.FPS_HZ / 60, 1),
        "stride_hz": step_rate(taught),
    }
    net = Net({k: v.astype(np.float32) for k, v in arrays.items()}, facts, "")
    known, curve = trust.measure(net, [*taught, *gaits.copies(taught, 1)], [*held, *gaits.copies(held, 1)])
    facts["trust"] = curve
    poses, facts["leap"] = leaps.table(taught)
    arrays["leap"] = poses.astype(np.float16)
    poses, facts["stride"] = strides.tables(taught)
    arrays["stride"] = poses.astype(np.float16)
    arrays["known"] = known.astype(np.float16)
    arrays["facts"] = np.array(json.dumps(facts))
    named: dict[str, Any] = arrays
    np.savez_compressed(a.out, **named)
    print(json.dumps({"file": str(a.out), "mb": round(a.out.stat().st_size / 1e6, 2), **facts}))


if __name__ == "__main__":
    main()
