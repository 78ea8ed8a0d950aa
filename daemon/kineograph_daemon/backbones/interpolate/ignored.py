# SPDX-License-Identifier: Apache-2.0
"""What this model does not use, said field by field."""

from __future__ import annotations

from motionmcp.schemas import GenerateRequest

from kineograph_daemon.backbones.interpolate.dials import Dials

NO_TEXT = "this model does not read text: the span is filled from keys, paths and targets"
PLAIN = "the first sample is the plain interpolation; a seed tells further samples apart"


def fields(request: GenerateRequest) -> dict[str, str]:
    """Paths of fields without an effect in this request, with the reason."""
    out = {
        "segments.prompt": NO_TEXT,
        "segments.language": "this model does not read text",
        "options.diffusion_steps": "this model has no diffusion steps",
        "options.guidance": "this model has no prompt to be guided by",
    }
    dials = Dials.of(request)
    samples = request.options.num_samples if request.options else 1
    own = [getattr(s, "seed", None) is not None for s in request.segments]
    if dials.variation == 0:
        still = "variation is 0: every sample is the plain interpolation"
        out |= {"options.seed": still, "segments.seed": still}
    elif samples == 1:
        out["options.seed"] = PLAIN
    elif own and all(own):
        out["options.seed"] = "every segment brings a seed of its own"
    if not _has_borders(request, samples, own, dials):
        out["options.transition_frames"] = "nothing changes at a border between segments here"
    if samples == 1 and not any(own):
        out["options.model_options.variation"] = PLAIN
    return out


def _has_borders(request: GenerateRequest, samples: int, own: list[bool], dials: Dials) -> bool:
    """Whether segments meet that differ: varied ones, or a clip beside anything else."""
    if len(request.segments) < 2 and not (request.options and request.options.loop):
        return False
    varied = dials.variation > 0 and (samples > 1 or any(own))
    return varied or any(s.type == "motion_reference" for s in request.segments)
