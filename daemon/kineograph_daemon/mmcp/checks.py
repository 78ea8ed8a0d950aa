# SPDX-License-Identifier: Apache-2.0
"""What the named model takes: the checks that need its spec, in MMCP's order.

skeleton -> segment types -> motion references -> video references -> model options -> keyframe budget -> loop ->
constraints one by one (type, joint, frame) -> how many -> samples -> prompt length -> duration
"""

from __future__ import annotations

import typing
from collections.abc import Sequence
from typing import Any

from motionmcp.backbone import ModelSpec
from motionmcp.schemas import GenerateRequest, Segment

from kineograph.errors import ErrorCode, KineographError
from kineograph_daemon.mmcp import checks_options, checks_references
from kineograph_daemon.mmcp.checks_rig import Takers, no_takers, skeleton, unknown_joint
from kineograph_daemon.mmcp.faults import fault

KNOWN_SEGMENTS = frozenset(
    typing.get_args(model.model_fields["type"].annotation)[0] for model in typing.get_args(typing.get_args(Segment)[0])
)
"""Segment types of the schema; any other type is the schema's to refuse."""


def against_spec(request: GenerateRequest, spec: ModelSpec, takers: Takers = no_takers) -> None:
    """Raise the first thing in ``request`` that this model does not take."""
    skeleton(request.skeleton, spec, ["skeleton", "joints"], takers)
    segment_types([segment.type for segment in request.segments], spec, takers)
    checks_references.motions(request, spec, takers)
    checks_references.videos(request, spec)
    checks_options.model_options(request, spec)
    checks_options.keyframe_budget(request, spec, takers)
    checks_options.loop(request, spec, takers)
    _constraints(request, spec, takers)
    checks_options.limits(request, spec)


def segment_types(types: Sequence[Any], spec: ModelSpec, takers: Takers = no_takers) -> None:
    """Every segment type that the schema knows is one the model lists."""
    supported = list(spec.supported_segments)
    for index, kind in enumerate(types):
        if isinstance(kind, str) and kind in KNOWN_SEGMENTS and kind not in supported:
            raise _unsupported_segment(types, spec, index, takers)


def _unsupported_segment(types: Sequence[Any], spec: ModelSpec, index: int, takers: Takers) -> KineographError:
    kind, supported = types[index], list(spec.supported_segments)
    return fault(
        ErrorCode.UNSUPPORTED_SEGMENT,
        f"model {spec.id!r} takes no segments of type {kind!r}",
        ["segments", index],
        official={"supported_segments": supported},
        got=kind,
        allowed=supported,
        suggestions=takers(lambda other: kind in other.supported_segments),
        model=spec.id,
        affected=[i for i, other in enumerate(types) if other == kind],
    )


def _constraints(request: GenerateRequest, spec: ModelSpec, takers: Takers) -> None:
    if not request.constraints:
        return
    names = frozenset(joint.name for joint in request.skeleton.joints)
    total = request.total_frames
    for index, constraint in enumerate(request.constraints):
        if constraint.type not in spec.supported_constraints:
            raise _unsupported_constraint(request, spec, index, takers)
        if constraint.type == "effector_target":
            if constraint.joint not in names:
                raise unknown_joint(constraint.joint, names, ["constraints", index, "joint"])
        elif constraint.type == "pose_keyframe":
            for joint in constraint.joint_rotations:
                if joint not in names:
                    raise unknown_joint(joint, names, ["constraints", index, "joint_rotations", joint])
            _frames([constraint.frame], total, ["constraints", index, "frame"], single=True)
            continue
        if constraint.type != "ground_height":  # the ground is places, not frames
            _frames(constraint.frames, total, ["constraints", index, "frames"])


def _frames(frames: Sequence[int], total: int, path: list[str | int], single: bool = False) -> None:
    for index, frame in enumerate(frames):
        if not 0 <= frame < total:
            raise fault(
                ErrorCode.FRAME_OUT_OF_RANGE,
                f"frame {frame} is outside the motion: its frames are 0 to {total - 1}",
                path if single else [*path, index],
                official={"frame": frame, "total_frames": total},
                got=frame,
                allowed=[0, total - 1],
            )


def _unsupported_constraint(request: GenerateRequest, spec: ModelSpec, index: int, takers: Takers) -> KineographError:
    kind = request.constraints[index].type
    supported = list(spec.supported_constraints)
    return fault(
        ErrorCode.UNSUPPORTED_CONSTRAINT,
        f"model {spec.id!r} takes no constraints of type {kind!r}",
        ["constraints", index],
        official={"supported_constraints": supported},
        got=kind,
        allowed=supported,
        suggestions=takers(lambda other: kind in other.supported_constraints),
        model=spec.id,
        affected=[i for i, other in enumerate(request.constraints) if other.type == kind],
    )
