# SPDX-License-Identifier: GPL-3.0-or-later
"""Kineograph from a script, with or without an interface.

    import bpy
    from . import api

    handle = api.generate(bpy.data.objects["Hero"], prompt="walks to the door", start=1, end=150)
    take = handle.wait()
    take.apply()

``generate`` returns at once; ``wait`` raises what went wrong as a ``KineographError``, whose code decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bpy

from kineograph.errors import ErrorCode, error
from kineograph.fixes import Problem
from kineograph.wire.messages import JobStatus

from . import session as sessions
from .bridge.bones import Which
from .bridge.keys import KeyMode
from .bridge.marks import Heading, Timing, mark_path, mark_pin, mark_waypoint, unmark
from .bridge.request import Block, Direction, Remark, scene_span
from .session import Job, Session, problem_of
from .takes import Take

__all__ = [
    "Block",
    "Handle",
    "Heading",
    "KeyMode",
    "Take",
    "Timing",
    "Which",
    "configure",
    "generate",
    "mark_path",
    "mark_pin",
    "mark_waypoint",
    "problem_of",
    "regenerate",
    "unmark",
]


@dataclass(frozen=True, eq=False)
class Handle:
    """A generation under way."""

    job: Job
    session: Session

    @property
    def status(self) -> JobStatus | None:
        """What the daemon said last; None before it has answered."""
        return self.job.status

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What of the scene was not sent, or changed on the way, and why."""
        return self.job.outgoing.remarks

    @property
    def is_done(self) -> bool:
        """Whether the job has ended, well or not."""
        return self.job.is_done

    def wait(self, timeout_s: float | None = None) -> Take:
        """The take. Raises what the job failed with, or ``timeout`` (the job goes on)."""
        if not self.session.wait(self.job, timeout_s):
            details = {"job": self.job.id, "got": timeout_s}
            raise error(ErrorCode.TIMEOUT, f"no result after {timeout_s:g} s; the job goes on", details)
        if self.job.error is not None:
            raise self.job.error
        assert self.job.take is not None
        return self.job.take

    @property
    def problem(self) -> Problem | None:
        """What went wrong, in words and with fixes; None while nothing has."""
        return None if self.job.error is None else problem_of(self.job.error, self.job)

    def cancel(self) -> None:
        """Stop this job, and no other. ``wait`` then raises ``request_cancelled``."""
        self.session.cancel(self.job)


def configure(address: str | None = None, *, start_daemon: bool = False) -> None:
    """Which daemon to use: None finds this user's own, and ``start_daemon`` starts it when there is none."""
    sessions.detach()
    session = sessions.current()
    session.address, session.start_daemon = address, start_daemon


def generate(
    armature: Any,
    *,
    prompt: str = "",
    blocks: Sequence[Block] = (),
    start: int | None = None,
    end: int | None = None,
    model: str | None = None,
    samples: int = 1,
    seed: int | None = None,
    options: Mapping[str, Any] | None = None,
    keys: KeyMode | str = KeyMode.BONES,
    bones: Which | str = Which.AUTO,
    root: str | None = None,
    use_paths: bool = True,
    use_pins: bool = True,
    use_waypoints: bool = True,
    lead_in: int = 0,
    lead_out: int = 0,
    start_pose: bool = False,
    end_pose: int | None = None,
    end_place: bool = False,
    label: str = "",
    apply: bool | Mapping[str, Any] = False,
    scene: Any = None,
) -> Handle:
    """Send a character's keys, paths, waypoints and pins; returns at once.

    ``start`` and ``end`` are scene frames, both included (default: the preview range or the scene's). ``lead_in`` and
    ``lead_out``: so many frames beside them go along as they are shown, to run out of and into. ``start_pose``: begin
    in the pose shown now; ``end_pose``: end in that of a scene frame, with ``end_place`` where it stands then.
    ``model`` defaults to the daemon's own. ``apply`` bakes the result when it comes; a mapping gives the keywords of
    ``Take.apply``. Raises what the scene does not allow: ``invalid_skeleton``, ``apply_blocked``, ``unknown_joint``,
    ``frame_out_of_range``, ``schema_validation``.
    """
    where = scene or bpy.context.scene
    first, last = scene_span(where)
    first, last = first if start is None else start, last if end is None else end
    session = sessions.current()
    direction = Direction(
        model=model or "",
        start=first,
        end=last,
        blocks=tuple(blocks) or ((Block(first, last, prompt),) if prompt else ()),
        keys=KeyMode(keys),
        bones=Which(bones),
        root=root,
        use_paths=use_paths,
        use_pins=use_pins,
        use_waypoints=use_waypoints,
        lead_in=lead_in,
        lead_out=lead_out,
        start_pose=start_pose,
        end_pose=end_pose,
        end_place=end_place,
        options=_options(options, samples, seed),
    )
    how = dict(apply) if isinstance(apply, Mapping) else {} if apply else None
    return Handle(session.generate(armature, where, direction, label, how), session)


def regenerate(armature: Any, first: int, last: int, *, lead: int = 8, **wishes: Any) -> Handle:
    """Make a range of what is shown anew, with ``lead`` frames beside it locked as they are; written over that range
    when it comes. ``wishes``: keywords of ``generate``."""
    wishes = {"apply": {"armature": armature.name, "over": True}, "label": f"frames {first}-{last}", **wishes}
    return generate(armature, start=first, end=last, lead_in=lead, lead_out=lead, **wishes)


def _options(options: Mapping[str, Any] | None, samples: int, seed: int | None) -> dict[str, Any]:
    out = dict(options or {})
    if samples != 1:
        out["num_samples"] = samples
    if seed is not None:
        out["seed"] = seed
    return out
