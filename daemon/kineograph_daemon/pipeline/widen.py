# SPDX-License-Identifier: Apache-2.0
"""What a hosted model can do together with what this daemon adds around it."""

from __future__ import annotations

from motionmcp.backbone import Backbone, ModelSpec

from kineograph_daemon.backbones.base import KineographBackbone

MET_HERE = ("root_path", "effector_target", "pose_keyframe", "ground_height")
"""Constraint types that the solve meets for every model."""


def widen(spec: ModelSpec, backbone: Backbone) -> ModelSpec:
    """The spec to advertise and check against.

    Only Kineograph's own kind of backbone is widened; a plain MMCP backbone promises what it promises, and a client
    that checks it against the protocol must find exactly that.
    """
    if not isinstance(backbone, KineographBackbone):
        return spec
    constraints = [*spec.supported_constraints, *(c for c in MET_HERE if c not in spec.supported_constraints)]
    return spec.model_copy(
        update={
            "supported_constraints": constraints,
            "supports_keyframe_reduction": True,
            "supports_retargeting": spec.supports_retargeting or backbone.any_skeleton,
        }
    )
