# SPDX-License-Identifier: Apache-2.0
"""``retarget``: a clip on one rig becomes a clip on another. Pure: arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, RequestError
from kineograph.motion.clip import Clip
from kineograph.motion.resample import resample
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import RigMap
from kineograph_daemon.retarget import feet, known, lost, pairs, restpose, root, transfer, twist
from kineograph_daemon.retarget.contacts import Contact
from kineograph_daemon.retarget.options import Options, Rest, RootPolicy
from kineograph_daemon.retarget.plan import Plan, compile_plan
from kineograph_daemon.retarget.restpose import RestPose
from kineograph_daemon.retarget.root import Travel
from kineograph_daemon.retarget.track import Tracks

FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Result:
    """``clip`` on the target. ``source`` is the clip it was made from, at the same rate. ``contacts`` are the spans in
    which feet (and hands, if asked) were held; ``travel`` is what the root policy ``object`` took off the skeleton."""

    clip: Clip
    source: Clip
    plan: Plan
    contacts: tuple[Contact, ...] = ()
    travel: Travel | None = None
    notes: tuple[str, ...] = field(default=())


def retarget(
    clip: Clip,
    source_map: RigMap | None,
    target: Skeleton,
    target_map: RigMap | None = None,
    options: Options | None = None,
    *,
    source_rest: RestPose | None = None,
) -> Result:
    """Move ``clip`` onto ``target``. Maps default to ``roles_of`` the skeletons.

    Raises ``map_incomplete`` naming what is missing, and ``invalid_parameters`` for a clip with no frame or numbers
    that are not finite.
    """
    options = options or Options()
    _check(clip, options)
    clip = replace(clip, skeleton=known.same(clip.skeleton))
    source_map = source_map or known.rig_map(clip.skeleton)
    target_map = target_map or known.rig_map(target)
    if options.fps_hz is not None:
        clip = resample(clip, options.fps_hz)
    plan = prepare(clip, source_map, target, target_map, options, source_rest)
    turned = transfer.rotations(plan, clip)
    lost.put_back(plan, clip.kept, turned)
    kept = lost.take(plan, clip, turned)
    twist.distribute(plan, turned)
    source = Tracks(clip.skeleton, clip.rotations_xyzw, clip.root_m, clip.translations_m)
    hips_m = root.hips_path(plan, source)
    hips_m[:, 1] += root.floor_shift_m(plan, turned, hips_m)
    contacts: tuple[Contact, ...] = ()
    if options.feet or options.hands:
        contacts = feet.lock(plan, source, turned, hips_m, clip.fps_hz)
    root_m, moved, travel = root.place(plan, turned, hips_m)
    held = {plan.target.names[c.leg.tip]: c.on for c in contacts}
    out = Clip(target, clip.fps_hz, turned, root_m, clip.name, moved, held, kept)
    return Result(out, clip, plan, contacts, travel, _notes(plan))


def prepare(
    clip: Clip,
    source_map: RigMap,
    target: Skeleton,
    target_map: RigMap,
    options: Options,
    source_rest: RestPose | None = None,
) -> Plan:
    """The rest pose chosen and the plan compiled: the part that needs no more than a few frames."""
    if source_rest is None and options.rest in (Rest.AUTO, Rest.BIND):
        # The bind pose is the same for every clip of a rig, and so is all that follows from it.
        key = (known.by_value(clip.skeleton), known.by_value(target), id(source_map), id(target_map), options)
        plan = _PLANS.get(key, lambda: _bound(clip, source_map, target, target_map, options), (source_map, target_map))
        if options.rest is Rest.BIND or plan.source_rest.score >= restpose.GOOD:
            return plan
    pairs.check(clip.skeleton, source_map, target, target_map)
    rest = source_rest or restpose.choose(clip, source_map, restpose.bind(target), target_map, options.rest)
    return compile_plan(rest, clip.skeleton, source_map, target, target_map, options)


_PLANS: known.Kept[Plan] = known.Kept()


def _bound(clip: Clip, source_map: RigMap, target: Skeleton, target_map: RigMap, options: Options) -> Plan:
    pairs.check(clip.skeleton, source_map, target, target_map)
    rest = restpose.choose(clip, source_map, restpose.bind(target), target_map, Rest.BIND)
    return compile_plan(rest, clip.skeleton, source_map, target, target_map, options)


def _check(clip: Clip, options: Options) -> None:
    if not len(clip):
        raise RequestError(ErrorCode.INVALID_PARAMETERS, "the clip has no frames", {"got": 0})
    for what, values in (("rotations", clip.rotations_xyzw), ("root path", clip.root_m)):
        # A sum is not finite when any part is not: one pass, no mask. A NaN that signals does so when it is widened.
        with np.errstate(invalid="ignore"):
            total = float(values.sum(dtype=np.float64))
        if not np.isfinite(total):
            bad = int(np.flatnonzero(~np.isfinite(values).reshape(len(clip), -1).all(axis=1))[0])
            said = f"the clip's {what} is not a number at frame {bad}"
            raise RequestError(ErrorCode.INVALID_PARAMETERS, said, {"frame": bad})
    if options.fps_hz is not None and not 0 < options.fps_hz <= 10_000:
        raise RequestError(ErrorCode.INVALID_PARAMETERS, "the frame rate must be above 0", {"got": options.fps_hz})
    if options.travel_scale is not None and not 0 < options.travel_scale < 1e4:
        said = "the travel's scale must be above 0"
        raise RequestError(ErrorCode.INVALID_PARAMETERS, said, {"got": options.travel_scale})


def _notes(plan: Plan) -> tuple[str, ...]:
    notes = []
    rest = plan.source_rest
    if rest.score < restpose.USABLE:
        notes.append(f"no pose of the source looks like the target's rest pose (score {rest.score:.2f}): choose one")
    elif rest.score < restpose.GOOD:
        notes.append(f"the source's rest pose differs much from the target's (score {rest.score:.2f})")
    if rest.kind is not Rest.BIND:
        where = "" if rest.frame is None else f", frame {rest.frame}"
        notes.append(f"the source's own rest pose was not used but {rest.kind}{where}")
    if plan.options.root is RootPolicy.ROOT and not root.has_root_bone(plan):
        notes.append("the target has no bone above its hips: the travel stays on the hips")
    return tuple(notes)
