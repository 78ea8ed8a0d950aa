# SPDX-License-Identifier: Apache-2.0
"""What this model does not use, said field by field."""

from __future__ import annotations

from motionmcp.schemas import GenerateRequest

NO_TEXT = "this model does not read text: the span is filled from keys, paths and targets"


def fields(request: GenerateRequest) -> dict[str, str]:
    """Paths of fields without an effect in this request, with the reason."""
    return {
        "segments.prompt": NO_TEXT,
        "segments.language": "this model does not read text",
        "options.diffusion_steps": "this model has no diffusion steps",
        "options.guidance": "this model has no prompt to be guided by",
    }
