# SPDX-License-Identifier: Apache-2.0
"""From a model's motion to the finished one: constraints met, keys thinned, the report written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from motionmcp.backbone import Backbone, ModelSpec, MotionResult
from motionmcp.schemas import GenerateRequest
from numpy.typing import NDArray

from kineograph.errors import NoteCode
from kineograph.motion.thin import thin
from kineograph_daemon.pipeline import call, tried
from kineograph_daemon.pipeline.rates import Line, Moved
from kineograph_daemon.pipeline.types import JobResultData
from kineograph_daemon.solve import measure
from kineograph_daemon.solve import report as reports
from kineograph_daemon.solve.body import Body, read_body
from kineograph_daemon.solve.feet import contacts_of
from kineograph_daemon.solve.goals import Goals, read_goals
from kineograph_daemon.solve.ground import Ground, read_ground
from kineograph_daemon.solve.meet import Solved, solve
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]

ROUNDING = tried.ROUNDING
"""What differs by no more, in metres or in parts of a quaternion, is one motion."""


@dataclass(frozen=True, eq=False)
class Work:
    """One job between the model's answer and the result."""

    request: GenerateRequest
    backbone: Backbone
    spec: ModelSpec
    line: Line | None
    moved: Moved
    goals: Goals
    body: Body
    retargeted: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls,
        request: GenerateRequest,
        backbone: Backbone,
        spec: ModelSpec,
        line: Line | None,
        moved: Moved,
        retargeted: Mapping[str, Any] | None = None,
    ) -> Work:
        """With the request's constraints read once for all samples. ``retargeted`` tells of the model's own rig."""
        goals = read_goals(request, request.fps(spec.fps))
        return cls(request, backbone, spec, line, moved, goals, read_body(goals.skeleton), retargeted)

    @cached_property
    def ground(self) -> Ground:
        """The ground under the motion; read when something stands on it."""
        return read_ground(self.goals)

    @property
    def is_solved(self) -> bool:
        """Whether the motion is to meet its constraints, or to stay as the model made it."""
        return self.request.options is None or self.request.options.post_processing


@dataclass(frozen=True, eq=False)
class Sample:
    """One finished sample with what the report needs to know of it."""

    solved: Solved
    quality: measure.Quality
    misses: dict[int, measure.Miss]
    raw: Pose
    untouched: bool = False


def sample(work: Work, b: int) -> Sample:
    """Sample ``b`` of the model's answer, solved unless the request wants it raw."""
    moved, goals = work.moved, work.goals
    translations = None if moved.translations_m is None else moved.translations_m[b]
    raw = Pose(goals.skeleton, moved.rotations_xyzw[b], moved.root_m[b], translations)
    given = {name: mask[b] for name, mask in moved.contacts.items()}
    if work.is_solved:
        solved = solve(
            goals,
            raw.rotations_xyzw,
            raw.root_m,
            given,
            translations_m=translations,
            stands_on_ground=bool(getattr(work.backbone, "stands_on_ground", False)),
        )
    else:
        solved = Solved(raw, work.body, work.ground, contacts_of(raw, work.body, given, work.ground, goals.fps_hz))
    _as_sent(solved.pose)
    quality = measure.quality(solved.pose, solved.body, solved.ground, solved.contacts, raw, goals.fps_hz)
    misses = measure.misses(solved.pose, goals)
    if not all(np.isfinite(values).all() for m in misses.values() for values in (m.cm, m.deg) if values is not None):
        raise OverflowError("a miss is too large for its number")
    return Sample(solved, quality, misses, raw, _is_untouched(work, solved, raw))


def _is_untouched(work: Work, solved: Solved, raw: Pose) -> bool:
    """Whether the solve left the model's motion but for rounding; looked at where the request says to solve or not."""
    request, options = work.request, work.request.options
    if options is None or not options.post_processing or "post_processing" not in options.model_fields_set:
        return False
    looked_at = request.constraints or work.moved.contacts or work.line or options.keyframe_budget is not None
    if work.body.feet and not looked_at:
        return False  # as the model made it, nobody would say where its feet stand
    made = solved.pose
    return _is_same(made.rotations_xyzw, raw.rotations_xyzw) and _is_same(made.root_m, raw.root_m)


def _is_same(a: FloatArray, b: FloatArray) -> bool:
    return bool(np.abs(a - b).max() <= ROUNDING)


def are_alike(rotations_xyzw: FloatArray, root_m: FloatArray) -> bool:
    """Whether several samples, (B, T, J, 4) and (B, T, 3), are one motion. The middle frame tells most apart."""
    parts = (slice(len(root_m[0]) // 2, len(root_m[0]) // 2 + 1), slice(None))
    return len(root_m) > 1 and all(_is_same(a[1:, p], a[:1, p]) for p in parts for a in (rotations_xyzw, root_m))


def _as_sent(pose: Pose) -> None:
    """Round to the single precision in which the result travels, so that what is measured is what arrives."""
    pose.rotations_xyzw = pose.rotations_xyzw.astype(np.float32).astype(np.float64)
    pose.root_m = pose.root_m.astype(np.float32).astype(np.float64)
    pose.touch()


def assemble(
    work: Work,
    samples: list[Sample],
    result: MotionResult,
    between: Callable[[], None],
) -> JobResultData:
    """All samples as one result. ``between`` as in ``thin``."""
    rotations = np.stack([s.solved.pose.rotations_xyzw for s in samples]).astype(np.float32)
    root = np.stack([s.solved.pose.root_m for s in samples]).astype(np.float32)
    moved = work.moved.translations_m
    keyframes = _thinned(work, samples, result, between)
    report = reports.build(facts(work, samples, keyframes, result, are_alike(rotations, root)))
    return JobResultData(
        fps_hz=work.goals.fps_hz,
        joint_names=list(work.goals.skeleton.names),
        rotations_xyzw=rotations,
        root_m=root,
        translations_m=None if moved is None else moved.astype(np.float32),
        contacts=_contacts(work, samples),
        chunk_boundaries=work.moved.chunk_boundaries,
        canonical_to_request=result.canonical_to_request,
        keyframes=keyframes,
        notes=[dict(n) for n in result.notes] + notes(report),
        trajectories=None if result.trajectories is None else list(result.trajectories),
        report=report,
    )


def retold(
    work: Work, samples: list[Sample], result: MotionResult, made: JobResultData, idle: Mapping[str, str]
) -> JobResultData:
    """The same result, whose report also tells of fields that change nothing: ``idle`` as ``tried.idle`` found it."""
    alike = are_alike(made.rotations_xyzw, made.root_m)
    report = reports.build(facts(work, samples, made.keyframes, result, alike, idle))
    return replace(made, report=report, notes=[dict(n) for n in result.notes] + notes(report))


def _contacts(work: Work, samples: list[Sample]) -> dict[str, NDArray[np.bool_]]:
    """The model's own contacts, less what targets changed; where it has none, where each foot is seen to stand."""
    names = work.goals.skeleton.names
    seen = {i: np.stack([s.solved.contacts[i] for s in samples]) for i in range(len(work.body.feet))}
    if not work.moved.contacts:
        return {names[foot.contact]: seen[i] for i, foot in enumerate(work.body.feet)}
    out = dict(work.moved.contacts)
    for i, foot in enumerate(work.body.feet):
        if any(i in s.solved.let_go for s in samples):
            out |= {names[j]: seen[i] for j in foot.joints if names[j] in out}
    return out


def _thinned(
    work: Work, samples: list[Sample], result: MotionResult, between: Callable[[], None]
) -> dict[int, dict[str, list[int]]] | None:
    """Frames worth keying, where the request allows a tolerance; the user's own keys stay in every channel."""
    budget = work.request.options.keyframe_budget if work.request.options else None
    if budget is None:
        return result.keyframes if work.line is None else None
    asked = {f for e in work.goals.effectors for f in e.frames.tolist()}
    keep = sorted({*work.goals.key_frames, *asked})
    moved = work.moved.translations_m
    rotations = np.stack([s.solved.pose.rotations_xyzw for s in samples])
    root = np.stack([s.solved.pose.root_m for s in samples])
    return thin(work.goals.skeleton, rotations, root, budget, keep, moved, between)


def facts(
    work: Work,
    samples: list[Sample],
    keyframes: dict[int, dict[str, list[int]]] | None,
    result: MotionResult,
    alike: bool = False,
    idle: Mapping[str, str] = MappingProxyType({}),
) -> reports.Facts:
    """What the report is written from; without samples nothing was measured. ``alike`` as ``are_alike`` tells, ``idle``
    as ``tried.idle`` found it."""
    misses = dict(samples[0].misses) if samples else {}
    for other in samples[1:]:
        misses = {i: miss.worse(other.misses[i]) for i, miss in misses.items()}
    goals = work.goals
    kept = None
    if keyframes is not None and work.request.options and work.request.options.keyframe_budget is not None:
        kept = (sum(len(f) for c in keyframes.values() for f in c.values()), goals.frames * (len(goals.skeleton) + 1))
    return reports.Facts(
        request=work.request,
        goals=goals,
        body=work.body,
        model_id=work.spec.id,
        fps_hz=goals.fps_hz,
        model_fps_hz=None if work.line is None else work.line.model_fps_hz,
        solved=work.is_solved,
        ignored={**ignored(work, result), **idle},
        changed=_told(work, "changed_fields"),
        misses=misses,
        quality=[s.quality for s in samples],
        poses=[s.solved.pose for s in samples],
        mapping=_mapping(work),
        keys_kept=kept,
        ground_used=_is_over_ground(work, samples),
        unheard={} if work.is_solved else _unheard(work, result),
        follows_ground=bool(getattr(work.backbone, "stands_on_ground", False)),
        untouched=bool(samples) and all(s.untouched for s in samples),
        alike=alike,
        ground_keyed=_is_ground_keyed(work, samples),
    )


def _unheard(work: Work, result: MotionResult) -> dict[int, str]:
    """Constraints that the model was not told of, does not know or made nothing of: only the solve meets them."""
    own: ModelSpec = call.guarded(work.backbone.capabilities)
    asked = work.request.constraints
    told = set((work.retargeted or {}).get("constraints_told", range(len(asked))))
    out = {i: reports.UNHEARD for i, c in enumerate(asked) if i not in told or c.type not in own.supported_constraints}
    for i, why in ((i, getattr(result, "ignored_fields", {}).get(f"constraints[{i}]")) for i in range(len(asked))):
        if why and i not in out:
            out[i] = f"post-processing is off, and {why}"
    return out


_GENERATED = ("seed", "diffusion_steps", "guidance", "transition_frames")
_ALL_KEYED = "keys fix every joint and the root on every frame: nothing is left to generate"


def ignored(work: Work, result: MotionResult) -> dict[str, str]:
    """What the model says it does not use, before and after it made the motion; all it has where keys leave nothing."""
    out = {**_told(work, "ignored_fields"), **getattr(result, "ignored_fields", {})}
    options = work.request.options
    if work.is_solved and work.goals.is_all_keyed:
        dials = (options.model_options if options else None) or {}
        names = [*_GENERATED, *(f"model_options.{name}" for name in dials)]
        parts = ("seed", "prompt", "rotations", "video")
        out = {f"options.{name}": _ALL_KEYED for name in names} | {f"segments.{p}": _ALL_KEYED for p in parts} | out
    return out


def _told(work: Work, which: str) -> Mapping[str, str]:
    """What the model says it does not use, or takes otherwise, by field path; a foreign one says nothing."""
    tell: Callable[[GenerateRequest], Mapping[str, str]] | None = getattr(work.backbone, which, None)
    return {} if tell is None else tell(work.request)


def _is_over_ground(work: Work, samples: list[Sample]) -> bool:
    if not samples or work.ground.points_m is None:
        return False
    return any(np.isfinite(work.ground.under(s.solved.pose.root_m[:, [0, 2]])).any() for s in samples)


def _is_ground_keyed(work: Work, samples: list[Sample]) -> bool:
    """Whether the ground raises nothing: no feet stand on it, and keys of the root's height take all it would lift."""
    keyed = sorted(work.goals.root_keys())
    if not samples or work.body.feet or not keyed or work.ground.points_m is None:
        return False
    for made in samples:
        rise = work.ground.smooth_under(made.solved.pose.root_m[:, [0, 2]], work.goals.fps_hz)
        if not _is_same(rise, np.interp(np.arange(len(rise)), keyed, rise[keyed])):
            return False
    return True


def _mapping(work: Work) -> dict[str, Any]:
    """On which joints the solve worked: limbs by name, feet, and how the rig was read."""
    return {"kind": "the request's own skeleton", **work.body.told, **(work.retargeted or {})}


def notes(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Notes for what an artist should know first."""
    out = []
    for entry in report["constraints"]:
        if entry["type"] == "effector_target" and "out of reach" in entry["reason"]:
            text = f"{entry['joint']}: {entry['reason']}"
            out.append(_note(NoteCode.TARGET_OUT_OF_REACH, text, entry["index"]))
        if entry["type"] == "ground_height" and entry["reason"].startswith(reports.NO_GROUND):
            out.append(_note(NoteCode.GROUND_UNREACHABLE, entry["reason"], entry["index"]))
    texts = [s for s in report["segments"] if s["type"] == "text" and s["outcome"] == reports.Outcome.IGNORED]
    unread = [s for s in texts if s["reason"] not in (_ALL_KEYED, tried.SPAN_KEYED)]
    if unread:
        out.append(_note(NoteCode.TEXT_NOT_UNDERSTOOD, unread[0]["reason"], None))
    return out


def _note(code: NoteCode, message: str, constraint: int | None) -> dict[str, Any]:
    note: dict[str, Any] = {"code": str(code), "severity": "note", "message": message}
    return note if constraint is None else note | {"constraint": constraint}
