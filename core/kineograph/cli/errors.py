# SPDX-License-Identifier: Apache-2.0
"""``kineograph errors``: the catalogue on the terminal."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from kineograph.cli.options import JsonOption
from kineograph.cli.output import Exit, console, print_json
from kineograph.fixes import all_rows, find_row


def errors(
    code: Annotated[
        str | None, typer.Argument(help="A code, for example unknown_joint. Without it, all of them.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What every error means and what to do about it.

    Examples: [bold]kineograph errors[/] lists all; [bold]kineograph errors unknown_joint[/] explains one.
    """
    rows = all_rows() if code is None else [r for r in [find_row(code)] if r is not None]
    if not rows:
        console.print(f"'{escape(str(code))}' is not a code of Kineograph. [bold]kineograph errors[/] lists them.")
        raise typer.Exit(Exit.USAGE)
    if as_json:
        print_json([row.to_map() for row in rows])
        return
    if code is None:
        table = Table("code", "what happened", "retry", box=None, header_style="bold")
        for row in rows:
            table.add_row(row.code, escape(row.title), "by itself" if row.retry.automatic else "")
        console.print(table)
        return
    (row,) = rows
    console.print(f"[bold]{escape(row.title)}[/]  [dim]{row.code}[/]\n{escape(row.cause)}")
    for label in row.fix_labels():
        console.print(f"  [cyan]-[/] {escape(label)}")
