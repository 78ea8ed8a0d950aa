# SPDX-License-Identifier: Apache-2.0
"""References: the clip or the video that stands in place of a text prompt. Only their payload is checked here;
everything else about such a segment is a text segment's."""

from __future__ import annotations

from motionmcp.backbone import ModelSpec
from motionmcp.schemas import GenerateRequest, MotionReferenceSegment

from kineograph.errors import ErrorCode
from kineograph_daemon.mmcp.checks_rig import Takers, skeleton, unknown_joint
from kineograph_daemon.mmcp.faults import fault


def motions(request: GenerateRequest, spec: ModelSpec, takers: Takers) -> None:
    """Every clip moves joints of its skeleton (its own, or the request's), the root among them, within the limit."""
    for index, segment in enumerate(request.segments):
        if isinstance(segment, MotionReferenceSegment):
            _motion(request, segment, index, spec, takers)


def _motion(
    request: GenerateRequest, segment: MotionReferenceSegment, index: int, spec: ModelSpec, takers: Takers
) -> None:
    rig = request.skeleton
    where = "the skeleton"
    if segment.skeleton is not None:
        rig = segment.skeleton
        where = "the reference clip's own skeleton"
        skeleton(rig, spec, ["segments", index, "skeleton", "joints"], takers)
    names = frozenset(joint.name for joint in rig.joints)
    for i, joint in enumerate(segment.joint_names):
        if joint not in names:
            raise unknown_joint(joint, names, ["segments", index, "joint_names", i], where)
    root = rig.root.name
    if root not in segment.joint_names:
        raise fault(
            ErrorCode.INVALID_REQUEST,
            f"the reference clip has no track for {root!r}, the root of {where}",
            ["segments", index, "joint_names"],
            official={"root_joint": root, "segment": index},
            got=list(segment.joint_names),
            allowed=f"tracks that include {root!r}",
        )
    cap, frames = spec.limits.max_reference_frames, len(segment.rotations)
    if cap is not None and frames > cap:
        raise fault(
            ErrorCode.INVALID_OPTIONS,
            f"the reference clip has {frames} frames, the limit is {cap}",
            ["segments", index, "rotations"],
            official={"max_reference_frames": cap, "reference_frames": frames, "segment": index},
            got=frames,
            allowed=cap,
        )


def videos(request: GenerateRequest, spec: ModelSpec) -> None:
    """Inline data within the model's bytes, a stated trim within its seconds; the rest only the backbone can see."""
    most_bytes, most_seconds = spec.limits.max_video_bytes, spec.limits.max_video_seconds
    for index, segment in enumerate(request.segments):
        if segment.type != "video_reference":
            continue
        size, seconds = segment.video.num_bytes, segment.trimmed_seconds
        if most_bytes is not None and size is not None and size > most_bytes:
            raise fault(
                ErrorCode.PAYLOAD_TOO_LARGE,
                f"the video has {size:,} bytes, the limit is {most_bytes:,}",
                ["segments", index, "video", "data"],
                official={"max_video_bytes": most_bytes, "video_bytes": size, "segment": index},
                got=size,
                allowed=most_bytes,
            )
        if most_seconds is not None and seconds is not None and seconds > most_seconds:
            raise fault(
                ErrorCode.INVALID_OPTIONS,
                f"the video reference reads {seconds:g} s, the limit is {most_seconds:g} s",
                ["segments", index, "end_s"],
                official={"max_video_seconds": most_seconds, "video_seconds": seconds, "segment": index},
                got=seconds,
                allowed=most_seconds,
            )
