# SPDX-License-Identifier: Apache-2.0
"""What became of every file, as a page for people and a table for programs."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kineograph.errors import from_envelope
from kineograph.fixes import resolve
from kineograph.formats import whole
from kineograph_daemon.watch.state import Row, TaskState

HTML, CSV = "_watch.html", "_watch.csv"
_ORDER = (
    TaskState.FAILED,
    TaskState.NEEDS_MAP,
    TaskState.WORKING,
    TaskState.WAITING,
    TaskState.DONE,
    TaskState.DUPLICATE,
)
_HEAD = ("state", "source", "target", "out", "frames", "seconds", "code", "reason")
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem;color:#34373c;background:#faf9f6}
table{border-collapse:collapse;width:100%}td,th{padding:.3rem .7rem;text-align:left;border-bottom:1px solid #e3e0d8}
td:nth-child(5),td:nth-child(6){text-align:right}.failed{color:#b23c3c}.needs_map{color:#a86a10}.done{color:#3d7a4a}
"""


def rows_of(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """One map a task, what needs a person first."""
    ordered = sorted(rows, key=lambda r: (_ORDER.index(r.state), r.source, r.target))
    return [_plain(row) for row in ordered]


def write(folder: Path, rows: Iterable[Row]) -> list[Path]:
    """Both files, each whole or not at all."""
    told = rows_of(rows)
    whole.write_text(folder / HTML, _page(told))
    table = io.StringIO()
    writer = csv.DictWriter(table, _HEAD, lineterminator="\n")
    writer.writeheader()
    writer.writerows(told)
    whole.write_text(folder / CSV, table.getvalue())
    return [folder / HTML, folder / CSV]


def reason(error: Mapping[str, Any] | None) -> tuple[str, str]:
    """Code and sentence of an error, as the catalogue says it."""
    if error is None:
        return "", ""
    problem = from_envelope(error)
    return str(problem.code), resolve(problem).text


def _plain(row: Row) -> dict[str, Any]:
    code, text = reason(row.error)
    if row.state is TaskState.DUPLICATE:
        text = f"has the same content as {row.original}"
    values = (str(row.state), row.source, Path(row.target).name, row.out, row.frames or "",
              round(row.seconds, 2) if row.seconds else "", code, text)  # fmt: skip
    return dict(zip(_HEAD, values, strict=True))


def _page(rows: list[dict[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["state"]] = counts.get(row["state"], 0) + 1
    said = ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in counts.items()) or "nothing yet"
    head = "".join(f"<th>{name}</th>" for name in _HEAD)
    body = "".join(
        f'<tr class="{row["state"]}">'
        + "".join(f"<td>{html.escape(str(row[name]))}</td>" for name in _HEAD)
        + "</tr>\n"
        for row in rows
    )
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Kineograph: {said}</title>\n'
        f"<style>{_STYLE}</style>\n<h1>Watched folder</h1>\n<p>{said}</p>\n"
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>\n</html>\n"
    )
