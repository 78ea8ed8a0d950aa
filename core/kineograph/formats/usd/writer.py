# SPDX-License-Identifier: Apache-2.0
"""A skeleton, its clips and a skinned mesh to USD: one SkelAnimation per clip, the first one bound.

A joint's path is made of identifiers, so that '.' in a name becomes '_'; names as they were stand in ``jointNames``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kineograph.formats import fit
from kineograph.formats.asset import Mesh
from kineograph.formats.failure import unwritable
from kineograph.formats.usd import library
from kineograph.motion import axes, quat
from kineograph.motion.clip import Clip
from kineograph.motion.skeleton import Skeleton

FloatArray = NDArray[np.floating[Any]]


def write(
    path: str | Path,
    skeleton: Skeleton,
    clips: Sequence[Clip] = (),
    mesh: Mesh | None = None,
    *,
    up: Literal["y", "z"] = "y",
    units_per_metre: float = 1.0,
) -> None:
    """Write .usd, .usda or .usdc. Time codes run at the first clip's rate, from 0."""
    path = Path(path)
    usd = library.load(path)
    stage = usd.Usd.Stage.CreateInMemory()
    usd.UsdGeom.SetStageUpAxis(stage, up.upper())
    usd.UsdGeom.SetStageMetersPerUnit(stage, 1.0 / units_per_metre)
    fps_hz = clips[0].fps_hz if clips else 30.0
    stage.SetTimeCodesPerSecond(fps_hz)
    stage.SetFramesPerSecond(fps_hz)
    root = usd.UsdSkel.Root.Define(stage, "/Character")
    stage.SetDefaultPrim(root.GetPrim())
    tokens = _tokens(usd, skeleton)
    scaled = _turned(skeleton, up, units_per_metre)
    prim = _skeleton(usd, stage, scaled, tokens)
    taken: set[str] = {"Skeleton", "Mesh"}
    length = 0.0
    for i, clip in enumerate(clips):
        name = _free(usd.Tf.MakeValidIdentifier(clip.name or f"clip_{i}"), taken)
        anim = _animation(usd, stage, name, tokens, fit.onto(skeleton, clip), scaled, up, units_per_metre, fps_hz)
        length = max(length, (len(clip) - 1) * fps_hz / clip.fps_hz)
        if i == 0:
            binding = usd.UsdSkel.BindingAPI.Apply(prim.GetPrim())
            binding.CreateAnimationSourceRel().SetTargets([anim.GetPath()])
    if clips:
        stage.SetStartTimeCode(0.0)
        stage.SetEndTimeCode(length)
    if mesh is not None:
        _mesh(usd, stage, mesh, prim, up, units_per_metre)
    try:
        if not stage.GetRootLayer().Export(str(path)):
            raise unwritable(path, "the folder or the disk does not take it")
    except usd.Tf.ErrorException as problem:
        raise unwritable(path, str(problem).strip().splitlines()[-1][:200]) from problem


def _tokens(usd: Any, skeleton: Skeleton) -> list[str]:
    """A path for each joint, made of identifiers that are unique among siblings."""
    out: list[str] = []
    for j, name in enumerate(skeleton.names):
        parent = int(skeleton.parents[j])
        plain = usd.Tf.MakeValidIdentifier(name)
        path = plain if parent < 0 else f"{out[parent]}/{plain}"
        out.append(path if path not in out else f"{path}_{j}")
    return out


def _turned(skeleton: Skeleton, up: str, scale: float) -> Skeleton:
    """The skeleton in the stage's axes and unit: its world turned, its joints' own frames kept."""
    out = axes.scale_skeleton(skeleton, scale)
    if up == "y":
        return out
    back = quat.conj(axes.Y_UP_FROM_Z_UP_XYZW)
    moves, turns = out.rest_translations_m.copy(), out.rest_rotations_xyzw.copy()
    moves[out.root], turns[out.root] = quat.rotate(back, moves[out.root]), quat.mul(back, turns[out.root])
    return Skeleton.build(out.names, out.parents, moves, turns)


def _skeleton(usd: Any, stage: Any, skeleton: Skeleton, tokens: list[str]) -> Any:
    prim = usd.UsdSkel.Skeleton.Define(stage, "/Character/Skeleton")
    prim.CreateJointsAttr(tokens)
    prim.CreateJointNamesAttr(list(skeleton.names))
    local = _rows(skeleton.rest_translations_m, skeleton.rest_rotations_xyzw)
    world = _rows(skeleton.rest_positions_m, skeleton.rest_world_rotations_xyzw)
    prim.CreateRestTransformsAttr([usd.Gf.Matrix4d(m.tolist()) for m in local])
    prim.CreateBindTransformsAttr([usd.Gf.Matrix4d(m.tolist()) for m in world])
    return prim


def _rows(moves: FloatArray, turns: FloatArray) -> FloatArray:
    """Matrices (J, 4, 4) that act on rows."""
    out = np.tile(np.eye(4), (len(moves), 1, 1))
    out[:, :3, :3] = quat.to_matrix(turns).transpose(0, 2, 1)
    out[:, 3, :3] = moves
    return out


def _animation(
    usd: Any, stage: Any, name: str, tokens: list[str], clip: Clip, skeleton: Skeleton, up: str, scale: float,
    codes_hz: float,
) -> Any:  # fmt: skip
    anim = usd.UsdSkel.Animation.Define(stage, f"/Character/{name}")
    anim.CreateJointsAttr(tokens)
    turns = np.array(quat.continuous(clip.rotations_xyzw), np.float64)
    moves = np.tile(skeleton.rest_translations_m, (len(clip), 1, 1))
    if clip.translations_m is not None:
        moves = clip.translations_m * scale
    root = skeleton.root
    moves[:, root] = clip.root_m * scale
    if up == "z":
        back = quat.conj(axes.Y_UP_FROM_Z_UP_XYZW)
        moves[:, root], turns[:, root] = quat.rotate(back, moves[:, root]), quat.mul(back, turns[:, root])
    rotations, translations = anim.CreateRotationsAttr(), anim.CreateTranslationsAttr()
    anim.CreateScalesAttr(usd.Vt.Vec3hArray([usd.Gf.Vec3h(1, 1, 1)] * len(tokens)))
    step = codes_hz / clip.fps_hz
    for f, (q, p) in enumerate(zip(turns.tolist(), moves.astype("<f4"), strict=True)):
        quats = [usd.Gf.Quatf(w, x, y, z) for x, y, z, w in q]
        rotations.Set(usd.Vt.QuatfArray(quats), f * step)
        translations.Set(usd.Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(p)), f * step)
    return anim


def _mesh(usd: Any, stage: Any, mesh: Mesh, skeleton: Any, up: str, scale: float) -> None:
    prim = usd.UsdGeom.Mesh.Define(stage, "/Character/Mesh")
    points, normals = mesh.positions_m * scale, mesh.normals
    if up == "z":
        points, normals = axes.z_up_from_y_up(points), axes.z_up_from_y_up(normals)
    vectors = usd.Vt.Vec3fArray.FromNumpy
    prim.CreatePointsAttr(vectors(np.ascontiguousarray(points, np.float32)))
    prim.CreateNormalsAttr(vectors(np.ascontiguousarray(normals, np.float32)))
    prim.SetNormalsInterpolation("vertex")
    prim.CreateFaceVertexCountsAttr(usd.Vt.IntArray([3] * len(mesh.triangles)))
    prim.CreateFaceVertexIndicesAttr(usd.Vt.IntArray(mesh.triangles.reshape(-1).tolist()))
    prim.CreateSubdivisionSchemeAttr("none")
    prim.CreateDisplayColorAttr([usd.Gf.Vec3f(*mesh.base_color_rgba[:3])])
    binding = usd.UsdSkel.BindingAPI.Apply(prim.GetPrim())
    binding.CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    binding.CreateJointIndicesPrimvar(False, 4).Set(usd.Vt.IntArray(mesh.joints.reshape(-1).tolist()))
    binding.CreateJointWeightsPrimvar(False, 4).Set(usd.Vt.FloatArray(mesh.weights.reshape(-1).tolist()))
    binding.CreateGeomBindTransformAttr(usd.Gf.Matrix4d(1.0))


def _free(name: str, taken: set[str]) -> str:
    new, n = name, 1
    while new in taken:
        n += 1
        new = f"{name}_{n}"
    taken.add(new)
    return new
