# SPDX-License-Identifier: Apache-2.0
"""What this model does not use, said field by field.

A dial or a seed is used where it has something to act on. Whether it has is tried, not guessed, and for what the
request sets only: on the curves of the first sample, and on all finished samples where targets stand on every frame
that it moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from motionmcp.schemas import GenerateRequest, MotionReferenceSegment, Options
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.backbones.interpolate import arms, clips, covered, keyed, steps, vary
from kineograph_daemon.backbones.interpolate.covered import DIAL, LONGEST_BORDER, VALUES, Finish, apart
from kineograph_daemon.backbones.interpolate.dials import Dials
from kineograph_daemon.solve import correct, feet
from kineograph_daemon.solve.body import Body, read_body
from kineograph_daemon.solve.curves import Ease
from kineograph_daemon.solve.goals import Goals, read_goals
from kineograph_daemon.solve.ground import Ground, read_ground
from kineograph_daemon.solve.pose import Pose
from kineograph_daemon.solve.report import NO_LENGTH

NO_TEXT = "this model does not read text: the span is filled from keys, paths and targets"
PLAIN = "the first sample is the plain interpolation; a seed tells further samples apart"
STILL = "variation is 0: every sample is the plain interpolation"
FULL = "keys leave nothing free here that could vary"
PLAYED = "a reference clip is played as it is"
COVERED = "targets stand on every frame that it would change"
NO_BORDER = "nothing changes at a border between segments here"


def fields(request: GenerateRequest, finished: Finish, native_fps_hz: float = 30.0) -> dict[str, str]:
    """Paths of fields without an effect in this request, with the reason; ``finished`` makes a request's samples."""
    out = {
        "segments.prompt": NO_TEXT,
        "segments.language": "this model does not read text",
        "options.diffusion_steps": "this model has no diffusion steps",
        "options.guidance": "this model has no prompt to be guided by",
    }
    sent = request.options or Options()
    own = [getattr(s, "seed", None) is not None for s in request.segments]
    if not (sent.model_fields_set - {"diffusion_steps", "guidance"} or any(own)):
        return out
    tried = _Tried(request, finished, native_fps_hz)
    out |= tried.seeds(own) | tried.dials()
    return out | tried.covered(set(out))


def changed(request: GenerateRequest, finished: Finish, native_fps_hz: float = 30.0) -> dict[str, str]:
    """Options and segments that are taken otherwise than they were asked."""
    out = {}
    for index, segment in enumerate(request.segments):
        if isinstance(segment, MotionReferenceSegment) and (how := _fitted(segment, request.fps(native_fps_hz))):
            out[f"segments[{index}]"] = how
    if request.options is not None and request.options.num_samples > 1:
        tried = _Tried(request, finished, native_fps_hz)
        if tried.set.variation == 0 or not any(tried.varies):
            out["options.num_samples"] = f"all samples are one motion: {STILL if tried.set.variation == 0 else FULL}"
    return out


def _fitted(segment: MotionReferenceSegment, fps_hz: float) -> str:
    """How a clip was taken otherwise than it was sent: made to fill its segment, rotations of no length."""
    zero: NDArray[np.bool_] = np.any(quat.is_zero(np.asarray(segment.rotations, float)), axis=-1)
    unturned = f"{NO_LENGTH}, on {int(zero.sum())} of {len(zero)} frames of the clip" if zero.any() else ""
    return "; ".join(filter(None, (_filled(segment, fps_hz), unturned)))


def _filled(segment: MotionReferenceSegment, fps_hz: float) -> str:
    """How a clip of another length was made to fill its segment."""
    have, wanted = clips.frames_at(segment, fps_hz), segment.duration_frames
    if have > wanted:
        return f"the clip has {have} frames at this rate: the last {have - wanted} are cut off"
    how = "it is repeated" if have >= clips.SHORTEST_CYCLE else "its last one is held"
    return "" if have == wanted else f"the clip has {have} frames at this rate, the segment {wanted}: {how}"


class _Tried:
    """One request, and what its dials do to it."""

    def __init__(self, request: GenerateRequest, finished: Finish, native_fps_hz: float) -> None:
        self.request, self.finished = request, finished
        self.options = request.options or Options()
        self.sent = self.options.model_options or {}
        self.set = Dials.of(request)
        self.goals: Goals = read_goals(request, request.fps(native_fps_hz))
        self.body: Body = read_body(self.goals.skeleton)
        self.moved: dict[str, NDArray[np.bool_]] = {}
        """Where a field acts on the curves, by its path: joints and, last, the root's place (T, J + 1)."""

    def covered(self, idle: set[str]) -> dict[str, str]:
        """Fields that act on the curves, where targets stand only, and leave no trace on the finished motion."""
        if not self.goals.effectors or not self.options.post_processing:
            return {}
        aimed = covered.aimed(self.goals, self.body)
        left = {path: requests for path, requests in covered.choices(self.request).items() if path not in idle}
        near = {path: requests for path, requests in left.items() if not (self._moves(path) & ~aimed).any()}
        return {path: COVERED for path, requests in near.items() if covered.are_one(self.finished(r) for r in requests)}

    def _moves(self, path: str) -> NDArray[np.bool_]:
        """What a field may move on the curves, as ``moved``; seeds, variation and borders move what varies."""
        if path not in self.moved:
            self.moved[path] = np.zeros((self.goals.frames, len(self.body.skeleton) + 1), bool)
            waving = vary.joints(self.body)
            for span in self.spans:
                if span.stop - span.start > 1:
                    free = vary.room(self.body, self.goals, span, self.options.transition_frames) > 0
                    self.moved[path][np.ix_(np.arange(span.start, span.stop), waving)] = free
        return self.moved[path]

    @cached_property
    def ground(self) -> Ground:
        return read_ground(self.goals)

    @cached_property
    def has_clips(self) -> bool:
        return any(s.type == "motion_reference" for s in self.request.segments)

    @cached_property
    def spans(self) -> list[vary.Span]:
        """The span of each segment, or the one of a request without any: as a second sample varies them."""
        return vary.spans(self.request, 1, 0)

    @cached_property
    def varies(self) -> list[bool]:
        """For each span whether anything in it may vary."""
        return [bool(vary.room(self.body, self.goals, s, self.options.transition_frames).any()) for s in self.spans]

    def seeds(self, own: list[bool]) -> dict[str, str]:
        """Seeds and what goes with them: variation, and the borders of what is varied."""
        out = {}
        samples, strength = self.options.num_samples, self.set.variation
        for index, free in enumerate(self.varies):
            if strength == 0 or not free:
                out[f"segments[{index}].seed"] = STILL if strength == 0 else FULL
        own = own or [False] * len(self.spans)
        drawn = [free and not given for free, given in zip(self.varies, own, strict=True)]
        if strength == 0:
            out["options.seed"] = STILL
        elif samples == 1:
            out["options.seed"] = PLAIN
        elif not any(drawn):
            out["options.seed"] = "every segment brings a seed of its own" if all(own) else FULL
        used = [free and (given or samples > 1) for free, given in zip(self.varies, own, strict=True)]
        if not any(used):
            out["options.model_options.variation"] = FULL if samples > 1 or any(own) else PLAIN
        if "transition_frames" in self.options.model_fields_set and not self._has_borders(used):
            out["options.transition_frames"] = NO_BORDER
        return out

    def _has_borders(self, used: list[bool]) -> bool:
        """Whether varied spans rise at a border, or clips meet that have to be blended."""
        for span, is_used in zip(self.spans, used, strict=True):
            if is_used and self.set.variation > 0:
                hard, soft = (vary.room(self.body, self.goals, span, n) for n in (0, LONGEST_BORDER))
                if not np.array_equal(hard, soft):
                    return True
        if not self.has_clips or len(self.request.segments) < 2:
            return False
        played = clips.read(self.request, self.goals, self.body)
        return not _same(*(clips.play(played, self.goals, n) for n in (0, LONGEST_BORDER)))

    def dials(self) -> dict[str, str]:
        """The model's own options, those that were sent."""
        tried = {
            "easing": self._easing, "overshoot": self._overshoot,
            "footsteps": self._footsteps, "relaxed_arms": self._relaxed_arms,
        }  # fmt: skip
        found = {name: PLAYED if self.has_clips else why() for name, why in tried.items() if name in self.sent}
        return {f"options.model_options.{name}": why for name, why in found.items() if why}

    def _curves(self, kind: str, overshoot: float) -> Pose:
        pose = keyed.plain(self.goals, self.ground, Ease(kind, overshoot))
        correct.pin(pose, self.goals)  # what only rounds a key otherwise does nothing
        return pose

    def _easing(self) -> str:
        first, *others = (self._curves(kind, self.set.overshoot) for kind in VALUES["easing"])
        moved: NDArray[np.bool_] = np.any([apart(first, o) for o in others], axis=0)
        self.moved[DIAL + "easing"] = moved
        return "" if moved.any() else "nothing changes between two keys or points here"

    def _overshoot(self) -> str:
        if self.set.easing != "smooth":
            return f"easing is {self.set.easing}: only smooth curves swing past a key"
        swings = self.moved[DIAL + "overshoot"] = apart(*(self._curves("smooth", swing) for swing in (0.0, 1.0)))
        return "" if swings.any() else "no curve here could swing past a key: it takes three that differ"

    def _footsteps(self) -> str:
        if not self.body.feet:
            return "this rig has no feet"
        moved = np.zeros((self.goals.frames, len(self.body.skeleton) + 1), bool)
        self.moved[DIAL + "footsteps"] = moved
        acts = False
        for before in self._upright():  # samples that vary may step where the plain one stands
            pose = Pose(before.skeleton, before.rotations_xyzw, before.root_m)
            told = steps.walk(pose, self.body, self.goals, self.ground)
            if told and not self.options.post_processing and not self.request.constraints:
                return ""  # as the model made it: nobody else tells where feet stand
            moved |= apart(before, pose)
            seen = feet.contacts_of(pose, self.body, {}, self.ground, self.goals.fps_hz)
            acts = acts or bool(moved.any()) or not _same_contacts(self.body, told, seen)
            if acts and not (self.options.post_processing and all(t.all() for t in told.values())):
                return ""
        if not acts:
            return "no foot stands or steps between keys here"
        # Feet that stand throughout the solve may hold as well.
        alike = covered.are_one(self.finished(r) for r in covered.choices(self.request)[DIAL + "footsteps"])
        return "feet do the same here without it" if alike else ""

    def _upright(self) -> Iterator[Pose]:
        """The curves of each sample as its feet find them."""
        plain = self._curves(self.set.easing, self.set.overshoot)
        for b in range(self.options.num_samples):
            spans = vary.spans(self.request, b, self.options.seed or 0)
            if spans or b == 0:
                pose = Pose(plain.skeleton, plain.rotations_xyzw, plain.root_m)
                waves = vary.Variation(spans, self.set.variation, self.options.transition_frames)
                vary.vary(pose, self.body, self.goals, waves, arms=False)
                yield pose

    def _relaxed_arms(self) -> str:
        if free := arms.free(self.body, self.goals):
            moved = np.zeros((self.goals.frames, len(self.body.skeleton) + 1), bool)
            moved[:, [j for arm in free for j in (arm.top, arm.hinge)]] = True
            self.moved[DIAL + "relaxed_arms"] = moved
            return ""
        held = len(self.body.feet) == 2 and any(not limb.is_leg for limb in self.body.limbs.values())
        return (
            "no arm is left to hang: keys turn them, or they hang at rest" if held else "this rig has no arms to hang"
        )


def _same(a: Pose, b: Pose) -> bool:
    return not apart(a, b).any()


def _same_contacts(body: Body, told: dict[str, np.ndarray], seen: dict[int, np.ndarray]) -> bool:
    names = body.skeleton.names
    return all(
        np.array_equal(told[names[foot.contact]], seen[i])
        for i, foot in enumerate(body.feet) if names[foot.contact] in told
    )  # fmt: skip
