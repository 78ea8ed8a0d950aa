# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes: results that came home, kept as arrays until somebody applies or forgets them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict, Unpack

from kineograph.client.result import Result
from kineograph.motion.clip import Clip

from .bridge import thinned
from .bridge.bake import Bake
from .bridge.bake_options import BakeOptions, BakeReport
from .bridge.request import Outgoing, Remark
from .bridge.rig import Rig
from .bridge.strips import Part
from .bridge.written import UserKey


class How(TypedDict, total=False):
    """How a take is written; see ``BakeOptions``."""

    mute_constraints: bool
    ignore_locks: bool
    bones: frozenset[str] | None
    in_place: bool
    blend_in: int
    blend_out: int
    over: bool
    strips: tuple[Part, ...] | None


def _thinning(result: Result, tolerance_m: float | None, lead_in: int) -> thinned.Wanted | None:
    """Which frames the daemon found worth a key, counted from the first frame that was asked for."""
    found = result.body.get("keyframes")
    if not isinstance(found, Mapping) or tolerance_m is None:
        return None
    names = result.joint_names
    frames = {
        names[int(joint)]: {what: tuple(int(f) - lead_in for f in at) for what, at in channels.items()}
        for joint, channels in found.items()
        if str(joint).isdecimal() and int(joint) < len(names)
    }
    return thinned.Wanted(tolerance_m, frames)


@dataclass(eq=False)
class Take:
    """One result for one character. Holds no RNA: the armature is found again by its id or name when needed.

    ``remarks``: what of the scene was not sent, or changed on the way; the daemon's own account is
    ``result.report``, whose frames begin ``lead_in`` frames before ``start``. ``applied``: the account of each bake,
    newest last. ``asked`` and ``refs``: the constraints as they were sent, and what each stands for in the scene.
    ``prompts``: the blocks' texts and frames, without the leads. ``thin_m``: how far its thinned keys may be off.
    """

    id: str
    label: str
    rig: Rig
    start: int
    result: Result
    remarks: tuple[Remark, ...] = ()
    lead_in: int = 0
    frames: int | None = None
    edits: tuple[UserKey, ...] = ()
    stays: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)
    refs: list[dict[str, Any]] = field(default_factory=list)
    prompts: tuple[tuple[str, int], ...] = ()
    applied: list[BakeReport] = field(default_factory=list)
    thin_m: float | None = None

    @classmethod
    def of(cls, outgoing: Outgoing, result: Result, label: str) -> Take:
        """From what was sent and what came back. Raises ``unknown_joint`` when the joints are not the rig's."""
        take = cls(
            id=_id_of(result.job.job),
            label=label,
            rig=outgoing.rig,
            start=outgoing.start,
            result=result,
            remarks=outgoing.remarks,
            lead_in=outgoing.lead_in,
            frames=outgoing.frames,
            edits=outgoing.edits,
            stays=outgoing.lead_in > 0 or outgoing.lead_out > 0,
            asked=list(outgoing.request["constraints"]),
            refs=list(outgoing.refs["constraints"]),
            prompts=_prompts(outgoing),
            thin_m=_tolerance(outgoing.request),
        )
        take.clip(0)
        return take

    @property
    def samples(self) -> int:
        """How many variants there are."""
        return self.result.samples

    @property
    def report(self) -> dict[str, Any]:
        """The daemon's account: what was applied, changed, ignored, and each constraint's miss."""
        return self.result.report

    def clip(self, sample: int = 0) -> Clip:
        """One variant on the rig as it was sent: exactly the frames asked for, without the leads."""
        whole = self.result.clip(sample, self.rig.skeleton)
        return whole if self.frames is None else whole.slice(self.lead_in, self.lead_in + self.frames)

    def bake(
        self,
        armature: str | None = None,
        scene: str | None = None,
        *,
        sample: int = 0,
        start: float | None = None,
        every_frame: bool = False,
        **how: Unpack[How],
    ) -> Bake:
        """A bake to be stepped; ``apply`` is the one that finishes at once.

        ``armature`` names another one with the same bones; ``start`` is the scene frame of the take's first frame.
        ``every_frame``: a key on each, though the take was asked for with fewer.
        """
        name = f"{self.rig.armature} {self.label}".strip() + (f" {sample + 1}" if self.samples > 1 else "")
        at = float(self.start if start is None else start)
        edits = tuple(replace(key, frame=key.frame + at - self.start) for key in self.edits)
        # A motion that runs out of another or into it is nothing without that one.
        wanted: How = {"over": self.stays}
        wanted.update(how)
        thin = None if every_frame else _thinning(self.result, self.thin_m, self.lead_in)
        options = BakeOptions(name, edits=edits, thin=thin, origin=f"{self.id}:{sample}", **wanted)
        return Bake(self.rig, self.clip(sample), at, uuid.uuid4().hex, options, armature=armature, scene=scene)

    def apply(
        self,
        armature: str | None = None,
        scene: str | None = None,
        *,
        sample: int = 0,
        start: float | None = None,
        every_frame: bool = False,
        **how: Unpack[How],
    ) -> BakeReport:
        """Show this take on the armature, as a new action or, with ``strips``, on a new NLA track.

        Raises ``rig_changed`` and ``apply_blocked``, with the scene as it was; the take stays.
        """
        report = self.bake(armature, scene, sample=sample, start=start, every_frame=every_frame, **how).finish()
        self.applied.append(report)
        return report


def _tolerance(request: Mapping[str, Any]) -> float | None:
    found = (request.get("options") or {}).get("keyframe_budget")
    return None if found is None else float(found)


def _id_of(job: str) -> str:
    """A take's id follows from its job's, so that two Blenders which take the same result home have the same take."""
    try:
        return uuid.UUID(job).hex
    except ValueError:
        return uuid.uuid4().hex


def _prompts(outgoing: Outgoing) -> tuple[tuple[str, int], ...]:
    """The texts of a request's segments with the frames of each that lie in the range asked for."""
    out, at, end = [], 0, outgoing.lead_in + outgoing.frames
    for segment in outgoing.request["segments"]:
        first, at = at, at + int(segment["duration_frames"])
        frames = min(at, end) - max(first, outgoing.lead_in)
        if frames > 0:
            out.append((str(segment.get("prompt") or ""), frames))
    return tuple(out)
