# SPDX-License-Identifier: Apache-2.0
"""The model's own options, declared once: capabilities, defaults and reading come from this table."""

from __future__ import annotations

from dataclasses import dataclass

from motionmcp.schemas import GenerateRequest, ModelOption

DECLARED = [
    ModelOption.model_validate(row)
    for row in (
        {
            "name": "easing",
            "type": "enum",
            "title": "Easing",
            "description": "Between keys: smooth flows through them, ease_in_out stops at each, linear keeps "
            "an even pace, hold keeps a pose until the next key.",
            "default": "smooth",
            "values": ["smooth", "ease_in_out", "linear", "hold"],
        },
        {
            "name": "overshoot",
            "type": "number",
            "title": "Overshoot",
            "description": "How far curves may swing past a key: 0 never, 1 as loosely as a spline through the keys.",
            "default": 0.0,
            "minimum": 0.0,
            "maximum": 1.0,
        },
        {
            "name": "variation",
            "type": "number",
            "title": "Variation",
            "description": "How much the second and further samples differ from the first, between the keys.",
            "default": 0.5,
            "minimum": 0.0,
            "maximum": 1.0,
        },
        {
            "name": "footsteps",
            "type": "boolean",
            "title": "Footsteps",
            "description": "Feet stand and step between keys and along paths. Off: legs follow their keys alone.",
            "default": True,
        },
        {
            "name": "relaxed_arms",
            "type": "boolean",
            "title": "Relaxed arms",
            "description": "Arms that no key speaks about hang at the sides, and do not stand out as in a T-pose.",
            "default": True,
        },
    )
]


@dataclass(frozen=True)
class Dials:
    """The options of one request, defaults filled in."""

    easing: str = "smooth"
    overshoot: float = 0.0
    variation: float = 0.5
    footsteps: bool = True
    relaxed_arms: bool = True

    @classmethod
    def of(cls, request: GenerateRequest) -> Dials:
        """From a checked request: names and values are known to be declared."""
        sent = (request.options.model_options if request.options else None) or {}
        return cls(**{o.name: sent.get(o.name, o.default) for o in DECLARED})
