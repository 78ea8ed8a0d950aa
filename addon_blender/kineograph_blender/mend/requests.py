# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixes of a request, carried over to what it came from: settings, marks, character. Edits not named here change the
request that is sent again and leave the scene alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import props
from ..bridge import identity, marks
from ..ops.model import reset_option, set_option
from . import advised
from .work import Work


def _switch_model(work: Work) -> str:
    model = str(work.args["model"])
    props.of_scene(work.context.scene).model = model
    return f"The scene uses '{model}' now."


def _set_option(work: Work) -> str:
    return _option(work, work.args["path"], work.args["value"])


def _reset_option(work: Work) -> str:
    name = str(work.args["path"][-1])
    settings = props.of_scene(work.context.scene)
    if name == "num_samples":
        settings.samples = 1
    elif name == "seed":
        settings.new_seed = True
    elif name == "keyframe_budget":
        settings.thin = False
    else:
        reset_option(work.context.scene, name)
    return f"'{name}' is the model's own again."


def _fewer_samples(work: Work) -> str:
    return _option(work, ["options", "num_samples"], work.args["samples"])


def _another_seed(work: Work) -> str:
    return _option(work, ["options", "seed"], work.args["seed"])


def _fewer_steps(work: Work) -> str:
    return _option(work, ["options", "model_options", "steps"], work.args["steps"])


def _option(work: Work, path: Any, value: Any) -> str:
    scene, name = work.context.scene, str(path[-1])
    settings = props.of_scene(scene)
    if name == "num_samples":
        settings.samples = int(value)
    elif name == "seed":
        settings.seed, settings.new_seed = int(value), False
    elif "model_options" in path or any(item.name == name for item in settings.options):
        set_option(scene, name, value)
    else:
        return ""
    return f"'{name}' is {value} now."


def _use_joint_here(work: Work) -> str:
    if work.ref.get("kind") != "pin":
        return ""
    pin = work.thing()
    marks.set_joint(pin, str(work.args["to"]))
    return f"Pin '{pin.name}' holds '{work.args['to']}' now."


def called_now(work: Work, bone: str) -> str:
    """The bone that a take knows by another name is this one."""
    armature, old = work.character(), str(work.args["joint"])
    if bone not in armature.data.bones:
        raise work.cannot(f"{armature.name!r} has no bone {bone!r}")
    identity.also(armature, {old: bone})
    return f"The take's '{old}' is '{bone}' now."


def _use_joint_everywhere(work: Work) -> str:
    armature, to = work.character(), str(work.args["to"])
    if work.trouble.take:
        return called_now(work, to)
    pins = [p for p in marks.pins_of(armature, work.context.scene) if marks.joint_of(p) == work.args["joint"]]
    for pin in pins:
        marks.set_joint(pin, to)
    return f"{len(pins)} pins hold '{to}' now." if len(pins) != 1 else f"Pin '{pins[0].name}' holds '{to}' now."


def _drop_constraint(work: Work) -> str:
    if work.ref.get("kind") not in ("pin", "path"):
        return ""
    thing = work.thing()
    marks.unmark(thing)
    return f"'{thing.name}' is no {work.ref['kind']} any more; the object stays."


def _drop_kind(work: Work) -> str:
    settings = props.of_character(work.character())
    kind = str(work.args["type"])
    if kind == "root_path":
        settings.use_paths = False
        return "Paths are left out; they stay in the scene."
    if kind == "effector_target":
        settings.use_pins = False
        return "Pins are left out; they stay in the scene."
    if kind == "pose_keyframe":
        settings.keys = "none"
        return "Keys are left out; they stay in the scene."
    return ""


def _below_root(work: Work) -> str:
    root = str(work.args["root"])
    props.of_character(work.character()).root = root
    return f"Only '{root}' and what hangs below it are sent now."


def _move_frame(work: Work) -> str:
    if work.ref.get("kind") != "pin" or work.trouble.job is None:
        return ""
    pin = work.thing()
    span = marks.frames_of(pin)
    to = int(work.args["to"]) + work.trouble.job.outgoing.first
    if span is None:
        return ""
    if span[0] < to < span[1]:  # some of it lies inside: the rest goes
        marks.set_frames(pin, (span[0], to))
        return f"Pin '{pin.name}' ends at frame {to} now."
    return advised.move_mark(pin, to)


def _extend(work: Work) -> str:
    sent = None if work.trouble.job is None else work.trouble.job.outgoing
    if sent is None:
        return ""
    return advised.last_frame(work.character(), work.context.scene, sent.first + int(work.args["frame"]))


def _shorten(work: Work) -> str:
    sent, frames = None if work.trouble.job is None else work.trouble.job.outgoing, work.args.get("frames")
    if sent is None or frames is None:
        return ""
    return advised.only_until(work.character(), work.context.scene, sent.first + int(frames) - 1)


def _replace_prompt(work: Work) -> str:
    segments = (work.trouble.changed or work.trouble.request or {}).get("segments") or []
    at = int(work.args["index"])
    old = str(segments[at].get("prompt") or "") if at < len(segments) else ""
    return advised.other_prompt(work.character(), old, str(work.args["prompt"])) if old else ""


IN_SCENE: Mapping[str, Callable[[Work], str]] = {
    "switch_model": _switch_model,
    "set_option": _set_option,
    "reset_option": _reset_option,
    "fewer_samples": _fewer_samples,
    "another_seed": _another_seed,
    "fewer_steps": _fewer_steps,
    "rename_joint_here": _use_joint_here,
    "rename_joint_everywhere": _use_joint_everywhere,
    "drop_constraint": _drop_constraint,
    "drop_constraints_of_type": _drop_kind,
    "only_below_root": _below_root,
    "move_frame": _move_frame,
    "extend_to": _extend,
    "shorten": _shorten,
    "half_length": _shorten,
    "replace_prompt": _replace_prompt,
}
