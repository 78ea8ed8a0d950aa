# SPDX-License-Identifier: Apache-2.0
"""What this model does not use of a request, field by field."""

from __future__ import annotations

from motionmcp.schemas import GenerateRequest

from kineograph_daemon.backbones.starter import words

UNKNOWN = "the model knows no such motion: the span is filled as if nothing had been said"
KNOWN = "; it knows: " + ", ".join(words.PHRASES)
WALKED = "along a drawn path this model walks; it jumps where it stands, or between poses"


def fields(request: GenerateRequest) -> dict[str, str]:
    """Paths of fields without an effect in this request, with the reason."""
    out = {
        "segments.language": "this model reads English words only",
        "options.guidance": "this model has nothing to be guided by",
    }
    for index, segment in enumerate(request.segments):
        prompt = str(getattr(segment, "prompt", "") or "")
        reading = words.read(prompt)
        if prompt and not reading.understood:
            near = f"; the nearest phrase it knows is “{reading.nearest}”" if reading.nearest else KNOWN
            out[f"segments[{index}].prompt"] = UNKNOWN + near
        elif reading.name == words.JUMP and any(c.type == "root_path" for c in request.constraints or ()):
            out[f"segments[{index}].prompt"] = WALKED
    options = request.options
    drawn = options is not None and (options.num_samples > 1 or options.diffusion_steps < 100)
    own = any(getattr(s, "seed", None) is not None for s in request.segments)
    if not drawn and not own:
        out["options.seed"] = "the first sample is the likeliest motion; a seed tells further samples apart"
    out["options.transition_frames"] = "segments go over into one another by themselves"
    return out
