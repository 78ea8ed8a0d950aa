# SPDX-License-Identifier: Apache-2.0
"""``kineograph errors``: the catalogue on the terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from kineograph.cli.options import JsonOption
from kineograph.cli.output import page, print_json, tell

if TYPE_CHECKING:
    from kineograph.fixes import FixRow, Row

_PLACE = re.compile(r"\{\w+\}")
"""Where a real error's names and numbers go."""


def errors(
    code: Annotated[
        str | None, typer.Argument(help="A code, for example unknown_joint. Without it, all of them.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What every error means and what to do about it.

    Examples: [bold]kineograph errors[/] lists all; [bold]kineograph errors unknown_joint[/] explains one.
    """
    from kineograph.fixes import all_rows

    rows = all_rows() if code is None else _rows_like(code)
    if not rows:
        raise typer.BadParameter(f"'{code}' is not a code of Kineograph; kineograph errors lists them.")
    if as_json:
        print_json([_plain(row) for row in rows])
        return
    if code is None:
        from rich.table import Table

        table = Table("code", "what happened", "retry", box=None, header_style="bold")
        for row in rows:
            table.add_row(row.code, escape(row.title), "by itself" if row.retry.auto else "")
        page.print(table)
        return
    row = rows[0]
    tell(f"[bold]{escape(row.title)}[/]  [dim]{row.code}[/]\n{escape(row.cause)}")
    for fix in row.fixes:
        tell(f"  [cyan]-[/] {escape(_PLACE.sub('...', _label(fix)))}")


def _rows_like(code: str) -> tuple[Row, ...]:
    """The row of a code, foreign spellings included."""
    from kineograph.errors import ErrorCode
    from kineograph.fixes import alias, all_rows

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
