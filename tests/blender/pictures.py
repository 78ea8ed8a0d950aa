# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of the add-on in ``docs/images``: a real window, a real daemon, the add-on's own buttons.

Run by a Blender that has a window, with ``core``, ``addon_blender`` and the checkout on PYTHONPATH, under X with
ImageMagick (``import``), at 1280 x 1000:

    KINEOGRAPH_DAEMON_PYTHON=.venv/bin/python blender --factory-startup --python tests/blender/pictures.py

``KINEOGRAPH_PICTURES`` names another folder; names in it, after ``:``, make some pictures only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from math import radians
from pathlib import Path
from typing import Any

import bpy
from mathutils import Matrix, Vector

ROOT = Path(__file__).resolve().parents[2]
OUT, _, ONLY = os.environ.get("KINEOGRAPH_PICTURES", str(ROOT / "docs" / "images")).partition(":")
HOME = tempfile.mkdtemp(prefix="kg-pictures-")
os.environ["KINEOGRAPH_HOME"] = HOME

from tests.blender import scenes  # noqa: E402

import kineograph_blender  # noqa: E402
from kineograph.wire.messages import JobState  # noqa: E402
from kineograph_blender import link, session  # noqa: E402
from kineograph_blender.bridge import marks  # noqa: E402
from kineograph_blender.direction import props as direction  # noqa: E402

Step = Callable[[], bool] | float
WAIT_S = 120.0
MODEL = "kineograph-interpolate"
BLUE, GREEN = (0.45, 0.62, 0.85, 1.0), (0.55, 0.75, 0.45, 1.0)
WHOLE = ""
SIDE = ""
"""Parts of the window that a picture shows; empty shows all."""


# --- the window -------------------------------------------------------------------------------------------------------
def window() -> Any:
    return bpy.context.window_manager.windows[0]


def area(kind: str) -> Any:
    return next(a for a in window().screen.areas if a.type == kind)


def region(where: Any, kind: str) -> Any:
    return next(r for r in where.regions if r.type == kind)


def set_up() -> None:
    """The sidebar at our tab, the solid view, nothing that has no part in it."""
    view = area("VIEW_3D")
    space = view.spaces.active
    space.show_region_ui = True
    space.show_region_toolbar = space.show_region_tool_header = False
    space.overlay.show_cursor = False
    space.shading.type = "SOLID"
    space.shading.color_type = "OBJECT"
    bpy.context.preferences.view.show_splash = False


def open_tab() -> None:
    region(area("VIEW_3D"), "UI").active_panel_category = "Kineograph"


def look_from(place: tuple[float, float, float], at: tuple[float, float, float], far: float) -> None:
    """Where the 3D view looks from."""
    view = area("VIEW_3D").spaces.active.region_3d
    ahead = Vector(at) - Vector(place)
    view.view_rotation = ahead.to_track_quat("-Z", "Y")
    view.view_location = Vector(at)
    view.view_distance = far
    view.view_perspective = "PERSP"


def redrawn() -> Iterator[Step]:
    """Until the window shows what there is."""
    for where in window().screen.areas:
        where.tag_redraw()
    yield 1.2


def grab(name: str, crop: str = "") -> None:
    """The window, or a part of it (``WxH+X+Y``), in few colours."""
    if ONLY and name not in ONLY.split(","):
        return
    path = Path(OUT) / f"{name}.png"
    part = ["-crop", crop, "+repage"] if crop else []
    command = ["import", "-window", "root", *part, "-dither", "None", "-colors", "160", f"PNG8:{path}"]
    subprocess.run(command, check=True)
    print(f"{path}  {path.stat().st_size // 1024} kB", flush=True)


# --- the scene --------------------------------------------------------------------------------------------------------
def empty_scene() -> None:
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    for action in list(bpy.data.actions):
        bpy.data.actions.remove(action)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 150
    scene.frame_set(1)
    session.current().troubles.__init__()  # type: ignore[misc]  # a new picture, a new start
    bpy.ops.kineograph.hide()


def puppet(name: str, color: tuple[float, float, float, float], x: float = 0.0) -> Any:
    """A figure of boxes on the tests' rig: armatures alone are thin in a picture."""
    rig = scenes.simple(name)
    rig.location.x = x
    for bone in rig.data.bones:
        length = bone.length
        width = min(0.35 * length, 0.09)
        if bone.name in ("Hips", "Spine", "Spine1"):
            width = 0.14
        corners = [(a * width, b * length, c * width) for a in (-0.5, 0.5) for b in (0.0, 1.0) for c in (-0.5, 0.5)]
        mesh = bpy.data.meshes.new(bone.name)
        faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
        mesh.from_pydata(corners, [], faces)
        box = scenes.add(mesh, f"{name} {bone.name}")
        box.parent, box.parent_type, box.parent_bone = rig, "BONE", bone.name
        box.matrix_parent_inverse = Matrix.Translation((0.0, -length, 0.0))
        box.color = color
        box.hide_select = True
    rig.show_in_front = True
    rig.data.display_type = "STICK"
    scenes.activate(rig)
    bpy.context.view_layer.update()
    return rig


def posed(rig: Any, frame: int, turns: dict[str, tuple[str, float]]) -> None:
    """A key pose: bones turned about axes of the world, degrees."""
    for name, (axis, degrees) in turns.items():
        rest = rig.data.bones[name].matrix_local.to_quaternion()
        turn = rest.inverted() @ Matrix.Rotation(radians(degrees), 3, axis).to_quaternion() @ rest
        scenes.key(rig, name, "rotation_quaternion", frame, turn)


HANGING = {"LeftArm": ("Y", 72.0), "RightArm": ("Y", -72.0)}


def directed(rig: Any, model: str = MODEL) -> None:
    """Keys, a path, two prompts."""
    posed(rig, 1, HANGING)
    posed(rig, 75, {**HANGING, "Head": ("Z", 40.0)})
    x = rig.location.x
    curve = scenes.curve_path([(x, 0.0, 0.0), (x + 0.7, -1.3, 0.0), (x + 0.3, -2.8, 0.0)])
    marks.mark_path(curve, rig)
    direction.write(
        rig, [direction.Block(1, 90, "walks to the shelf"), direction.Block(91, 150, "reaches for the lamp")]
    )
    settings = bpy.context.scene.kineograph
    settings.model, settings.span, settings.samples = model, "SCENE", 1
    bpy.context.scene.frame_set(1)


def until(is_true: Callable[[], Any], what: str) -> Step:
    def check() -> bool:
        return bool(is_true())

    check.__name__ = what
    return check


# --- the pictures -----------------------------------------------------------------------------------------------------
def pictures() -> Iterator[Step]:
    set_up()
    yield 0.8
    open_tab()
    empty_scene()
    puppet("Hero", BLUE)
    look_from((2.6, -4.4, 2.1), (0.3, -0.2, 0.8), 4.4)
    with bpy.context.temp_override(area=area("VIEW_3D"), region=region(area("VIEW_3D"), "WINDOW")):
        bpy.ops.screen.screen_full_area(use_hide_panels=False)
    yield from without_a_daemon()
    yield from ready()
    yield from with_verdicts()
    yield from unknown_joint()
    yield from two_jobs()
    yield from strips()


def without_a_daemon() -> Iterator[Step]:
    yield 0.5
    open_tab()
    link.look()
    yield until(lambda: session.current().standing.can_start, "no daemon is found")
    yield from redrawn()
    grab("blender-first-start", SIDE)


def ready() -> Iterator[Step]:
    bpy.ops.kineograph.start_daemon()
    yield until(lambda: session.current().standing.is_ready and session.current().models.every, "ready")
    directed(bpy.data.objects["Hero"], "")
    yield from redrawn()  # panels that come slide into their places
    yield from redrawn()
    grab("blender-ready", SIDE)


def with_verdicts() -> Iterator[Step]:
    hero = bpy.data.objects["Hero"]
    lamp = scenes.empty((0.75, -3.05, 2.15), "Lamp")
    lamp.empty_display_size = 0.1
    marks.mark_pin(lamp, hero, "LeftHand", frames=(146, 150))
    scenes.activate(hero)
    bpy.ops.kineograph.generate()
    yield until(lambda: not session.current().is_busy, "the take")
    bpy.ops.kineograph.take_apply()
    yield until(lambda: not session.current().is_busy, "it is applied")
    bpy.context.scene.frame_set(150)
    look_from((4.2, -6.4, 2.2), (0.5, -1.7, 0.8), 5.0)
    yield from redrawn()
    grab("blender-take", WHOLE)


def unknown_joint() -> Iterator[Step]:
    empty_scene()
    hero = puppet("Hero", BLUE)
    directed(hero)
    direction.write(hero, [])
    hero.kineograph.prompt = "takes the cup"
    place = scenes.empty((0.5, -2.6, 1.2), "Grab")
    place.empty_display_size = 0.1
    marks.mark_pin(place, hero, "LeftHand", frames=(140, 150))
    marks.set_joint(place, "LefHand")
    scenes.activate(hero)
    bpy.ops.kineograph.generate()
    yield until(lambda: not session.current().is_busy and len(session.current().troubles), "the problem")
    look_from((2.6, -4.4, 2.1), (0.3, -0.8, 0.8), 4.8)
    yield from redrawn()
    grab("blender-unknown-joint", SIDE)


def two_jobs() -> Iterator[Step]:
    empty_scene()
    settings = bpy.context.scene.kineograph
    for name, x, color in (("Ogre", 0.9, GREEN), ("Hero", -0.3, BLUE)):
        rig = puppet(name, color, x)
        directed(rig)
        direction.write(rig, [])
        rig.kineograph.prompt = "walks to the shelf" if name == "Hero" else "follows"
        settings.span, settings.start, settings.end, settings.samples = "OWN", 1, 14_000, 16
        bpy.ops.kineograph.generate()
    yield until(lambda: not session.current().reading, "both are read")
    jobs = session.current().jobs[-2:]
    yield until(lambda: all(j.status is not None for j in jobs), "both are known")
    yield until(lambda: any(j.is_done or (j.status and j.status.state is JobState.RUNNING) for j in jobs), "one runs")
    look_from((2.6, -5.0, 2.1), (0.6, -0.8, 0.8), 5.0)
    yield from redrawn()
    grab("blender-two-jobs", WHOLE)
    for job in jobs:
        session.current().cancel(job)
    yield until(lambda: all(j.is_done for j in jobs), "both are stopped")


def strips() -> Iterator[Step]:
    with bpy.context.temp_override(area=area("VIEW_3D"), region=region(area("VIEW_3D"), "WINDOW")):
        bpy.ops.screen.back_to_previous()
    yield 0.8
    empty_scene()
    hero = puppet("Hero", BLUE)
    directed(hero)
    blocks = [(1, 60, "walks to the shelf", False), (61, 90, "", True), (101, 150, "reaches for the lamp", False)]
    direction.write(hero, [direction.Block(a, b, text, locked=lock) for a, b, text, lock in blocks], active=2)
    line = area("DOPESHEET_EDITOR")
    bpy.ops.screen.area_move(x=line.x + line.width // 2, y=line.y + line.height, delta=120)
    yield 0.5
    with bpy.context.temp_override(area=line, region=region(line, "WINDOW")):
        bpy.ops.action.view_all()
    bpy.context.scene.frame_set(40)
    yield from redrawn()
    grab("blender-strips", f"{line.width}x{line.height + 4}+{line.x}+{window().height - line.y - line.height - 4}")


# --- turning ----------------------------------------------------------------------------------------------------------
class Turner:
    """One step a tick; leaves Blender at the end, with what failed on the way."""

    def __init__(self) -> None:
        self.steps = pictures()
        self.waits: Callable[[], bool] | None = None
        self.left = int(WAIT_S / 0.1)

    def tick(self) -> float | None:
        try:
            with bpy.context.temp_override(window=window()):
                return self.turn()
        except Exception:  # noqa: BLE001 - whatever it is, this Blender must not stay open
            traceback.print_exc()
            return self.end(1)

    def turn(self) -> float | None:
        if self.waits is not None:
            self.left -= 1
            if not self.waits():
                if self.left <= 0:
                    raise TimeoutError(f"never: {self.waits.__name__}")
                return 0.1
            self.waits = None
        step = next(self.steps, None)
        if step is None:
            return self.end(0)
        if callable(step):
            self.waits, self.left = step, int(WAIT_S / 0.1)
            return 0.0
        return step

    def end(self, code: int) -> None:
        current = session.current()
        if current.standing.is_ready:
            current.client.stop_daemon()
        kineograph_blender.unregister()
        sys.stdout.flush()
        os._exit(code)


def main() -> None:
    """The daemon's Python is told as the installer tells it."""
    python = os.environ.get("KINEOGRAPH_DAEMON_PYTHON") or str(ROOT / ".venv" / "bin" / "python")
    config = Path(HOME) / "config"
    config.mkdir(parents=True)
    (config / "install.json").write_text(json.dumps({"python": python}))
    Path(OUT).mkdir(parents=True, exist_ok=True)
    kineograph_blender.register()
    bpy.app.timers.register(Turner().tick, first_interval=1.5)


main()
