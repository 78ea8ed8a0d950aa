# SPDX-License-Identifier: Apache-2.0
"""A skeleton: a tree of joints with a rest pose, parents before children, one root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.errors import ErrorCode, RequestError
from kineograph.motion import quat

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Joints in an order with parents first. Right-handed, y up, metres.

    ``parents`` (J,) int32, -1 for the one root; ``rest_translations_m`` (J, 3) from the parent, in the parent's
    frame; ``rest_rotations_xyzw`` (J, 4), local. A pose's local rotation *replaces* the rest rotation, as in glTF.
    Skeletons that Kineograph's own clients send have identity rest rotations (world-aligned rest, MMCP 1.2), so
    that a rotation is also the change from rest.
    """

    names: tuple[str, ...]
    parents: IntArray
    rest_translations_m: FloatArray
    rest_rotations_xyzw: FloatArray

    def __post_init__(self) -> None:
        _check_tree(self.names, self.parents)

    @classmethod
    def build(
        cls,
        names: Sequence[str],
        parents: Sequence[int] | IntArray,
        rest_translations_m: Any,
        rest_rotations_xyzw: Any | None = None,
    ) -> Skeleton:
        """From plain sequences; rest rotations default to identity. Raises ``invalid_skeleton``."""
        j = len(names)
        rot = (
            quat.identity(j) if rest_rotations_xyzw is None else quat.normalize(np.asarray(rest_rotations_xyzw, float))
        )
        return cls(
            tuple(names), np.asarray(parents, np.int32), np.asarray(rest_translations_m, float).reshape(j, 3), rot
        )

    @classmethod
    def from_mmcp(cls, skeleton: Mapping[str, Any]) -> Skeleton:
        """From an MMCP ``skeleton`` object (``{"joints": [...]}``). Raises ``invalid_skeleton``."""
        joints = list(skeleton["joints"])
        index = {j["name"]: i for i, j in enumerate(joints)}
        parents = [-1 if j.get("parent") is None else index.get(j["parent"], -2) for j in joints]
        return cls.build(
            [j["name"] for j in joints],
            parents,
            [j["rest_translation"] for j in joints],
            [j.get("rest_rotation", (0.0, 0.0, 0.0, 1.0)) for j in joints],
        )

    def to_mmcp(self) -> dict[str, Any]:
        """The MMCP ``skeleton`` object."""
        return {
            "joints": [
                {
                    "name": name,
                    "parent": None if p < 0 else self.names[p],
                    "rest_translation": t,
                    "rest_rotation": r,
                }
                for name, p, t, r in zip(
                    self.names,
                    self.parents.tolist(),
                    self.rest_translations_m.tolist(),
                    self.rest_rotations_xyzw.tolist(),
                    strict=True,
                )
            ]
        }

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def index(self) -> dict[str, int]:
        """Name to joint index."""
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def root(self) -> int:
        """Index of the root joint."""
        return int(np.flatnonzero(self.parents < 0)[0])

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Child indices of every joint."""
        out: list[list[int]] = [[] for _ in self.names]
        for i, p in enumerate(self.parents):
            if p >= 0:
                out[int(p)].append(i)
        return tuple(tuple(c) for c in out)

    @cached_property
    def levels(self) -> tuple[IntArray, ...]:
        """Joint indices by depth, root first: forward kinematics works a level at a time."""
        depth = np.zeros(len(self), np.int32)
        for i, p in enumerate(self.parents):
            if p >= 0:
                depth[i] = depth[p] + 1
        return tuple(np.flatnonzero(depth == d) for d in range(int(depth.max()) + 1))

    @cached_property
    def rest_positions_m(self) -> FloatArray:
        """World positions (J, 3) of the rest pose."""
        return self._rest_world[0]

    @cached_property
    def rest_world_rotations_xyzw(self) -> FloatArray:
        """World rotations (J, 4) of the rest pose."""
        return self._rest_world[1]

    @cached_property
    def _rest_world(self) -> tuple[FloatArray, FloatArray]:
        pos = self.rest_translations_m.astype(float).copy()
        rot = self.rest_rotations_xyzw.astype(float).copy()
        for level in self.levels[1:]:
            up = self.parents[level]
            pos[level] = pos[up] + quat.rotate(rot[up], self.rest_translations_m[level])
            rot[level] = quat.mul(rot[up], self.rest_rotations_xyzw[level])
        return pos, rot

    @cached_property
    def height_m(self) -> float:
        """Vertical extent of the rest pose, metres (never zero)."""
        y = self.rest_positions_m[:, 1]
        return float(max(np.ptp(y), np.ptp(self.rest_positions_m, axis=0).max(), 1e-6))

    def chain(self, joint: int, ancestor: int | None = None) -> list[int]:
        """Indices from ``ancestor`` (default the root) down to ``joint``, both included."""
        out, stop = [joint], self.root if ancestor is None else ancestor
        while out[-1] != stop:
            parent = int(self.parents[out[-1]])
            if parent < 0:
                raise ValueError(f"{self.names[stop]!r} is not above {self.names[joint]!r}")
            out.append(parent)
        return out[::-1]


def _check_tree(names: Sequence[str], parents: IntArray) -> None:
    def refuse(message: str, **details: Any) -> RequestError:
        return RequestError(ErrorCode.INVALID_SKELETON, message, details)

    if not names:
        raise refuse("a skeleton needs at least one joint", got=0)
    if len(set(names)) != len(names):
        twice = sorted({n for n in names if list(names).count(n) > 1})
        raise refuse(f"joint names must be unique: {', '.join(twice[:6])}", duplicates=twice)
    if len(parents) != len(names):
        raise refuse("one parent per joint is needed", got=len(parents), allowed=len(names))
    ups = np.asarray(parents).tolist()
    roots = [names[i] for i, p in enumerate(ups) if p == -1]
    if len(roots) != 1:
        raise refuse(f"a skeleton has exactly one root; this one has {len(roots)}", roots=roots)
    for i, p in enumerate(ups):
        if p < -1 or p >= i:
            raise refuse(f"the parent of {names[i]!r} must stand before it", joint=names[i])
