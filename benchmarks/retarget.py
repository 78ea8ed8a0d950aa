# SPDX-License-Identifier: Apache-2.0
"""How fast and how well motion moves between rigs.

``python benchmarks/retarget.py [--json] [--bpy PYTHON] [--clip CMU.bvh]``

Frames a second of long clips (one process, and one process a core), forward only and with the foot lock; the same clip
through a constraint bake in Blender in the same run where ``--bpy`` names a Python that has ``bpy``; a folder of files
with reading and writing; and a table of quality. Without ``--clip`` a walk of our own is used.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from tests.fakes import test_rigs as rigs  # noqa: E402
from tests.fakes import walks  # noqa: E402

from kineograph import formats  # noqa: E402
from kineograph.formats import mannequin  # noqa: E402
from kineograph.motion.clip import Clip  # noqa: E402
from kineograph.motion.skeleton import Skeleton  # noqa: E402
from kineograph.rigs import RigMap, roles_of  # noqa: E402
from kineograph_daemon.retarget import Options, quality, retarget  # noqa: E402

FRAMES, BAKED, FILES = 10_000, 200, 100


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--bpy", metavar="PYTHON", help="a Python that has bpy, for the bake and for Rigify's human")
    parser.add_argument("--clip", type=Path, help="a BVH or GLB of a person; default: a walk of our own")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--files", type=int, default=FILES, help="files of the folder; 0 leaves it out")
    options = parser.parse_args()
    result = measure(options.bpy, options.clip, options.rounds, options.files)
    print(json.dumps(result, indent=1) if options.json else _text(result))


def measure(bpy: str | None, clip_path: Path | None, rounds: int, files: int) -> dict[str, Any]:
    """All figures."""
    clip = formats.load(clip_path).clips[0] if clip_path else walks.walk(rigs.cmu31())
    targets = {name: make() for name, make in rigs.RIGS.items()}
    if bpy:
        targets["rigify"] = rigify_human(bpy)
    soma = lengthened(retarget(clip, None, targets["soma"], options=Options(feet=False)).clip, FRAMES)
    cmu = lengthened(clip, FRAMES)
    jobs = {"soma77_to_mixamo65": (soma, "mixamo"), "cmu31_to_mixamo65": (cmu, "mixamo")}
    if bpy:
        jobs["cmu31_to_rigify159"] = (cmu, "rigify")
    out: dict[str, Any] = {"machine": machine(), "frames": FRAMES, "speed": {}, "quality": {}}
    for name, (source, to) in jobs.items():
        out["speed"][name] = speeds(source, targets[to], rounds)
    if bpy:
        out["bake"] = bake(bpy, soma.slice(0, BAKED), targets["mixamo"])
        for kind, figure in out["speed"]["soma77_to_mixamo65"].items():
            out["bake"][f"{kind}_to_bake"] = figure["frames_per_s"] / out["bake"]["frames_per_s"]
    if files:
        out["folder"] = folder(soma.slice(0, FRAMES // 10), targets["mixamo"], files)
    out["quality"] = {name: quality_of(clip, target) for name, target in targets.items()}
    return out


def speeds(clip: Clip, target: Skeleton, rounds: int) -> dict[str, Any]:
    """Frames a second, forward and with feet: one process, and one process a core on a clip each.

    ``by_processor_time`` is what the cores together would do if nothing else ran on the machine.
    """
    out = {}
    for name, feet in (("forward", False), ("feet", True)):
        options = Options(feet=feet)
        work = once(clip, target, options)
        alone = _timed(work, rounds)
        busy = float(np.median([_seconds(work, time.process_time) for _ in range(rounds)]))
        cores = os.cpu_count() or 1
        together = _together(clip, target, options, cores, rounds)
        out[name] = {
            "one_process": FRAMES / alone, "processes": cores, "frames_per_s": cores * FRAMES / together,
            "by_processor_time": cores * FRAMES / busy,
        }  # fmt: skip
    return out


def once(clip: Clip, target: Skeleton, options: Options) -> Callable[[], object]:
    """One retarget with maps read beforehand, as a folder of one rig has them."""
    source_map, target_map = read(clip.skeleton), read(target)
    return lambda: retarget(clip, source_map, target, target_map, options)


def read(skeleton: Skeleton) -> RigMap:
    """Roles of a skeleton."""
    return roles_of(skeleton.names, skeleton.parents.tolist(), skeleton.rest_positions_m)


def _timed(work: Callable[[], object], rounds: int) -> float:
    work()
    return float(np.median([_seconds(work) for _ in range(rounds)]))


def _seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    began = clock()
    work()
    return clock() - began


def _together(clip: Clip, target: Skeleton, options: Options, cores: int, rounds: int) -> float:
    """Median seconds that a clip takes while every core retargets one, all beginning at once."""
    context = mp.get_context("fork")
    gate = context.Barrier(cores, timeout=120.0)
    clocks = context.Array("d", 2 * cores * rounds)

    def worker(index: int) -> None:
        work = once(clip, target, options)
        work()
        for i in range(rounds):
            gate.wait()
            at = 2 * (i * cores + index)
            clocks[at] = time.perf_counter()
            work()
            clocks[at + 1] = time.perf_counter()

    team = [context.Process(target=worker, args=(i,), daemon=True) for i in range(cores)]
    for process in team:
        process.start()
    for process in team:
        process.join()
    if any(process.exitcode for process in team):
        raise SystemExit("a process of the benchmark failed: its error stands above")
    # By the workers' own clocks, which are one system's: a process that only watches them gets no core to look in time.
    told = np.array(clocks).reshape(rounds, cores, 2)
    seconds = (told[:, :, 1] - told[:, :, 0]).mean(axis=1)
    return float(np.median(seconds))


def folder(clip: Clip, target: Skeleton, count: int) -> dict[str, float]:
    """Frames a second over a folder of GLB files on all cores: transfer only, in processor time as other work on the
    machine must not count, and with reading and writing by the clock."""
    with tempfile.TemporaryDirectory(prefix="kineograph-bench-") as name:
        root = Path(name)
        paths = [root / f"take_{i:03d}.glb" for i in range(count)]
        formats.save(paths[0], clip.skeleton, [clip])
        for path in paths[1:]:
            path.write_bytes(paths[0].read_bytes())
        with mp.get_context("fork").Pool(os.cpu_count(), initializer=_single_threaded) as pool:
            began = time.perf_counter()
            inside = sum(pool.imap_unordered(_one_file, [(p, root / f"out_{p.stem}.glb", target) for p in paths], 4))
            wall = time.perf_counter() - began
    frames = count * len(clip)
    cores = os.cpu_count() or 1
    return {"files": count, "frames_per_file": len(clip), "transfer_frames_per_s": cores * frames / inside,
            "with_files_frames_per_s": frames / wall}  # fmt: skip


def _single_threaded() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"


def _one_file(job: tuple[Path, Path, Skeleton]) -> float:
    source, out, target = job
    clip = formats.load(source).clips[0]
    began = time.process_time()
    result = retarget(clip, None, target)
    spent = time.process_time() - began
    formats.save(out, target, [result.clip])
    return spent


def bake(bpy: str, clip: Clip, target: Skeleton) -> dict[str, Any]:
    """The same clip through constraints and a visual bake in Blender."""
    plan = retarget(clip, None, target, options=Options(feet=False)).plan
    pairs = [(plan.source.names[p.source], plan.target.names[p.target]) for p in plan.pairs]
    with tempfile.TemporaryDirectory(prefix="kineograph-bench-") as name:
        source_path, target_path, pairs_path = (Path(name) / n for n in ("source.glb", "target.glb", "pairs.json"))
        formats.save(source_path, clip.skeleton, [clip], mesh=mannequin.build(clip.skeleton))
        formats.save(target_path, target, [], mesh=mannequin.build(target))
        hips = plan.target.names[plan.hips.target]
        pairs_path.write_text(json.dumps({"pairs": pairs, "hips": hips, "fps": round(clip.fps_hz)}), encoding="utf-8")
        done = _blender(bpy, "bake.py", source_path, target_path, pairs_path)
    return {**done, "frames_per_s": done["frames"] / done["seconds"]}


def rigify_human(bpy: str) -> Skeleton:
    """Rigify's human of 159 bones."""
    rest = _blender(bpy, "rigify_human.py")
    return Skeleton.build(rest["names"], rest["parents"], rest["translations_m"], rest["rotations_xyzw"])


def _blender(python: str, script: str, *args: object) -> dict[str, Any]:
    command = [python, str(HERE / "kineograph_bench" / script), *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise SystemExit(f"{script} failed:\n{done.stderr[-2000:]}")
    document: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return document


def lengthened(clip: Clip, frames: int) -> Clip:
    """There and back again until it has ``frames`` frames; float32."""
    t = np.arange(frames) % max(2 * len(clip) - 2, 1)
    t = np.where(t < len(clip), t, 2 * len(clip) - 2 - t)
    rotations = np.ascontiguousarray(clip.rotations_xyzw[t], np.float32)
    moved = None if clip.translations_m is None else clip.translations_m[t]
    return Clip(clip.skeleton, clip.fps_hz, rotations, np.ascontiguousarray(clip.root_m[t], np.float32), "long", moved)


def quality_of(clip: Clip, target: Skeleton) -> dict[str, Any]:
    """The report's figures, with and without the foot lock."""
    keys = ("slide_source_cm_per_s", "slide_cm_per_s", "slide_seen_cm_per_s", "penetration_cm", "limb_error_deg",
            "round_trip", "jerk_ratio", "knee_pop_deg", "knee_pop_source_deg")  # fmt: skip
    out: dict[str, Any] = {}
    for name, feet in (("forward", False), ("feet", True)):
        report = quality.measure(retarget(clip, None, target, options=Options(feet=feet)))
        out[name] = {key: report[key] for key in keys}
    return out


def machine() -> dict[str, Any]:
    """What this ran on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "load_1min": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def _text(result: dict[str, Any]) -> str:
    heads = f"one process   {os.cpu_count()} processes  by processor time  (frames/s)"
    lines = [f"{result['frames']} frames                 {heads}"]
    for name, kinds in result["speed"].items():
        lines += [
            f"  {name:20} {k:8} {v['one_process']:12,.0f} {v['frames_per_s']:14,.0f} {v['by_processor_time']:16,.0f}"
            for k, v in kinds.items()
        ]
    if "bake" in result:
        b = result["bake"]
        lines.append(f"  constraint bake in Blender {b['blender']}: {b['frames_per_s']:,.0f} frames/s; "
                     f"ours is {b['forward_to_bake']:,.0f} times that, with feet {b['feet_to_bake']:,.0f}")  # fmt: skip
    if "folder" in result:
        f = result["folder"]
        lines.append(f"  {f['files']} files: {f['transfer_frames_per_s']:,.0f} frames/s, "
                     f"with reading and writing {f['with_files_frames_per_s']:,.0f}")  # fmt: skip
    lines.append("quality            slide cm/s (seen)   sinks cm  limbs deg  round trip deg, cm   jerk   knee pop deg")
    for name, kinds in result["quality"].items():
        for kind, q in kinds.items():
            trip = q["round_trip"]
            lines.append(
                f"  {name:8} {kind:8} {q['slide_cm_per_s']:6.2f} ({q['slide_seen_cm_per_s']:5.2f})  "
                f"{q['penetration_cm']:8.2f}   {q['limb_error_deg']['mean']:6.2f}    {trip['degrees']:8.4f} "
                f"{trip['cm']:7.4f}  {q['jerk_ratio']:6.2f}   {q['knee_pop_deg']:6.1f}"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
