# SPDX-License-Identifier: Apache-2.0
"""How much of retargeting's speed is left when a folder of files goes through ``kineograph retarget``.

``python benchmarks/folders.py [--json] [--files 100] [--frames 1000]``

The same clip, SOMA's 77 joints onto Mixamo's 65 with feet held: in memory in one process a core, then as a folder of
GLB files through the command, process start, reading and writing included in the second of its two figures.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import retarget as bench  # noqa: E402  (the benchmark beside this one)
from tests.fakes import test_rigs as rigs  # noqa: E402
from tests.fakes import walks  # noqa: E402

from kineograph import formats  # noqa: E402
from kineograph_daemon.retarget import Options, retarget  # noqa: E402


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--frames", type=int, default=1000, help="of each file")
    parser.add_argument("--rounds", type=int, default=9, help="of the rate in memory")
    options = parser.parse_args()
    result = measure(options.files, options.frames, options.rounds)
    print(json.dumps(result, indent=1) if options.json else _text(result))


def measure(files: int, frames: int, rounds: int) -> dict[str, Any]:
    """All figures, the rate in memory before and after the folder: the machine may be busy with other things."""
    target = rigs.RIGS["mixamo"]()
    walk = walks.walk(rigs.RIGS["cmu"]())
    soma = bench.lengthened(retarget(walk, None, rigs.RIGS["soma"](), options=Options(feet=False)).clip, frames)
    cores = os.cpu_count() or 1
    options = Options(feet=True)
    before = bench._together(soma, target, options, cores, rounds)
    with tempfile.TemporaryDirectory(prefix="kineograph-bench-") as name:
        told, wall = _folder(Path(name), soma, target, files)
    after = bench._together(soma, target, options, cores, rounds)
    memory = cores * frames / ((before + after) / 2)
    alone = _cpu_seconds(soma, target, options, rounds)
    cpu = sorted(row["retarget_cpu_s"] for row in told["files"])
    inside = sorted(row["retarget_s"] for row in told["files"])
    total = sum(row["frames"] for row in told["files"])
    transfer = cores * total / sum(inside)
    return {
        "machine": bench.machine(), "files": files, "frames_per_file": frames,
        "in_memory_frames_per_s": memory,
        "folder_transfer_frames_per_s": transfer,
        "transfer_share": transfer / memory,
        "transfer_share_of_processor_time": alone / (sum(cpu) / len(cpu)),
        "folder_with_files_frames_per_s": total / wall,
        "with_files_share": total / wall / memory,
        "wall_s": wall,
        "median_s": {key: _median(told, f"{key}_s") for key in ("read", "retarget", "write")},
    }  # fmt: skip


def _cpu_seconds(clip: Any, target: Any, options: Options, rounds: int) -> float:
    """Median processor seconds of one retarget in memory: what a busy machine does not change."""
    work = bench.once(clip, target, options)
    work()
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return sorted(seconds)[rounds // 2]


def _folder(root: Path, clip: Any, target: Any, files: int) -> tuple[dict[str, Any], float]:
    source = root / "in"
    source.mkdir()
    formats.save(source / "take_000.glb", clip.skeleton, [clip])
    for i in range(1, files):
        (source / f"take_{i:03d}.glb").write_bytes((source / "take_000.glb").read_bytes())
    formats.save(root / "rig.glb", target, [])
    program = str(Path(sys.executable).with_name("kineograph"))
    command = [program, "retarget", str(source), "--to", str(root / "rig.glb"), "--out", str(root / "out"), "--json"]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    wall = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
    told: dict[str, Any] = json.loads(done.stdout)
    return told, wall


def _median(told: dict[str, Any], key: str) -> float:
    values = sorted(row[key] for row in told["files"])
    return float(values[len(values) // 2])


def _text(r: dict[str, Any]) -> str:
    rows = {
        "in memory": ("in_memory_frames_per_s", 1.0),
        "folder, retargeting alone": ("folder_transfer_frames_per_s", r["transfer_share"]),
        "  by processor time": ("folder_transfer_frames_per_s", r["transfer_share_of_processor_time"]),
        "folder, with files": ("folder_with_files_frames_per_s", r["with_files_share"]),
    }
    head = f"{r['files']} files of {r['frames_per_file']} frames, {r['machine']['cores']} cores"
    return "\n".join([head, *(f"  {k:26} {r[name]:12,.0f} frames/s ({s:.0%})" for k, (name, s) in rows.items())])


if __name__ == "__main__":
    main()
