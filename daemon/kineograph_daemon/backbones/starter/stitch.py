# SPDX-License-Identifier: Apache-2.0
"""Motions of any length: windows filled one after the other, each going on from the last frames of the one before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph_daemon.backbones.starter import figure
from kineograph_daemon.backbones.starter.base import Ask
from kineograph_daemon.backbones.starter.fill import Filled
from kineograph_daemon.backbones.starter.scene import Scene

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]

PAST = 10
"""Finished frames that a window goes on from."""
SWAY_M = 0.007
"""How far the pelvis may sway off a drawn path between its points."""


@dataclass(frozen=True)
class Window:
    """Frames [look, see) go in, frames [start, stop) are kept; ``style`` and ``seed`` are its part's."""

    look: int
    start: int
    stop: int
    see: int
    style: int
    seed: int | None


@dataclass(frozen=True, eq=False)
class Whole:
    """The whole motion, (T, ...) each as in ``Filled``; ``share`` (T,) per frame, ``borders`` where windows meet."""

    rotations_xyzw: FloatArray
    root_m: FloatArray
    contacts: BoolArray
    share: FloatArray
    borders: list[int]


def windows(scene: Scene) -> list[Window]:
    """How a scene is cut: at parts whose class of motion changes, and where a window is full, on a key if one is near.

    A window sees the next key beyond its end where that fits.
    """
    out: list[Window] = []
    keys = np.flatnonzero(scene.key)
    for start, stop, style, seed in _stretches(scene):
        at = start
        while at < stop:
            look = max(0, at - PAST) if at else 0
            room = look + figure.WINDOW_FRAMES
            end = stop
            if stop > room:
                on_key = keys[(keys > at + figure.WINDOW_FRAMES // 2) & (keys < room)]
                end = int(on_key[-1]) + 1 if len(on_key) else room
            after = keys[(keys >= end) & (keys < room)]
            see = int(after[0]) + 1 if len(after) and end < len(scene) and not scene.key[end - 1] else end
            out.append(Window(look, at, end, see, style, seed))
            at = end
    return out


def _stretches(scene: Scene) -> list[tuple[int, int, int, int | None]]:
    """Neighbouring parts of one class taken together, unless they bring a seed: (start, stop, style, seed)."""
    out: list[tuple[int, int, int, int | None]] = []
    for part in scene.parts:
        style = part.reading.style
        if out and out[-1][2:] == (style, None) and part.seed is None:
            out[-1] = (out[-1][0], part.stop, style, None)
        else:
            out.append((part.start, part.stop, style, part.seed))
    return out


def whole(scene: Scene, ask: Ask, fill: Callable[[Ask, Window], Filled]) -> Whole:
    """Fill all windows of a scene in order."""
    t = len(scene)
    rotations, root = ask.rotations_xyzw[0].astype(float), ask.root_m[0].astype(float)
    contacts = np.zeros((t, len(figure.FEET)), bool)
    share = np.ones(t)
    cut = windows(scene)
    for window in cut:
        seen = _window(ask, window, rotations, root)
        filled = fill(seen, window)
        keep = slice(window.start - window.look, window.stop - window.look)
        rotations[window.start : window.stop] = filled.rotations_xyzw[keep]
        root[window.start : window.stop] = filled.root_m[keep]
        contacts[window.start : window.stop] = filled.contacts[keep]
        share[window.start : window.stop] = filled.share
    return Whole(rotations, root, contacts, share, [w.start for w in cut[1:]])


def keep_to_path(scene: Scene, made: Whole) -> None:
    """Hold the root near a drawn path between its points: what sways further is brought back. Changes ``made``."""
    put = scene.on_path & ~scene.key
    way = scene.root_m[put][:, [0, 2]]
    off = made.root_m[put][:, [0, 2]] - way
    far = np.linalg.norm(off, axis=-1, keepdims=True)
    kept = off * (SWAY_M * np.tanh(far / SWAY_M) / np.maximum(far, 1e-9))
    made.root_m[np.flatnonzero(put)[:, None], [0, 2]] = way + kept


def _window(ask: Ask, window: Window, rotations: FloatArray, root: FloatArray) -> Ask:
    """The frames of a window, those before its start known from what was made."""
    rows = {name: value[:, window.look : window.see].copy() for name, value in vars(ask).items() if name != "style"}
    done = window.start - window.look
    rows["rotations_xyzw"][0, :done] = rotations[window.look : window.start]
    rows["root_m"][0, :done] = root[window.look : window.start]
    rows["key"][0, :done] = True
    return Ask(**rows, style=np.array([window.style]))
