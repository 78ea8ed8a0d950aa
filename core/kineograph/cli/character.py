# SPDX-License-Identifier: Apache-2.0
"""Whose body a job's motion is written on: the file of the rig, remembered by the terminal that sent it.

The daemon knows the joints that it was sent, not the file that they were read from. So that a later ``jobs wait``,
``retry`` or ``replay`` keeps the character's mesh as ``generate`` does, each job's rig is noted here by its path and
what was in it; one that has changed since is not used, and that is said.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import typer
from rich.markup import escape

from kineograph import files, formats, paths
from kineograph.cli.output import say
from kineograph.motion.rest import align
from kineograph.motion.skeleton import Skeleton

MOST = 500
"""Jobs that are remembered; the oldest go first."""
_WITH_MESH = (".glb", ".gltf")
_NEAR_M = 1e-4


class Body(NamedTuple):
    """``rig`` is the file's own skeleton where its rest differs from what was sent; ``file`` is one with a mesh."""

    rig: Skeleton | None = None
    file: Path | None = None


def remember(job: str, rig: Path) -> None:
    """Note the file that a job's rig was read from. A note that cannot be made is no reason to stop."""
    with suppress(OSError):
        folder = _folder()
        files.write_json(folder / f"{job}.json", {"rig": str(rig.absolute()), "sha256": _digest(rig)}, private=True)
        notes = sorted(folder.glob("*.json"), key=lambda p: p.stat().st_mtime_ns, reverse=True)
        for old in notes[MOST:]:
            old.unlink(missing_ok=True)


def recall(job: str) -> tuple[Path, bool] | None:
    """The file that a job's rig was read from, and whether it is still the same; None for a job from elsewhere."""
    try:
        told = json.loads((_folder() / f"{job}.json").read_text("utf-8"))
        path, digest = Path(told["rig"]), told["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    try:
        return path, _digest(path) == digest
    except OSError:
        return path, False


def pass_on(job: str, to: str, given: Path | None) -> None:
    """A job that is sent again has the character of the first one, or the one that was ``given``."""
    known = recall(job)
    if given is not None:
        remember(to, given)
    elif known is not None and known[1]:
        remember(to, known[0])


def of_job(job: str, given: Path | None, sent: Skeleton, out: Path) -> Body:
    """The body for a job's motion: of the file ``given``, else of the one remembered; what is missing is said.

    Raises ``typer.BadParameter`` for a file with another character, and what reading it raises.
    """
    if given is not None:
        return fitting(given, sent)
    known = recall(job)
    if known is not None and known[1]:
        with suppress(typer.BadParameter):
            return fitting(known[0], sent)
    if out.suffix.lower() in _WITH_MESH:
        why = "this terminal does not know its character"
        if known is not None:
            why = f"'{known[0]}' " + ("has changed since the job was sent" if known[0].exists() else "is gone")
        say(f"[yellow]note[/]  The motion is on a simple figure: {escape(why)}. --rig FILE names it.")
    return Body()


def fitting(path: Path, sent: Skeleton) -> Body:
    """The body in a file, if it is that of the skeleton ``sent``; else ``typer.BadParameter``."""
    own = formats.load(path).skeleton
    if set(own.names) != set(sent.names):
        lacking = [n for n in sent.names if n not in own.index] or [n for n in own.names if n not in sent.index]
        raise typer.BadParameter(
            f"'{path}' is another character than the job's: only one of them has the joint '{lacking[0]}'.",
            param_hint="--rig",
        )
    file = path if formats.has_mesh(path) else None
    if _is_same(own, sent):
        return Body(None, file)
    if _is_same(align(own), sent):
        return Body(own, file)
    raise typer.BadParameter(
        f"'{path}' has the job's joints, but not its proportions: write the motion without --rig, then carry it over "
        f"with: kineograph retarget FILE --to {path.name}",
        param_hint="--rig",
    )


def _is_same(own: Skeleton, sent: Skeleton) -> bool:
    """Whether two skeletons of the same joints rest alike; where the root stands does not matter."""
    order = [own.index[name] for name in sent.names]
    parents = [-1 if p < 0 else own.index[sent.names[p]] for p in sent.parents]
    if [int(own.parents[i]) for i in order] != parents:
        return False
    below = sent.parents >= 0
    apart_m = np.abs(own.rest_translations_m[order] - sent.rest_translations_m)[below]
    turned = 1.0 - np.abs(np.sum(own.rest_rotations_xyzw[order] * sent.rest_rotations_xyzw, axis=-1))
    size_m = max(1.0, float(np.abs(sent.rest_translations_m).max(initial=0.0)))
    return bool(apart_m.max(initial=0.0) <= _NEAR_M * size_m and turned.max(initial=0.0) <= 1e-6)


def _folder() -> Path:
    return paths.private(paths.data_dir() / "characters")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
