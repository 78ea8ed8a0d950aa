# SPDX-License-Identifier: Apache-2.0
"""From a result to files, and progress on the way."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from kineograph import files, formats
from kineograph.cli.character import of_job
from kineograph.cli.output import Exit, _plain, console, exit_code, interrupted, say, show_problem
from kineograph.client import Client, Result, new_job_id
from kineograph.errors import ErrorCode, KineographError, LinkError, SceneError, error
from kineograph.formats import mannequin
from kineograph.motion.clip import Clip
from kineograph.motion.rest import align, unalign_clip
from kineograph.motion.skeleton import Skeleton
from kineograph.wire.messages import JobState, JobStatus

MOTION = (".glb", ".gltf", ".bvh", ".json")
"""What a motion is written as; .json is its report."""


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Callable[[JobStatus], None]]:
    """A progress bar fed with job statuses: place in the queue, then the steps."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )
    with bar:
        task = bar.add_task("sending", total=1.0)

        def update(status: JobStatus) -> None:
            bar.update(task, completed=status.progress.fraction, description=_describe(status))

        yield update


def _describe(status: JobStatus) -> str:
    if status.state is JobState.QUEUED:
        return f"waiting ({status.position - 1} ahead)" if status.position else "waiting"
    p = status.progress
    if status.state is JobState.RUNNING and p.steps:
        return f"step {p.step} of {p.steps} {p.stage}".rstrip()
    return p.stage or str(status.state)


def follow(
    send: Callable[[Callable[[JobStatus], None], str], Result],
    *,
    as_json: bool,
    context: Mapping[str, Any] | None = None,
) -> Result:
    """What ``send`` brings, given whom to tell of the progress and a job's id. Ctrl-C cancels the job and says so."""
    job = new_job_id()
    known: list[str] = []

    def told(status: JobStatus) -> None:
        known[:] = [status.job]
        update(status)

    try:
        with progress(quiet=as_json) as update:
            return send(told, job)
    except KineographError as e:
        show_problem(e, context, as_json=as_json)
        if isinstance(e, LinkError) and known:
            say_kept(known[0])
        raise typer.Exit(exit_code(e)) from None
    except KeyboardInterrupt:
        again = f"kineograph jobs retry {job[:8]}"
        interrupted(f"Stopped: job {job[:8]} is cancelled, nothing was written. Again: {again}", job, as_json=as_json)
        raise typer.Exit(Exit.CANCELLED) from None


def say_kept(job: str) -> None:
    """After an error of the connection: the daemon has the job, and so has the next one."""
    say(f"Job {job[:8]} is kept. When a daemon runs again: kineograph jobs wait {job[:8]} --out FILE.glb")


def save(
    result: Result, request: Mapping[str, Any], out: Path, *, rig: Skeleton | None = None, character: Path | None = None
) -> list[Path]:
    """Write all samples of a result to ``out`` by its extension; returns the files.

    A GLB holds every sample as an animation of its own, with the mesh of ``character`` or else a simple figure; a BVH
    one sample (further ones get ``_2``, ``_3``), JSON is the report. ``rig`` is the file's own skeleton when it
    differs from the request's only in its rest rotations. The file appears whole or not at all.
    """
    if out.suffix.lower() == ".json":
        return [write_json(out, {"job": result.job.job, "report": result.report, "provenance": result.provenance})]
    sent = skeleton_of(result, request) if rig is None else align(rig)
    clips = [_own_rest(result.clip(b, sent), rig) for b in range(len(result.rotations_xyzw))]
    if len(clips) > 1:
        clips = [replace(clip, name=f"{clip.name} {b + 1}".strip()) for b, clip in enumerate(clips)]
    skeleton, keys = clips[0].skeleton, result.keys
    if out.suffix.lower() == ".bvh":
        if keys is not None:
            say("[yellow]note[/]  a BVH has every frame: fewer keys are kept by .glb and .gltf only")
        names = [out] + [out.with_stem(f"{out.stem}_{b + 1}") for b in range(1, len(clips))]
        for path, clip in zip(names, clips, strict=True):
            formats.save(path, skeleton, [clip])
        return names
    if character is not None:
        with suppress(ValueError):  # the file was given other joints meanwhile: the motion comes on a figure
            formats.save(out, skeleton, clips, character=character, keys=keys)
            return [out]
    formats.save(out, skeleton, clips, mesh=mannequin.build(skeleton), keys=keys)
    return [out]


def skeleton_of(result: Result, request: Mapping[str, Any]) -> Skeleton:
    """The skeleton that a job was about; that of a retarget comes with its result."""
    return Skeleton.from_mmcp(request.get("skeleton") or result.body["skeleton"])


def fetch(client: Client, job: str) -> Result:
    """A finished job's result. Raises the job's own error, ``result_expired``, or ``rate_limited`` while it runs."""
    body = client.result(job)
    status = client.status(job)
    if body is None:
        raise error(ErrorCode.RATE_LIMITED, f"the job is {status.state}, its motion is not there yet", {"job": job})
    return Result.from_body(status, body)


def save_job(client: Client, job: str, out: Path, rig: Path | None = None) -> list[Path]:
    """Fetch a finished job's motion and write it, on the character in ``rig`` or the one that the job was sent for."""
    return save_again(fetch(client, job), client.request_of(job).request, out, job, rig)


def save_again(result: Result, request: Mapping[str, Any], out: Path, job: str, rig: Path | None) -> list[Path]:
    """As ``save``, for a ``job`` of which the rig's file is not at hand: it is remembered, or ``rig`` names it."""
    if out.suffix.lower() == ".json":
        return save(result, request, out)
    body = of_job(job, rig, skeleton_of(result, request), out)
    return save(result, request, out, rig=body.rig, character=body.file)


def seed_used(client: Client, job: str) -> int | None:
    """The seed a finished job ran with; None when it is not known any more."""
    seed = fetch(client, job).provenance.get("seed")
    return int(seed) if isinstance(seed, int) else None


def write_json(path: Path, value: Any) -> Path:
    """Write a JSON document, readable, whole or not at all."""
    text = json.dumps(value, default=_plain, ensure_ascii=False, allow_nan=False, indent=1)
    return whole(path, lambda p: p.write_text(text, encoding="utf-8"))


def _own_rest(clip: Clip, rig: Skeleton | None) -> Clip:
    return clip if rig is None else unalign_clip(rig, clip)


def whole(path: Path, write: Callable[[Path], Any]) -> Path:
    """Write a file whole or not at all; returns its path. Raises ``file_unreadable``."""
    try:
        files.write_whole(path, write)
    except OSError as e:
        raise _unwritable(path, e.strerror or str(e)) from e
    return path


def check_motion(path: Path, option: str) -> None:
    """As ``check_place``, for a motion. Raises ``typer.BadParameter`` for a form that is not written."""
    if path.suffix.lower() not in MOTION:
        raise typer.BadParameter(f"'{path}': a motion is written as {', '.join(MOTION)}.", param_hint=option)
    check_place(path)


def check_place(path: Path) -> None:
    """Before the work: that a file can be there at all. Raises ``file_unreadable``."""
    if path.is_dir():
        raise _unwritable(path, "it is a folder; name a file in it")
    there = next((p for p in path.absolute().parents if p.exists()), Path("/"))
    if not there.is_dir():
        raise _unwritable(path, f"'{there}' is a file, not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise _unwritable(path, f"you may not write into '{there}'")


def _unwritable(path: Path, reason: str) -> SceneError:
    said = f"'{path}' cannot be written: {reason}"
    return SceneError(ErrorCode.FILE_UNREADABLE, said, {"unwritable": str(path), "reason": reason})
