# SPDX-License-Identifier: Apache-2.0
"""``kineograph jobs``: look at the queue, wait, cancel, send again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.markup import escape

from kineograph.cli.options import ConnectOption, JsonOption, connect, finite, seed_in_range
from kineograph.cli.output import (
    Exit,
    exit_code,
    interrupted,
    page,
    print_json,
    reports_errors,
    say,
    show_problem,
    tell,
)
from kineograph.errors import ErrorCode, JobError, KineographError, LinkError, from_envelope
from kineograph.wire.messages import JobState, JobStatus, to_body

if TYPE_CHECKING:
    from kineograph.client import Client, Result

app = typer.Typer(help="The queue: list, show, wait, cancel, retry, replay.", no_args_is_help=True)


def _named(value: str | list[str]) -> str | list[str]:
    """Callback: nothing is the beginning of every job's id."""
    if not all([value] if isinstance(value, str) else value):
        raise typer.BadParameter("A job is named by its id, or enough of its first characters.")
    return value


JobArgument = Annotated[
    str, typer.Argument(metavar="JOB", callback=_named, help="A job's id, or enough of its first characters.")
]
RigOption = Annotated[
    Path | None,
    typer.Option("--rig", help="Your character, for --out; default: the file that generate was given here."),
]
_LOOKS = {
    JobState.SUCCEEDED: "green",
    JobState.FAILED: "red",
    JobState.CANCELLED: "dim",
    JobState.EXPIRED: "dim",
    JobState.RUNNING: "cyan",
}

_FIXED = (("job", 8), ("state", 10), ("age", 6))
_MOMENTS = ("created_s", "started_s", "finished_s")


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
    """The jobs of this daemon, newest last.

    Examples: [bold]kineograph jobs list --state running[/], [bold]kineograph jobs list --text walk --json[/]
    """
    with connect(address) as client:
        found = client.list(states=list(state or []), text=text)
    jobs = found[max(len(found) - limit, 0) :]
    if as_json:
        print_json([to_body(j) for j in jobs])
        return
    if not jobs:
        say("No jobs. Try: kineograph demo")
        return
    _table(jobs)


def _table(jobs: Sequence[JobStatus]) -> None:
    """One line a job. An id is there to be typed: it is never cut, whatever the terminal's width."""
    from rich.table import Table

    now = time.time()
    rows: list[tuple[str, ...]] = [
        (j.job[:8], f"[{_LOOKS.get(j.state, 'default')}]{j.state}[/]", _age(now - j.created_s),
         escape(_remark(j)), escape(j.prompt[:40]), escape(j.model), escape(j.client))
        for j in jobs
    ]  # fmt: skip
    room = page.width - sum(width + 2 for _, width in _FIXED)
    table = Table(box=None, header_style="bold")
    for title, width in _FIXED:
        table.add_column(title, no_wrap=True, min_width=width)
    if room < 40:
        table.add_column("", no_wrap=True, max_width=max(room - 2, 1))
        rows = [(*row[:3], row[3] or row[4]) for row in rows]
    else:
        for title, share in (("", 0.2), ("prompt", 0.4), ("model", 0.25), ("from", 0.15)):
            table.add_column(title, no_wrap=True, max_width=max(int(room * share) - 2, 1))
    for row in rows:
        table.add_row(*row)
    page.print(table)


@app.command("show")
@reports_errors
def show(job: JobArgument, as_json: JsonOption = False, address: ConnectOption = None) -> None:
    """Everything known of one job: a failed one with its fixes, a finished one with what became of what was asked.

    Examples: [bold]kineograph jobs show 3f2a[/], [bold]kineograph jobs show 3f2a --json[/]
    """
    with connect(address) as client:
        status = client.status(_whole_id(client, job))
        report = _report(client, status)
    if as_json:
        print_json(to_body(status) | ({} if report is None else {"report": report}))
        return
    for name, value in to_body(status).items():
        if value not in (None, "", {}, 0, 0.0) and name not in ("error", "progress"):
            told = _moment(value) if name in _MOMENTS else str(value)
            tell(f"[dim]{name.removesuffix('_s') if name in _MOMENTS else name:12}[/] {escape(told)}")
    if status.error is not None:
        show_problem(from_envelope(status.error), to=page)
    if report is not None:
        from kineograph.cli.generating import summary

        for line in summary(report):
            tell(line)


def _report(client: Client, status: JobStatus) -> dict[str, Any] | None:
    """The report of a finished job whose result is still kept."""
    if status.state is not JobState.SUCCEEDED:
        return None
    try:
        return dict((client.result(status.job) or {}).get("report") or {})
    except JobError:
        return None


@app.command("wait")
@reports_errors
def wait(
    job: JobArgument,
    timeout: Annotated[
        float | None, typer.Option(min=0.0, callback=finite, help="Give up after this many seconds; the job goes on.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the motion here when it is done (.glb or .bvh).")
    ] = None,
    rig: RigOption = None,
    as_json: JsonOption = False,
    address: ConnectOption = None,
) -> None:
    """Wait for a job to end, showing its progress. Ctrl-C ends the waiting, not the job.

    Examples: [bold]kineograph jobs wait 3f2a --out walk.glb[/], [bold]kineograph jobs wait 3f2a --timeout 60[/]
    """
    from kineograph.cli import results
    from kineograph.cli.outage import Outage

    if out is not None:
        results.check_motion(out, "--out")
    with connect(address) as client:
        whole = _whole_id(client, job)
        if rig is not None:
            _check_rig(rig, out, client.request_of(whole).request)
        try:
            with results.progress(quiet=as_json) as update:
                status = client.wait(whole, timeout_s=timeout, on_progress=update, on_link=Outage(address))
        except KineographError as e:
            if isinstance(e, LinkError):
                show_problem(e, as_json=as_json)
                results.say_kept(whole)
                raise typer.Exit(exit_code(e)) from None
            if e.code is not ErrorCode.TIMEOUT:
                raise
            _not_yet(e, f"Job {whole[:8]} has not ended in {timeout:g} s; it goes on.", as_json=as_json)
        except KeyboardInterrupt:
            interrupted(f"Stopped waiting; job {whole[:8]} goes on. To end it: kineograph jobs cancel {whole[:8]}",
                        whole, as_json=as_json)  # fmt: skip
            raise typer.Exit(Exit.CANCELLED) from None
        wanted = out is not None and status.state is JobState.SUCCEEDED
        files = results.save_job(client, whole, out, rig) if wanted and out is not None else []
    _end(status, files, as_json)


@app.command("cancel")
@reports_errors
def cancel(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB", callback=_named, help="The jobs to stop, and no other.")],
    as_json: JsonOption = False,
    address: ConnectOption = None,
) -> None:
    """Stop the jobs named.

    Example: [bold]kineograph jobs cancel 3f2a 9b1c[/]
    """
    with connect(address) as client:
        ids = [_whole_id(client, j) for j in jobs]
        answers = client.cancel(*ids)
    if as_json:
        print_json([None if a is None else to_body(a) for a in answers])
    for name, answer in () if as_json else zip(ids, answers, strict=True):
        say(f"{name[:8]}: {'unknown' if answer is None else answer.state}")
    if None in answers:
        raise typer.Exit(Exit.JOB)


@app.command("retry")
@reports_errors
def retry(
    job: JobArgument,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the motion here (.glb or .bvh).")] = None,
    rig: RigOption = None,
    as_json: JsonOption = False,
    address: ConnectOption = None,
) -> None:
    """Send a job again as it was, under a new id.

    Example: [bold]kineograph jobs retry 3f2a --out walk.glb[/]
    """
    _again(job, None, out, rig, as_json, address)


@app.command("replay")
@reports_errors
def replay(
    job: JobArgument,
    seed: Annotated[
        int | None,
        typer.Option(callback=seed_in_range, help="Another seed; without it the same bytes come back."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the motion here (.glb or .bvh).")] = None,
    rig: RigOption = None,
    as_json: JsonOption = False,
    address: ConnectOption = None,
) -> None:
    """Run a finished job again: the same request, the same seed, so the same motion (or another seed).

    Examples: [bold]kineograph jobs replay 3f2a --out same.glb[/], [bold]kineograph jobs replay 3f2a --seed 8[/]
    """
    _again(job, seed, out, rig, as_json, address, same_seed=True)


def _again(
    job: str,
    seed: int | None,
    out: Path | None,
    rig: Path | None,
    as_json: bool,
    address: str | None,
    *,
    same_seed: bool = False,
) -> None:
    from kineograph.cli import results
    from kineograph.cli.character import pass_on
    from kineograph.cli.outage import Outage

    if out is not None:
        results.check_motion(out, "--out")
    with connect(address) as client:
        whole = _whole_id(client, job)
        sent = client.request_of(whole)
        request: dict[str, Any] = dict(sent.request)
        if rig is not None:
            _check_rig(rig, out, request)
        retarget = sent.job.kind == "retarget"  # no seed: the same request is the same motion
        if not retarget and (same_seed or seed is not None):
            used = seed if seed is not None else results.seed_used(client, whole)
            request["options"] = {**(request.get("options") or {}), **({} if used is None else {"seed": used})}
        ask = client.retarget if retarget else client.generate
        about: dict[str, Any] = {"label": sent.job.label, "character": sent.job.character, "on_link": Outage(address)}

        def send(update: Callable[[JobStatus], None], new: str) -> Result:
            pass_on(whole, new, rig)
            return ask(request, update, job=new, **about)

        result = results.follow(send, as_json=as_json)
    files = [] if out is None else results.save_again(result, request, out, whole, rig)
    if as_json:
        print_json({"job": to_body(result.job), "files": [str(f) for f in files], "report": result.report})
        return
    say(f"{result.job.job[:8]}: done")
    for path in files:
        say(f"[green]wrote[/] {escape(str(path))}")


def _check_rig(rig: Path, out: Path | None, request: Mapping[str, Any]) -> None:
    """Before the work, where the request has its skeleton (a retarget's comes with the result)."""
    if out is None:
        raise typer.BadParameter("--rig says on whom the motion is written: name a file for it with --out.")
    if "skeleton" in request:
        from kineograph.cli.character import fitting
        from kineograph.motion.skeleton import Skeleton

        fitting(rig, Skeleton.from_mmcp(request["skeleton"]))


def _not_yet(e: KineographError, text: str, *, as_json: bool) -> NoReturn:
    if as_json:
        print_json(e.to_envelope())
    else:
        say(text)
    raise typer.Exit(Exit.TRY_LATER)


def _end(status: JobStatus, files: Sequence[Path], as_json: bool) -> None:
    if as_json:
        print_json({**to_body(status), "files": [str(f) for f in files]})
    elif status.state is JobState.SUCCEEDED:
        say(f"{status.job[:8]}: done")
        for path in files:
            say(f"[green]wrote[/] {escape(str(path))}")
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
    if found:
        some = ", ".join(job[:12] for job in found[-5:])
        raise typer.BadParameter(f"{len(found)} jobs begin with '{start}': write more of it, as in {some}.")
    raise JobError(ErrorCode.REQUEST_NOT_FOUND, f"no job begins with '{start}'", {"job": start, "got": start})


def _moment(unix_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix_s))


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
