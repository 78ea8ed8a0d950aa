# SPDX-License-Identifier: Apache-2.0
"""Advice on a request that was not sent yet: notes with numbers, never a refusal, never an exception."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kineograph.errors import KineographError, NoteCode
from kineograph.fixes import wording
from kineograph.fixes.catalogue import Severity
from kineograph.fixes.notes import blocks, paths, reach
from kineograph.fixes.notes.base import Finding, Scene
from kineograph.fixes.resolve import Fix, problem

MOST_OF_A_KIND = 6
"""So many notes of one code are given; a scene with a hundred wrong pins has one fault, not a hundred."""

_CHECKS = (
    blocks.too_long_for_model,
    blocks.fps_differs,
    blocks.block_shorter_than_transition,
    blocks.text_not_understood,
    blocks.key_outside_blocks,
    paths.path_too_fast,
    paths.ground_unreachable,
    reach.target_out_of_reach,
)

_MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, KineographError)
"""What odd input can raise inside a check: that check then has nothing to say. The daemon's own checks will."""


@dataclass(frozen=True)
class Note:
    """One note. ``where``: ``path`` into the request and the client's ``ref``; ``fixes`` may change the request."""

    code: NoteCode
    severity: Severity
    text: str
    where: Mapping[str, Any] = field(default_factory=dict)
    fixes: tuple[Fix, ...] = ()


def advise(
    request: Mapping[str, Any],
    capabilities: Mapping[str, Any] | None = None,
    refs: Mapping[str, Any] | None = None,
    first_frame: int = 0,
) -> list[Note]:
    """Notes for an MMCP request, arrays or lists, before it is sent.

    ``capabilities``: the model's entry of MMCP's document, with ``text`` ("ignored", "weak", "full"), ``any_fps`` and
    ``phrases`` and ``words`` from the daemon's extras where known. ``refs``: the client's references, for names in the
    texts. ``first_frame``: what the client calls the request's frame 0, for frames in the texts.
    """
    if not isinstance(request, Mapping):
        return []
    scene = Scene(request, capabilities if isinstance(capabilities, Mapping) else {}, refs or {})
    notes: list[Note] = []
    for check in _CHECKS:
        try:
            with np.errstate(all="ignore"):
                found = list(check(scene))[:MOST_OF_A_KIND]
        except _MALFORMED:
            continue
        notes.extend(_notes(scene, found, first_frame))
    return notes


_FRAMES = ("frame", "first", "last", "last_needed", "nearest_frame")


def _count_from(finding: Finding, first_frame: int) -> None:
    """Say frames as the client counts them; fixes keep the request's own."""
    facts = finding.facts
    for name in _FRAMES:
        value = facts.values.get(name)
        if isinstance(value, int):
            facts.words[name] = wording.number(value + first_frame)
    if finding.code is NoteCode.KEY_OUTSIDE_BLOCKS:
        facts.words["frames"] = wording.names([f + first_frame for f in facts.values["frames"]])


def _notes(scene: Scene, found: list[Finding], first_frame: int) -> Iterator[Note]:
    for finding in found:
        _count_from(finding, first_frame)
        ref = scene.ref(finding.path)
        place = wording.place(finding.path, ref, scene.request)
        if place is not None:
            finding.facts.put("place", place)
            finding.facts.put("Place", wording.capital(place))
        if ref is not None:
            finding.facts.put("ref_raw", ref)
        shown = problem(finding.code, finding.facts)
        yield Note(finding.code, shown.severity, shown.text, {"path": list(finding.path), "ref": ref}, shown.fixes)
