# SPDX-License-Identifier: Apache-2.0
"""The short way of a motion that is wanted as the model made it: nothing to meet, so nothing is computed or copied.

Taken for ``post_processing: false`` without constraints, on the model's own time line. What the solve would measure
(slide, penetration, jerk) is left out and the report says so; the arrays that travel are the model's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from motionmcp.backbone import Backbone, ModelSpec, MotionResult
from motionmcp.schemas import GenerateRequest
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.pipeline import meet
from kineograph_daemon.pipeline.call import Checked
from kineograph_daemon.pipeline.rates import Line, Moved
from kineograph_daemon.pipeline.types import JobResultData
from kineograph_daemon.solve import report as reports
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]

UNIT_TOLERANCE = 1e-4
"""How far a squared length may be from 1 before a quaternion is normalised."""
NOT_MEASURED = "the motion is as the model made it: slide, penetration and jerk are not measured"


def is_wanted(request: GenerateRequest, line: Line | None) -> bool:
    """Whether the request asks for the model's own motion and nothing else."""
    options = request.options
    return (
        options is not None
        and not options.post_processing
        and options.keyframe_budget is None
        and line is None
        and not request.constraints
    )


def _is_unit(rotations_xyzw: FloatArray, checked: Checked | None) -> bool:
    if checked is None:
        least, greatest = quat.squared_length_range(rotations_xyzw)
    else:
        least, greatest = checked.least_square, checked.greatest_square
    return greatest - 1.0 <= UNIT_TOLERANCE and 1.0 - least <= UNIT_TOLERANCE


def _finite(is_unit: bool, checked: Checked | None, root_m: FloatArray, moved_m: FloatArray | None) -> frozenset[str]:
    """The arrays that need no second look: single precision may be too small for a number that was finite in double."""
    found = {"rotations_xyzw": is_unit}
    if checked is not None:
        found["root_m"] = root_m is checked.result.root_translations
        found["translations_m"] = moved_m is checked.result.translations
    return frozenset(name for name, is_finite in found.items() if is_finite)


def finish(
    request: GenerateRequest,
    backbone: Backbone,
    spec: ModelSpec,
    result: MotionResult,
    mapping: Mapping[str, Any] | None = None,
    checked: Checked | None = None,
) -> JobResultData:
    """The model's answer as the result; ``checked`` is what is known of its numbers, if they are still its own."""
    rotations = np.asarray(result.rotations, np.float32)
    is_unit = _is_unit(rotations, checked)
    if not is_unit:
        rotations = quat.normalize(rotations)
    moved = None if result.translations is None else np.asarray(result.translations, np.float32)
    contacts = {k: np.asarray(v, bool) for k, v in (result.foot_contacts or {}).items()}
    chunks = None if result.chunk_boundaries is None else [[int(f) for f in row] for row in result.chunk_boundaries]
    root = np.asarray(result.root_translations, np.float32)
    work = meet.Work.of(request, backbone, spec, None, Moved(rotations, root, moved, contacts, chunks), mapping)
    facts = meet.facts(work, [], None, result, meet.are_alike(rotations, root))
    if request.options is not None and request.options.loop:  # whether it closes is seen on the motion itself
        poses = [Pose(work.goals.skeleton, q, r) for q, r in zip(rotations, root, strict=True)]
        facts = facts._replace(poses=poses)
    report = {**reports.build(facts), "quality_reason": NOT_MEASURED}
    return JobResultData(
        fps_hz=work.goals.fps_hz,
        joint_names=list(work.goals.skeleton.names),
        rotations_xyzw=rotations,
        root_m=root,
        translations_m=moved,
        contacts=contacts,
        chunk_boundaries=chunks,
        canonical_to_request=result.canonical_to_request,
        keyframes=result.keyframes,
        notes=[dict(n) for n in result.notes] + meet.notes(report),
        trajectories=None if result.trajectories is None else list(result.trajectories),
        report=report,
        are_finite=_finite(is_unit, checked, root, moved),
        is_plain=not facts.ignored and mapping is None,
    )
