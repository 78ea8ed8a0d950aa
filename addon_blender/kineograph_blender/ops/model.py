# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing the model and setting its options."""

from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty

from kineograph.errors import ErrorCode, error

from .. import props, session
from ..session import Dial
from .base import FINISHED, Outcome, told

_KINDS = {"number": "NUMBER", "integer": "INTEGER", "boolean": "BOOLEAN", "enum": "ENUM", "string": "STRING"}
_OWN_CHOICE = "-"
_items: list[tuple[str, str, str]] = []
"""Blender does not keep the strings of a dynamic list alive."""


def _models(self: Any, context: Any) -> list[tuple[str, str, str]]:
    _items[:] = [(_OWN_CHOICE, "The daemon's own choice", "Whatever model the daemon takes by itself")]
    _items.extend((m.id, m.label, str(m.extras.get("about") or m.id)) for m in session.current().models.every)
    return _items


class KINEOGRAPH_OT_choose_model(bpy.types.Operator):
    """Choose the model that moves the character"""

    bl_idname = "kineograph.choose_model"
    bl_label = "Choose the Model"
    bl_options = {"REGISTER", "UNDO"}
    bl_property = "listed"

    model: StringProperty(name="Model", description="The model's id; empty takes the daemon's own choice")
    listed: EnumProperty(items=_models, name="Model", description="The models of this daemon", options={"SKIP_SAVE"})

    def invoke(self, context: Any, event: Any) -> Outcome:
        """A list to search in."""
        context.window_manager.invoke_search_popup(self)
        return FINISHED

    def execute(self, context: Any) -> Outcome:
        """Remember it with the scene."""
        listed = self.properties.is_property_set("listed")
        model = self.listed if listed else self.model
        props.of_scene(context.scene).model = "" if model == _OWN_CHOICE else model
        return FINISHED


class KINEOGRAPH_OT_set_option(bpy.types.Operator):
    """Set this option for the scene"""

    bl_idname = "kineograph.set_option"
    bl_label = "Set the Option"
    bl_options = {"REGISTER", "UNDO"}

    option: StringProperty(name="Option", description="The option's name")
    value: StringProperty(name="Value", description="The value; empty takes the model's default")

    @classmethod
    def description(cls, context: Any, properties: Any) -> str:
        """What the option does, as the model says."""
        return about(context, properties.option) or "Set this option for the scene"

    def execute(self, context: Any) -> Outcome:
        """Remember it with the scene."""
        return told(self, lambda: set_option(context.scene, self.option, self.value or None), context)


class KINEOGRAPH_OT_reset_option(bpy.types.Operator):
    """Leave this option to the model again"""

    bl_idname = "kineograph.reset_option"
    bl_label = "Reset the Option"
    bl_options = {"REGISTER", "UNDO"}

    option: StringProperty(name="Option", description="The option's name")

    @classmethod
    def description(cls, context: Any, properties: Any) -> str:
        """What the option does, as the model says."""
        return " ".join(filter(None, (about(context, properties.option), "Press to leave it to the model again")))

    def execute(self, context: Any) -> Outcome:
        """Forget it."""
        reset_option(context.scene, self.option)
        return FINISHED


def about(context: Any, option: str) -> str:
    """What an option of the scene's model does, in its own words; empty where it says nothing."""
    model = session.current().models.get(str(context.scene.kineograph.model))
    return next((d.about for d in model.dials if d.name == option), "") if model is not None else ""


def set_option(scene: Any, name: str, value: Any = None) -> None:
    """Set a model's option in a scene; None takes its default. Raises ``invalid_options`` for a value of no use."""
    settings = props.of_scene(scene)
    model = session.current().models.get(settings.model)
    dial = next((d for d in model.dials if d.name == name), None) if model is not None else None
    value = value if value is not None else (dial.default if dial is not None else 0.0)
    item = next((i for i in settings.options if i.name == name), None)
    if item is None:
        item = settings.options.add()
        item.name = name
    item.kind = _KINDS.get(dial.kind, "STRING") if dial is not None else _kind_of(value)
    try:
        _put(item, value, dial)
    except (TypeError, ValueError):
        reset_option(scene, name)
        details = {"where": {"path": ["options", "model_options", name]}, "got": value}
        raise error(ErrorCode.INVALID_OPTIONS, f"{name} cannot be {value!r}", details) from None


def reset_option(scene: Any, name: str) -> None:
    """Leave an option to the model."""
    settings = props.of_scene(scene)
    at = next((n for n, item in enumerate(settings.options) if item.name == name), None)
    if at is not None:
        settings.options.remove(at)


def _put(item: Any, value: Any, dial: Dial | None) -> None:
    if item.kind == "NUMBER":
        item.number = _within(float(value), dial)
    elif item.kind == "INTEGER":
        item.whole = round(_within(float(value), dial))
    elif item.kind == "BOOLEAN":
        item.flag = value if isinstance(value, bool) else str(value).lower() in ("true", "1", "yes", "on")
    else:
        item.text = str(value)
        if dial is not None and dial.values and item.text not in dial.values:
            raise ValueError(value)


def _within(value: float, dial: Dial | None) -> float:
    if dial is not None and dial.least is not None:
        value = max(value, dial.least)
    if dial is not None and dial.most is not None:
        value = min(value, dial.most)
    return value


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        return "INTEGER"
    return "NUMBER" if isinstance(value, float) else "STRING"


CLASSES = (KINEOGRAPH_OT_choose_model, KINEOGRAPH_OT_set_option, KINEOGRAPH_OT_reset_option)
