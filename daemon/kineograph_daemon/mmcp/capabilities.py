# SPDX-License-Identifier: Apache-2.0
"""MMCP's capabilities document: what this daemon speaks and which models it hosts.

Only MMCP's own words stand in it, so that every MMCP client reads it; what MMCP has no word for (whether text has an
effect, device, state) travels beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from motionmcp.backbone import ModelSpec
from motionmcp.protocol import COORDINATE_SYSTEM, PROTOCOL_VERSION, RESPONSE_FORMATS, ROTATION_FORMAT, UNITS

from kineograph_daemon.mmcp.validate import ModelEntry

_LIMITS_WHEN_SET = ("max_reference_frames", "max_video_bytes", "max_video_seconds")


def document(entries: Mapping[str, ModelEntry]) -> dict[str, Any]:
    """The document over ``entries`` (model id to what it takes), in their order; who cannot tell is left out."""
    return {
        "protocol_version": PROTOCOL_VERSION,
        "rotation_format": ROTATION_FORMAT,
        "coordinate_system": COORDINATE_SYSTEM,
        "units": UNITS,
        "response_formats": list(RESPONSE_FORMATS),
        "models": [model(entry.spec) for entry in entries.values() if entry.spec is not None],
    }


def model(spec: ModelSpec) -> dict[str, Any]:
    """One model's entry. Batches and trajectories come with every model here, whatever its backbone says.

    Limits that are not set and dials that do not exist leave no key: older clients refuse keys that they do not know.
    """
    out: dict[str, Any] = spec.model_dump(mode="json")
    out["supports_batch"] = out["supports_trajectory"] = True
    out["supports_motion_reference_mixed"] = "motion_reference" in spec.supported_segments
    out["limits"] = {k: v for k, v in out["limits"].items() if v is not None or k not in _LIMITS_WHEN_SET}
    if not out["model_options"]:
        del out["model_options"]
    return out
