# SPDX-License-Identifier: Apache-2.0
"""What a hosted model can do together with what this daemon adds around it."""

from __future__ import annotations

from motionmcp.backbone import Backbone, ModelSpec

from kineograph_daemon.backbones.base import KineographBackbone
from kineograph_daemon.pipeline import bridge

MET_HERE = ("root_path", "effector_target", "pose_keyframe", "ground_height")
"""Constraint types that the solve meets for every model."""


def widen(spec: ModelSpec, backbone: Backbone) -> ModelSpec:
    """The spec to advertise and check against.

    Every model whose skeleton can be read moves any rig: retargeting is this daemon's. Beyond that only Kineograph's
    own kind of backbone is widened; a plain MMCP backbone takes the constraints that it says it takes.
    """
    any_rig = (
        spec.supports_retargeting or bridge.takes_any_rig(spec, backbone) or bridge.can_carry(spec.canonical_skeleton)
    )
    if not isinstance(backbone, KineographBackbone):
        return spec.model_copy(update={"supports_retargeting": any_rig})
    constraints = [*spec.supported_constraints, *(c for c in MET_HERE if c not in spec.supported_constraints)]
    return spec.model_copy(
        update={
            "supported_constraints": constraints,
            "supports_keyframe_reduction": True,
            "supports_retargeting": any_rig,
        }
    )
