# SPDX-License-Identifier: Apache-2.0
"""What the model understands of text: a short table, and how fast and which way.

No language model: a prompt is read for known words. What is not known is said, with the nearest phrase.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from kineograph_daemon.backbones.starter.features import STYLES

PHRASES = (
    "a person walks", "walks slowly", "strolls along", "marches briskly",
    "a person runs", "jogs forward", "sprints away", "a person jumps", "hops on the spot",
)  # fmt: skip
"""Phrases that passed the test of ``benchmarks/starter.py``: the right class of motion at a real pace."""

_VERBS = {
    "walk": (
        "walk", "walks", "walking", "stroll", "strolls", "strolling", "march", "marches", "marching", "steps",
    ),
    "run": ("run", "runs", "running", "jog", "jogs", "jogging", "sprint", "sprints", "sprinting"),
    "jump": ("jump", "jumps", "jumping", "hop", "hops", "hopping", "leap", "leaps", "leaping"),
}  # fmt: skip
"""Words for the classes that passed. The network was told of more classes in training (``STYLES``); a word for one of
those comes in here with the weights that pass its test."""
WORDS = tuple(form for forms in _VERBS.values() for form in forms)
"""Every word of which one is enough for a prompt to be understood."""
_PACE = {
    "slowly": 0.65, "slow": 0.65, "calmly": 0.8, "quickly": 1.35, "quick": 1.35, "fast": 1.4, "briskly": 1.3,
    "brisk": 1.3,
}  # fmt: skip
_TURN_RAD = {"left": 1.5707963, "right": -1.5707963}
JUMP = "jump"
"""The class of motion that gets keys of its own (``leap``)."""
WALK, RUN, RUN_MPS = "walk", "run", 2.1
"""The classes that travel, and the speed at which people go over from walking to running."""
SPEED_MPS = {WALK: 1.25, RUN: 2.7}
"""How fast a body goes where text is all that is known."""


@dataclass(frozen=True)
class Reading:
    """What a prompt says: ``style`` an index into ``STYLES``, ``pace`` a factor on the usual speed, ``aside_rad`` how
    far the way turns off over the segment, ``backwards``. ``nearest`` is a known phrase when nothing was understood."""

    style: int = 0
    pace: float = 1.0
    aside_rad: float = 0.0
    backwards: bool = False
    understood: bool = True
    nearest: str = ""

    @property
    def name(self) -> str:
        """The class of motion, empty for none."""
        return STYLES[self.style]


def read(prompt: str) -> Reading:
    """Read a prompt; an empty one asks for nothing."""
    words = re.findall(r"[a-z]+", prompt.lower())
    if not words:
        return Reading()
    style = next((STYLES.index(name) for w in words for name, forms in _VERBS.items() if w in forms), 0)
    pace = next((_PACE[w] for w in words if w in _PACE), 1.0)
    aside = next((_TURN_RAD[w] for w in words if w in _TURN_RAD), 0.0)
    backwards = any(w in ("backward", "backwards") for w in words)
    if style:
        return Reading(style, pace, aside, backwards)
    near = difflib.get_close_matches(" ".join(words), PHRASES, 1, 0.6)
    return Reading(0, pace, aside, backwards, understood=False, nearest=near[0] if near else "")
