# SPDX-License-Identifier: Apache-2.0
"""Whether what a field does is covered again: by targets on every frame and joint that it moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from motionmcp.schemas import GenerateRequest, Options
from numpy.typing import NDArray

from kineograph_daemon.backbones.interpolate.dials import DECLARED
from kineograph_daemon.solve import targets
from kineograph_daemon.solve.body import Body
from kineograph_daemon.solve.goals import Goals
from kineograph_daemon.solve.meet import Solved
from kineograph_daemon.solve.pose import Pose

BoolArray = NDArray[np.bool_]
Finish = Callable[[GenerateRequest], list[Solved]]

ROUNDING = 1e-6
"""What differs by no more, in metres or in parts of a quaternion, is one motion."""
LONGEST_BORDER = 60
DIAL = "options.model_options."
VALUES: dict[str, tuple[Any, ...]] = {
    "easing": next(tuple(o.values or ()) for o in DECLARED if o.name == "easing"),
    "overshoot": (0.0, 1.0),
    "variation": (0.0, 1.0),
    "footsteps": (True, False),
    "relaxed_arms": (True, False),
}
"""For each dial the values between which it does most."""


def apart(a: Pose, b: Pose) -> BoolArray:
    """Where two motions are not one but for rounding: joints and, last, the root's place (T, J + 1)."""
    pairs = ((a.rotations_xyzw, b.rotations_xyzw), (a.root_m[:, None], b.root_m[:, None]))
    return np.concatenate([np.abs(p - q).max(axis=-1) > ROUNDING for p, q in pairs], axis=1)


def aimed(goals: Goals, body: Body) -> BoolArray:
    """What targets may have made anew (T, J + 1): on their frames the joints that they turn, and their own."""
    out = np.zeros((goals.frames, len(body.skeleton) + 1), bool)
    for track in goals.effectors:
        frames = targets.held_between(track, goals, body.size_m).frames
        turned = [-1] if targets.only_root_above(body, track.joint) else targets.movers(body, track.joint)
        out[np.ix_(frames, np.array([*turned, track.joint]))] = True
    return out


def choices(request: GenerateRequest) -> dict[str, list[GenerateRequest]]:
    """The request with other values of each field that it sets and that could act, by the field's path."""
    options = request.options or Options()
    sent = options.model_options or {}

    def put(**changes: Any) -> GenerateRequest:
        seed = options.seed or 0  # one that is drawn would differ by itself
        return request.model_copy(update={"options": options.model_copy(update={"seed": seed, **changes})})

    out = {DIAL + name: [put(model_options={**sent, name: v}) for v in VALUES[name]] for name in sent}
    if options.seed is not None:
        out["options.seed"] = [put(seed=s) for s in (1, 2)]
    if "transition_frames" in options.model_fields_set:
        out["options.transition_frames"] = [put(transition_frames=n) for n in (0, LONGEST_BORDER)]
    for i, segment in enumerate(request.segments):
        if getattr(segment, "seed", None) is not None:
            others = [segment.model_copy(update={"seed": s}) for s in (1, 2)]
            lists = [[*request.segments[:i], other, *request.segments[i + 1 :]] for other in others]
            out[f"segments[{i}].seed"] = [put().model_copy(update={"segments": segments}) for segments in lists]
    return out


def are_one(made: Iterator[list[Solved]]) -> bool:
    """Whether requests come out as one, sample by sample; no more of them are made than tell two apart."""
    first = next(made)
    return not any(
        apart(a.pose, b.pose).any() or any(not np.array_equal(a.contacts[i], b.contacts[i]) for i in a.contacts)
        for other in made
        for a, b in zip(first, other, strict=True)
    )
