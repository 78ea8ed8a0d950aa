# SPDX-License-Identifier: Apache-2.0
"""From world poses to a skeleton and its clips: what files give whose joints stand below scaled, moving parents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.motion import quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]

_MOVED_M = 3e-6  # single precision, some metres from the origin


def taken_apart(matrices: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Positions (..., 3) and rotations (..., 4) of matrices (..., 4, 4) that act on columns; scales are left out.

    A mirrored matrix (negative determinant) is read as if its x axis were not mirrored.
    """
    turn = np.asarray(matrices[..., :3, :3], np.float64)
    turn = turn / np.maximum(np.linalg.norm(turn, axis=-2, keepdims=True), 1e-12)
    mirrored = np.linalg.det(turn) < 0
    if mirrored.any():
        turn = turn.copy()
        turn[mirrored, :, 0] *= -1.0
    return np.asarray(matrices[..., :3, 3], np.float64), quat.normalize(quat.from_matrix(turn))


def skeleton_of(
    names: Sequence[str], parents: Sequence[int], positions_m: FloatArray, rotations_xyzw: FloatArray
) -> Skeleton:
    """A skeleton from world positions (J, 3) and world rotations (J, 4) of its rest pose, parents first."""
    turns, moves = _local(np.asarray(parents), positions_m[None], rotations_xyzw[None])
    return Skeleton.build(names, parents, moves[0], turns[0])


def clip_of(skeleton: Skeleton, fps_hz: float, positions_m: FloatArray, rotations_xyzw: FloatArray, name: str) -> Clip:
    """A clip from world positions (T, J, 3) and world rotations (T, J, 4)."""
    turns, moves = _local(skeleton.parents, positions_m, rotations_xyzw)
    far = np.abs(moves - skeleton.rest_translations_m)
    far[:, skeleton.root] = 0.0
    return Clip(
        skeleton,
        fps_hz,
        quat.continuous(turns),
        positions_m[:, skeleton.root].copy(),
        name=name,
        translations_m=moves if float(far.max(initial=0.0)) > _MOVED_M else None,
    )


def _local(parents: NDArray[Any], positions_m: FloatArray, rotations_xyzw: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Local rotations (T, J, 4) and translations (T, J, 3); the root's are the world's."""
    turns, moves = rotations_xyzw.astype(np.float64), positions_m.astype(np.float64)
    below = np.flatnonzero(parents >= 0)
    up = quat.conj(rotations_xyzw[:, parents[below]])
    turns[:, below] = quat.normalize(quat.mul(up, rotations_xyzw[:, below]))
    moves[:, below] = quat.rotate(up, positions_m[:, below] - positions_m[:, parents[below]])
    return turns, moves


def largest_tree(names: Sequence[str], parents: NDArray[Any]) -> tuple[list[int], tuple[str, ...]]:
    """The joints of the largest of several trees, parents first, and a note about what was left out."""
    roots = [j for j, p in enumerate(parents.tolist()) if p < 0]
    children: dict[int, list[int]] = {}
    for j, p in enumerate(parents.tolist()):
        children.setdefault(int(p), []).append(j)
    trees: list[list[int]] = []
    for root in roots:
        tree, stack = [], [root]
        while stack:
            j = stack.pop()
            tree.append(j)
            stack.extend(reversed(children.get(j, ())))
        trees.append(tree)
    best = max(trees, key=len, default=[])
    if len(best) == len(names) and all(int(parents[j]) < j for j in range(len(names))):
        return list(range(len(names))), ()
    left = sorted(names[root] for root, tree in zip(roots, trees, strict=True) if tree is not best)
    note = f"Of {len(roots)} separate trees the largest was read; left out: {', '.join(left[:6])}."
    return best, ((note,) if left else ())


def renumbered(parents: NDArray[Any], keep: Sequence[int]) -> list[int]:
    """The parents of the joints ``keep`` among themselves."""
    new = {old: j for j, old in enumerate(keep)}
    return [new.get(int(parents[old]), -1) for old in keep]
