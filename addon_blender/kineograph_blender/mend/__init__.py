# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying fixes out: the catalogue says what a button does, here it is done in the scene, the settings, the daemon.

``carry_out`` is the one way in. What an action needs from the user (a bone, another armature) comes as ``value``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kineograph.errors import ErrorCode, error
from kineograph.fixes import Fix, NotApplicable, Target, apply

from .. import applying, session
from ..session import Trouble
from . import advised, elsewhere, requests, scene
from .work import CannotMend, Work

Action = Callable[[Work], str]

ACTIONS: Mapping[tuple[str, str], Action] = {
    **{(Target.SCENE.value, name): action for name, action in scene.ACTIONS.items()},
    **{(Target.SETTINGS.value, name): action for name, action in elsewhere.SETTINGS.items()},
    **{(Target.LINK.value, name): action for name, action in elsewhere.LINK.items()},
    **{(Target.DAEMON.value, name): action for name, action in elsewhere.DAEMON.items()},
    **{(Target.REPORT.value, name): action for name, action in elsewhere.REPORT.items()},
}
"""What this add-on can do of the catalogue's closed lists; the rest is for the watcher and the desktop panel."""

ASKS: Mapping[str, str] = {
    "choose_joint": "bone",
    "choose_root": "bone",
    "apply_to": "armature",
    "edit_prompt": "text",
}
"""Actions that need something of the user, and what."""


CHANGE_WHAT_IS_READ = frozenset(
    {"rename_bones", "choose_joint", "choose_root", "use_deform_bones", "apply_scale", "show_pose_position"}
)
"""Actions after which the request that failed says no longer what the scene says."""


@dataclass(frozen=True)
class Mended:
    """``said``: what was done. ``can_go_on``: what failed may be tried again now."""

    said: str
    can_go_on: bool = True


def is_offered(fix: Fix, trouble: Trouble | None = None) -> bool:
    """Whether this add-on can carry a fix out, and whether that would change anything."""
    if trouble is not None and trouble.note is not None:
        return advised.is_offered(fix)
    if trouble is not None and fix.patch["action"] == "use_deform_bones":
        armature = applying.find_character(trouble.owner, trouble.character)
        return armature is None or armature.kineograph.bones in ("all", "controls")
    return fix.patch["target"] == Target.REQUEST or _key(fix) in ACTIONS


def asks_for(fix: Fix) -> str:
    """What a fix needs from the user before it can be carried out: bone, armature, text, or nothing."""
    return ASKS.get(fix.patch["action"], "") if fix.patch["target"] == Target.SCENE else ""


def carry_out(context: Any, trouble: Trouble, fix: Fix, value: str = "") -> Mended:
    """Do what a fix says. Raises ``CannotMend`` with a sentence that says why it cannot be done, or a
    ``KineographError`` of what it set going; the scene is as it was then."""
    work = Work(context, trouble, dict(fix.patch["args"]), value)
    if trouble.note is not None:
        return Mended(advised.carry_out(context, work.character(), trouble.note, fix))
    if fix.patch["target"] == Target.REQUEST:
        return _mend_request(work, fix)
    try:
        said = ACTIONS[_key(fix)](work)
    except RuntimeError as e:  # one of Blender's own operators refused
        why = str(e).removeprefix("Error: ").partition("\n")[0].strip()
        raise CannotMend(f"Blender cannot do that: {why}") from e
    trouble.reread = trouble.reread or fix.patch["action"] in CHANGE_WHAT_IS_READ
    session.current().troubles.changed(trouble)
    return Mended(said, work.can_go_on)


def _mend_request(work: Work, fix: Fix) -> Mended:
    """In the request that failed, and in the scene and settings that it came from, so that the next one is right."""
    action = fix.patch["action"]
    in_scene = requests.IN_SCENE.get(action)
    said = in_scene(work) if in_scene is not None else ""
    trouble = work.trouble
    if trouble.request is not None and not trouble.take:
        try:
            done = apply(fix, trouble.changed or trouble.request)
        except NotApplicable as e:
            raise error(ErrorCode.INVALID_REQUEST, f"this cannot be mended so: {e}", {"got": action}) from e
        trouble.drop_refs(action, work.args)
        trouble.changed, trouble.fields = done.request, {**trouble.fields, **done.fields}
        said = said or done.said
    elif in_scene is None:
        raise error(ErrorCode.INVALID_REQUEST, "there is no request that could be changed", {"got": action})
    return Mended(said)


def _key(fix: Fix) -> tuple[str, str]:
    return str(fix.patch["target"]), str(fix.patch["action"])
