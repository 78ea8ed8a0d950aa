# SPDX-License-Identifier: Apache-2.0
"""The simplest shape that a travel path keeps to, and where on it the body is in each frame.

Tried in turn: still, a straight line, an arc, a cubic Bezier. A loop may only be one that repeats: the first three.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kineograph_daemon.mmcp.trajectory.gait import Gait
from kineograph_daemon.mmcp.trajectory.rig import Complexes, Floats
from kineograph_daemon.mmcp.trajectory.smooth import average, monotone_keys, pchip, slope

# Across the path: root mean square and largest distance, each with a share of the distance travelled. Along it there
# is no tolerance, because the body itself sets the time.
_RMS_M, _MOST_M, _SHARE = 0.015, 0.04, 0.025
_STILL_M, _CREEP_M, _CREEP_M_S = 0.06, 0.08, 0.05
_SPOT_NET_M, _SPOT_REACH_M = 0.15, 0.25
_LARGEST_RADIUS_M = 60.0
_TIMING_S = 0.1
_BEYOND_M = 3.0
"""A shape runs on this far past its ends, for a body that starts behind it."""
_ARC_POINTS, _CURVE_POINTS = 720, 400
_TINY = 1e-6

Project = Callable[[Complexes], Complexes]


@dataclass(frozen=True)
class Shape:
    """A shape laid under a path: ``points`` (T,) in the path's own time, ``project`` puts a body onto it (None:
    it does not move), and its numbers in MMCP's terms."""

    model: str
    points: Complexes
    project: Project | None = None
    numbers: dict[str, Any] = field(default_factory=dict)


def choose(gait: Gait) -> Shape:
    """The first shape within tolerance of the travel path, or the closest one."""
    path, _ = gait.path
    n, fps = len(path), gait.body.fps
    if n < 3:
        return Shape("still", path)
    steps = np.abs(np.diff(path))
    distance_m = float(steps.sum())
    tangent = _tangents(path)
    closest: tuple[float, Shape] | None = None
    for make in (_still, _line, _arc) if gait.body.loop else (_still, _line, _arc, _curve):
        shape = make(gait, path)
        if shape is None:
            continue
        off = shape.points - path
        across = np.abs((off * tangent.conj()).imag) if tangent is not None else np.abs(off)
        rms = math.sqrt(float(np.mean(across**2)))
        shape.numbers["off_cm"] = round(rms * 100, 1)
        if shape.model == "still":
            fits = float(np.abs(off).max()) <= _STILL_M or _stays(path, distance_m, (n - 1) / fps)
        else:
            fits = rms <= _RMS_M + _SHARE * distance_m and float(across.max()) <= _MOST_M + 2 * _SHARE * distance_m
        if fits:
            return shape
        error = float(np.mean(off.real**2 + off.imag**2))
        if closest is None or error < closest[0]:
            closest = (error, shape)
    assert closest is not None  # still always has a shape
    return closest[1]


def timed(shape: Shape, gait: Gait) -> Complexes:
    """The shape's point nearest to the body in each frame."""
    if shape.project is None:
        return shape.points
    body = gait.body
    return shape.project(average(body.mass, _TIMING_S * body.fps, body.loop))


def _stays(path: Complexes, distance_m: float, duration_s: float) -> bool:
    net = float(np.abs(path[-1] - path[0]))
    if net < _CREEP_M and distance_m / max(duration_s, _TINY) < _CREEP_M_S:
        return True
    return net < _SPOT_NET_M and float(np.abs(path - path[0]).max()) < _SPOT_REACH_M


def _tangents(path: Complexes) -> Complexes | None:
    """Unit directions along the path; where it stands or turns back, the nearest real one. None if it never moves."""
    tangent = slope(path)
    length = np.abs(tangent)
    moving = length > _TINY
    if moving.all():
        return tangent / length
    at = np.flatnonzero(moving)
    if not len(at):
        return None
    frames = np.arange(len(path))
    unit = tangent[at] / length[at]
    tangent = np.interp(frames, at, unit)
    weak = np.abs(tangent) < 0.5
    if weak.any():
        full = np.zeros(len(path), np.complex128)
        full[at] = unit
        tangent[weak] = full[at[np.abs(frames[weak, None] - at).argmin(axis=1)]]
    return tangent / np.maximum(np.abs(tangent), 1e-12)


def _still(_gait: Gait, path: Complexes) -> Shape:
    return Shape("still", np.full(len(path), path.mean()))


def _line(_gait: Gait, path: Complexes) -> Shape:
    middle = path.mean()
    off = path - middle
    # The principal axis of the points: half the angle of their summed squares.
    direction = np.exp(0.5j * np.angle(np.sum(off * off)))
    if (direction.conjugate() * (path[-1] - path[0])).real < 0:
        direction = -direction
    along = (off * direction.conjugate()).real
    low, high = float(along.min()) - _BEYOND_M, float(along.max()) + _BEYOND_M

    def project(body: Complexes) -> Complexes:
        at = np.clip(((body - middle) * direction.conjugate()).real, low, high)
        return np.asarray(middle + at * direction)

    heading_deg = round(math.degrees(float(np.angle(direction))), 1)
    return Shape("line", middle + along * direction, project, {"heading_deg": heading_deg})


def _arc(_gait: Gait, path: Complexes) -> Shape | None:
    circle = _circle(path)
    if circle is None:
        return None
    centre, radius = circle
    off = path - centre
    length = np.abs(off)
    if float(length.min()) < _TINY:
        return None
    angle = np.unwrap(np.angle(off))
    beyond = min(math.pi / 2, _BEYOND_M / radius)
    low, high = float(angle.min()) - beyond, float(angle.max()) + beyond

    def project(body: Complexes) -> Complexes:
        return _onto_arc(body, centre, radius, low, high)

    return Shape("arc", centre + radius * off / length, project, {"radius_m": round(radius, 2)})


def _circle(path: Complexes) -> tuple[complex, float] | None:
    """The circle of least algebraic error (Kasa, 1976): ``(centre, radius)``."""
    x, y = path.imag, -path.real
    try:
        (d, e, f), *_ = np.linalg.lstsq(np.stack([x, y, np.ones_like(x)], 1), -(x * x + y * y), rcond=None)
    except np.linalg.LinAlgError:
        return None
    centre_x, centre_y = -d / 2, -e / 2
    square = float(centre_x**2 + centre_y**2 - f)
    if not 0 < square <= _LARGEST_RADIUS_M**2:
        return None
    return complex(-centre_y, centre_x), math.sqrt(square)


def _onto_arc(body: Complexes, centre: complex, radius: float, low: float, high: float) -> Complexes:
    """Nearest points of the chords between evenly spread points of an arc that may go round more than once.

    The chords matter: a body near the centre is put on the middle of one, so each time round is a candidate.
    """
    step = (high - low) / (_ARC_POINTS - 1)
    times_round = np.arange(math.ceil((high - low) / (2 * math.pi)))[:, None]
    turn = np.mod(np.angle(body - centre) - low, 2 * math.pi) + 2 * math.pi * times_round
    start = radius * np.exp(1j * (low + np.minimum(np.floor(turn / step), _ARC_POINTS - 2) * step))
    chord = start * (np.exp(1j * step) - 1)
    u = np.clip(((body - centre - start) * chord.conj()).real / np.abs(chord) ** 2, 0.0, 1.0)
    first = np.full((1, len(body)), centre + radius * np.exp(1j * low))
    return _nearest(np.concatenate([centre + start + u * chord, first]), body)


def _nearest(candidates: Complexes, body: Complexes) -> Complexes:
    """Of the candidates ``(k, T)``, the one nearest to the body in each frame."""
    best = np.abs(candidates - body).argmin(axis=0)
    return np.asarray(candidates[best, np.arange(len(body))])


def _curve(gait: Gait, path: Complexes) -> Shape | None:
    steps = np.abs(np.diff(path))
    length = float(steps.sum())
    if length < _TINY:
        return None
    times = np.arange(len(path)) / gait.body.fps
    done = np.concatenate([[0.0], np.cumsum(steps)]) / length
    ease = np.clip(pchip(gait.keys_s, monotone_keys(done, times, gait.keys_s), times), 0, 1)
    basis = _bernstein(ease)
    control, *_ = np.linalg.lstsq(basis, np.stack([path.real, path.imag], 1), rcond=None)
    points: Complexes = control[:, 0] + 1j * control[:, 1]
    guide = _run_on(_bernstein(np.linspace(0.0, 1.0, _CURVE_POINTS)) @ points)
    numbers = {"control_points_xz": [[round(float(x), 3), round(float(z), 3)] for z, x in control]}
    project = (lambda body: _onto_broken_line(body, guide)) if len(guide) > 1 else None
    return Shape("bezier", basis @ points, project, numbers)


def _bernstein(u: Floats) -> Floats:
    v = 1 - u
    return np.stack([v**3, 3 * v**2 * u, 3 * v * u**2, u**3], 1)


def _run_on(points: Complexes) -> Complexes:
    """A path's points, run straight on past both ends."""
    points = points[np.concatenate([[True], np.abs(np.diff(points)) > _TINY])]
    if len(points) < 2:
        return points
    k = max(1, len(points) // 20)

    def unit(a: complex, b: complex) -> complex:
        return (b - a) / max(abs(b - a), 1e-9)

    first = points[0] - unit(points[0], points[k]) * _BEYOND_M
    last = points[-1] + unit(points[-1 - k], points[-1]) * _BEYOND_M
    return np.concatenate([[first], points, [last]])


def _onto_broken_line(body: Complexes, guide: Complexes) -> Complexes:
    """Nearest points of a broken line. The nearest vertex tells the segment: one of its two, or an end's run-on,
    whose length keeps its vertices far from points beside it."""
    inner = guide[1:-1]
    cross = np.outer(body.real, inner.real) + np.outer(body.imag, inner.imag)
    nearest = (inner.real**2 + inner.imag**2 - 2 * cross).argmin(axis=1) + 1
    last = len(guide) - 2
    segments = np.stack([nearest - 1, nearest, np.zeros_like(nearest), np.full_like(nearest, last)])
    a, chord = guide[segments], guide[segments + 1] - guide[segments]
    square = np.maximum(chord.real**2 + chord.imag**2, 1e-12)
    u = np.clip(((body - a) * chord.conj()).real / square, 0.0, 1.0)
    return _nearest(a + u * chord, body)
