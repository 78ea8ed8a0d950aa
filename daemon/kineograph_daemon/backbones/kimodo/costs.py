# SPDX-License-Identifier: Apache-2.0
"""What encoding and sampling cost here: time is learned from what was done, memory is known and looked for before.

``data_dir()/kimodo-costs.json`` keeps seconds a unit by what was done and where: a prompt of one encoder on one device,
a frame of one sample in one step and pass of the model.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from kineograph import files, paths
from kineograph.errors import ErrorCode, UnavailableError
from kineograph_daemon.backbones.kimodo.seam import Order

_log = logging.getLogger(__name__)

ENCODER_BYTES = {"cpu": 17_000_000_000, "8bit": 9_500_000_000, "4bit": 6_500_000_000}
"""What the text encoder takes while it works: 8 billion weights of 16, 8 or 4 bits, and room to work."""
_NEWEST = 0.5
"""Of the newest measure in the running mean: the first one also read the weights from a cold disk."""
_PASSES = {"nocfg": 1, "regular": 2, "separated": 3}


def units_of(order: Order) -> float:
    """How much work an order is: frames, samples, steps, and passes of its guidance."""
    frames = sum(chunk.frames for chunk in order.chunks)
    return float(frames * order.samples * order.steps * _PASSES.get(order.cfg_type, 1))


def check_room(what: str, need_bytes: int, free_bytes: int | None, device: str) -> None:
    """Raise ``resource_exhausted`` before memory runs out, where it is known to: the system would end the worker."""
    if free_bytes is None or need_bytes <= free_bytes:
        return
    message = f"{what} needs {need_bytes / 1e9:.1f} GB, {free_bytes / 1e9:.1f} GB are free"
    details = {"resource": "memory" if device == "cpu" else device, "need_bytes": need_bytes, "free_bytes": free_bytes,
               "model": "kimodo", "device": device}  # fmt: skip
    raise UnavailableError(ErrorCode.RESOURCE_EXHAUSTED, message, details, retry_after_s=30.0)


class Costs:
    """Seconds a unit, as a running mean."""

    def __init__(self) -> None:
        nothing: Mapping[str, float] = {}
        self._kept = files.WatchedJson(paths.data_dir() / "kimodo-costs.json", _read, nothing)

    def seconds(self, what: str, units: float) -> float | None:
        """How long so much of it takes; None before it was ever done here."""
        each_s = self._kept.value.get(what)
        return None if each_s is None else each_s * units

    def learn(self, what: str, units: float, took_s: float) -> None:
        """It took so long. What cannot be kept is not missed."""
        if units <= 0:
            return
        each_s = took_s / units
        before = self._kept.value.get(what, each_s)
        known = {**self._kept.value, what: before + _NEWEST * (each_s - before)}
        try:
            files.write_json(self._kept.path, known)
        except OSError as e:
            _log.warning("what it cost cannot be kept: %s", e)


def about(seconds: float | None) -> str:
    """``, about 40 s``; empty when nothing is known."""
    if seconds is None:
        return ""
    return f", about {seconds:.0f} s" if seconds < 100 else f", about {seconds / 60:.0f} min"


def _read(raw: Any) -> Mapping[str, float]:
    return {str(what): float(each_s) for what, each_s in raw.items() if 0.0 <= float(each_s) < 1e9}
