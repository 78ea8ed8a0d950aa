# SPDX-License-Identifier: Apache-2.0
"""What this model does not use of a request, field by field."""

from __future__ import annotations

from motionmcp.schemas import GenerateRequest

from kineograph_daemon.backbones.starter import words

DRAWN_STEPS = 10
"""Steps in which further samples are drawn."""
UNASKED_STEPS = 100
"""MMCP's default says nothing about this model; fewer than that were asked for on purpose."""
UNKNOWN = "the model knows no such motion: the span is filled as if nothing had been said"
KNOWN = "; it knows: " + ", ".join(words.PHRASES)
UNUSED = "nothing of what the model draws is used here: keys fix the frames, or their poses are unlike what it knows"
TOO_LITTLE = "this model makes nothing of it: a pose is most of the joints with the hips, a way two points"
AHEAD = "a cycle ends facing where it began: without a drawn path this model goes straight ahead"
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
    out |= _idle_options(request)
    out["options.transition_frames"] = "segments go over into one another by themselves"
    return out


def changed(request: GenerateRequest) -> dict[str, str]:
    """Options and segments that are taken otherwise than they were asked."""
    out = {}
    options = request.options
    readings = [words.read(str(getattr(s, "prompt", "") or "")) for s in request.segments]
    if any(c.type == "root_path" for c in request.constraints):
        out = {f"segments[{i}]": WALKED for i, r in enumerate(readings) if r.name == words.JUMP}
    elif options is not None and options.loop:
        turning = [i for i, r in enumerate(readings) if r.aside_rad and r.name in words.SPEED_MPS]
        out = {f"segments[{i}]": AHEAD for i in turning}
    if options is not None and DRAWN_STEPS < options.diffusion_steps < UNASKED_STEPS:
        out["options.diffusion_steps"] = f"motion is drawn in {DRAWN_STEPS} steps; more change nothing"
    return out


def _idle_options(request: GenerateRequest) -> dict[str, str]:
    """Steps and seeds that change nothing: only what is drawn depends on them."""
    steps = request.options.diffusion_steps if request.options else UNASKED_STEPS
    samples = request.options.num_samples if request.options else 1
    own = [getattr(s, "seed", None) is not None for s in request.segments]
    out = {}
    if own and all(own):
        out["options.diffusion_steps"] = f"segments with a seed of their own are drawn in {DRAWN_STEPS} steps"
        out["options.seed"] = "every segment brings a seed of its own"
        return out
    if steps >= UNASKED_STEPS:
        out["options.diffusion_steps"] = (
            f"{UNASKED_STEPS} is what is sent where nobody asked: the likeliest motion takes one pass, fewer draw one"
        )
    if samples == 1 and not 1 < steps < UNASKED_STEPS:
        out["options.seed"] = "the first sample is the likeliest motion; a seed tells further samples apart"
    return out
