# SPDX-License-Identifier: Apache-2.0
"""How long Blender's main thread is held: a submit, a turn of the pump, a bake and its longest slice; and the turns in
which the interface reads a scene, while a take shows and on a generated Rigify person.

Run with a Python that has bpy:

    export PYTHONPATH=core:addon_blender:. KINEOGRAPH_DAEMON_PYTHON=.venv/bin/python
    BPY/bin/python benchmarks/blender.py --json

160 bones, 20 key poses, a real daemon. Wall time on the main thread, best, median and longest of the rounds; ``cpu`` is
the main thread's own work, which a busy machine changes less. Of what takes several turns or slices each round counts
the longest. Beside each stands what is promised.

Then a user's whole session, over and over, with every turn of the pump by what it did: each is promised to take 4 ms at
most, and those that took longer are told one by one, by the clock and by processor time. Blender's own undo steps (for
a take, and for a user's own operators in the same file), its evaluations of the scene and Python's full collections
stand by themselves, wherever they fall.
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
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import bpy
import numpy as np

BONES, KEYS, FRAMES = 160, 20, 300
MODEL = "kineograph-interpolate"
BUDGET_S = 0.002
PROMISED_MS = {
    "submit": 20.0,
    "click": 20.0,
    "click_turn": 4.0,
    "click_turn_with_take": 4.0,
    "pump_turn": 4.0,
    "bake_main_thread": 150.0,
    "bake_slice": 8.0,
    "panels": None,
    "labels": None,
    "buffers": None,
    "rig_read": None,
    "verdicts": None,
    "blender_shows_it": None,
    "rigify_click": 20.0,
    "rigify_turn": None,
    "rigify_two_frames": None,
    "rigify_rig_read": None,
}
"""``submit``: read and sent in one go, as from a script. ``click``: Generate in the interface; ``click_turn``: the
longest turn of reading and sending after it, ``_with_take``: while a take shows. ``panels``: our code of all panels at
a redraw of the sidebar while a take shows; ``labels`` and ``buffers``: what is worked out of its drawing at each
redraw, and once; ``rig_read``: a rig that was never looked at is selected. ``verdicts``: what is drawn of a take.
``blender_shows_it``: Blender's own evaluation of a scene with a new action. ``rigify_*``: the same for a rig with
constraints, and what Blender itself takes for two frames, there and back."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="kg-", ignore_cleanup_errors=True) as home:  # the daemon is ending
        os.environ["KINEOGRAPH_HOME"] = home
        figures = measure(options.rounds)
    print(json.dumps(figures, indent=1) if options.json else table(figures))
    sys.stdout.flush()
    return 0


def measure(rounds: int) -> dict[str, Any]:
    """All figures, in milliseconds."""
    from kineograph.client import Client, start_daemon

    run = start_daemon(os.environ.get("KINEOGRAPH_DAEMON_PYTHON") or sys.executable, wait_s=60.0)
    from tests.blender import scenes

    import kineograph_blender
    from kineograph_blender import session

    kineograph_blender.register()
    try:
        seen: dict[str, list[Spent]] = {name: [] for name in PROMISED_MS}
        told = session_of(rounds, session)
        for begin, one_round in ((character, round_of), (rigify, rigify_round)):
            armature = begin()
            for n in range(rounds + 1):
                one = one_round(armature, session)
                if n:  # the first loads the model and warms caches
                    for name, value in one.items():
                        seen[name].append(value)
    finally:
        scenes.clean_up()
        kineograph_blender.unregister()
        with Client(run) as client:
            client.stop_daemon()
    return {
        "blender": bpy.app.version_string,
        "bones": BONES,
        "keys": KEYS,
        "frames": FRAMES,
        "rounds": rounds,
        "load": os.getloadavg()[0],
        "session": told,
        "ms": {
            name: {
                "best": min(v.wall_ms for v in values),
                "median": statistics.median(v.wall_ms for v in values),
                "longest": max(v.wall_ms for v in values),
                "cpu": min(v.cpu_ms for v in values),
                "cpu_median": statistics.median(v.cpu_ms for v in values),
                "cpu_longest": max(v.cpu_ms for v in values),
                "promised": PROMISED_MS[name],
            }
            for name, values in seen.items()
        },
    }


def session_of(rounds: int, session: Any) -> dict[str, Any]:
    """Every turn of the pump in a user's session, by kind; the clicks; and what is Blender's and Python's own. Then the
    turns in which a generated Rigify person is read."""
    from kineograph_bench.blender_session import Session
    from kineograph_bench.blender_turns import Trace, histogram, kinds, too_long

    trace, visits = Trace(), Trace()
    for seen, begin in ((trace, character), (visits, rigify)):
        seen.hang_in()
        try:
            played = Session(begin(), session.current(), seen)
            played.rounds(rounds) if seen is trace else played.readings(rounds)
        finally:
            seen.take_off()
        session.current().disconnect()
    return {
        "turns": kinds(trace.turns),
        "clicks": kinds(trace.clicks),
        "own": kinds(trace.own),
        "histogram": histogram(trace.turns),
        "too_long": too_long(trace.turns),
        "rigify": kinds(visits.turns),
        "rigify_own": kinds(visits.own),
        "rigify_too_long": too_long(visits.turns),
    }


class Spent(NamedTuple):
    """Time on the main thread."""

    wall_ms: float
    cpu_ms: float


def round_of(armature: Any, session: Any) -> dict[str, Spent]:
    """One generation and one bake, in slices; and another generation while that take shows."""
    from kineograph_bench.blender_idle import buffers, labels, panels, rig_read

    from kineograph_blender.draw import show

    gc.collect()
    current = connected(session)
    source = armature.animation_data.action
    submit = timed(lambda: bpy.ops.kineograph.generate())
    job = current.jobs[-1]
    turns = turned(current, job)
    click, reading = read_in_turns(armature, current)
    bake = job.take.bake()
    slices: list[Spent] = []
    while not bake.is_done:
        slices.append(timed(lambda: bake.step(BUDGET_S)))
    verdicts = timed(lambda: show.take(job.take))
    shown = timed(bpy.context.view_layer.update)
    idle = {name: timed(act) for name, act in (("panels", panels), ("labels", labels), ("buffers", buffers))}
    with_take = longest(sum(read_in_turns(armature, current), start=()))
    made = armature.animation_data.action
    put_back(armature, source)
    bpy.data.actions.remove(made)
    bpy.context.view_layer.update()  # as the next redraw would: what follows starts from a scene that is up to date
    return {
        "submit": submit,
        "pump_turn": longest(turns),
        "bake_main_thread": Spent(sum(s.wall_ms for s in slices), sum(s.cpu_ms for s in slices)),
        "bake_slice": longest(slices),
        "verdicts": verdicts,
        "blender_shows_it": shown,
        "click": longest(click),
        "click_turn": longest(reading),
        "click_turn_with_take": with_take,
        "rig_read": timed(lambda: rig_read(armature)),
        **idle,
    }


def rigify_round(armature: Any, session: Any) -> dict[str, Spent]:
    """A click on Generate for a rig that only Blender can evaluate, and the turns after it."""
    from kineograph_bench.blender_idle import rig_read

    gc.collect()
    current = connected(session)
    click, turns = read_in_turns(armature, current)
    scene = bpy.context.scene

    def two_frames() -> None:
        for frame in (FRAMES // 2, 1):
            scene.frame_set(frame)

    return {
        "rigify_click": longest(click),
        "rigify_turn": longest(turns),
        "rigify_two_frames": timed(two_frames),
        "rigify_rig_read": timed(lambda: rig_read(armature)),
    }


def read_in_turns(armature: Any, current: Any) -> tuple[tuple[Spent, ...], tuple[Spent, ...]]:
    """A generation as the interface asks for it: the click, and the turns until the request has left."""
    from kineograph_blender import plan

    scene, before = bpy.context.scene, len(current.jobs)
    (direction,) = plan.directions_of(armature, scene, MODEL)
    click = [timed(lambda: current.generate_soon(armature, scene, direction))]
    turns = []
    while len(current.jobs) == before:
        turns.append(timed(lambda: current.poll(BUDGET_S)))
    turned(current, current.jobs[-1])
    return tuple(click), tuple(turns)


def connected(session: Any) -> Any:
    """The session, with the daemon there."""
    current = session.current()
    current.connect()
    current.client.connect(20.0)
    settings = bpy.context.scene.kineograph
    settings.span, settings.model = "SCENE", MODEL
    return current


def turned(current: Any, job: Any) -> list[Spent]:
    """The turns of the pump until a job is done."""
    turns = []
    while not job.is_done:
        turns.append(timed(current.poll))
        time.sleep(0.002)
    if job.error is not None:
        raise job.error
    return turns


def timed(work: Callable[[], Any]) -> Spent:
    """What it took."""
    began, began_cpu = time.perf_counter(), time.thread_time()
    work()
    return Spent((time.perf_counter() - began) * 1e3, (time.thread_time() - began_cpu) * 1e3)


def longest(spent: Sequence[Spent]) -> Spent:
    """The longest in each sense."""
    return Spent(max(s.wall_ms for s in spent), max(s.cpu_ms for s in spent))


def put_back(armature: Any, action: Any) -> None:
    """The user's own action plays again."""
    from kineograph_blender import compat

    compat.bind(armature.animation_data, action, action.slots[0] if compat.HAS_SLOTS else None)


def rigify() -> Any:
    """A person that Rigify generated, posed on its FK controls at 20 frames."""
    from tests.blender import scenes

    from kineograph_blender.bridge import controls

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 1, FRAMES
    rig = scenes.generated_rigify("Hero")
    scenes.key_poses(rig, list(controls.of_rig(rig).tree), "torso", frames=key_frames())
    return rig


def key_frames() -> list[int]:
    """Where the key poses are."""
    return [int(f) for f in np.linspace(1, FRAMES, KEYS).round()]


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
    for frame in key_frames():
        for bone in rig.pose.bones:
            x, y, z = rng.uniform(-0.2, 0.2, 3)
            bone.rotation_quaternion = (math.sqrt(1 - x * x - y * y - z * z), x, y, z)
            bone.keyframe_insert("rotation_quaternion", frame=frame)
    scene.frame_set(1)
    return rig


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    lines = [f"Blender {figures['blender']}, {BONES} bones, {KEYS} keys, {FRAMES} frames, {figures['rounds']} rounds"]
    for name, row in figures["ms"].items():
        wall = f"best {row['best']:6.1f} ms  median {row['median']:6.1f}  longest {row['longest']:6.1f}"
        cpu = f"best {row['cpu']:5.1f}  median {row['cpu_median']:5.1f}  longest {row['cpu_longest']:5.1f}"
        lines.append(f"  {name:20} {wall}  |  cpu {cpu}  promised {row['promised'] or 'nothing'}")
    told = figures["session"]
    for name, said in (
        ("turns", f"A session of {figures['rounds']} rounds: turns of the pump"),
        ("clicks", "Clicks"),
        ("own", "Blender's and Python's own, apart from these"),
        ("rigify", "A generated Rigify person is read: turns of the pump"),
        ("rigify_own", "Blender's own, apart from these"),
    ):
        lines.append(said)
        for what, row in told[name].items():
            figure = f"median {row['median']:6.2f} ms  longest {row['longest']:6.2f}"
            figure += f"  |  cpu median {row['cpu_median']:6.2f}  longest {row['cpu_longest']:6.2f}"
            lines.append(f"  {row['turns']:5.0f} x {figure}  {what}")
    lines.append(
        "  turns by length (of them by processor time): "
        + ", ".join(f"{name} {row['clock']} ({row['cpu']})" for name, row in told["histogram"].items())
    )
    for name in ("too_long", "rigify_too_long"):
        row = told[name]
        lines.append(
            f"  over 4 ms: {row['clock']} of {row['turns']} turns by the clock ({100 * row['clock_share']:.2f} %, "
            f"longest {row['clock_longest']:.2f}), {row['cpu']} by processor time ({100 * row['cpu_share']:.2f} %, "
            f"longest {row['cpu_longest']:.2f})" + (", of the Rigify person" if name.startswith("rigify") else "")
        )
        lines += [f"    {t['wall_ms']:6.2f} ms, cpu {t['cpu_ms']:6.2f}  {t['what']}" for t in row["which"][:12]]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    code = main()
    os._exit(code)  # 4.2 and 4.5 crash or hang in their own clean-up
