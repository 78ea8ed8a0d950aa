# SPDX-License-Identifier: Apache-2.0
"""How long Blender's main thread is held: a submit, a turn of the pump, a bake and its longest slice.

Run with a Python that has bpy:

    export PYTHONPATH=core:addon_blender:. KINEOGRAPH_DAEMON_PYTHON=.venv/bin/python
    BPY/bin/python benchmarks/blender.py --json

160 bones, 20 key poses, a real daemon. Wall time on the main thread, best and median of the rounds; ``cpu`` is the
main thread's own work, best of the rounds, which a busy machine changes less. Beside each stands what is promised.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import bpy
import numpy as np

BONES, KEYS, FRAMES = 160, 20, 300
MODEL = "kineograph-interpolate"
PROMISED_MS = {"submit": 20.0, "pump_turn": 4.0, "bake_main_thread": 150.0, "bake_slice": 8.0, "blender_shows_it": None}
"""The last is Blender's own: its evaluation of a scene with a new action, before it draws."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="kg-") as home:
        os.environ["KINEOGRAPH_HOME"] = home
        figures = measure(options.rounds)
    print(json.dumps(figures, indent=1) if options.json else table(figures))
    sys.stdout.flush()
    return 0


def measure(rounds: int) -> dict[str, Any]:
    """All figures, in milliseconds."""
    from kineograph.client import Client, start_daemon

    run = start_daemon(os.environ.get("KINEOGRAPH_DAEMON_PYTHON") or sys.executable, wait_s=60.0)
    import kineograph_blender
    from kineograph_blender import session

    kineograph_blender.register()
    try:
        armature = character()
        seen: dict[str, list[Spent]] = {name: [] for name in PROMISED_MS}
        for n in range(rounds + 1):
            one = round_of(armature, session)
            if n:  # the first loads the model and warms caches
                for name, value in one.items():
                    seen[name].append(value)
    finally:
        kineograph_blender.unregister()
        with Client(run) as client:
            client.stop_daemon()
    return {
        "blender": bpy.app.version_string,
        "bones": BONES,
        "keys": KEYS,
        "frames": FRAMES,
        "rounds": rounds,
        "ms": {
            name: {
                "best": min(v.wall_ms for v in values),
                "median": statistics.median(v.wall_ms for v in values),
                "cpu": min(v.cpu_ms for v in values),
                "promised": PROMISED_MS[name],
            }
            for name, values in seen.items()
        },
    }


class Spent(NamedTuple):
    """Time on the main thread."""

    wall_ms: float
    cpu_ms: float


def round_of(armature: Any, session: Any) -> dict[str, Spent]:
    """One generation and one bake, in slices."""
    gc.collect()
    current = session.current()
    current.connect()
    current.client.connect(20.0)
    scene = bpy.context.scene
    scene.kineograph.span = "SCENE"
    source = armature.animation_data.action
    submit = timed(lambda: bpy.ops.kineograph.generate())
    job = current.jobs[-1]
    turns = []
    while not job.is_done:
        turns.append(timed(current.poll))
        time.sleep(0.002)
    if job.error is not None:
        raise job.error
    bake = job.take.bake()
    slices: list[Spent] = []
    while not bake.is_done:
        slices.append(timed(lambda: bake.step(0.004)))
    shown = timed(bpy.context.view_layer.update)
    made = armature.animation_data.action
    put_back(armature, source)
    bpy.data.actions.remove(made)
    bpy.context.view_layer.update()  # as the next redraw would: what follows starts from a scene that is up to date
    return {
        "submit": submit,
        "pump_turn": longest(turns),
        "bake_main_thread": Spent(sum(s.wall_ms for s in slices), sum(s.cpu_ms for s in slices)),
        "bake_slice": longest(slices),
        "blender_shows_it": shown,
    }


def timed(work: Callable[[], Any]) -> Spent:
    """What it took."""
    began, began_cpu = time.perf_counter(), time.thread_time()
    work()
    return Spent((time.perf_counter() - began) * 1e3, (time.thread_time() - began_cpu) * 1e3)


def longest(spent: list[Spent]) -> Spent:
    """The longest in each sense."""
    return Spent(max(s.wall_ms for s in spent), max(s.cpu_ms for s in spent))


def put_back(armature: Any, action: Any) -> None:
    """The user's own action plays again."""
    from kineograph_blender import compat

    compat.bind(armature.animation_data, action, action.slots[0] if compat.HAS_SLOTS else None)


def character() -> Any:
    """A tree of 160 bones with 20 key poses over 300 frames."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, FRAMES
    data = bpy.data.armatures.new("Hero")
    rig = bpy.data.objects.new("Hero", data)
    scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for i in range(BONES):
        bone = data.edit_bones.new(f"bone.{i:03d}")
        # Chains of eight that hang off a spine of twenty, as fingers, face and props do.
        up = i - 1 if i < 20 else (i - 20) // 7 if (i - 20) % 7 == 0 else i - 1
        base = data.edit_bones[f"bone.{up:03d}"].tail if i else (0.0, 0.0, 0.2)
        turn = 0.0 if i < 20 else i * 0.7
        bone.head = base
        bone.tail = (base[0] + 0.04 * math.sin(turn), base[1] + 0.04 * math.cos(turn) * (i >= 20), base[2] + 0.05)
        if i:
            bone.parent = data.edit_bones[f"bone.{up:03d}"]
    bpy.ops.object.mode_set(mode="OBJECT")
    rng = np.random.default_rng(5)
    for frame in np.linspace(1, FRAMES, KEYS).round().astype(int):
        for bone in rig.pose.bones:
            x, y, z = rng.uniform(-0.2, 0.2, 3)
            bone.rotation_quaternion = (math.sqrt(1 - x * x - y * y - z * z), x, y, z)
            bone.keyframe_insert("rotation_quaternion", frame=int(frame))
    scene.frame_set(1)
    return rig


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    lines = [f"Blender {figures['blender']}, {BONES} bones, {KEYS} keys, {FRAMES} frames, {figures['rounds']} rounds"]
    for name, row in figures["ms"].items():
        wall = f"best {row['best']:7.1f} ms  median {row['median']:7.1f}  cpu {row['cpu']:7.1f}"
        lines.append(f"  {name:18} {wall}  promised {row['promised'] or 'nothing'}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    code = main()
    os._exit(code)  # 4.2 and 4.5 crash or hang in their own clean-up
