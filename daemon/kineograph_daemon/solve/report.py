# SPDX-License-Identifier: Apache-2.0
"""The report that goes with every result: what became of each thing that was asked, and how the motion is.

``segments``, ``constraints``, ``options`` and ``request`` are lists of entries; every entry has ``outcome``
(``applied``, ``changed`` or ``ignored``) and ``reason``. A constraint also has its miss on every frame, the worst of
all samples. Fields without an effect are named in their entry's ``fields``: nothing is dropped silently.

What asks for something (a constraint, a loop) is applied when it is so in the end; what sets how a motion is made (a
seed, a dial) when it had something to act on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from motionmcp.schemas import GenerateRequest, PoseKeyframeConstraint

from kineograph.motion import quat
from kineograph_daemon.solve import two_bone
from kineograph_daemon.solve.body import Body, Limb
from kineograph_daemon.solve.goals import EffectorTrack, Goals, shows_names
from kineograph_daemon.solve.lost import lost
from kineograph_daemon.solve.measure import Miss, Quality
from kineograph_daemon.solve.pose import Pose

KEY_DEG, KEY_CM, PATH_CM, TARGET_CM, TARGET_DEG = 0.1, 0.1, 0.1, 0.5, 0.5
"""Misses up to here count as met."""

LOOP_DEG = 0.2
"""How far the last frame of a cycle may be from its first."""

OFF = "post-processing is off: this is the model's own result"
UNHEARD = "post-processing is off, and the model itself does not know of it"
UNTOUCHED = "the model's own motion left nothing to meet or to mend"
CLOSED = "the last frame is the first again"
OPEN = "no cycle was asked for: the motion ends where it ends"
ALIKE = "all samples are one motion"
NO_GROUND = "no surface point lies under the character's way"
GROUND_KEYED = "keys say how high the root is, and this rig has no feet that stand"
NO_LENGTH = "a rotation of length zero is none"
STRETCHED = "; stretched towards it"
FULL_KEY = "the key names every joint: nothing is left to fill"


class Outcome(StrEnum):
    """What became of something that was asked."""

    APPLIED = "applied"
    CHANGED = "changed"
    IGNORED = "ignored"


class Facts(NamedTuple):
    """Everything a report is written from. ``ignored`` maps field paths such as ``segments.prompt`` to reasons,
    ``changed`` those of options and segments that were taken otherwise. ``unheard`` are the constraints that the model
    was not told of or made nothing of, with the reason, ``follows_ground`` whether it stands on the ground by itself,
    ``untouched`` whether the solve changed nothing, ``alike`` whether several samples came out as one motion,
    ``ground_keyed`` whether keys leave nothing to the ground."""

    request: GenerateRequest
    goals: Goals
    body: Body
    model_id: str
    fps_hz: float
    model_fps_hz: float | None
    solved: bool
    ignored: Mapping[str, str]
    misses: Mapping[int, Miss]
    quality: list[Quality]
    poses: list[Pose]
    mapping: Mapping[str, Any]
    keys_kept: tuple[int, int] | None = None
    ground_used: bool = True
    changed: Mapping[str, str] = MappingProxyType({})
    unheard: Mapping[int, str] = MappingProxyType({})
    follows_ground: bool = False
    untouched: bool = False
    alike: bool = False
    ground_keyed: bool = False


def build(facts: Facts) -> dict[str, Any]:
    """The report as plain data."""
    return {
        "model": facts.model_id,
        "samples": facts.request.options.num_samples if facts.request.options else 1,
        "frames": facts.goals.frames,
        "fps_hz": facts.fps_hz,
        "segments": _segments(facts),
        "constraints": [_constraint(facts, i) for i in range(len(facts.request.constraints))],
        "options": _options(facts),
        "request": _top(facts),
        "quality": [asdict(q) for q in facts.quality],
        "jerk_reference": "the model's own motion before the solve",
        "mapping": dict(facts.mapping),
    }


def _segments(facts: Facts) -> list[dict[str, Any]]:
    out, start = [], 0
    for index, segment in enumerate(facts.request.segments):
        stop = start + segment.duration_frames
        fields = _without_effect(facts, "segments", segment)
        fields += _without_effect(facts, f"segments[{index}]", segment)
        whole = next((f for f in fields if f["name"] in ("prompt", "rotations", "video")), None)
        other = facts.changed.get(f"segments[{index}]", "")
        out.append(
            {
                "index": index,
                "type": segment.type,
                "start": start,
                "stop": stop,
                "outcome": str(Outcome.IGNORED if whole else Outcome.CHANGED if other else Outcome.APPLIED),
                "reason": whole["reason"] if whole else other,
                "fields": fields,
            }
        )
        start = stop
    return out


def _without_effect(facts: Facts, prefix: str, part: Any) -> list[dict[str, str]]:
    """Fields that the request set and that changed nothing."""
    if not facts.ignored:
        return []
    return [
        {"name": name, "outcome": str(Outcome.IGNORED), "reason": reason}
        for name in sorted(part.model_fields_set)
        if (reason := facts.ignored.get(f"{prefix}.{name}")) is not None and getattr(part, name) is not None
    ]


def _constraint(facts: Facts, index: int) -> dict[str, Any]:
    c = facts.request.constraints[index]
    entry: dict[str, Any] = {"index": index, "type": c.type}
    if c.type == "ground_height":
        return entry | _ground(facts, index)
    if c.type == "effector_target":
        entry["joint"] = c.joint
    if c.type == "pose_keyframe" and "fill_mode" in c.model_fields_set and not _to_fill(facts, c):
        entry["fields"] = [{"name": "fill_mode", "outcome": str(Outcome.IGNORED), "reason": FULL_KEY}]
    elif c.type == "pose_keyframe" and (same := facts.ignored.get(f"constraints[{index}].fill_mode")):
        entry["fields"] = [{"name": "fill_mode", "outcome": str(Outcome.IGNORED), "reason": same}]
    miss = facts.misses[index]
    worst_cm, worst_deg = _worst(miss.cm), _worst(miss.deg)
    entry |= {
        "frames": miss.frames.tolist(),
        "miss_cm": _rounded(miss.cm),
        "miss_deg": _rounded(miss.deg),
        "worst_cm": worst_cm,
        "worst_deg": worst_deg,
    }
    limit_cm, limit_deg = _limits(c.type)
    if (worst_cm or 0.0) <= limit_cm and (worst_deg or 0.0) <= limit_deg:
        if not facts.solved and index in facts.unheard:
            reason = f"{facts.unheard[index]}; the motion meets it by itself"
            return entry | {"outcome": str(Outcome.IGNORED), "reason": reason}
        unturned = _unturned(facts, index)
        return entry | {"outcome": str(Outcome.CHANGED if unturned else Outcome.APPLIED), "reason": unturned}
    told = _why_missed(facts, index, miss, limit_cm, limit_deg)
    idle = facts.ignored.get(f"constraints[{index}]")
    return entry | (told if idle is None else {"outcome": str(Outcome.IGNORED), "reason": _also(told["reason"], idle)})


def _unturned(facts: Facts, index: int) -> str:
    """What of a key or target was sent as a rotation of length zero, or nothing."""
    found = facts.goals.unturned.get(index)
    if not found:
        return ""
    if facts.request.constraints[index].type == "effector_target":
        return f"{NO_LENGTH}, on {_frames(list(found))}"
    return f"{NO_LENGTH}: {', '.join(facts.goals.skeleton.names[j] for j in found[:6])}{_more(len(found) - 6)}"


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def _also(missed: str, idle: str) -> str:
    """Why a constraint was missed, and that it changed nothing."""
    return f"{missed.removesuffix(STRETCHED)}; {idle}"


def _to_fill(facts: Facts, key: PoseKeyframeConstraint) -> bool:
    """Whether a key leaves joints to its fill mode: a root that a path turns on that frame is the path's."""
    left = set(facts.goals.skeleton.names) - set(key.joint_rotations)
    if any(key.frame in path.frames for path in facts.goals.paths):
        left.discard(facts.goals.skeleton.names[facts.goals.skeleton.root])
    return bool(left)


def _limits(kind: str) -> tuple[float, float]:
    if kind == "effector_target":
        return TARGET_CM, TARGET_DEG
    return (PATH_CM if kind == "root_path" else KEY_CM), KEY_DEG


def _worst(values: Any) -> float | None:
    return None if values is None or not len(values) else round(float(np.max(values)), 4)


def _rounded(values: Any) -> list[float] | None:
    return None if values is None else [round(float(v), 4) for v in values]


def _ground(facts: Facts, index: int) -> dict[str, Any]:
    worst = max((max(q.hover_cm, q.penetration_cm) for q in facts.quality), default=0.0)
    outcome, reason = Outcome.APPLIED, ""
    if not facts.solved and index in facts.unheard:
        outcome, reason = Outcome.IGNORED, facts.unheard[index]
    elif not facts.ground_used:
        in_air = bool(facts.body.feet)
        outcome = Outcome.CHANGED if in_air else Outcome.IGNORED
        reason = f"{NO_GROUND}: its feet count as in the air" if in_air else NO_GROUND
    elif (idle := facts.ignored.get(f"constraints[{index}]")) is not None:
        outcome, reason = Outcome.IGNORED, idle
    elif facts.ground_keyed:
        outcome, reason = Outcome.IGNORED, GROUND_KEYED
    elif not facts.solved:
        outcome, reason = Outcome.APPLIED if facts.follows_ground else Outcome.CHANGED, OFF
    return {"outcome": str(outcome), "reason": reason, "worst_cm": worst}


def _why_missed(facts: Facts, index: int, miss: Miss, limit_cm: float, limit_deg: float) -> dict[str, Any]:
    if not facts.solved and index in facts.unheard:
        return {"outcome": str(Outcome.IGNORED), "reason": f"{facts.unheard[index]}; missed by {_amount(miss)}"}
    off = np.zeros(len(miss.frames), bool)
    for values, limit in ((miss.cm, limit_cm), (miss.deg, limit_deg)):
        off |= np.zeros(len(off), bool) if values is None else values > limit
    missed = miss.frames[off]
    track = next((e for e in facts.goals.effectors if e.where == index), None)
    others = lost(facts.goals, facts.body, index)
    beaten = sorted(others.frames & set(missed.tolist()))
    if beaten and (facts.solved or others.whole):
        reason = f"{others.by} on {_frames(beaten)}; missed by {_amount(miss)}"
    elif not facts.solved:
        reason = f"{OFF}; missed by {_amount(miss)}"
    elif track is not None and (far := _too_far_cm(facts, track, missed)) > 0.05:
        reason = f"out of reach by {far:.1f} cm on {_frames(missed.tolist())}{STRETCHED}"
    elif track is not None and (near := _too_near_cm(facts, track, missed)) > 0.05:
        reason = f"out of reach: {near:.1f} cm nearer than the folded limb comes, on {_frames(missed.tolist())}"
    else:
        reason = f"another constraint asks for something else on {_frames(missed.tolist())}; missed by {_amount(miss)}"
    return {"outcome": str(Outcome.IGNORED if others.whole else Outcome.CHANGED), "reason": reason}


def _too_far_cm(facts: Facts, track: EffectorTrack, frames: Any) -> float:
    """How far beyond the limb's reach the targets lie, cm."""
    limb = facts.body.limb_above(track.joint)
    if limb is None:
        return float(facts.misses[track.where].cm.max())  # type: ignore[union-attr]  # a target has a distance
    wanted = _end_targets(facts, track, limb, frames)
    return 100 * max(float(two_bone.excess_m(p, limb, at, target, two_bone.STRAIGHT).max()) for p, at, target in wanted)


def _too_near_cm(facts: Facts, track: EffectorTrack, frames: Any) -> float:
    """How much nearer to the limb's top the targets lie than its end can come, cm: bones of unequal length."""
    limb = facts.body.limb_above(track.joint)
    if limb is None:
        return 0.0
    worst = 0.0
    for pose, at, target in _end_targets(facts, track, limb, frames):
        top, hinge, end = (pose.positions_m[at, j] for j in (limb.top, limb.hinge, limb.end))
        folded = np.abs(np.linalg.norm(hinge - top, axis=-1) - np.linalg.norm(end - hinge, axis=-1))
        worst = max(worst, float((folded - np.linalg.norm(target - top, axis=-1)).max()))
    return 100 * worst


def _end_targets(facts: Facts, track: EffectorTrack, limb: Limb, frames: Any) -> list[tuple[Pose, Any, Any]]:
    """For each sample its pose, the frames (N,), and where the limb's end had to go (N, 3)."""
    pick = np.isin(track.frames, frames)
    at = track.frames[pick]
    return [(p, at, track.positions_m[pick] + p.positions_m[at, limb.end] - p.positions_m[at, track.joint])
            for p in facts.poses]  # fmt: skip


def _amount(miss: Miss) -> str:
    parts = [f"{_worst(miss.cm):.2f} cm"] if miss.cm is not None else []
    parts += [f"{_worst(miss.deg):.2f} degrees"] if miss.deg is not None else []
    return ", ".join(parts)


def _frames(frames: list[int]) -> str:
    if len(frames) == 1:
        return f"frame {frames[0]}"
    named = ", ".join(map(str, frames[:6]))
    return f"frames {named}{_more(len(frames) - 6)}"


def _options(facts: Facts) -> list[dict[str, Any]]:
    options = facts.request.options
    if options is None:
        return []
    out = []
    for name in type(options).model_fields:
        if name not in options.model_fields_set:
            continue
        value = getattr(options, name)
        if name == "model_options":
            out += [_option(facts, f"model_options.{k}", v) for k, v in (value or {}).items()]
        elif value is not None:
            out.append(_option(facts, name, value))
    return out


def _option(facts: Facts, name: str, value: Any) -> dict[str, Any]:
    reason = facts.ignored.get(f"options.{name}")
    outcome = Outcome.APPLIED if reason is None else Outcome.IGNORED
    if reason is None and (reason := facts.changed.get(f"options.{name}")):
        outcome = Outcome.CHANGED
    if name == "loop":
        seam = _seam(facts) if value else ""
        outcome, reason = Outcome.CHANGED if seam else Outcome.APPLIED, seam or (CLOSED if value else OPEN)
    if name == "num_samples" and facts.alike and outcome == Outcome.APPLIED:
        outcome, reason = Outcome.CHANGED, ALIKE
    if name == "post_processing":
        outcome, reason = (Outcome.IGNORED, UNTOUCHED) if value and facts.untouched else (outcome, "" if value else OFF)
    if name == "keyframe_budget" and facts.keys_kept is not None:
        reason = f"{facts.keys_kept[0]} of {facts.keys_kept[1]} keys carry the motion to within {value:g} m"
    shown = value.model_dump() if hasattr(value, "model_dump") else value
    return {"name": name, "value": shown, "outcome": str(outcome), "reason": reason or ""}


def _seam(facts: Facts) -> str:
    """Why a cycle does not close, or nothing."""
    root = facts.goals.skeleton.root
    worst = 0.0
    for pose in facts.poses:
        ends = pose.rotations_xyzw[[0, -1]]
        deg = np.degrees(quat.angle_between_rad(ends[0], ends[1]))
        if float(deg[root]) > LOOP_DEG:
            return f"the last frame's root is turned {float(deg[root]):.1f} degrees from the first, as keys or path ask"
        worst = max(worst, float(deg.max()), 1000 * abs(float(pose.root_m[-1, 1] - pose.root_m[0, 1])))
    return "" if worst <= LOOP_DEG else "constraints on the first and the last frame differ: the cycle has a seam"


def _top(facts: Facts) -> list[dict[str, Any]]:
    """Fields of the request itself and of its skeleton."""
    applied = str(Outcome.APPLIED)
    out: list[dict[str, Any]] = [
        {"name": "protocol_version", "outcome": applied, "reason": f"{facts.request.protocol_version} is understood"},
        {"name": "model", "outcome": applied, "reason": facts.model_id},
        {"name": "skeleton", "outcome": applied, "reason": f"{len(facts.goals.skeleton)} joints, in and out"},
    ]
    if facts.request.timing is not None:
        if facts.model_fps_hz is None:
            out.append({"name": "timing.fps", "outcome": applied, "reason": ""})
        else:
            reason = f"made at {facts.model_fps_hz:g} frames a second and resampled to {facts.fps_hz:g}"
            out.append({"name": "timing.fps", "outcome": str(Outcome.CHANGED), "reason": reason})
    if shows_names(facts.request.skeleton):
        reason = "names for people; the motion is told by joint names"
        out.append({"name": "skeleton.joints.display_name", "outcome": str(Outcome.IGNORED), "reason": reason})
    return out
