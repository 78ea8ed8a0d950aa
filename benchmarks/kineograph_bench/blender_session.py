# SPDX-License-Identifier: Apache-2.0
"""One user's session with the add-on, over and over: connect, generate, the job, its result, apply, verdicts, keys on
the take, generate again, a preview, a range made anew, reject, undo. Each turn of the pump is kept.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import bpy

from kineograph_bench.blender_turns import Trace, Turn

MODEL = "kineograph-interpolate"
EMPTY = "Blender: the undo step of a user's operator that changes nothing"
SAME = "Blender: the undo step of a user's operator that changes as much as a take"
_DENSE = "Dense"


class KGBENCH_OT_empty(bpy.types.Operator):  # type: ignore[misc]
    """What any operator of a user's pays for its undo step."""

    bl_idname = "kgbench.empty"
    bl_label = "Nothing"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - as Blender wants it

    def execute(self, context: Any) -> set[str]:
        """Nothing."""
        return {"FINISHED"}


class Session:
    """Scripted; ``armature`` is found by its name after each undo."""

    def __init__(self, armature: Any, current: Any, trace: Trace) -> None:
        self._name, self._current, self._trace = str(armature.name), current, trace

    def rounds(self, count: int) -> None:
        """So many, the first to warm up, and the connection before it."""
        bpy.utils.register_class(KGBENCH_OT_empty)
        try:
            self._connect()
            connected = list(self._trace.turns)
            for n in range(count + 1):
                self._round()
                if n == 0:
                    self._trace.forget()
            self._trace.turns += connected
        finally:
            bpy.utils.unregister_class(KGBENCH_OT_empty)

    def readings(self, count: int) -> None:
        """So many requests of the same character, the first to warm up."""
        self._connect()
        for n in range(count + 1):
            self._generate("Generate")
            if n == 0:
                self._trace.forget()

    @property
    def _armature(self) -> Any:
        return bpy.data.objects[self._name]

    def _connect(self) -> None:
        settings = bpy.context.scene.kineograph
        settings.span, settings.model = "SCENE", MODEL
        self._trace.click("Connect", self._current.connect)
        self._until(lambda: len(self._current.models.every) > 0)

    def _round(self) -> None:
        from kineograph_blender import compat
        from kineograph_blender.bridge import stamps

        take = self._generate("Generate")
        # Before and after: whoever comes second finds memory that is ready.
        self._undo_steps()
        self._apply(take)
        self._undo_steps()
        self._keep_dense()
        bone = self._armature.pose.bones[30]
        bone.rotation_quaternion = (0.9, 0.4358899, 0.0, 0.0)
        bone.keyframe_insert("rotation_quaternion", frame=77)
        bpy.context.view_layer.update()
        self._generate("Generate, with keys set on the take")
        self._preview()
        self._generate("Regenerate a Range", start=100, end=160, lead_in=8, lead_out=8)
        self._again()
        self._trace.click("Reject", lambda: bpy.ops.kineograph.take_reject("EXEC_DEFAULT", take=take.id))
        self._trace.click("Blender: undo", bpy.ops.ed.undo)
        self._until(lambda: not self._current.is_busy)
        self._trace.click("Blender: redo", bpy.ops.ed.redo)
        self._until(lambda: not self._current.is_busy)
        armature = self._armature
        source, _ = stamps.own_action(armature)
        compat.bind(armature.animation_data, source, source.slots[0] if compat.HAS_SLOTS else None)
        for made in [a for a in bpy.data.actions if stamps.take_of(a)]:
            bpy.data.actions.remove(made)
        bpy.context.view_layer.update()

    def _generate(self, what: str, **more: Any) -> Any:
        from kineograph_blender import plan

        current, before = self._current, len(self._current.jobs)
        armature, scene = self._armature, bpy.context.scene
        (direction,) = plan.directions_of(armature, scene, MODEL)
        asked = replace(direction, **more)
        self._trace.click(what, lambda: current.generate_soon(armature, scene, asked))
        self._until(lambda: len(current.jobs) > before and current.jobs[-1].is_done)
        if current.jobs[-1].error is not None:
            raise current.jobs[-1].error
        self._until(lambda: not current.is_busy)
        return current.jobs[-1].take

    def _again(self) -> None:
        current, job = self._current, self._current.jobs[-1]
        self._trace.click("Send Again", lambda: current.send_again(job, dict(job.outgoing.request)))
        self._until(lambda: current.jobs[-1].is_done)

    def _preview(self) -> None:
        from kineograph_blender import plan
        from kineograph_blender.draw import show

        armature, scene = self._armature, bpy.context.scene
        seen: list[Any] = []
        (direction,) = plan.directions_of(armature, scene, MODEL)
        facts = self._current.models.get(MODEL).facts

        def then(part: Any) -> Iterator[None]:
            stray = functools.partial(plan.stray, armature, scene)
            seen.append((yield from show.previewing(self._name, [part], facts, stray)))

        self._trace.click("Preview", lambda: self._current.read_soon(armature, scene, direction, then))
        self._until(lambda: bool(seen))

    def _apply(self, take: Any) -> None:
        heard: list[Any] = []
        self._trace.click("Apply", lambda: self._current.apply(take, heard.append))
        self._until(lambda: bool(heard))
        if heard[0] is not None:
            raise heard[0]

    def _undo_steps(self) -> None:
        """What a user's own operators pay for their undo steps in this file, with as much changed and with nothing."""
        dense = bpy.data.actions.get(_DENSE)
        if dense is None:
            return
        copy = dense.copy()
        bpy.context.view_layer.update()
        self._trace.own.append(Turn(SAME, *self._trace.spent(lambda: bpy.ops.ed.undo_push(message="as much"))))
        bpy.data.actions.remove(copy)
        bpy.ops.ed.undo_push(message="that goes")
        empty = self._trace.spent(lambda: bpy.ops.kgbench.empty("EXEC_DEFAULT", True))
        self._trace.own.append(Turn(EMPTY, *empty))

    def _keep_dense(self) -> None:
        """An action like a take's stays in the file, for a user's operator to copy."""
        if bpy.data.actions.get(_DENSE) is None:
            made = self._armature.animation_data.action.copy()
            for key in [k for k in made.keys() if k.startswith("kineograph_")]:  # noqa: SIM118 - an ID
                del made[key]
            made.name, made.use_fake_user = _DENSE, True
            bpy.ops.ed.undo_push(message="kept")

    def _until(self, is_so: Callable[[], bool]) -> None:
        from kineograph_blender import session

        end_s = time.monotonic() + 120.0
        while not is_so():
            if time.monotonic() > end_s:
                raise TimeoutError("the session does not go on")
            self._trace.turn(session.tick)
            time.sleep(0.002)
