# SPDX-License-Identifier: Apache-2.0
"""Fields that look as if they changed nothing, tried: the motion is made once more without them and compared.

Most of what a report calls ignored follows from the rules of the solve. What does not (a path that keys override at
every point still turns the body between them, unless the way is straight) is hinted at by the finished motion; only
then is a second motion worth its time, and only of a model here that makes the same of the same again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from motionmcp.schemas import (
    GenerateRequest,
    Options,
    PoseKeyframeConstraint,
    TextSegment,
    UnconditionedSegment,
)
from numpy.typing import NDArray

from kineograph.errors import KineographError
from kineograph_daemon.pipeline.types import JobResultData
from kineograph_daemon.solve import targets
from kineograph_daemon.solve.body import Body
from kineograph_daemon.solve.goals import EffectorTrack, Goals, RootPath
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]

_log = logging.getLogger(__name__)

MOST_TRIED = 8
"""So many fields of a request are tried; each costs a motion."""
ROUNDING = 1e-6
"""What differs by no more, in metres or in parts of a quaternion, is one motion."""

SPAN_KEYED = "keys fix every joint and the root in this whole span: it is the same without words"
PATH_KEYED = "keys fix the root on all of its frames, and the way between them is the same without it"
FEET_KEYED = "keys fix the feet on every frame: the ground is only what sliding and sinking are measured from"
FAR_AS_IT_IS = "it comes as near without being told"
REST_AS_IT_IS = "what is left of it is so without it"
AS_REST = "what the key leaves out comes out the same with either mode here"

Make = Callable[[GenerateRequest], JobResultData]


class Doubt(NamedTuple):
    """A field by its path, the same request without it, and what to say when nothing changes."""

    path: str
    without: GenerateRequest
    reason: str


class Scene(NamedTuple):
    """What doubts are raised from. ``solved`` and ``raw``: each sample when it was finished, and as the model made it;
    ``missed`` the constraints that were not met, ``ignored`` finds the paths of fields that are known to change nothing
    and is asked only where it is needed: a model may take as long for that as for the motion."""

    request: GenerateRequest
    goals: Goals
    body: Body
    solved: Sequence[Pose]
    raw: Sequence[Pose]
    missed: frozenset[int]
    ignored: Callable[[], Collection[str]]
    is_solved: bool


def idle(scene: Scene, made: JobResultData, make: Make) -> dict[str, str]:
    """Paths of fields that were tried and changed nothing, with the reason. ``make`` makes a request's motion."""
    raised = list(islice(_doubts(scene), MOST_TRIED))
    if not raised:
        return {}
    options = scene.request.options or Options()
    if options.seed is None:  # a drawn seed would differ by itself
        raised = [d._replace(without=_seeded(d.without)) for d in raised]
    try:
        first = made if options.seed is not None else make(_seeded(scene.request))
        return {d.path: d.reason for d in raised if is_one(first, make(d.without))}
    except (KineographError, ArithmeticError, ValueError) as e:
        _log.warning("a field could not be tried: %s", e)
        return {}


def is_one(a: JobResultData, b: JobResultData) -> bool:
    """Whether two results are the same motion but for rounding, in its keys and contacts too."""
    return (
        bool(np.abs(a.rotations_xyzw - b.rotations_xyzw).max() <= ROUNDING)
        and bool(np.abs(a.root_m - b.root_m).max() <= ROUNDING)
        and a.keyframes == b.keyframes
        and a.contacts.keys() == b.contacts.keys()
        and all(np.array_equal(a.contacts[name], b.contacts[name]) for name in a.contacts)
    )


def _seeded(request: GenerateRequest) -> GenerateRequest:
    options = request.options or Options()
    return request.model_copy(update={"options": options.model_copy(update={"seed": 0})})


def _doubts(scene: Scene) -> Iterator[Doubt]:
    request, goals = scene.request, scene.goals
    if scene.is_solved:
        if goals.keys:
            yield from _words(scene)
            yield from (_gone(request, k.where, REST_AS_IT_IS) for k in goals.keys if k.where in scene.missed)
            beaten = (p for p in goals.paths if p.where in scene.missed and _is_placed_by_keys(goals, p))
            yield from (_gone(request, p.where, PATH_KEYED) for p in beaten)
            if goals.ground_m is not None and _are_feet_keyed(goals, scene.body):
                yield from (_gone(request, where, FEET_KEYED) for where in goals.ground_where)
        for track in goals.effectors:
            if track.where in scene.missed and not _was_moved(scene, track):
                yield _gone(request, track.where, FAR_AS_IT_IS)
    yield from _fill_modes(scene)


def _gone(request: GenerateRequest, where: int, reason: str) -> Doubt:
    left = [*request.constraints[:where], *request.constraints[where + 1 :]]
    return Doubt(f"constraints[{where}]", request.model_copy(update={"constraints": left}), reason)


def _words(scene: Scene) -> Iterator[Doubt]:
    """Prompts of spans that keys fix wholly; where they fix all there is, the rules say so already."""
    request, goals = scene.request, scene.goals
    if goals.is_all_keyed or not any(isinstance(s, TextSegment) for s in request.segments):
        return
    full = goals.root_keys().keys() & set(goals.frames_fixing(range(len(goals.skeleton)), all_of_them=True))
    start, known = 0, None
    for index, segment in enumerate(request.segments):
        span, start = range(start, start + segment.duration_frames), start + segment.duration_frames
        path = f"segments[{index}].prompt"
        if isinstance(segment, TextSegment) and full.issuperset(span):
            known = scene.ignored() if known is None else known
            if path in known or "segments.prompt" in known:
                continue
            mute = UnconditionedSegment(type="unconditioned", duration_frames=len(span), seed=segment.seed)
            segments = [*request.segments[:index], mute, *request.segments[index + 1 :]]
            yield Doubt(path, request.model_copy(update={"segments": segments}), SPAN_KEYED)


def _fill_modes(scene: Scene) -> Iterator[Doubt]:
    """Fill modes that were set where the joints left out are at rest around their key."""
    request = scene.request
    for where, c in enumerate(request.constraints):
        if not isinstance(c, PoseKeyframeConstraint) or "fill_mode" not in c.model_fields_set:
            continue
        if _is_at_rest(scene, c):
            other = c.model_copy(update={"fill_mode": "generate" if c.fill_mode == "rest" else "rest"})
            constraints = [*request.constraints[:where], other, *request.constraints[where + 1 :]]
            yield Doubt(
                f"constraints[{where}].fill_mode", request.model_copy(update={"constraints": constraints}), AS_REST
            )


def _is_placed_by_keys(goals: Goals, path: RootPath) -> bool:
    """Whether keys say on all frames of a path where the root is, and which way it faces if the path says so."""
    own = path.frames.tolist()
    turned = goals.frames_fixing([goals.skeleton.root])
    return goals.root_keys().keys() >= set(own) and (path.heading_rad is None or set(turned).issuperset(own))


def _are_feet_keyed(goals: Goals, body: Body) -> bool:
    """Whether keys fix all joints between the root and the feet, and the root's place, on every frame."""
    if not body.feet or len(goals.root_keys()) < goals.frames:
        return False
    chain = {j for foot in body.feet for joint in foot.joints for j in goals.skeleton.chain(joint)}
    return len(goals.frames_fixing(sorted(chain), all_of_them=True)) == goals.frames


def _was_moved(scene: Scene, track: EffectorTrack) -> bool:
    """Whether the joints that a target turns are elsewhere on its frames than the model had them."""
    turned = np.array([*targets.movers(scene.body, track.joint), track.joint])
    pick = np.ix_(track.frames, turned)
    return any(
        _apart(s.rotations_xyzw[pick], r.rotations_xyzw[pick]) > ROUNDING
        or np.abs(s.root_m[track.frames] - r.root_m[track.frames]).max() > ROUNDING
        for s, r in zip(scene.solved, scene.raw, strict=True)
    )


def _is_at_rest(scene: Scene, key: PoseKeyframeConstraint) -> bool:
    """Whether the joints that a key leaves out are at rest on its frame and beside it, in every sample, in the end or
    before targets move them."""
    skeleton = scene.goals.skeleton
    left = [i for i, name in enumerate(skeleton.names) if name not in key.joint_rotations]
    if skeleton.root in left and any(key.frame in path.frames for path in scene.goals.paths):
        left.remove(skeleton.root)  # it is the path's there, whatever the mode
    beside = slice(max(key.frame - 1, 0), key.frame + 2)
    rest = skeleton.rest_rotations_xyzw[left]
    return bool(left) and any(
        all(_apart(pose.rotations_xyzw[beside, left], rest) <= ROUNDING for pose in poses)
        for poses in (scene.solved, scene.raw)
    )


def _apart(a: FloatArray, b: FloatArray) -> float:
    """How far rotations (..., 4) are apart at most, in parts of a quaternion of either sign."""
    return float(np.minimum(np.abs(a - b).max(axis=-1), np.abs(a + b).max(axis=-1)).max(initial=0.0))
