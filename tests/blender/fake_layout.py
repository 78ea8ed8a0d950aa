# SPDX-License-Identifier: GPL-3.0-or-later
"""Panels drawn without a window: every call is checked against Blender's own RNA and written down as a line of text."""

from __future__ import annotations

from typing import Any

import bpy

_BOXES = {"row", "column", "box", "split", "column_flow", "grid_flow"}
_PYTHON_ONLY = {"panel", "panel_prop"}


class Layout:
    """Stands for a ``UILayout``. ``lines`` is what a user would read, ``buttons`` the operators with their values."""

    def __init__(self, like: Layout | None = None) -> None:
        put = self.__dict__
        put["lines"] = like.lines if like else []
        put["buttons"] = like.buttons if like else []
        put["depth"] = like.depth + 1 if like else 0
        put["set"] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in bpy.types.UILayout.bl_rna.properties, f"a layout has no {name!r}"
        self.set[name] = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        functions = bpy.types.UILayout.bl_rna.functions
        if name not in functions and name not in _PYTHON_ONLY and not hasattr(bpy.types.UILayout, name):
            raise AttributeError(f"a layout has no {name!r} in Blender {bpy.app.version_string}")

        def call(*args: Any, **kwargs: Any) -> Any:
            self._check(name, kwargs)
            return self._perform(name, args, kwargs)

        return call

    def _check(self, name: str, kwargs: dict[str, Any]) -> None:
        function = bpy.types.UILayout.bl_rna.functions.get(name)
        if function is not None:
            known = {p.identifier for p in function.parameters}
            assert set(kwargs) <= known, f"{name} takes no {set(kwargs) - known}"
        if "icon" in kwargs:
            icons = bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items
            assert kwargs["icon"] in icons, f"there is no icon {kwargs['icon']!r}"

    def _perform(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if name in _BOXES:
            return Layout(self)
        if name in _PYTHON_ONLY:
            return Layout(self), Layout(self)
        if name == "label":
            self._say(kwargs.get("text", ""))
        elif name in ("prop", "prop_search"):
            self._prop(args, kwargs)
        elif name == "operator":
            return self._operator(args[0], kwargs)
        elif name == "progress":
            self._say(f"{kwargs.get('text', '')} [{kwargs.get('factor', 0.0):.0%}]")
        return None

    def _prop(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        owner, name = args[0], args[1]
        assert name in owner.bl_rna.properties, f"{owner!r} has no property {name!r}"
        found = owner.bl_rna.properties[name]
        assert found.description, f"{name!r} has no tooltip"
        title = kwargs.get("text", found.name)
        value = getattr(owner, name)
        self._say(f"{title}: {getattr(value, 'name', value)}" if title else f"<{getattr(value, 'name', value)}>")

    def _operator(self, name: str, kwargs: dict[str, Any]) -> Any:
        module, verb = name.split(".")
        rna = getattr(getattr(bpy.ops, module), verb).get_rna_type()
        assert rna.description, f"{name} has no tooltip"
        text = kwargs.get("text", rna.name)
        button = Button(name, text, rna, enabled=self.set.get("enabled", True))
        self.buttons.append(button)
        self._say(f"[{text or kwargs.get('icon', '?')}]" + ("" if button.enabled else " (off)"))
        return button.values

    def _say(self, text: str) -> None:
        self.lines.append("  " * self.depth + text)


class Button:
    """One operator in a panel: ``press`` does what a click does."""

    def __init__(self, name: str, text: str, rna: Any, enabled: bool) -> None:
        self.name, self.text, self.enabled = name, text, enabled
        self.values = _Values(rna)

    def press(self, context: str = "EXEC_DEFAULT") -> set[str]:
        """Run the operator with the values that the panel gave it."""
        module, verb = self.name.split(".")
        done: set[str] = getattr(getattr(bpy.ops, module), verb)(context, **self.values.given)
        return done


class _Values:
    def __init__(self, rna: Any) -> None:
        self.__dict__.update(rna=rna, given={})

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in self.rna.properties, f"{self.rna.identifier} has no {name!r}"
        self.given[name] = value


class Drawn:
    """What a panel shows: ``text`` and ``buttons``."""

    def __init__(self, layout: Layout) -> None:
        self.lines: list[str] = layout.lines
        self.buttons: list[Button] = layout.buttons

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self.lines)

    def button(self, text: str) -> Button:
        """The first button that reads so, or whose operator is named so."""
        for button in self.buttons:
            if text in (button.text, button.name):
                return button
        raise AssertionError(f"no button {text!r} in:\n{self.text}")


def draw(name: str) -> Drawn | None:
    """A panel by its id's end, header and body; None where its poll says no."""
    panel = getattr(bpy.types, f"KINEOGRAPH_PT_{name}")
    if hasattr(panel, "poll") and not panel.poll(bpy.context):
        return None
    layout = Layout()
    stand_in = _StandIn(panel, layout)
    for part in ("draw_header", "draw_header_preset", "draw"):
        if part in panel.__dict__:
            panel.__dict__[part](stand_in, bpy.context)
    return Drawn(layout)


class _StandIn:
    """A panel instance: Blender makes real ones only while it draws."""

    def __init__(self, panel: Any, layout: Layout) -> None:
        self.layout = layout
        self._panel = panel

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._panel, name)
        return found.__get__(self) if callable(found) else found
