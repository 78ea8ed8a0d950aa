# SPDX-License-Identifier: Apache-2.0
"""Is it a body: limbs that are known and whole, a size a person has, a rest pose that stands."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from kineograph.motion.skeleton import Skeleton
from kineograph.rigs.doctor.finding import Finding, Level, some
from kineograph.rigs.doctor.stance import stance
from kineograph.rigs.mapping import RigMap
from kineograph.rigs.roles import REQUIRED, Role
from kineograph.rigs.suggest import suggest

SMALLEST_M, LARGEST_M = 0.3, 3.0
USUAL_M = 1.7
_UNITS = (("centimetres", 0.01), ("millimetres", 0.001), ("inches", 0.0254), ("metres as cm", 100.0))
UNSURE = 0.5
UNEVEN = 0.05
_LIMBS = (("upper_arm", "forearm", "hand"), ("thigh", "calf", "foot"))
_WORD = {Role.HIPS: "Hips", Role.HEAD: "Head"}


def examine_body(skeleton: Skeleton, rig: RigMap, metres_per_unit: float = 1.0) -> list[Finding]:
    """Findings about roles, unit and size, limbs, axes and the rest pose."""
    return [
        _roles(rig),
        *_unsure(rig),
        _size(skeleton, metres_per_unit),
        *_scales(skeleton),
        *_limbs(skeleton, rig),
        *_pose(skeleton, rig),
    ]


def _roles(rig: RigMap) -> Finding:
    missing = rig.missing()
    known = f"{len(rig.matches)} of {len(rig.names)} joints have a role"
    if rig.convention_label and rig.convention:
        known += f", named as in {rig.convention_label}"
    if not missing:
        return Finding("roles", Level.FINE, known)
    words = [str(r).replace("_", " ") for r in missing]
    near = {str(r): [s.name for s in suggest(_WORD.get(r, str(r)), rig.names)][:1] for r in missing}
    guess = [f"{role.replace('_', ' ')} = '{names[0]}'?" for role, names in near.items() if names]
    fix = "Write a profile (kineograph rig profile FILE --out rig.toml) and fill in: " + ", ".join(words) + "."
    if guess:
        fix += " Perhaps " + ", ".join(guess[:4])
    if len(missing) == len(REQUIRED):
        fix = "This is no person by its names and shape: keys, paths and pins work on it, motion of people does not."
    level = Level.WARNING if len(missing) == len(REQUIRED) else Level.PROBLEM
    return Finding("roles", level, f"{known}; missing: {some(words)}", fix)


def _unsure(rig: RigMap) -> list[Finding]:
    doubtful = [m for m in rig.matches.values() if m.confidence < UNSURE]
    if not doubtful:
        return []
    said = ", ".join(f"{str(m.role).replace('_', ' ')} = '{m.name}' ({m.reason})" for m in doubtful[:4])
    fix = "Look at these in a profile and say which joints are meant."
    return [Finding("guesses", Level.WARNING, f"not sure: {said}", fix, tuple(m.name for m in doubtful))]


def _size(skeleton: Skeleton, metres_per_unit: float) -> Finding:
    height = skeleton.height_m
    unit = "" if metres_per_unit == 1.0 else f", the file's unit read as {metres_per_unit:g} m"
    if SMALLEST_M <= height <= LARGEST_M:
        return Finding("size", Level.FINE, f"{height:.2f} m tall{unit}")
    # A person of the most usual height, by ratio: 71 are inches, 180 centimetres.
    name, factor = min(_UNITS, key=lambda u: abs(np.log(max(height, 1e-12) * u[1] / USUAL_M)))
    if 0.5 <= height * factor <= LARGEST_M:
        fix = f"It is a person in {name}: apply a scale of {factor:g}, or export in metres."
        return Finding("size", Level.WARNING, f"{height:.4g} m tall{unit}", fix)
    return Finding("size", Level.WARNING, f"{height:.4g} m tall{unit}", "Apply the scale so that 1 unit is 1 metre.")


def _scales(skeleton: Skeleton) -> list[Finding]:
    if not (np.isfinite(skeleton.rest_translations_m).all() and np.isfinite(skeleton.rest_rotations_xyzw).all()):
        return [Finding("numbers", Level.PROBLEM, "some positions are not finite numbers", "Export the rig again.")]
    return []


def _limbs(skeleton: Skeleton, rig: RigMap) -> list[Finding]:
    out: list[Finding] = []
    position = skeleton.rest_positions_m
    for parts in _LIMBS:
        lengths = {}
        for side in ("left", "right"):
            joints = [rig.get(Role(f"{side}_{part}")) for part in parts]
            if any(j is None for j in joints):
                continue
            chain = [j for j in joints if j is not None]
            name = f"{side} {'arm' if 'arm' in parts[0] else 'leg'}"
            names = tuple(rig.names[j] for j in chain)
            broken = [b for a, b in pairwise(chain) if a not in skeleton.chain(b)]
            if broken:
                fix = f"Parent '{rig.names[broken[0]]}' below the joint above it: a limb must be one chain for IK."
                said = f"the {name} is not one chain: {some(names)}"
                out.append(Finding("limbs", Level.PROBLEM, said, fix, names))
                continue
            bones = [float(np.linalg.norm(position[b] - position[a])) for a, b in pairwise(chain)]
            if min(bones) < 1e-4 * skeleton.height_m:
                fix = "Move the joints apart: a bone without length cannot reach."
                out.append(Finding("limbs", Level.PROBLEM, f"a bone of the {name} has no length", fix, names))
                continue
            lengths[side] = sum(bones)
        if len(lengths) == 2 and abs(lengths["left"] / lengths["right"] - 1.0) > UNEVEN:
            what = "arms" if "arm" in parts[0] else "legs"
            said = f"the {what} differ: {lengths['left']:.3f} m left, {lengths['right']:.3f} m right"
            fix = "Mirror one side onto the other, unless it is meant so."
            out.append(Finding("limbs", Level.WARNING, said, fix))
    return out or [Finding("limbs", Level.FINE, "arms and legs are whole chains")]


def _pose(skeleton: Skeleton, rig: RigMap) -> list[Finding]:
    found = stance(rig, skeleton.rest_positions_m)
    if found is None:
        return []
    out = []
    if found.up != "y":
        fix = "Export with y up, or say the unit and axes when you convert: the body lies along another axis."
        out.append(Finding("axes", Level.WARNING, f"the rest pose stands along {found.up}, facing {found.front}", fix))
    elif found.front != "z":
        fix = "Turn the character so that it faces +z, or leave it: motion is turned to fit."
        out.append(Finding("axes", Level.WARNING, f"y up, facing {found.front}", fix))
    else:
        out.append(Finding("axes", Level.FINE, "y up, facing +z"))
    said = f"rest pose score {found.score:.2f}"
    if found.pose == "other":
        level = Level.PROBLEM if found.score < 0.6 else Level.WARNING
        fix = "Set the rest pose to a T or an A and export again; until then a pose out of each clip stands in for it."
        out.append(Finding("rest pose", level, f"{said}: nobody stands like this", fix))
    else:
        out.append(Finding("rest pose", Level.FINE, f"{said}, {'a T' if found.pose == 't' else 'an A'}-pose"))
    return out
