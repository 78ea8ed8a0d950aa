# SPDX-License-Identifier: Apache-2.0
"""What ``kineograph generate`` and ``kineograph demo`` do: send a request, follow its job, write what came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from kineograph.advise import advise
from kineograph.cli import results
from kineograph.cli.character import remember
from kineograph.cli.outage import Outage
from kineograph.cli.output import print_json, say
from kineograph.cli.request import Built
from kineograph.cli.sheet import Marks, draw
from kineograph.client import Client, Result
from kineograph.errors import SceneError
from kineograph.motion.skeleton import Skeleton
from kineograph.wire.messages import CapabilitiesReply, JobStatus, Priority


@dataclass(frozen=True)
class Files:
    """Where everything goes; None is not wanted."""

    out: Path | None = None
    report: Path | None = None
    sheet: Path | None = None
    request: Path | None = None

    def check(self) -> None:
        """Before any work: a kind of file that cannot be written, or a place that takes none.

        Raises ``typer.BadParameter`` and ``file_unreadable``.
        """
        if self.out is not None:
            results.check_motion(self.out, "--out")
        if self.sheet is not None and self.sheet.suffix.lower() != ".png":
            raise typer.BadParameter(f"'{self.sheet}': a contact sheet is a .png.", param_hint="--sheet")
        for path in (self.report, self.sheet, self.request):
            if path is not None:
                results.check_place(path)


def run(
    built: Built,
    client: Client,
    *,
    as_json: bool,
    priority: Priority = Priority.INTERACTIVE,
    deadline_s: float | None = None,
    label: str = "",
    address: str | None = None,
) -> Result:
    """The job's result, its progress shown. An error, or Ctrl-C, is told and ends the command."""

    def send(update: Callable[[JobStatus], None], job: str) -> Result:
        if built.source is not None:
            remember(job, built.source)
        result = client.generate(
            built.request,
            update,
            job=job,
            refs=built.refs,
            character=built.character,
            priority=priority,
            deadline_s=deadline_s,
            label=label,
            on_link=Outage(address),
        )
        if built.source is not None and result.job.job != job:  # a retry is a job of its own
            remember(result.job.job, built.source)
        return result

    return results.follow(
        send,
        as_json=as_json,
        context={"request": built.request, "refs": built.refs},
    )


def write(result: Result, built: Built, files: Files) -> list[Path]:
    """Write what was asked for; returns the files. A file that cannot be written is told with the job that keeps it."""
    written: list[Path] = []
    told = {"job": result.job.job, "report": result.report, "provenance": result.provenance}
    try:
        if files.out is not None:
            written += results.save(result, built.request, files.out, rig=built.rig, character=built.file)
        if files.report is not None:
            written.append(results.write_json(files.report, told))
        if files.sheet is not None:
            skeleton = Skeleton.from_mmcp(built.request["skeleton"])
            clips = [result.clip(sample, skeleton) for sample in range(len(result.rotations_xyzw))]
            title = f"{built.character}   {_prompts(built.request)}"
            marks = Marks.of_request(built.request)
            written.append(results.whole(files.sheet, lambda path: draw(clips, marks, path, title=title)))
    except SceneError:
        say(f"The motion is kept: kineograph jobs wait {result.job.job[:8]} --out FILE.glb")
        raise
    return written


def advised(request: dict[str, Any], caps: CapabilitiesReply) -> None:
    """Notes on what the model will make of a request, before it is sent."""
    spec = next((m for m in caps.mmcp["models"] if m["id"] == request["model"]), None)
    if spec is None:
        return
    for note in advise(request, {**spec, **caps.models.get(request["model"], {})}):
        say(f"[yellow]note[/]  {escape(note.text)}")


def tell(result: Result, written: list[Path], as_json: bool) -> None:
    """The end: files, and the report in a few lines."""
    if as_json:
        print_json(
            {
                "job": result.job.job,
                "files": [str(f) for f in written],
                "report": result.report,
                "provenance": result.provenance,
            }
        )
        return
    for path in written:
        say(f"[green]wrote[/] {escape(str(path))}")
    for line in summary(result.report):
        say(line)
    if not written:
        say(f"{result.job.job[:8]}: done. Fetch it with: kineograph jobs wait {result.job.job[:8]} --out FILE.glb")


def summary(report: dict[str, Any]) -> list[str]:
    """The report in a few lines: what was not applied, the worst miss, how the feet did."""
    lines: dict[str, None] = {}
    for group in ("segments", "constraints", "options"):
        for entry in report.get(group, ()):
            if entry.get("outcome") in ("ignored", "changed"):
                name = entry.get("ref") or entry.get("name") or entry.get("type") or group[:-1]
                if group == "segments":
                    name = _stretch(entry)
                told = f"{escape(str(name))}: {escape(str(entry.get('reason', '')))}"
                lines[f"[yellow]{entry['outcome']}[/]  {told}"] = None
    constraints = report.get("constraints", ())
    if constraints:
        worst_cm = max(float(c.get("worst_cm") or 0.0) for c in constraints)
        worst_deg = max(float(c.get("worst_deg") or 0.0) for c in constraints)
        lines[f"keys, paths and pins: worst miss {worst_cm:.2f} cm, {worst_deg:.2f} degrees"] = None
    known = [q for q in report.get("quality", ()) if None not in (q.get("slide_mean_cm_s"), q.get("penetration_cm"))]
    if known:
        slide, sunk = (max(float(q[name]) for q in known) for name in ("slide_mean_cm_s", "penetration_cm"))
        most = "slide at most" if len(known) > 1 else "slide"
        lines[f"feet: {most} {slide:.1f} cm/s while they stand, at most {sunk:.1f} cm into the ground"] = None
    return list(lines)


def _stretch(entry: dict[str, Any]) -> str:
    where = f"prompt {int(entry.get('index', 0)) + 1}"
    return where if entry.get("stop") is None else f"{where}, frames {entry.get('start', 0)} to {entry['stop'] - 1}"


def _prompts(request: dict[str, Any]) -> str:
    return ", then ".join(str(s["prompt"]) for s in request.get("segments", ()) if s.get("prompt"))
