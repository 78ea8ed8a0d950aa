# SPDX-License-Identifier: Apache-2.0
"""Variants: the same keys, another performance.

Slow waves are laid over trunk, arms and head between the keys, drawn from a seed: the same seed gives the same
variant. The waves vanish at every key of the joint and at the borders of their segment, so keys stay exact and
drawing one segment again changes that span alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from motionmcp.schemas import GenerateRequest
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph_daemon.solve import blend, curves
from kineograph_daemon.solve.body import Body, Limb
from kineograph_daemon.solve.goals import Goals
from kineograph_daemon.solve.pose import Pose

FloatArray = NDArray[np.floating[Any]]

LARGEST_RAD = np.radians(17.0)
"""How far the waves turn one joint at full variation, a typical peak."""
PERIODS_S = (0.8, 3.0)
WAVES = 3
RISE_S = 0.4
"""Beside a key and at open ends the waves rise over this long, seconds."""


@dataclass(frozen=True)
class Span:
    """Frames [start, stop) varied by one seed."""

    start: int
    stop: int
    seed: tuple[int, ...]


def spans(request: GenerateRequest, sample: int, drawn: int) -> list[Span]:
    """Which frames of a sample are varied, and by which seeds.

    The first sample is the plain one; a segment with a seed of its own is varied in every sample. ``drawn`` is the
    request's seed, or the one drawn in its place.
    """
    out, start = [], 0
    if not request.segments:
        return [Span(0, request.total_frames, (drawn, sample, 0))] if sample else []
    for index, segment in enumerate(request.segments):
        stop = start + segment.duration_frames
        own = getattr(segment, "seed", None)
        if own is not None:
            out.append(Span(start, stop, (own, sample, 0)))
        elif sample:
            out.append(Span(start, stop, (drawn, sample, index)))
        start = stop
    return out


@dataclass(frozen=True)
class Variation:
    """What is varied and how much: ``strength`` 0 to 1, ``border_frames`` over which it rises beside other segments."""

    spans: list[Span]
    strength: float
    border_frames: int


def vary(pose: Pose, body: Body, goals: Goals, variation: Variation, *, arms: bool) -> None:
    """Lay waves over the free joints of each span: the ``arms``, or everything else. Changes the pose in place."""
    strength = variation.strength
    if strength <= 0:
        return
    share = _shares(body)
    in_arms = np.isin(np.arange(len(share)), [j for limb in _arms(body) for j in _under(body, limb.top)])
    joints = np.flatnonzero((share > 0) & (in_arms == arms))
    near = _away_from_keys(goals, joints)
    for span in variation.spans:
        if span.stop - span.start < 2:
            continue
        wave = _waves(goals, span, len(body.skeleton))[:, joints]
        window = _inside(span, goals, variation.border_frames)[:, None] * near[span.start : span.stop]
        turn = strength * LARGEST_RAD * share[joints][None, :, None] * wave * window[..., None]
        at = np.ix_(np.arange(span.start, span.stop), joints)
        pose.rotations_xyzw[at] = quat.mul(pose.rotations_xyzw[at], quat.from_rotvec(turn))
    pose.touch()


def room(body: Body, goals: Goals, span: Span, border_frames: int) -> FloatArray:
    """How much the waves of a span may turn each frame and joint that they turn at all (N, K): 0 is not at all."""
    if span.stop - span.start < 2:
        return np.zeros((0, 0))
    near = _away_from_keys(goals, joints(body))
    return _inside(span, goals, border_frames)[:, None] * near[span.start : span.stop]


def joints(body: Body) -> NDArray[np.integer[Any]]:
    """The joints (K,) that the waves turn at all."""
    return np.flatnonzero(_shares(body) > 0)


def _shares(body: Body) -> FloatArray:
    """How much of the waves each joint takes: limbs most, the trunk little, legs and the root nothing."""
    skeleton = body.skeleton
    share = np.zeros(len(skeleton))
    legs = {j for foot in body.feet for j in _under(body, foot.limb.top)}
    arms = {limb.top for limb in _arms(body)}
    elbows = {limb.hinge for limb in _arms(body)}
    for joint in range(len(skeleton)):
        if joint == skeleton.root and len(skeleton) > 1:
            continue
        if joint in legs:
            continue
        share[joint] = 1.0 if joint in arms else 0.7 if joint in elbows else 0.3
    if not body.limbs:
        share[share > 0] = 1.0 / np.sqrt(max(len(skeleton) - 1, 1))
    return share


def _arms(body: Body) -> list[Limb]:
    return [limb for limb in body.limbs.values() if not limb.is_leg]


def _under(body: Body, joint: int) -> list[int]:
    out = [joint]
    for j in out:
        out.extend(body.skeleton.children[j])
    return out


def _waves(goals: Goals, span: Span, joints: int) -> FloatArray:
    """Sums of slow sines (N, J, 3), about 1 at their peaks."""
    rng = np.random.default_rng([s & 0xFFFFFFFFFFFFFFFF for s in span.seed])
    t = np.arange(span.stop - span.start) / goals.fps_hz
    period = rng.uniform(*PERIODS_S, size=(WAVES, joints, 3))
    phase = rng.uniform(0, 2 * np.pi, size=(WAVES, joints, 3))
    weight = rng.normal(size=(WAVES, joints, 3)) / np.sqrt(WAVES)
    angle = 2 * np.pi * t[:, None, None, None] / period + phase
    return np.asarray((np.sin(angle) * weight).sum(axis=1))


def _inside(span: Span, goals: Goals, border_frames: int) -> FloatArray:
    """A window (N,): 0 on the span's first and last frame where other segments meet it, else open."""
    frames = np.arange(span.start, span.stop)
    rise = max(float(border_frames), 1.0)
    window = np.ones(len(frames))
    if span.start > 0 or goals.loop:
        window *= curves.smoothstep((frames - span.start) / rise)
    if span.stop < goals.frames or goals.loop:
        window *= curves.smoothstep((span.stop - 1 - frames) / rise)
    return window


def _away_from_keys(goals: Goals, joints: NDArray[np.integer[Any]]) -> FloatArray:
    """A weight (T, K): 0 on each joint's own keys, full in the middle of long gaps, less in short ones."""
    out = np.ones((goals.frames, len(joints)))
    tracks = goals.rotation_keys()
    cache: dict[bytes, FloatArray] = {}
    for column, joint in enumerate(joints.tolist()):
        if joint not in tracks:
            continue
        frames = tracks[joint][0]
        key = frames.tobytes()
        if key not in cache:
            cache[key] = curves.smoothstep(blend.distance_to(frames, goals.frames) / (RISE_S * goals.fps_hz))
        out[:, column] = cache[key]
    return out
