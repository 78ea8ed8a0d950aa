# SPDX-License-Identifier: Apache-2.0
"""``kineograph jobs``: look at the queue, wait, cancel, send again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from kineograph.cli import results
from kineograph.cli.options import ConnectOption, JsonOption, connect, finite
from kineograph.cli.output import Exit, console, exit_code, print_json, reports_errors, say, show_problem
from kineograph.errors import ErrorCode, JobError, from_envelope
from kineograph.wire.messages import JobState, JobStatus, to_body

app = typer.Typer(help="The queue: list, show, wait, cancel, retry, replay.", no_args_is_help=True)
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="A job's id, or enough of its first characters.")]
_LOOKS = {
    JobState.SUCCEEDED: "green",
    JobState.FAILED: "red",
    JobState.CANCELLED: "dim",
    JobState.EXPIRED: "dim",
    JobState.RUNNING: "cyan",
}


@app.command("list")
@reports_errors
def list_jobs(
    state: Annotated[
        list[JobState] | None, typer.Option(help="Only jobs in this state; may be given several times.")
    ] = None,
    text: Annotated[str, typer.Option(help="Only jobs whose id, prompt, label or model contains this.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most this many, the newest.")] = 50,
    as_json: JsonOption = False,
    address: ConnectOption = None,
) -> None:
    """The jobs of this daemon, newest last."""
    with connect(address) as client:
        page = client.list(states=list(state or []), text=text)
    jobs = page[max(len(page) - limit, 0) :]
    if as_json:
        print_json([to_body(j) for j in jobs])
        return
    if not jobs:
        say("No jobs. Try: kineograph demo")
        return
    table = Table("job", "state", "model", "prompt", "from", "age", "", box=None, header_style="bold")
    now = time.time()
    for j in jobs:
        table.add_row(
            j.job[:8],
            f"[{_LOOKS.get(j.state, 'default')}]{j.state}[/]",
            escape(j.model),
            escape(j.prompt[:40]),
            escape(j.client),
            _age(now - j.created_s),
            escape(_remark(j)),
        )
    console.print(table)


@app.command("show")
@reports_errors
def show(job: JobArgument, as_json: JsonOption = False, address: ConnectOption = None) -> None:
    """Everything known of one job; a failed one with its fixes."""
    with connect(address) as client:
        status = client.status(_whole_id(client, job))
    if as_json:
        print_json(to_body(status))
        return
    for name, value in to_body(status).items():
        if value not in (None, "", {}, 0, 0.0) and name not in ("error", "progress"):
            console.print(f"[dim]{name:12}[/] {escape(str(value))}")
    if status.error is not None:
        show_problem(from_envelope(status.error))


@app.command("wait")
@reports_errors
def wait(
    job: JobArgument,
    timeout: Annotated[
        float | None, typer.Option(min=0.0, callback=finite, help="Give up after this many seconds; the job goes on.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the motion here when it is done (.glb or .bvh).")
    ] = None,
    as_json: JsonOption = False,
    address: ConnectOption = None,
) -> None:
    """Wait for a job to end, showing its progress."""
    with connect(address) as client:
        whole = _whole_id(client, job)
        with results.progress(quiet=as_json) as update:
            status = client.wait(whole, timeout_s=timeout, on_progress=update)
        _end(status, as_json)
        if out is not None:
            results.save_job(client, whole, out)


@app.command("cancel")
@reports_errors
def cancel(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help="The jobs to stop, and no other.")],
    as_json: JsonOption = False,
    address: ConnectOption = None,
) -> None:
    """Stop the jobs named."""
    with connect(address) as client:
        ids = [_whole_id(client, j) for j in jobs]
        answers = client.cancel(*ids)
    if as_json:
        print_json([None if a is None else to_body(a) for a in answers])
        return
    for name, answer in zip(ids, answers, strict=True):
        say(f"{name[:8]}: {'unknown' if answer is None else answer.state}")


@app.command("retry")
@reports_errors
def retry(
    job: JobArgument,
    out: Annotated[Path | None, typer.Option("--out", help="Write the motion here (.glb or .bvh).")] = None,
    as_json: JsonOption = False,
    address: ConnectOption = None,
) -> None:
    """Send a job again as it was, under a new id."""
    _again(job, None, out, as_json, address)


@app.command("replay")
@reports_errors
def replay(
    job: JobArgument,
    seed: Annotated[int | None, typer.Option(help="Another seed; without it the same bytes come back.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the motion here (.glb or .bvh).")] = None,
    as_json: JsonOption = False,
    address: ConnectOption = None,
) -> None:
    """Run a finished job again: the same request, the same seed, so the same motion (or another seed)."""
    _again(job, seed, out, as_json, address, same_seed=True)


def _again(
    job: str, seed: int | None, out: Path | None, as_json: bool, address: str | None, *, same_seed: bool = False
) -> None:
    with connect(address) as client:
        whole = _whole_id(client, job)
        sent = client.request_of(whole)
        request: dict[str, Any] = dict(sent.request)
        retarget = sent.job.kind == "retarget"  # no seed: the same request is the same motion
        if not retarget and (same_seed or seed is not None):
            used = seed if seed is not None else results.seed_used(client, whole)
            request["options"] = {**(request.get("options") or {}), **({} if used is None else {"seed": used})}
        with results.progress(quiet=as_json) as update:
            again = client.retarget if retarget else client.generate
            result = again(request, on_progress=update, label=sent.job.label, character=sent.job.character)
        if out is not None:
            results.save(result, request, out)
        status = result.job
    if as_json:
        print_json({"job": to_body(status), "report": result.report})
    else:
        say(f"{result.job.job[:8]}: done" + (f", written to {out}" if out else ""))


def _end(status: JobStatus, as_json: bool) -> None:
    if as_json:
        print_json(to_body(status))
    elif status.state is JobState.SUCCEEDED:
        say(f"{status.job[:8]}: done")
    if status.error is not None:
        e = from_envelope(status.error)
        if not as_json:
            show_problem(e)
        raise typer.Exit(exit_code(e))
    if status.state is not JobState.SUCCEEDED:
        raise typer.Exit(Exit.CANCELLED if status.state is JobState.CANCELLED else Exit.TRY_LATER)


def _whole_id(client: Any, start: str) -> str:
    if len(start) >= 32:
        return start
    found = [j.job for j in client.list(text=start) if j.job.startswith(start)]
    if len(found) == 1:
        return str(found[0])
    why = "no job starts with" if not found else f"{len(found)} jobs start with"
    raise JobError(ErrorCode.REQUEST_NOT_FOUND, f"{why} {start!r}", {"got": start, "suggestions": found[:5]})


def _age(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _remark(job: JobStatus) -> str:
    if job.state is JobState.QUEUED and job.position:
        return f"waiting, {job.position - 1} ahead"
    if job.state is JobState.RUNNING:
        return f"{job.progress.fraction:.0%} {job.progress.stage}"
    return str((job.error or {}).get("error", {}).get("code", ""))
