# SPDX-License-Identifier: GPL-3.0-or-later
"""Traps of Blender that belong to the add-on as a whole: undo, properties, reloading, drawing, saved files."""

from __future__ import annotations

import ast
import importlib
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from tests.blender import addon as trial
from tests.blender import fake_layout, package, scenes

import kineograph_blender
from kineograph_blender import preferences, props, registry, session
from kineograph_blender.bridge import guard, stamps
from kineograph_blender.bridge.blocks import Block
from kineograph_blender.direction import props as direction
from kineograph_blender.props import migrate
from kineograph_blender.ui import base, words

ADDON = Path(kineograph_blender.__file__).parent


@pytest.mark.daemon
def test_one_undo_step_takes_a_take_back(addon: Any, daemon: Any) -> None:
    trial.hero()
    bpy.ops.ed.undo_push(message="before")
    row = trial.generated()
    bpy.ops.kineograph.take_apply()
    assert stamps.take_of(bpy.data.objects["Hero"].animation_data.action)
    bpy.ops.ed.undo()
    hero = bpy.data.objects["Hero"]
    assert stamps.take_of(hero.animation_data.action) is None
    assert session.current().shelf.get(row.id) is row, "the take stays"
    bpy.ops.kineograph.take_apply(take=row.id)
    assert stamps.take_of(bpy.data.objects["Hero"].animation_data.action)


@pytest.mark.daemon
def test_timeline_markers_and_the_camera_that_they_switch_stay(addon: Any, daemon: Any) -> None:
    hero = trial.hero()
    hero.pose.bones["Spine"].constraints.new("LIMIT_ROTATION")  # so that its keyed frames are visited
    wide, close = (scenes.add(bpy.data.cameras.new(n), n) for n in ("Wide", "Close"))
    for name, frame, camera in (("shot 1", 1, wide), ("beat", 30, None), ("shot 2", 40, close)):
        addon.timeline_markers.new(name, frame=frame).camera = camera
    addon.frame_set(50)
    addon.camera = wide  # by hand: a look through the other one
    before = [(m.name, m.frame, m.camera, m.select) for m in addon.timeline_markers]
    visits = guard.visits()
    trial.generated()
    assert guard.visits() > visits
    assert addon.camera == wide
    bpy.ops.kineograph.take_apply()
    assert addon.camera == wide
    addon.kineograph.apply.way = "STRIP"
    bpy.ops.kineograph.take_apply()
    assert [(m.name, m.frame, m.camera, m.select) for m in addon.timeline_markers] == before
    assert (addon.frame_current, addon.camera) == (50, wide)


def test_status_bars_are_drawn_in_their_own_windows(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blender writes to the context's window, and ends with a crash where a timer has none."""
    inside: list[Any] = []
    written: list[Any] = []

    @contextmanager
    def override(window: Any) -> Iterator[None]:
        inside.append(window)
        yield
        inside.pop()

    def stand_in(modals: int) -> Any:
        window = SimpleNamespace(modal_operators=range(modals), screen=SimpleNamespace(areas=()))
        window.workspace = SimpleNamespace(status_text_set=lambda text: written.append((text, inside[-1] is window)))
        return window

    windows = [stand_in(0), stand_in(1), stand_in(0)]
    context = SimpleNamespace(window_manager=SimpleNamespace(windows=windows), temp_override=override)
    monkeypatch.setattr(session.pump, "bpy", SimpleNamespace(context=context))
    session.redraw()
    assert written == [(None, True), (None, True)], "each in its own, and none where a modal operator writes"


def test_no_operator_runs_inside_an_override() -> None:
    """Python 3.11: an operator asks the override for its window without Python's lock, and ends Blender with it, where
    another thread holds that lock. Found by a thread that wrote a take while a scale was applied."""
    for path in ADDON.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.With) and any("temp_override" in ast.unparse(item) for item in node.items):
                inside = "".join(ast.unparse(line) for line in node.body)
                assert "bpy.ops" not in inside, f"{path}, line {node.lineno}"


def test_no_module_with_properties_blanks_them(addon: Any) -> None:
    for path in ADDON.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        has_props = any(isinstance(n, ast.AnnAssign) and isinstance(n.annotation, ast.Call) for n in ast.walk(tree))
        if has_props:
            blanked = any(isinstance(n, ast.ImportFrom) and n.module == "__future__" for n in tree.body)
            assert not blanked, path
    for name in ("generate", "take_apply", "fix", "cancel"):
        rna = getattr(bpy.ops.kineograph, name).get_rna_type()
        cls = next(
            c for c in bpy.types.Operator.__subclasses__() if getattr(c, "bl_idname", "") == f"kineograph.{name}"
        )
        assert set(cls.__annotations__) <= set(rna.properties.keys()), name


def without_tooltip(rna: Any, path: str) -> list[str]:
    """Properties below an RNA type, and items of their menus, that say nothing when the mouse rests on them."""
    out: list[str] = []
    for prop in rna.properties:
        at = f"{path}.{prop.identifier}"
        if prop.is_hidden or prop.identifier in ("rna_type", "bl_idname"):
            continue
        out += [] if prop.description else [at]
        if prop.type == "ENUM":
            out += [f"{at}:{item.identifier}" for item in prop.enum_items if not item.description]
        if prop.type in ("COLLECTION", "POINTER") and prop.fixed_type.identifier.startswith("KINEOGRAPH"):
            out += without_tooltip(prop.fixed_type, at)
    return out


def test_every_operator_and_property_has_a_tooltip(addon: Any) -> None:
    operators = {name: getattr(bpy.ops.kineograph, name).get_rna_type() for name in dir(bpy.ops.kineograph)}
    thing = bpy.data.objects.new("Thing", None)
    groups = {g.bl_rna.identifier: g.bl_rna for g in (addon.kineograph, thing.kineograph, thing.kineograph_direction)}
    groups["preferences"] = preferences.KineographPreferences.bl_rna
    for name, rna in operators.items():
        assert rna.description, name
    for name, rna in {**operators, **groups}.items():
        assert without_tooltip(rna, name) == []


@pytest.mark.daemon
def test_an_option_says_what_it_does(addon: Any, daemon: Any) -> None:
    trial.hero()
    bpy.ops.kineograph.connect()
    end_s = time.monotonic() + 20.0
    while not session.current().models.every and time.monotonic() < end_s:
        session.current().poll()
        time.sleep(0.01)
    model = session.current().models.get(trial.MODEL)
    assert model is not None
    dial = model.dials[0]
    for operator in ("set_option", "reset_option"):
        button = next(
            c for c in bpy.types.Operator.__subclasses__() if getattr(c, "bl_idname", "") == f"kineograph.{operator}"
        )
        assert dial.about in button.description(bpy.context, SimpleNamespace(option=dial.name))
        assert button.description(bpy.context, SimpleNamespace(option="nobody's"))
    assert dial.about not in " ".join(trial.shown("options").text.split())
    bpy.ops.kineograph.set_option(option=dial.name)
    assert dial.about in " ".join(trial.shown("options").text.split())


def test_a_part_that_fails_takes_down_what_stood(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ui = importlib.import_module("kineograph_blender.ui")
    monkeypatch.setattr(ui, "attach", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        kineograph_blender.register()
    assert not hasattr(bpy.types.Scene, "kineograph")
    assert not [n for n in dir(bpy.types) if n.startswith("KINEOGRAPH")]
    monkeypatch.undo()
    kineograph_blender.register()
    kineograph_blender.register()
    kineograph_blender.unregister()
    assert not [n for n in dir(bpy.types) if n.startswith("KINEOGRAPH")]


def test_reloading_the_package_drops_what_it_imported(scene: Any) -> None:
    name = kineograph_blender.__name__
    kept = {n: m for n, m in sys.modules.items() if n.startswith(name)}
    try:
        kineograph_blender.register()
        kineograph_blender.unregister()
        importlib.reload(kineograph_blender)
        left = [n for n in sys.modules if n.startswith(f"{name}.")]
        assert left == []
        kineograph_blender.register()
        assert sys.modules[f"{name}.registry"] is not registry
        kineograph_blender.unregister()
    finally:
        for one in [n for n in sys.modules if n.startswith(name)]:
            del sys.modules[one]
        sys.modules.update(kept)
        for one, module in kept.items():
            above, _, last = one.rpartition(".")
            if above:
                setattr(sys.modules[above], last, module)


def test_settings_of_another_version(addon: Any) -> None:
    settings = props.of_scene(addon)
    assert settings.version == migrate.VERSION
    steps = {1: lambda s: setattr(s, "samples", 3), 3: lambda s: setattr(s, "seed", 11)}
    assert len(migrate.migrate(settings, steps, version=4)) == 3
    assert (settings.version, settings.samples, settings.seed) == (4, 3, 11)
    (said,) = migrate.migrate(settings, {}, version=2)
    assert "newer" in said
    assert settings.version == 4
    fresh = bpy.data.scenes.new("Untouched").kineograph
    assert migrate.migrate(fresh, steps, version=4) == []
    assert fresh.version == 0


def test_settings_are_brought_up_when_a_file_is_loaded(addon: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """A file of an older Kineograph: what a version stands for has changed since."""
    props.of_scene(addon).samples = 2
    hero = scenes.simple()
    props.of_character(hero).prompt = "walks"
    direction.write(hero, [Block(1, 40, "walks")])
    path = str(tmp_path / "old.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)

    def step(settings: Any) -> None:
        if hasattr(settings, "samples"):
            settings.samples *= 3
        else:
            settings.prompt += " on"

    monkeypatch.setattr(migrate, "VERSION", 3)
    monkeypatch.setattr(migrate.migrate, "__defaults__", ({1: step}, 3))
    monkeypatch.setattr(direction, "VERSION", 2)
    monkeypatch.setattr(direction, "STEPS", {1: lambda wishes: setattr(wishes.blocks[0], "name", "runs")})
    bpy.ops.wm.open_mainfile(filepath=path)
    settings, hero = bpy.context.scene.kineograph, bpy.data.objects["Hero"]
    assert (settings.version, settings.samples) == (3, 6)
    assert (hero.kineograph.version, hero.kineograph.prompt) == (3, "walks on")
    assert (hero.kineograph_direction.version, hero.kineograph_direction.blocks[0].name) == (2, "runs")


@pytest.mark.daemon
def test_panels_write_nothing_and_ask_nothing(addon: Any, daemon: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    armature = trial.hero()
    trial.generated(samples=2)
    bpy.ops.kineograph.take_apply()
    own = scenes.dump(armature.animation_data.action)
    before = (sorted(armature.keys()), sorted(addon.keys()), len(bpy.data.actions), own)
    current = session.current()
    monkeypatch.setattr(type(current), "client", property(lambda self: pytest.fail("a panel asked the daemon")))
    for _ in range(3):
        for name in base.ORDER:
            fake_layout.draw(name)
    monkeypatch.undo()
    own = scenes.dump(armature.animation_data.action)
    assert (sorted(armature.keys()), sorted(addon.keys()), len(bpy.data.actions), own) == before


@pytest.mark.daemon
def test_a_file_saved_in_any_state_of_a_job_reopens_with_nothing_stuck(addon: Any, daemon: Any, tmp_path: Path) -> None:
    trial.hero()
    addon.frame_end = 2000
    addon.kineograph.span = "SCENE"
    bpy.ops.kineograph.generate()
    paths = []
    for state in ("sent", "running", "stopping"):
        paths.append(str(tmp_path / f"{state}.blend"))
        bpy.ops.wm.save_as_mainfile(filepath=paths[-1])
        session.current().poll()
        if state == "running":
            bpy.ops.kineograph.cancel()
    session.current().wait(session.current().jobs[-1], 60)
    session.detach()
    for path in paths:
        bpy.ops.wm.open_mainfile(filepath=path)
        text = trial.shown("generate").text
        assert "Cancel" not in text
        assert not session.current().is_busy
        assert bpy.ops.kineograph.generate.poll()


@pytest.mark.daemon
def test_several_jobs_are_told_in_the_panel_and_the_status_bar(addon: Any, daemon: Any) -> None:
    one, two = trial.hero("One"), trial.hero("Two")
    addon.frame_end = 3000
    addon.kineograph.span, addon.kineograph.samples = "SCENE", 8
    for armature in (one, two):
        scenes.activate(armature)
        bpy.ops.kineograph.generate()
    text = trial.shown("generate").text
    assert text.count("[Cancel]") == 2
    assert "take, One" in text
    assert "take, Two" in text
    line = words.status_bar(session.current().jobs)
    assert line.startswith("Kineograph: take for One, ")
    assert line.endswith(" and 1 more")
    bpy.ops.kineograph.cancel(job=session.current().jobs[1].id)
    bpy.ops.kineograph.cancel()
    for job in session.current().jobs:
        session.current().wait(job, 60)
    assert words.status_bar(session.current().jobs) == ""


@pytest.mark.daemon
def test_the_connection_and_the_model_are_told_in_words(addon: Any, daemon: Any) -> None:
    trial.hero()
    assert addon.kineograph.model == trial.MODEL
    assert "known once Kineograph is connected" in " ".join(trial.shown("model").text.split())
    bpy.ops.kineograph.connect()
    end_s = time.monotonic() + 20.0
    while not session.current().models.every and time.monotonic() < end_s:
        session.current().poll()
        time.sleep(0.01)
    assert "Ready" in trial.shown("connection").text
    text = trial.shown("model").text
    assert "Interpolation" in text
    assert "Text: ignored" in text
    bpy.context.scene.kineograph.model = "kineograph-starter"
    assert "Text: a few words" in trial.shown("model").text
    assert "such as a person walks" in " ".join(trial.shown("abilities").text.split())
    bpy.context.scene.kineograph.model = trial.MODEL
    assert "Follows: keys, paths, pins, ground" in " ".join(trial.shown("abilities").text.split())
    assert "Easing: smooth" in trial.shown("options").text
    bpy.ops.kineograph.disconnect()
    assert "Not connected" in trial.shown("connection").text


@pytest.mark.daemon
def test_a_random_walk_leaves_the_users_keys_alone(addon: Any, daemon: Any, tmp_path: Path) -> None:
    """Generate, apply, reject, edit, rename, save, reload, undo: the user's own action stays bit for bit."""
    dice = random.Random(11)
    trial.hero()
    source = bpy.data.objects["Hero"].animation_data.action.name
    before = scenes.dump(bpy.data.actions[source])
    path = str(tmp_path / "walk.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)

    def edit() -> None:
        hero = bpy.data.objects["Hero"]
        if stamps.take_of(hero.animation_data.action):
            scenes.key(hero, "Head", *scenes.about_x(hero, "Head", dice.randint(1, 60), dice.uniform(-0.5, 0.5)))

    def reload() -> None:
        bpy.ops.wm.save_as_mainfile(filepath=path)
        bpy.ops.wm.open_mainfile(filepath=path)
        scenes.activate(bpy.data.objects["Hero"])

    def undo() -> None:
        if bpy.ops.ed.undo.poll():
            bpy.ops.ed.undo()

    steps = [
        lambda: trial.generated(),
        lambda: bpy.ops.kineograph.take_apply(),
        lambda: bpy.ops.kineograph.take_apply(again=True),
        lambda: bpy.ops.kineograph.take_reject(),
        lambda: bpy.ops.kineograph.take_restore(),
        lambda: bpy.ops.kineograph.take_sample(),
        lambda: bpy.ops.ed.undo_push(message="step"),
        edit,
        reload,
        undo,
    ]
    for _ in range(60):
        dice.choice(steps)()
        hero = bpy.data.objects["Hero"]
        own, _ = stamps.own_action(hero)
        assert own is not None
        assert scenes.dump(own) == before
        if stamps.take_of(hero.animation_data.action):
            first, last = hero.animation_data.action.frame_range
            assert (first, last) == (1.0, 60.0)


@pytest.mark.daemon
def test_the_documents_example_runs(addon: Any, daemon: Any) -> None:
    text = (package.ROOT / "docs" / "blender.md").read_text("utf-8")
    code = text.split("## From a script")[1].split("```python")[1].split("```")[0]
    hero = trial.hero()
    hero.data.bones["RightHand"].name = "hand.R"
    scenes.curve_path([(0, 0, 0), (0, -0.5, 0), (0, -1, 0)])
    scenes.empty((-0.6, -0.5, 1.3))
    names: dict[str, Any] = {}
    exec(compile(code, "docs/blender.md", "exec"), names)  # noqa: S102  # our own document
    assert names["report"].action == hero.animation_data.action.name
    assert stamps.take_of(hero.animation_data.action)
    assert [c["type"] for c in names["take"].asked].count("effector_target") == 1
