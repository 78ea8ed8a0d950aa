# SPDX-License-Identifier: Apache-2.0
"""The forward transfer: a plan applied to frames, a block of frames at a time, blocks shared by threads.

numpy lets go of the interpreter's lock in every operation on a block, so two threads use two cores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion.clip import Clip
from kineograph_daemon.retarget import soa
from kineograph_daemon.retarget.plan import Link, Plan, Step

FloatArray = NDArray[np.floating[Any]]

BLOCK = 1024
"""Frames of a block: small enough for a core's cache, large enough that numpy's overhead does not show."""


def in_blocks(frames: int, threads: int, work: Callable[[slice], None], block: int = BLOCK) -> None:
    """Call ``work`` for slices that cover all frames, on up to ``threads`` threads; the first error is raised."""
    parts = [slice(a, min(a + block, frames)) for a in range(0, frames, block)]
    if threads < 2 or len(parts) < 2:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(min(threads, len(parts))) as pool:
        for _ in pool.map(work, parts):
            pass


def rotations(plan: Plan, clip: Clip) -> FloatArray:
    """Local rotations (T, J, 4) float32 of the target; joints that nothing drives keep their rest rotation."""
    out = np.empty((len(clip), len(plan.target), 4), np.float32)
    rest = plan.target.rest_rotations_xyzw.astype(np.float32)
    driven = {link.target for link in plan.links}
    still = np.array([j for j in range(len(plan.target)) if j not in driven], int)
    jobs = _grouped(plan.links)
    source = clip.rotations_xyzw

    def work(part: slice) -> None:
        into = out[part]
        if still.size:
            into[:, still] = rest[still]
        block = np.asarray(source[part], np.float32)
        for way, links in jobs:
            turn = _along(block, way)
            for link, matrix, inner in links:
                if inner is None:
                    np.matmul(turn, matrix, out=into[:, link.target])
                else:
                    into[:, link.target] = _turned(block, turn, link, matrix, inner)

    in_blocks(len(clip), plan.options.threads, work)
    return out


def some(plan: Plan, rotations_xyzw: FloatArray, joints: Sequence[int]) -> dict[int, FloatArray]:
    """Local rotations (T, 4) of a few joints of the target, from the source's (T, J, 4); (1, 4) at rest."""
    out: dict[int, FloatArray] = {j: plan.target.rest_rotations_xyzw[j][None].astype(np.float32) for j in joints}
    for way, links in _grouped(tuple(link for link in plan.links if link.target in out)):
        turn = _along(rotations_xyzw, way)
        for link, matrix, inner in links:
            out[link.target] = _turned(rotations_xyzw, turn, link, matrix, inner)
    return out


def _turned(
    block: FloatArray, turn: FloatArray, link: Link, matrix: FloatArray, inner: FloatArray | None
) -> FloatArray:
    if inner is None:
        return np.asarray(turn @ matrix)
    own = _powered(turn, inner, link.share)
    for factor, is_first in ((link.ahead, True), (link.then, False)):
        if factor is not None:
            other = _powered(_along(block, factor.way), factor.inner.T.astype(np.float32), factor.share)
            own = soa.mul(other, own) if is_first else soa.mul(own, other)
    return np.asarray(own.T @ matrix)


def _powered(turn: FloatArray, inner: FloatArray, share: float) -> FloatArray:
    own = np.ascontiguousarray((turn @ inner).T)
    return own if share == 1.0 else soa.power(own, share)


_Job = tuple[Link, FloatArray, FloatArray | None]


def _grouped(links: tuple[Link, ...]) -> list[tuple[tuple[Step, ...], list[_Job]]]:
    """Links by way, so that each product along a way is made once; matrices transposed for rows."""
    by_way: dict[tuple[Step, ...], list[_Job]] = {}
    for link in links:
        inner = None if link.inner is None else np.ascontiguousarray(link.inner.T, np.float32)
        matrix = np.ascontiguousarray(link.matrix.T, np.float32)
        by_way.setdefault(link.way, []).append((link, matrix, inner))
    return list(by_way.items())


def _along(block: FloatArray, way: tuple[Step, ...]) -> FloatArray:
    """The product (N, 4) of local rotations along a way; a view where it is a single joint."""
    if not way:
        return np.broadcast_to(np.array([0, 0, 0, 1], np.float32), (len(block), 4)).copy()
    if len(way) == 1 and not way[0][1]:
        return block[:, way[0][0]]
    turn: FloatArray | None = None
    for joint, up in way:
        local = np.ascontiguousarray(block[:, joint].T)
        local = soa.conj(local) if up else local
        turn = local if turn is None else soa.mul(turn, local)
    assert turn is not None
    return np.ascontiguousarray(turn.T)
