# SPDX-License-Identifier: Apache-2.0
"""Animations to clips: every channel sampled on one grid, scales and ancestors folded into rotations and positions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.errors import KineographError
from kineograph.formats.failure import MAX_VALUES
from kineograph.formats.glb import accessors
from kineograph.formats.glb.document import Document
from kineograph.formats.glb.nodes import Rig, Tree
from kineograph.formats.glb.tracks import Grid, Track, rate
from kineograph.motion import quat, resample
from kineograph.motion.clip import Clip
from kineograph.motion.kept import Kept
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]

DEFAULT_FPS_HZ = 30.0
_WIDTH = {"translation": "VEC3", "rotation": "VEC4", "scale": "VEC3"}
_UNEVEN = 1e-3
_MOVED_M = 1e-6


class Folded:
    """Local motion of the joints over ``count`` frames, with nothing above the root and no scale left.

    ``rotations`` (T, J, 4); ``places``: the translations of each joint, (T, 3) or (1, 3) where it does not move, the
    root's in the world.
    """

    def __init__(self, tree: Tree, rig: Rig, sampled: dict[tuple[int, str], FloatArray], count: int) -> None:
        t, r, _ = tree.local
        self.count = count
        self.sampled = sampled
        self.uneven: list[int] = []
        turns = [value for (_, path), value in sampled.items() if path == "rotation"]
        self.rotations = np.empty(
            (count, len(rig.joints), 4), np.result_type(*{v.dtype for v in turns}) if turns else np.float64
        )
        self.places: list[FloatArray] = []
        for j, node in enumerate(rig.joints):
            self.rotations[:, j] = sampled.get((node, "rotation"), r[node])
            self.places.append(sampled.get((node, "translation"), t[node][None]))
        quat.make_unit(self.rotations)
        self._fold(tree, rig)

    def moved(self, rest_m: FloatArray, root: int) -> FloatArray | None:
        """Translations (T, J, 3) where a joint other than the root leaves ``rest_m`` (J, 3), else None."""
        still = (j == root or np.abs(p - rest_m[j]).max() <= _MOVED_M for j, p in enumerate(self.places))
        if all(still):
            return None
        out = np.empty((self.count, len(self.places), 3))
        for j, place in enumerate(self.places):
            out[:, j] = place
        return out

    def _fold(self, tree: Tree, rig: Rig) -> None:
        t, r, _ = tree.local
        size: FloatArray = np.ones(1)
        turn: FloatArray = quat.identity(1)
        place: FloatArray = np.zeros((1, 3))
        for node in rig.above:
            place = place + quat.rotate(turn, size[..., None] * self.sampled.get((node, "translation"), t[node][None]))
            turn = quat.mul(turn, quat.normalize(self._turns(node, r[node])))
            size = size * self._size(tree, node, above=True)
        root = rig.parents.index(-1)
        self.places[root] = place + quat.rotate(turn, size[..., None] * self.places[root])
        if rig.above:
            self.rotations[:, root] = quat.mul(turn, self.rotations[:, root].astype(np.float64))
        sizes: list[FloatArray] = []
        for j, (node, parent) in enumerate(zip(rig.joints, rig.parents, strict=True)):
            own = self._size(tree, node)
            if parent >= 0 and not _is_one(sizes[parent]):
                self.places[j] = self.places[j] * sizes[parent][..., None]
            above = size if parent < 0 else sizes[parent]
            sizes.append(above if _is_one(own) else above * own)

    def _turns(self, node: int, rest_xyzw: FloatArray) -> FloatArray:
        return self.sampled.get((node, "rotation"), rest_xyzw[None]).astype(np.float64)

    def _size(self, tree: Tree, node: int, above: bool = False) -> FloatArray:
        """The even scale of a node, (1,) or (T,). Uneven above the skeleton cannot be folded and is refused."""
        keyed = self.sampled.get((node, "scale"))
        if keyed is None and tree.is_plain[node]:
            return _ONE
        s = tree.local[2][node][None] if keyed is None else keyed.astype(np.float64)
        where = f"nodes[{node}].scale"
        if s.min() <= 0:
            tree.document.fail(
                where, f"node {tree.name(node)!r} is mirrored or flat; apply its scale", got=s[0].tolist()
            )
        if float((s.max(-1) / s.min(-1)).max()) > 1 + _UNEVEN:
            if above:
                said = f"node {tree.name(node)!r} is scaled unevenly; apply its scale before exporting"
                tree.document.fail(where, said, got=s[0].tolist())
            self.uneven.append(node)
        even: FloatArray = np.cbrt(np.prod(s, axis=-1))
        return even


_ONE: FloatArray = np.ones(1)


def _is_one(size: FloatArray) -> bool:
    return size is _ONE or (len(size) == 1 and float(size[0]) == 1.0)


def tracks(document: Document, animation: dict[str, Any], where: str, node_count: int) -> list[Track]:
    """The checked channels of one animation that move nodes."""
    samplers = animation.get("samplers", [])
    channels = animation.get("channels", [])
    if not isinstance(samplers, list) or not isinstance(channels, list):
        document.fail(where, "must have lists of samplers and channels")
    out: list[Track] = []
    cache: dict[int, FloatArray] = {}
    for i, channel in enumerate(channels):
        at = f"{where}.channels[{i}]"
        target = channel.get("target") if isinstance(channel, dict) else None
        if not isinstance(target, dict):
            document.fail(f"{at}.target", "must be an object")
        path = target.get("path")
        if not isinstance(path, str) or path not in _WIDTH or "node" not in target:
            continue  # morph weights and pointers move no joint
        node = document.index(target["node"], node_count, f"{at}.target.node")
        k = document.index(channel.get("sampler"), len(samplers), f"{at}.sampler")
        if not isinstance(samplers[k], dict):
            document.fail(f"{where}.samplers[{k}]", "must be an object")
        out.append(_track(document, samplers[k], f"{where}.samplers[{k}]", node, path, cache))
    return out


def clip_of(
    tree: Tree, rig: Rig, skeleton: Skeleton, moves: list[Track], animation: dict[str, Any], where: str,
    fps_hz: float | None,
) -> tuple[Clip | None, list[int]]:  # fmt: skip
    """One animation as a clip (None when it moves no joint), and the joints whose uneven scale was evened."""
    wanted = set(rig.joints) | set(rig.above)
    moves = [track for track in moves if track.node in wanted]
    if not moves:
        return None, []
    start_s, fps, count = _grid(tree.document, moves, animation, where, fps_hz, len(rig.joints))
    grids: dict[int, Grid] = {}  # hundreds of tracks share one row of times
    sampled: dict[tuple[int, str], FloatArray] = {}
    for track in moves:
        grid = grids.get(id(track.times_s))
        if grid is None:
            grid = grids[id(track.times_s)] = Grid.of(track.times_s, start_s, fps, count)
        sampled[track.node, track.path] = track.sample(grid)
    folded = Folded(tree, rig, sampled, count)
    root = skeleton.root
    root_m = np.broadcast_to(folded.places[root], (count, 3)).astype(np.float64)
    clip = Clip(
        skeleton,
        fps,
        quat.continuous(folded.rotations),
        root_m,
        name=str(animation.get("name") or where),
        translations_m=folded.moved(skeleton.rest_translations_m, root),
        contacts=_contacts(animation, skeleton, count),
        kept=_kept(tree.document, animation, fps, count),
    )
    return clip, folded.uneven


def _track(
    document: Document, sampler: dict[str, Any], where: str, node: int, path: str, cache: dict[int, FloatArray]
) -> Track:
    kind = sampler.get("interpolation", "LINEAR")
    if kind not in ("LINEAR", "STEP", "CUBICSPLINE"):
        document.fail(f"{where}.interpolation", "is unknown", got=repr(kind)[:40])
    times = _times(document, sampler.get("input"), f"{where}.input", cache)
    values = accessors.read(document, sampler.get("output"), f"{where}.output", _WIDTH[path])
    per_key = 3 if kind == "CUBICSPLINE" else 1
    if len(values) != per_key * len(times):
        said = f"has {len(values)} values for {len(times)} keys"
        document.fail(f"{where}.output", said, got=len(values), allowed=per_key * len(times))
    shape = (len(times), 3, -1) if per_key == 3 else (len(times), -1)
    return Track(node, path, kind, times, values.reshape(shape))


def _times(document: Document, which: Any, where: str, cache: dict[int, FloatArray]) -> FloatArray:
    """Key times of a sampler's input; files share one input among hundreds of samplers."""
    if not isinstance(which, int) or which not in cache:
        times = accessors.read(document, which, where, "SCALAR")[:, 0].astype(np.float64)
        if (np.diff(times) < 0).any():
            document.fail(where, "its times do not rise")
        cache[which] = times
    return cache[which]


def _grid(
    document: Document, moves: list[Track], animation: dict[str, Any], where: str, fps_hz: float | None, joints: int
) -> tuple[float, float, int]:
    """Start in seconds, rate and number of frames: as the file says itself, as asked, or as the keys lie."""
    start_s = min(float(track.times_s[0]) for track in moves)
    end_s = max(float(track.times_s[-1]) for track in moves)
    told = _told_rate(document, animation)
    fps = fps_hz or told or rate(moves, start_s) or DEFAULT_FPS_HZ
    if told is not None and start_s * told < 0.5:
        start_s = 0.0
    count = round((end_s - start_s) * fps) + 1
    if not 1 <= count <= MAX_VALUES // joints:
        said = f"lasts {end_s - start_s:.6g} s, {count} frames at {fps:g} Hz: too long"
        document.fail(where, said, got=count, allowed=MAX_VALUES // joints)
    return start_s, fps, count


def _told_rate(document: Document, animation: dict[str, Any]) -> float | None:
    """The rate that Kineograph or an MMCP server wrote into the file."""
    extensions = document.map.get("extensions")
    for holder in (animation.get("extras"), extensions):
        for key, name in (("kineograph", "fps_hz"), ("MMCP_motion", "fps")):
            block = holder.get(key) if isinstance(holder, dict) else None
            value = block.get(name) if isinstance(block, dict) else None
            if isinstance(value, (int, float)) and math.isfinite(value) and 0.01 <= value <= 10_000:
                return float(value)
    return None


def _block(animation: dict[str, Any], key: str) -> dict[str, Any]:
    """What Kineograph wrote into an animation's extras under ``key``; anything malformed is empty."""
    extras = animation.get("extras")
    block = extras.get("kineograph") if isinstance(extras, dict) else None
    value = block.get(key) if isinstance(block, dict) else None
    return value if isinstance(value, dict) else {}


def _kept(document: Document, animation: dict[str, Any], fps_hz: float, count: int) -> Kept | None:
    """What is kept beside the clip for the rig it came from, at the clip's own rate; what is malformed is left out."""
    block = _block(animation, "kept")
    told, turns = block.get("turns"), {}
    try:
        for name, which in told.items() if isinstance(told, dict) else ():
            turns[name] = quat.normalize(accessors.read(document, which, "extras.kineograph.kept", "VEC4"))
        kept = Kept(str(block.get("rig")), turns)
    except (KineographError, ValueError):
        return None
    rate_hz = _told_rate(document, animation)
    if rate_hz is not None and rate_hz != fps_hz and len(kept):
        kept = resample.kept_at(kept, resample.source_frames(len(kept), rate_hz, fps_hz))
    return kept if len(kept) == count else None


def _contacts(animation: dict[str, Any], skeleton: Skeleton, count: int) -> dict[str, NDArray[np.bool_]]:
    """Contacts that the writer kept in the extras as [start, stop) spans; anything malformed is left out."""
    out: dict[str, NDArray[np.bool_]] = {}
    for name, pairs in _block(animation, "contacts").items():
        if name not in skeleton.index or not isinstance(pairs, list):
            continue
        held = np.zeros(count, bool)
        for pair in pairs:
            if isinstance(pair, list) and len(pair) == 2 and all(isinstance(x, int) for x in pair):
                held[max(pair[0], 0) : max(pair[1], 0)] = True
        out[name] = held
    return out
