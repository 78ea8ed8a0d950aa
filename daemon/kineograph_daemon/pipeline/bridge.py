# SPDX-License-Identifier: Apache-2.0
"""Between the user's rig and a model that moves only its own: constraints in, motion out.

What a model is asked on its own skeleton is a hint of what the user asked; what comes back is carried onto the user's
skeleton, where the solve meets every constraint exactly. So a rig that fits roughly still gets its keys to the letter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from motionmcp.backbone import Backbone, ModelSpec, MotionResult
from motionmcp.schemas import GenerateRequest
from motionmcp.schemas import Skeleton as MmcpSkeleton
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, KineographError, RequestError
from kineograph.motion import quat
from kineograph.motion.skeleton import Skeleton
from kineograph_daemon.backbones.base import ToldResult
from kineograph_daemon.pipeline import bridge_in, call
from kineograph_daemon.retarget import known, pairs
from kineograph_daemon.retarget.carry import Carrier
from kineograph_daemon.retarget.reported import mapping_rows
from kineograph_daemon.retarget.restpose import GOOD
from kineograph_daemon.solve.body import rest_floor
from kineograph_daemon.solve.goals import read_goals, skeleton_of
from kineograph_daemon.solve.ground import read_ground

FloatArray = NDArray[np.floating[Any]]

_CONSTRAINT = re.compile(r"constraints\[(\d+)\]")
_SAME_M, _SAME_ROTATION = 1e-3, 1e-4


@dataclass(frozen=True, eq=False)
class Bridge:
    """One request's two rigs. ``there`` carries what is asked, ``back`` what comes; ``kept`` are the indices of the
    constraints that the model was told of."""

    request: GenerateRequest
    asked: GenerateRequest
    there: Carrier
    back: Carrier
    kept: tuple[int, ...]

    def home(self, result: MotionResult, fps_hz: float) -> MotionResult:
        """The model's checked answer on the user's own skeleton."""
        source = self.back.plan.source
        rotations = quat.normalize(np.asarray(result.rotations, np.float64)).astype(np.float32)
        root = np.asarray(result.root_translations, np.float32)
        carried = [self.back.motion(q, r) for q, r in zip(rotations, root, strict=True)]
        contacts = self._contacts(result, rotations, root, fps_hz)
        names = self.back.plan.target.names
        linked = self.back.plan.pairs
        home = replace(
            result,
            rotations=np.stack([q for q, _ in carried]),
            root_translations=np.stack([r for _, r in carried]),
            translations=None,
            keyframes=None,
            trajectories=None,
            joint_names=list(names),
            foot_contacts=contacts,
            canonical_to_request={source.names[p.source]: names[p.target] for p in linked},
            notes=[self._note(dict(n)) for n in result.notes],
        )
        if isinstance(home, ToldResult):
            home.ignored_fields = {self._path(path): why for path, why in home.ignored_fields.items()}
        return home

    def _path(self, path: str) -> str:
        """A field's path in the request that the user sent."""
        found = _CONSTRAINT.match(path)
        return path if found is None else f"constraints[{self.kept[int(found[1])]}]{path[found.end() :]}"

    def _note(self, note: dict[str, Any]) -> dict[str, Any]:
        """A note that speaks of the constraint the user sent, not of its place in what the model got."""
        index = note.get("constraint")
        if isinstance(index, int) and 0 <= index < len(self.kept):
            note["constraint"] = self.kept[index]
        return note

    def _contacts(
        self, result: MotionResult, rotations: FloatArray, root: FloatArray, fps_hz: float
    ) -> dict[str, NDArray[np.bool_]]:
        """Where feet stand: the model's own word on its joints, else what its motion shows."""
        plan = self.back.plan
        names = plan.target.names
        of_name = {plan.source.names[p.source]: names[p.target] for p in plan.pairs}
        told = {of_name[n]: np.asarray(m, bool) for n, m in (result.foot_contacts or {}).items() if n in of_name}
        if told:
            return told
        seen = [self.back.standing(q, r, fps_hz) for q, r in zip(rotations, root, strict=True)]
        return {names[tip]: np.stack([s[tip] for s in seen]) for tip in (seen[0] if seen else {})}

    @cached_property
    def mapping(self) -> dict[str, Any]:
        """What the report says about the two rigs."""
        plan = self.back.plan
        driven = {p.target for p in plan.pairs} | {link.target for link in plan.links}
        notes = []
        if plan.source_rest.score < GOOD:
            notes.append(f"the rig's rest pose differs much from the model's (score {plan.source_rest.score:.2f})")
        return {
            "kind": "retargeted from the model's skeleton",
            "confidence": plan.target_map.confidence,
            "rest_score": plan.source_rest.score,
            "scale": plan.scale,
            "joints": mapping_rows(plan),
            "unmapped": [n for j, n in enumerate(plan.target.names) if j not in driven],
            "constraints_told": list(self.kept),
            "notes": notes,
        }


def between(request: GenerateRequest, backbone: Backbone, spec: ModelSpec) -> Bridge | None:
    """The bridge a request needs (already on the model's time line), or None where the model takes the rig as it is.

    Raises ``retargeting_unsupported`` naming what the rig lacks.
    """
    own: ModelSpec = call.guarded(backbone.capabilities)
    if takes_any_rig(own, backbone) or is_same(request.skeleton, own.canonical_skeleton):
        return None
    rig, canonical = skeleton_of(request.skeleton), skeleton_of(own.canonical_skeleton)
    goals = read_goals(request, request.fps(spec.fps), rig)
    ground = read_ground(goals)
    usual = rest_floor(canonical)
    try:
        # The way back first: what it lacks, the user's rig lacks.
        back = Carrier.between(canonical, rig, source_floor_m=usual, target_floor_m=ground.usual_m)
        there = Carrier.between(rig, canonical, source_floor_m=ground.floor_m, target_floor_m=usual)
    except KineographError as e:
        if _names(request.skeleton) == _names(own.canonical_skeleton):
            return None  # by name it is the model's own rig, of other proportions
        raise refusal(e, spec.id, request.skeleton) from e
    asked, kept = bridge_in.request_on(request, own, there, goals)
    return Bridge(request, asked, there, back, kept)


def takes_any_rig(own: ModelSpec, backbone: Backbone) -> bool:
    """Whether the model itself works on any skeleton."""
    return own.supports_retargeting or bool(getattr(backbone, "any_skeleton", False))


def is_same(sent: MmcpSkeleton, own: MmcpSkeleton) -> bool:
    """Whether a rig is the model's own: names and order, and the same rest pose to a millimetre."""
    return _is_same(skeleton_of(sent), skeleton_of(own))


@lru_cache(maxsize=64)
def _is_same(a: Skeleton, b: Skeleton) -> bool:
    # By identity: a known rig and a model's own are the same two objects each time.
    if a.names != b.names or not np.array_equal(a.parents, b.parents):
        return False
    apart = np.abs(a.rest_translations_m[1:] - b.rest_translations_m[1:]).max(initial=0.0)
    turned = 1.0 - np.abs(np.sum(a.rest_rotations_xyzw * b.rest_rotations_xyzw, axis=-1)).min()
    return bool(apart < _SAME_M and turned < _SAME_ROTATION)


def can_carry(canonical: MmcpSkeleton) -> bool:
    """Whether motion on this skeleton can be carried to other rigs: its limbs are known."""
    skeleton = skeleton_of(canonical)
    try:
        Carrier.between(skeleton, skeleton)
    except KineographError:
        return False
    return known.rig_map(skeleton).confidence > 0.0


def refusal(cause: KineographError, model: str, sent: MmcpSkeleton, suggestions: Sequence[str] = ()) -> KineographError:
    """``retargeting_unsupported`` in place of a map that cannot be made, with what is missing and who takes the rig."""
    missing = [str(m) for m in cause.details.get("missing", [])]
    said = f"model {model!r} cannot move this rig: {cause.message}"
    details: dict[str, Any] = {
        "where": {"path": ["skeleton", "joints"], "ref": None},
        "got": len(sent.joints),
        "model": model,
        "lacks": missing,
        "reason": cause.message,
        "suggestions": list(suggestions),
    }
    return RequestError(ErrorCode.RETARGETING_UNSUPPORTED, said, details)


def misfit(sent: MmcpSkeleton, own: MmcpSkeleton) -> KineographError | None:
    """Why motion on a model's skeleton cannot be carried to a rig, or None when it can.

    For the front, which must not wait: roles are read (once a rig), nothing is compiled.
    """
    source, target = skeleton_of(own), skeleton_of(sent)
    if source.names == target.names:
        return None
    try:
        pairs.check(source, known.rig_map(source), target, known.rig_map(target))
    except KineographError as e:
        return e
    return None


def _names(skeleton: MmcpSkeleton) -> list[str]:
    return [j.name for j in skeleton.joints]
