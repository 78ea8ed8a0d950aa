# SPDX-License-Identifier: Apache-2.0
"""A request on the user's rig as the same request on a model's own: keys, paths, targets, ground, clips."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from motionmcp.backbone import ModelSpec
from motionmcp.schemas import (
    EffectorTargetConstraint,
    GenerateRequest,
    GroundHeightConstraint,
    MotionReferenceSegment,
    PoseKeyframeConstraint,
    RootPathConstraint,
)
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, KineographError, RequestError, SceneError
from kineograph.motion import quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton
from kineograph_daemon.retarget import Options, RootPolicy, retarget
from kineograph_daemon.retarget.carry import Carrier, onto_root
from kineograph_daemon.retarget.track import Tracks
from kineograph_daemon.solve.goals import Goals, KeyPose, skeleton_of

FloatArray = NDArray[np.floating[Any]]


def request_on(
    request: GenerateRequest, own: ModelSpec, there: Carrier, goals: Goals
) -> tuple[GenerateRequest, tuple[int, ...]]:
    """The request on the model's skeleton, and the indices of the constraints that are in it.

    A constraint is left out where the model does not know its kind, or where it speaks of joints that the model's
    skeleton has not: the solve meets it afterwards all the same.
    """
    keys = _poses(goals, there)
    constraints, kept = [], []
    for index, c in enumerate(request.constraints):
        if c.type not in own.supported_constraints:
            continue
        told = _constraint(c, index, there, keys)
        if told is not None:
            constraints.append(told)
            kept.append(index)
    skeleton = own.canonical_skeleton
    target = there.plan.target
    segments = [
        _clip(s, i, there.plan.source, target) if isinstance(s, MotionReferenceSegment) else s
        for i, s in enumerate(request.segments)
    ]
    update = {"skeleton": skeleton, "constraints": constraints, "segments": segments}
    return request.model_copy(update=update), tuple(kept)


def _clip(segment: MotionReferenceSegment, index: int, rig: Skeleton, target: Skeleton) -> MotionReferenceSegment:
    try:
        return clip_on(segment, rig, target)
    except SceneError as e:
        raise RequestError(
            ErrorCode.RETARGETING_UNSUPPORTED,
            f"the reference clip cannot be carried over: {e.message}",
            {
                "where": {"path": ["segments", index, "skeleton"], "ref": None},
                "lacks": [str(m) for m in e.details.get("missing", [])],
                "reason": e.message,
            },
        ) from e


def clip_on(segment: MotionReferenceSegment, rig: Skeleton, target: Skeleton) -> MotionReferenceSegment:
    """A reference clip, of its own skeleton or of ``rig``, on ``target``. Raises ``map_incomplete``."""
    source = rig if segment.skeleton is None else skeleton_of(segment.skeleton)
    local = np.broadcast_to(source.rest_rotations_xyzw, (len(segment.root_positions), len(source), 4)).copy()
    local[:, [source.index[n] for n in segment.joint_names]] = quat.normalize(np.asarray(segment.rotations, float))
    clip = Clip(source, float(segment.fps), local, np.asarray(segment.root_positions, float))
    options = Options(root=RootPolicy.ROOT, feet=False)
    result = retarget(clip, None, target, None, options)
    root = result.clip.root_m
    if result.clip.translations_m is not None:
        hips = result.plan.hips.target
        moved = Tracks(target, result.clip.rotations_xyzw, root, result.clip.translations_m)
        root = onto_root(result.plan, result.clip.rotations_xyzw, root, moved.position(hips).T)
    return segment.model_copy(
        update={
            "skeleton": None,
            "joint_names": list(target.names),
            "rotations": result.clip.rotations_xyzw,
            "root_positions": root,
        }
    )


def clips_on(request: GenerateRequest, rig: Skeleton) -> GenerateRequest:
    """The request with reference clips of other skeletons carried onto ``rig``; what has no map stays as it is."""
    if not any(isinstance(s, MotionReferenceSegment) and s.skeleton is not None for s in request.segments):
        return request
    segments = []
    for segment in request.segments:
        if isinstance(segment, MotionReferenceSegment) and segment.skeleton is not None:
            with contextlib.suppress(KineographError):
                segment = clip_on(segment, rig, rig)
        segments.append(segment)
    return request.model_copy(update={"segments": segments})


def _poses(goals: Goals, there: Carrier) -> dict[int, tuple[KeyPose, FloatArray, FloatArray]]:
    """Every pose key carried over: its place in the request to (key, rotations (J, 4), root (3,))."""
    if not goals.keys:
        return {}
    rig = goals.skeleton
    rotations = np.broadcast_to(rig.rest_rotations_xyzw, (len(goals.keys), len(rig), 4)).copy()
    root = np.broadcast_to(rig.rest_positions_m[rig.root], (len(goals.keys), 3)).copy()
    for i, key in enumerate(goals.keys):
        rotations[i, key.joints] = key.rotations_xyzw
        if key.root_m is not None:
            root[i] = key.root_m
    turned, placed = there.motion(rotations, root)
    return {key.where: (key, turned[i], placed[i]) for i, key in enumerate(goals.keys)}


def _constraint(
    c: Any, index: int, there: Carrier, keys: dict[int, tuple[KeyPose, FloatArray, FloatArray]]
) -> Any | None:
    match c:
        case PoseKeyframeConstraint():
            return _key(c, there, *keys[index])
        case RootPathConstraint():
            flat = np.array([[x, 0.0, z] for x, z in c.positions_xz])
            return c.model_copy(update={"positions_xz": [(p[0], p[2]) for p in there.points(flat).tolist()]})
        case EffectorTargetConstraint():
            return _target(c, there)
        case GroundHeightConstraint():
            points = np.asarray(c.points, float)[:, [0, 2, 1]]
            return c.model_copy(update={"points": [(x, z, y) for x, y, z in there.points(points).tolist()]})
    return None


def _key(
    c: PoseKeyframeConstraint, there: Carrier, key: KeyPose, rotations: FloatArray, root_m: FloatArray
) -> PoseKeyframeConstraint | None:
    names, named = there.plan.target.names, frozenset(key.joints.tolist())
    told = {
        names[joint]: tuple(float(x) for x in rotations[joint])
        for joint, drivers in there.driven_by.items()
        if drivers & named
    }
    if not told:
        return None
    root = None if key.root_m is None else tuple(float(x) for x in root_m)
    return c.model_copy(update={"joint_rotations": told, "root_position": root})


def _target(c: EffectorTargetConstraint, there: Carrier) -> EffectorTargetConstraint | None:
    joint = there.plan.source.index[c.joint]
    target = there.target_of.get(joint)
    if target is None:
        return None
    update: dict[str, Any] = {
        "joint": there.plan.target.names[target],
        "positions": [tuple(p) for p in there.points(np.asarray(c.positions, float)).tolist()],
    }
    if c.rotations is not None:
        turned = there.turns(joint, quat.normalize(np.asarray(c.rotations, float).reshape(-1, 4)))
        update["rotations"] = None if turned is None else [tuple(q) for q in turned.tolist()]
    return c.model_copy(update=update)
