# SPDX-License-Identifier: Apache-2.0
"""``retarget_with_report``: the face for files and folders. Arguments and answers pickle, for a pool of processes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton
from kineograph.rigs import RigMap
from kineograph_daemon.retarget import known, quality
from kineograph_daemon.retarget.options import Options
from kineograph_daemon.retarget.plan import Plan
from kineograph_daemon.retarget.root import Travel
from kineograph_daemon.retarget.run import retarget


@dataclass(frozen=True, eq=False)
class RetargetReport:
    """What happened to one clip. ``figures`` as ``quality.measure`` gives them; ``mapping`` target joint to source
    joint with role, confidence and reason; ``travel`` is what the root policy ``object`` took off; ``seconds`` is the
    transfer alone."""

    figures: Mapping[str, Any]
    mapping: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]
    seconds: float
    frames_per_s: float
    travel: Travel | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the file beside the result."""
        return {
            **self.figures,
            "mapping": [dict(row) for row in self.mapping],
            "notes": list(self.notes),
            "seconds": self.seconds,
            "frames_per_s": self.frames_per_s,
        }


def retarget_with_report(
    clip: Clip,
    source_map: RigMap | None,
    target: Skeleton,
    target_map: RigMap | None = None,
    options: Options | None = None,
) -> tuple[Clip, RetargetReport]:
    """The clip on ``target`` and its report. Errors as ``retarget``; nothing is read, written or remembered by time."""
    source_map = source_map or known.rig_map(clip.skeleton)
    target_map = target_map or known.rig_map(target)
    began = time.perf_counter()
    result = retarget(clip, source_map, target, target_map, options)
    seconds = time.perf_counter() - began
    report = RetargetReport(
        quality.measure(result),
        tuple(mapping_rows(result.plan)),
        result.notes,
        seconds,
        len(result.clip) / max(seconds, 1e-9),
        result.travel,
    )
    return result.clip, report


def mapping_rows(plan: Plan) -> list[dict[str, Any]]:
    """One row a driven joint of the target: source, role, confidence (of the less sure of the two) and reasons."""
    rows = []
    for pair in plan.pairs:
        row: dict[str, Any] = {"target": plan.target.names[pair.target], "source": plan.source.names[pair.source]}
        sides = [m.by_joint.get(j) for m, j in ((plan.source_map, pair.source), (plan.target_map, pair.target))]
        sure = [m for m in sides if m is not None]
        row["role"] = str(pair.role) if pair.role is not None else "chain"
        row["confidence"] = min((m.confidence for m in sure), default=CHAIN_CONFIDENCE)
        row["reason"] = "; ".join(dict.fromkeys(m.reason for m in sure if m.reason)) or CHAIN_REASON
        rows.append(row)
    return rows


CHAIN_CONFIDENCE, CHAIN_REASON = 0.8, "its place along the chain"
