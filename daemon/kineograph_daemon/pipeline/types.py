# SPDX-License-Identifier: Apache-2.0
"""What goes in and out of one job's way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
BoolArray = NDArray[np.bool_]


class JobHooks(Protocol):
    """How a running job talks to whoever runs it."""

    def progress(self, fraction: float, step: int = 0, steps: int = 0, stage: str = "") -> None:
        """Say how far the job is: ``fraction`` 0 to 1."""

    def should_stop(self) -> bool:
        """Whether the job was cancelled or ran out of time."""


class Stopped(Exception):
    """The hooks asked for a stop; ``step`` of ``steps`` was reached."""

    def __init__(self, step: int = 0, steps: int = 0) -> None:
        super().__init__(f"stopped at step {step} of {steps}")
        self.step = step
        self.steps = steps


@dataclass(eq=False)
class JobResultData:
    """A finished motion on the request's skeleton.

    B samples, T frames, J joints: ``rotations_xyzw`` (B, T, J, 4) local, ``root_m`` (B, T, 3) world,
    ``translations_m`` (B, T, J, 3) or None, ``contacts`` joint name to (B, T), ``keyframes`` as in MMCP's
    MotionResult or None (key every frame), ``report`` as ``kineograph_daemon.solve.report`` builds it.
    ``are_finite`` names the arrays whose numbers were looked at and are still the same; ``is_plain`` tells of a report
    that nothing foreign stands in but the values of options.
    """

    fps_hz: float
    joint_names: list[str]
    rotations_xyzw: Float32Array
    root_m: Float32Array
    translations_m: Float32Array | None = None
    contacts: dict[str, BoolArray] = field(default_factory=dict)
    chunk_boundaries: list[list[int]] | None = None
    canonical_to_request: dict[str, str] | None = None
    keyframes: dict[int, dict[str, list[int]]] | None = None
    notes: list[dict[str, Any]] = field(default_factory=list)
    trajectories: list[dict[str, Any] | None] | None = None
    report: dict[str, Any] = field(default_factory=dict)
    are_finite: frozenset[str] = frozenset()
    is_plain: bool = False
