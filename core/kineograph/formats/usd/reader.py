# SPDX-License-Identifier: Apache-2.0
"""UsdSkel to an asset: the skeleton with the most joints and one clip per animation that moves it.

Transforms above the skeleton are folded in; the stage's up axis and unit are honoured. USD matrices act on rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kineograph.formats import posed
from kineograph.formats.asset import Asset, Source
from kineograph.formats.failure import MAX_VALUES, incomplete, read_bytes, unreadable
from kineograph.formats.usd import library
from kineograph.motion import axes
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]

MAX_JOINTS = 4096
_HEADS = {b"#usda": "text", b"PXR-USDC": "crate", b"PK\x03\x04": "package"}


def read(path: str | Path, *, fps_hz: float | None = None) -> Asset:
    """Skeleton and clips of a .usd, .usda, .usdc or .usdz file, y up, in metres.

    ``fps_hz`` samples the animations at that rate; None takes the stage's time codes a second. Raises
    ``file_unreadable`` with the prim's path, ``file_incomplete``.
    """
    path = Path(path)
    data = read_bytes(path)
    if not any(data.startswith(head) for head in _HEADS):
        raise unreadable(path, "is no USD file: it begins neither with '#usda' nor with 'PXR-USDC'", offset=0)
    usd = library.load(path)
    stage = _open(usd, path, data)
    skeletons = [usd.UsdSkel.Skeleton(p) for p in stage.Traverse() if p.IsA(usd.UsdSkel.Skeleton)]
    if not skeletons:
        raise unreadable(path, "holds no skeleton", got="no Skeleton prim")
    chosen = max(skeletons, key=lambda s: len(s.GetJointsAttr().Get() or ()))
    notes: tuple[str, ...] = ()
    if len(skeletons) > 1:
        notes = (f"The file has {len(skeletons)} skeletons: the one with the most joints was read.",)
    rig = _Rig(usd, path, stage, chosen)
    rate = float(fps_hz or stage.GetTimeCodesPerSecond())
    clips = [c for c in (rig.clip(p, rate) for p in rig.animations()) if c is not None]
    up = "z" if usd.UsdGeom.GetStageUpAxis(stage) == "Z" else "y"
    source = Source(path, "usd", rig.metres, up, notes + rig.notes)
    return Asset(rig.skeleton, tuple(clips), source)


def _open(usd: Any, path: Path, data: bytes) -> Any:
    mark = usd.Tf.Error.Mark()
    try:
        stage = usd.Usd.Stage.Open(str(path))
    except usd.Tf.ErrorException as problem:
        reason = str(problem).strip().splitlines()[-1].strip(" \t'\"")[:200]
        cut = data.startswith(b"PXR-USDC") or (data.startswith(b"#usda") and data.count(b"{") > data.count(b"}"))
        make = incomplete if cut else unreadable
        raise make(path, f"cannot be opened: {reason}", offset=len(data) if cut else None) from problem
    finally:
        mark.Clear()
    if stage is None:
        raise unreadable(path, "cannot be opened")
    return stage


class _Rig:
    """The chosen skeleton and what is needed to sample its animations."""

    def __init__(self, usd: Any, path: Path, stage: Any, skeleton: Any) -> None:
        self.usd, self.path, self.stage, self.prim = usd, path, stage, skeleton.GetPrim()
        self.where = str(self.prim.GetPath())
        tokens = [str(t) for t in skeleton.GetJointsAttr().Get() or ()]
        if not tokens or len(tokens) > MAX_JOINTS:
            raise self._fail(f"has {len(tokens)} joints", got=len(tokens), allowed=MAX_JOINTS)
        topology = usd.UsdSkel.Topology(tokens)
        good, why = topology.Validate()
        if not good or len(set(tokens)) != len(tokens):
            raise self._fail(f"has joints that are no tree: {why or 'a path stands twice'}", got=str(why)[:200])
        self.tokens = tokens
        parents = np.array(topology.GetParentIndices(), np.int32)
        self.metres = float(usd.UsdGeom.GetStageMetersPerUnit(stage))
        self.up_z = usd.UsdGeom.GetStageUpAxis(stage) == "Z"
        self.keep, self.notes = posed.largest_tree(tokens, parents)
        self.all_parents = parents
        self.rest_local = self._rest(skeleton, parents)
        names = self._names(skeleton)
        rest = self._world(self.rest_local[None], self.usd.Usd.TimeCode.Default())[0]
        self.skeleton: Skeleton = posed.skeleton_of(
            [names[j] for j in self.keep],
            posed.renumbered(parents, self.keep),
            *(part[0] for part in self._apart(rest[None, self.keep])),
        )

    def animations(self) -> list[Any]:
        """SkelAnimation prims that move joints of this skeleton, the bound one first."""
        prims = [p for p in self.stage.Traverse() if p.IsA(self.usd.UsdSkel.Animation)]
        bound = self.usd.UsdSkel.BindingAPI(self.prim).GetInheritedAnimationSource()
        prims.sort(key=lambda p: not bound or p.GetPath() != bound.GetPath())
        known = set(self.tokens)
        out = []
        for prim in prims:
            joints = self.usd.UsdSkel.Animation(prim).GetJointsAttr().Get() or ()
            if known.intersection(map(str, joints)):
                out.append(prim)
        return out

    def clip(self, prim: Any, rate: float) -> Clip | None:
        """One animation at ``rate`` Hz; None for one without time samples."""
        anim = self.usd.UsdSkel.Animation(prim)
        attributes = [anim.GetRotationsAttr(), anim.GetTranslationsAttr(), anim.GetScalesAttr()]
        times = sorted({t for a in attributes for t in a.GetTimeSamples()})
        if not times:
            return None
        codes = float(self.stage.GetTimeCodesPerSecond())
        count = round((times[-1] - times[0]) / codes * rate) + 1
        where = str(prim.GetPath())
        if count * len(self.tokens) > MAX_VALUES:
            raise self._fail(f"lasts {count} frames: too long", where, got=count)
        index = {t: j for j, t in enumerate(self.tokens)}
        joints = [str(t) for t in anim.GetJointsAttr().Get()]
        pairs = [(k, index[t]) for k, t in enumerate(joints) if t in index]
        stamps = [times[0] + f * codes / rate for f in range(count)]
        local = np.tile(self.rest_local, (count, 1, 1, 1))
        ks, js = [k for k, _ in pairs], [j for _, j in pairs]
        turns, moves, sizes = (self._values(a, stamps, len(joints), where) for a in attributes)
        local[:, js] = _matrices(turns, moves, sizes, self.rest_local[js], ks)
        stamp = stamps if self._above_moves() else self.usd.Usd.TimeCode.Default()
        world = self._world(local, stamp)[:, self.keep]
        if not np.isfinite(world).all():
            raise self._fail("holds a number that is not finite", where)
        return posed.clip_of(self.skeleton, rate, *self._apart(world), prim.GetName())

    def _rest(self, skeleton: Any, parents: NDArray[Any]) -> FloatArray:
        """Local rest matrices (J, 4, 4) that act on columns; from the bind pose where there is no rest pose."""
        n = len(self.tokens)
        told = skeleton.GetRestTransformsAttr().Get()
        if told is not None and len(told) == n:
            local = np.array([np.array(m).T for m in told])
        else:
            told = skeleton.GetBindTransformsAttr().Get()
            if told is None or len(told) != n:
                raise self._fail("has neither a rest pose nor a bind pose", got=0 if told is None else len(told))
            world = np.array([np.array(m).T for m in told])
            local = world.copy()
            below = parents >= 0
            local[below] = np.linalg.solve(world[parents[below]], world[below])
        if not np.isfinite(local).all():
            raise self._fail("has a rest pose with a number that is not finite")
        return local

    def _names(self, skeleton: Any) -> list[str]:
        told = skeleton.GetJointNamesAttr().Get()
        names = [str(t) for t in told] if told is not None and len(told) == len(self.tokens) else []
        names = names or [t.rsplit("/", 1)[-1] for t in self.tokens]
        return names if len(set(names)) == len(names) else [t.replace("/", "_") for t in self.tokens]

    def _world(self, local: FloatArray, stamps: Any) -> FloatArray:
        """World matrices (T, J, 4, 4) in stage units."""
        out = np.array(local)
        above = self._above(stamps, len(local))
        done: set[int] = set()
        for j in sorted(range(len(self.tokens)), key=lambda k: self.tokens[k].count("/")):
            p = int(self.all_parents[j])
            out[:, j] = (above if p < 0 else out[:, p]) @ out[:, j]
            done.add(j)
        return out

    def _above(self, stamps: Any, count: int) -> FloatArray:
        cache = self.usd.UsdGeom.XformCache
        if not isinstance(stamps, list):
            matrix = np.array(cache(stamps).GetLocalToWorldTransform(self.prim)).T
            return np.broadcast_to(matrix, (count, 4, 4))
        return np.array([np.array(cache(t).GetLocalToWorldTransform(self.prim)).T for t in stamps])

    def _above_moves(self) -> bool:
        prim = self.prim
        while prim and not prim.IsPseudoRoot():
            xform = self.usd.UsdGeom.Xformable(prim)
            if xform and xform.TransformMightBeTimeVarying():
                return True
            prim = prim.GetParent()
        return False

    def _values(self, attribute: Any, stamps: list[float], count: int, where: str) -> FloatArray | None:
        """An attribute (T, n, width) at all times; None where it is not authored."""
        if not attribute.HasAuthoredValue():
            return None
        rows = [attribute.Get(t) for t in stamps]
        if any(row is None or len(row) != count for row in rows):
            got = len(rows[0]) if rows[0] is not None else 0
            raise self._fail(f"has {got} values for {count} joints", where, got=got, allowed=count)
        if "quat" in str(attribute.GetTypeName()):
            flat = [[(*q.GetImaginary(), q.GetReal()) for q in row] for row in rows]
            return np.array(flat, np.float64)
        return np.array([np.array(row) for row in rows], np.float64)

    def _apart(self, world: FloatArray) -> tuple[FloatArray, FloatArray]:
        positions, rotations = posed.taken_apart(world)
        positions = positions * self.metres
        if self.up_z:
            return axes.y_up_from_z_up(positions), axes.turn_y_up_from_z_up(rotations)
        return positions, rotations

    def _fail(self, what: str, where: str = "", **details: Any) -> Exception:
        return unreadable(self.path, what, json_path=where or self.where, **details)


def _matrices(
    turns: FloatArray | None, moves: FloatArray | None, sizes: FloatArray | None, rest: FloatArray, ks: list[int]
) -> FloatArray:
    """Local matrices (T, n, 4, 4); what is not animated keeps its rest."""
    from kineograph.motion import quat

    count = next((len(v) for v in (turns, moves, sizes) if v is not None), 1)
    out = np.tile(rest, (count, 1, 1, 1))
    length = np.linalg.norm(rest[:, :3, :3], axis=1)
    if turns is not None:
        out[..., :3, :3] = quat.to_matrix(quat.normalize(turns[:, ks])) * length[:, None, :]
    if sizes is not None:
        out[..., :3, :3] *= (sizes[:, ks] / length)[..., None, :]
    if moves is not None:
        out[..., :3, 3] = moves[:, ks]
    return out
