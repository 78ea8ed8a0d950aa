# SPDX-License-Identifier: Apache-2.0
"""``kineograph errors``: the catalogue on the terminal."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from kineograph.cli.options import JsonOption
from kineograph.cli.output import Exit, console, print_json
from kineograph.errors import ErrorCode
from kineograph.fixes import FixRow, Row, alias, all_rows


def errors(
    code: Annotated[
        str | None, typer.Argument(help="A code, for example unknown_joint. Without it, all of them.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What every error means and what to do about it.

    Examples: [bold]kineograph errors[/] lists all; [bold]kineograph errors unknown_joint[/] explains one.
    """
    rows = all_rows() if code is None else _rows_like(code)
    if not rows:
        console.print(f"'{escape(str(code))}' is not a code of Kineograph. [bold]kineograph errors[/] lists them.")
        raise typer.Exit(Exit.USAGE)
    if as_json:
        print_json([_plain(row) for row in rows])
        return
    if code is None:
        table = Table("code", "what happened", "retry", box=None, header_style="bold")
        for row in rows:
            table.add_row(row.code, escape(row.title), "by itself" if row.retry.auto else "")
        console.print(table)
        return
    row = rows[0]
    console.print(f"[bold]{escape(row.title)}[/]  [dim]{row.code}[/]\n{escape(row.cause)}")
    for fix in row.fixes:
        console.print(f"  [cyan]-[/] {escape(_label(fix))}")


def _rows_like(code: str) -> tuple[Row, ...]:
    """The row of a code, foreign spellings included."""
    ours = alias({"error": {"code": code, "message": ""}})["error"]["code"]
    if ours == ErrorCode.BAD_RESPONSE and code != ErrorCode.BAD_RESPONSE:
        return tuple(row for row in all_rows() if row.code == code)
    return tuple(row for row in all_rows() if row.code == ours)


def _label(fix: FixRow) -> str:
    """The plainest wording of a fix: the last one needs no numbers."""
    return fix.label[-1].text


def _plain(row: Row) -> dict[str, Any]:
    return {
        "code": str(row.code),
        "severity": str(row.severity),
        "title": row.title,
        "cause": row.cause,
        "retry_by_itself": row.retry.auto,
        "fixes": [{"id": fix.id, "label": _label(fix)} for fix in row.fixes],
    }
