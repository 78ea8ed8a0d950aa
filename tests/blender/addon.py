# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on switched on, a character, and a short way from the button to the take."""

from __future__ import annotations

from typing import Any

import bpy
from tests.blender import fake_layout, scenes

from kineograph_blender import session
from kineograph_blender.session import Job, Row

MODEL = "kineograph-interpolate"


def hero(name: str = "Hero", frames: tuple[int, ...] = (1, 30, 60)) -> Any:
    """A rig with keys of its user's, and a scene of sixty frames."""
    armature = scenes.simple(name)
    scenes.key_poses(armature, ["Hips", "LeftArm"], "Hips", frames=frames, travel=0.3)
    settings = bpy.context.scene.kineograph
    settings.model = MODEL
    settings.span, settings.start, settings.end = "OWN", frames[0], frames[-1]
    return armature


def shown(name: str) -> fake_layout.Drawn:
    """A panel that must be there."""
    drawn = fake_layout.draw(name)
    assert drawn is not None, f"{name} is not shown"
    return drawn


def settled(wait_s: float = 60.0) -> Job:
    """The newest job, once it has ended."""
    job = session.current().jobs[-1]
    assert session.current().wait(job, wait_s)
    return job


def generated(**settings: Any) -> Row:
    """Press Generate and wait for the take."""
    for name, value in settings.items():
        setattr(bpy.context.scene.kineograph, name, value)
    assert bpy.ops.kineograph.generate() == {"FINISHED"}
    job = settled()
    assert job.error is None, job.error
    assert job.row is not None
    return job.row


def problem() -> str:
    """The Problems panel as one line."""
    return " ".join(shown("problems").text.split())


def mend(text: str, value: str = "") -> None:
    """Press a fix by what its button reads."""
    button = shown("problems").button(text)
    if value:
        button.values.value = value
    assert button.press() == {"FINISHED"}, (text, problem())
