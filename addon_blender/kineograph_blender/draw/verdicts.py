# SPDX-License-Identifier: GPL-3.0-or-later
"""How well a take met what was asked: a verdict for each key, pin, path and waypoint, in words, numbers and colour."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bridge import fit
from ..bridge.pace import in_pieces, whole
from ..takes import Take
from .misses import Measured, Miss
from .shapes import Color, Lines, Picture, cross

FloatArray = NDArray[np.floating[Any]]

_AT_ONCE = 24
"""Frames whose figure is worked out in one piece: forward kinematics takes as long for one."""
_Found = tuple[dict[str, Any], dict[str, Any], Miss, list[int], str]
_FRAMES = re.compile(r"\b(frames? )(\d+(?:(?:, | to )\d+)*)")
_NUMBER = re.compile(r"\d+")

_WORDS = {"timing.fps": "frame rate", "num_samples": "samples", "keyframe_budget": "fewer keys"}
"""What the panels call what a request has other names for."""

MET_CM, MET_DEG = 0.5, 0.5
NEAR_CM, NEAR_DEG = 2.0, 5.0


class Grade(StrEnum):
    """How far off it is."""

    MET = "met"
    NEAR = "near"
    MISSED = "missed"


COLORS: Mapping[Grade, Color] = {
    Grade.MET: (0.35, 0.85, 0.45, 1.0),
    Grade.NEAR: (0.98, 0.75, 0.2, 1.0),
    Grade.MISSED: (0.98, 0.35, 0.3, 1.0),
}


@dataclass(frozen=True, eq=False)
class Verdict:
    """One thing that was asked, at the scene frame where it was missed most.

    ``cm`` and ``deg`` are the miss there, None where it was no question; ``wanted_bu`` and ``got_bu`` (3,) are where
    the joint was to be and where it is, the same for a turn. ``reason``: why it was changed or ignored.
    """

    kind: str
    name: str
    frame: int
    cm: float | None
    deg: float | None
    grade: Grade
    wanted_bu: FloatArray
    got_bu: FloatArray
    reason: str = ""

    @property
    def amount(self) -> str:
        """'0.2 cm, 1.0°'."""
        parts = [f"{self.cm:.1f} cm"] if self.cm is not None else []
        parts += [f"{self.deg:.1f}°"] if self.deg is not None else []
        return ", ".join(parts) or "no number"

    @property
    def what(self) -> str:
        """'pin 'Grab' at 90'."""
        return f"key at {self.frame}{self._of}" if self.kind == "key" else f"{self.kind} {self.name!r} at {self.frame}"

    @property
    def short(self) -> str:
        """'met', else the amount: where an icon says how bad that is."""
        return "met" if self.grade is Grade.MET else self.amount

    @property
    def label(self) -> str:
        """In the viewport, beside the place: 'Grab missed by 4.2 cm', 'key 90 met'."""
        what = f"key {self.frame}{self._of}" if self.kind == "key" else self.name
        return f"{what} met" if self.grade is Grade.MET else f"{what} {self.grade} by {self.amount}"

    @property
    def _of(self) -> str:
        return f" of {self.name}" if self.kind == "key" and self.name and self.grade is not Grade.MET else ""


def grade(cm: float | None, deg: float | None) -> Grade:
    """From a miss in centimetres and degrees."""
    if (cm or 0.0) <= MET_CM and (deg or 0.0) <= MET_DEG:
        return Grade.MET
    return Grade.NEAR if (cm or 0.0) <= NEAR_CM and (deg or 0.0) <= NEAR_DEG else Grade.MISSED


def of_take(take: Take, sample: int = 0, *, in_place: bool = False) -> list[Verdict]:
    """Verdicts of one sample of a take, the worst first. Leads are no question of the user's.

    ``in_place``: each stands where the motion without its way over the floor has it.
    """
    return whole(judging(take, sample, in_place=in_place))


def judging(take: Take, sample: int = 0, *, in_place: bool = False) -> Generator[None, None, list[Verdict]]:
    """``of_take`` in pieces of about a millisecond."""
    seen = Measured(take.result.clip(sample, take.rig.skeleton))
    last = take.lead_in + (take.frames if take.frames is not None else take.result.frames)
    entries = {e.get("index"): e for e in take.report.get("constraints") or []}

    def of_one(numbered: tuple[int, tuple[dict[str, Any], dict[str, Any]]]) -> _Found | None:
        index, (item, ref) = numbered
        miss = seen.miss(item)
        if miss is None:
            return None
        inside = _told(ref, miss, [k for k, f in enumerate(miss.frames) if take.lead_in <= f < last])
        return item, ref, miss, inside, str((entries.get(index) or {}).get("reason") or "")

    asked = list(enumerate(zip(take.asked, take.refs, strict=False)))
    found = [one for one in (yield from in_pieces(asked, of_one)) if one is not None]
    stops = sorted({miss.frames[k] for _, _, miss, inside, _ in found for k in inside})
    for first in range(0, len(stops), _AT_ONCE):
        yield from seen.looking(stops[first : first + _AT_ONCE])
        yield
    parts = yield from in_pieces(found, lambda one: _of_miss(take, seen, *one))
    out = [verdict for part in parts for verdict in part]
    if in_place and out:
        yield
        out = _without_the_way(take, sample, out)
    return sorted(out, key=lambda v: (-_share(v.cm, v.deg), v.frame))


def _without_the_way(take: Take, sample: int, found: list[Verdict]) -> list[Verdict]:
    back = take.rig.frame.points_bu
    gone_bu = back(fit.way_m(take.clip(sample))) - back(np.zeros(3))
    moved = [(v, gone_bu[v.frame - take.start]) for v in found]
    return [replace(v, wanted_bu=v.wanted_bu - by, got_bu=v.got_bu - by) for v, by in moved]


def changed(take: Take, later: int = 0) -> list[str]:
    """What was changed, ignored or not sent, a line each, with why; and bones that were known again. Frames are the
    scene's, of a take that was written ``later`` frames after its own start."""
    lines = [f"bone {old!r} is called {new!r} now" for old, new in _renamed(take).items()]
    for n, entry in enumerate(take.report.get("constraints") or []):
        if entry.get("outcome") not in (None, "applied"):
            ref = take.refs[n] if n < len(take.refs) else {}
            lines.append(f"{ref.get('kind', 'constraint')} {ref.get('object', n + 1)!r} {_why(entry)}")
    for entry in take.report.get("segments") or []:
        nth = _prompt_of(take, int(entry.get("index") or 0))
        for found in entry.get("fields") or []:
            what = nth if found["name"] == "prompt" else f"{nth}: {found['name']}"
            lines.append(f"{what} {_why(found)}")
    for group in ("options", "request"):
        lines += [
            f"{_WORDS.get(e['name'], e['name'])} {_why(e)}"
            for e in take.report.get(group) or []
            if e.get("outcome") != "applied"
        ]
    first = take.start - take.lead_in + later
    told = [in_scene_frames(line, first) for line in lines]
    return list(dict.fromkeys([*told, *(f"{r.what}: {r.why}" for r in take.remarks)]))


def _prompt_of(take: Take, index: int) -> str:
    """A prompt by its words: in a take of some blocks its number is not the block's."""
    text = take.prompts[index][0] if index < len(take.prompts) else ""
    return f"prompt {text!r}" if text else f"stretch {index + 1}"


def in_scene_frames(text: str, first: int) -> str:
    """A sentence of the daemon's, which counts frames from 0, with the scene's; ``first`` is the request's frame 0."""
    return _FRAMES.sub(lambda m: m[1] + _NUMBER.sub(lambda n: str(int(n[0]) + first), m[2]), text)


def _renamed(take: Take) -> dict[str, str]:
    return take.applied[-1].renamed if take.applied else {}


def picture(verdicts: list[Verdict], size_bu: float) -> Picture:
    """Short lines from where it was to be to where it is, each with its number."""
    out = Picture()
    for verdict in verdicts:
        color = COLORS[verdict.grade]
        out.lines.append(Lines(cross(verdict.wanted_bu, 0.05 * size_bu), color))
        if float(np.linalg.norm(verdict.wanted_bu - verdict.got_bu)) > 1e-6:
            out.line(np.stack([verdict.wanted_bu, verdict.got_bu]), color, 2.5)
        out.label(verdict.wanted_bu, verdict.label, color, verdict.frame)
    return out


def _told(ref: Mapping[str, Any], miss: Miss, inside: list[int]) -> list[int]:
    """Of a constraint's frames, the worst; all of waypoints, each of which is a thing of its own."""
    if not inside or ref.get("kind") == "waypoint":
        return inside
    return [inside[int(np.argmax(_shares(miss)[inside]))]]


def _of_miss(
    take: Take,
    seen: Measured,
    item: Mapping[str, Any],
    ref: Mapping[str, Any],
    miss: Miss,
    inside: list[int],
    reason: str,
) -> list[Verdict]:
    """A verdict for each of the ``inside`` places of a constraint."""
    names = ref.get("names") or []
    back = take.rig.frame.points_bu
    out = []
    for k in inside:
        cm, deg = _at(miss.cm, k), _at(miss.deg, k)
        wanted, got = _places(seen, item, miss, k)
        name = names[k] if k < len(names) else str(ref.get("object") or "")
        if ref.get("kind") == "key":
            name = miss.joint
        at = miss.frames[k] - take.lead_in + take.start
        kind = str(ref.get("kind") or "constraint")
        out.append(Verdict(kind, name, at, cm, deg, grade(cm, deg), back(wanted), back(got), reason))
    return out


def _places(seen: Measured, item: Mapping[str, Any], miss: Miss, k: int) -> tuple[FloatArray, FloatArray]:
    """Where it was to be and where it is, metres. A turn is shown where the joint is that is furthest off."""
    frame, joint = miss.frames[k], seen.index[miss.joint]
    got = seen.place_m(frame, joint)
    if item["type"] == "effector_target":
        return np.asarray(item["positions"][k], float), got
    if item["type"] == "root_path":
        x, z = item["positions_xz"][k]
        return np.array([x, 0.0, z]), got * [1.0, 0.0, 1.0]
    place = item.get("root_position")
    if place is not None and _share(None, _at(miss.deg, k)) <= _share(_at(miss.cm, k), None):
        return np.asarray(place, float), np.asarray(seen.clip.root_m[frame], float)
    return got, got


def _share(cm: float | None, deg: float | None) -> float:
    return max((cm or 0.0) / MET_CM, (deg or 0.0) / MET_DEG)


def _shares(miss: Miss) -> FloatArray:
    """``_share`` of all frames at once."""
    none = np.zeros(len(miss.frames))
    cm, deg = (none if values is None else values for values in (miss.cm, miss.deg))
    return np.asarray(np.maximum(cm / MET_CM, deg / MET_DEG))


def _at(values: FloatArray | None, k: int) -> float | None:
    return None if values is None else float(values[k])


def _why(entry: Mapping[str, Any]) -> str:
    reason = entry.get("reason")
    return f"{entry.get('outcome')}" + (f": {reason}" if reason else "")
