# SPDX-License-Identifier: Apache-2.0
"""The node tree: which nodes are joints, their local transforms, and what stands above them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.formats.glb.document import Document
from kineograph.motion import quat

FloatArray = NDArray[np.floating[Any]]

MAX_JOINTS = 4096
MAX_DEPTH = 1024
_SHEAR = 1e-3


@dataclass(frozen=True, eq=False)
class Rig:
    """Chosen nodes. ``joints``: node index per joint, parents first; ``parents``: joint indices, -1 for the root;

    ``above``: nodes over the root joint, outermost first; ``notes``: what was left out.
    """

    joints: tuple[int, ...]
    parents: tuple[int, ...]
    above: tuple[int, ...]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


class Tree:
    """All nodes with their parents and local translations, rotations and scales."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.nodes = document.objects("nodes")
        self.children = [self._children(i) for i in range(len(self.nodes))]
        self.parents = self._parents()
        self._check_cycles()

    def _children(self, i: int) -> list[int]:
        where = f"nodes[{i}].children"
        value = self.nodes[i].get("children", [])
        if not isinstance(value, list):
            self.document.fail(where, "must be a list")
        return [self.document.index(c, len(self.nodes), f"{where}[{k}]") for k, c in enumerate(value)]

    def _parents(self) -> list[int]:
        parents = [-1] * len(self.nodes)
        for i, children in enumerate(self.children):
            for k, child in enumerate(children):
                if parents[child] >= 0:
                    said = f"node {child} is already a child of node {parents[child]}"
                    self.document.fail(f"nodes[{i}].children[{k}]", said)
                parents[child] = i
        return parents

    def _check_cycles(self) -> None:
        """With one parent each, a node that no root reaches hangs in a circle."""
        depth = [-1] * len(self.nodes)
        stack = [i for i, p in enumerate(self.parents) if p < 0]
        while stack:
            i = stack.pop()
            depth[i] = 0 if self.parents[i] < 0 else depth[self.parents[i]] + 1
            stack.extend(self.children[i])
        if -1 in depth:
            self.document.fail(f"nodes[{depth.index(-1)}]", "is its own ancestor")
        if depth and max(depth) > MAX_DEPTH:
            deep = depth.index(max(depth))
            self.document.fail(f"nodes[{deep}]", f"is nested {max(depth)} deep", allowed=MAX_DEPTH)

    def up(self, i: int) -> list[int]:
        """Node ``i`` and everything above it, innermost first."""
        out = [i]
        while self.parents[out[-1]] >= 0:
            out.append(self.parents[out[-1]])
        return out

    def name(self, i: int) -> str:
        """The node's name as written, or ``node_<i>``."""
        value = self.nodes[i].get("name")
        return value if isinstance(value, str) and value else f"node_{i}"

    @cached_property
    def local(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Translations (N, 3), rotations (N, 4) xyzw and scales (N, 3)."""
        n = len(self.nodes)
        t, r, s = np.zeros((n, 3)), np.zeros((n, 4)), np.ones((n, 3))
        for i, node in enumerate(self.nodes):
            where = f"nodes[{i}]"
            if "matrix" in node:
                t[i], r[i], s[i] = self._decompose(node, where)
                continue
            t[i] = self.document.numbers(node, "translation", where, (0.0, 0.0, 0.0))
            r[i] = self.document.numbers(node, "rotation", where, (0.0, 0.0, 0.0, 1.0))
            s[i] = self.document.numbers(node, "scale", where, (1.0, 1.0, 1.0))
        return t, quat.normalize(r), s

    @cached_property
    def is_plain(self) -> list[bool]:
        """Which nodes have no scale."""
        return [bool(one) for one in (self.local[2] == 1.0).all(axis=1)]

    def _decompose(self, node: dict[str, Any], where: str) -> tuple[FloatArray, FloatArray, FloatArray]:
        m = self.document.numbers(node, "matrix", where, tuple(np.eye(4).ravel())).reshape(4, 4).T
        scale = np.linalg.norm(m[:3, :3], axis=0)
        if scale.min() <= 0:
            self.document.fail(f"{where}.matrix", "flattens space")
        turn = m[:3, :3] / scale
        if np.linalg.det(turn) < 0:
            scale, turn = -scale, -turn
        if np.abs(turn.T @ turn - np.eye(3)).max() > _SHEAR:
            self.document.fail(f"{where}.matrix", "shears; apply the transforms before exporting")
        return m[:3, 3], quat.from_matrix(turn), scale


def choose(tree: Tree, animated: set[int]) -> Rig:
    """The joints of the character: those of its skin; without a skin the tree around what is animated."""
    groups = _skin_groups(tree)
    notes: tuple[str, ...] = ()
    if groups:
        groups.sort(key=lambda group: (-len(group), min(group)))
        joints = groups[0]
        if len(groups) > 1:
            notes = (f"The file has {len(groups)} characters: the one with the most joints was read.",)
    else:
        joints = _bare_joints(tree, animated)
    joints = _connected(tree, joints)
    if len(joints) > MAX_JOINTS:
        tree.document.fail("nodes", f"a skeleton of {len(joints)} joints is too large", allowed=MAX_JOINTS)
    order = _ordered(tree, joints)
    index = {node: j for j, node in enumerate(order)}
    parents = tuple(index.get(tree.parents[node], -1) for node in order)
    names, renamed = _unique([tree.name(node) for node in order])
    above = tuple(reversed(tree.up(order[0])[1:]))
    return Rig(tuple(order), parents, above, tuple(names), notes + renamed)


def _skin_groups(tree: Tree) -> list[set[int]]:
    """Joint sets of the skins; skins whose joints are related (the parts of one character) are one."""
    groups: list[set[int]] = []
    for k, skin in enumerate(tree.document.objects("skins")):
        where = f"skins[{k}].joints"
        value = skin.get("joints")
        if not isinstance(value, list) or not value:
            tree.document.fail(where, "must be a list of nodes")
        group = {tree.document.index(j, len(tree.nodes), f"{where}[{i}]") for i, j in enumerate(value)}
        line = {above for joint in group for above in tree.up(joint)}
        for other in [g for g in groups if g & line or any(group.intersection(tree.up(j)) for j in g)]:
            groups.remove(other)
            group |= other
        groups.append(group)
    return groups


def _bare_joints(tree: Tree, animated: set[int]) -> set[int]:
    """Without skins: everything below the common ancestor of the animated nodes, or the largest tree."""
    plain = {i for i, node in enumerate(tree.nodes) if not {"mesh", "camera"} & node.keys()}
    if not plain:
        tree.document.fail("nodes", "the file holds no skeleton")
    if animated & plain:
        top = _common(tree, animated & plain)
        tops = [top] if top is not None else []
    else:
        tops = [i for i in sorted(plain) if tree.parents[i] < 0]
    below = [_below(tree, top, plain) for top in tops]
    if not below:
        tree.document.fail("nodes", "the animated nodes have no common root")
    return max(below, key=len)


def _below(tree: Tree, top: int, plain: set[int]) -> set[int]:
    out, stack = set(), [top]
    while stack:
        i = stack.pop()
        if i in plain or i == top:
            out.add(i)
            stack.extend(tree.children[i])
    return out


def _common(tree: Tree, nodes: set[int]) -> int | None:
    """The lowest node that is an ancestor of all, or one of them."""
    lines = [tree.up(i)[::-1] for i in sorted(nodes)]
    common = None
    for level in zip(*lines, strict=False):
        if len(set(level)) > 1:
            break
        common = level[0]
    return common


def _connected(tree: Tree, joints: set[int]) -> set[int]:
    """The joints with every node between them and their lowest common ancestor: one tree, one root."""
    top = _common(tree, joints)
    if top is None:
        roots = sorted(tree.name(i) for i in joints if not joints.intersection(tree.up(i)[1:]))
        said = f"the skeleton has several roots: {', '.join(roots[:6])}; one is needed"
        tree.document.fail("skins", said, got=roots[:20], allowed=1)
    out = {top}
    for joint in joints:
        for node in tree.up(joint):
            if node == top:
                break
            out.add(node)
    return out


def _ordered(tree: Tree, joints: set[int]) -> list[int]:
    """Parents first: a skin's own order where it is one, else by node index, else depth first."""
    for skin in tree.document.objects("skins"):
        listed = skin.get("joints", [])
        if len(listed) == len(joints) and set(listed) == joints and _parents_first(tree, listed):
            return list(listed)
    by_index = sorted(joints)
    if _parents_first(tree, by_index):
        return by_index
    out: list[int] = []
    stack = [i for i in by_index if tree.parents[i] not in joints]
    while stack:
        i = stack.pop()
        out.append(i)
        stack.extend(c for c in reversed(tree.children[i]) if c in joints)
    return out


def _parents_first(tree: Tree, order: list[int]) -> bool:
    at = {node: k for k, node in enumerate(order)}
    return all(at.get(tree.parents[node], -1) < k for k, node in enumerate(order))


def _unique(names: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Names made unique the way Blender does, with a note when that was needed."""
    taken: set[str] = set()
    out: list[str] = []
    count: dict[str, int] = {}
    for name in names:
        new = name
        while new in taken:
            count[name] = count.get(name, 0) + 1
            new = f"{name}.{count[name]:03d}"
        taken.add(new)
        out.append(new)
    changed = [name for name, new in zip(names, out, strict=True) if name != new]
    return out, ((f"Joint names were made unique: {', '.join(sorted(set(changed))[:6])}.",) if changed else ())
